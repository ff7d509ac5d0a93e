//! DPoP over HTTP (RFC 9449 §7 to §9): what is taken, what each refusal says on the wire, and who is given a nonce.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::audit::RecordKind;
use agentauth_core::binding::dpop::{Dpop, NonceKey};
use agentauth_core::jose::Algorithm;
use agentauth_core::state::{Remember, ReplayAnswer, ReplayStore};
use agentauth_core::{AgentAuth, AgentAuthBuilder, Binding, Caller, ManualClock, Rejection, Timestamp};
use agentauth_tower::{AgentAuthLayer, ConnectionPeer, RequireBindingLayer, RequireScopesLayer};
use http::header::WWW_AUTHENTICATE;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tower::{Layer, ServiceExt};

use crate::dpop_client::DpopClient;
use crate::inbound::{code_in, on_the_wire, refusal};
use crate::support::{Court, LAWYER, NOW, TOOLS, Tool, bearer, claims, clock, request, with};

const METADATA: &str = "resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource\"";
const ALGORITHMS: &str = "DPoP algs=\"EdDSA Ed25519 ES256\"";
const FIRST_ID: &str = "00000000000000000000000000000001";

fn dpop() -> Dpop {
    Dpop::new(TOOLS).algorithms([Algorithm::EdDsa, Algorithm::Es256])
}

fn engine(court: &Court) -> AgentAuthBuilder {
    court.silent_engine(TOOLS).dpop(dpop()).audit(court.records.clone())
}

fn holder() -> DpopClient {
    DpopClient::new(Algorithm::Es256)
}

/// A token that is bound to the holder's key.
fn bound(court: &Court, holder: &DpopClient) -> String {
    court.mint(&with("cnf", holder.cnf()))
}

/// A new proof for `GET /x`, made now.
fn proof(holder: &DpopClient, token: &str) -> String {
    holder.proof("GET", "https://tools.example/x", token, NOW)
}

/// `GET /x?q=1` with a token in the DPoP scheme, and a proof.
fn shown(token: &str, proof: &str) -> Request<String> {
    request("/x?q=1", &[("authorization", &format!("DPoP {token}")), ("dpop", proof)])
}

async fn send(auth: &AgentAuth, tool: &Tool, request: Request<String>) -> Response<String> {
    AgentAuthLayer::new(auth.clone()).layer(tool.clone()).oneshot(request).await.unwrap()
}

fn nonce_in(response: &Response<String>) -> Option<&str> {
    response.headers().get("dpop-nonce").map(|nonce| nonce.to_str().unwrap())
}

#[tokio::test]
async fn a_bound_token_with_its_proof_is_accepted() {
    let court = Court::new();
    let auth = engine(&court).build().unwrap();
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let holder = DpopClient::new(algorithm);
        let token = bound(&court, &holder);
        for method in [Method::GET, Method::POST] {
            let proof = holder.proof(method.as_str(), "https://TOOLS.example:443/x#here", &token, NOW);
            let mut request = shown(&token, &proof);
            *request.method_mut() = method;
            let tool = Tool::default();
            let answer = send(&auth, &tool, request).await;
            assert_eq!(on_the_wire(&answer), "200\n\ndone", "no nonce is given where none is needed");
            let caller = tool.calls().remove(0).extensions.remove::<Caller>().unwrap();
            assert_eq!((caller.delegation().binding(), caller.dpop_nonce()), (Binding::Dpop, None));
            let record = court.records.only();
            assert_eq!((record.code, record.delegation.as_ref().unwrap().binding), ("allowed", Binding::Dpop));
        }
    }
    // Bearer tokens that are bound to nothing count as before.
    assert_eq!(send(&auth, &Tool::default(), bearer(&court.mint(&claims()))).await.status(), 200);
}

