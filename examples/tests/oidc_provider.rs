//! The tool server against tokens that nobody here made: npm's `oidc-provider` issues them.
//!
//! `scripts/oidc-provider` is installed by `npm ci`. Where Node or the package is missing, the test says so and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it expects by failing"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use agentauth_core::audit::TracingSink;
use agentauth_core::{AgentAuth, ManualClock, Timestamp, TrustedIssuer};
use agentauth_examples::tool_server::{ScopesSuffice, router};
use agentauth_tower::client::HttpsClient;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const HERE: &str = "https://tools.example.com";
const ELSEWHERE: &str = "https://other.example.com";

/// A program that is ended with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `command`, and waits for the first line it prints.
fn start(command: &mut Command) -> (Program, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Program(child), line)
}

/// The folder of the provider, if it can run.
fn provider() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/oidc-provider");
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !node.is_ok_and(|status| status.success()) {
        println!("skipped: Node is not installed");
    } else if !folder.join("node_modules/oidc-provider").is_dir() {
        println!("skipped: oidc-provider is not installed (npm ci in scripts/oidc-provider)");
    } else {
        return Some(folder);
    }
    None
}

struct Peer {
    client: HttpsClient,
    details: Value,
}

impl Peer {
    fn text(&self, name: &str) -> &str {
        self.details[name].as_str().unwrap()
    }

    /// An access token for `resource`, by client credentials.
    async fn token(&self, resource: &str) -> String {
        let basic = format!("{}:{}", self.text("client_id"), self.text("client_secret"));
        let basic = base64::engine::general_purpose::STANDARD.encode(basic);
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.text("token_endpoint"))
            .header(AUTHORIZATION, format!("Basic {basic}"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(format!("grant_type=client_credentials&resource={resource}")))
            .unwrap();
        let answer = self.client.send(request, 64 * 1024).await.unwrap();
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

struct ToolServer {
    _program: Program,
    url: String,
    audit: PathBuf,
    client: HttpsClient,
}

impl ToolServer {
    fn start(peer: &Peer, name: &str) -> Self {
        let audit = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oidc-{name}-{}.jsonl", std::process::id()));
        let _ = std::fs::remove_file(&audit);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tool-server"));
        command
            .args(["--listen", "127.0.0.1:0", "--resource", HERE, "--require", "tools:echo=/whoami"])
            .args(["--issuer", peer.text("issuer"), "--jwks", peer.text("jwks_uri")])
            .arg("--audit")
            .arg(&audit);
        let (program, line) = start(&mut command);
        let url =
            line.split_whitespace().find(|word| word.starts_with("http://")).expect("a listening line").to_owned();
        Self { _program: program, url, audit, client: peer.client.clone() }
    }

    async fn call(&self, method: Method, path: &str, token: &str, body: &str) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::from(body.to_owned()))
            .unwrap();
        let answer = self.client.send(request, 64 * 1024).await.unwrap();
        (answer.status(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    /// The reason that the record gives for a refusal.
    async fn refused(&self, token: &str) -> (StatusCode, String) {
        let (status, body) = self.call(Method::GET, "/whoami", token, "").await;
        let record = std::fs::read_to_string(&self.audit).unwrap();
        let mut lines = record.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let line = lines.find(|line| line["evaluation_id"] == body["evaluation_id"]).expect("a record of the refusal");
        (status, line["code"].as_str().unwrap().to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_an_independent_issuer_are_taken_and_only_as_they_were_issued() {
    let Some(folder) = provider() else { return };
    for alg in ["RS256", "ES256", "PS256", "EdDSA"] {
        let mut command = Command::new("node");
        command.arg(folder.join("server.mjs")).args(["--resource", HERE, "--resource", ELSEWHERE, "--alg", alg]);
        let (_provider, line) = start(&mut command);
        let client = HttpsClient::with_platform_roots().unwrap();
        let peer = Peer { client, details: serde_json::from_str(&line).unwrap() };
        let server = ToolServer::start(&peer, alg);

        let token = peer.token(HERE).await;
        accepts(&server, &peer, &token).await;
        assert_eq!(
            server.refused(&peer.token(ELSEWHERE).await).await,
            (StatusCode::UNAUTHORIZED, "audience_wrong".into()),
            "{alg}"
        );
        for (bit, code) in [
            (one_bit_of_the_claims(&token), "signature_invalid"),
            (one_bit_of_the_signature(&token), "signature_invalid"),
        ] {
            assert_eq!(server.refused(&bit).await, (StatusCode::UNAUTHORIZED, code.into()), "{alg}");
        }
        expires(&peer, &token).await;
        println!("oidc-provider {alg}: taken, and refused for another resource, with a bit changed, and after expiry");
    }
}

async fn accepts(server: &ToolServer, peer: &Peer, token: &str) {
    let (status, caller) = server.call(Method::GET, "/whoami", token, "").await;
    assert_eq!(status, StatusCode::OK, "{caller}");
    assert_eq!(caller["agent"], json!({"named": {"issuer": peer.text("issuer"), "name": peer.text("client_id")}}));
    assert_eq!(caller["mode"], "autonomous");
    assert_eq!(caller["scopes"], json!(["tools:add", "tools:echo"]));
    assert_eq!((&caller["chain_depth"], &caller["binding"]), (&json!(0), &json!("bearer")));

    let (status, answer) = server.call(Method::POST, "/tools/add", token, r#"{"a":20,"b":22}"#).await;
    assert_eq!((status, &answer["result"]), (StatusCode::OK, &json!(42)));
    let (status, answer) = server.call(Method::POST, "/tools/delete", token, "{}").await;
    assert_eq!((status, &answer["error"]), (StatusCode::FORBIDDEN, &json!("insufficient_scope")));
}

/// The same server, told what time it is.
async fn expires(peer: &Peer, token: &str) {
    let payload = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let exp = claims["exp"].as_u64().unwrap();
    let leeway = 30;
    for (now, status, code) in
        [(exp + leeway - 1, StatusCode::OK, None), (exp + leeway, StatusCode::UNAUTHORIZED, Some("token_expired"))]
    {
        let keys = peer.client.fetch_keys(peer.text("jwks_uri")).await.unwrap();
        let auth = AgentAuth::builder(HERE)
            .issuer(TrustedIssuer::rfc9068(peer.text("issuer"), keys))
            .policy(ScopesSuffice)
            .audit(TracingSink)
            .clock(Arc::new(ManualClock::at(Timestamp::from_secs(now))))
            .build()
            .unwrap();
        let request = Request::get("/whoami").header(AUTHORIZATION, format!("Bearer {token}")).body(Body::empty());
        let answer = router(&auth, &[]).unwrap().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.extensions().get().map(agentauth_core::Rejection::code), code);
    }
}

/// The token with the lowest bit of the first digit of its `jti` changed: the claims still read well.
fn one_bit_of_the_claims(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let at = String::from_utf8(claims.clone()).unwrap().find("\"jti\":\"").unwrap() + "\"jti\":\"".len();
    claims[at] ^= 1;
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims), parts[2])
}

fn one_bit_of_the_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature: Bytes = URL_SAFE_NO_PAD.decode(signature).unwrap().into();
    let mut bytes = Vec::from(std::mem::take(&mut signature));
    bytes[10] ^= 1;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
}
