//! The token service and two servers that take its tokens, over TLS on loopback; and the client that comes to them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use agentauth_axum::{AgentAuthLayer, Caller, MtlsListener, ServerIdentity, serve, token_service};
use agentauth_core::audit::{Append, AuditSink, Record};
use agentauth_core::binding::dpop::{Dpop, NonceKey};
use agentauth_core::delegation::{ClientSecret, Consent, IssuerBuilder, RegisteredClient};
use agentauth_core::identity::svid::TrustBundles;
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::state::MemoryRevocations;
use agentauth_core::{
    AgentAuth, AgentId, AgentTrust, Clock as _, Issuer, IssuerId, ManualClock, SystemClock, SystemRandom, TokenService,
    TrustedIssuer,
};
use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The scopes that there are.
const SCOPES: &str = "motions:file records:read";

const APP: &str = "records-app";
const OLD_APP: &str = "old:app+1%";

/// The folder of the client, if it can run.
pub(super) fn peer() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/oauth4webapi");
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !node.is_ok_and(|status| status.success()) {
        println!("skipped: Node is not installed");
    } else if !folder.join("node_modules/oauth4webapi").is_dir() {
        println!("skipped: oauth4webapi is not installed (npm ci in scripts/oauth4webapi)");
    } else {
        return Some(folder);
    }
    None
}

pub(super) struct World {
    folder: PathBuf,
    roots: PathBuf,
    records: Records,
    pub(super) issuer: String,
    server: String,
    pub(super) other_server: String,
    key: SigningKey,
    secret: ClientSecret,
    consents: [String; 2],
    pub(super) consent_to_another: String,
    pub(super) expired_consent: String,
}

impl World {
    pub(super) async fn open(folder: PathBuf) -> Self {
        let ca = WebCa::new();
        let mut sockets = Vec::new();
        for _ in 0..3 {
            sockets.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let [sts, tools, other] = <[TcpListener; 3]>::try_from(sockets).unwrap();
        let url = |socket: &TcpListener| format!("https://{}", socket.local_addr().unwrap());
        let (issuer, server, other_server) = (url(&sts), url(&tools), url(&other));

        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let secret = ClientSecret::generate(&SystemRandom).unwrap();
        let records = Records::default();
        let signing = SigningKey::generate(Algorithm::EdDsa).unwrap().to_pkcs8().unwrap();
        let revocations = Arc::new(MemoryRevocations::new());
        let builder = || {
            let signing = SigningKey::from_pkcs8(Algorithm::EdDsa, &signing).unwrap();
            Issuer::builder(&issuer, signing)
                .client(RegisteredClient::new(APP).keys(key.public_key_set().unwrap()))
                .client(RegisteredClient::new(OLD_APP).secret(secret.hash()))
                .resource(&server, SCOPES)
                .revocations(revocations.clone())
        };
        let nonces = NonceKey::generate(&SystemRandom).unwrap();
        let service = builder().dpop(Dpop::new(&issuer).require_nonce(nonces)).build().unwrap();
        let service = TokenService::new(service, records.clone()).unwrap();
        let consents = [consent(&service, APP).await, consent(&service, OLD_APP).await];
        let consent_to_another = consent(&service, "another-app").await;
        let expired_consent = consent(&an_hour_ago(builder(), &records), APP).await;

        open(sts, &ca, token_service(service.clone()));
        for (socket, resource) in [(tools, &server), (other, &other_server)] {
            let nonces = NonceKey::generate(&SystemRandom).unwrap();
            let auth = AgentAuth::builder(resource)
                .issuer(TrustedIssuer::rfc8693(&issuer, service.issuer().keys()))
                .dpop(Dpop::new(resource).require_nonce(nonces))
                .require_delegation()
                .revocations(revocations.clone())
                .audit(records.clone())
                .build()
                .unwrap();
            let whoami =
                async |caller: Caller| format!("{} for {}", caller.agent().name(), caller.principal().subject());
            open(socket, &ca, Router::new().route("/whoami", get(whoami)).layer(AgentAuthLayer::new(auth)));
        }
        let roots = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("token-service-{}.pem", port_of(&issuer)));
        std::fs::write(&roots, ca.certificate.pem()).unwrap();
        let other_server = format!("{other_server}/whoami");
        Self {
            folder,
            roots,
            records,
            issuer,
            server,
            other_server,
            key,
            secret,
            consents,
            consent_to_another,
            expired_consent,
        }
    }

    /// The input of the client that has a secret.
    pub(super) fn as_secret_client(&self) -> Value {
        json!({"client_id": OLD_APP, "secret": self.secret.reveal(), "subject_token": self.consents[1]})
    }

    /// What the client reports, for an input with these members beside the usual ones, or in their place.
    pub(super) fn run(&self, change: &Value) -> Value {
        let mut input = json!({
            "issuer": self.issuer, "client_id": APP, "key": STANDARD.encode(self.key.to_pkcs8().unwrap()),
            "kid": self.key.key_id(), "subject_token": self.consents[0], "resource": self.server,
            "url": format!("{}/whoami", self.server),
        });
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let mut child = Command::new("node")
            .arg(self.folder.join("client.mjs"))
            .env("NODE_EXTRA_CA_CERTS", &self.roots)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The reason that the record gives for the refusal with this id.
    pub(super) fn code(&self, evaluation_id: &Value) -> &'static str {
        let records = self.records.0.lock().unwrap();
        let found = records.iter().find(|record| *evaluation_id == *record.evaluation_id);
        found.map_or("not on record", |record| record.code)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.roots);
    }
}

fn port_of(issuer: &str) -> u16 {
    issuer.parse::<http::Uri>().unwrap().port_u16().unwrap()
}

fn open(socket: TcpListener, ca: &WebCa, app: Router) {
    // Nobody has an SVID here.
    let agents = AgentTrust::spiffe(TrustBundles::new());
    let listener = MtlsListener::with_optional_clients(socket, ca.server(), agents).unwrap();
    tokio::spawn(serve(listener, app));
}

async fn consent(service: &TokenService, client: &str) -> String {
    let issuer = IssuerId::new(service.issuer().id().as_str()).unwrap();
    let agent = AgentId::Named { issuer, name: client.into() };
    let consent = Consent::new("alice", agent, SCOPES.parse().unwrap());
    service.consent(&consent).await.unwrap().token().to_owned()
}

fn an_hour_ago(builder: IssuerBuilder, records: &Records) -> TokenService {
    let then = SystemClock.now().minus(std::time::Duration::from_secs(3600));
    let issuer = builder.clock(Arc::new(ManualClock::at(then))).build().unwrap();
    TokenService::new(issuer, records.clone()).unwrap()
}

/// A certificate authority as browsers know them.
struct WebCa {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, KeyPair>,
}

impl WebCa {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "the web's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self { certificate: params.self_signed(&key).unwrap(), issuer: rcgen::Issuer::new(params, key) }
    }

    fn server(&self) -> ServerIdentity {
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        ServerIdentity::new(vec![certificate.der().clone()], key.into())
    }
}

/// Keeps records in memory.
#[derive(Debug, Clone, Default)]
struct Records(Arc<Mutex<Vec<Arc<Record>>>>);

impl AuditSink for Records {
    fn append(&self, record: Arc<Record>) -> Append {
        self.0.lock().unwrap().push(record);
        Append::done(Ok(()))
    }
}
