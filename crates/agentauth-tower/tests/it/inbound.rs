//! [`AgentAuthLayer`]: who is calling, what refusals say, and when the service is called.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use agentauth_core::audit::{AuditError, RecordKind};
use agentauth_core::policy::Effect;
use agentauth_core::token::{KeySnapshot, KeySource, Keys};
use agentauth_core::{AgentAuth, Binding, Caller, Rejection, TrustedIssuer};
use agentauth_tower::{AgentAuthLayer, ConnectionPeer};
use http::header::WWW_AUTHENTICATE;
use http::{Request, Response};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{
    Counter, Court, Failing, Held, LAWYER, NOW, STS, TOOLS, Tool, bearer, claims, clock, request, with,
};

const METADATA: &str = "Bearer resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource\"";
const FIRST_ID: &str = "00000000000000000000000000000001";

/// What goes over the wire, but for the date and the length.
pub(crate) fn on_the_wire(response: &Response<String>) -> String {
    let headers = response.headers().iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
    format!("{}\n{}\n{}", response.status().as_u16(), headers.collect::<String>(), response.body())
}

/// A refusal as it is to be answered: all of it.
pub(crate) fn refusal(status: u16, challenge: Option<&str>, error: &str, id: &str) -> String {
    let challenge = challenge.map_or_else(String::new, |challenge| format!("www-authenticate: {challenge}\n"));
    format!(
        "{status}\ncontent-type: application/json\ncache-control: no-store\n{challenge}\n\
         {{\"error\":\"{error}\",\"evaluation_id\":\"{id}\"}}"
    )
}

pub(crate) fn code_in<B>(response: &Response<B>) -> &'static str {
    response.extensions().get::<Rejection>().unwrap().code()
}

async fn send(auth: AgentAuth, tool: &Tool, request: Request<String>) -> Response<String> {
    AgentAuthLayer::new(auth).layer(tool.clone()).oneshot(request).await.unwrap()
}

