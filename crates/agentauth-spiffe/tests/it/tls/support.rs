//! A certificate authority, a source that a test turns, and peers that show whatever they are given.

use std::io;
use std::sync::{Arc, Mutex};

use agentauth_core::identity::svid::{
    BundleSource, IdentitySource, IdentityUnavailable, TrustBundles, X509Identity, X509Svid,
};
use agentauth_core::{AgentTrust, ManualClock, SpiffeId, Timestamp};
use agentauth_spiffe::Snapshot;
use agentauth_spiffe::tls::{ClientTls, ServerTls, Servers, TlsRefusal};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName as TlsName, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The moment at which everything happens.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// The certificate authority of a trust domain.
pub(crate) struct Ca {
    pub(crate) domain: &'static str,
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    /// The CA certificates between it and the root.
    above: Vec<CertificateDer<'static>>,
}

impl Ca {
    pub(crate) fn new(domain: &'static str) -> Self {
        Self::called(domain, domain)
    }

    /// A root with this name in its certificate.
    pub(crate) fn called(name: &str, domain: &'static str) -> Self {
        let (params, key) = (authority(name), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap();
        Self { domain, certificate, issuer: Issuer::new(params, key), above: Vec::new() }
    }

    /// A CA that this one, a root, has certified.
    pub(crate) fn intermediate(&self) -> Self {
        let (params, key) = (authority("intermediate"), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let above = vec![certificate.der().clone()];
        Self { domain: self.domain, certificate, issuer: Issuer::new(params, key), above }
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    pub(crate) fn bundles(&self) -> TrustBundles {
        bundles(&[self])
    }

    /// An SVID for `spiffe://{domain}{path}`, valid an hour either way, but for what `change` does to it.
    pub(crate) fn certify(&self, path: &str, change: impl FnOnce(&mut CertificateParams)) -> Shown {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![uri(&format!("spiffe://{}{path}", self.domain))];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (at(NOW - 3600), at(NOW + 3600));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Shown {
            chain: [vec![leaf], self.above.clone()].concat(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }

    pub(crate) fn mint(&self, path: &str) -> Shown {
        self.certify(path, |_| {})
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (at(NOW - 86_400), at(NOW + 86_400));
    params
}

/// The roots of each, for its own trust domain.
pub(crate) fn bundles(authorities: &[&Ca]) -> TrustBundles {
    authorities
        .iter()
        .fold(TrustBundles::new(), |bundles, ca| bundles.with_der(ca.domain.parse().unwrap(), &[ca.root()]).unwrap())
}

pub(crate) fn at(secs: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(secs.try_into().unwrap()).unwrap()
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(crate) fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

/// What a peer shows, good or bad.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Shown {
    /// The same as an identity of ours, which must be good.
    pub(crate) fn identity(&self) -> Arc<X509Identity> {
        Arc::new(X509Identity::new(self.chain.clone(), self.key.clone_key()).unwrap())
    }

    pub(crate) fn certified(&self) -> Arc<SingleCertAndKey> {
        let key = provider().key_provider.load_private_key(self.key.clone_key()).unwrap();
        Arc::new(CertifiedKey::new(self.chain.clone(), key).into())
    }
}

/// A source as a platform might have it: a test says what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Platform(Arc<Mutex<Snapshot>>);

impl Platform {
    pub(crate) fn new(identity: &Shown, bundles: TrustBundles) -> Self {
        Self(Arc::new(Mutex::new(Snapshot::new(Ok(identity.identity()), bundles))))
    }

    pub(crate) fn set_identity(&self, identity: Result<Arc<X509Identity>, IdentityUnavailable>) {
        self.0.lock().unwrap().identity = identity;
    }

    pub(crate) fn set_bundles(&self, bundles: TrustBundles) {
        self.0.lock().unwrap().bundles = bundles;
    }
}

impl IdentitySource for Platform {
    fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
        self.0.lock().unwrap().identity.clone()
    }
}

impl BundleSource for Platform {
    fn bundles(&self) -> TrustBundles {
        self.0.lock().unwrap().bundles.clone()
    }
}

/// This side: a workload whose platform is in the hands of the test.
pub(crate) struct Workload {
    pub(crate) platform: Platform,
    pub(crate) clock: Arc<ManualClock>,
}

/// Which end this side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

impl Workload {
    pub(crate) fn new(ca: &Ca, bundles: TrustBundles) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
        Self { platform: Platform::new(&ca.mint("/this/side"), bundles), clock }
    }

    pub(crate) fn server(&self) -> ServerTls {
        ServerTls::new(self.platform.clone(), AgentTrust::spiffe(self.platform.clone())).clock(self.clock.clone())
    }

    pub(crate) fn client(&self, servers: Servers) -> ClientTls {
        ClientTls::new(self.platform.clone(), self.platform.clone(), servers).clock(self.clock.clone())
    }

    /// A handshake with a peer that shows `peer`: as whom it is let in (a client that knows its server knows no more than
    /// that it is one), or with which code it is refused.
    pub(crate) async fn meet(&self, role: Role, peer: &Shown, version: &'static SupportedProtocolVersion) -> Verdict {
        match role {
            Role::Server => {
                let (config, verified) = self.server().handshakes().unwrap().begin().unwrap();
                let (ours, _) = shake(config, raw_client(Some(peer), version)).await;
                ours.map(|_| verified.svid().cloned()).map_err(|error| code(&error))
            }
            Role::Client => {
                let config = Arc::new(self.client(Servers::any()).config().unwrap());
                let (_, ours) = shake(raw_server(peer, version), config).await;
                ours.map(|_| None).map_err(|error| code(&error))
            }
        }
    }

    pub(crate) async fn accepts(&self, role: Role, peer: &Shown, expected: &str) {
        for version in VERSIONS {
            let svid = self.meet(role, peer, version).await.unwrap();
            assert_eq!(svid.map(|svid| svid.id().clone()), (role == Role::Server).then(|| id(expected)));
        }
    }

    pub(crate) async fn refuses(&self, role: Role, peer: &Shown, expected: &str) {
        for version in VERSIONS {
            assert_eq!(self.meet(role, peer, version).await.unwrap_err(), expected, "{role:?} {version:?}");
        }
    }
}

type Verdict = Result<Option<Arc<X509Svid>>, &'static str>;

/// Why this side ended the handshake, or `other` if it did not.
pub(crate) fn code(error: &io::Error) -> &'static str {
    TlsRefusal::find(error).map_or("other", TlsRefusal::code)
}

pub(crate) type ServerEnd = tokio_rustls::server::TlsStream<DuplexStream>;
pub(crate) type ClientEnd = tokio_rustls::client::TlsStream<DuplexStream>;

/// A handshake between the two, and what each end makes of it. A client of TLS 1.3 is done before its server has looked
/// at its certificate, so the server has the last word: one byte, which the client waits for.
pub(crate) async fn shake(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
) -> (io::Result<ServerEnd>, io::Result<ClientEnd>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let server = async {
        let mut end = TlsAcceptor::from(server).accept(near).await?;
        end.write_u8(1).await?;
        end.flush().await?;
        Ok(end)
    };
    let client = async {
        // A literal address: no name is compared.
        let name = ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
        let mut end = TlsConnector::from(client).connect(name, far).await?;
        end.read_u8().await?;
        Ok(end)
    };
    tokio::join!(server, client)
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A client that shows what it is given, and takes every server.
pub(crate) fn raw_client(peer: Option<&Shown>, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(TakesAll(schemes())));
    Arc::new(match peer {
        Some(peer) => builder.with_client_cert_resolver(peer.certified()),
        None => builder.with_no_client_auth(),
    })
}

/// A server that shows what it is given, and takes every client that shows a certificate.
pub(crate) fn raw_server(peer: &Shown, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
    picky_server(peer, version, schemes())
}

/// As [`raw_server`], but it takes only signatures of these `schemes` from its clients.
pub(crate) fn picky_server(
    peer: &Shown,
    version: &'static SupportedProtocolVersion,
    schemes: Vec<SignatureScheme>,
) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_client_cert_verifier(Arc::new(TakesAll(schemes))).with_cert_resolver(peer.certified()))
}

/// As [`raw_server`], but it does not ask for a certificate.
pub(crate) fn incurious_server(peer: &Shown, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_no_client_auth().with_cert_resolver(peer.certified()))
}

/// Believes every certificate whose key the other side holds.
#[derive(Debug)]
struct TakesAll(Vec<SignatureScheme>);

fn schemes() -> Vec<SignatureScheme> {
    provider().signature_verification_algorithms.supported_schemes()
}

impl TakesAll {
    fn signed_12(
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn signed_13(
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }
}

impl ServerCertVerifier for TakesAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::signed_12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::signed_13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

impl ClientCertVerifier for TakesAll {
    fn root_hint_subjects(&self) -> &[TlsName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::signed_12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::signed_13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
