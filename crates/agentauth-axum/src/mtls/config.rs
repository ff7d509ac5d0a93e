use std::fmt;
use std::sync::Arc;

use agentauth_core::{AgentTrust, Clock, SystemClock, Timestamp};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

/// The certificate chain and private key a server shows.
pub struct ServerIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Why a server cannot do TLS with these settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// The chain is not a sequence of PEM certificates.
    #[error("the certificate chain is not a sequence of PEM certificates")]
    Chain,
    /// The key is not a PEM private key.
    #[error("the private key is not a PEM private key (PKCS#8, PKCS#1 or SEC1)")]
    Key,
    /// The chain and the key do not go together, or cannot be used.
    #[error("the certificate and the private key cannot be used: {0}")]
    Unusable(#[from] Error),
}

impl ServerIdentity {
    /// A chain, leaf first, and its private key.
    #[must_use]
    pub const fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }

    /// Reads chain and key from PEM.
    ///
    /// # Errors
    /// [`TlsConfigError::Chain`], [`TlsConfigError::Key`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|_| TlsConfigError::Chain)?;
        if chain.is_empty() {
            return Err(TlsConfigError::Chain);
        }
        Ok(Self { chain, key: PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsConfigError::Key)? })
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// Whether a client must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientCertificate {
    Required,
    Optional,
}

pub(super) fn server_config(
    identity: ServerIdentity,
    trust: AgentTrust,
    client: ClientCertificate,
) -> Result<ServerConfig, TlsConfigError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(SvidVerifier { trust, client, algorithms: provider.signature_verification_algorithms });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain, identity.key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Verifies clients as SPIFFE agents, by the rules of [`AgentTrust::verify`].
#[derive(Debug)]
struct SvidVerifier {
    trust: AgentTrust,
    client: ClientCertificate,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for SvidVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.client == ClientCertificate::Required
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain: Vec<CertificateDer<'_>> = std::iter::once(leaf).chain(intermediates).cloned().collect();
        match self.trust.verify(&chain, Timestamp::from_secs(now.as_secs())) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => {
                tracing::debug!(code = error.code(), %error, "a client certificate was refused");
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
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

/// The clock that certificates are checked by.
pub(super) fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
