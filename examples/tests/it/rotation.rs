//! Issuers that come late, go away, and come back with other keys.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use tokio::net::TcpListener;

use crate::support::{HERE, Issuer, ToolServer, outcome, peers};

/// Tokens are signed under this id by every key that the issuer ever has.
const FLAGS: [&str; 6] = ["--resource", HERE, "--alg", "ES256", "--kid", "the-key"];

async fn document(issuer: &Issuer) -> Bytes {
    let request = Request::get(issuer.text("jwks_uri")).body(Full::default()).unwrap();
    issuer.client.send(request, 64 * 1024).await.unwrap().into_body()
}

/// A copy of the issuer's key document at another place, where fetches are counted.
struct Copy {
    url: String,
    fetches: Arc<AtomicUsize>,
}

impl Copy {
    async fn of(issuer: &Issuer) -> Self {
        let (client, url) = (issuer.client.clone(), issuer.text("jwks_uri").to_owned());
        let fetches = Arc::new(AtomicUsize::new(0));
        let counted = fetches.clone();
        let keys = get(async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = client.send(Request::get(url).body(Full::default()).unwrap(), 64 * 1024).await;
            answer.map(|answer| ([(CONTENT_TYPE, "application/json")], answer.into_body()).into_response()).unwrap()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, Router::new().route("/keys", keys)).await });
        Self { url, fetches }
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_under_the_same_name_counts_after_one_refresh() {
    let Some(folder) = peers() else { return };
    let mut issuer = Issuer::that_comes_back(&folder, &FLAGS);
    let copy = Copy::of(&issuer).await;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rotation-{}.jwks", std::process::id()));
    std::fs::write(&file, document(&issuer).await).unwrap();
    let at_once = ["--keys-min-interval", "0"];
    let start = |name, jwks: &[&str]| ToolServer::start(&issuer, name, &[jwks, &at_once].concat());
    let followed = start("rotation-url", &["--jwks", &copy.url]);
    let servers = [start("rotation-metadata", &[]), start("rotation-file", &["--jwks", file.to_str().unwrap()])];
    let old = issuer.token(HERE).await;
    for server in servers.iter().chain([&followed]) {
        assert_eq!(server.outcome(&old).await, outcome(200, "accepted"));
    }
    assert_eq!(copy.fetches(), 1);

    // The keys that were fetched count while the issuer is away: nobody has to ask it about a token.
    issuer.stop();
    assert_eq!(followed.outcome(&old).await, outcome(200, "accepted"));
    assert_eq!(copy.fetches(), 1);

    issuer.come_back();
    std::fs::write(&file, document(&issuer).await).unwrap();
    let new = issuer.token(HERE).await;
    // Many requests come with the new key at once, and cause one fetch.
    let ask = || followed.outcome(&new);
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    assert_eq!([a, b, c, d], [(); 4].map(|()| outcome(200, "accepted")));
    assert_eq!(copy.fetches(), 2);
    for server in &servers {
        assert_eq!(server.outcome(&new).await, outcome(200, "accepted"));
    }
    // What the withdrawn key has signed does not count any more, though it was accepted before.
    for server in servers.iter().chain([&followed]) {
        assert_eq!(server.outcome(&old).await, outcome(401, "signature_invalid"));
        assert_eq!(server.outcome(&new).await, outcome(200, "accepted"));
    }
    std::fs::remove_file(&file).unwrap();
    println!("oidc-provider: another key under the same id counts after one fetch, and the one before no longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_without_its_issuer_and_answers_503_until_there_are_keys() {
    let Some(folder) = peers() else { return };
    let mut issuer = Issuer::that_comes_back(&folder, &FLAGS);
    let old = issuer.token(HERE).await;
    issuer.stop();
    let server = ToolServer::start(&issuer, "late-issuer", &["--keys-min-interval", "0"]);
    assert_eq!(server.outcome(&old).await, outcome(503, "keys_unavailable"));

    issuer.come_back();
    assert_eq!(server.outcome(&issuer.token(HERE).await).await, outcome(200, "accepted"));
    assert_eq!(server.outcome(&old).await, outcome(401, "signature_invalid"));
}
