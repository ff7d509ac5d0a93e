//! The HTTPS client: what it refuses to fetch, and what it refuses to believe.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use agentauth_core::delegation::ExchangeRequest;
use agentauth_core::{Clock as _, SubjectToken, SystemClock};
use agentauth_tower::DelegationLayer;
use agentauth_tower::client::{FetchError, HttpExchanger, HttpsClient};
use agentauth_tower::outbound::{OutboundError, TokenExchanger as _};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceExt as _};

use crate::support::{Court, RECORDS, STS, Tool, request, resource, scopes};

const MIB: usize = 1024 * 1024;

/// A server that answers every request alike, and remembers what it was sent.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn answering(answer: impl Into<String>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
    }

    pub(crate) fn on(listener: TcpListener, answer: impl Into<String>) -> Self {
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let (log, answer) = (seen.clone(), answer.into());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut read = Vec::new();
                while !is_whole(&read) && stream.read_buf(&mut read).await.unwrap() > 0 {}
                log.lock().unwrap().push(String::from_utf8_lossy(&read).into_owned());
                // A client that has seen enough hangs up.
                _ = stream.write_all(answer.as_bytes()).await;
                _ = stream.shutdown().await;
            }
        });
        Self { address, seen }
    }

    pub(crate) async fn saying(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::answering(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far; afterwards there are none.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    fn exchanger(&self) -> HttpExchanger {
        HttpExchanger::new(client(), self.url("/token").parse().unwrap())
    }
}

/// Whether a request has been read, or the beginning of a TLS handshake.
fn is_whole(read: &[u8]) -> bool {
    if read.first() == Some(&0x16) {
        return true;
    }
    let text = String::from_utf8_lossy(read);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    body.len() == length.parse::<usize>().unwrap()
}

/// Trusts no server, which plain HTTP does not need.
pub(crate) fn tls() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
}

pub(crate) fn client() -> HttpsClient {
    HttpsClient::builder().tls(tls()).allow_loopback().build().unwrap()
}

/// The header line of a JSON document.
pub(crate) const JSON: &str = "content-type: application/json\r\n";

pub(crate) fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

fn asked() -> ExchangeRequest {
    ExchangeRequest::new(SubjectToken::new("a.b.c"), resource(RECORDS)).scopes(scopes("records:read"))
}

fn answer() -> String {
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    json!({"access_token": "x.y.z", "issued_token_type": kind, "token_type": "Bearer", "expires_in": 60}).to_string()
}

/// Polls once: what needs a connection is not ready then.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a connection was attempted"),
    }
}

#[tokio::test]
async fn an_exchange_is_a_form_that_is_posted() {
    let server = Server::saying("200 OK", "", &answer()).await;
    let before = SystemClock.now();
    let issued = server.exchanger().exchange(&asked()).await.unwrap();
    assert_eq!((issued.token(), issued.scopes().to_string()), ("x.y.z", "records:read".into()));
    assert!(issued.expires().secs() >= before.plus(Duration::from_secs(60)).secs());
    let [seen] = &server.seen()[..] else { panic!("one request") };
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    lines[1..].sort_unstable();
    let host = format!("host: {}", server.address);
    let length = format!("content-length: {}", body.len());
    assert_eq!(lines, ["POST /token HTTP/1.1", &length, "content-type: application/x-www-form-urlencoded", &host]);
    assert_eq!(body, asked().to_form());
}

