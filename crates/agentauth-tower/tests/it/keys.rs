//! Live keys as a user has them: over HTTP on loopback, and from a file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agentauth_core::jose::{Algorithm, MAX_JWKS_BYTES, SigningKey, TokenType};
use agentauth_core::token::KeySource as _;
use agentauth_core::{AgentAuth, Clock, Evidence, Refusal, Timestamp, TrustedIssuer};
use agentauth_tower::client::HttpsClient;
use agentauth_tower::keys::LiveKeys;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::client::{client, tls};
use crate::support::{Memory, NOW, TOOLS, clock, with};

/// An issuer's web server, which can be told what to say.
#[derive(Clone)]
struct Site {
    address: SocketAddr,
    documents: Arc<Mutex<BTreeMap<String, String>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Site {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Self { address: listener.local_addr().unwrap(), documents: Arc::default(), seen: Arc::default() };
        let serving = site.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        site
    }

    /// Answers every request of a connection.
    async fn serve(self, mut stream: tokio::net::TcpStream) {
        let mut read = String::new();
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut bytes).await {
            read.push_str(&String::from_utf8_lossy(&bytes[..length]));
            while let Some((head, rest)) = read.split_once("\r\n\r\n") {
                let path = head.split(' ').nth(1).unwrap().to_owned();
                read = rest.to_owned();
                let document = self.documents.lock().unwrap().get(&path).cloned();
                self.seen.lock().unwrap().push(path);
                let (status, body) = document.map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                _ = stream.write_all((head + &body).as_bytes()).await;
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn put(&self, path: &str, document: String) {
        self.documents.lock().unwrap().insert(path.to_owned(), document);
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

fn jwks(key: &SigningKey) -> String {
    format!(r#"{{"keys":[{}]}}"#, key.public_jwk())
}

#[tokio::test]
async fn an_engine_follows_its_issuer_from_key_to_key() {
    let (old, new, site, clock) = (key(), key(), Site::start().await, clock());
    let issuer = site.url("/tenant");
    let metadata = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{}"}}"#, site.url("/keys"));
    site.put("/tenant/.well-known/openid-configuration", metadata);
    site.put("/keys", jwks(&old));

    let keys = LiveKeys::builder().clock(clock.clone()).discover(client(), &issuer).unwrap();
    let auth = AgentAuth::builder(TOOLS)
        .issuer(TrustedIssuer::rfc8693(&issuer, keys.clone()))
        .clock(clock.clone())
        .audit(Memory::default())
        .build()
        .unwrap();
    let claims = with("iss", &*issuer).to_string();
    let ask = async |key: &SigningKey| {
        let token = key.sign(TokenType::AccessToken, claims.as_bytes()).unwrap();
        let answer = auth.authenticate(Evidence::bearer(&token)).await;
        answer.map_or_else(|rejection| Refusal::code(rejection.refusal()), |_| "accepted")
    };

    keys.refresh(None).unwrap().await;
    assert_eq!(ask(&old).await, "accepted");
    let first = ["/.well-known/oauth-authorization-server/tenant", "/tenant/.well-known/openid-configuration", "/keys"];
    assert_eq!(site.seen(), first);

    // The issuer changes its key; the first token under it has the keys fetched, and no second one.
    site.put("/keys", jwks(&new));
    clock.advance(Duration::from_secs(60));
    keys.refresh(Some(1)).unwrap().await;
    assert_eq!((keys.generation(), ask(&new).await, ask(&old).await), (Some(2), "accepted", "key_unknown"));
    assert_eq!(site.seen(), first);
    assert!(keys.refresh(Some(2)).is_none());

    // A document that is too large changes nothing.
    site.put("/keys", format!(r#"{{"x":"{}",{}"#, "x".repeat(MAX_JWKS_BYTES), jwks(&old).trim_start_matches('{')));
    clock.advance(Duration::from_secs(60));
    keys.refresh(Some(2)).unwrap().await;
    assert_eq!((keys.generation(), ask(&new).await, site.seen().len()), (Some(2), "accepted", 3));
}

/// What the metadata says is checked like what the configuration says, and refused before any connection.
#[tokio::test]
async fn metadata_cannot_send_the_client_where_it_may_not_go() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    let site = Site::start().await;
    for jwks_uri in [
        format!("http://127.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("ftp://127.0.0.1:{port}/"),
        "https://169.254.169.254/latest/meta-data".into(),
        "http://10.0.0.1/".into(),
        "/keys".into(),
    ] {
        let issuer = site.url("");
        let metadata = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#);
        site.put("/.well-known/oauth-authorization-server", metadata);
        let keys = LiveKeys::discover(client(), &issuer).unwrap();
        keys.refresh(None).unwrap().await;
        assert!(keys.current().is_none(), "{jwks_uri}");
        assert_eq!(site.seen().len(), 1, "{jwks_uri}");
    }
    assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let closed = LiveKeys::discover(HttpsClient::new(tls()), &site.url("")).unwrap_err();
    assert_eq!(closed.code(), "fetch_url_refused");
}

/// The time of the runtime, which jumps to the next timer.
#[derive(Debug)]
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(NOW).plus(self.0.elapsed())
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.jwks", std::process::id()))
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_again_and_a_bad_one_changes_nothing() {
    let (path, old, new) = (file("reloaded"), key(), key());
    let keys = LiveKeys::builder().clock(Arc::new(Paused(Instant::now()))).from_file(&path).unwrap();
    keys.refresh(None).unwrap().await;
    assert!(keys.current().is_none(), "there is no file yet");

    std::fs::write(&path, jwks(&old)).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(keys.generation(), Some(1));

    // Half of a file, an empty one, one without keys, one that is too large, none: the last good set counts.
    let whole = jwks(&new);
    let long = format!("{}{}", " ".repeat(MAX_JWKS_BYTES), whole);
    for bad in [&whole[..whole.len() / 2], "", r#"{"keys":[]}"#, &long] {
        std::fs::write(&path, bad).unwrap();
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(keys.generation(), Some(1), "{bad:.40}");
    }
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(keys.generation(), Some(1));

    // Found by polling, at the latest a minute after failures, and every 10 s otherwise.
    std::fs::write(&path, &whole).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(keys.generation(), Some(2));
    std::fs::write(&path, jwks(&old)).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(keys.generation(), Some(3));

    // And at once if a token asks for it: no poll is due for some seconds.
    std::fs::write(&path, &whole).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(keys.generation(), Some(3));
    let asked = Instant::now();
    keys.refresh(Some(3)).unwrap().await;
    assert_eq!((keys.generation(), asked.elapsed()), (Some(4), Duration::ZERO));
    std::fs::remove_file(&path).unwrap();
}
