//! A policy decision point elsewhere: what it is asked, and which of its answers count.

use std::future::{Future as _, pending};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use agentauth_core::policy::authzen::MAX_DECISION_BYTES;
use agentauth_core::policy::{Effect, Obligation, ReasonKind, Scenario};
use agentauth_core::{
    Action, AgentAuth, Arguments, Evidence, IssuerId, PolicyEngine, PrincipalId, Random, RandomUnavailable, Rejection,
    SpiffeId,
};
use agentauth_tower::client::AuthzenEngine;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::client::{JSON, Server, client};
use crate::support::{Counter, Court, LAWYER, STS, TOOLS, resource};

fn asking(server: &Server) -> AuthzenEngine {
    AuthzenEngine::new(client(), &server.url("")).unwrap().random(Counter::up_to(u64::MAX))
}

/// The lawyer files for alice.
fn scenario() -> Scenario {
    let alice = PrincipalId::new(IssuerId::new(STS).unwrap(), "alice");
    let lawyer: SpiffeId = LAWYER.parse().unwrap();
    let scenario = Scenario::new(resource(TOOLS), lawyer, alice, "motions:file").on("case", "2026-17");
    scenario.with(Arguments::of(&json!({"fee": 120})).unwrap())
}

async fn outcome(engine: &AuthzenEngine) -> String {
    match engine.decide(&scenario().request()).await {
        Ok(decision) => format!("{:?}", decision.effect()),
        Err(error) => error.to_string(),
    }
}

