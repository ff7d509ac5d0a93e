//! Around Envoy: an authority that signs any names, an issuer of tokens, clients, and the program itself.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_tower::client::HttpsClient;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use crate::support::{HERE, Program, ToolServer};

/// What a healthy Envoy needs a few seconds for.
const START: Duration = Duration::from_secs(60);

const ISSUER: &str = "https://sts.example.com";

/// The certificate authority of the mesh. It signs whatever names it is asked to: some do.
pub(super) struct Authority {
    root: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(super) struct Certified {
    certificate: Certificate,
    root: Certificate,
    key: KeyPair,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = lifetime();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self { root: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    pub(super) fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// A certificate with these URI and DNS names, good on both ends of a loopback connection.
    pub(super) fn certify(&self, uri: &str, dns: &[&str]) -> Certified {
        let mut params = lifetime();
        let dns = dns.iter().map(|name| SanType::DnsName((*name).try_into().unwrap()));
        let loopback = SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
        params.subject_alt_names =
            std::iter::once(SanType::URI(uri.try_into().unwrap())).chain(dns).chain([loopback]).collect();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified { certificate, root: self.root.clone(), key }
    }

    /// A client that shows `identity`, if it has one.
    pub(super) fn client(&self, identity: Option<&Certified>) -> HttpsClient {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let tls = match identity {
            Some(Certified { certificate, root, key }) => {
                // With the root, as some clients do: the proxy passes on what it is shown.
                let chain = vec![certificate.der().clone(), root.der().clone()];
                builder.with_client_auth_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into()).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        HttpsClient::builder().tls(tls).allow_loopback().build().unwrap()
    }
}

impl Certified {
    pub(super) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(super) fn root_pem(&self) -> String {
        self.root.pem()
    }

    pub(super) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    pub(super) fn der(&self) -> &[u8] {
        self.certificate.der()
    }
}

fn lifetime() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let now = time::OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - Duration::from_secs(3600), now + Duration::from_secs(3600));
    params
}

/// Who issues tokens: its keys are in a file.
pub(super) struct Tokens {
    key: SigningKey,
    pub(super) jwks: PathBuf,
}

impl Tokens {
    pub(super) fn new(folder: &Path) -> Self {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let jwks = folder.join("jwks.json");
        std::fs::write(&jwks, format!(r#"{{"keys":[{}]}}"#, key.public_jwk())).unwrap();
        Self { key, jwks }
    }

    /// A bearer token that lets the agent `actor` act for alice.
    pub(super) fn mint(&self, actor: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": ISSUER, "sub": "alice", "aud": HERE, "client_id": actor, "jti": actor, "iat": now, "exp": now + 900,
            "scope": "tools:echo", "act": {"sub": actor},
        });
        self.key.sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap()
    }

    /// A tool server that takes these tokens.
    pub(super) fn server(&self, name: &str, flags: &[&str]) -> ToolServer {
        let jwks = self.jwks.to_str().unwrap();
        let flags = [&["--jwks", jwks, "--profile", "rfc8693"], flags].concat();
        // Nothing is asked of the server itself.
        let client = Authority::new().client(None);
        ToolServer::for_issuer(ISSUER, "unused", client, &format!("envoy-{name}"), &flags)
    }
}

/// The program, if it is installed.
pub(super) fn program() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/envoy/venv/bin/envoy");
    if program.is_file() {
        return Some(program);
    }
    println!("skipped: Envoy is not installed (scripts/install-peers)");
    None
}

/// A running Envoy. It ends with the test.
pub(super) struct Envoy {
    _program: Program,
    ports: BTreeMap<String, u16>,
}

impl Envoy {
    /// Starts Envoy with `config`, and waits until it listens.
    pub(super) async fn start(program: &Path, folder: &Path, name: &str, config: &Value) -> Self {
        let [file, admin] = ["json", "admin"].map(|kind| folder.join(format!("{name}.{kind}")));
        std::fs::write(&file, config.to_string()).unwrap();
        let _ = std::fs::remove_file(&admin);
        let mut command = Command::new(program);
        command.arg("--config-path").arg(&file).arg("--admin-address-path").arg(&admin);
        command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "info"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut program = Program(child);
        wait_for(&mut program, "starting main dispatch loop");
        let admin = std::fs::read_to_string(&admin).unwrap();
        let client = Authority::new().client(None);
        let request = Request::get(format!("http://{}/listeners?format=json", admin.trim())).body(Full::default());
        let listeners = client.send(request.unwrap(), 1024 * 1024).await.unwrap();
        let listeners: Value = serde_json::from_slice(listeners.body()).unwrap();
        let ports = listeners["listener_statuses"].as_array().unwrap().iter().map(|listener| {
            let port = listener["local_address"]["socket_address"]["port_value"].as_u64().unwrap();
            (listener["name"].as_str().unwrap().to_owned(), u16::try_from(port).unwrap())
        });
        Self { ports: ports.collect(), _program: program }
    }

    pub(super) fn port(&self, listener: &str) -> u16 {
        self.ports[listener]
    }
}

/// Reads what `program` logs until it says `ready`, and goes on reading, so that it is never held up.
fn wait_for(program: &mut Program, ready: &'static str) {
    let log = BufReader::new(program.0.stderr.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = String::new();
        for line in log.lines().map_while(Result::ok) {
            said = if said.len() > 16 * 1024 { line } else { said + "\n" + &line };
            if said.contains(ready) {
                let _ = sender.send(Ok(()));
            }
        }
        let _ = sender.send(Err(said));
    });
    match receiver.recv_timeout(START) {
        Ok(Ok(())) => {}
        Ok(Err(said)) => panic!("Envoy ended: {said}"),
        Err(_) => panic!("Envoy was not ready after {START:?}"),
    }
}

/// What became of a request: whom the server believed it came from, or why it refused it.
pub(super) async fn ask(client: &HttpsClient, url: &str, token: &str, sent: &[String], server: &ToolServer) -> Told {
    let mut request = Request::get(format!("{url}/whoami")).body(Full::<Bytes>::default()).unwrap();
    request.headers_mut().insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    for line in sent {
        request.headers_mut().append("x-forwarded-client-cert", HeaderValue::try_from(line).unwrap());
    }
    let answer: Response<Bytes> = client.send(request, 64 * 1024).await.unwrap();
    let body: Value = serde_json::from_slice(answer.body())
        .unwrap_or_else(|_| panic!("the proxy answered: {} {:?}", answer.status(), answer.body()));
    if answer.status() == StatusCode::OK {
        let text = |value: &Value| value.as_str().unwrap_or("nobody").to_owned();
        return Told::Believed(text(&body["peer"]["id"]), text(&body["peer"]["proof"]));
    }
    Told::Refused(server.code(&body))
}

/// What the server made of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// It came from this agent, which is known in this way.
    Believed(String, String),
    /// The code in the record.
    Refused(String),
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Believed(id, proof) => f.pad(&format!("{} ({proof})", id.rsplit('/').next().unwrap_or_default())),
            Self::Refused(code) => f.pad(code),
        }
    }
}
