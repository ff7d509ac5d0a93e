//! The programs: an issuer, a client, and the tool server between them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use agentauth_audit::read::Log;
use agentauth_tower::client::HttpsClient;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

/// The tool server, at the issuer and in tokens.
pub(crate) const HERE: &str = "https://tools.example.com";

/// A program that is ended with the test.
pub(crate) struct Program(pub(crate) Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `command`, and waits for the first line it prints: nothing if it ends before.
pub(crate) fn start(command: &mut Command) -> (Program, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Program(child), line)
}

/// The folder of the peers, if they can run.
pub(crate) fn peers() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/oidc-provider");
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let missing =
        ["oidc-provider", "oauth4webapi"].into_iter().find(|name| !folder.join("node_modules").join(name).is_dir());
    if !node.is_ok_and(|status| status.success()) {
        println!("skipped: Node is not installed");
    } else if let Some(name) = missing {
        println!("skipped: {name} is not installed (npm ci in scripts/oidc-provider)");
    } else {
        return Some(folder);
    }
    None
}

/// An issuer, and the one client it knows.
pub(crate) struct Issuer {
    program: Option<Program>,
    folder: PathBuf,
    flags: Vec<String>,
    pub(crate) client: HttpsClient,
    details: Value,
}

impl Issuer {
    /// An issuer at a free port.
    pub(crate) fn start(folder: &Path, flags: &[&str]) -> Self {
        Self::try_start(folder, flags.iter().map(ToString::to_string).collect()).expect("an issuer")
    }

    /// An issuer at a port that nothing else is given meanwhile, so that it can come back.
    pub(crate) fn that_comes_back(folder: &Path, flags: &[&str]) -> Self {
        static TRIED: AtomicU16 = AtomicU16::new(0);
        let first = u16::try_from(std::process::id() % 10_000).unwrap();
        // Below the ports that systems hand out.
        let ports = std::iter::repeat_with(|| 20_000 + (first + TRIED.fetch_add(1, Ordering::SeqCst)) % 10_000);
        let at = |port: u16| {
            let flags = flags.iter().copied().chain(["--port", &port.to_string()]).map(str::to_owned).collect();
            Self::try_start(folder, flags)
        };
        ports.take(100).find_map(at).expect("a free port")
    }

    fn try_start(folder: &Path, flags: Vec<String>) -> Option<Self> {
        let mut command = Command::new("node");
        command.arg(folder.join("server.mjs")).args(&flags);
        // The same at each start, and with every character that has more than one spelling.
        command.env("OIDC_CLIENT_SECRET", "a secret: +/%& of the client");
        command.env("OIDC_RESOURCE_SERVER_SECRET", "a secret: +/%& of the server");
        let (program, line) = start(&mut command);
        let client = HttpsClient::builder().allow_loopback().build().unwrap();
        (!line.is_empty()).then(|| Self {
            program: Some(program),
            folder: folder.into(),
            flags,
            client,
            details: serde_json::from_str(&line).unwrap(),
        })
    }

    pub(crate) fn stop(&mut self) {
        self.program = None;
    }

    /// With another key, and without memory.
    pub(crate) fn come_back(&mut self) {
        self.stop();
        *self = Self::try_start(&self.folder, std::mem::take(&mut self.flags)).expect("the issuer again");
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.details[name].as_str().unwrap()
    }