/// Whoever can send a request can write baggage and a trace, so neither is a word about who they are, or for whom.
#[tokio::test]
async fn baggage_and_traces_decide_nothing() {
    let court = Court::new();
    let header = format!("Bearer {}", court.mint(&claims()));
    let baggage = "agentauth.principal=mallory,user.id=mallory,agent=spiffe://court.example/agent/judge,scope=records:seal,mode=autonomous";
    let claimed = [("baggage", baggage), ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let tool = Tool::default();
    let answer = send(court.auth(TOOLS), &tool, request("/", &claimed)).await;
    assert_eq!((answer.status().as_u16(), code_in(&answer)), (401, "no_credentials"));
    court.records.take();

    let mut records = Vec::new();
    for headers in
        [vec![("authorization", &*header)], [("authorization", &*header)].into_iter().chain(claimed).collect()]
    {
        assert_eq!(send(court.auth(TOOLS), &tool, request("/", &headers)).await.status(), 200);
        let [record] = &court.records.take()[..] else { panic!("one record") };
        records.push(serde_json::to_value(&record.delegation).unwrap());
        assert!(!serde_json::to_string(&**record).unwrap().contains("mallory"));
    }
    assert_eq!(records[0], records[1]);
}

/// Standards 3.1, the response map: the rows that are decided before any scope.
#[tokio::test]
async fn each_refusal_tells_the_caller_one_word_and_the_record_everything() {
    let court = Court::new();
    let good = court.mint(&claims());
    let header = format!("Bearer {good}");
    let bound = court.bound_token(&court.peer(LAWYER));
    let (_, other_signature) = bound.rsplit_once('.').unwrap();
    let forged = format!("{}.{other_signature}", good.rsplit_once('.').unwrap().0);
    for (request, status, error, code) in [
        (request("/", &[]), 401, "unauthenticated", "no_credentials"),
        (request("/", &[("authorization", "Basic dTpw")]), 401, "unauthenticated", "no_credentials"),
        (
            request("/", &[("authorization", &header), ("authorization", &header)]),
            400,
            "invalid_request",
            "credentials_repeated",
        ),
        (request(&format!("/?x=1&access_token={good}"), &[]), 400, "invalid_request", "credentials_in_query"),
        (request("/", &[("authorization", "Bearer")]), 400, "invalid_request", "credentials_malformed"),
        (
            request("/", &[("authorization", &format!("Bearer {good} x"))]),
            400,
            "invalid_request",
            "credentials_malformed",
        ),
        (bearer("no-token"), 401, "invalid_token", "token_not_compact"),
        (bearer(&forged), 401, "invalid_token", "signature_invalid"),
        (bearer(&Court::new().mint(&claims())), 401, "invalid_token", "key_unknown"),
        (bearer(&court.mint(&with("exp", NOW - 60))), 401, "invalid_token", "token_expired"),
        (bearer(&court.mint(&with("iss", "https://evil.example"))), 401, "invalid_token", "issuer_untrusted"),
        (bearer(&court.mint(&with("aud", "https://records.example"))), 401, "invalid_token", "audience_wrong"),
        (bearer(&bound), 401, "invalid_token", "binding_certificate_missing"),
    ] {
        let tool = Tool::default();
        let answer = send(court.auth(TOOLS), &tool, request).await;
        let challenge = match error {
            "unauthenticated" => METADATA.to_owned(),
            error => format!("{METADATA}, error=\"{error}\""),
        };
        // Nothing but this: no reason, no code, and no part of a token.
        assert_eq!(on_the_wire(&answer), refusal(status, Some(&challenge), error, FIRST_ID), "{code}");
        assert_eq!(code_in(&answer), code);
        let record = court.records.only();
        assert_eq!((record.kind, record.effect, record.code), (RecordKind::Authentication, Effect::Deny, code));
        assert_eq!(&*record.evaluation_id, FIRST_ID);
        assert_eq!(tool.calls().len(), 0, "{code}");
    }
}

#[tokio::test]
async fn what_is_unavailable_is_503_without_a_challenge() {
    #[derive(Debug)]
    struct Unreachable;
    impl KeySource for Unreachable {
        fn current(&self) -> Option<KeySnapshot> {
            None
        }
    }
    let court = Court::new();
    let keyless = AgentAuth::builder(TOOLS)
        .issuer(TrustedIssuer::rfc8693(STS, Keys::from_source(Unreachable)))
        .clock(clock())
        .random(Counter::up_to(2));
    let unlucky = court.silent_engine(TOOLS).random(Counter::up_to(0));
    // Of two sinks, each must take the record.
    let full = court.silent_engine(TOOLS).audit(court.records.clone()).audit(Failing);
    for (auth, id, code) in [
        (keyless.audit(court.records.clone()), "00000000000000000000000000000002", "keys_unavailable"),
        (unlucky.audit(court.records.clone()), "unavailable", "random_unavailable"),
        (full, FIRST_ID, "audit_unavailable"),
    ] {
        let tool = Tool::default();
        let answer = send(auth.build().unwrap(), &tool, bearer(&court.mint(&claims()))).await;
        assert_eq!(on_the_wire(&answer), refusal(503, None, "temporarily_unavailable", id), "{code}");
        assert_eq!((code_in(&answer), tool.calls().len()), (code, 0));
        // A sink that did take the record is told that it was refused after all.
        let taken = court.records.take();
        assert!(taken.iter().all(|record| &*record.evaluation_id == id), "{taken:?}");
        assert_eq!(taken.last().map(|record| record.code), Some(code));
    }
}

#[tokio::test]
async fn a_refusal_that_cannot_be_recorded_is_503_too() {
    let court = Court::new();
    let auth = court.silent_engine(TOOLS).audit(Failing).build().unwrap();
    let answer = send(auth, &Tool::default(), request("/", &[])).await;
    assert_eq!(on_the_wire(&answer), refusal(503, None, "temporarily_unavailable", FIRST_ID));
    assert_eq!(code_in(&answer), "audit_unavailable");
}

#[tokio::test]
async fn a_verified_request_reaches_the_service_as_it_was_sent() {
    let court = Court::new();
    let token = court.mint(&claims());
    let tool = service_fn(async |request: Request<String>| {
        let caller = request.extensions().get::<Caller>().unwrap();
        let text = format!("{} for {}, {}", caller.agent(), caller.principal().subject(), caller.evaluation_id());
        assert_eq!(request.extensions().get::<AgentAuth>().unwrap().resource().as_str(), TOOLS);
        assert_eq!((request.method().as_str(), request.uri().path(), request.headers().len()), ("POST", "/x", 2));
        Ok::<_, Infallible>(Response::new(format!("{text}: {}", request.body())))
    });
    let mut request = request("/x", &[("authorization", &format!("bearer {token}")), ("x-other", "1")]);
    *request.method_mut() = http::Method::POST;
    let answer = AgentAuthLayer::new(court.auth(TOOLS)).layer(tool).oneshot(request).await.unwrap();
    assert_eq!(on_the_wire(&answer), format!("200\n\n{LAWYER} for alice, {FIRST_ID}: the body"));
    assert!(answer.extensions().get::<Rejection>().is_none());
    assert_eq!(&*court.records.only().evaluation_id, FIRST_ID);
}

#[tokio::test]
async fn an_optional_layer_lets_pass_who_shows_nothing_and_refuses_who_shows_something_bad() {
    let court = Court::new();
    let layer = AgentAuthLayer::new(court.auth(TOOLS)).optional();
    let tool = Tool::default();
    for mut absent in [request("/", &[]), request("/", &[("authorization", "Basic dTpw")])] {
        // Whom another engine has verified is no caller here.
        absent.extensions_mut().insert(court.caller().await);
        let answer = layer.layer(tool.clone()).oneshot(absent).await.unwrap();
        assert_eq!(on_the_wire(&answer), "200\n\ndone");
        let extensions = tool.calls().remove(0).extensions;
        assert!(extensions.get::<Caller>().is_none() && extensions.get::<AgentAuth>().is_some());
        assert_eq!(court.records.codes(), [""; 0]);
    }
    for (bad, code) in [
        (bearer("no-token"), "token_not_compact"),
        (request("/", &[("authorization", "Bearer ")]), "credentials_malformed"),
        (request("/?access_token=a", &[]), "credentials_in_query"),
        (request("/", &[("authorization", "Basic a"), ("authorization", "Basic b")]), "credentials_repeated"),
        (request("/", &[("authorization", "Basic a, Bearer b")]), "credentials_repeated"),
        (bearer(&court.mint(&with("exp", NOW - 60))), "token_expired"),
    ] {
        let answer = layer.layer(tool.clone()).oneshot(bad).await.unwrap();
        assert_eq!((code_in(&answer), tool.calls().len()), (code, 0));
        assert_eq!(court.records.codes(), [code]);
    }
    let answer = layer.layer(tool.clone()).oneshot(bearer(&court.mint(&claims()))).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(tool.calls().remove(0).extensions.get::<Caller>().is_some());
}

#[tokio::test]
async fn the_connection_is_known_by_its_extension_and_never_by_a_header() {
    let court = Court::new();
    let [lawyer, renewed, clerk] = [LAWYER, LAWYER, "spiffe://court.example/agent/clerk"].map(|id| court.peer(id));
    let token = court.bound_token(&lawyer);
    let tool = Tool::default();
    for (peer, code) in [
        (None, "binding_certificate_missing"),
        (Some(&renewed), "binding_certificate_mismatch"),
        (Some(&clerk), "binding_certificate_mismatch"),
    ] {
        let hash: String = lawyer.thumbprint().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut request = request(
            "/",
            &[
                ("authorization", &format!("Bearer {token}")),
                ("x-forwarded-client-cert", &format!("Hash={hash};URI={LAWYER}")),
                ("client-cert", ":MIIB:"),
                ("x-ssl-client-verify", "SUCCESS"),
            ],
        );
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectionPeer(peer.clone()));
        }
        let answer = send(court.auth(TOOLS), &tool, request).await;
        assert_eq!((answer.status().as_u16(), code_in(&answer), tool.calls().len()), (401, code, 0));
        let record = court.records.only();
        assert_eq!((record.code, record.peer.as_ref()), (code, peer.map(|peer| peer.id())));
    }
    let mut request = bearer(&token);
    request.extensions_mut().insert(ConnectionPeer(lawyer.clone()));
    assert_eq!(send(court.auth(TOOLS), &tool, request).await.status(), 200);
    let caller = tool.calls().remove(0).extensions.remove::<Caller>().unwrap();
    assert_eq!((caller.delegation().binding(), caller.peer()), (Binding::MutualTls, Some(&lawyer.into())));
}

