//! The tool server with its identity and its bundles in files that are replaced while it runs.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::identity::svid::X509Identity;
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::{Clock as _, SystemClock};
use agentauth_examples::ca::Ca;
use agentauth_spiffe::client::{SvidClient, SvidClientError};
use agentauth_spiffe::tls::Servers;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::support::{HERE, Program, start};

const ISSUER: &str = "https://sts.example.com";

/// A volume of csi-driver-spiffe, a bundle, and the issuer's keys.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("svid-files-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::create_dir(path.join("svid")).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// Swaps the whole volume at once, as the driver does.
    fn publish(&self, version: &str, identity: &X509Identity) {
        let volume = self.0.join("svid");
        let (new, link) = (format!("..{version}"), volume.join("..data_tmp"));
        fs::create_dir(volume.join(&new)).unwrap();
        let chain: String = identity.chain().iter().map(|der| pem("CERTIFICATE", der)).collect();
        fs::write(volume.join(&new).join("tls.crt"), chain).unwrap();
        let key = pem("PRIVATE KEY", identity.private_key().secret_der());
        fs::write(volume.join(&new).join("tls.key"), key).unwrap();
        std::os::unix::fs::symlink(&new, &link).unwrap();
        fs::rename(link, volume.join("..data")).unwrap();
        for name in ["tls.crt", "tls.key"] {
            _ = std::os::unix::fs::symlink(Path::new("..data").join(name), volume.join(name));
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A client that shows `agent`, and expects `server`.
fn client(ca: &Ca, agent: &Arc<X509Identity>, server: &X509Identity) -> SvidClient {
    let builder = SvidClient::builder(agent.clone(), ca.bundles().unwrap(), Servers::exactly(server.id().clone()));
    builder.allow_loopback().build().unwrap()
}

/// A token for this server that counts on connections of `agent` only.
fn token(key: &SigningKey, agent: &X509Identity) -> String {
    let now = SystemClock.now().secs();
    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &agent.chain()[0]));
    let claims = json!({
        "iss": ISSUER, "aud": HERE, "sub": "alice", "client_id": "lawyer", "jti": "1", "iat": now, "exp": now + 600,
        "scope": "tools:add", "cnf": {"x5t#S256": thumbprint},
    });
    key.sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap()
}

/// What the server answers: its status, and its body.
async fn whoami(client: &SvidClient, url: &str, token: &str) -> Result<(StatusCode, Value), SvidClientError> {
    let request = Request::get(format!("{url}/whoami")).header(AUTHORIZATION, format!("Bearer {token}"));
    let answer = client.send(request.body(Full::default()).unwrap(), 64 * 1024).await?;
    Ok((answer.status(), serde_json::from_slice(answer.body()).unwrap()))
}

/// Asks until the server has noticed that a file was replaced, which it does long before its next look.
async fn until(client: &SvidClient, url: &str, token: &str, expected: Option<StatusCode>) {
    let asking = async {
        loop {
            let answer = whoami(client, url, token).await.ok();
            if answer.map(|(status, _)| status) == expected {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap_or_else(|_| panic!("never {expected:?}"));
}

#[tokio::test]
async fn identity_and_bundles_change_without_a_restart() {
    let folder = Folder::new("rotation");
    let (ca, other) = (Ca::new("court.example").unwrap(), Ca::new("court.example").unwrap());
    let [one, two, agent] = ["/server/one", "/server/two", "/agent/lawyer"].map(|path| ca.mint(path).unwrap());
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    folder.write("keys.json", &format!(r#"{{"keys":[{}]}}"#, key.public_jwk()));
    folder.write("roots.pem", &ca.root_pem());
    folder.publish("1", &one);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tool-server"));
    command
        .args(["--listen", "127.0.0.1:0", "--resource", HERE, "--issuer", ISSUER, "--require-binding", "/whoami"])
        .args(["--jwks", &folder.path("keys.json"), "--svid-dir", &folder.path("svid")])
        .args(["--bundle", &format!("court.example={}", folder.path("roots.pem"))]);
    let (_server, line) = start(&mut command);
    let url = line.split_whitespace().find(|word| word.starts_with("https://")).expect("a listening line");
    let token = token(&key, &agent);

    let (first, second) = (client(&ca, &agent, &one), client(&ca, &agent, &two));
    let (status, body) = whoami(&first, url, &token).await.unwrap();
    assert_eq!(
        (status, &body["peer"]["id"]),
        (StatusCode::OK, &json!("spiffe://court.example/agent/lawyer")),
        "{body}"
    );
    assert_eq!(whoami(&second, url, &token).await.unwrap_err().code(), "server_not_expected");

    folder.publish("2", &two);
    until(&second, url, &token, Some(StatusCode::OK)).await;
    // What was connected stays connected.
    assert_eq!(whoami(&first, url, &token).await.unwrap().0, StatusCode::OK);

    // The root is withdrawn: whom it vouched for is nobody, on connections that were made before too.
    folder.write("roots.pem", &other.root_pem());
    until(&second, url, &token, Some(StatusCode::UNAUTHORIZED)).await;
    until(&client(&ca, &agent, &two), url, &token, None).await;
    folder.write("roots.pem", &ca.root_pem());
    until(&client(&ca, &agent, &two), url, &token, Some(StatusCode::OK)).await;
}

/// What the log says until the server listens.
#[test]
fn a_server_whose_own_agents_are_refused_says_so_at_its_start() {
    let folder = Folder::new("own");
    let (ca, misspelt) = (Ca::new("court.example").unwrap(), Ca::new("court.exmaple").unwrap());
    folder.write(
        "keys.json",
        &format!(r#"{{"keys":[{}]}}"#, SigningKey::generate(Algorithm::Es256).unwrap().public_jwk()),
    );
    folder.write("own.pem", &ca.root_pem());
    folder.write("other.pem", &misspelt.root_pem());
    folder.publish("1", &ca.mint("/server/one").unwrap());
    let own = format!("court.example={}", folder.path("own.pem"));
    let other = format!("court.exmaple={}", folder.path("other.pem"));
    let refused = "no bundle for this server's own trust domain court.example (bundles: court.exmaple); its agents";
    for (bundles, expected) in [
        (vec!["--bundle", &*own], None),
        (vec!["--bundle", &*other], Some(refused)),
        (vec![], Some("no bundle at all: no agent is believed")),
    ] {
        let log = fs::File::create(folder.0.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tool-server"));
        command
            .args(["--listen", "127.0.0.1:0", "--resource", HERE, "--issuer", ISSUER])
            .args(["--jwks", &folder.path("keys.json"), "--svid-dir", &folder.path("svid")])
            .args(&bundles)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut server = Program(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listening"), "{line}");
        let log = fs::read_to_string(folder.0.join("log")).unwrap();
        assert_eq!(log.contains("WARN"), expected.is_some(), "{log}");
        assert!(expected.is_none_or(|expected| log.matches(expected).count() == 1), "{log}");
    }
}