#[tokio::test]
async fn each_bad_answer_of_a_token_service_has_its_code() {
    let good = answer();
    let widened = good.replacen('{', "{\"scope\":\"records:read records:seal\",", 1);
    let long = good.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(MIB)), 1);
    let location = "location: /elsewhere\r\n";
    for (status, headers, body, code) in [
        ("200 OK", "", &*good, "accepted"),
        ("200 OK", "", &widened, "answer_widened"),
        ("400 Bad Request", "", "{\"error\":\"invalid_target\"}", "answer_refused"),
        ("401 Unauthorized", "", "{\"error\":\"invalid_client\"}", "answer_refused"),
        ("502 Bad Gateway", "", "<html>", "json_malformed"),
        ("302 Found", location, "", "json_malformed"),
        // RFC 8693 §2.2.1: a token comes with 200 and with nothing else.
        ("307 Temporary Redirect", location, &good, "outbound_unreachable"),
        ("500 Internal Server Error", "", &good, "outbound_unreachable"),
        ("201 Created", "", &good, "outbound_unreachable"),
        ("200 OK", "", &long, "outbound_unreachable"),
    ] {
        let server = Server::saying(status, headers, body).await;
        let result = server.exchanger().exchange(&asked()).await;
        assert_eq!(result.as_ref().map_or_else(OutboundError::code, |_| "accepted"), code, "{status} {body:.80}");
        // Nothing is asked again, there or elsewhere: the request held a token.
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_token_service_that_cannot_be_reached_sends_nothing() {
    let hangs_up = Server::answering("").await;
    for (exchanger, text) in [
        (hangs_up.exchanger(), format!("the token service could not be reached: `{}`", hangs_up.url("/token"))),
        (
            HttpExchanger::new(HttpsClient::new(tls()), "http://sts.example/token".parse().unwrap()),
            "the token service could not be reached: `http://sts.example/token` is refused".into(),
        ),
    ] {
        let tool = Tool::default();
        let layer = DelegationLayer::new(exchanger, resource(RECORDS), scopes("records:read"));
        let service = layer.subject(SubjectToken::new("a.b.c")).layer(tool.clone());
        let error = service.oneshot(request(RECORDS, &[])).await.unwrap_err();
        assert_eq!((error.code(), tool.calls().len()), ("outbound_unreachable", 0));
        assert!(error.to_string().starts_with(&text), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_https_url_is_refused_before_connecting() {
    // It listens, on loopback; but loopback is not allowed unless it is said.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let closed = HttpsClient::new(tls());
    for url in [&url, "http://sts.example/jwks", "http://127.0.0.1.nip.example/", "ftp://127.0.0.1/", "/jwks"] {
        for result in [at_once(closed.send(get(url), 9)).map(drop), at_once(closed.fetch_keys(url)).map(drop)] {
            let Err(FetchError::Url(refused)) = result else { panic!("{result:?}") };
            assert_eq!(refused, url);
        }
        let Err(error) = at_once(closed.clone().oneshot(get(url))) else { panic!("{url}") };
        assert_eq!(error.code(), "fetch_url_refused");
    }
    for (url, shown) in [("https://a b", "https://a b"), ("https://alice:secret@a.example/", "...@a.example/")] {
        let Err(FetchError::Url(refused)) = at_once(closed.fetch_keys(url)) else { panic!("{url}") };
        assert_eq!(refused, shown);
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn an_answer_is_read_to_its_limit_and_no_further() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n";
    for server in [Server::saying("200 OK", "", "0123456789").await, Server::answering(chunked).await] {
        let whole = client().send(get(&server.url("/")), 10).await.unwrap();
        assert_eq!(&whole.body()[..], b"0123456789");
        let error = client().send(get(&server.url("/")), 9).await.unwrap_err();
        assert_eq!(
            (error.code(), &*error.to_string()),
            ("fetch_oversize", &*format!("`{}` answered with more than 9 bytes", server.url("/")))
        );
    }
    // As a service, it has the limit of an answer to an agent.
    for (length, is_read) in [(MIB, true), (MIB + 1, false)] {
        let server = Server::saying("200 OK", "", &"x".repeat(length)).await;
        assert_eq!(
            client().oneshot(get(&server.url("/"))).await.is_ok_and(|answer| answer.body().len() == length),
            is_read
        );
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let elsewhere = Server::saying("200 OK", "", "elsewhere").await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}\r\n", elsewhere.url("/"));
        let server = Server::saying(&format!("{status} Moved"), &location, "").await;
        let answer = client().send(get(&server.url("/")), 9).await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        let error = client().fetch_keys(&server.url("/jwks")).await.unwrap_err();
        let FetchError::Status { uri, status: answered } = error else { panic!("{error:?}") };
        assert_eq!((uri.to_string(), answered.as_u16()), (server.url("/jwks"), status));
        assert_eq!((server.seen().len(), elsewhere.seen().len()), (2, 0));
    }
}

#[tokio::test]
async fn a_key_document_is_fetched_whole_or_not_at_all() {
    let court = Court::new();
    let jwks = court.issuer().jwks();
    let server = Server::saying("200 OK", JSON, &jwks).await;
    let keys = client().fetch_keys(&server.url("/jwks.json")).await.unwrap();
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("GET /jwks.json HTTP/1.1\r\n") && seen.contains("accept: application/json\r\n"), "{seen}");
    // And the keys are the issuer's.
    let auth = agentauth_core::AgentAuth::builder(crate::support::TOOLS)
        .issuer(agentauth_core::TrustedIssuer::rfc8693(STS, keys))
        .clock(crate::support::clock())
        .audit(court.records.clone());
    let evidence = agentauth_core::Evidence::bearer(&court.mint(&crate::support::claims()));
    assert_eq!(auth.build().unwrap().authenticate(evidence).await.unwrap().principal().subject(), "alice");

    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(agentauth_core::jose::MAX_JWKS_BYTES));
    for (status, headers, body, code) in [
        ("404 Not Found", JSON, &*jwks, "fetch_status_unexpected"),
        ("204 No Content", JSON, "", "fetch_status_unexpected"),
        ("304 Not Modified", JSON, "", "fetch_status_unexpected"),
        ("200 OK", JSON, "{\"keys\":[]}", "jwks_no_usable_key"),
        ("200 OK", JSON, "<html>", "json_malformed"),
        ("200 OK", "content-type: text/html\r\n", &*jwks, "fetch_content_type_wrong"),
        ("200 OK", "", &*jwks, "fetch_content_type_wrong"),
        ("200 OK", JSON, &*long, "fetch_oversize"),
    ] {
        let error = client().fetch_keys(&Server::saying(status, headers, body).await.url("/")).await.unwrap_err();
        assert_eq!(error.code(), code, "{status} {headers} {body:.80}");
    }
}

#[tokio::test]
async fn what_the_connection_says_is_not_an_answer() {
    let plain = Server::saying("200 OK", "", "").await;
    for url in [
        plain.url("/").replacen("http", "https", 1),
        Server::answering("").await.url("/"),
        Server::answering("no HTTP\r\n\r\n").await.url("/"),
    ] {
        let error = client().send(get(&url), 9).await.unwrap_err();
        let FetchError::Transfer { uri, .. } = &error else { panic!("{error:?}") };
        assert_eq!((error.code(), uri.to_string()), ("fetch_failed", url));
    }
}

/// The clock of the runtime jumps to the next timer when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_left_after_10_s() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", silent.local_addr().unwrap());
    let start = tokio::time::Instant::now();
    let error = client().fetch_keys(&url).await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 10);
    let FetchError::Timeout(uri) = &error else { panic!("{error:?}") };
    assert_eq!((error.code(), uri.to_string()), ("fetch_timed_out", url));
}

#[tokio::test]
async fn the_service_sends_what_it_is_given() {
    let server = Server::saying("207 Multi", "x-answer: 1\r\n", "many").await;
    let mut put = Request::new(Full::from("the body"));
    *put.method_mut() = Method::PUT;
    *put.uri_mut() = server.url("/x?y").parse().unwrap();
    put.headers_mut().insert("x-question", "2".parse().unwrap());
    let answer = client().oneshot(put).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-answer"], &answer.body()[..]),
        (207, &"1".parse().unwrap(), &b"many"[..])
    );
    let seen = server.seen().remove(0);
    assert!(
        seen.starts_with("PUT /x?y HTTP/1.1\r\n")
            && seen.contains("x-question: 2\r\n")
            && seen.ends_with("\r\n\r\nthe body")
    );
}
