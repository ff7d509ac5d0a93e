//! The suite's own ends of TLS connections. They show what they are told to, good or not, and use nothing of the library.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::mock::authority::Issued;

const LIMIT: Duration = Duration::from_secs(5);

/// What a server has shown, and said.
#[derive(Debug)]
pub(super) struct Probed {
    pub(super) chain: Vec<Vec<u8>>,
    /// What it said before it ended the connection: a line with the client's ID, or nothing.
    pub(super) said: String,
}

/// Connects as `client` to a server whose chain must lead to `root`.
pub(super) async fn probe(port: u16, root: &[u8], client: &Issued) -> Result<Probed, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec())).map_err(text)?;
    let other = Arc::new(Other { provider: provider(), roots, seen: Mutex::default() });
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(text)?
        .dangerous()
        .with_custom_certificate_verifier(other.clone())
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified(client)?)));
    config.resumption = Resumption::disabled();
    let exchange = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(text)?;
        let name = ServerName::from(std::net::IpAddr::from([127, 0, 0, 1]));
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(text)?;
        let mut said = Vec::new();
        // In TLS 1.3 a client learns only now that its certificate was refused.
        let _ = stream.read_to_end(&mut said).await;
        Ok(Probed { chain: other.seen.lock().unwrap().clone(), said: String::from_utf8(said).map_err(text)? })
    };
    tokio::time::timeout(LIMIT, exchange).await.map_err(text)?
}

/// A server that shows `server`, and takes one client, whoever that is.
pub(super) async fn listen(server: &Issued) -> Result<(u16, tokio::task::JoinHandle<Vec<Vec<u8>>>), String> {
    let other = Arc::new(Other { provider: provider(), roots: RootCertStore::empty(), seen: Mutex::default() });
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(text)?
        .with_client_cert_verifier(other.clone())
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified(server)?)));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
    let port = listener.local_addr().map_err(text)?.port();
    let served = tokio::spawn(async move {
        let exchange = async {
            let (stream, _) = listener.accept().await?;
            let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
            stream.shutdown().await
        };
        let _ = tokio::time::timeout(LIMIT, exchange).await;
        other.seen.lock().unwrap().clone()
    });
    Ok((port, served))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A chain and a key that are not looked at.
fn certified(issued: &Issued) -> Result<CertifiedKey, String> {
    let key = PrivatePkcs8KeyDer::from(issued.key.clone()).into();
    let key = provider().key_provider.load_private_key(key).map_err(text)?;
    let chain = issued.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    Ok(CertifiedKey::new(chain, key))
}

/// Remembers what the other side shows. A server's chain must lead to a root; a client may be anybody.
#[derive(Debug)]
struct Other {
    provider: Arc<CryptoProvider>,
    roots: RootCertStore,
    seen: Mutex<Vec<Vec<u8>>>,
}

impl Other {
    fn see(&self, leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) {
        *self.seen.lock().unwrap() = std::iter::once(leaf).chain(others).map(|der| der.to_vec()).collect();
    }

    fn tls12(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn tls13(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Other {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.see(leaf, others);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let now = UnixTime::since_unix_epoch(now);
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, others, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Other {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.see(leaf, others);
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