/// RFC 9449 §7.1, §7.2, §4.3: a request has the scheme, one proof and a bound token, or none of the three.
#[tokio::test]
async fn each_downgrade_is_refused_with_a_challenge_for_dpop() {
    let court = Court::new();
    let (holder, thief) = (holder(), holder());
    let (token, plain) = (bound(&court, &holder), court.mint(&claims()));
    let other = court.mint(&json!({"cnf": holder.cnf(), "jti": "other", "iss": claims()["iss"]}));
    let (as_bearer, as_dpop) = (format!("Bearer {token}"), format!("DPoP {token}"));
    let (plain_as_bearer, plain_as_dpop) = (format!("Bearer {plain}"), format!("DPoP {plain}"));
    let good = |token: &str| proof(&holder, token);
    let changed = |name: &str, value: Value| {
        let mut claims = holder.claims("GET", "https://tools.example/x", &token, NOW);
        claims[name] = value;
        holder.prove(&claims)
    };
    for (headers, error, code) in [
        (vec![("authorization", as_bearer.clone())], "invalid_token", "dpop_bound_token_as_bearer"),
        (vec![("authorization", as_bearer), ("dpop", good(&token))], "invalid_dpop_proof", "dpop_proof_with_bearer"),
        (vec![("authorization", as_dpop.clone())], "invalid_dpop_proof", "dpop_proof_missing"),
        (vec![("authorization", plain_as_dpop.clone())], "invalid_dpop_proof", "dpop_proof_missing"),
        (vec![("authorization", plain_as_dpop), ("dpop", good(&plain))], "invalid_token", "dpop_token_not_bound"),
        (
            vec![("authorization", plain_as_bearer), ("dpop", good(&plain))],
            "invalid_dpop_proof",
            "dpop_proof_with_bearer",
        ),
        (
            vec![("authorization", as_dpop.clone()), ("dpop", proof(&thief, &token))],
            "invalid_token",
            "dpop_key_mismatch",
        ),
        (vec![("authorization", as_dpop.clone()), ("dpop", good(&other))], "invalid_dpop_proof", "dpop_ath_mismatch"),
        (
            vec![("authorization", as_dpop.clone()), ("dpop", good(&token)), ("dpop", good(&token))],
            "invalid_dpop_proof",
            "dpop_proof_repeated",
        ),
        (
            vec![("authorization", as_dpop.clone()), ("dpop", format!("{}, {}", good(&token), good(&token)))],
            "invalid_dpop_proof",
            "dpop_proof_repeated",
        ),
        (
            vec![("authorization", as_dpop.clone()), ("dpop", changed("htm", json!("POST")))],
            "invalid_dpop_proof",
            "dpop_htm_mismatch",
        ),
        (
            vec![("authorization", as_dpop.clone()), ("dpop", changed("htu", json!("https://tools.example/y")))],
            "invalid_dpop_proof",
            "dpop_htu_mismatch",
        ),
        // The host that the request names is the sender's word.
        (
            vec![
                ("authorization", as_dpop.clone()),
                ("host", "evil.example".into()),
                ("x-forwarded-host", "evil.example".into()),
                ("dpop", changed("htu", json!("https://evil.example/x"))),
            ],
            "invalid_dpop_proof",
            "dpop_htu_mismatch",
        ),
        (
            vec![("authorization", as_dpop.clone()), ("dpop", changed("iat", json!(NOW - 61)))],
            "invalid_dpop_proof",
            "dpop_iat_too_old",
        ),
        (vec![("authorization", as_dpop), ("dpop", token.clone())], "invalid_dpop_proof", "dpop_key_missing"),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let tool = Tool::default();
        let answer = send(&engine(&court).build().unwrap(), &tool, request("/x?q=1", &headers)).await;
        let challenge = format!("{ALGORITHMS}, {METADATA}, error=\"{error}\"");
        assert_eq!(on_the_wire(&answer), refusal(401, Some(&challenge), error, FIRST_ID), "{code}");
        assert_eq!((code_in(&answer), tool.calls().len()), (code, 0));
        let record = court.records.only();
        assert_eq!((record.kind, record.code), (RecordKind::Authentication, code));
        assert!(record.delegation.is_none());
    }
}

/// What is not about a proof is challenged in both schemes, since either would do.
#[tokio::test]
async fn other_refusals_name_both_schemes() {
    let court = Court::new();
    let token = bound(&court, &holder());
    let header = format!("DPoP {token}");
    for (request, status, error, code) in [
        (request("/x", &[]), 401, "unauthenticated", "no_credentials"),
        (request("/x", &[("authorization", "Basic dTpw")]), 401, "unauthenticated", "no_credentials"),
        (bearer("no-token"), 401, "invalid_token", "token_not_compact"),
        (shown("no-token", "x"), 401, "invalid_token", "token_not_compact"),
        (
            request("/x", &[("authorization", &header), ("authorization", &format!("Bearer {token}"))]),
            400,
            "invalid_request",
            "credentials_repeated",
        ),
        (
            request("/x", &[("authorization", &format!("{header}, Bearer {token}"))]),
            400,
            "invalid_request",
            "credentials_malformed",
        ),
        (request(&format!("/x?access_token={token}"), &[]), 400, "invalid_request", "credentials_in_query"),
    ] {
        let tool = Tool::default();
        let answer = send(&engine(&court).build().unwrap(), &tool, request).await;
        let error = if error == "unauthenticated" { String::new() } else { format!(", error=\"{error}\"") };
        let challenges: Vec<_> = answer.headers().get_all(WWW_AUTHENTICATE).iter().cloned().collect();
        assert_eq!(challenges, [format!("Bearer {METADATA}{error}"), format!("{ALGORITHMS}, {METADATA}{error}")]);
        assert_eq!((answer.status().as_u16(), code_in(&answer), tool.calls().len()), (status, code, 0));
        assert_eq!(court.records.codes(), [code]);
    }
}

