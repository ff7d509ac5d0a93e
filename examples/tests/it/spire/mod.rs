//! Workloads of a real SPIRE: the tool server, and this process as an agent that calls it.
//!
//! `scripts/spire/install` builds SPIRE. Where it is missing, the test says so and passes.

mod world;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agentauth_core::identity::svid::{
    Audiences, BundleSource as _, IdentitySource as _, IdentityUnavailable, verify_jwt_svid,
};
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::{Clock as _, SystemClock};
use agentauth_spiffe::WorkloadApi;
use agentauth_spiffe::client::SvidClient;
use agentauth_spiffe::tls::{ClientTls, Servers};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use http_body_util::Full;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{HERE, Program, recorded_code, start};
use world::{DOMAIN, PAUSE, Spire};

const LAWYER: &str = "/agent/lawyer";
const TOOLS: &str = "/tools";
const ISSUER: &str = "https://sts.example.com";

/// How long SVIDs last. SPIRE makes them valid ten seconds before, and renews them at half: every five seconds or so.
const SVID_SECONDS: u32 = 20;

/// Agents that call at once.
const CALLERS: usize = 4;

/// How long anything of this may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn svids_of_a_real_spire_rotate_under_load_and_are_withdrawn() {
    let Some(spire) = Spire::start() else { return };
    let api = WorkloadApi::builder().endpoint(spire.endpoint()).start().unwrap();
    // There is no entry for this process yet.
    let denied = async {
        while api.problem().is_none_or(|problem| problem.code() != "workload_api_denied") {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, denied).await.expect("a denial");

    spire.register(TOOLS, Path::new(env!("CARGO_BIN_EXE_tool-server")), SVID_SECONDS);
    spire.register(LAWYER, &std::env::current_exe().unwrap().canonicalize().unwrap(), SVID_SECONDS);
    let identity = api.wait_ready(PATIENCE).await.unwrap();
    assert_eq!(identity.id().as_str(), format!("spiffe://{DOMAIN}{LAWYER}"));
    a_jwt_svid_verifies(&api).await;

    let server = ToolServer::start(&spire.endpoint());
    let tools = Servers::exactly(format!("spiffe://{DOMAIN}{TOOLS}").parse().unwrap());
    let client = SvidClient::builder(api.clone(), api.clone(), tools.clone()).allow_loopback().build().unwrap();
    let (rotations, calls) = rotate_under_load(&api, &client, &server).await;
    println!("spire: {rotations} rotations under {calls} calls, 0 of which failed");

    // Someone else's bar card: the token names another agent than the connection proves.
    let answer = client.send(server.request(&server.token("/agent/judge")), 64 * 1024).await.unwrap();
    assert_eq!(server.refusal(answer.body()), "actor_is_not_peer");

    let mut connection = Connection::open(&api, tools, &server).await;
    let token = server.token(LAWYER);
    assert_eq!(connection.call(&server, &token).await.0, 200);
    spire.delete(LAWYER);
    let withdrawn = async {
        while api.identity().is_ok() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, withdrawn).await.expect("a withdrawal");
    assert_eq!(api.identity().unwrap_err(), IdentityUnavailable::Withdrawn);
    assert_eq!(api.problem().unwrap().code(), "workload_api_denied");
    assert_eq!(api.jwt_svid(&[HERE]).await.unwrap_err().code(), "workload_api_denied");
    assert!(!api.bundles().trusts(DOMAIN));
    let refused = client.send(server.request(&token), 64 * 1024).await.unwrap_err();
    assert_eq!(refused.code(), "identity_withdrawn");

    // A connection that was made before is good for as long as its SVID was, and no longer.
    let ended = async {
        loop {
            match connection.call(&server, &token).await {
                (200, _) => tokio::time::sleep(PAUSE).await,
                (status, body) => return (status, server.refusal(&body)),
            }
        }
    };
    let (status, code) = tokio::time::timeout(PATIENCE, ended).await.expect("an end");
    assert_eq!((status, code.as_str()), (401, "svid_expired"));
}

