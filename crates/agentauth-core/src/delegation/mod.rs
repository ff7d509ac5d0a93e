//! For whom? Who acts for whom, with how much authority, and how that is passed on.

mod accept;
mod builder;
mod error;
mod exchange;
mod grant;
mod issuer;
mod wire;

use std::fmt;

use serde::Serialize;

pub use accept::AgentTrust;
pub use builder::IssuerBuilder;
pub use error::{DelegationError, ExchangeError, IssuerError};
pub use exchange::{ExchangeRequest, IssuedToken, SubjectToken};
pub use issuer::{Consent, Issuer};
pub use wire::{AnswerError, MAX_FORM_BYTES};
pub(crate) use wire::{Form, token_response};

use crate::binding::Binding;
use crate::identity::{AgentId, IssuerId, PrincipalId, ResourceId};
use crate::scope::Authority;
use crate::time::Timestamp;
use crate::token::Lifetime;

/// In what capacity an agent acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// For itself: there is no one behind it.
    Autonomous,
    /// For a principal who is someone else, as the issuer's `act` claim says (RFC 8693 §4.1).
    OnBehalfOf,
    /// A principal's token in the hands of a client that the issuer names, without a word about delegation. That
    /// an agent acts for the principal must not be inferred from this.
    ClientOnly,
}

/// A verified statement: this agent acts for this principal, with this authority, at this server.
///
/// Only the engine makes one, from a token that passed every check. The chain of earlier actors is kept for the
/// record alone: no public method shows it, and what policy is given does not contain it (RFC 8693 §4.1).
#[derive(Clone)]
pub struct Delegation {
    pub(crate) principal: PrincipalId,
    pub(crate) actor: AgentId,
    pub(crate) mode: Mode,
    pub(crate) authority: Authority,
    pub(crate) audience: ResourceId,
    pub(crate) binding: Binding,
    pub(crate) issuer: IssuerId,
    pub(crate) token_id: Box<str>,
    pub(crate) lifetime: Lifetime,
    pub(crate) history: History,
}

impl Delegation {
    /// On whose behalf. For an agent that acts for itself, that is the agent.
    #[must_use]
    pub const fn principal(&self) -> &PrincipalId {
        &self.principal
    }

    /// Who acts: the current actor.
    #[must_use]
    pub const fn actor(&self) -> &AgentId {
        &self.actor
    }

    /// In what capacity.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What was delegated.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The one server at which this delegation counts.
    #[must_use]
    pub const fn audience(&self) -> &ResourceId {
        &self.audience
    }

    /// How the presenter was tied to the delegation.
    #[must_use]
    pub const fn binding(&self) -> Binding {
        self.binding
    }

    /// Who said so.
    #[must_use]
    pub const fn issuer(&self) -> &IssuerId {
        &self.issuer
    }

    /// When the delegation ends (`exp`).
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.lifetime.expires
    }

    /// How many agents the principal's authority has passed through, the current one included; 0 if no one
    /// delegated.
    #[must_use]
    pub fn depth(&self) -> usize {
        if self.mode == Mode::OnBehalfOf { self.history.earlier.len().saturating_add(1) } else { 0 }
    }
}

impl fmt::Debug for Delegation {
    /// Shows what the accessors show: neither the history nor the token's id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delegation")
            .field("principal", &self.principal)
            .field("actor", &self.actor)
            .field("mode", &self.mode)
            .field("authority", &self.authority)
            .field("audience", &self.audience)
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

/// The actors before the current one, the most recent first: informational, never a ground for a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) earlier: Vec<AgentId>,
}
