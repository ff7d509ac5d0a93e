//! Who may act for whom: what principals have consented to, where the issuer can look it up.

mod document;
mod file;
mod memory;
mod table;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
pub use document::GrantsFileError;
pub use file::{FileGrants, GRANTS_NOTICED_WITHIN, MAX_GRANTS_BYTES};
pub use memory::MemoryGrants;

use crate::identity::{AgentId, PrincipalId, ResourceId};
use crate::scope::Authority;
use crate::text::Excerpt;
use crate::time::Timestamp;

/// What the id of a registered grant begins with. The id of a consent is that of its token (`jti`), which never does.
const PREFIX: &str = "grant:";

/// Longer ids are refused: they stand in every token under the grant.
const MAX_ID_BYTES: usize = 128;

/// Where an issuer finds out who may act for whom. See [`IssuerBuilder::grants`](super::IssuerBuilder::grants).
///
/// It is asked at each exchange: what is withdrawn here counts from the next one on. Whoever asks over a network must
/// bound the wait.
#[async_trait]
pub trait DelegationGrants: Send + Sync + fmt::Debug {
    /// The grants by which `principal` lets `agent` act, in the order in which they are to be tried. None, if there is
    /// none. A principal is the whole of issuer, kind, tenant and subject, and so is an agent.
    ///
    /// # Errors
    /// [`GrantsUnavailable`]: nothing is then exchanged.
    async fn grants_for(
        &self,
        principal: &PrincipalId,
        agent: &AgentId,
    ) -> Result<Vec<Arc<DelegationGrant>>, GrantsUnavailable>;

    /// The grant with this id, which tokens under it carry.
    ///
    /// # Errors
    /// [`GrantsUnavailable`]: nothing is then exchanged.
    async fn grant(&self, id: &str) -> Result<Option<Arc<DelegationGrant>>, GrantsUnavailable>;
}

#[async_trait]
impl<G: DelegationGrants + ?Sized> DelegationGrants for Arc<G> {
    async fn grants_for(
        &self,
        principal: &PrincipalId,
        agent: &AgentId,
    ) -> Result<Vec<Arc<DelegationGrant>>, GrantsUnavailable> {
        (**self).grants_for(principal, agent).await
    }

    async fn grant(&self, id: &str) -> Result<Option<Arc<DelegationGrant>>, GrantsUnavailable> {
        (**self).grant(id).await
    }
}

/// Who may act for whom cannot be told at the moment, and why, for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GrantsUnavailable(pub Box<str>);

/// One principal's word that one agent may act for it, as it is registered at the issuer.
///
/// It is a ceiling: what is issued under it lies within its authority, at its audiences, and ends when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationGrant {
    id: Box<str>,
    principal: PrincipalId,
    agent: AgentId,
    authority: Authority,
    audiences: Option<Vec<ResourceId>>,
    expires: Option<Timestamp>,
    max_depth: usize,
}

/// Why a grant cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantsError {
    /// The id does not begin with `grant:`, which tells it from a consent's, or cannot be stored and shown.
    #[error(
        "`{0}` is no grant id: it begins with `grant:`, and 1 to 128 letters, digits, `.`, `_`, `:` and `-` follow"
    )]
    Id(Excerpt),
    /// Another grant has this id already.
    #[error("grant id `{0}` is taken: each grant has an id of its own, and one agent")]
    Duplicate(Excerpt),
    /// The grant grants nothing.
    #[error("grant `{0}` grants nothing: name scopes or authorization details")]
    Empty(Excerpt),
    /// 65536 grants are registered.
    #[error("65536 grants are registered, and no more can be")]
    TooMany,
}

impl GrantsError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Id(_) => "grant_id_malformed",
            Self::Duplicate(_) => "grant_id_taken",
            Self::Empty(_) => "grant_empty",
            Self::TooMany => "grants_too_many",
        }
    }
}

impl DelegationGrant {
    /// `principal` lets `agent` act within `authority`. The id begins with `grant:`. It has no end, is for all audiences, and may not be passed on,
    /// unless that is set.
    ///
    /// # Errors
    /// [`GrantsError::Id`], [`GrantsError::Empty`].
    pub fn new(
        id: &str,
        principal: PrincipalId,
        agent: impl Into<AgentId>,
        authority: Authority,
    ) -> Result<Self, GrantsError> {
        if !is_id(id) {
            return Err(GrantsError::Id(Excerpt::of(id)));
        }
        if authority.is_empty() {
            return Err(GrantsError::Empty(Excerpt::of(id)));
        }
        let agent = agent.into();
        Ok(Self { id: id.into(), principal, agent, authority, audiences: None, expires: None, max_depth: 1 })
    }

    /// Limits the grant to these servers. The issuer itself needs not be among them.
    #[must_use]
    pub fn at(mut self, audiences: impl IntoIterator<Item = ResourceId>) -> Self {
        self.audiences = Some(audiences.into_iter().collect());
        self
    }

    /// The first moment at which the grant counts no more. No token under it lasts longer.
    #[must_use]
    pub const fn until(mut self, end: Timestamp) -> Self {
        self.expires = Some(end);
        self
    }

    /// How many agents may act under it one after the other: 1 unless set, which is the agent alone. The issuer's own limit
    /// ([`IssuerBuilder::max_actors`](super::IssuerBuilder::max_actors)) counts as well.
    #[must_use]
    pub const fn max_depth(mut self, agents: usize) -> Self {
        self.max_depth = agents;
        self
    }

    /// What tokens under it carry as `grant_id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose authority it is.
    #[must_use]
    pub const fn principal(&self) -> &PrincipalId {
        &self.principal
    }

    /// The agent that may act.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The most that may be granted.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// When it ends.
    #[must_use]
    pub const fn end(&self) -> Option<Timestamp> {
        self.expires
    }

    /// How many agents may act under it one after the other.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.max_depth
    }

    /// Whether it counts at `now`.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now.secs() < end.secs())
    }

    /// Whether tokens for `audience` may be issued under it.
    #[must_use]
    pub fn allows_at(&self, audience: &ResourceId) -> bool {
        self.audiences.as_ref().is_none_or(|audiences| audiences.contains(audience))
    }
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    text.strip_prefix(PREFIX).is_some_and(|rest| (1..=MAX_ID_BYTES).contains(&rest.len()) && rest.bytes().all(allowed))
}

/// Whether a token with this `grant_id` is under a registered grant: one that no grant is registered for counts as
/// withdrawn.
pub(super) fn is_registered(grant_id: &str) -> bool {
    grant_id.starts_with(PREFIX)
}