    async fn post(&self, endpoint: &str, form: String) -> Response<Bytes> {
        let encoded = |name| form_urlencoded::byte_serialize(self.text(name).as_bytes()).collect::<String>();
        let basic = STANDARD.encode(format!("{}:{}", encoded("client_id"), encoded("client_secret")));
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.text(endpoint))
            .header(AUTHORIZATION, format!("Basic {basic}"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form))
            .unwrap();
        self.client.send(request, 64 * 1024).await.unwrap()
    }

    /// A bearer token for `resource`, by client credentials.
    pub(crate) async fn token(&self, resource: &str) -> String {
        let answer = self.post("token_endpoint", format!("grant_type=client_credentials&resource={resource}")).await;
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub(crate) async fn revoke(&self, token: &str) {
        let answer = self.post("revocation_endpoint", format!("token={token}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    }

    /// What the independent client reports of a call to `server`, with a token that is bound to its key.
    pub(crate) fn dpop_call(&self, server: &ToolServer, path: &str, flags: &[&str]) -> Value {
        let output = Command::new("node")
            .arg(self.folder.join("client.mjs"))
            .args(["--issuer", self.text("issuer"), "--client-id", self.text("client_id"), "--resource", HERE])
            .args(["--url", &format!("{}{path}", server.url), "--htu-origin", HERE])
            .args(flags)
            .env("OIDC_CLIENT_SECRET", self.text("client_secret"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// The statuses that the independent client was answered with, in order.
pub(crate) fn statuses(report: &Value) -> Vec<u64> {
    report["attempts"].as_array().unwrap().iter().map(|attempt| attempt["status"].as_u64().unwrap()).collect()
}

/// What the tool server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) challenges: Vec<String>,
    pub(crate) body: Value,
}

pub(crate) struct ToolServer {
    _program: Program,
    pub(crate) url: String,
    audit: PathBuf,
    client: HttpsClient,
}

impl ToolServer {
    /// The tool server [`HERE`] for the tokens of `issuer`; `name` is one that no other test has.
    pub(crate) fn start(issuer: &Issuer, name: &str, flags: &[&str]) -> Self {
        let secret = issuer.text("resource_server_secret");
        Self::for_issuer(issuer.text("issuer"), secret, issuer.client.clone(), &format!("oidc-{name}"), flags)
    }

    /// The tool server [`HERE`] for the tokens of the issuer with this identifier.
    pub(crate) fn for_issuer(issuer: &str, secret: &str, client: HttpsClient, name: &str, flags: &[&str]) -> Self {
        let audit = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.audit", std::process::id()));
        let _ = std::fs::remove_dir_all(&audit);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tool-server"));
        command
            .args(["--listen", "127.0.0.1:0", "--resource", HERE, "--issuer", issuer])
            .args(flags)
            .arg("--audit")
            .arg(&audit)
            .env("TOOL_SERVER_INTROSPECTION_SECRET", secret);
        let (program, line) = start(&mut command);
        let url =
            line.split_whitespace().find(|word| word.starts_with("http://")).expect("a listening line").to_owned();
        Self { _program: program, url, audit, client }
    }

    /// The port that it listens at.
    pub(crate) fn port(&self) -> u16 {
        self.url.parse::<http::Uri>().unwrap().port_u16().unwrap()
    }

    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::from(body.to_owned()))
            .unwrap();
        let answer = self.client.send(request, 64 * 1024).await.unwrap();
        let challenges = answer.headers().get_all(WWW_AUTHENTICATE).iter();
        Answer {
            status: answer.status(),
            challenges: challenges.map(|value| value.to_str().unwrap().to_owned()).collect(),
            body: serde_json::from_slice(answer.body()).unwrap_or_default(),
        }
    }

    pub(crate) async fn whoami(&self, token: &str) -> Answer {
        self.call(Method::GET, "/whoami", token, "").await
    }

    /// The status of an answer to `token`, and the reason that the record gives.
    pub(crate) async fn outcome(&self, token: &str) -> (u16, String) {
        let answer = self.whoami(token).await;
        let code = if answer.status == StatusCode::OK { "accepted".into() } else { self.code(&answer.body) };
        (answer.status.as_u16(), code)
    }

    /// The reason that the record gives for the refusal with this body.
    pub(crate) fn code(&self, body: &Value) -> String {
        recorded_code(&self.audit, body)
    }
}

/// The reason that the log `audit` gives for the refusal with this body.
pub(crate) fn recorded_code(audit: &Path, body: &Value) -> String {
    let id = body["evaluation_id"].as_str().expect("a refusal names its record");
    let found = Log::open(audit).unwrap().find(id).unwrap();
    found.first().expect("a record of the refusal").view().unwrap().code().to_owned()
}

/// `(status, code)` as [`ToolServer::outcome`] has it.
pub(crate) fn outcome(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}
