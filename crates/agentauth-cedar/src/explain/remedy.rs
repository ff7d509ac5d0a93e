//! What would be needed.

use agentauth_core::policy::suggest::nearest;
use agentauth_core::policy::{AuthzRequest, Reason, ReasonKind};
use agentauth_core::{Decision, Excerpt, Mode};

use super::{Explanation, Outcome};
use crate::listed::{actions_of_schema, listed};
use crate::named::Written;
use crate::names::mode_name;
use crate::schema::PolicySchema;

/// So many misspelt arguments are told of.
const MAX_NAMES: usize = 5;

/// Where what is known of an entity is not what the schema says.
const TELL: &str = "tell of each entity all that the schema says of its type, once: in entities.json, or by the provider \
                    (`CedarPolicies::entities`); what may be missing is optional in the schema, `name?: Type`";

/// Where policies were not asked: what the schema would take.
pub(super) fn of_refusal(schema: &PolicySchema, request: &AuthzRequest<'_>, decision: &Decision) -> Vec<Box<str>> {
    let name = request.action();
    let Some(action) = schema.actions.get(name) else {
        let known = || schema.actions.keys().map(AsRef::as_ref);
        let first = match nearest(name, known()) {
            Some(meant) => format!("did you mean `{meant}`? The schema has the actions {}", listed(known())),
            None => actions_of_schema(known()),
        };
        let declare = format!("to add it: `action \"{name}\" appliesTo {{ principal: User, resource: ... }};`");
        return vec![first.into(), declare.into()];
    };
    match decision.reasons().first().map(Reason::kind) {
        Some(ReasonKind::ArgumentRefused) => return of_arguments(&schema.arguments_of(name), request),
        Some(ReasonKind::EntityRefused) => return vec![TELL.into()],
        _ => {}
    }
    let types = |types: &[cedar_policy::EntityTypeName]| {
        let names: Vec<String> = types.iter().map(ToString::to_string).collect();
        listed(names.iter().map(String::as_str))
    };
    let kinds = schema.kinds.iter().filter(|(_, kind)| action.resources.contains(kind)).map(|(name, _)| &**name);
    vec![
        format!("`{name}` is for principals of type {}", types(&action.principals)).into(),
        format!(
            "it is done to resources of type {}, which requests call {}; without a resource, it is done to the Server",
            types(&action.resources),
            listed(kinds)
        )
        .into(),
    ]
}

fn of_arguments(takes: &[String], request: &AuthzRequest<'_>) -> Vec<Box<str>> {
    let name = request.action();
    if takes.is_empty() {
        let text =
            format!("`{name}` takes no arguments; to declare one: `context: {{ arguments: {{ name: String }} }}`");
        return vec![text.into()];
    }
    let mut needed = vec![
        format!("`{name}` takes {}; what has a `?` may be left out", listed(takes.iter().map(String::as_str))).into(),
    ];
    let known = || takes.iter().filter_map(|member| member.split([':', '?']).next());
    for given in request.arguments().names().filter(|given| !known().any(|name| name == *given)).take(MAX_NAMES) {
        if let Some(meant) = nearest(given, known()) {
            needed.push(format!("`{}` may be meant to be `{meant}`", Excerpt::of(given)).into());
        }
    }
    needed
}

/// Where policies were asked.
pub(super) fn of(request: &AuthzRequest<'_>, explanation: &Explanation, all: &[Written<'_>]) -> Vec<Box<str>> {
    match explanation.ground() {
        Some(ReasonKind::Forbidden) => of_forbids(explanation),
        Some(ReasonKind::PolicyErred) => explanation
            .deciding
            .iter()
            .filter(|policy| policy.parts.iter().any(|part| matches!(part.outcome, Outcome::Errs(_))))
            .map(|policy| {
                format!(
                    "guard `{}` so that it can be evaluated whatever the arguments are: bound numbers before arithmetic, ask \
                     for attributes with `has`; until then it denies what it might have forbidden",
                    policy.policy
                )
                .into()
            })
            .collect(),
        Some(ReasonKind::ActorNotAuthorized) => of_mode(request.mode()),
        Some(ReasonKind::NotPermitted) => of_none(request, explanation, all),
        _ => Vec::new(),
    }
}

fn of_forbids(explanation: &Explanation) -> Vec<Box<str>> {
    let each = explanation.deciding.iter().map(|policy| match &policy.applies_to {
        Some(agent) => format!(
            "`{}` forbids it to `{agent}`, by whose name or through whom this agent acts: what is forbidden to one is forbidden \
             to both",
            policy.policy
        ),
        None => format!("except this from `{}` with `unless {{ ... }}`; no permit outweighs a forbid", policy.policy),
    });
    each.map(Into::into).collect()
}

fn of_mode(mode: Mode) -> Vec<Box<str>> {
    let name = mode_name(mode).unwrap_or("unknown");
    let variant = match mode {
        Mode::Impersonation => "Impersonation",
        Mode::AgentAccount => "AgentAccount",
        _ => "ClientOnly",
    };
    vec![
        "have somebody delegate to the agent, so that its token names both".into(),
        format!(
            "or let policies permit callers in the mode `{name}`: `CedarPolicies::even_in(Mode::{variant})`; say in the policies \
             for which, `context.delegation.mode == Mode::\"{name}\"`"
        )
        .into(),
    ]
}

fn of_none(request: &AuthzRequest<'_>, explanation: &Explanation, all: &[Written<'_>]) -> Vec<Box<str>> {
    if let Some(first) = explanation.nearest.first() {
        let needs = first.misses().count();
        let things = if needs == 1 { "the one thing that is".into() } else { format!("all {needs} things that are") };
        return vec![
            format!("meet {things} missing for `{}`", first.policy).into(),
            "or write a policy that permits exactly this".into(),
        ];
    }
    let action = request.action();
    if all.iter().any(|policy| policy.text.permits && !policy.shadow) {
        let kind = if request.resource().is_some() { "resource == ..." } else { "resource" };
        return vec![
            format!("no policy is for `{action}`: write one, `permit (principal ..., action == Action::\"{action}\", {kind}) when {{ context.agent in ... }};`").into(),
        ];
    }
    let text = if all.iter().any(Written::is_open) {
        "only templates permit: `links.json` says for whom"
    } else {
        "no policy in force permits anything: write one that begins with `permit`"
    };
    vec![text.into()]
}