fn with_nonces(court: &Court, clock: &Arc<ManualClock>) -> AgentAuth {
    let dpop = dpop().require_nonce(NonceKey::new(&[7; 32])).nonce_period(Duration::from_secs(60));
    court.silent_engine(TOOLS).clock(clock.clone()).dpop(dpop).audit(court.records.clone()).build().unwrap()
}

fn proof_with_nonce(holder: &DpopClient, token: &str, nonce: &str, now: u64) -> String {
    let mut claims = holder.claims("GET", "https://tools.example/x", token, now);
    claims["nonce"] = json!(nonce);
    holder.prove(&claims)
}

/// RFC 9449 §8.2, §9: no proof without the server's nonce, which comes with the refusal, and again before it ends.
#[tokio::test]
async fn a_nonce_is_asked_for_given_and_renewed() {
    let court = Court::new();
    let clock = clock();
    let auth = with_nonces(&court, &clock);
    let holder = holder();
    let token = bound(&court, &holder);
    let tool = Tool::default();

    let asked = send(&auth, &tool, shown(&token, &proof(&holder, &token))).await;
    assert_eq!((asked.status().as_u16(), code_in(&asked)), (401, "dpop_nonce_required"));
    let challenge = asked.headers().get(WWW_AUTHENTICATE).unwrap().to_str().unwrap();
    assert_eq!(challenge, format!("{ALGORITHMS}, {METADATA}, error=\"use_dpop_nonce\""));
    assert_eq!(asked.headers().get_all(WWW_AUTHENTICATE).iter().count(), 1);
    assert!(asked.body().starts_with(r#"{"error":"use_dpop_nonce","#), "{}", asked.body());
    let nonce = nonce_in(&asked).unwrap().to_owned();

    let retried = send(&auth, &tool, shown(&token, &proof_with_nonce(&holder, &token, &nonce, NOW))).await;
    assert_eq!((retried.status().as_u16(), nonce_in(&retried)), (200, None), "this one is good for a while");
    assert_eq!(tool.calls().len(), 1);

    // In the next period it still counts, and a new one comes with whatever the service says.
    let at = |secs| clock.set(Timestamp::from_secs(secs));
    at(NOW + 60);
    let old = || proof_with_nonce(&holder, &token, &nonce, NOW + 60);
    let renewed = send(&auth, &tool, shown(&token, &old())).await;
    let next = nonce_in(&renewed).unwrap().to_owned();
    assert_eq!(on_the_wire(&renewed), format!("200\ndpop-nonce: {next}\n\ndone"));
    assert_ne!(next, nonce);
    assert_eq!(tool.calls().remove(0).extensions.get::<Caller>().unwrap().dpop_nonce(), Some(&*next));
    let inner = RequireScopesLayer::new("another:scope").unwrap().layer(tool.clone());
    let answer = AgentAuthLayer::new(auth.clone()).layer(inner).oneshot(shown(&token, &old())).await.unwrap();
    assert_eq!((answer.status().as_u16(), nonce_in(&answer)), (403, Some(&*next)), "and with a refusal further in");

    // A refused proof is told the nonce of now, be it for its nonce or for something else.
    at(NOW + 120);
    for (proof, code, error) in [
        (proof_with_nonce(&holder, &token, &nonce, NOW + 120), "dpop_nonce_refused", "use_dpop_nonce"),
        (proof_with_nonce(&holder, &token, "made-up", NOW + 120), "dpop_nonce_refused", "use_dpop_nonce"),
        (proof_with_nonce(&holder, &token, &next, NOW), "dpop_iat_too_old", "invalid_dpop_proof"),
        ("x".into(), "dpop_proof_malformed", "invalid_dpop_proof"),
    ] {
        let answer = send(&auth, &tool, shown(&token, &proof)).await;
        let rejection = answer.extensions().get::<Rejection>().unwrap();
        assert_eq!((rejection.code(), rejection.public_error(), answer.status().as_u16()), (code, error, 401));
        let given = nonce_in(&answer).unwrap();
        let answer = send(&auth, &tool, shown(&token, &proof_with_nonce(&holder, &token, given, NOW + 120))).await;
        assert_eq!(answer.status(), 200, "{code}");
    }
    tool.calls();

    // Nobody else is told one.
    for request in [request("/x", &[]), bearer("no-token")] {
        assert_eq!(nonce_in(&send(&auth, &tool, request).await), None);
    }
    let plain = send(&auth, &tool, bearer(&court.mint(&claims()))).await;
    assert_eq!((plain.status().as_u16(), nonce_in(&plain)), (200, None));
}

#[tokio::test]
async fn a_proof_counts_once() {
    let court = Court::new();
    let holder = holder();
    let token = bound(&court, &holder);
    let auth = engine(&court).build().unwrap();
    let tool = Tool::default();
    let proof = proof(&holder, &token);
    let codes = ["allowed", "dpop_replayed", "dpop_replayed"];
    for code in codes {
        let answer = send(&auth, &tool, shown(&token, &proof)).await;
        let refused = answer.extensions().get::<Rejection>().map(|rejection| (rejection.code(), rejection.status()));
        assert_eq!(refused.map(|(code, _)| code).unwrap_or("allowed"), code);
        assert!(refused.is_none_or(|(_, status)| status == 401));
    }
    assert_eq!((court.records.codes(), tool.calls().len()), (codes.to_vec(), 1));
}

/// Says what it is told to, when it is told.
#[derive(Debug, Default)]
struct Elsewhere(std::sync::Mutex<Option<oneshot::Receiver<ReplayAnswer>>>);

impl ReplayStore for Elsewhere {
    fn remember(&self, _: &[u8; 32], _: Timestamp, _: Timestamp) -> Remember {
        match self.0.lock().unwrap().take() {
            Some(answer) => Remember::later(async move { answer.await.unwrap_or(ReplayAnswer::Unavailable) }),
            None => Remember::ready(ReplayAnswer::Unavailable),
        }
    }
}

#[tokio::test]
async fn a_store_that_answers_later_is_waited_for_and_one_that_does_not_is_503() {
    let court = Court::new();
    let holder = holder();
    let token = bound(&court, &holder);
    for (said, status) in [(Some(ReplayAnswer::Fresh), 200), (Some(ReplayAnswer::Replayed), 401), (None, 503)] {
        let (say, answer) = oneshot::channel();
        let store = Arc::new(Elsewhere(std::sync::Mutex::new(Some(answer))));
        let auth = court.silent_engine(TOOLS).dpop(dpop().replay_store(store)).audit(court.records.clone());
        let auth = auth.build().unwrap();
        let tool = Tool::default();
        let sent = send(&auth, &tool, shown(&token, &proof(&holder, &token)));
        let mut sent = std::pin::pin!(sent);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(sent.as_mut().poll(&mut context).is_pending());
        assert_eq!((tool.calls().len(), court.records.codes().len()), (0, 0));
        match said {
            Some(said) => say.send(said).unwrap(),
            None => drop(say),
        }
        let answer = sent.await;
        assert_eq!((answer.status().as_u16(), tool.calls().len()), (status, usize::from(status == 200)));
        court.records.only();
        let unavailable = send(&auth, &tool, shown(&token, &proof(&holder, &token))).await;
        assert_eq!(code_in(&unavailable), "dpop_replay_unavailable");
        let id = court.records.only().evaluation_id.clone();
        assert_eq!(on_the_wire(&unavailable), refusal(503, None, "temporarily_unavailable", &id));
    }
}

#[tokio::test]
async fn a_server_without_dpop_says_so() {
    let court = Court::new();
    let holder = holder();
    let token = bound(&court, &holder);
    let auth = court.auth(TOOLS);
    for (request, error, code) in [
        (shown(&token, &proof(&holder, &token)), "", "no_credentials"),
        (bearer(&token), ", error=\"invalid_token\"", "binding_method_unsupported"),
    ] {
        let tool = Tool::default();
        let answer = send(&auth, &tool, request).await;
        let challenges: Vec<_> = answer.headers().get_all(WWW_AUTHENTICATE).iter().cloned().collect();
        assert_eq!(challenges, [format!("Bearer {METADATA}{error}")]);
        assert_eq!((answer.status().as_u16(), code_in(&answer), nonce_in(&answer)), (401, code, None));
        assert_eq!(tool.calls().len(), 0);
    }
    // What it does not know does not disturb it.
    let mut plain = bearer(&court.mint(&claims()));
    plain.headers_mut().insert("dpop", "x".parse().unwrap());
    assert_eq!(send(&auth, &Tool::default(), plain).await.status(), 200);
}

#[tokio::test]
async fn a_route_can_require_a_bound_token() {
    let court = Court::new();
    let holder = holder();
    let lawyer = court.peer(LAWYER);
    let (to_key, to_certificate) = (bound(&court, &holder), court.bound_token(&lawyer));
    let tool = Tool::default();
    let guarded = |auth: AgentAuth| {
        let inner = RequireBindingLayer::new().layer(tool.clone());
        AgentAuthLayer::new(auth).layer(inner)
    };
    let mut over_tls = bearer(&to_certificate);
    over_tls.extensions_mut().insert(ConnectionPeer(lawyer));
    for good in [shown(&to_key, &proof(&holder, &to_key)), over_tls] {
        assert_eq!(guarded(engine(&court).build().unwrap()).oneshot(good).await.unwrap().status(), 200);
        assert_eq!((tool.calls().len(), court.records.codes()), (1, vec!["allowed"; 2]));
    }
    // The challenge names the one scheme that would do, if the server takes it.
    let plain = || bearer(&court.mint(&claims()));
    for (auth, scheme) in
        [(engine(&court).build().unwrap(), format!("{ALGORITHMS}, ")), (court.auth(TOOLS), "Bearer ".into())]
    {
        let answer = guarded(auth).oneshot(plain()).await.unwrap();
        let challenge = format!("{scheme}{METADATA}, error=\"invalid_token\"");
        let id = "00000000000000000000000000000002";
        assert_eq!(on_the_wire(&answer), refusal(401, Some(&challenge), "invalid_token", id));
        assert_eq!((code_in(&answer), tool.calls().len()), ("binding_required", 0));
        let [authentication, decision] = &court.records.take()[..] else { panic!("two records") };
        assert_eq!((authentication.code, decision.code), ("allowed", "binding_required"));
        assert_eq!(decision.authentication_id.as_ref(), Some(&authentication.evaluation_id));
    }
    // And gives the nonce that such a proof needs.
    let nonces = with_nonces(&court, &clock());
    let answer = guarded(nonces.clone()).oneshot(plain()).await.unwrap();
    let nonce = nonce_in(&answer).unwrap();
    let good = shown(&to_key, &proof_with_nonce(&holder, &to_key, nonce, NOW));
    assert_eq!(guarded(nonces).oneshot(good).await.unwrap().status(), 200);
    assert_eq!(tool.calls().len(), 1);
    // Nobody is not let in either, and a server that forgot who calls is told.
    let optional = AgentAuthLayer::new(engine(&court).build().unwrap()).optional();
    let answer =
        optional.layer(RequireBindingLayer::new().layer(tool.clone())).oneshot(request("/x", &[])).await.unwrap();
    assert_eq!((answer.status().as_u16(), code_in(&answer)), (401, "no_credentials"));
    let answer = RequireBindingLayer::new().layer(tool.clone()).oneshot(plain()).await.unwrap();
    assert_eq!((answer.status().as_u16(), tool.calls().len()), (500, 0));
}

#[tokio::test]
async fn an_optional_layer_takes_an_attempt_at_dpop_for_credentials() {
    let court = Court::new();
    let holder = holder();
    let token = bound(&court, &holder);
    let tool = Tool::default();
    let layer = |auth: AgentAuth| AgentAuthLayer::new(auth).optional().layer(tool.clone());
    let bad = shown(&token, "x");
    let answer = layer(engine(&court).build().unwrap()).oneshot(bad).await.unwrap();
    assert_eq!((code_in(&answer), tool.calls().len()), ("dpop_proof_malformed", 0));
    // Also where DPoP is not taken: who shows a token does not pass as nobody.
    let answer = layer(court.auth(TOOLS)).oneshot(shown(&token, &proof(&holder, &token))).await.unwrap();
    assert_eq!((code_in(&answer), tool.calls().len()), ("no_credentials", 0));
    // A proof without a token is nothing.
    let answer = layer(engine(&court).build().unwrap()).oneshot(request("/x", &[("dpop", "x")])).await.unwrap();
    assert_eq!((answer.status().as_u16(), tool.calls().len()), (200, 1));
}
