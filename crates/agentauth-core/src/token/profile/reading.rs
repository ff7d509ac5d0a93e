use std::fmt;

use super::super::{Mode, TokenError};
use super::Actor;
use crate::identity::{AgentId, PrincipalId};
use crate::scope::ScopeSet;

/// What a profile reads from a token: who acts, for whom, in what capacity, with what authority.
#[derive(Clone)]
pub struct Reading {
    pub(crate) principal: PrincipalId,
    pub(crate) actor: AgentId,
    pub(crate) mode: Mode,
    /// The agent is the token's client, not one that `act` names.
    pub(crate) actor_is_client: bool,
    pub(crate) earlier: Vec<AgentId>,
    pub(crate) may_act: Option<AgentId>,
    pub(crate) scopes: ScopeSet,
    pub(crate) token_id: Option<Box<str>>,
    pub(crate) txn: Option<Box<str>>,
}

impl Reading {
    /// The client `agent` acts for itself.
    #[must_use]
    #[inline]
    pub fn autonomous(principal: PrincipalId, agent: AgentId) -> Self {
        Self::by_client(principal, agent, Mode::Autonomous)
    }

    /// A token of `principal` in the hands of the client `agent`, without a word about delegation.
    #[must_use]
    #[inline]
    pub fn client_only(principal: PrincipalId, agent: AgentId) -> Self {
        Self::by_client(principal, agent, Mode::ClientOnly)
    }

    /// The client `agent` acts for `principal`, in a way that the issuer has for this.
    #[must_use]
    #[inline]
    pub fn delegated(principal: PrincipalId, agent: AgentId) -> Self {
        Self::by_client(principal, agent, Mode::OnBehalfOf)
    }

    /// The client `agent` acts through the account that the issuer keeps for it: [`PrincipalId::agent_account`].
    #[must_use]
    #[inline]
    pub fn agent_account(principal: PrincipalId, agent: AgentId) -> Self {
        Self::by_client(principal, agent, Mode::AgentAccount)
    }

    /// The first of `actors` acts for `principal`; the others came before it (RFC 8693 §4.1).
    ///
    /// # Errors
    /// As [`Actor::id`]; [`TokenError::ClaimMissing`] for `act` if there is no actor.
    #[inline]
    pub fn on_behalf_of<'c>(
        principal: PrincipalId,
        actors: impl IntoIterator<Item = Actor<'c>>,
    ) -> Result<Self, TokenError> {
        let mut actors = actors.into_iter().map(|actor| actor.id());
        let actor = actors.next().ok_or(TokenError::ClaimMissing("act"))??;
        Ok(Self::by_actor(principal, actor, actors.collect::<Result<_, _>>()?))
    }

    /// The agent `actor`, which `act` names, acts for `principal`; `earlier` came before it, the latest first. For
    /// profiles that know an actor by another name than [`Actor::id`] makes of it.
    #[must_use]
    pub fn by_actor(principal: PrincipalId, actor: AgentId, earlier: Vec<AgentId>) -> Self {
        Self { actor_is_client: false, earlier, ..Self::by_client(principal, actor, Mode::OnBehalfOf) }
    }

    /// On whose behalf.
    #[must_use]
    pub const fn principal(&self) -> &PrincipalId {
        &self.principal
    }

    /// Who acts.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.actor
    }

    /// In what capacity.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The scopes.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// In another capacity than on the principal's behalf.
    #[must_use]
    #[inline]
    pub const fn in_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// With these scopes; without, there are none.
    #[must_use]
    #[inline]
    pub fn with_scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self
    }

    /// With the token's own identifier; without, a digest of the token stands in its place.
    #[must_use]
    #[inline]
    pub fn with_token_id<'c>(mut self, id: impl Into<Option<&'c str>>) -> Self {
        self.token_id = id.into().map(Into::into);
        self
    }

    /// Of this transaction (`txn`, RFC 8417 §2.2).
    #[must_use]
    #[inline]
    pub fn with_txn<'c>(mut self, txn: impl Into<Option<&'c str>>) -> Self {
        self.txn = txn.into().map(Into::into);
        self
    }

    /// Who may become the next actor: for token services only (RFC 8693 §4.4).
    #[must_use]
    #[inline]
    pub fn with_may_act(mut self, agent: Option<AgentId>) -> Self {
        self.may_act = agent;
        self
    }

    /// The actor that `act` names, if it names one.
    pub(crate) fn current_actor(&self) -> Option<&AgentId> {
        Some(&self.actor).filter(|_| !self.actor_is_client)
    }

    /// The chain of `act`, the current actor first.
    pub(crate) fn actors(&self) -> impl Iterator<Item = &AgentId> {
        self.current_actor().into_iter().chain(&self.earlier)
    }

    #[inline]
    fn by_client(principal: PrincipalId, agent: AgentId, mode: Mode) -> Self {
        Self {
            principal,
            actor: agent,
            mode,
            actor_is_client: true,
            earlier: Vec::new(),
            may_act: None,
            scopes: ScopeSet::none(),
            token_id: None,
            txn: None,
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("principal", &self.principal)
            .field("actor", &self.actor)
            .field("mode", &self.mode)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