/// A token that is bound to nothing still names its agent, who must then be the one at the other end.
#[tokio::test]
async fn the_agent_of_the_token_must_be_the_agent_of_the_connection() {
    let court = Court::new();
    let mut request = bearer(&court.mint(&claims()));
    request.extensions_mut().insert(ConnectionPeer(court.peer("spiffe://court.example/agent/clerk")));
    let tool = Tool::default();
    let answer = send(court.auth(TOOLS), &tool, request).await;
    assert_eq!((answer.status().as_u16(), code_in(&answer), tool.calls().len()), (401, "actor_is_not_peer", 0));
}

#[test]
fn the_service_is_called_once_and_only_after_the_record_is_taken() {
    let court = Court::new();
    let (held, tool) = (Held::default(), Tool::default());
    let auth = court.silent_engine(TOOLS).audit(held.clone()).audit(court.records.clone()).build().unwrap();
    let mut answer = pin!(send(auth, &tool, bearer(&court.mint(&claims()))));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(answer.as_mut().poll(&mut context).is_pending());
        assert_eq!((tool.calls().len(), held.waiting()), (0, 1));
    }
    held.release(Ok(()));
    let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still pending") };
    assert_eq!((answer.status().as_u16(), tool.calls().len(), held.waiting()), (200, 1, 0));
    assert_eq!(court.records.codes(), ["allowed"]);
}

