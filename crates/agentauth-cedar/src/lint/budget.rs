//! Budgets over an argument that is never there: they deny whatever they are for.

use agentauth_core::policy::suggest::nearest;

use super::Findings;
use crate::listed::listed;
use crate::named::{Written, unquoted};
use crate::schema::PolicySchema;
use crate::syntax::{Expr, Kind};

pub(super) fn find(policy: &Written<'_>, schema: &PolicySchema, found: &mut Findings) {
    for annotation in policy.text.annotations.iter().filter(|annotation| &*annotation.name == "budget") {
        let terms = annotation.value.map(|value| unquoted(policy.of(value))).unwrap_or_default();
        // `spend: amount 5000/1d` counts the argument `amount`.
        let terms = terms.split_once(": ").map_or(&*terms, |(_, terms)| terms);
        let Some((argument, _)) = terms.split_once(' ') else { continue };
        let Some(integers) = integers(policy, schema) else { continue };
        if integers.iter().any(|name| name == argument) {
            continue;
        }
        let names = || integers.iter().map(String::as_str);
        let help = match nearest(argument, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if integers.is_empty() => "declare the argument in the schema, as `Long`".into(),
            None => format!("the integer arguments there are {}", listed(names())),
        };
        let text = format!("no action that this is for has an integer argument `{argument}`: it denies them all");
        found.warn("lint_unknown_argument", policy, annotation.span, text, &help);
    }
}

/// The integer arguments of the actions that `policy` is for; nothing if those are a group of actions.
fn integers(policy: &Written<'_>, schema: &PolicySchema) -> Option<Vec<String>> {
    let named = policy.text.scope.iter().flat_map(Expr::all).filter_map(|expr| match &expr.kind {
        Kind::Entity(kind) if &**kind == "Action" => policy.of(expr.span).split_once("::").map(|(_, id)| unquoted(id)),
        _ => None,
    });
    let mut actions: Vec<Box<str>> = named.collect();
    if actions.is_empty() {
        actions = schema.actions.keys().cloned().collect();
    }
    if !actions.iter().all(|action| schema.actions.contains_key(action)) {
        return None;
    }
    let arguments = actions.iter().flat_map(|action| schema.arguments_of(action));
    let integers = arguments.filter_map(|member| {
        let (name, kind) = member.split_once(": ")?;
        (kind == "Long").then(|| name.trim_end_matches('?').to_owned())
    });
    Some(integers.collect())
}
