//! Where in the schema's files something is wrong.

use std::str::FromStr as _;

use agentauth_core::policy::suggest::nearest;
use agentauth_core::policy::{Problem, Problems};
use cedar_policy::{Schema, SchemaError, SchemaFragment};
use miette::Diagnostic as _;
use serde_json::Value;

use crate::load::{pieces, problem_from, too_deep};
use crate::sources::Source;
use crate::syntax::{Span, TokenKind, schema_too_deep, tokens};

/// The file of problems for which no place is found.
const ALL: &str = "schema";

/// What Cedar's built-in types are called.
pub(super) const BUILT_IN: [&str; 8] = ["Bool", "Long", "String", "Set", "decimal", "ipaddr", "datetime", "duration"];

/// Parses one file.
pub(super) fn parse(source: &Source) -> Result<Value, Problems> {
    let parsed = |text: &str| match SchemaFragment::from_cedarschema_str(text) {
        Ok((fragment, _warnings)) => Ok(fragment),
        Err(error) => Err(Box::new(error)),
    };
    if let Some(place) = schema_too_deep(&source.text) {
        return Err(too_deep(source, place).into());
    }
    let broken = |shift, error: &dyn miette::Diagnostic| problem_from("policy_schema", source, shift, error);
    let error = match parsed(&source.text) {
        Ok(fragment) => return fragment.to_json_value().map_err(|error| broken(0, &error).into()),
        Err(error) => error,
    };
    // Cedar stops at the first declaration that it cannot read; inside of a namespace they cannot be told apart.
    let named = source.text.contains("namespace");
    let mut problems = Problems::none();
    for piece in pieces(&source.text).filter(|_| !named).into_iter().flatten() {
        if let Err(error) = parsed(piece.of(&source.text)) {
            problems.push(broken(piece.start, &*error));
        }
    }
    if problems.is_empty() { Err(broken(0, &*error).into()) } else { Err(problems) }
}

/// Something about what is called `name`, where `sources` declare it, or else speak of it.
pub(super) fn about(sources: &[Source], name: &str, text: impl Into<Box<str>>) -> Problem {
    match sources.iter().find_map(|source| Some((source, place_of(source, name)?))) {
        Some((source, span)) => {
            Problem::new("policy_schema", &source.name, text).at(&source.text, span.start, span.end)
        }
        None => Problem::new("policy_schema", ALL, text),
    }
}

/// Where `source` declares `name` for the last time, or else speaks of it.
pub(super) fn place_of(source: &Source, name: &str) -> Option<Span> {
    let tokens = tokens(&source.text)?;
    let name = name.rsplit("::").next().unwrap_or(name);
    let is_named = |span: Span| span.of(&source.text).trim_matches('"') == name;
    let spans = || tokens.iter().filter(|token| token.kind != TokenKind::Sign).map(|token| token.span);
    let declared = spans()
        .zip(spans().skip(1))
        .filter(|(word, next)| matches!(word.of(&source.text), "entity" | "action" | "type") && is_named(*next));
    declared.last().map(|(_, next)| next).or_else(|| spans().find(|span| is_named(*span)))
}

/// What Cedar says of all of them together. Where, it does not know.
pub(super) fn merged(sources: &[Source], json: &Value, error: &SchemaError) -> Problems {
    let text = error.to_string();
    let help = error.help().map(|help| help.to_string());
    if let Some((_, names)) = text.split_once("failed to resolve type") {
        let names = names.trim_start_matches('s').trim_start_matches(':').split(',').map(str::trim);
        return names.map(|name| unresolved(sources, json, name)).collect();
    }
    // The declaration is named between quotes of some kind.
    let named = text.split(['"', '`']).nth(1).unwrap_or_default();
    let problem = about(sources, named, text.as_str());
    match help {
        Some(help) => problem.help(help).into(),
        None => problem.into(),
    }
}

fn unresolved(sources: &[Source], json: &Value, name: &str) -> Problem {
    let known = json.as_object().into_iter().flatten().flat_map(|(space, parts)| {
        let prefix = if space.is_empty() { String::new() } else { format!("{space}::") };
        let named = ["entityTypes", "commonTypes"].into_iter().filter_map(|part| parts.get(part)?.as_object());
        named.flat_map(|part| part.keys()).map(move |name| format!("{prefix}{name}")).collect::<Vec<_>>()
    });
    let known: Vec<String> = known.chain(BUILT_IN.map(Into::into)).collect();
    let help = match (elsewhere(name), nearest(name, known.iter().map(String::as_str))) {
        (Some(here), _) => format!("write `{here}`"),
        (None, Some(meant)) => format!("did you mean `{meant}`?"),
        (None, None) => format!("declare it: `entity {name};`"),
    };
    about(sources, name, format!("there is no type `{name}`")).help(help)
}

/// What types of other languages are called here.
fn elsewhere(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().as_str() {
        "int" | "integer" | "number" | "i64" | "u32" | "u64" => Some("Long"),
        "float" | "double" | "f64" => Some("decimal"),
        "str" | "text" => Some("String"),
        "boolean" => Some("Bool"),
        "date" | "time" | "timestamp" => Some("datetime"),
        "list" | "array" | "set" => Some("Set<String>"),
        _ => None,
    }
}

/// The whole, as Cedar takes it.
pub(super) fn whole(sources: &[Source], json: &Value) -> Result<Schema, Problems> {
    Schema::from_json_value(json.clone()).map_err(|error| merged(sources, json, &error))
}

/// A schema in Cedar's own form.
pub(super) fn text_of(json: &Value) -> Option<String> {
    let fragment = SchemaFragment::from_json_value(json.clone()).ok()?;
    let text = fragment.to_cedarschema().ok()?;
    debug_assert!(SchemaFragment::from_str(&text).is_ok());
    Some(text)
}
