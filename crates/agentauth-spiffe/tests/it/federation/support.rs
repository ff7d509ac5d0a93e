//! An Internet on loopback: names that lead to servers of the test, and authorities that certify them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use agentauth_core::identity::svid::{BundleSource, TrustBundles};
use agentauth_core::{ManualClock, SpiffeId, Timestamp};
use agentauth_spiffe::federation::{FederatedBundles, FederationBuilder};
use agentauth_tower::client::{Dialer, HttpsClient, HttpsClientBuilder, Resolver};
use async_trait::async_trait;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) const NOW: u64 = 1_800_000_000;

/// The certificate authority of a trust domain, or of the web.
pub(crate) struct Ca {
    root: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 1, 1));
        let key = KeyPair::generate().unwrap();
        Self { root: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn bundles(&self, domain: &str) -> TrustBundles {
        TrustBundles::new().with_der(domain.parse().unwrap(), &[self.root.der().clone()]).unwrap()
    }

    /// A SPIFFE bundle with this root.
    pub(crate) fn bundle(&self) -> String {
        bundle(&[self])
    }

    /// What a server shows that is the workload `id`.
    pub(crate) fn svid(&self, id: &str) -> ServerConfig {
        self.certify(SanType::URI(id.try_into().unwrap()), |_| {})
    }

    /// What a server shows that is the host `name`.
    pub(crate) fn host(&self, name: &str) -> ServerConfig {
        self.certify(SanType::DnsName(name.try_into().unwrap()), |_| {})
    }

    pub(crate) fn certify(&self, name: SanType, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![name];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 1, 1));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()];
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        builder.with_no_client_auth().with_single_cert(chain, key).unwrap()
    }

    fn base64(&self) -> String {
        self.root.pem().lines().filter(|line| !line.starts_with('-')).collect()
    }

    fn der(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }
}

pub(crate) fn bundle(authorities: &[&Ca]) -> String {
    let key = |ca: &&Ca| format!(r#"{{"kty":"EC","use":"x509-svid","x5c":["{}"]}}"#, ca.base64());
    format!(r#"{{"keys":[{}]}}"#, authorities.iter().map(key).collect::<Vec<_>>().join(","))
}

/// A server that shows what it is told to, and answers by path.
#[derive(Clone)]
pub(crate) struct Server(Arc<Site>);

struct Site {
    address: SocketAddr,
    shown: Mutex<Arc<ServerConfig>>,
    answers: Mutex<BTreeMap<String, String>>,
    seen: Mutex<Vec<String>>,
}

impl Server {
    async fn start(shown: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, seen) = (Mutex::default(), Mutex::default());
        let server = Self(Arc::new(Site { address, shown: Mutex::new(Arc::new(shown)), answers, seen }));
        let site = server.0.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = TlsAcceptor::from(site.shown.lock().unwrap().clone());
                // A client that refuses the server hangs up.
                let site = site.clone();
                tokio::spawn(async move { site.serve(acceptor, tcp).await });
            }
        });
        server
    }

    pub(crate) fn show(&self, shown: ServerConfig) {
        *self.0.shown.lock().unwrap() = Arc::new(shown);
    }

    pub(crate) fn publish(&self, path: &str, body: &str) {
        self.answer(path, "200 OK", "content-type: application/json\r\n", body);
    }

    pub(crate) fn redirect(&self, path: &str, status: &str, to: &str) {
        self.answer(path, status, &format!("location: {to}\r\n"), "");
    }

    pub(crate) fn answer(&self, path: &str, status: &str, headers: &str, body: &str) {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
        self.0.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// The requests so far; afterwards there are none.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.seen.lock().unwrap())
    }
}

impl Site {
    async fn serve(&self, acceptor: TlsAcceptor, tcp: tokio::net::TcpStream) -> io::Result<()> {
        let mut tls = acceptor.accept(tcp).await?;
        loop {
            let mut read = Vec::new();
            while !read.ends_with(b"\r\n\r\n") {
                if tls.read_buf(&mut read).await? == 0 {
                    return Ok(());
                }
            }
            let request = String::from_utf8(read).unwrap();
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let answer = self.answers.lock().unwrap().get(&path).cloned();
            let is_last = request.contains("connection: close");
            self.seen.lock().unwrap().push(request);
            let answer = answer.unwrap_or_else(|| "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into());
            tls.write_all(answer.as_bytes()).await?;
            if is_last {
                return tls.shutdown().await;
            }
        }
    }
}

/// Which names lead to which servers. Each has an address of its own on loopback, as far as the client knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Net(Arc<Mutex<Vec<(String, SocketAddr)>>>);

impl Net {
    pub(crate) async fn host(&self, name: &str, shown: ServerConfig) -> Server {
        let server = Server::start(shown).await;
        self.0.lock().unwrap().push((name.to_owned(), server.0.address));
        server
    }

    /// A client that may go there, and trusts `web` as authorities of the web.
    pub(crate) fn client(&self, web: &[&Ca]) -> HttpsClientBuilder {
        self.guarded(web).allow_loopback()
    }

    /// A client that may not.
    pub(crate) fn guarded(&self, web: &[&Ca]) -> HttpsClientBuilder {
        let mut roots = RootCertStore::empty();
        for ca in web {
            roots.add(ca.der()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        HttpsClient::builder().tls(tls).resolver(self.clone()).dialer(self.clone())
    }
}

#[async_trait]
impl Resolver for Net {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let hosts = self.0.lock().unwrap();
        let number = hosts.iter().position(|(name, _)| name == host).ok_or(io::ErrorKind::NotFound)?;
        Ok(vec![Ipv4Addr::new(127, 0, 1, number.try_into().unwrap()).into()])
    }
}

#[async_trait]
impl Dialer for Net {
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let IpAddr::V4(ip) = address.ip() else { return Err(io::ErrorKind::Unsupported.into()) };
        assert_eq!(address.port(), 443);
        let server = self.0.lock().unwrap()[usize::from(ip.octets()[3])].1;
        tokio::net::TcpStream::connect(server).await?.into_std()
    }
}

pub(crate) fn builder(client: HttpsClientBuilder) -> FederationBuilder {
    FederatedBundles::builder(client).clock(Arc::new(ManualClock::at(Timestamp::from_secs(NOW))))
}

pub(crate) fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

/// The code of the first endpoint's failure, if it has failed.
pub(crate) fn code(bundles: &FederatedBundles) -> Option<&'static str> {
    bundles.status()[0].failure.as_ref().map(|failure| failure.error.code())
}

/// Why there is no bundle of the first endpoint's trust domain, if there is none.
pub(crate) async fn loaded(builder: FederationBuilder) -> Option<&'static str> {
    let bundles = builder.start().unwrap();
    let outcome = bundles.loaded().await.err().map(|error| error.code());
    assert_eq!(outcome.is_none(), bundles.bundles().trust_domains().next().is_some());
    outcome
}

/// A source that the test turns.
#[derive(Debug, Clone)]
pub(crate) struct Turned(Arc<Mutex<TrustBundles>>);

impl Turned {
    pub(crate) fn new(bundles: TrustBundles) -> Self {
        Self(Arc::new(Mutex::new(bundles)))
    }

    pub(crate) fn turn(&self, bundles: TrustBundles) {
        *self.0.lock().unwrap() = bundles;
    }
}

impl BundleSource for Turned {
    fn bundles(&self) -> TrustBundles {
        self.0.lock().unwrap().clone()
    }
}
