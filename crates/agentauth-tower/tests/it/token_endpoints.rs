//! Token services elsewhere, as [`HttpExchanger`] and [`IdJagExchanger`] ask them; and servers that want to see a proof.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use agentauth_core::binding::dpop::{Dpop, DpopKey, NonceKey};
use agentauth_core::delegation::ExchangeRequest;
use agentauth_core::delegation::outbound::{ClientAuth, PrivateKeyJwt};
use agentauth_core::identity::svid::{IdentitySource, IdentityUnavailable, X509Identity};
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::state::MemoryReplayStore;
use agentauth_core::{AgentAuth, Authority, Caller, IssuerId, SubjectToken, TrustedIssuer};
use agentauth_tower::client::{HttpExchanger, IdJagExchanger};
use agentauth_tower::outbound::{Delegator, Holder, NextHop, OutboundError, StsProfile, TokenExchanger};
use agentauth_tower::{AgentAuthLayer, DelegationLayer};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::client::{Server, client};
use crate::support::{Court, LAWYER, NOW, RECORDS, STS, TOOLS, Tool, clock, resource, scopes, with};

const ENDPOINT: &str = "https://sts.court.example/token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

type Asked = (Uri, HeaderMap, Vec<(String, String)>);

/// An HTTP client that gives these answers, one after the other, and remembers what it was to send.
#[derive(Debug, Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<Response<Bytes>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Response<Bytes>>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), asked: Arc::default() }
    }

    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn exchanger(&self) -> HttpExchanger<Self> {
        HttpExchanger::new(self.clone(), Uri::from_static(ENDPOINT)).clock(clock())
    }
}

impl Service<Request<Full<Bytes>>> for Script {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Bytes>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let (head, body) = request.into_parts();
        let body = crate::support::at_once(body.collect()).unwrap().to_bytes();
        let pairs = form_urlencoded::parse(&body).into_owned().collect();
        self.asked.lock().unwrap().push((head.uri, head.headers, pairs));
        ready(Ok(self.answers.lock().unwrap().pop_front().expect("asked too often")))
    }
}

fn says(status: u16, nonce: Option<&str>, body: &Value) -> Response<Bytes> {
    let response = Response::builder().status(status);
    let response = nonce.into_iter().fold(response, |response, nonce| response.header("dpop-nonce", nonce));
    response.body(body.to_string().into()).unwrap()
}

fn issued(token: &str, kind: &str, token_type: &str) -> Value {
    json!({"access_token": token, "issued_token_type": kind, "token_type": token_type, "expires_in": 60})
}

fn asked() -> ExchangeRequest {
    ExchangeRequest::new(SubjectToken::new("a.b.c"), resource(RECORDS)).scopes(scopes("records:read"))
}

fn hop() -> NextHop {
    NextHop::new(resource(RECORDS), Authority::of_scopes(scopes("records:read"))).unwrap()
}

fn value<'a>(asked: &'a Asked, name: &str) -> &'a str {
    asked.2.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
}

