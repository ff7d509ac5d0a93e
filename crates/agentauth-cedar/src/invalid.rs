//! What Cedar's strict validation says of a policy, in words that tell what to do.

use agentauth_core::policy::Problem;
use agentauth_core::policy::suggest::nearest;
use cedar_policy::ValidationError;
use miette::Diagnostic as _;

use crate::listed::{actions_of_schema, listed};
use crate::schema::PolicySchema;

/// What is wrong, with its place in `source`, where the policy's own text begins `shift` bytes later than Cedar counts.
pub(crate) fn problem(
    file: &str,
    source: &str,
    shift: usize,
    error: &ValidationError,
    schema: &PolicySchema,
) -> Problem {
    let label = error.labels().into_iter().flatten().next();
    let place = label.map(|label| {
        let start = label.offset().saturating_add(shift);
        (start, start.saturating_add(label.len()))
    });
    let here = place.and_then(|(start, end)| source.get(start..end)).unwrap_or_default();
    let Said { code, text, help } = said(error, here, schema);
    let problem = Problem::new(code, file, text);
    let problem = match place {
        Some((start, end)) => problem.at(source, start, end),
        None => problem,
    };
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

struct Said {
    code: &'static str,
    text: String,
    help: Option<String>,
}

fn said(error: &ValidationError, here: &str, schema: &PolicySchema) -> Said {
    let plain = without_policy(&error.to_string());
    let help = error.help().map(|help| without_policy(&help.to_string()));
    let said = |code, text, help| Said { code, text, help };
    match error {
        ValidationError::UnrecognizedEntityType(_) => {
            let name = quoted(&plain);
            let known = schema.entity_types();
            let help = match nearest(name, known.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the schema has {}", listed(known.iter().map(String::as_str))),
            };
            said("policy_unknown_type", format!("the schema has no entity type `{name}`"), Some(help))
        }
        ValidationError::UnrecognizedActionId(_) => {
            let name = quoted(&plain);
            let id = name.split_once("::\"").map_or(name, |(_, id)| id.trim_end_matches('"'));
            let known = || schema.actions.keys().map(AsRef::as_ref);
            let help = match nearest(id, known()) {
                Some(meant) => format!("did you mean `Action::\"{meant}\"`?"),
                None => actions_of_schema(known()),
            };
            said("policy_unknown_action", format!("the schema has no action `{id}`"), Some(help))
        }
        ValidationError::UnsafeAttributeAccess(_) => unknown_attribute(&plain, schema),
        ValidationError::UnsafeOptionalAttributeAccess(_) => {
            let help = match here.rsplit_once('.') {
                Some((of, name)) => format!("guard it: `{of} has {name} && {here} ...`"),
                None => format!("ask whether it is there with `has` before `{here}`"),
            };
            said("policy_unguarded", format!("`{here}` is optional, and may not be there"), Some(help))
        }
        ValidationError::UnexpectedType(_) => {
            let (expected, actual) = plain
                .strip_prefix("unexpected type: expected ")
                .and_then(|types| types.split_once(" but saw "))
                .unwrap_or_default();
            let (expected, actual) = (type_name(expected), type_name(actual));
            let help = help.or_else(|| match (expected.as_str(), actual.as_str()) {
                ("Long", "String") => Some("a number stands without quotes".into()),
                ("Bool", _) => Some("compare it with something: `==`, `<=`, `in`".into()),
                _ => None,
            });
            said("policy_type", format!("`{here}` is of type {actual}, where {expected} is needed"), help)
        }
        ValidationError::IncompatibleTypes(_) => {
            let types: Vec<String> = plain
                .trim_start_matches("the types ")
                .trim_end_matches(" are not compatible")
                .split(" and ")
                .flat_map(|some| some.split(", "))
                .map(type_name)
                .collect();
            let text = format!("{} cannot be compared, or stand for each other", types.join(" and "));
            let entity = types.iter().find(|name| schema.entity_types().contains(name));
            let help = match entity {
                Some(kind) if types.iter().any(|name| name == "String") => {
                    format!("write an entity with its type: `{kind}::\"...\"`")
                }
                _ => "write both of one type: a number without quotes, a text with them".into(),
            };
            said("policy_type", text, Some(help))
        }
        ValidationError::NonLitExtConstructor(_) => said(
            "policy_invalid",
            "only a text that stands in the policy itself can be read as an address, a decimal, a date or a duration"
                .into(),
            Some("give the argument that type in the schema, or compare it as text".into()),
        ),
        ValidationError::FunctionArgumentValidation(_) => {
            let text =
                plain.trim_start_matches("error during extension function argument validation: ").replace('"', "");
            said("policy_invalid", text, help)
        }
        ValidationError::InvalidEnumEntity(_) => {
            let known = help.unwrap_or_default();
            let known = known.trim_start_matches("valid entity eids: ").replace('"', "");
            let kind = here.split("::").next().unwrap_or_default();
            let help = match nearest(here.trim_start_matches(kind).trim_matches([':', '"']), known.split(", ")) {
                Some(meant) => format!("did you mean `{kind}::\"{meant}\"`?"),
                None => format!("there are {}", listed(known.split(", "))),
            };
            said("policy_unknown_value", format!("there is no `{here}`"), Some(help))
        }
        ValidationError::EmptySetForbidden(_) => said(
            "policy_invalid",
            "a set with nothing in it has no type".into(),
            Some("name at least one element, or use `.isEmpty()`".into()),
        ),
        _ => said("policy_invalid", plain, help),
    }
}

/// `attribute `a.b` in context for Action::"x" not found`, or `... on entity type `T` not found`.
fn unknown_attribute(plain: &str, schema: &PolicySchema) -> Said {
    let path: Vec<&str> = quoted(plain).split('.').collect();
    let (name, before) = path.split_last().map_or(("", &[][..]), |(name, before)| (*name, before));
    let (place, members) = if let Some((_, action)) = plain.split_once("` in context for ") {
        let action = action.trim_end_matches(" not found");
        let id = action.split_once("::\"").map_or(action, |(_, id)| id.trim_end_matches('"'));
        let of = std::iter::once("context").chain(before.iter().copied()).collect::<Vec<_>>().join(".");
        (format!("`{of}` of the action `{id}`"), schema.context_members(id, before))
    } else {
        let kind =
            plain.rsplit_once("on entity type `").and_then(|(_, rest)| rest.split('`').next()).unwrap_or_default();
        (format!("an entity of type {kind}"), schema.entity_members(kind, before))
    };
    let names = || members.iter().map(|member| member.split([':', '?']).next().unwrap_or_default());
    let help = match nearest(name, names()) {
        Some(meant) => format!("did you mean `{meant}`? It has {}", listed(members.iter().map(String::as_str))),
        None if members.is_empty() => "it has no attributes".into(),
        None => format!("it has {}", listed(members.iter().map(String::as_str))),
    };
    Said { code: "policy_unknown_attribute", text: format!("{place} has no `{name}`"), help: Some(help) }
}

/// The sentence without the name of the policy, which the place says.
fn without_policy(text: &str) -> String {
    let rest = text.strip_prefix("for policy `").and_then(|rest| rest.split_once('`')).map(|(_, rest)| rest);
    rest.map_or(text, |rest| rest.trim_start_matches([',', ':']).trim_start()).to_owned()
}

/// What stands between the first backtick and the next.
fn quoted(text: &str) -> &str {
    text.split('`').nth(1).unwrap_or_default()
}

/// A type as policies and schemas write it.
fn type_name(name: &str) -> String {
    match name {
        "__cedar::internal::AnyEntity" => "an entity".into(),
        "__cedar::internal::True" | "__cedar::internal::False" => "Bool".into(),
        other => other.trim_start_matches("__cedar::").into(),
    }
}
