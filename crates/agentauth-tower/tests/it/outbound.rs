//! [`DelegationLayer`]: what is sent to the next server, and what is not.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use agentauth_core::delegation::{ExchangeRequest, IssuedToken};
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::policy::Effect;
use agentauth_core::{AgentId, Authority, Caller, Evidence, ScopeSet, SubjectToken, Timestamp};
use agentauth_tower::outbound::{Delegator, Holder, InProcess, NextHop, OutboundError, TokenExchanger};
use agentauth_tower::{AgentAuthLayer, DelegationLayer};
use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{
    Court, Failing, LAWYER, NOW, RECORDS, TOOL_SERVER, TOOLS, Tool, bearer, clock, request, resource, scopes,
};

const URI: &str = "https://records.example/api/2026-17?page=2";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Asks another exchanger, and counts how often.
#[derive(Debug, Clone)]
struct Counting {
    inner: Arc<dyn TokenExchanger>,
    count: Arc<AtomicUsize>,
}

impl Counting {
    fn new(inner: impl TokenExchanger + 'static) -> Self {
        Self { inner: Arc::new(inner), count: Arc::default() }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl TokenExchanger for Counting {
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError> {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.inner.exchange(request).await
    }

    fn holder(&self) -> Result<Holder, OutboundError> {
        self.inner.holder()
    }
}

/// A token service elsewhere, whose answer is this.
#[derive(Debug)]
struct Answering(String);

#[async_trait]
impl TokenExchanger for Answering {
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError> {
        Ok(request.read_answer(self.0.as_bytes(), Timestamp::from_secs(NOW))?)
    }
}

/// The token service in this process, as `client` uses it.
fn in_process(court: &Court, client: &Arc<X509Svid>) -> Counting {
    Counting::new(InProcess::new(court.service(), client.clone()))
}

/// A layer that delegates the reading of records.
fn reading(exchanger: &Counting) -> DelegationLayer {
    delegating(exchanger.clone(), RECORDS, "records:read")
}

fn delegating(exchanger: impl TokenExchanger + 'static, audience: &str, asked: &str) -> DelegationLayer {
    let delegator = Delegator::builder(exchanger).clock(clock()).build();
    DelegationLayer::through(delegator, hop(audience, asked))
}

fn hop(audience: &str, asked: &str) -> NextHop {
    NextHop::new(resource(audience), Authority::of_scopes(scopes(asked))).unwrap()
}

async fn send(
    layer: &DelegationLayer,
    tool: &Tool,
    request: Request<String>,
) -> Result<Response<String>, OutboundError> {
    layer.layer(tool.clone()).oneshot(request).await
}

fn token_in(sent: &Parts) -> &str {
    let mut values = sent.headers.get_all(AUTHORIZATION).iter();
    let value = values.next().unwrap();
    assert!(value.is_sensitive() && values.next().is_none());
    value.to_str().unwrap().strip_prefix("Bearer ").unwrap()
}

async fn code_at(court: &Court, server: &str, token: &str, peer: &Arc<X509Svid>) -> &'static str {
    let evidence = Evidence::bearer(token).with_peer(Some(peer.clone()));
    court.auth(server).authenticate(evidence).await.map_or_else(|rejection| rejection.code(), |_| "accepted")
}

#[tokio::test]
async fn the_token_that_is_sent_counts_at_its_audience_only() {
    let court = Court::new();
    let lawyer = court.peer(LAWYER);
    let tool = Tool::default();
    let layer = reading(&in_process(&court, &lawyer)).subject(court.consent("alice"));
    let answer = send(&layer, &tool, request(URI, &[])).await.unwrap();
    assert_eq!((answer.status().as_u16(), &**answer.body()), (200, "done"));

    let sent = tool.calls().remove(0);
    let evidence = Evidence::bearer(token_in(&sent)).with_peer(Some(lawyer.clone()));
    let caller = court.auth(RECORDS).authenticate(evidence).await.unwrap();
    assert_eq!((caller.agent().name(), caller.principal().subject()), (LAWYER, "alice"));
    // The consent holds more.
    assert_eq!(
        (caller.scopes().to_string(), caller.delegation().audience()),
        ("records:read".into(), &resource(RECORDS))
    );
    for other in
        [TOOLS, "https://records.example", "https://records.example/api/", "https://records.example/api/2026-17"]
    {
        assert_eq!(code_at(&court, other, token_in(&sent), &lawyer).await, "audience_wrong", "{other}");
    }
    // It is the sender's own: nobody else can send it again.
    let thief = court.peer("spiffe://court.example/agent/thief");
    assert_eq!(code_at(&court, RECORDS, token_in(&sent), &thief).await, "binding_certificate_mismatch");
}

#[tokio::test]
async fn copies_of_the_inbound_header_are_overwritten_and_the_rest_is_left_alone() {
    let court = Court::new();
    let lawyer = court.peer(LAWYER);
    let inbound = court.bound_token(&lawyer);
    let copy = format!("Bearer {inbound}");
    let mut request = request(
        URI,
        &[
            ("authorization", &copy),
            ("x-other", "1"),
            ("authorization", &copy),
            ("authorization", "Basic a"),
            ("host", "other-tenant.example"),
            ("dpop", "e30.e30.AA"),
            ("txn-token", "e30.e30.AA"),
            ("client-cert", ":AAAA:"),
            ("client-cert-chain", ":AAAA:"),
            ("agent-delegation", "a.b.c"),
            ("x-forwarded-client-cert", "URI=spiffe://court.example/agent/lawyer"),
        ],
    );
    *request.method_mut() = Method::PUT;
    let body = service_fn(async |request: Request<String>| Ok::<_, Infallible>(Response::new(request.into_body())));
    let tool = Tool::default();
    let layer = reading(&in_process(&court, &lawyer)).subject(court.consent("alice"));
    send(&layer, &tool, request.clone()).await.unwrap();
    let sent = tool.calls().remove(0);
    assert_ne!(token_in(&sent), inbound);
    assert_eq!(code_at(&court, RECORDS, token_in(&sent), &lawyer).await, "accepted");
    assert!(!sent.headers.contains_key("host"), "the server is the one in the URI, which was checked");
    for name in ["dpop", "txn-token", "agent-delegation", "client-cert", "client-cert-chain", "x-forwarded-client-cert"]
    {
        assert!(!sent.headers.contains_key(name), "{name} is the inbound token's");
    }
    assert_eq!(
        (sent.method, sent.uri.to_string(), &sent.headers["x-other"]),
        (Method::PUT, URI.into(), &"1".parse().unwrap())
    );
    assert_eq!(layer.layer(body).oneshot(request).await.unwrap().body(), "the body");
}

#[tokio::test]
async fn nothing_is_exchanged_or_sent_for_another_destination() {
    let court = Court::new();
    let exchanger = in_process(&court, &court.peer(LAWYER));
    let (tool, layer) = (Tool::default(), reading(&exchanger).subject(court.consent("alice")));
    for uri in [
        "https://records.example/",
        "https://records.example/apis",
        "https://records.example/API/x",
        "https://records.example/api/../admin",
        "https://records.example/api/./x",
        "https://records.example/api/..",
        "https://records.example/api/%2e%2e/admin",
        "https://records.example/api/.%2E/admin",
        "https://records.example/api/x%2f..%2f..%2fadmin",
        "https://records.example/api/..%5cadmin",
        "https://records.example/api/..\\admin",
        "https://records.example/api/..;x/admin",
        "https://records.example:8443/api",
        "https://tools.example/api",
        "https://records.example.evil/api",
        "https://alice@records.example/api",
        "http://records.example/api",
        "/api",
    ] {
        let error = send(&layer, &tool, request(uri, &[])).await.unwrap_err();
        assert_eq!(error.code(), "outbound_wrong_audience", "{uri}");
        let OutboundError::WrongAudience { uri: named, audience } = error else { panic!("{error:?}") };
        assert_eq!((named.to_string(), audience), (uri.replace("alice@", ""), resource(RECORDS)));
        assert_eq!((exchanger.count(), tool.calls().len()), (0, 0), "{uri}");
    }
    for uri in [
        "https://records.example/api",
        "https://records.example/api/",
        "https://records.example/api/a..b/.c/...?x=../y",
    ] {
        assert_eq!(send(&layer, &tool, request(uri, &[])).await.unwrap().status(), 200, "{uri}");
    }
    assert_eq!((exchanger.count(), tool.calls().len()), (1, 3));
}

#[tokio::test]
async fn nothing_is_exchanged_or_sent_without_a_subject() {
    let court = Court::new();
    let exchanger = in_process(&court, &court.peer(LAWYER));
    let tool = Tool::default();
    // A token in the request itself is not a subject: whose it is, nobody has verified.
    for request in [request(URI, &[]), request(URI, &[("authorization", "Bearer a.b.c")])] {
        assert_eq!(send(&reading(&exchanger), &tool, request).await.unwrap_err().code(), "outbound_no_subject");
    }
    // No scope is what a token service takes for all.
    let nothing = DelegationLayer::new(exchanger.clone(), resource(RECORDS), ScopeSet::none());
    let error = send(&nothing.subject(court.consent("alice")), &tool, request(URI, &[])).await.unwrap_err();
    assert_eq!(error.code(), "outbound_no_scopes");
    assert_eq!((exchanger.count(), tool.calls().len()), (0, 0));
}

#[tokio::test]
async fn a_server_acts_for_its_caller_under_its_own_identity() {
    let court = Court::new();
    let server = court.peer(TOOL_SERVER);
    let tool = Tool::default();
    // The caller counts before what the server holds itself.
    let layer = reading(&in_process(&court, &server)).subject(court.consent("bob"));
    let mut onward = request(URI, &[]);
    onward.extensions_mut().insert(court.caller().await);
    onward.extensions_mut().insert("kept");
    send(&layer, &tool, onward).await.unwrap();
    let issuance = court.records.only();
    assert_eq!((issuance.effect, issuance.peer.as_ref()), (Effect::Allow, Some(server.id())));

    let sent = tool.calls().remove(0);
    assert!(sent.extensions.get::<Caller>().is_none());
    assert_eq!(sent.extensions.get(), Some(&"kept"));
    let evidence = Evidence::bearer(token_in(&sent)).with_peer(Some(server));
    let caller = court.auth(RECORDS).authenticate(evidence).await.unwrap();
    assert_eq!(
        (caller.agent().name(), caller.principal().subject(), caller.delegation().depth()),
        (TOOL_SERVER, "alice", 2)
    );
    let record = court.records.only();
    let earlier: Vec<_> = record.delegation.as_ref().unwrap().earlier_actors().collect();
    assert_eq!(earlier.iter().copied().map(AgentId::name).collect::<Vec<_>>(), [LAWYER]);
}

/// Both layers together: the inbound token goes no further than the service.
#[tokio::test]
async fn a_gateway_passes_on_authority_and_not_the_token() {
    let court = Court::new();
    let (lawyer, next) = (court.peer(LAWYER), Tool::default());
    let outbound = reading(&in_process(&court, &court.peer(TOOL_SERVER))).layer(next.clone());
    let gateway = service_fn(move |mut request: Request<String>| {
        *request.uri_mut() = URI.parse().unwrap();
        outbound.clone().oneshot(request)
    });
    let inbound = court.bound_token(&lawyer);
    let mut request = bearer(&inbound);
    request.extensions_mut().insert(agentauth_tower::ConnectionPeer(lawyer));
    AgentAuthLayer::new(court.auth(TOOLS)).layer(gateway).oneshot(request).await.unwrap();
    let sent = next.calls().remove(0);
    assert!(!format!("{sent:?}").contains(&inbound));
    assert_eq!(
        code_at(&court, RECORDS, token_in(&sent), &court.peer(TOOL_SERVER)).await,
        "binding_certificate_mismatch"
    );
    assert_eq!(court.records.codes(), ["allowed", "issued", "binding_certificate_mismatch"]);
}

#[tokio::test]
async fn what_the_token_service_refuses_is_not_sent() {
    let court = Court::new();
    let [lawyer, clerk, server] = [LAWYER, "spiffe://court.example/agent/clerk", TOOL_SERVER].map(|id| court.peer(id));
    let alice = || court.consent("alice");
    for (client, subject, audience, asked, code) in [
        (&lawyer, alice(), RECORDS, "records:seal", "exchange_scope_widened"),
        (&lawyer, alice(), RECORDS, "records:read records:seal", "exchange_scope_widened"),
        (&lawyer, alice(), RECORDS, "motions:file", "exchange_scope_empty"),
        (&lawyer, alice(), "https://other.example", "records:read", "exchange_target_unknown"),
        (&lawyer, SubjectToken::new("a.b.c"), RECORDS, "records:read", "token_not_canonical"),
        (&clerk, alice(), RECORDS, "records:read", "exchange_actor_not_permitted"),
        (&server, alice(), RECORDS, "records:read", "exchange_actor_not_permitted"),
        (&lawyer, SubjectToken::new(&court.bound_token(&lawyer)), RECORDS, "records:read", "audience_wrong"),
    ] {
        let tool = Tool::default();
        let exchanger = InProcess::new(court.service(), client.clone());
        let layer = delegating(exchanger, audience, asked).subject(subject);
        let error = send(&layer, &tool, request(audience, &[])).await.unwrap_err();
        let OutboundError::Refused { evaluation_id, .. } = &error else { panic!("{error:?}") };
        let record = court.records.only();
        assert_eq!((error.code(), record.code, tool.calls().len()), (code, code, 0));
        assert_eq!(*evaluation_id, record.evaluation_id);
    }
    // Nor is what the token service cannot record.
    let service = agentauth_core::TokenService::new(court.issuer(), Failing).unwrap();
    let layer = reading(&Counting::new(InProcess::new(service, lawyer))).subject(alice());
    assert_eq!(send(&layer, &Tool::default(), request(URI, &[])).await.unwrap_err().code(), "exchange_unavailable");
}

/// Standards T3: the answer of a token service elsewhere is checked and not trusted.
#[tokio::test]
async fn an_answer_that_is_not_what_was_asked_for_is_not_sent() {
    let good =
        json!({"access_token": "x.y.z", "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 60});
    let with = |name: &str, value: Value| {
        let mut answer = good.clone();
        answer[name] = value;
        answer.to_string()
    };
    for (answer, code) in [
        (good.to_string(), "sent"),
        (with("scope", json!("records:read")), "sent"),
        (with("scope", json!("records:read records:seal")), "answer_widened"),
        (with("scope", json!("records:seal")), "answer_widened"),
        (with("token_type", json!("N_A")), "answer_wrong_kind"),
        (with("token_type", json!("DPoP")), "answer_wrong_kind"),
        (with("issued_token_type", json!("urn:ietf:params:oauth:token-type:jwt")), "answer_wrong_kind"),
        (json!({"error": "invalid_target"}).to_string(), "answer_refused"),
        (with("error", json!("invalid_target")), "answer_refused"),
        (json!({"access_token": "x.y.z"}).to_string(), "answer_incomplete"),
        (with("access_token", json!(null)), "json_wrong_type"),
        (good.to_string().replacen('{', "{\"access_token\":\"a\",", 1), "json_duplicate_member"),
        ("<html>".into(), "json_malformed"),
        (String::new(), "json_malformed"),
        (with("access_token", json!("x\r\nx-admin: 1")), "json_wrong_type"),
        (with("access_token", json!("x\u{0}")), "json_wrong_type"),
    ] {
        let tool = Tool::default();
        let layer = reading(&Counting::new(Answering(answer.clone()))).subject(SubjectToken::new("secret"));
        let result = send(&layer, &tool, request(URI, &[])).await;
        assert_eq!(result.as_ref().map_or_else(OutboundError::code, |_| "sent"), code, "{answer}");
        assert_eq!(tool.calls().len(), usize::from(code == "sent"), "{answer}");
        if let Err(error) = result {
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn what_was_exchanged_is_sent_again_over_a_service_that_was_ready() {
    let court = Court::new();
    let exchanger = in_process(&court, &court.peer(LAWYER));
    for (kept_for, exchanges) in [(300, 1), (0, 4)] {
        let kept_for = Duration::from_secs(kept_for);
        let delegator = Delegator::builder(exchanger.clone()).clock(clock()).keep_for(kept_for).build();
        let (tool, before) = (Tool::default(), exchanger.count());
        let layer = DelegationLayer::through(delegator, hop(RECORDS, "records:read")).subject(court.consent("alice"));
        // Two services of one layer share what it keeps.
        for mut service in [layer.layer(tool.clone()), layer.layer(tool.clone())] {
            for _ in 0..2 {
                let service = ServiceExt::<Request<String>>::ready(&mut service).await.unwrap();
                service.call(request(URI, &[])).await.unwrap();
            }
        }
        let sent = tool.calls();
        assert_eq!((exchanger.count() - before, sent.len()), (exchanges, 4));
        assert_eq!(token_in(&sent[0]) == token_in(&sent[3]), exchanges == 1);
    }
}

#[tokio::test]
async fn the_failure_of_the_request_itself_is_told_apart() {
    #[derive(Clone)]
    struct NeverReady;
    impl Service<Request<String>> for NeverReady {
        type Response = Response<String>;
        type Error = io::Error;
        type Future = std::future::Ready<Result<Self::Response, io::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
            Poll::Ready(Err(io::Error::other("never ready")))
        }

        fn call(&mut self, _: Request<String>) -> Self::Future {
            panic!("called without having been ready");
        }
    }
    let court = Court::new();
    let exchanger = in_process(&court, &court.peer(LAWYER));
    let layer = reading(&exchanger).subject(court.consent("alice"));
    let broken = service_fn(async |_: Request<String>| Err::<Response<String>, _>(io::Error::other("broken")));
    let error = layer.layer(NeverReady).oneshot(request(URI, &[])).await.unwrap_err();
    assert_eq!((error.code(), &*error.to_string()), ("outbound_failed", "the request failed: never ready"));
    assert_eq!(exchanger.count(), 0);
    let error = layer.layer(broken).oneshot(request(URI, &[])).await.unwrap_err();
    assert_eq!((error.code(), &*error.to_string()), ("outbound_failed", "the request failed: broken"));
    assert_eq!(exchanger.count(), 1);
}