fn claims_of(jws: &str) -> Value {
    use base64::Engine as _;
    let payload = jws.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn dpop_key() -> Arc<DpopKey> {
    Arc::new(DpopKey::generate(Algorithm::Es256).unwrap().clock(clock()))
}

/// RFC 9449 §8: a nonce is asked for once, and then known.
#[tokio::test]
async fn a_nonce_that_the_token_endpoint_wants_is_sent_exactly_once_more() {
    let wants = |nonce| says(400, nonce, &json!({"error": "use_dpop_nonce"}));
    let good = || says(200, None, &issued("x", ACCESS_TOKEN, "DPoP"));
    let other = says(400, Some("one"), &json!({"error": "invalid_grant"}));
    for (answers, expected, nonces) in [
        (vec![good()], "accepted", &[None][..]),
        (vec![wants(Some("one")), good()], "accepted", &[None, Some("one")]),
        (vec![wants(Some("one")), wants(Some("two"))], "answer_refused", &[None, Some("one")]),
        (vec![wants(None)], "answer_refused", &[None]),
        (vec![other], "answer_refused", &[None]),
    ] {
        let script = Script::new(answers);
        let signer =
            PrivateKeyJwt::new("me", SigningKey::generate(Algorithm::Es256).unwrap(), IssuerId::new(STS).unwrap());
        let exchanger = script.exchanger().dpop(dpop_key()).client_auth(ClientAuth::assertions(signer));
        let result = exchanger.exchange(&asked()).await;
        assert_eq!(result.as_ref().map_or_else(OutboundError::code, |_| "accepted"), expected);
        let asked = script.asked();
        let proofs: Vec<Value> = asked.iter().map(|asked| claims_of(asked.1["dpop"].to_str().unwrap())).collect();
        let found: Vec<_> = proofs.iter().map(|claims| claims["nonce"].as_str()).collect();
        assert_eq!(found, nonces);
        for proof in &proofs {
            assert_eq!((&proof["htm"], &proof["htu"], proof.get("ath")), (&json!("POST"), &json!(ENDPOINT), None));
        }
        // An assertion counts once, as a proof does.
        if let [first, second] = &asked[..] {
            assert_ne!(value(first, "client_assertion"), value(second, "client_assertion"));
            assert_ne!(proofs[0]["jti"], proofs[1]["jti"]);
            assert_eq!(value(first, "subject_token"), value(second, "subject_token"));
        }
    }
    // The nonce is kept for the next exchange.
    let script = Script::new([says(200, Some("one"), &issued("x", ACCESS_TOKEN, "DPoP")), good()]);
    let exchanger = script.exchanger().dpop(dpop_key());
    for _ in 0..2 {
        exchanger.exchange(&asked()).await.unwrap();
    }
    assert_eq!(claims_of(script.asked()[1].1["dpop"].to_str().unwrap())["nonce"], "one");
}

#[tokio::test]
async fn a_client_authenticates_as_it_is_told_to() {
    let secret = || ClientAuth::secret("me", "secret");
    for (auth, header, pair) in [
        (ClientAuth::certificate(), None, ("client_id", "")),
        (ClientAuth::certificate_of("me"), None, ("client_id", "me")),
        (secret(), Some("Basic bWU6c2VjcmV0"), ("client_id", "")),
    ] {
        let script = Script::new([says(200, None, &issued("x", ACCESS_TOKEN, "Bearer"))]);
        script.exchanger().client_auth(auth).exchange(&asked()).await.unwrap();
        let asked = script.asked().remove(0);
        assert_eq!(asked.1.get("authorization").map(|value| value.to_str().unwrap()), header);
        assert_eq!((value(&asked, pair.0), value(&asked, "subject_token")), (pair.1, "a.b.c"));
    }
    assert!(!format!("{:?}", Script::new([]).exchanger().client_auth(secret())).contains("secret"));
}

#[tokio::test]
async fn a_dialect_is_asked_and_read_as_it_is() {
    let script =
        Script::new([says(200, None, &json!({"access_token": "x", "token_type": "Bearer", "expires_in": 60}))]);
    let profile = StsProfile::entra_on_behalf_of().server(resource(RECORDS), "api://records");
    let exchanger = script.exchanger().profile(profile);
    assert_eq!(exchanger.audience_name(&resource(RECORDS)), "api://records");
    exchanger.exchange(&asked()).await.unwrap();
    let asked = script.asked().remove(0);
    assert_eq!(value(&asked, "requested_token_use"), "on_behalf_of");
    assert_eq!((value(&asked, "assertion"), value(&asked, "scope")), ("a.b.c", "api://records/records:read"));
}

/// Standards §1.8 row 10: an ID token, an assertion for it, and a token for that.
#[tokio::test]
async fn an_identity_assertion_takes_two_steps() {
    const PROVIDER: &str = "https://id.example/oauth2/v1/token";
    let good = [
        says(200, None, &issued("the.id.jag", ID_JAG, "N_A")),
        says(200, None, &json!({"access_token": "x", "token_type": "Bearer", "expires_in": 60})),
    ];
    let script = Script::new(good);
    let exchanger = |script: &Script| {
        let (provider, server) = (Uri::from_static(PROVIDER), Uri::from_static(ENDPOINT));
        IdJagExchanger::new(script.clone(), provider, IssuerId::new(STS).unwrap(), server)
            .client_auth(ClientAuth::secret("me", "there"), ClientAuth::certificate_of("me"))
            .server(resource(RECORDS), "records")
            .clock(clock())
    };
    assert_eq!(exchanger(&script).audience_name(&resource(RECORDS)), "records");
    assert_eq!(exchanger(&script).exchange(&asked()).await.unwrap().token(), "x");
    let [first, second] = &script.asked()[..] else { panic!("two steps") };
    assert_eq!((first.0.to_string(), second.0.to_string()), (PROVIDER.to_owned(), ENDPOINT.to_owned()));
    for (asked, name, expected) in [
        (first, "requested_token_type", ID_JAG),
        (first, "subject_token", "a.b.c"),
        (first, "subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        (first, "audience", STS),
        (first, "resource", RECORDS),
        (first, "scope", "records:read"),
        (second, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        (second, "assertion", "the.id.jag"),
        (second, "subject_token", ""),
        (second, "client_id", "me"),
        (second, "scope", "records:read"),
    ] {
        assert_eq!(value(asked, name), expected, "{name}");
    }
    assert!(first.1.contains_key("authorization") && !second.1.contains_key("authorization"));

    // An access token where an assertion was wanted is used for nothing.
    for (body, expected) in [
        (issued("x", ACCESS_TOKEN, "Bearer"), "answer_wrong_kind"),
        (issued("x", ID_JAG, "Bearer"), "answer_wrong_kind"),
        (json!({"error": "invalid_grant"}), "answer_refused"),
    ] {
        let script = Script::new([says(200, None, &body)]);
        assert_eq!(exchanger(&script).exchange(&asked()).await.unwrap_err().code(), expected);
        assert_eq!(script.asked().len(), 1);
    }
}

/// A hop without scopes asks for its details, and takes no answer that does not speak of them.
#[tokio::test]
async fn an_identity_assertion_is_not_exchanged_for_everything() {
    let grant = agentauth_core::scope::Grant::new("records:list").unwrap().below("case", "2026").unwrap();
    let details = Authority::new(scopes(""), [grant]).unwrap();
    let hop = NextHop::new(resource(RECORDS), details.clone()).unwrap();
    let silent = json!({"access_token": "opaque", "token_type": "Bearer", "expires_in": 60});
    let mut granting = silent.clone();
    granting["authorization_details"] = details.to_details();
    for (answer, expected) in [(silent, "answer_incomplete"), (granting, "accepted")] {
        let script = Script::new([says(200, None, &issued("the.id.jag", ID_JAG, "N_A")), says(200, None, &answer)]);
        let endpoint = || Uri::from_static(ENDPOINT);
        let exchanger = IdJagExchanger::new(script.clone(), endpoint(), IssuerId::new(STS).unwrap(), endpoint());
        let delegator = Delegator::builder(exchanger.clock(clock())).clock(clock()).build();
        let token = delegator.delegate(&SubjectToken::new("a.b.c"), &hop).await;
        assert_eq!(token.as_ref().map_or_else(OutboundError::code, |_| "accepted"), expected);
        let asked: Value = serde_json::from_str(value(&script.asked()[1], "authorization_details")).unwrap();
        assert_eq!(asked, details.to_details());
    }
}

#[derive(Debug)]
struct NoIdentity;

impl IdentitySource for NoIdentity {
    fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
        Err(IdentityUnavailable::Expired)
    }
}

#[tokio::test]
async fn without_an_identity_nothing_is_asked() {
    let script = Script::new([]);
    let layer =
        DelegationLayer::new(script.exchanger().identity(NoIdentity), resource(RECORDS), scopes("records:read"));
    let service = layer.subject(SubjectToken::new("a.b.c")).layer(Tool::default());
    let error = service.oneshot(crate::support::request(RECORDS, &[])).await.unwrap_err();
    assert_eq!((error.code(), script.asked().len()), ("identity_expired", 0));
}

/// The next server, which takes only proofs with its nonce; it is sent the same bytes again, and only once.
#[tokio::test]
async fn a_server_that_wants_a_nonce_is_sent_the_request_once_more() {
    let court = Court::new();
    let key = dpop_key();
    let claims = with("cnf", json!({"jkt": key.thumbprint().to_string()}));
    let claims = json!({"aud": RECORDS, "scope": "records:read"}).as_object().unwrap().iter().fold(
        claims,
        |mut claims, (name, value)| {
            claims[name] = value.clone();
            claims
        },
    );
    let token = court.mint(&claims);
    let exchanger =
        || Script::new([says(200, None, &issued(&token, ACCESS_TOKEN, "DPoP"))]).exchanger().dpop(key.clone());
    let delegator = Delegator::builder(exchanger()).clock(clock()).build();

    let dpop = Dpop::new("https://records.example")
        .require_nonce(NonceKey::new(&[7; 32]))
        .replay_store(Arc::new(MemoryReplayStore::with_capacity(16)));
    let auth = AgentAuth::builder(RECORDS)
        .issuer(TrustedIssuer::rfc8693(STS, court.key().public_key_set().unwrap()))
        .clock(clock())
        .audit(court.records.clone())
        .dpop(dpop)
        .build()
        .unwrap();
    let bodies = Arc::<Mutex<Vec<Bytes>>>::default();
    let seen = bodies.clone();
    let tool = service_fn(move |request: Request<Full<Bytes>>| {
        assert_eq!(request.extensions().get::<Caller>().unwrap().principal().subject(), "alice");
        let body = crate::support::at_once(request.into_body().collect()).unwrap().to_bytes();
        seen.lock().unwrap().push(body);
        ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    let server = AgentAuthLayer::new(auth).layer(tool);
    let post = || Request::post("https://records.example/api/7?page=2").body(Full::<Bytes>::from("the body")).unwrap();

    // Without a second try, the refusal is the answer, and its nonce is kept for the next request.
    let plain = DelegationLayer::through(delegator.clone(), hop()).subject(SubjectToken::new("a.b.c"));
    assert_eq!(plain.layer(server.clone()).oneshot(post()).await.unwrap().status(), 401);
    assert_eq!(court.records.codes(), ["dpop_nonce_required"]);
    assert_eq!(plain.layer(server.clone()).oneshot(post()).await.unwrap().status(), 200);
    court.records.take();

    // With one, nobody notices.
    let fresh = dpop_key();
    let claims = {
        let mut claims = claims;
        claims["cnf"] = json!({"jkt": fresh.thumbprint().to_string()});
        claims
    };
    let script = Script::new([says(200, None, &issued(&court.mint(&claims), ACCESS_TOKEN, "DPoP"))]);
    let delegator = Delegator::builder(script.exchanger().dpop(fresh)).clock(clock()).build();
    let layer = DelegationLayer::through(delegator, hop()).subject(SubjectToken::new("a.b.c")).retrying();
    for codes in [&["dpop_nonce_required", "allowed"][..], &["allowed"]] {
        assert_eq!(layer.layer(server.clone()).oneshot(post()).await.unwrap().status(), 200);
        assert_eq!(court.records.codes(), codes);
    }
    assert_eq!(*bodies.lock().unwrap(), ["the body"; 3]);
}

/// Any other refusal, and a nonce that changes with each answer, are not tried again and again.
#[tokio::test]
async fn a_refusal_is_not_tried_twice() {
    for (header, statuses) in [
        (r#"DPoP error="use_dpop_nonce""#, [401, 401]),
        (r#"DPoP error="invalid_token""#, [401, 0]),
        (r#"Bearer error="invalid_token""#, [401, 0]),
    ] {
        let key = dpop_key();
        let script = Script::new([says(200, None, &issued("opaque", ACCESS_TOKEN, "DPoP"))]);
        let delegator = Delegator::builder(script.exchanger().dpop(key)).clock(clock()).build();
        let challenges = statuses.iter().filter(|status| **status > 0).enumerate().map(|(number, status)| {
            let mut answer = says(*status, Some(&format!("nonce-{number}")), &json!({}));
            answer.headers_mut().insert("www-authenticate", header.parse().unwrap());
            answer
        });
        let server = Script::new(challenges);
        let layer = DelegationLayer::through(delegator, hop()).subject(SubjectToken::new("a.b.c")).retrying();
        let answer = layer.layer(server.clone()).oneshot(Request::get(RECORDS).body(Full::default()).unwrap()).await;
        assert_eq!(answer.unwrap().status(), 401);
        assert_eq!(server.asked().len(), statuses.iter().filter(|status| **status > 0).count(), "{header}");
    }
}

/// Over a real connection: the header that goes out is the one that was made.
#[tokio::test]
async fn a_proof_travels_with_the_form() {
    let key = dpop_key();
    let server = Server::saying("200 OK", "", &issued("x", ACCESS_TOKEN, "DPoP").to_string()).await;
    let uri: Uri = server.url("/token?a=b").parse().unwrap();
    let exchanger = HttpExchanger::new(client(), uri).dpop(key.clone());
    let Holder::Dpop(held) = exchanger.holder().unwrap() else { panic!("a key") };
    assert_eq!(held.thumbprint(), key.thumbprint());
    exchanger.exchange(&asked()).await.unwrap();
    let seen = server.seen().remove(0);
    let proof = seen.lines().find_map(|line| line.strip_prefix("dpop: ")).unwrap();
    let claims = claims_of(proof);
    assert_eq!((&claims["htu"], &claims["iat"]), (&json!(server.url("/token")), &json!(NOW)));
}

/// A caller's authority, at the next server, by the engine's own delegator.
#[tokio::test]
async fn an_engine_delegates_through_the_token_service_it_was_given() {
    let court = Court::new();
    let script = Script::new([says(200, None, &issued("onward", ACCESS_TOKEN, "Bearer"))]);
    let delegator = Delegator::builder(script.exchanger()).clock(clock()).build();
    let auth = court.silent_engine(TOOLS).audit(court.records.clone()).delegate_through(delegator).build().unwrap();
    let lawyer = court.peer(LAWYER);
    let evidence = agentauth_core::Evidence::bearer(&court.bound_token(&lawyer)).with_peer(Some(lawyer));
    let caller = auth.authenticate(evidence).await.unwrap();
    let records = caller.delegate_to(RECORDS).scopes("records:read").await.unwrap();
    let mut request = Request::get("https://records.example/api/7").body(()).unwrap();
    records.authorize(&mut request).unwrap();
    assert_eq!(request.headers()["authorization"], "Bearer onward");
}
