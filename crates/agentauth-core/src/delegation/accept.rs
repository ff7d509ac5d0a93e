//! From a verified token and a verified peer to a delegation.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;

use super::{Delegation, DelegationError};
use crate::binding::Binding;
use crate::identity::svid::{SvidError, TrustBundles, X509Svid, verify_x509_svid};
use crate::identity::{AgentId, SpiffeId};
use crate::time::Timestamp;
use crate::token::VerifiedToken;

/// Who may say "this is the lawyer": the roots under which agents prove their identity.
#[derive(Debug, Clone)]
pub struct AgentTrust {
    bundles: TrustBundles,
}

impl AgentTrust {
    /// Agents are SPIFFE workloads of the trust domains in `bundles`.
    #[must_use]
    pub const fn spiffe(bundles: TrustBundles) -> Self {
        Self { bundles }
    }

    /// Verifies the certificate chain of a TLS peer, leaf first.
    ///
    /// # Errors
    /// As [`verify_x509_svid`].
    pub fn verify(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<X509Svid, SvidError> {
        verify_x509_svid(chain, &self.bundles, now)
    }

    /// Checks again what may have changed since the connection was made: a connection can outlive its certificate.
    pub(crate) fn recheck(&self, peer: &X509Svid, now: Timestamp) -> Result<(), SvidError> {
        if now.secs() > peer.not_after().secs() {
            return Err(SvidError::Expired);
        }
        if now.secs() < peer.not_before().secs() {
            return Err(SvidError::NotYetValid);
        }
        if !self.bundles.trusts(peer.id().trust_domain_name()) {
            return Err(SvidError::UnknownTrustDomain(peer.id().trust_domain()));
        }
        Ok(())
    }

    fn names(&self, agent: &AgentId) -> bool {
        agent.spiffe_id().is_none_or(|id| self.bundles.trusts(id.trust_domain_name()))
    }
}

impl Delegation {
    /// Reads `token` as a delegation presented by `peer`.
    pub(crate) fn accept(
        token: Arc<VerifiedToken>,
        binding: Binding,
        peer: Option<&X509Svid>,
        trust: Option<&AgentTrust>,
    ) -> Result<Self, DelegationError> {
        let demoted = demote(&token, peer);
        let actor = demoted.as_ref().unwrap_or(&token.reading.actor);
        let is_proven = peer.is_some_and(|peer| actor.spiffe_id() == Some(peer.id()));
        let is_nameable = token.naming.allows(actor, &token.issuer) || is_proven;
        if !is_nameable || trust.is_some_and(|trust| !trust.names(actor)) {
            return Err(DelegationError::AgentUntrusted(actor.clone()));
        }
        check_peer(actor, binding, peer)?;
        Ok(Self { token, demoted, binding })
    }
}

/// A client that is called like a SPIFFE ID is that workload where the issuer's word or the connection says so, and a
/// mere name where neither does: this one.
fn demote(token: &VerifiedToken, peer: Option<&X509Svid>) -> Option<AgentId> {
    match &token.reading.actor {
        AgentId::Spiffe(id)
            if token.reading.actor_is_client
                && !token.naming.allows(&token.reading.actor, &token.issuer)
                && peer.is_none_or(|peer| peer.id() != id) =>
        {
            Some(AgentId::Named { issuer: token.issuer.clone(), name: id.as_str().into() })
        }
        _ => None,
    }
}

/// The agent that the token names and the agent at the other end of the connection must be the same one. A name
/// that only means something at the issuer cannot be compared; there the token's binding must join the two.
fn check_peer(actor: &AgentId, binding: Binding, peer: Option<&X509Svid>) -> Result<(), DelegationError> {
    let Some(peer) = peer else { return Ok(()) };
    let same = match actor {
        AgentId::Spiffe(id) => id == peer.id(),
        // A name that reads like another workload's is not joined to this one by anything.
        AgentId::Named { name, .. } => binding == Binding::MutualTls && name.parse::<SpiffeId>().is_err(),
    };
    if same { Ok(()) } else { Err(DelegationError::ActorIsNotPeer { actor: actor.clone(), peer: peer.id().clone() }) }
}