#[test]
fn a_record_that_fails_late_refuses_and_one_that_nobody_waits_for_calls_nothing() {
    let court = Court::new();
    let (held, tool) = (Held::default(), Tool::default());
    let auth = court.silent_engine(TOOLS).audit(held.clone()).build().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut answer = Box::pin(send(auth.clone(), &tool, bearer(&court.mint(&claims()))));
    assert!(answer.as_mut().poll(&mut context).is_pending());
    held.release(Err(AuditError::Write("disk".into())));
    let Poll::Ready(refused) = answer.as_mut().poll(&mut context) else { panic!("still pending") };
    assert_eq!(on_the_wire(&refused), refusal(503, None, "temporarily_unavailable", FIRST_ID));
    assert_eq!((code_in(&refused), tool.calls().len()), ("audit_unavailable", 0));
    let corrections = held.waiting();

    let mut abandoned = Box::pin(send(auth, &tool, bearer(&court.mint(&claims()))));
    assert!(abandoned.as_mut().poll(&mut context).is_pending());
    drop(abandoned);
    assert_eq!((held.waiting(), tool.calls().len()), (corrections + 1, 0));
}

#[test]
fn a_refusal_waits_for_its_record() {
    let court = Court::new();
    let (held, tool) = (Held::default(), Tool::default());
    let auth = court.silent_engine(TOOLS).audit(held.clone()).build().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut answer = pin!(send(auth, &tool, bearer("no-token")));
    assert!(answer.as_mut().poll(&mut context).is_pending());
    held.release(Ok(()));
    let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still pending") };
    assert_eq!((code_in(&answer), tool.calls().len()), ("token_not_compact", 0));
}

#[tokio::test]
async fn one_service_serves_many_requests_each_by_its_own_evidence() {
    let court = Court::new();
    let tool = Tool::default();
    let mut service = AgentAuthLayer::new(court.auth(TOOLS)).layer(tool.clone());
    for (request, status) in
        [(bearer(&court.mint(&claims())), 200), (request("/", &[]), 401), (bearer(&court.mint(&claims())), 200)]
    {
        // The clone that is left behind is not ready: `Tool` sees to it that it is not called.
        let answer = ServiceExt::<Request<String>>::ready(&mut service).await.unwrap().call(request).await.unwrap();
        assert_eq!(answer.status(), status);
    }
    assert_eq!((tool.calls().len(), court.records.codes()), (2, vec!["allowed", "no_credentials", "allowed"]));
}

#[tokio::test]
async fn the_error_of_the_service_is_passed_on() {
    let court = Court::new();
    let broken = service_fn(async |_: Request<String>| Err::<Response<String>, _>("broken"));
    let layer = AgentAuthLayer::new(court.auth(TOOLS)).optional();
    for request in [bearer(&court.mint(&claims())), request("/", &[])] {
        assert_eq!(layer.layer(broken).oneshot(request).await.unwrap_err(), "broken");
    }
}

#[tokio::test]
async fn there_is_one_challenge() {
    let court = Court::new();
    let answer = send(court.auth(TOOLS), &Tool::default(), request("/", &[])).await;
    assert_eq!(answer.headers().get_all(WWW_AUTHENTICATE).iter().count(), 1);
}
