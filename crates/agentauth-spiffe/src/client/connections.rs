//! Which connections may be used again.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use agentauth_core::identity::svid::{TrustBundles, X509Identity, X509Svid};
use agentauth_core::{Clock, Timestamp};
use agentauth_tower::client::{HttpsClient, HttpsClientBuilder};
use arc_swap::ArcSwapOption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{SvidClientBuilder, SvidClientError};
use crate::Snapshot;
use crate::tls::{ServerVerifier, TlsRefusal};

/// How many certificates of servers are watched: an agent has fewer neighbours. With one more, all connections are made
/// anew.
const MAX_MET: usize = 256;

/// The connections of a client: those of the present generation.
pub(super) struct Connections {
    https: HttpsClientBuilder,
    tls: ClientConfig,
    verifier: Arc<ServerVerifier>,
    clock: Arc<dyn Clock>,
    current: ArcSwapOption<Generation>,
}

/// Connections that were made under one identity and one snapshot of bundles, or newer ones: each handshake asks again.
struct Generation {
    identity: Arc<X509Identity>,
    bundles: TrustBundles,
    met: Arc<Met>,
    https: HttpsClient,
}

impl Connections {
    pub(super) fn new(settings: SvidClientBuilder) -> Result<Self, SvidClientError> {
        let SvidClientBuilder { tls, https, clock } = settings;
        let (tls, verifier) = tls.parts()?;
        let connections = Self { https, tls, verifier, clock, current: ArcSwapOption::empty() };
        // What cannot be built is found now, and not by the first request.
        connections.client(&Arc::default())?;
        Ok(connections)
    }

    /// A client whose connections are good now. Whoever holds it finishes what it has begun.
    pub(super) fn https(&self) -> Result<HttpsClient, SvidClientError> {
        let Snapshot { identity, bundles } = self.verifier.snapshot();
        let identity = identity.map_err(|unavailable| {
            // Those that idle are closed.
            self.current.store(None);
            TlsRefusal::from(unavailable)
        })?;
        let now = self.clock.now();
        let is_good = |generation: &Generation| {
            Arc::ptr_eq(&generation.identity, &identity)
                && generation.bundles.is_clone_of(&bundles)
                && generation.met.are_good(&bundles, now)
        };
        let current = self.current.load();
        if let Some(generation) = &*current
            && is_good(generation)
        {
            return Ok(generation.https.clone());
        }
        let met = Arc::default();
        let https = self.client(&met)?;
        let next = Generation { identity: Arc::clone(&identity), bundles: bundles.clone(), met, https: https.clone() };
        let found = self.current.compare_and_swap(&*current, Some(Arc::new(next)));
        // Of those who come at the same time, one opens the next generation, and all use it.
        match &*found {
            Some(other) if is_good(other) => Ok(other.https.clone()),
            _ => Ok(https),
        }
    }

    fn client(&self, met: &Arc<Met>) -> Result<HttpsClient, SvidClientError> {
        let mut tls = self.tls.clone();
        let noting = NotingVerifier { verifier: self.verifier.clone(), met: met.clone() };
        tls.dangerous().set_certificate_verifier(Arc::new(noting));
        self.https.clone().tls(tls).build().map_err(SvidClientError::Fetch)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// The servers at the other ends of a generation.
#[derive(Debug, Default)]
struct Met {
    svids: Mutex<Vec<X509Svid>>,
    /// The second at which all were good. Certificates end between seconds, and those that come later are good.
    good_at: AtomicU64,
}

impl Met {
    fn note(&self, svid: X509Svid) {
        let mut svids = self.svids.lock().unwrap_or_else(PoisonError::into_inner);
        if svids.len() <= MAX_MET && !svids.contains(&svid) {
            svids.push(svid);
        }
    }

    fn are_good(&self, bundles: &TrustBundles, now: Timestamp) -> bool {
        if self.good_at.load(Ordering::Relaxed) == now.secs() {
            return true;
        }
        let svids = self.svids.lock().unwrap_or_else(PoisonError::into_inner);
        let good = svids.len() <= MAX_MET && svids.iter().all(|svid| svid.recheck(bundles, now).is_ok());
        if good {
            self.good_at.store(now.secs(), Ordering::Relaxed);
        }
        good
    }
}

/// Notes whom it lets through.
#[derive(Debug)]
struct NotingVerifier {
    verifier: Arc<ServerVerifier>,
    met: Arc<Met>,
}

impl ServerCertVerifier for NotingVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.met.note(self.verifier.verify(leaf, others)?);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use agentauth_core::identity::svid::verify_x509_svid;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd};

    use super::*;

    #[test]
    fn more_servers_than_are_watched_end_a_generation() {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, &key);
        let bundles = TrustBundles::new().with_der("court.example".parse().unwrap(), &[root]).unwrap();
        let now = |secs: u64| Timestamp::from_secs(1_800_000_000 + secs);
        let server = || {
            let mut params = CertificateParams::default();
            params.subject_alt_names = vec![SanType::URI("spiffe://court.example/x".try_into().unwrap())];
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 1, 1));
            let leaf = params.signed_by(&key, &issuer).unwrap().der().clone();
            verify_x509_svid(&[leaf], &bundles, now(0)).unwrap()
        };
        let met = Met::default();
        let first = server();
        met.note(first.clone());
        for _ in 1..MAX_MET {
            met.note(server());
        }
        met.note(first);
        assert!(met.are_good(&bundles, now(1)));
        met.note(server());
        assert!(!met.are_good(&bundles, now(2)));
    }
}
