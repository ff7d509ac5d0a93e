//! The server's half: agents are let in by [`AgentTrust`].

use std::sync::{Arc, OnceLock};

use agentauth_core::identity::svid::{SvidError, X509Svid, named_spiffe_id};
use agentauth_core::{AgentTrust, Clock, Peer, SpiffeId, SystemClock};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{PROTOCOL, ServerCredential, TlsConfigError, TlsRefusal, chain, provider};

/// Settings of a TLS server whose clients are agents.
#[derive(Debug)]
#[must_use = "call config() to get the configuration"]
pub struct ServerTls {
    credential: ServerCredential,
    trust: AgentTrust,
    clients_are_optional: bool,
    clock: Arc<dyn Clock>,
}

impl ServerTls {
    /// A server that shows `credential`; every client must show an SVID that `trust` verifies.
    pub fn new(credential: impl Into<ServerCredential>, trust: AgentTrust) -> Self {
        Self { credential: credential.into(), trust, clients_are_optional: false, clock: Arc::new(SystemClock) }
    }

    /// Lets in clients without a certificate too. One that is shown must still be good.
    pub const fn optional_clients(mut self) -> Self {
        self.clients_are_optional = true;
        self
    }

    /// What time it is: by the system's clock unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// A configuration for all connections of a server.
    ///
    /// # Errors
    /// [`TlsConfigError::Unusable`] if a fixed credential cannot be used.
    pub fn config(self) -> Result<ServerConfig, TlsConfigError> {
        Ok(self.handshakes()?.config(None)?)
    }

    /// A configuration for each connection, which tells whom it has verified: for servers that want to know who the peer
    /// is without verifying its chain once more.
    ///
    /// # Errors
    /// [`TlsConfigError::Unusable`] if a fixed credential cannot be used.
    pub fn handshakes(self) -> Result<ServerHandshakes, TlsConfigError> {
        let provider = provider();
        Ok(ServerHandshakes {
            resolver: self.credential.resolver(&provider, &self.clock)?,
            provider,
            trust: self.trust,
            clients_are_optional: self.clients_are_optional,
            clock: self.clock,
        })
    }
}

/// The handshakes of a server, one by one: [`ServerTls::handshakes`].
#[derive(Debug, Clone)]
pub struct ServerHandshakes {
    provider: Arc<CryptoProvider>,
    resolver: Arc<dyn ResolvesServerCert>,
    trust: AgentTrust,
    clients_are_optional: bool,
    clock: Arc<dyn Clock>,
}

impl ServerHandshakes {
    /// The configuration for one connection, and where to ask whom it has verified. It is good for one connection: in a
    /// second one it refuses what the client shows.
    ///
    /// # Errors
    /// [`TlsConfigError::Unusable`], where TLS has neither version that is needed; it has both.
    pub fn begin(&self) -> Result<(Arc<ServerConfig>, VerifiedPeer), TlsConfigError> {
        let peer = VerifiedPeer::default();
        Ok((Arc::new(self.config(Some(peer.clone()))?), peer))
    }

    /// Checks again what may have changed since a connection verified its peer: see [`AgentTrust::recheck`].
    ///
    /// # Errors
    /// As there.
    pub fn recheck(&self, peer: &Arc<X509Svid>) -> Result<(), SvidError> {
        self.trust.recheck(&Peer::Tls(Arc::clone(peer)), self.clock.now())
    }

    fn config(&self, verified: Option<VerifiedPeer>) -> Result<ServerConfig, Error> {
        let verifier = Arc::new(AgentVerifier {
            trust: self.trust.clone(),
            is_mandatory: !self.clients_are_optional,
            clock: self.clock.clone(),
            algorithms: self.provider.signature_verification_algorithms,
            verified,
        });
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.resolver.clone());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(config)
    }
}

/// The agent that one connection has verified.
#[derive(Debug, Clone, Default)]
pub struct VerifiedPeer(Arc<Shown>);

/// What a client has shown.
#[derive(Debug, Default)]
struct Shown {
    svid: OnceLock<Arc<X509Svid>>,
    refused: OnceLock<SpiffeId>,
}

impl VerifiedPeer {
    /// The agent, if the client has shown a certificate. Ask when the handshake is complete: before that, the client may
    /// have shown a copy of a certificate whose key it does not hold.
    #[must_use]
    pub fn svid(&self) -> Option<&Arc<X509Svid>> {
        self.0.svid.get()
    }

    /// Whom the certificate names that was refused, if that can be read: for a log. Nothing has proven it.
    #[must_use]
    pub fn refused(&self) -> Option<&SpiffeId> {
        self.0.refused.get()
    }
}

/// Verifies clients as SPIFFE agents, by the rules of [`AgentTrust::verify`].
#[derive(Debug)]
struct AgentVerifier {
    trust: AgentTrust,
    is_mandatory: bool,
    clock: Arc<dyn Clock>,
    algorithms: WebPkiSupportedAlgorithms,
    verified: Option<VerifiedPeer>,
}

impl ClientCertVerifier for AgentVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let svid = self.trust.verify(&chain(leaf, others), self.clock.now()).map_err(|error| {
            match (&self.verified, named_spiffe_id(leaf)) {
                // Whoever made the handshake is told, and says it.
                (Some(VerifiedPeer(shown)), Some(id)) => _ = shown.refused.set(id),
                (Some(_), None) => {}
                (None, _) => tracing::debug!(code = error.code(), %error, "a client's certificate was refused"),
            }
            TlsRefusal::from(error).of_certificate()
        })?;
        match &self.verified {
            Some(VerifiedPeer(shown)) if shown.svid.set(Arc::new(svid)).is_err() => {
                Err(Error::General("a configuration for one connection was used for two".into()))
            }
            _ => Ok(ClientCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