/// SPIRE's keys for JWT-SVIDs say nothing of what they are for, and verify its tokens.
async fn a_jwt_svid_verifies(api: &WorkloadApi) {
    let svid = api.jwt_svid(&[HERE]).await.unwrap();
    assert_eq!(svid.hint(), Some("only"));
    let audiences = Audiences::new([HERE]).unwrap();
    let verified = async {
        loop {
            if let Ok(verified) = verify_jwt_svid(svid.token(), &api.bundles(), &audiences, SystemClock.now()) {
                return verified;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let verified = tokio::time::timeout(PATIENCE, verified).await.expect("the keys");
    assert_eq!(verified.id(), svid.id());
}

/// Calls without a pause until the agent's SVID has been renewed twice; none may fail.
async fn rotate_under_load(api: &WorkloadApi, client: &SvidClient, server: &ToolServer) -> (usize, usize) {
    let (is_over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (client, is_over, calls) = (client.clone(), Arc::clone(&is_over), Arc::clone(&calls));
            let (request, token) = (server.whoami_url(), server.token(LAWYER));
            tokio::spawn(async move {
                while !is_over.load(Ordering::SeqCst) {
                    let answer = client.send(get(&request, &token), 64 * 1024).await.expect("an answer");
                    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
                    let body: Value = serde_json::from_slice(answer.body()).unwrap();
                    assert_eq!(body["agent"]["spiffe"], format!("spiffe://{DOMAIN}{LAWYER}"));
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let mut changes = api.changes();
    let mut last = api.identity().unwrap().not_after();
    let mut rotations = 0;
    let rotate = async {
        while rotations < 2 {
            changes.next().await.expect("a source");
            let next = api.identity().unwrap().not_after();
            rotations += usize::from(next > last);
            last = next;
        }
    };
    tokio::time::timeout(PATIENCE, rotate).await.expect("two rotations");
    is_over.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.expect("a caller without a failure");
    }
    (rotations, calls.load(Ordering::SeqCst))
}

fn get(url: &str, token: &str) -> Request<Full<Bytes>> {
    Request::get(url).header(AUTHORIZATION, format!("Bearer {token}")).body(Full::default()).unwrap()
}

/// The tool server as a workload of SPIRE, and the issuer of the tokens that it takes.
struct ToolServer {
    _program: Program,
    url: String,
    audit: PathBuf,
    key: SigningKey,
}

impl ToolServer {
    fn start(spire: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let [jwks, audit] = ["jwks", "audit"].map(|end| folder.join(format!("spire-{}.{end}", std::process::id())));
        let _ = std::fs::remove_dir_all(&audit);
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        std::fs::write(&jwks, format!(r#"{{"keys":[{}]}}"#, key.public_jwk())).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tool-server"));
        command
            .args(["--listen", "127.0.0.1:0", "--resource", HERE, "--issuer", ISSUER, "--profile", "rfc8693"])
            .args(["--spiffe-socket", spire, "--actor-binding", "peer", "--audit"])
            .arg(&audit)
            .arg("--jwks")
            .arg(&jwks);
        let (program, line) = start(&mut command);
        let url = line.split_whitespace().find(|word| word.starts_with("https://")).expect("a listening line");
        Self { _program: program, url: url.into(), audit, key }
    }

    fn whoami_url(&self) -> String {
        format!("{}/whoami", self.url)
    }

    fn port(&self) -> u16 {
        self.url.parse::<http::Uri>().unwrap().port_u16().unwrap()
    }

    /// A token that lets `agent` act for alice.
    fn token(&self, agent: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let actor = format!("spiffe://{DOMAIN}{agent}");
        let claims = json!({
            "iss": ISSUER, "sub": "alice", "aud": HERE, "client_id": actor, "jti": agent, "iat": now, "exp": now + 300,
            "scope": "tools:echo", "act": { "sub": actor },
        });
        self.key.sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap()
    }

    fn request(&self, token: &str) -> Request<Full<Bytes>> {
        get(&self.whoami_url(), token)
    }

    /// The reason that the record gives for the refusal with this body.
    fn refusal(&self, body: &[u8]) -> String {
        let body: Value = serde_json::from_slice(body).unwrap();
        recorded_code(&self.audit, &body)
    }
}

/// One connection to the tool server, which is used again whatever becomes of the identity it was made with.
struct Connection(BufReader<TlsStream<TcpStream>>);

impl Connection {
    async fn open(api: &WorkloadApi, tools: Servers, server: &ToolServer) -> Self {
        let config = ClientTls::new(api.clone(), api.clone(), tools).config().unwrap();
        let stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        let name = ServerName::from(std::net::IpAddr::from([127, 0, 0, 1]));
        Self(BufReader::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()))
    }

    /// The status and the body of an answer (RFC 9112, with a content length).
    async fn call(&mut self, server: &ToolServer, token: &str) -> (u16, Vec<u8>) {
        let host = format!("127.0.0.1:{}", server.port());
        let request = format!("GET /whoami HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.split(' ').next().unwrap().parse().unwrap();
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        (status, body)
    }
}
