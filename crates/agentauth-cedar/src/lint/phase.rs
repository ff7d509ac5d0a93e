//! What is not known at every time at which policies are asked.

use super::Findings;
use crate::named::Written;
use crate::syntax::Expr;

pub(super) fn find(policy: &Written<'_>, found: &mut Findings) {
    let text = &policy.text;
    if text.annotation("id").is_none() {
        found.note(
            "lint_unnamed",
            policy,
            text.effect,
            format!("this policy is called `{}` in decisions and the record, which changes with its place", policy.id),
            "give it a name: `@id(\"...\")`",
        );
    }
    let paths: Vec<&Expr> = text.conditions.iter().flat_map(|condition| condition.body.paths()).collect();
    if let Some(argument) = paths.iter().find(|path| path.is_argument()) {
        let shown = if text.permits { "may be permitted" } else { "is not yet forbidden" };
        found.note(
            "lint_undecided_in_lists",
            policy,
            argument.span,
            format!("arguments are not known before the call: in lists of tools, what this policy is about {shown}"),
            "to leave tools out of lists, say by agent, principal or action who never may",
        );
    }
    let of_resource =
        |path: &&&Expr| path.path().is_some_and(|names| names.len() > 1 && names.starts_with(&["resource"]));
    if let Some(attribute) = paths.iter().find(of_resource) {
        found.note(
            "lint_needs_entity",
            policy,
            attribute.span,
            format!(
                "`{}` must be provided with the resource; where it is not, the policy errs, which denies",
                policy.of(attribute.span)
            ),
            "state it in entities.json, or provide it: `CedarPolicies::entities`",
        );
    }
}