fn body_of(seen: &str) -> Value {
    serde_json::from_str(seen.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_question_is_asked_as_the_standard_has_it() {
    let server = Server::saying("200 OK", JSON, r#"{"decision":true}"#).await;
    let engine = asking(&server).bearer("a-token");
    assert_eq!(outcome(&engine).await, "Allow");
    let [seen] = &server.seen()[..] else { panic!("one request") };
    let mut lines: Vec<_> = seen.split_once("\r\n\r\n").unwrap().0.lines().map(str::to_owned).collect();
    lines[1..].sort_unstable();
    let length = seen.split_once("\r\n\r\n").unwrap().1.len();
    assert_eq!(
        lines,
        [
            "POST /access/v1/evaluation HTTP/1.1".to_owned(),
            "accept: application/json".into(),
            "authorization: Bearer a-token".into(),
            format!("content-length: {length}"),
            "content-type: application/json".into(),
            format!("host: {}", server.address),
            format!("x-request-id: {:032x}", 1),
        ]
    );
    assert_eq!(
        body_of(seen),
        json!({
            "subject": {"type": "user", "id": "alice", "properties": {"issuer": STS}},
            "action": {"name": "motions:file", "properties": {"fee": 120}},
            "resource": {"type": "case", "id": "2026-17"},
            "context": {
                "agent": {"type": "spiffe", "id": LAWYER},
                "delegation": {"mode": "on_behalf_of", "depth": 1, "issuer": STS},
                "server": TOOLS,
                "time": "1970-01-01T00:00:00Z",
            },
        })
    );
    // A token that is renewed is read at each question.
    let renewed = asking(&server).bearer_from(|| Ok("second\n".into()));
    assert_eq!(outcome(&renewed).await, "Allow");
    assert!(server.seen()[0].contains("authorization: Bearer second\r\n"));
    let plain = asking(&server);
    assert_eq!(outcome(&plain).await, "Allow");
    assert!(!server.seen()[0].contains("authorization"));
}

/// The spans that are begun.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<&'static str>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Spans {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        _: &tracing::span::Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        self.0.lock().unwrap().push(attributes.metadata().name());
    }
}

#[tokio::test]
async fn a_question_has_a_span_of_its_own() {
    let server = Server::saying("200 OK", JSON, r#"{"decision":true}"#).await;
    // Whoever is first to open a span says whether anybody wants it: after this, that is settled by whoever asks anew.
    assert_eq!(outcome(&asking(&server)).await, "Allow");
    let spans = Spans::default();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    tracing::callsite::rebuild_interest_cache();
    assert_eq!(outcome(&asking(&server)).await, "Allow");
    drop(guard);
    assert_eq!(*spans.0.lock().unwrap(), ["agentauth.authorize"]);
}

/// Whatever is no answer denies, and says why.
#[tokio::test]
async fn what_is_no_answer_denies() {
    let yes = r#"{"decision":true}"#;
    let long = format!(r#"{{"decision":true,"context":{{"x":"{}"}}}}"#, "x".repeat(MAX_DECISION_BYTES));
    let endless = format!(r#"{{"decision":true,"context":{{"x":"{}"}}}}"#, "x".repeat(2 << 20));
    let elsewhere = format!("{JSON}location: /elsewhere\r\n");
    let other = format!("{JSON}x-request-id: another\r\n");
    let same = format!("{JSON}x-request-id: {:032x}\r\n", 1);
    let twice = format!("{JSON}{JSON}");
    let obliged = |one: Value| json!({"decision": true, "context": {"obligations": one}}).to_string();
    let malformed = obliged(json!([{"type": "step-up"}]));
    for (status, headers, body, expected) in [
        ("200 OK", JSON, yes, "Allow"),
        ("200 OK", "content-type: Application/JSON; charset=utf-8\r\n", yes, "Allow"),
        ("200 OK", &*same, yes, "Allow"),
        ("200 OK", JSON, r#"{"decision":false}"#, "Deny"),
        ("200 OK", JSON, "{}", "no `decision` that is true or false"),
        ("200 OK", JSON, r#"{"decision":"true"}"#, "no `decision` that is true or false"),
        ("200 OK", JSON, r#"{"decision":false,"decision":true}"#, "member `decision` stands twice"),
        ("200 OK", JSON, "yes", "not one well-formed UTF-8 JSON object"),
        ("200 OK", JSON, "", "not one well-formed UTF-8 JSON object"),
        ("200 OK", JSON, &malformed, "an obligation of the answer cannot be met"),
        ("200 OK", JSON, &long, "answered with more than 65536 bytes"),
        ("200 OK", JSON, &endless, "answered with more than 1048576 bytes"),
        ("200 OK", "", yes, "answered with the type ``, not application/json"),
        ("200 OK", &twice, yes, "answered with the type ``, not application/json"),
        ("200 OK", "content-type: text/html\r\n", yes, "answered with the type `text/html`, not application/json"),
        ("200 OK", &other, yes, "answered another request"),
        ("201 Created", JSON, yes, "answered with status 201 Created"),
        ("302 Found", &elsewhere, yes, "answered with status 302 Found"),
        ("307 Temporary Redirect", &elsewhere, yes, "answered with status 307 Temporary Redirect"),
        ("400 Bad Request", JSON, yes, "answered with status 400 Bad Request"),
        ("401 Unauthorized", JSON, yes, "answered with status 401 Unauthorized"),
        ("500 Internal Server Error", JSON, yes, "answered with status 500 Internal Server Error"),
        ("503 Service Unavailable", JSON, yes, "answered with status 503 Service Unavailable"),
    ] {
        let server = Server::saying(status, headers, body).await;
        let found = outcome(&asking(&server).bearer("s3cret")).await;
        assert!(found.contains(expected), "{status} {headers}: {found}");
        assert!(!found.contains("s3cret"), "{found}");
        assert_eq!(server.seen().len(), 1, "asked once: {status}");
    }
    let cut = Server::answering(format!("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n{JSON}\r\n{yes}")).await;
    assert!(outcome(&asking(&cut)).await.contains("could not be fetched"));
}

/// The clock of the runtime jumps to the next timer when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_decision_point_that_does_not_answer_denies() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pdp = format!("http://{}", silent.local_addr().unwrap());
    for (timeout, took) in [
        (None, Duration::from_secs(2)),
        (Some(Duration::from_millis(300)), Duration::from_millis(300)),
        (Some(Duration::from_secs(3600)), Duration::from_secs(10)),
    ] {
        let engine = AuthzenEngine::new(client(), &pdp).unwrap();
        let engine = timeout.into_iter().fold(engine, AuthzenEngine::timeout);
        let start = tokio::time::Instant::now();
        assert!(outcome(&engine).await.contains("did not answer within"));
        assert_eq!(start.elapsed(), took);
    }
    // A client that has no bound of its own is left after 10 s, too.
    let never = tower::service_fn(|_: Request<Full<Bytes>>| pending::<Result<Response<Bytes>, std::io::Error>>());
    let engine = AuthzenEngine::new(never, &pdp).unwrap().timeout(Duration::from_secs(3600));
    let start = tokio::time::Instant::now();
    let refused = engine.decide(&scenario().request()).await.unwrap_err().to_string();
    assert!(refused.ends_with("did not answer within 10s"), "{refused}");
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test]
async fn a_decision_point_that_is_away_denies() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let engine = AuthzenEngine::new(client(), &format!("http://{gone}")).unwrap();
    assert!(outcome(&engine).await.contains("could not be fetched"));
    let all = engine.evaluate_all(&[scenario().request(), scenario().request()]).await;
    let kinds: Vec<_> = all.iter().map(|one| (one.effect(), one.reasons()[0].kind())).collect();
    assert_eq!(kinds, [(Effect::Deny, ReasonKind::PolicyFailed); 2]);
}

#[derive(Debug)]
struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomUnavailable> {
        Err(RandomUnavailable)
    }
}

/// Without what a question takes, nothing is sent.
#[tokio::test]
async fn what_cannot_be_asked_is_denied() {
    let server = Server::saying("200 OK", JSON, r#"{"decision":true}"#).await;
    for (engine, expected) in [
        (asking(&server).random(Arc::new(NoRandom)), "random"),
        (asking(&server).bearer("a\nb"), "cannot stand in a header"),
        (asking(&server).bearer_from(|| Err("it has expired".into())), "no token to ask with: it has expired"),
    ] {
        let found = outcome(&engine).await;
        assert!(found.contains(expected), "{found}");
    }
    let engine = asking(&server);
    let own = scenario().on("server", TOOLS);
    assert!(engine.decide(&own.request()).await.is_err());
    assert_eq!(server.seen(), [""; 0]);
}

#[tokio::test]
async fn two_hundred_and_fifty_six_questions_may_be_open_and_no_more() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let engine = AuthzenEngine::new(client(), &format!("http://{}", silent.local_addr().unwrap())).unwrap();
    let (scenario, clone) = (scenario(), engine.clone());
    let request = scenario.request();
    let mut open: Vec<_> = (0..256).map(|_| engine.decide(&request)).collect();
    let mut context = Context::from_waker(Waker::noop());
    assert!(open.iter_mut().all(|question| question.as_mut().poll(&mut context).is_pending()));
    let Poll::Ready(Err(refused)) = pin!(clone.decide(&request)).poll(&mut context) else { panic!("one too many") };
    assert!(refused.to_string().ends_with("256 questions are open already"), "{refused}");
    open.pop();
    assert!(pin!(clone.decide(&request)).poll(&mut context).is_pending());
}

/// What the caller gets: 403 for what is denied or cannot be met, 503 where nobody could say.
#[tokio::test]
async fn the_caller_is_told_what_became_of_it() {
    let court = Court::new();
    let oblige = |kind: &str| {
        let properties = json!({"obligation": "approval", "terms": "1h"});
        json!({"decision": true, "context": {"obligations": [{"id": "1", "type": kind, "properties": properties}]}})
    };
    for (status, answer, code, http) in [
        ("200 OK", json!({"decision": true}), "permitted", 0),
        ("200 OK", json!({"decision": false}), "policy_not_permitted", 403),
        (
            "200 OK",
            json!({"decision": false, "context": {"reasons": [{"code": "argument_outside_limit"}]}}),
            "argument_outside_limit",
            403,
        ),
        ("200 OK", oblige("step-up"), "obligation_unknown", 403),
        // A human's approval is a condition that is known, and that this server has no store for.
        ("200 OK", oblige("custom"), "approvals_none", 403),
        ("200 OK", json!({"decision": 1}), "policy_failed", 503),
        ("503 Service Unavailable", json!({"decision": true}), "policy_failed", 503),
    ] {
        let server = Server::saying(status, JSON, &answer.to_string()).await;
        let auth: AgentAuth =
            court.silent_engine(TOOLS).audit(court.records.clone()).policy(asking(&server)).build().unwrap();
        let lawyer = court.peer(LAWYER);
        let evidence = Evidence::bearer(&court.bound_token(&lawyer)).with_peer(Some(lawyer));
        let caller = auth.authenticate(evidence).await.unwrap();
        let answer = caller.authorize(Action::new("motions:file").unwrap().on("case", "2026-17")).await;
        let found =
            answer.as_ref().map_or_else(|refused| (refused.code(), refused.status().as_u16()), |_| ("permitted", 0));
        assert_eq!(found, (code, http), "{:?}", answer.as_ref().map_err(Rejection::to_string).err());
        let record = court.records.take().pop().unwrap();
        assert!(record.policy_version.as_deref().unwrap().starts_with(&server.url("")));
    }
}

/// The version of the policies there is this engine's, as far as it has been told.
#[tokio::test]
async fn the_version_is_the_last_that_was_said() {
    let said = |version: &str| json!({"decision": true, "context": {"policy_version": version}}).to_string();
    let server = Server::saying("200 OK", JSON, &said("v7")).await;
    let engine = asking(&server);
    assert_eq!(&*engine.version(), server.url(""));
    let decision = engine.decide(&scenario().request()).await.unwrap();
    assert_eq!(decision.version(), Some(&engine.version()));
    assert_eq!(&*engine.version(), format!("{} v7", server.url("")));
    let server = Server::saying("200 OK", JSON, &said(&"v".repeat(257))).await;
    let decision = asking(&server).decide(&scenario().request()).await.unwrap();
    assert_eq!(decision.version().map(|version| &**version), Some(&*server.url("")));
}

#[tokio::test]
async fn several_questions_are_one_request() {
    let answer = json!({"evaluations": [
        {"decision": true},
        {"decision": false, "context": {"reason": "sealed"}},
        {"decision": true, "context": {"obligations": [{"id": "1", "type": "step-up", "properties": {}}]}},
    ]});
    let server = Server::saying("200 OK", JSON, &answer.to_string()).await;
    let scenarios = ["1", "2", "3"].map(|id| scenario().on("case", id));
    let requests = scenarios.each_ref().map(Scenario::request);
    let decisions = asking(&server).evaluate_all(&requests).await;
    let effects: Vec<_> = decisions.iter().map(agentauth_core::Decision::effect).collect();
    assert_eq!(effects, [Effect::Allow, Effect::Deny, Effect::Allow]);
    assert_eq!(decisions[1].reasons()[0].text(), "sealed");
    assert_eq!(decisions[2].obligations(), [Obligation::Unknown("step-up".into())]);
    let [seen] = &server.seen()[..] else { panic!("one request") };
    assert!(seen.starts_with("POST /access/v1/evaluations HTTP/1.1\r\n"));
    let body = body_of(seen);
    let items = body["evaluations"].as_array().unwrap();
    let ids: Vec<_> = items.iter().map(|item| item["resource"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(body["subject"]["id"], "alice", "what is the same is said once");
    assert!(items.iter().all(|item| item.get("subject").is_none() && item.get("context").is_none()));
    assert!(asking(&server).evaluate_all(&[]).await.is_empty());
    assert_eq!(server.seen(), [""; 0]);

    let yes = json!({"decision": true});
    for (answer, expected) in [
        (json!({"evaluations": [yes, yes]}), "2 decisions for 3 evaluations"),
        (json!({"evaluations": [yes, yes, yes, yes]}), "4 decisions for 3 evaluations"),
        (json!({"evaluations": [yes, yes, {}]}), "no `decision`"),
        (json!({"evaluations": [yes, yes, {"decision": true, "context": {"obligations": 7}}]}), "cannot be met"),
        (json!({"decision": true}), "`evaluations` is missing"),
    ] {
        let server = Server::saying("200 OK", JSON, &answer.to_string()).await;
        for decision in asking(&server).evaluate_all(&requests).await {
            assert_eq!(decision.effect(), Effect::Deny, "{answer}");
            assert!(decision.reasons()[0].text().contains(expected), "{decision:?}");
        }
    }
}

/// More questions than one request may have are several requests.
#[tokio::test]
async fn many_questions_are_asked_in_parts() {
    let answer = json!({"evaluations": vec![json!({"decision": true}); 256]});
    let server = Server::saying("200 OK", JSON, &answer.to_string()).await;
    let (scenario, engine) = (scenario(), asking(&server));
    let requests = |count| -> Vec<_> { std::iter::repeat_with(|| scenario.request()).take(count).collect() };
    let all = engine.evaluate_all(&requests(512)).await;
    assert!(all.len() == 512 && all.iter().all(|one| one.effect() == Effect::Allow));
    assert_eq!(server.seen().len(), 2);
    // Of the second part, one decision is asked for, and 256 come.
    let all = engine.evaluate_all(&requests(257)).await;
    assert!(all.len() == 257 && all.iter().all(|one| one.effect() == Effect::Deny));
}

/// §9: the endpoints of a decision point are what its own metadata says.
#[tokio::test]
async fn a_decision_point_is_discovered_by_its_identifier() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pdp = format!("http://{}/tenant1", listener.local_addr().unwrap());
    let document = json!({
        "policy_decision_point": pdp, "access_evaluation_endpoint": format!("{pdp}/e"), "signed_metadata": "x", "y": [],
    });
    let answer = document.to_string();
    let length = answer.len();
    let server = Server::on(listener, format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{JSON}\r\n{answer}"));
    let engine = AuthzenEngine::discover(client(), &pdp).await.unwrap();
    assert!(server.seen()[0].starts_with("GET /.well-known/authzen-configuration/tenant1 HTTP/1.1\r\n"));
    assert_eq!(engine.identifier(), pdp);
    // The document is no decision.
    assert!(outcome(&engine).await.contains("no `decision`"));
    assert!(server.seen()[0].starts_with("POST /tenant1/e HTTP/1.1\r\n"));
    let all = engine.evaluate_all(&[scenario().request()]).await;
    assert!(all[0].reasons()[0].text().contains("no access_evaluations_endpoint"));
    assert_eq!(server.seen(), [""; 0]);
}

#[tokio::test]
async fn metadata_that_is_not_its_own_is_refused() {
    for (change, code) in [
        (("policy_decision_point", json!("https://pdp.example")), "authzen_metadata_mismatch"),
        (("access_evaluation_endpoint", json!(null)), "authzen_member_missing"),
        (("access_evaluation_endpoint", json!("no url")), "authzen_endpoint_malformed"),
        (("access_evaluation_endpoint", json!("http://10.0.0.1/e")), "fetch_address_refused"),
        (("access_evaluation_endpoint", json!("https://10.0.0.1/e")), "fetch_address_refused"),
        (("access_evaluations_endpoint", json!("https://10.0.0.1/e")), "fetch_address_refused"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pdp = format!("http://{}", listener.local_addr().unwrap());
        let mut document = json!({"policy_decision_point": pdp, "access_evaluation_endpoint": format!("{pdp}/e")});
        document[change.0] = change.1;
        let answer = document.to_string();
        let length = answer.len();
        let _server =
            Server::on(listener, format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{JSON}\r\n{answer}"));
        assert_eq!(AuthzenEngine::discover(client(), &pdp).await.unwrap_err().code(), code, "{}", change.0);
    }
    for pdp in ["", "pdp.example", "/pdp", "ftp://pdp.example", "https://u:p@pdp.example", "https://a?b", "https://a#b"]
    {
        let error = AuthzenEngine::new(client(), pdp).unwrap_err();
        assert_eq!(error.code(), "authzen_identifier_malformed", "{pdp}");
        assert!(!error.to_string().contains("u:p"), "{error}");
    }
    let server = Server::saying("404 Not Found", JSON, "{}").await;
    let code = AuthzenEngine::discover(client(), &server.url("")).await.unwrap_err().code();
    assert_eq!(code, "fetch_status_unexpected");
}

#[tokio::test]
async fn what_is_shown_of_an_engine_is_no_secret() {
    let shown = format!("{:?}", AuthzenEngine::new(client(), "http://127.0.0.1:1").unwrap().bearer("s3cret"));
    assert_eq!(shown, r#"AuthzenEngine { identifier: "http://127.0.0.1:1", timeout: 2s, .. }"#);
}
