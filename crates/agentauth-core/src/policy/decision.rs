use std::sync::Arc;

use serde::Serialize;

use super::engine::PolicyError;
use super::{ApprovalTerms, Obligation};
use crate::audit::{mask, name_to_mask};
use crate::identity::PrincipalId;
use crate::text::{beginning, cut};

/// What a caller is told is a sentence.
pub const MAX_PUBLIC_TEXT_BYTES: usize = 512;

/// A policy engine's answer: allow or deny, always with reasons. An allow can be on conditions, its obligations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Decision {
    effect: Effect,
    reasons: Vec<Reason>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    obligations: Vec<Obligation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<PolicyFault>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    would_flip: Vec<WouldFlip>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Arc<str>>,
}

/// A policy that could not be evaluated. Whatever else is said, the action is denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PolicyFault {
    /// The policy, if it is one policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<str>>,
    /// What went wrong, for the operator.
    pub text: Box<str>,
}

/// What only rehearses: a policy or an engine in shadow mode that would have decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WouldFlip {
    /// The policy, or the name of the engine.
    pub policy: Box<str>,
    /// What the answer would be, were it in force.
    pub to: Effect,
}

impl WouldFlip {
    /// With `policy` in force, the answer would be `to`.
    #[must_use]
    pub fn new(policy: impl Into<Box<str>>, to: Effect) -> Self {
        Self { policy: policy.into(), to }
    }
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

/// One ground of a decision, for the operator. Callers are told none of it but its public text, if it has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    kind: ReasonKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Box<str>>,
    text: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public: Option<Box<str>>,
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
    /// An argument is unknown, of another type, or cannot be compared exactly.
    ArgumentRefused,
    /// The policies' schema does not have the action, or not for this principal and resource.
    NotInSchema,
    /// What is told of an entity is not as the policies' schema says, or is more than is taken.
    EntityRefused,
    /// A policy could not be evaluated: what it would have forbidden is not known.
    PolicyErred,
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
            Self::ArgumentRefused => "argument_refused",
            Self::NotInSchema => "policy_not_in_schema",
            Self::EntityRefused => "entity_refused",
            Self::PolicyErred => "policy_erred",
            Self::PolicyFailed => "policy_failed",
        }
    }
}

impl Reason {
    /// A reason with a sentence for the operator.
    #[must_use]
    pub fn new(kind: ReasonKind, text: impl Into<Box<str>>) -> Self {
        Self { kind, policy: None, text: text.into(), public: None }
    }

    /// With a sentence that the caller is told if this decides for a denial: at most
    /// [`MAX_PUBLIC_TEXT_BYTES`] of it, and no control characters.
    #[must_use]
    pub fn telling(mut self, public: &str) -> Self {
        let told = beginning(public, MAX_PUBLIC_TEXT_BYTES);
        self.public = Some(told.chars().filter(|c| !c.is_control()).collect::<String>().into());
        self
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

    /// The sentence for the caller, if there is one.
    #[must_use]
    pub fn public_text(&self) -> Option<&str> {
        self.public.as_deref()
    }

    /// How long its texts are, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        [self.policy.as_deref(), Some(&*self.text), self.public.as_deref()].into_iter().flatten().map(str::len).sum()
    }

    /// Cuts each of its texts to at most `limit` bytes.
    pub(crate) fn cut(&mut self, limit: usize) {
        self.texts().for_each(|text| cut(text, limit));
    }

    /// Takes `name` out of its sentences.
    pub(crate) fn mask(&mut self, name: &str) {
        self.public.iter_mut().chain([&mut self.text]).for_each(|text| mask(text, name));
    }

    fn texts(&mut self) -> impl Iterator<Item = &mut Box<str>> {
        self.policy.iter_mut().chain(&mut self.public).chain([&mut self.text])
    }
}

impl Decision {
    /// Allows, for `reason`.
    pub fn allow(reason: Reason) -> Self {
        Self::new(Effect::Allow, reason)
    }

