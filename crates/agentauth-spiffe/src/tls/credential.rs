//! What this side shows, and signs with.

use std::fmt;
use std::sync::Arc;

use agentauth_core::Clock;
use agentauth_core::identity::svid::{IdentitySource, IdentityUnavailable, SvidError, X509Identity};
use arc_swap::ArcSwapOption;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{TlsConfigError, TlsRefusal};

/// A certificate chain and a private key that a server shows as long as it runs. It may be an SVID, or a certificate of
/// the Web PKI for clients that are no workloads.
pub struct ServerIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
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

/// What a server shows: a [`ServerIdentity`] that stays as it is, or any [`IdentitySource`], asked in each handshake.
#[derive(Debug)]
pub struct ServerCredential(Kind);

#[derive(Debug)]
enum Kind {
    Fixed(ServerIdentity),
    Live(Arc<dyn IdentitySource>),
}

impl From<ServerIdentity> for ServerCredential {
    fn from(identity: ServerIdentity) -> Self {
        Self(Kind::Fixed(identity))
    }
}

impl<S: IdentitySource + 'static> From<S> for ServerCredential {
    fn from(source: S) -> Self {
        Self(Kind::Live(Arc::new(source)))
    }
}

impl ServerCredential {
    pub(super) fn resolver(
        self,
        provider: &Arc<CryptoProvider>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<dyn ResolvesServerCert>, TlsConfigError> {
        Ok(match self.0 {
            Kind::Fixed(ServerIdentity { chain, key }) => {
                Arc::new(SingleCertAndKey::from(CertifiedKey::from_der(chain, key, provider)?))
            }
            Kind::Live(source) => Arc::new(OwnIdentity::new(source, provider.clone(), clock.clone())),
        })
    }
}

/// The identity of this side, as it is in each handshake, ready to sign.
pub(super) struct OwnIdentity {
    source: Arc<dyn IdentitySource>,
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn Clock>,
    /// What was shown last, so that a key is parsed once.
    last: ArcSwapOption<Loaded>,
}

struct Loaded {
    identity: Arc<X509Identity>,
    key: Arc<CertifiedKey>,
}

impl OwnIdentity {
    pub(super) fn new(source: Arc<dyn IdentitySource>, provider: Arc<CryptoProvider>, clock: Arc<dyn Clock>) -> Self {
        Self { source, provider, clock, last: ArcSwapOption::empty() }
    }

    /// The identity, if there is one that may be shown now: sources of a fixed one do not look at the time.
    pub(super) fn current(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
        let identity = self.source.identity()?;
        match identity.check_validity(self.clock.now()) {
            Ok(()) => Ok(identity),
            Err(SvidError::NotYetValid) => Err(IdentityUnavailable::NotYet),
            Err(_) => Err(IdentityUnavailable::Expired),
        }
    }

    fn signing(&self) -> Result<Arc<CertifiedKey>, TlsRefusal> {
        let identity = self.current()?;
        if let Some(last) = &*self.last.load()
            && Arc::ptr_eq(&last.identity, &identity)
        {
            return Ok(last.key.clone());
        }
        let key = self.provider.key_provider.load_private_key(identity.private_key().clone_key());
        let key = key.map_err(|_| TlsRefusal::KeyUnsuitable)?;
        let key = Arc::new(CertifiedKey::new(identity.chain().to_vec(), key));
        self.last.store(Some(Arc::new(Loaded { identity, key: key.clone() })));
        Ok(key)
    }

    /// What to sign the handshake with. Without an identity, it is a key that cannot: the handshake then fails for the
    /// true reason, where no key at all would let a client go on without a certificate.
    fn key_for(&self, schemes: &[SignatureScheme]) -> Arc<CertifiedKey> {
        let suitable = self.signing().and_then(|key| match key.key.choose_scheme(schemes) {
            Some(_) => Ok(key),
            None => Err(TlsRefusal::KeyUnsuitable),
        });
        suitable.unwrap_or_else(|refusal| {
            tracing::debug!(code = refusal.code(), error = %refusal, "a TLS handshake fails on this side");
            Arc::new(CertifiedKey::new(Vec::new(), Arc::new(NoKey(refusal))))
        })
    }
}

impl ResolvesServerCert for OwnIdentity {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key_for(hello.signature_schemes()))
    }
}

impl ResolvesClientCert for OwnIdentity {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.key_for(schemes))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for OwnIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnIdentity").field(&self.source).finish()
    }
}

/// The key of a side that has none: signing fails, and says why.
#[derive(Debug, Clone)]
struct NoKey(TlsRefusal);

impl SigningKey for NoKey {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for NoKey {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Err(self.0.clone().of_this_side())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

#[cfg(test)]
mod tests {
    use agentauth_core::SystemClock;
    use rcgen::{CertificateParams, IsCa, KeyPair, SanType};
    use rustls_pki_types::PrivatePkcs8KeyDer;

    use super::*;
    use crate::tls::provider;

    #[test]
    fn a_key_is_parsed_once_for_each_identity() {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        params.subject_alt_names = vec![SanType::URI("spiffe://court.example/x".try_into().unwrap())];
        params.is_ca = IsCa::ExplicitNoCa;
        let leaf = params.self_signed(&key).unwrap().der().clone();
        let identity = X509Identity::new(vec![leaf], PrivatePkcs8KeyDer::from(key.serialize_der()).into());
        let own = OwnIdentity::new(Arc::new(Arc::new(identity.unwrap())), provider(), Arc::new(SystemClock));
        assert!(Arc::ptr_eq(&own.signing().unwrap(), &own.signing().unwrap()));
    }
}
