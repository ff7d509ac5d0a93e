//! The client's half: the server must be the workload that is called.

use std::sync::Arc;

use agentauth_core::identity::svid::{BundleSource, IdentitySource, X509Svid, verify_x509_svid};
use agentauth_core::{Clock, SystemClock};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::credential::OwnIdentity;
use super::{PROTOCOL, Servers, TlsConfigError, TlsRefusal, chain, provider};

/// Settings of a TLS client that is an agent, and whose servers are workloads.
#[derive(Debug)]
#[must_use = "call config() to get the configuration"]
pub struct ClientTls {
    identity: Arc<dyn IdentitySource>,
    bundles: Arc<dyn BundleSource>,
    servers: Servers,
    clock: Arc<dyn Clock>,
}

impl ClientTls {
    /// A client that shows `identity`, and goes on only with `servers` whose SVID is good under `bundles`. The DNS name
    /// or address by which a server is reached is not compared with its certificate.
    pub fn new(
        identity: impl IdentitySource + 'static,
        bundles: impl BundleSource + 'static,
        servers: Servers,
    ) -> Self {
        Self { identity: Arc::new(identity), bundles: Arc::new(bundles), servers, clock: Arc::new(SystemClock) }
    }

    /// What time it is: by the system's clock unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// [`TlsConfigError::Unusable`], where TLS has neither version that is needed; it has both.
    pub fn config(self) -> Result<ClientConfig, TlsConfigError> {
        Ok(self.parts()?.0)
    }

    /// The configuration, and the verifier in it.
    pub(crate) fn parts(self) -> Result<(ClientConfig, Arc<ServerVerifier>), TlsConfigError> {
        let own = Arc::new(OwnIdentity::new(self.identity, provider(), self.clock.clone()));
        parts(Some(own), self.bundles, self.servers, self.clock)
    }
}

/// A client that shows nothing and asks for what anyone may know, and goes on only with `servers` whose SVID is good
/// under `bundles`.
#[cfg(feature = "federation")]
pub(crate) fn anonymous(
    bundles: Arc<dyn BundleSource>,
    servers: Servers,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, TlsConfigError> {
    Ok(parts(None, bundles, servers, clock)?.0)
}

fn parts(
    own: Option<Arc<OwnIdentity>>,
    bundles: Arc<dyn BundleSource>,
    servers: Servers,
    clock: Arc<dyn Clock>,
) -> Result<(ClientConfig, Arc<ServerVerifier>), TlsConfigError> {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Arc::new(ServerVerifier { own: own.clone(), bundles, servers, clock, algorithms });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone());
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(own),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok((config, verifier))
}

/// Verifies servers as SPIFFE workloads that are expected.
#[derive(Debug)]
pub(crate) struct ServerVerifier {
    /// `None`: this side needs none.
    own: Option<Arc<OwnIdentity>>,
    bundles: Arc<dyn BundleSource>,
    servers: Servers,
    clock: Arc<dyn Clock>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    /// Who the server is, if it may be called.
    pub(crate) fn verify(&self, leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<X509Svid, Error> {
        // A server that asks for no certificate is not told that there is none: nothing goes on without an identity.
        if let Some(Err(unavailable)) = self.own.as_ref().map(|own| own.current()) {
            let refusal = TlsRefusal::from(unavailable);
            tracing::debug!(code = refusal.code(), error = %refusal, "a TLS handshake fails on this side");
            return Err(refusal.of_this_side());
        }
        self.identify(&chain(leaf, others)).map_err(|refusal| {
            tracing::debug!(code = refusal.code(), error = %refusal, "a server's certificate was refused");
            refusal.of_certificate()
        })
    }

    /// Who this side is, and whom it believes, as both are now.
    #[cfg(feature = "client")]
    pub(crate) fn snapshot(&self) -> crate::Snapshot {
        let none = Err(agentauth_core::identity::svid::IdentityUnavailable::NotYet);
        crate::Snapshot::new(self.own.as_ref().map_or(none, |own| own.current()), self.bundles.bundles())
    }

    fn identify(&self, chain: &[CertificateDer<'_>]) -> Result<X509Svid, TlsRefusal> {
        let svid = verify_x509_svid(chain, &self.bundles.bundles(), self.clock.now())?;
        if self.servers.expect(svid.id()) { Ok(svid) } else { Err(TlsRefusal::ServerNotExpected(svid.id().clone())) }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(leaf, others).map(|_| ServerCertVerified::assertion())
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