    /// Denies, for `reason`.
    pub fn deny(reason: Reason) -> Self {
        Self::new(Effect::Deny, reason)
    }

    fn new(effect: Effect, reason: Reason) -> Self {
        Self {
            effect,
            reasons: vec![reason],
            obligations: Vec::new(),
            errors: Vec::new(),
            would_flip: Vec::new(),
            version: None,
        }
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

    /// Says that `policy` could not be evaluated, which makes this a denial.
    pub fn with_error(mut self, policy: Option<&str>, text: impl Into<Box<str>>) -> Self {
        self.effect = Effect::Deny;
        self.errors.push(PolicyFault { policy: policy.map(Into::into), text: text.into() });
        self
    }

    /// Says that it would be otherwise, were something in force that only rehearses.
    pub fn with_flip(mut self, flip: WouldFlip) -> Self {
        self.would_flip.push(flip);
        self
    }

    /// Says of which version of the policies this is.
    pub fn of_version(mut self, version: Arc<str>) -> Self {
        self.version = Some(version);
        self
    }

    /// Which policies could not be evaluated.
    #[must_use]
    pub fn errors(&self) -> &[PolicyFault] {
        &self.errors
    }

    /// What only rehearses and would have decided otherwise.
    #[must_use]
    pub fn would_flip(&self) -> &[WouldFlip] {
        &self.would_flip
    }

    /// Of which version of the policies this is, if it says so.
    #[must_use]
    pub fn version(&self) -> Option<&Arc<str>> {
        self.version.as_ref()
    }

    /// What must be met before an allow counts.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.obligations
    }

    /// Takes the name of `principal` out of what only operators are told.
    pub(crate) fn masking(mut self, principal: &PrincipalId) -> Self {
        if let Some(name) = name_to_mask(principal) {
            self.reasons.iter_mut().for_each(|reason| mask(&mut reason.text, name));
            self.errors.iter_mut().for_each(|fault| mask(&mut fault.text, name));
        }
        self
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

    /// Whether a policy or a person forbids it, and not only that nothing permits it.
    fn is_forbidden(&self) -> bool {
        self.reasons.first().is_some_and(|reason| reason.kind() == ReasonKind::Forbidden)
    }

    /// The kind of the ground that decided for a denial.
    pub(crate) fn ground_of_denial(&self) -> ReasonKind {
        let first = self.reasons.first().map(Reason::kind);
        if !self.errors.is_empty() && !matches!(first, Some(ReasonKind::Forbidden)) {
            return ReasonKind::PolicyErred;
        }
        match first {
            None | Some(ReasonKind::Permitted | ReasonKind::Refused) => ReasonKind::NotPermitted,
            Some(kind) => kind,
        }
    }
}

/// What two engines say together: allow if both do, on the conditions of both. What denies stands first, and of two denials the one
/// that forbids.
pub(super) fn both(one: Decision, other: Decision) -> Decision {
    let (denies, other_denies) = (one.effect == Effect::Deny, other.effect == Effect::Deny);
    let other_first = other_denies && (!denies || (other.is_forbidden() && !one.is_forbidden()));
    let (mut first, second) = if other_first { (other, one) } else { (one, other) };
    let flips = |decision: &Decision, beside: &Decision| -> Vec<WouldFlip> {
        // What would permit here is still denied there.
        let counts = |flip: &&WouldFlip| flip.to == Effect::Deny || beside.effect == Effect::Allow;
        decision.would_flip.iter().filter(counts).cloned().collect()
    };
    let mut would_flip = flips(&first, &second);
    would_flip.extend(flips(&second, &first));
    if first.effect == Effect::Deny {
        would_flip.retain(|flip| flip.to == Effect::Allow);
    }
    first.would_flip = would_flip;
    first.reasons.extend(second.reasons);
    first.errors.extend(second.errors);
    for obligation in second.obligations {
        if !first.obligations.contains(&obligation) {
            first.obligations.push(obligation);
        }
    }
    first.version = None;
    first
}
