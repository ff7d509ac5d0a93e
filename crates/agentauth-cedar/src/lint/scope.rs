//! What policies cover: everything, nothing, or what another covers too.

use std::collections::HashMap;

use agentauth_core::policy::Problem;
use cedar_policy::Validator;

use super::range::Bounds;
use super::{Finding, Findings, Severity, cedar};
use crate::named::{Part, Written};
use crate::schema::PolicySchema;
use crate::sources::Sources;
use crate::syntax::{Expr, Kind, Span, tokens};

pub(super) fn find(policies: &[Written<'_>], sources: &Sources, schema: &PolicySchema, found: &mut Findings) {
    let validator = Validator::new(schema.cedar.clone());
    for policy in policies {
        too_wide(policy, &validator, found);
    }
    overruled(policies, found);
    duplicates(policies, found);
    let permits = |policy: &Written<'_>| {
        policy.text.permits && !policy.shadow && (!policy.is_open() || !sources.links.is_empty())
    };
    if !policies.iter().any(permits) {
        let file = sources.policies.first().map_or("policies", |source| &source.name);
        let text = "no policy in force permits anything, so everything is denied";
        let problem = Problem::new("lint_nothing_permitted", file, text);
        let problem = problem.help("write a policy that begins with `permit`, without @mode(\"shadow\")");
        found.0.push(Finding { severity: Severity::Warning, problem });
    }
}

fn is_any(part: &Expr) -> bool {
    matches!(part.kind, Kind::Variable(_))
}

fn too_wide(policy: &Written<'_>, validator: &Validator, found: &mut Findings) {
    let text = &policy.text;
    let names_somebody = text.scope.first().is_some_and(|principal| match &principal.kind {
        Kind::Is(_, within) => within.is_some(),
        Kind::Variable(_) => false,
        _ => true,
    });
    if !text.permits || names_somebody {
        return;
    }
    let head = policy.head();
    let limits: Vec<Part<'_>> =
        policy.parts().into_iter().filter(|part| !always_met(policy, *part, validator)).collect();
    if text.scope.iter().all(is_any) && limits.is_empty() {
        found.warn(
            "lint_always_allow",
            policy,
            head,
            "every agent is permitted everything, for everybody",
            "say which action, and for whom or by which agent: `action == Action::\"...\"`, `principal in Group::\"...\"`, \
             `when { context.agent in SpiffePath::\"...\" }`",
        );
        return;
    }
    let asks = limits
        .iter()
        .flat_map(|part| part.expr.all())
        .filter_map(Expr::path)
        .any(|path| matches!(path.as_slice(), ["principal", ..] | ["context", "agent" | "delegation", ..]));
    if !asks {
        found.warn(
            "lint_any_agent",
            policy,
            head,
            "every agent is permitted this, for everybody who has delegated to it",
            "name the agents, `when { context.agent in SpiffePath::\"spiffe://...\" }`, or those they act for, \
             `principal in Group::\"...\"`",
        );
    }
}

/// Whether all requests meet this, whatever it speaks of.
fn always_met(policy: &Written<'_>, part: Part<'_>, validator: &Validator) -> bool {
    always_is(policy, part.expr, !part.unless) || cedar::always_met(policy, part, validator)
}

/// Whether `expr` always is `truth`, by what it says alone.
fn always_is(policy: &Written<'_>, expr: &Expr, truth: bool) -> bool {
    match &expr.kind {
        Kind::Bool(flag) => *flag == truth,
        Kind::Not(one) => always_is(policy, one, !truth),
        Kind::All(parts) if truth => parts.iter().all(|part| always_is(policy, part, true)),
        Kind::Any(parts) if !truth => parts.iter().all(|part| always_is(policy, part, false)),
        Kind::All(parts) | Kind::Any(parts) => parts.iter().any(|part| always_is(policy, part, truth)),
        Kind::Binary("==" | "in", left, right) if left.path().is_some() && left.path() == right.path() => truth,
        Kind::Binary(sign, left, right) => {
            let bounds = Bounds::new(&policy.source.text);
            bounds.range(left).compares(sign, bounds.range(right)) == Some(truth)
        }
        _ => false,
    }
}

/// A part of a scope, in one spelling.
fn spelt(policy: &Written<'_>, span: Span) -> String {
    let text = policy.of(span);
    let tokens = tokens(text).unwrap_or_default();
    tokens.iter().map(|token| token.span.of(text)).collect::<Vec<_>>().join(" ")
}

fn overruled(policies: &[Written<'_>], found: &mut Findings) {
    let scope = |policy: &Written<'_>| -> Vec<(bool, String)> {
        policy.text.scope.iter().map(|part| (is_any(part), spelt(policy, part.span))).collect()
    };
    let in_force = |policy: &&Written<'_>| !policy.shadow;
    let absolute = |policy: &&Written<'_>| !policy.text.permits && policy.text.conditions.is_empty();
    let forbids: Vec<_> =
        policies.iter().filter(in_force).filter(absolute).map(|policy| (policy, scope(policy))).collect();
    for policy in policies.iter().filter(in_force).filter(|policy| policy.text.permits) {
        let permitted = scope(policy);
        let covers = |(_, forbidden): &&(&Written<'_>, Vec<(bool, String)>)| {
            forbidden.iter().zip(&permitted).all(|((any, theirs), (_, ours))| *any || theirs == ours)
        };
        if let Some((forbid, _)) = forbids.iter().find(covers) {
            let text = format!("all that this permits is forbidden by `{}`", forbid.id);
            let help = "give that policy a condition, or leave this one out";
            found.warn("lint_overruled", policy, policy.text.effect, text, help);
        }
    }
}

fn duplicates(policies: &[Written<'_>], found: &mut Findings) {
    let mut known: HashMap<(bool, String), &Written<'_>> = HashMap::new();
    for policy in policies {
        let spelling = (policy.shadow, spelt(policy, policy.text.body));
        match known.get(&spelling) {
            Some(first) => {
                let text = format!("this says what `{}` says already", first.id);
                found.warn("lint_duplicate", policy, policy.text.effect, text, "leave one of them out");
            }
            None => {
                known.insert(spelling, policy);
            }
        }
    }
}
