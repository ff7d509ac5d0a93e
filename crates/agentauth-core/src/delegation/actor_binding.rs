//! Who may present a token that names an agent: a lawyer with someone else's bar card is refused.

use super::DelegationError;
use crate::binding::Binding;
use crate::identity::{AgentId, Peer, SpiffeId};

/// How the agent that a token names (its actor) and the agent that the connection proves (the peer) are joined.
///
/// The peer is the agent at the other end of mutual TLS, or the one that a trusted proxy says it has seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ActorBinding {
    /// A connection that proves an agent must be the actor's; one that proves none adds nothing to the token.
    #[default]
    PeerIfProven,
    /// The connection must prove an agent, and it must be the actor.
    Peer,
    /// As [`ActorBinding::Peer`], but one of these may present the tokens of other agents: gateways, which have verified
    /// them and are trusted to have done so.
    PeerOrGateway(Vec<SpiffeId>),
    /// The connection is not compared. The token itself must be bound to its holder's key, by DPoP or by a certificate.
    TokenBound,
}

impl ActorBinding {
    /// As [`ActorBinding::PeerOrGateway`], with these gateways.
    #[must_use]
    pub fn peer_or_gateways(gateways: impl IntoIterator<Item = SpiffeId>) -> Self {
        Self::PeerOrGateway(gateways.into_iter().collect())
    }

    pub(super) fn check(&self, actor: &AgentId, binding: Binding, peer: Option<&Peer>) -> Result<(), DelegationError> {
        let gateways: &[SpiffeId] = match self {
            Self::TokenBound if binding == Binding::Bearer => {
                return Err(DelegationError::ActorNotBound(actor.clone()));
            }
            Self::TokenBound => return Ok(()),
            Self::PeerIfProven | Self::Peer => &[],
            Self::PeerOrGateway(gateways) => gateways,
        };
        match peer {
            None if *self == Self::PeerIfProven => Ok(()),
            None => Err(DelegationError::PeerMissing(actor.clone())),
            Some(peer) if is_same(actor, binding, peer) || gateways.contains(peer.id()) => Ok(()),
            Some(peer) => Err(DelegationError::ActorIsNotPeer { actor: actor.clone(), peer: peer.id().clone() }),
        }
    }
}

/// A name that only means something at the issuer cannot be compared; there the token's binding to the connection's
/// certificate must join the two.
fn is_same(actor: &AgentId, binding: Binding, peer: &Peer) -> bool {
    match actor {
        AgentId::Spiffe(id) => id == peer.id(),
        // A name that reads like another workload's is not joined to this one by anything.
        AgentId::Named { name, .. } => binding == Binding::MutualTls && name.parse::<SpiffeId>().is_err(),
    }
}
