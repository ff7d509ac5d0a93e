//! What policies cover: everything, nothing, or what another covers too.

use std::collections::HashMap;

use agentauth_core::policy::Problem;

use super::{Finding, Findings, Severity};
use crate::named::Written;
use crate::sources::Sources;
use crate::syntax::{Expr, Kind, Span, tokens};

pub(super) fn find(policies: &[Written<'_>], sources: &Sources, found: &mut Findings) {
    for policy in policies {
        too_wide(policy, found);
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

fn too_wide(policy: &Written<'_>, found: &mut Findings) {
    let text = &policy.text;
    if !text.permits {
        return;
    }
    let head = Span { start: text.effect.start, end: text.scope.last().map_or(text.effect.end, |part| part.span.end) };
    if text.scope.iter().all(is_any) && text.conditions.is_empty() {
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
    let names_somebody = text.scope.first().is_some_and(|principal| match &principal.kind {
        Kind::Is(_, within) => within.is_some(),
        Kind::Variable(_) => false,
        _ => true,
    });
    let asks = text
        .conditions_all()
        .into_iter()
        .filter_map(Expr::path)
        .any(|path| matches!(path.as_slice(), ["principal", ..] | ["context", "agent" | "delegation", ..]));
    if !names_somebody && !asks {
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
