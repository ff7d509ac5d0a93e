//! Why a request is decided as it is, for whoever writes the policies.

mod remedy;
mod show;
mod weigh;

use std::borrow::Cow;
use std::fmt;

use agentauth_core::Decision;
use agentauth_core::policy::{AuthzRequest, Effect, Place, ReasonKind};
use serde::{Serialize, Serializer};

use crate::engine::{CedarPolicies, others};
use crate::named::written;
use crate::names::{agent_name, mode_name, principal_name};
use weigh::Scales;

/// So many policies that nearly permit are told of: who looks for a mistake looks at the nearest.
const MAX_NEAREST: usize = 3;

/// So many policies that decided are told of.
const MAX_DECIDING: usize = 10;

/// Why a request is decided as it is: what [`CedarPolicies::explain`] tells.
///
/// [`Display`](fmt::Display) is written for whoever writes the policies. It shows the values of arguments that conditions
/// speak of, and so belongs to those who know them, and in no log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// What was asked.
    pub asked: Asked,
    /// The answer, as [`decide`](agentauth_core::PolicyEngine::decide) gives it.
    pub decision: Decision,
    /// The policies that decided.
    pub deciding: Vec<Weighed>,
    /// If none permits it: those that nearly do, the nearest first.
    pub nearest: Vec<Weighed>,
    /// For a denial: what would be needed, one sentence each.
    pub needed: Vec<Box<str>>,
}

/// What was asked, without the values of its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Asked {
    /// Who acts.
    pub agent: Box<str>,
    /// For whom, as policies name it.
    pub principal: Box<str>,
    /// In which capacity.
    pub mode: Box<str>,
    /// How many agents the authority has passed through.
    pub depth: usize,
    /// Who vouches for it.
    pub issuer: Box<str>,
    /// The resource server.
    pub server: Box<str>,
    /// What is to be done.
    pub action: Box<str>,
    /// To what: its kind, and which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<(Box<str>, Box<str>)>,
    /// The names of the arguments, sorted.
    pub arguments: Vec<Box<str>>,
}

/// A policy, and how it fares with the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Weighed {
    /// What it is called.
    pub policy: Box<str>,
    /// Whether it permits what it applies to, or forbids it.
    pub permits: bool,
    /// The file it is in.
    pub file: Box<str>,
    /// Where it begins.
    pub line: usize,
    /// The agent that it applies to, if that is another than the one who acts: one through which the authority came, or the
    /// name that it claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applies_to: Option<Box<str>>,
    /// What it asks for, in its order: its scope, and each condition.
    pub parts: Vec<WeighedPart>,
}

/// One thing that a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WeighedPart {
    /// As it is written.
    pub text: Box<str>,
    /// Whether it stands in `unless`: it is met where it does not hold.
    #[serde(skip_serializing_if = "is_false")]
    pub unless: bool,
    /// Where it stands.
    #[serde(serialize_with = "line_and_column")]
    pub place: Place,
    /// Whether the request meets it.
    pub outcome: Outcome,
    /// What it speaks of, and what that is in this request.
    pub values: Vec<Value>,
    /// What would be needed here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<Box<str>>,
}

/// Whether a request meets what a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It does.
    Met,
    /// It does not.
    NotMet,
    /// That cannot be evaluated, which denies.
    Errs(Box<str>),
    /// Cedar does not come so far, since something before it is not met.
    NotReached,
}

/// A path in a condition, and what is there in a request. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Value {
    /// Such as `context.arguments.fee`.
    pub path: Box<str>,
    /// As Cedar writes it; cut where it is long.
    pub value: Box<str>,
}

