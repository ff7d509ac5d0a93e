//! What Cedar's validator warns of, with the place that it does not tell.

use std::collections::HashSet;
use std::str::FromStr as _;

use cedar_policy::{PolicySet, ValidationError, ValidationMode, ValidationWarning, Validator};

use super::Findings;
use crate::load::Read;
use crate::named::{Part, Written};
use crate::schema::PolicySchema;
use crate::syntax::Span;

/// Entities that the request itself is about, and their attributes. Those behind them, nobody has to provide.
const LEVEL: u32 = 1;

pub(super) fn find(policies: &[Written<'_>], read: &Read<'_>, schema: &PolicySchema, found: &mut Findings) {
    let validator = Validator::new(schema.cedar.clone());
    let checked = validator.validate_with_level(&read.all, ValidationMode::Strict, LEVEL);
    let of = |id: &cedar_policy::PolicyId| {
        let id: &str = id.as_ref();
        policies.iter().find(|policy| &*policy.id == id)
    };
    let mut impossible = HashSet::new();
    for warning in checked.validation_warnings() {
        let Some(policy) = of(warning.policy_id()) else { continue };
        match warning {
            ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
                if impossible.insert(&policy.id) {
                    never_matches(policy, &validator, found);
                }
            }
            other => {
                let text = other.to_string();
                let text = text.split_once("`, ").map_or(text.as_str(), |(_, text)| text);
                let place = place_of(other, policy).unwrap_or(policy.text.body);
                found.warn("lint_confusable", policy, place, visible(text), "write it in the letters of one script");
            }
        }
    }
    for error in checked.validation_errors() {
        let (ValidationError::EntityDerefLevelViolation(violation), Some(policy)) = (error, of(error.policy_id()))
        else {
            continue;
        };
        let place = place_of(violation, policy).unwrap_or(policy.text.body);
        found.warn(
            "lint_far_entity",
            policy,
            place,
            format!("`{}` reads an entity that is reached through another", policy.of(place)),
            "see that it is provided with the other one: where it is missing the policy errs, which denies",
        );
    }
}

fn place_of(said: &dyn miette::Diagnostic, policy: &Written<'_>) -> Option<Span> {
    let label = said.labels()?.next()?;
    let span = Span { start: label.offset(), end: label.offset().checked_add(label.len())? };
    // Some places are those of the whole policy.
    (span != policy.text.span).then_some(span)
}

/// Where a condition is what no request can fit, that condition; or else the scope.
fn never_matches(policy: &Written<'_>, validator: &Validator, found: &mut Findings) {
    let text = &policy.text;
    let head = policy.head();
    let mut so_far = format!("{})", policy.of(head));
    if is_impossible(&so_far, validator) {
        found.warn(
            "lint_never_matches",
            policy,
            head,
            "no request can be like this: in the schema, no such action is for such a principal and resource",
            "look at `appliesTo` of the action; a member of a group is `in` it, not `==` it",
        );
        return;
    }
    for part in policy.parts() {
        let (word, condition) = (if part.unless { "unless" } else { "when" }, policy.of(part.expr.span));
        so_far.push_str(&format!(" {word} {{ {condition} }}"));
        if is_impossible(&so_far, validator) {
            let holds = if part.unless { "always" } else { "never" };
            found.warn(
                "lint_never_matches",
                policy,
                part.expr.span,
                format!("this {holds} holds, so that the policy never applies"),
                "compare things of which the schema says that they can be alike, or leave the policy out",
            );
            return;
        }
    }
    let help = "its conditions exclude each other: look at them together";
    found.warn("lint_never_matches", policy, text.body, "no request can fit this policy", help);
}

/// Whether by the schema all requests that the scope fits meet `part`.
pub(super) fn always_met(policy: &Written<'_>, part: Part<'_>, validator: &Validator) -> bool {
    let (head, otherwise) = (policy.of(policy.head()), if part.unless { "when" } else { "unless" });
    !is_impossible(&format!("{head})"), validator)
        && is_impossible(&format!("{head}) {otherwise} {{ {} }}", policy.of(part.expr.span)), validator)
}

fn is_impossible(policy: &str, validator: &Validator) -> bool {
    PolicySet::from_str(&format!("{policy};")).is_ok_and(|set| {
        let checked = validator.validate(&set, ValidationMode::Strict);
        let mut warnings = checked.validation_warnings();
        warnings.any(|warning| {
            matches!(warning, ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_))
        })
    })
}

/// With what changes the order of reading written out.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii() || c.is_alphanumeric() { c.to_string() } else { c.escape_unicode().to_string() })
        .collect()
}
