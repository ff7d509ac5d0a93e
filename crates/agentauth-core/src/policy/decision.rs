use serde::Serialize;

use super::engine::PolicyError;
use super::{ApprovalTerms, Obligation};

/// A policy engine's answer: allow or deny, always with reasons. An allow can be on conditions, its obligations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Decision {
    effect: Effect,
    reasons: Vec<Reason>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    obligations: Vec<Obligation>,
}

/// Allow or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a third answer would be a way around deny by default")]
pub enum Effect {
    /// The action may be done.
    Allow,
    /// The action may not be done.
    Deny,
}

/// One ground of a decision, for the operator. Callers are told none of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    kind: ReasonKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Box<str>>,
    text: Box<str>,
}

/// What kind of ground it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonKind {
    /// The caller, its token or its authority was refused; the policy was not asked.
    Refused,
    /// A policy permits it.
    Permitted,
    /// A policy forbids it.
    Forbidden,
    /// No policy permits it.
    NotPermitted,
    /// No policy lets this agent act for this principal at all.
    ActorNotAuthorized,
    /// It would be permitted with other arguments.
    ArgumentOutsideLimit,
    /// No policy engine is configured.
    NoPolicy,
    /// The policy engine failed.
    PolicyFailed,
}

impl ReasonKind {
    /// The stable machine code of a denial for this reason.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Permitted => "permitted",
            Self::Forbidden => "policy_forbidden",
            Self::NotPermitted => "policy_not_permitted",
            Self::ActorNotAuthorized => "actor_unauthorized",
            Self::ArgumentOutsideLimit => "argument_outside_limit",
            Self::NoPolicy => "policy_none",
            Self::PolicyFailed => "policy_failed",
        }
    }
}

impl Reason {
    /// A reason with a sentence for the operator.
    #[must_use]
    pub fn new(kind: ReasonKind, text: impl Into<Box<str>>) -> Self {
        Self { kind, policy: None, text: text.into() }
    }

    /// Names the policy that is the ground.
    #[must_use]
    pub fn of_policy(mut self, id: &str) -> Self {
        self.policy = Some(id.into());
        self
    }

    /// What kind of ground it is.
    #[must_use]
    pub const fn kind(&self) -> ReasonKind {
        self.kind
    }

    /// The policy that is the ground, if one is.
    #[must_use]
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// The sentence for the operator.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Decision {
    /// Allows, for `reason`.
    pub fn allow(reason: Reason) -> Self {
        Self { effect: Effect::Allow, reasons: vec![reason], obligations: Vec::new() }
    }

    /// Denies, for `reason`.
    pub fn deny(reason: Reason) -> Self {
        Self { effect: Effect::Deny, reasons: vec![reason], obligations: Vec::new() }
    }

    /// Adds another reason, less important than those before it.
    pub fn because(mut self, reason: Reason) -> Self {
        self.reasons.push(reason);
        self
    }

    /// Allows only once a human has approved this very action: see [`approval`](crate::approval). Of several terms, the
    /// shortest count. A denial stays one.
    ///
    /// ```
    /// use agentauth_core::policy::{ApprovalTerms, Reason, ReasonKind};
    /// use agentauth_core::Decision;
    /// use std::time::Duration;
    ///
    /// let decision = Decision::allow(Reason::new(ReasonKind::Permitted, "refunds over 100 need a human"))
    ///     .needing_approval(ApprovalTerms::within(Duration::from_secs(3600)));
    /// # assert_eq!(decision.obligations().len(), 1);
    /// ```
    pub fn needing_approval(self, terms: ApprovalTerms) -> Self {
        self.on_condition_of(Obligation::Approval(terms))
    }

    /// Allows only once `obligation` is met, beside those before it.
    pub fn on_condition_of(mut self, obligation: Obligation) -> Self {
        self.obligations.push(obligation);
        self
    }

    /// What must be met before an allow counts.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.obligations
    }

    /// What an engine's failure amounts to: a denial.
    pub(crate) fn failed(error: &PolicyError) -> Self {
        Self::deny(Reason::new(ReasonKind::PolicyFailed, error.to_string()))
    }

    /// Allow or deny.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// The grounds, the decisive one first.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// The kind of the ground that decided for a denial.
    pub(crate) fn ground_of_denial(&self) -> ReasonKind {
        match self.reasons.first().map(Reason::kind) {
            None | Some(ReasonKind::Permitted | ReasonKind::Refused) => ReasonKind::NotPermitted,
            Some(kind) => kind,
        }
    }
}