impl CedarPolicies {
    /// Explains how `request` is decided: which policies decide, and for a denial, what would have been needed. It takes its
    /// time, and is for people who look for the reason, not for every call.
    ///
    /// ```
    /// use agentauth_cedar::{CedarPolicies, Sources};
    /// use agentauth_core::policy::Scenario;
    /// use agentauth_core::{IssuerId, PrincipalId, ResourceId, SpiffeId};
    ///
    /// # async fn explain() -> Result<(), Box<dyn std::error::Error>> {
    /// let policies = CedarPolicies::new(&Sources::new()
    ///     .schema("court.cedarschema", r#"action "cases:list" appliesTo { principal: User, resource: Server };"#)
    ///     .policies("court.cedar", r#"
    ///         permit (principal, action == Action::"cases:list", resource)
    ///         when { context.agent in TrustDomain::"court.example" };
    ///     "#))?;
    /// let alice = PrincipalId::new(IssuerId::new("https://sts.court.example")?, "alice");
    /// let stranger: SpiffeId = "spiffe://elsewhere.example/agent".parse()?;
    /// let asked = Scenario::new(ResourceId::new("https://court.example")?, stranger, alice, "cases:list");
    /// let text = policies.explain(&asked.request()).await.to_string();
    /// assert!(text.starts_with("Denied"), "{text}");
    /// assert!(text.contains("context.agent is Agent::\"spiffe://elsewhere.example/agent\""), "{text}");
    /// # Ok(()) }
    /// ```
    pub async fn explain(&self, request: &AuthzRequest<'_>) -> Explanation {
        let decision = self.answer(request).await;
        let asked = Asked::of(request);
        let mut explanation =
            Explanation { asked, decision, deciding: Vec::new(), nearest: Vec::new(), needed: Vec::new() };
        let all = written(self.sources());
        let mut scales: Vec<Scales> = Vec::new();
        for agent in std::iter::once(Cow::Borrowed(request.agent())).chain(others(request.caller())) {
            scales.extend(Scales::of(self, request, &agent).await);
        }
        let was_asked = !matches!(
            explanation.ground(),
            None | Some(ReasonKind::NotInSchema | ReasonKind::ArgumentRefused | ReasonKind::PolicyFailed)
        );
        let Some(own) = scales.first().filter(|_| was_asked) else {
            explanation.needed = remedy::of_refusal(self.schema(), request, &explanation.decision);
            return explanation;
        };
        let named = explanation.decision.reasons().iter().filter_map(|reason| reason.policy());
        let errors = explanation.decision.errors().iter().filter_map(|error| error.policy.as_deref());
        let mut deciding: Vec<&str> = Vec::new();
        for id in named.chain(errors) {
            if !deciding.contains(&id) {
                deciding.push(id);
            }
        }
        let deciding = deciding.into_iter().take(MAX_DECIDING);
        let found = deciding.filter_map(|id| all.iter().find(|policy| &*policy.id == id));
        explanation.deciding = found.map(|policy| weigh::among(&scales, policy)).collect();
        if explanation.ground() == Some(ReasonKind::NotPermitted) {
            explanation.nearest = weigh::nearest(own, &all, MAX_NEAREST);
        }
        explanation.needed = remedy::of(request, &explanation, &all);
        explanation
    }
}

impl Explanation {
    /// Whether it is allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decision.effect() == Effect::Allow
    }

    /// The kind of the first reason.
    fn ground(&self) -> Option<ReasonKind> {
        self.decision.reasons().first().map(agentauth_core::policy::Reason::kind)
    }
}

impl Asked {
    fn of(request: &AuthzRequest<'_>) -> Self {
        let mut arguments: Vec<Box<str>> = request.arguments().names().map(Into::into).collect();
        arguments.sort();
        Self {
            agent: agent_name(request.agent()).into(),
            principal: principal_name(request.principal()).into(),
            mode: mode_name(request.mode()).unwrap_or("unknown").into(),
            depth: request.depth(),
            issuer: request.issuer().as_str().into(),
            server: request.caller().server().as_str().into(),
            action: request.action().into(),
            resource: request.resource().map(|resource| (resource.kind().into(), resource.id().into())),
            arguments,
        }
    }
}

impl Weighed {
    /// What keeps it from applying.
    pub fn misses(&self) -> impl Iterator<Item = &WeighedPart> {
        self.parts.iter().filter(|part| !matches!(part.outcome, Outcome::Met | Outcome::NotReached))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

fn line_and_column<S: Serializer>(place: &Place, serializer: S) -> Result<S::Ok, S::Error> {
    (place.line, place.column).serialize(serializer)
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.path, &self.value).serialize(serializer)
    }
}
