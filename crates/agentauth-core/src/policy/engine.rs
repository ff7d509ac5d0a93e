use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Arguments, Decision, Preview, PreviewRequest, Reason, ReasonKind, Resource};
use crate::delegation::Mode;
use crate::identity::{AgentId, IssuerId, PrincipalId, ResourceId};
use crate::scope::Authority;
use crate::time::Timestamp;

/// Decides whether an action is permitted: on top of what was delegated, never instead of it.
///
/// An engine is total. It answers every request; what it cannot decide it denies; and an `Err` is a denial too.
/// It is given verified facts only, and of the chain only the current actor:
///
/// ```compile_fail
/// # fn policy(request: &agentauth_core::AuthzRequest<'_>) {
/// let earlier_actors = request.history();
/// # }
/// ```
#[async_trait]
pub trait PolicyEngine: Send + Sync + fmt::Debug {
    /// Answers one request.
    ///
    /// # Errors
    /// [`PolicyError`] if the engine cannot answer. The action is then denied.
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError>;

    /// Whether an action may possibly be permitted, while its arguments are not known: to leave what never is out of a list.
    /// Unless an engine says otherwise, everything may be. It is no decision: each call is decided on its own.
    fn preview(&self, request: &PreviewRequest<'_>) -> Preview {
        let _ = request;
        Preview::Possibly(None)
    }

    /// Which version of the policies answers: a digest or another name that changes with them. Where they can be replaced
    /// meanwhile, the decision says itself which it is of: see [`Decision::of_version`].
    fn version(&self) -> Arc<str>;
}

#[async_trait]
impl<E: PolicyEngine + ?Sized> PolicyEngine for Arc<E> {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        (**self).decide(request).await
    }

    fn preview(&self, request: &PreviewRequest<'_>) -> Preview {
        (**self).preview(request)
    }

    fn version(&self) -> Arc<str> {
        (**self).version()
    }
}

/// A policy engine could not answer, which denies the action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy engine failed, so the action is denied: {0}")]
pub struct PolicyError(Box<str>);

impl PolicyError {
    /// With a sentence for the operator.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }
}

/// Who acts, for whom, and on what grounds: the verified part of what a policy engine is asked.
#[derive(Debug, Clone, Copy)]
pub struct CallerFacts<'a> {
    pub(crate) server: &'a ResourceId,
    pub(crate) agent: &'a AgentId,
    pub(crate) holders: &'a [AgentId],
    pub(crate) principal: &'a PrincipalId,
    pub(crate) mode: Mode,
    pub(crate) issuer: &'a IssuerId,
    pub(crate) depth: usize,
    pub(crate) authority: &'a Authority,
}

impl<'a> CallerFacts<'a> {
    /// The resource server that is asked.
    #[must_use]
    pub const fn server(&self) -> &'a ResourceId {
        self.server
    }

    /// Who acts: the current actor.
    #[must_use]
    pub const fn agent(&self) -> &'a AgentId {
        self.agent
    }

    /// Who has passed the authority on to the agent offline, without its issuer (feature `unstable-chain`).
    ///
    /// It is here for what denies, and must permit nothing: a holder could call a key of its own by any name, so that what
    /// is denied to it must be denied to those it names.
    #[must_use]
    pub const fn holders(&self) -> &'a [AgentId] {
        self.holders
    }

    /// On whose behalf.
    #[must_use]
    pub const fn principal(&self) -> &'a PrincipalId {
        self.principal
    }

    /// In what capacity the agent acts.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Who vouches for the delegation.
    #[must_use]
    pub const fn issuer(&self) -> &'a IssuerId {
        self.issuer
    }

    /// How many agents the authority has passed through.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// What was delegated.
    #[must_use]
    pub const fn authority(&self) -> &'a Authority {
        self.authority
    }
}

/// What a policy engine is asked. Every fact in it has been verified: a decision about any other
/// ([`Scenario`](super::Scenario)) permits nothing.
#[derive(Debug)]
pub struct AuthzRequest<'a> {
    pub(crate) caller: CallerFacts<'a>,
    pub(crate) action: &'a str,
    pub(crate) resource: Option<&'a Resource>,
    pub(crate) arguments: &'a Arguments,
    pub(crate) now: Timestamp,
}

impl<'a> AuthzRequest<'a> {
    /// Who acts, for whom, and on what grounds.
    #[must_use]
    pub const fn caller(&self) -> &CallerFacts<'a> {
        &self.caller
    }

    /// Who acts: the current actor.
    #[must_use]
    pub const fn agent(&self) -> &'a AgentId {
        self.caller.agent
    }

    /// On whose behalf.
    #[must_use]
    pub const fn principal(&self) -> &'a PrincipalId {
        self.caller.principal
    }

    /// In what capacity the agent acts.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.caller.mode
    }

    /// Who vouches for the delegation.
    #[must_use]
    pub const fn issuer(&self) -> &'a IssuerId {
        self.caller.issuer
    }

    /// How many agents the authority has passed through.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.caller.depth
    }

    /// What was delegated. The scope of the action has been checked against it already.
    #[must_use]
    pub const fn authority(&self) -> &'a Authority {
        self.caller.authority
    }

    /// The name of the action.
    #[must_use]
    pub const fn action(&self) -> &'a str {
        self.action
    }

    /// What the action is done to, if anything.
    #[must_use]
    pub const fn resource(&self) -> Option<&'a Resource> {
        self.resource
    }

    /// The arguments of the action.
    #[must_use]
    pub const fn arguments(&self) -> &'a Arguments {
        self.arguments
    }

    /// The time of the decision: the one reading of the clock that counts for it.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }
}

/// The engine of a server without policies: denies everything.
#[derive(Debug)]
pub(crate) struct NoPolicy;

#[async_trait]
impl PolicyEngine for NoPolicy {
    async fn decide(&self, _: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        Ok(Decision::deny(Reason::new(ReasonKind::NoPolicy, "no policy is configured, so nothing is permitted")))
    }

    fn preview(&self, _: &PreviewRequest<'_>) -> Preview {
        Preview::Never
    }

    fn version(&self) -> Arc<str> {
        "none".into()
    }
}
