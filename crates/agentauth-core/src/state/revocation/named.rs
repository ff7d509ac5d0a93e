use std::fmt;

use super::RevocationKind;
use super::key::RevocationKey;
use crate::identity::{AgentId, IssuerId, PrincipalId};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// What is revoked, for how long that must be remembered, by whom and why.
///
/// A revocation of a token or a grant has an end: the moment at which the last token that it could concern has expired
/// everywhere. Servers that take a token for up to 60 s after its `exp` must be counted in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    target: RevocationTarget,
    until: Option<Timestamp>,
    issued_before: Option<Timestamp>,
    by: Option<Excerpt>,
    reason: Option<Excerpt>,
}

/// What is revoked.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevocationTarget {
    /// One token.
    Token {
        /// Who issued it.
        issuer: IssuerId,
        /// Its `jti`.
        id: Box<str>,
    },
    /// A grant, and every token that descends from it.
    Grant {
        /// Who keeps the grant.
        issuer: IssuerId,
        /// The `grant_id` of its tokens.
        id: Box<str>,
    },
    /// Tokens with which this agent acts, or has acted on the way.
    Agent(AgentId),
    /// Tokens that carry this principal's authority. Its kind does not count; without a tenant, it is that of every tenant.
    Principal(PrincipalId),
    /// All tokens of an issuer.
    Issuer(IssuerId),
}

impl RevocationTarget {
    /// What kind of thing it is.
    #[must_use]
    pub const fn kind(&self) -> RevocationKind {
        match self {
            Self::Token { .. } => RevocationKind::Token,
            Self::Grant { .. } => RevocationKind::Grant,
            Self::Agent(_) => RevocationKind::Agent,
            Self::Principal(_) => RevocationKind::Principal,
            Self::Issuer(_) => RevocationKind::Issuer,
        }
    }
}

impl fmt::Debug for RevocationTarget {
    /// Shows no identifier of a token or a grant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { issuer, .. } => f.debug_struct("Token").field("issuer", issuer).finish_non_exhaustive(),
            Self::Grant { issuer, .. } => f.debug_struct("Grant").field("issuer", issuer).finish_non_exhaustive(),
            Self::Agent(agent) => f.debug_tuple("Agent").field(agent).finish(),
            Self::Principal(principal) => f.debug_tuple("Principal").field(principal).finish(),
            Self::Issuer(issuer) => f.debug_tuple("Issuer").field(issuer).finish(),
        }
    }
}

impl Revocation {
    const fn of(target: RevocationTarget, until: Option<Timestamp>) -> Self {
        Self { target, until, issued_before: None, by: None, reason: None }
    }

    /// Revokes the token of `issuer` with this `jti`, which nobody takes from `until` on.
    #[must_use]
    pub fn token(issuer: IssuerId, id: &str, until: Timestamp) -> Self {
        Self::of(RevocationTarget::Token { issuer, id: id.into() }, Some(until))
    }

    /// Revokes the grant of `issuer` with this `grant_id`, with every token that descends from it: nobody takes the last
    /// of them from `until` on.
    #[must_use]
    pub fn grant(issuer: IssuerId, id: &str, until: Timestamp) -> Self {
        Self::of(RevocationTarget::Grant { issuer, id: id.into() }, Some(until))
    }

    /// Revokes an agent: what it does, and what others do with authority that has passed through it.
    #[must_use]
    pub fn agent(agent: impl Into<AgentId>) -> Self {
        Self::of(RevocationTarget::Agent(agent.into()), None)
    }

    /// Revokes whatever is done on behalf of `principal`.
    #[must_use]
    pub const fn principal(principal: PrincipalId) -> Self {
        Self::of(RevocationTarget::Principal(principal), None)
    }

    /// Revokes all tokens of `issuer`.
    #[must_use]
    pub const fn issuer(issuer: IssuerId) -> Self {
        Self::of(RevocationTarget::Issuer(issuer), None)
    }

    /// It counts up to, but not including, this moment, and is forgotten afterwards. An agent, a principal and an issuer
    /// are revoked for ever unless this is set.
    #[must_use]
    pub const fn until(mut self, end: Timestamp) -> Self {
        self.until = Some(end);
        self
    }

    /// It concerns tokens whose `iat` lies before `moment` or in the same second, and those that do not say when they were
    /// issued: a fresh grant counts afterwards.
    ///
    /// An issuer that learns of the revocation later may still have issued tokens in between, so `moment` must lie as far
    /// ahead as that can take: its clock's difference, and the bound of the store that it shares.
    #[must_use]
    pub const fn of_tokens_issued_before(mut self, moment: Timestamp) -> Self {
        self.issued_before = Some(moment);
        self
    }

    /// Who revokes, for the record: 80 printable characters are kept.
    #[must_use]
    pub fn by(mut self, who: &str) -> Self {
        self.by = Some(Excerpt::of(who));
        self
    }

    /// Why, for the record: 80 printable characters are kept.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = Some(Excerpt::of(reason));
        self
    }

    /// What is revoked.
    #[must_use]
    pub const fn target(&self) -> &RevocationTarget {
        &self.target
    }

    /// The first moment at which it does not count any more; `None` if it always will.
    #[must_use]
    pub const fn end(&self) -> Option<Timestamp> {
        self.until
    }

    /// If it concerns only tokens that were issued up to a moment, in whole seconds: that moment.
    #[must_use]
    pub const fn issued_before(&self) -> Option<Timestamp> {
        self.issued_before
    }

    pub(crate) fn author(&self) -> Option<&Excerpt> {
        self.by.as_ref()
    }

    pub(crate) fn reason(&self) -> Option<&Excerpt> {
        self.reason.as_ref()
    }

    /// What it is filed under.
    #[must_use]
    pub fn key(&self) -> RevocationKey {
        match &self.target {
            RevocationTarget::Token { issuer, id } => RevocationKey::token(issuer, id),
            RevocationTarget::Grant { issuer, id } => RevocationKey::grant(issuer, id),
            RevocationTarget::Agent(agent) => RevocationKey::agent(agent),
            RevocationTarget::Principal(principal) => {
                RevocationKey::principal(principal.issuer(), principal.tenant(), principal.subject())
            }
            RevocationTarget::Issuer(issuer) => RevocationKey::issuer(issuer),
        }
    }
}
