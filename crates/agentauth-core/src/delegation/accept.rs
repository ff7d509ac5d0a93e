//! From a verified token and a verified peer to a delegation.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;

use super::{ActorBinding, Delegation, DelegationError};
use crate::binding::Binding;
use crate::identity::svid::{BundleSource, SvidError, X509Svid, verify_x509_svid};
use crate::identity::{AgentId, Peer, TrustDomain};
use crate::time::Timestamp;
use crate::token::VerifiedToken;

/// Who may say "this is the lawyer": the roots under which agents prove their identity.
#[derive(Debug, Clone)]
pub struct AgentTrust {
    bundles: Arc<dyn BundleSource>,
    vouched: Vec<TrustDomain>,
}

impl AgentTrust {
    /// Agents are SPIFFE workloads of the trust domains in `bundles`: [`TrustBundles`](crate::identity::svid::TrustBundles),
    /// or a source that follows what the platform publishes.
    #[must_use]
    pub fn spiffe(bundles: impl BundleSource + 'static) -> Self {
        Self { bundles: Arc::new(bundles), vouched: Vec::new() }
    }

    /// And a trusted proxy may name the workloads of `domain`, for which there may be no roots here: a service mesh has
    /// verified them. Without this, what a proxy says counts only for trust domains whose bundle is known here.
    #[must_use]
    pub fn vouched_for_by_proxy(mut self, domain: TrustDomain) -> Self {
        self.vouched.push(domain);
        self
    }

    /// Verifies the certificate chain of a TLS peer, leaf first.
    ///
    /// # Errors
    /// As [`verify_x509_svid`].
    pub fn verify(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<X509Svid, SvidError> {
        verify_x509_svid(chain, &self.bundles.bundles(), now)
    }

    /// The bundles as they are now.
    #[must_use]
    pub fn bundles(&self) -> &dyn BundleSource {
        &*self.bundles
    }

    /// Checks again what may have changed since the connection was made: a connection can outlive its certificate, its
    /// root, or its trust domain's place in the configuration.
    ///
    /// # Errors
    /// As [`X509Svid::recheck`]; [`SvidError::UnknownTrustDomain`] for a domain that no proxy may vouch for.
    pub fn recheck(&self, peer: &Peer, now: Timestamp) -> Result<(), SvidError> {
        match peer.svid() {
            Some(svid) => svid.recheck(&self.bundles.bundles(), now),
            None if self.knows(peer.id().trust_domain_name()) => Ok(()),
            None => Err(SvidError::UnknownTrustDomain(peer.id().trust_domain())),
        }
    }

    fn knows(&self, domain: &str) -> bool {
        self.vouched.iter().any(|vouched| vouched.as_str() == domain) || self.bundles.bundles().trusts(domain)
    }

    fn names(&self, agent: &AgentId) -> bool {
        agent.spiffe_id().is_none_or(|id| self.knows(id.trust_domain_name()))
    }
}

impl Delegation {
    /// Reads `token` as a delegation presented by `peer`.
    pub(crate) fn accept(
        token: Arc<VerifiedToken>,
        binding: Binding,
        peer: Option<&Peer>,
        trust: Option<&AgentTrust>,
        actor_binding: &ActorBinding,
    ) -> Result<Self, DelegationError> {
        let demoted = demote(&token, peer);
        let actor = demoted.as_ref().unwrap_or(&token.reading.actor);
        let is_proven = peer.is_some_and(|peer| actor.spiffe_id() == Some(peer.id()));
        let is_nameable = token.naming.allows(actor, token.namer()) || is_proven;
        if !is_nameable || trust.is_some_and(|trust| !trust.names(actor)) {
            return Err(DelegationError::AgentUntrusted(actor.clone()));
        }
        // Whoever has passed a token on must be an agent that is believed here itself.
        let links = token.narrowing.as_ref().map_or(0, |narrowing| narrowing.links);
        let stranger = |agent: &&AgentId| trust.is_some_and(|trust| !trust.names(agent));
        if let Some(agent) = token.reading.earlier.iter().take(links).find(stranger) {
            return Err(DelegationError::AgentUntrusted(agent.clone()));
        }
        actor_binding.check(actor, binding, peer)?;
        Ok(Self { token, demoted, narrowed: None, binding })
    }
}

/// A client that is called like a SPIFFE ID is that workload where the issuer's word or the connection says so, and a
/// mere name where neither does: this one.
fn demote(token: &VerifiedToken, peer: Option<&Peer>) -> Option<AgentId> {
    match &token.reading.actor {
        AgentId::Spiffe(id)
            if token.reading.actor_is_client
                && !token.naming.allows(&token.reading.actor, token.namer())
                && peer.is_none_or(|peer| peer.id() != id) =>
        {
            Some(AgentId::Named { issuer: token.namer().clone(), name: id.as_str().into() })
        }
        _ => None,
    }
}
