//! Questions about opaque tokens: what is sent, what counts as an answer, and how many may be open.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use agentauth_core::token::profile::Rfc9068;
use agentauth_core::token::{
    Introspecting, Introspection, IntrospectionAnswer, IntrospectionUnavailable, Introspector as _, MAX_ANSWER_BYTES,
};
use agentauth_core::{AgentAuth, Evidence, TrustedIssuer};
use agentauth_tower::client::{HttpIntrospector, HttpsClient};
use serde_json::json;
use tokio::net::TcpListener;

use crate::client::{JSON, Server, client, tls};
use crate::support::{Memory, NOW, STS, TOOLS, clock};

const JWT: &str = "content-type: application/token-introspection+jwt\r\n";

const SECRET: &str = "a secret: +/%&é";

fn asking(endpoint: &str) -> HttpIntrospector {
    HttpIntrospector::with_secret(client(), endpoint, "tools:1", SECRET).unwrap()
}

/// The lines of the one request, sorted after the first, and its body.
fn only_request(server: &Server) -> (Vec<String>, String) {
    let [seen] = &server.seen()[..] else { panic!("one request") };
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    lines[1..].sort_unstable();
    (lines, body.to_owned())
}

fn poll(question: &mut Introspecting) -> Poll<Result<IntrospectionAnswer, IntrospectionUnavailable>> {
    Pin::new(question).poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_question_is_a_form_from_a_client_that_proves_itself() {
    let server = Server::saying("200 OK", JSON, "{}").await;
    let certificate = HttpIntrospector::with_certificate(client(), &server.url("/introspect"), "tools&1").unwrap();
    // `printf 'tools%%3A1:a+secret%%3A+%%2B%%2F%%25%%26%%C3%%A9' | base64`
    let basic = "authorization: Basic dG9vbHMlM0ExOmErc2VjcmV0JTNBKyUyQiUyRiUyNSUyNiVDMyVBOQ==";
    let form = "token=a+b%26c%3D&token_type_hint=access_token";
    for (introspector, accept, basic, body) in [
        (asking(&server.url("/introspect")), "application/json", Some(basic), form.to_owned()),
        (
            asking(&server.url("/introspect")).signed(),
            "application/token-introspection+jwt",
            Some(basic),
            form.to_owned(),
        ),
        (certificate, "application/json", None, format!("{form}&client_id=tools%261")),
    ] {
        introspector.introspect("a b&c=").await.unwrap();
        let mut expected = vec![format!("accept: {accept}")];
        expected.extend(basic.map(str::to_owned));
        expected.push(format!("content-length: {}", body.len()));
        expected.push("content-type: application/x-www-form-urlencoded".into());
        expected.push(format!("host: {}", server.address));
        expected.insert(0, "POST /introspect HTTP/1.1".into());
        assert_eq!(only_request(&server), (expected, body));
    }
}

#[tokio::test]
async fn an_answer_is_what_it_is_said_to_be_or_none() {
    let longest = "x".repeat(MAX_ANSWER_BYTES);
    let over = "x".repeat(MAX_ANSWER_BYTES + 1);
    let twice = format!("{JSON}{JWT}");
    let location = format!("{JSON}location: /elsewhere\r\n");
    for (status, headers, body, expected) in [
        ("200 OK", JSON, "{}", "json"),
        ("200 OK", "content-type: Application/JSON; charset=utf-8\r\n", "{}", "json"),
        ("200 OK", JWT, "a.b.c", "jwt"),
        ("200 OK", JSON, &longest, "json"),
        ("200 OK", JSON, &over, "answered with more than 65536 bytes"),
        ("200 OK", "", "{}", "the answer is of type ``, neither"),
        ("200 OK", &twice, "{}", "the answer is of type ``, neither"),
        ("200 OK", "content-type: application/jwt\r\n", "a.b.c", "the answer is of type `application/jwt`, neither"),
        ("200 OK", "content-type: text/json\r\n", "{}", "the answer is of type `text/json`, neither"),
        ("200 OK", "content-type: application/x+json\r\n", "{}", "the answer is of type `application/x+json`, neither"),
        ("201 Created", JSON, "{\"active\":true}", "answered with status 201 Created"),
        ("307 Temporary Redirect", &location, "{\"active\":true}", "answered with status 307 Temporary Redirect"),
        ("401 Unauthorized", JSON, "{\"active\":true}", "answered with status 401 Unauthorized"),
        ("500 Internal Server Error", JSON, "{\"active\":true}", "answered with status 500 Internal Server Error"),
    ] {
        let server = Server::saying(status, headers, body).await;
        let answer = asking(&server.url("/")).introspect("opaque-token").await;
        let found = match answer {
            Ok(IntrospectionAnswer::Json(bytes)) if bytes == body.as_bytes() => "json".into(),
            Ok(IntrospectionAnswer::Jwt(text)) if text == body => "jwt".into(),
            Ok(other) => panic!("{other:?}"),
            Err(IntrospectionUnavailable(sentence)) => sentence,
        };
        assert!(found.contains(expected), "{status} {headers}: {found}");
        assert!(!found.contains("opaque-token") && !found.contains("secret"), "{found}");
        assert_eq!(server.seen().len(), 1, "asked once: {status}");
    }
    let latin = Server::answering(format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n{JWT}\r\n\u{e9}")).await;
    let refused = asking(&latin.url("/")).introspect("t").await.unwrap_err();
    assert_eq!(&*refused.0, "the answer is no JWT");
}

/// The clock of the runtime jumps to the next timer when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn an_issuer_that_does_not_answer_is_left_after_10_s() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/introspect", silent.local_addr().unwrap());
    let start = tokio::time::Instant::now();
    let refused = asking(&endpoint).introspect("t").await.unwrap_err();
    assert_eq!(
        (start.elapsed(), &*refused.0),
        (Duration::from_secs(10), &*format!("`{endpoint}` did not answer within 10 s"))
    );
}

#[tokio::test]
async fn sixty_four_questions_may_be_open_and_no_more() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let introspector = asking(&format!("http://{}/", silent.local_addr().unwrap()));
    let mut open: Vec<_> = (0..64).map(|number| introspector.introspect(&number.to_string())).collect();
    assert!(open.iter_mut().all(|question| poll(question).is_pending()));
    // A clone asks the same issuer.
    for mut over in [introspector.introspect("t"), introspector.clone().signed().introspect("t")] {
        let Poll::Ready(Err(refused)) = poll(&mut over) else { panic!("a question too many") };
        assert!(refused.0.starts_with("64 questions to `http://"), "{refused}");
    }
    open.pop();
    assert!(poll(&mut introspector.introspect("t")).is_pending());
}

