//! Status lists over HTTP: what is asked for, what counts as one, and how many may be fetched at once.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::token::{MAX_STATUS_LIST_BYTES, StatusListError, StatusListSource as _, StatusLists};
use agentauth_core::{AgentAuth, Evidence, Rejection, TrustedIssuer};
use agentauth_tower::client::{HttpStatusLists, HttpsClient};
use serde_json::json;
use tokio::net::TcpListener;

use crate::client::{JSON, Server, client, tls};
use crate::support::{Memory, NOW, STS, TOOLS, clock};

const LIST: &str = "content-type: application/statuslist+jwt\r\n";

/// The bits 0xB9 and 0xA3 (draft-ietf-oauth-status-list §4.1).
const LST: &str = "eNrbuRgAAhcBXQ";

#[tokio::test]
async fn a_list_is_asked_for_by_its_type() {
    let server = Server::saying("200 OK", LIST, "a.b.c").await;
    assert_eq!(HttpStatusLists::new(client()).fetch(&server.url("/lists/1?x=y")).await.unwrap(), "a.b.c");
    let [seen] = &server.seen()[..] else { panic!("one request") };
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    lines[1..].sort_unstable();
    let host = format!("host: {}", server.address);
    assert_eq!((lines, body), (vec!["GET /lists/1?x=y HTTP/1.1", "accept: application/statuslist+jwt", &host], ""));
}

#[tokio::test]
async fn a_list_is_what_it_is_said_to_be_or_none() {
    let longest = "x".repeat(MAX_STATUS_LIST_BYTES);
    let over = "x".repeat(MAX_STATUS_LIST_BYTES + 1);
    let location = format!("{LIST}location: /elsewhere\r\n");
    let twice = format!("{LIST}{JSON}");
    for (status, headers, body, expected) in [
        ("200 OK", LIST, "a.b.c", "a.b.c"),
        ("200 OK", "content-type: Application/StatusList+JWT; x=y\r\n", "a.b.c", "a.b.c"),
        ("200 OK", LIST, &longest, &longest),
        ("200 OK", LIST, &over, "answered with more than 1048576 bytes"),
        ("200 OK", "", "a.b.c", "is of type ``"),
        ("200 OK", &twice, "a.b.c", "is of type ``"),
        ("200 OK", JSON, "a.b.c", "is of type `application/json`"),
        ("200 OK", "content-type: application/statuslist+cwt\r\n", "a", "is of type `application/statuslist+cwt`"),
        ("201 Created", LIST, "a.b.c", "answered with status 201 Created"),
        ("302 Found", &location, "a.b.c", "answered with status 302 Found"),
        ("404 Not Found", LIST, "a.b.c", "answered with status 404 Not Found"),
    ] {
        let server = Server::saying(status, headers, body).await;
        let found = match HttpStatusLists::new(client()).fetch(&server.url("/")).await {
            Ok(jwt) => jwt,
            Err(StatusListError::Unavailable(sentence)) => sentence.into(),
            Err(other) => panic!("{other:?}"),
        };
        assert!(found.contains(expected), "{status} {headers}: {found:.200}");
        assert_eq!(server.seen().len(), 1, "asked once: {status}");
    }
    let latin = Server::answering(format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n{LIST}\r\n\u{e9}")).await;
    let refused = HttpStatusLists::new(client()).fetch(&latin.url("/")).await.unwrap_err();
    assert!(refused.to_string().contains("is no JWT"), "{refused}");
}

/// The clock of the runtime jumps to the next timer when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_is_left_after_10_s() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let start = tokio::time::Instant::now();
    let uri = format!("http://{}/lists/1", silent.local_addr().unwrap());
    let refused = HttpStatusLists::new(client()).fetch(&uri).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    assert!(refused.to_string().ends_with("did not answer within 10 s"), "{refused}");
}

#[tokio::test]
async fn sixteen_lists_may_be_fetched_at_once_and_only_from_where_the_client_goes() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (lists, uri) = (HttpStatusLists::new(client()), format!("http://{}/", silent.local_addr().unwrap()));
    let poll = |fetch: &mut agentauth_core::token::FetchingStatus| {
        Pin::new(fetch).poll(&mut Context::from_waker(Waker::noop()))
    };
    let mut open: Vec<_> = (0..16).map(|_| lists.fetch(&uri)).collect();
    assert!(open.iter_mut().all(|fetch| poll(fetch).is_pending()));
    let Poll::Ready(Err(refused)) = poll(&mut lists.clone().fetch(&uri)) else { panic!("a fetch too many") };
    assert!(refused.to_string().contains("16 lists are being fetched already"), "{refused}");
    open.pop();
    assert!(poll(&mut lists.fetch(&uri)).is_pending());
    for uri in
        ["http://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/", "no uri", "https://u:word@a.example/"]
    {
        let refused = HttpStatusLists::new(HttpsClient::new(tls())).fetch(uri).await.unwrap_err();
        assert_eq!(refused.code(), "status_unavailable", "{uri}");
        assert!(!refused.to_string().contains("word"), "{refused}");
    }
}

#[tokio::test]
async fn the_engine_looks_tokens_up_in_a_list_that_is_fetched() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    // Its address stands in the list, so it is known first and says what it is given.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let uri = format!("{origin}/lists/1");
    let list = json!({"sub": uri, "iat": NOW, "ttl": 60, "status_list": {"bits": 1, "lst": LST}});
    let list = key.sign(TokenType::StatusList, list.to_string().as_bytes()).unwrap();
    let server = Server::on(listener, format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{LIST}\r\n{list}", list.len()));
    let lists = StatusLists::new(HttpStatusLists::new(client())).at_origin(&origin);
    let auth = AgentAuth::builder(TOOLS)
        .issuer(TrustedIssuer::rfc9068(STS, key.public_key_set().unwrap()).status_lists(lists))
        .clock(clock())
        .audit(Memory::default())
        .build()
        .unwrap();
    for (idx, expected) in
        [(0, "status_invalid"), (1, "accepted"), (15, "status_invalid"), (16, "status_index_out_of_range")]
    {
        let claims = json!({
            "iss": STS, "sub": "alice", "aud": TOOLS, "client_id": "app", "jti": idx.to_string(), "iat": NOW,
            "exp": NOW + 300, "status": {"status_list": {"idx": idx, "uri": uri}},
        });
        let token = key.sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap();
        let answer = auth.authenticate(Evidence::bearer(&token)).await;
        assert_eq!(answer.as_ref().map_or_else(Rejection::code, |_| "accepted"), expected, "{idx}");
    }
    assert_eq!(server.seen().len(), 1);
}