#[test]
fn what_is_shown_of_an_introspector_is_no_secret() {
    let shown = format!("{:?}", asking("http://127.0.0.1:1/introspect"));
    assert_eq!(
        shown,
        r#"HttpIntrospector { endpoint: "http://127.0.0.1:1/introspect", accept: "application/json", .. }"#
    );
    for (endpoint, code) in [
        ("http://127.0.0.1/", "fetch_url_refused"),
        ("https://alice:word@sts.example/", "fetch_url_refused"),
        ("https://10.0.0.1/", "fetch_address_refused"),
        ("no url", "fetch_url_refused"),
    ] {
        let error = HttpIntrospector::with_secret(HttpsClient::new(tls()), endpoint, "tools", SECRET).unwrap_err();
        assert_eq!(error.code(), code, "{endpoint}");
        assert!(!error.to_string().contains("word"), "{error}");
    }
}

#[tokio::test]
async fn the_engine_takes_the_issuers_word_for_an_opaque_token() {
    let claims = json!({
        "active": true, "iss": STS, "sub": "alice", "aud": TOOLS, "client_id": "app", "scope": "records:read",
        "iat": NOW, "exp": NOW + 300,
    })
    .to_string();
    for (status, body, code) in [
        ("200 OK", &*claims, "accepted"),
        ("200 OK", r#"{"active":false}"#, "token_inactive"),
        ("503 Service Unavailable", &claims, "introspection_unavailable"),
    ] {
        let (server, records) = (Server::saying(status, JSON, body).await, Memory::default());
        let introspection = Introspection::new(asking(&server.url("/introspect")));
        let auth = AgentAuth::builder(TOOLS)
            .issuer(TrustedIssuer::introspected(STS, introspection, Rfc9068::default()))
            .clock(clock())
            .audit(records.clone())
            .build()
            .unwrap();
        let answer = auth.authenticate(Evidence::bearer("an-opaque-token")).await;
        assert_eq!(answer.as_ref().map_or_else(agentauth_core::Rejection::code, |_| "accepted"), code);
        assert_eq!(records.take().len(), 1);
    }
}
