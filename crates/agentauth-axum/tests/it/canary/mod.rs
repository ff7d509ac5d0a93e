//! Secrets that are marked, through every path: none of them is found in any record, event, span, error or answer; and what
//! is personal, in the personal halves of records only.

mod issuing;
mod watch;

use std::sync::Arc;

use agentauth_axum::Rejection;
use agentauth_core::audit::TracingSink;
use agentauth_core::binding::dpop::Dpop;
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::policy::{ApprovalTerms, PolicyError, Reason, ReasonKind};
use agentauth_core::state::revocation::Revocation;
use agentauth_core::state::{MemoryApprovalStore, MemoryRevocations};
use agentauth_core::token::TransactionTokens;
use agentauth_core::{
    Action, AgentAuth, AgentAuthBuilder, AuthzRequest, Caller, Decision, Evidence, IssuerId, PolicyEngine, PrincipalId,
};
use agentauth_tower::{AgentAuthLayer, ConnectionPeer};
use async_trait::async_trait;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use axum::{Extension, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use self::watch::{Ear, PERSONAL, Watch};
use crate::dpop_client::DpopClient;
use crate::support::{Court, LAWYER, NOW, STS, TOOLS, claims};

/// Answers as the kind of the resource says.
#[derive(Debug)]
struct Moods;

#[async_trait]
impl PolicyEngine for Moods {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        let allow = || Decision::allow(Reason::new(ReasonKind::Permitted, "it is so"));
        // An engine that names whom it is about.
        let whom = || format!("not for {}", request.principal().subject());
        match request.resource().map_or("", |resource| resource.kind()) {
            "deny" => Ok(Decision::deny(Reason::new(ReasonKind::Forbidden, whom()).telling("not today"))),
            "fault" => {
                let denied = Decision::deny(Reason::new(ReasonKind::PolicyErred, whom()));
                Ok(denied.with_error(Some("rule-1"), whom()))
            }
            "fail" => Err(PolicyError::new(whom())),
            "panic" => panic!("as the test wants"),
            "approve" => Ok(allow().needing_approval(ApprovalTerms::within(std::time::Duration::from_secs(60)))),
            _ => Ok(allow()),
        }
    }

    fn version(&self) -> Arc<str> {
        "moods-1".into()
    }
}

/// The tool: what it is given, and how it ends.
async fn file(Extension(caller): Extension<Caller>, Path(kind): Path<String>) -> Result<&'static str, Rejection> {
    // Nothing of it is named for the record, but the title.
    let arguments = json!({
        "title": format!("{PERSONAL}-title"), "note": "CANARY-note", "n": [{"CANARY-name": 4_711_471_147_u64}],
    });
    let action = Action::new("motions:file")?.on(&kind, "17").with(arguments)?;
    let permit = caller.authorize(action).await?;
    if kind == "leave" {
        return Ok("left");
    }
    let result = permit.run(async |_: Value| match &*kind {
        "tool-fails" => Err("CANARY-tool"),
        "tool-panics" => panic!("as the test wants"),
        _ => Ok("filed"),
    });
    result.await?.or(Ok("failed"))
}

fn engine(court: &Court, watch: &Watch) -> AgentAuthBuilder {
    court
        .engine(TOOLS)
        .audit(watch.clone())
        .audit(TracingSink)
        .policy(Moods)
        .record_arguments(["title"])
        .approvals(MemoryApprovalStore::with_capacity(10, 10))
        .revocations(MemoryRevocations::new())
        .dpop(Dpop::new(TOOLS))
}

/// A request with a secret wherever one could be, that shows `credentials`.
fn request(path: &str, credentials: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(format!("{path}?session=CANARY-query"))
        .header("cookie", "session=CANARY-cookie")
        .header("x-api-key", "CANARY-header")
        .header("proxy-authorization", "Basic CANARY-proxy")
        .header("baggage", "user.id=CANARY-baggage")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .header("tracestate", "vendor=CANARY-state");
    for (name, value) in credentials {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn send(watch: &Watch, auth: &AgentAuth, request: Request<Body>) {
    let app: Router = Router::new().route("/{kind}", get(file)).layer(AgentAuthLayer::new(auth.clone()));
    // A handler that panics is the server's to answer; here, its task ends.
    let Ok(answer) = tokio::task::spawn(app.oneshot(request)).await else { return };
    let (head, body) = answer.unwrap().into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    watch.say(&(head.status, &head.headers, body));
    if let Some(rejection) = head.extensions.get::<agentauth_core::Rejection>() {
        watch.say(&rejection);
        watch.say(&rejection.refusal());
        watch.error(rejection.refusal());
    }
}

const KINDS: [&str; 9] = ["case", "deny", "fault", "fail", "panic", "approve", "leave", "tool-fails", "tool-panics"];

/// The claims of a token of somebody who can be named, with what nobody needs to know.
fn marked(more: &Value) -> Value {
    let mut claims = claims();
    claims["sub"] = format!("{PERSONAL}-alice").into();
    claims["jti"] = "CANARY-jti".into();
    claims["email"] = "CANARY-email".into();
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

#[tokio::test]
async fn no_secret_of_a_request_is_written_anywhere() {
    let (court, watch) = (Court::new(), Watch::default());
    let _heard = tracing::subscriber::set_default(Ear::new(&watch));
    let auth = engine(&court, &watch).build().unwrap();
    let lawyer = court.ca.mint(LAWYER);
    let client = DpopClient::new(Algorithm::Es256);
    let mint = |more: Value| {
        let token = court.mint(&marked(&more));
        watch.guard(&token);
        token
    };

    let good = mint(json!({}));
    for kind in KINDS {
        send(&watch, &auth, request(&format!("/{kind}"), &[("authorization", &format!("Bearer {good}"))])).await;
    }
    // Over mutual TLS, and by DPoP.
    let thumbprint = URL_SAFE_NO_PAD.encode(court.verified(&lawyer).thumbprint());
    let bound = mint(json!({"cnf": {"x5t#S256": thumbprint}}));
    let mut over_tls = request("/case", &[("authorization", &format!("Bearer {bound}"))]);
    over_tls.extensions_mut().insert(ConnectionPeer(court.verified(&lawyer)));
    send(&watch, &auth, over_tls).await;
    let held = mint(json!({"cnf": client.cnf()}));
    let proof = |changes: Value| {
        let mut claims = client.claims("GET", &format!("{TOOLS}/case"), &held, NOW);
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let proof = client.prove(&claims);
        watch.guard(&proof);
        proof
    };
    let twice = proof(json!({"jti": "CANARY-proof"}));
    let scheme = format!("DPoP {held}");
    for proof in [
        twice.clone(),
        twice,
        proof(json!({"htu": "https://elsewhere.example/"})),
        proof(json!({"ath": "CANARY-ath"})),
        proof(json!({"iat": 1, "nonce": "CANARY-nonce"})),
        "CANARY-proof".to_owned(),
    ] {
        send(&watch, &auth, request("/case", &[("authorization", &scheme), ("dpop", &proof)])).await;
    }
    send(&watch, &auth, request("/case", &[("authorization", &scheme)])).await;

    // Refusals of each kind.
    let (head, signature) = good.rsplit_once('.').unwrap();
    for token in [
        "CANARY-token".to_owned(),
        "CANARY.CANARY.CANARY".to_owned(),
        format!("{head}.{}", signature.chars().rev().collect::<String>()),
        format!("{good}.CANARY"),
        mint(json!({"exp": NOW - 60})),
        mint(json!({"aud": "https://other.example"})),
        mint(json!({"iss": "https://other.example"})),
        mint(json!({"scope": "records:read"})),
        mint(json!({"scope": "\"quoted\""})),
        mint(json!({"sub": format!("{PERSONAL}\u{1}")})),
        mint(json!({"act": "CANARY", "may_act": "CANARY"})),
        mint(json!({"cnf": {"jkt": "CANARY"}})),
        Court::new().mint(&marked(&json!({}))),
        "x".repeat(20_000) + "CANARY",
    ] {
        watch.guard(&token);
        send(&watch, &auth, request("/case", &[("authorization", &format!("Bearer {token}"))])).await;
        send(&watch, &auth, request("/case", &[("authorization", &format!("DPoP {token}"))])).await;
    }
    for value in ["CANARY", "Basic CANARY", "Bearer CANARY CANARY", "Bearer ", "DPoP CANARY, Bearer CANARY"] {
        send(&watch, &auth, request("/case", &[("authorization", value)])).await;
    }
    send(&watch, &auth, request("/case", &[("authorization", "Bearer CANARY"), ("authorization", "Bearer a")])).await;
    let in_query = Request::get("/case?access_token=CANARY").body(Body::empty()).unwrap();
    send(&watch, &auth, in_query).await;

    humans(&court, &watch, &auth, &good).await;
    transactions(&court, &watch, &good).await;

    assert!(watch.amount().iter().all(|lines| *lines > 60), "{:?}", watch.amount());
    assert_eq!(watch.leaks(), [] as [String; 0]);
    for name in ["alice", "dana", "title", "by", "why"] {
        assert!(watch.personal().contains(&format!("{PERSONAL}-{name}")), "{name} is where it can be erased");
    }
}

/// What people decide, and their names.
async fn humans(court: &Court, watch: &Watch, auth: &AgentAuth, good: &str) {
    let approvals = auth.approvals().unwrap();
    let bearer = format!("Bearer {good}");
    for pending in approvals.pending().await.unwrap() {
        approvals.approve(pending.id(), format!("{PERSONAL}-dana").as_str()).await.unwrap();
        watch.error(&approvals.approve(pending.id(), format!("{PERSONAL}-dana").as_str()).await.unwrap_err());
        send(watch, auth, request("/approve", &[("authorization", &bearer)])).await;
        send(watch, auth, request("/approve", &[("authorization", &bearer)])).await;
    }
    let alice = PrincipalId::new(IssuerId::new(STS).unwrap(), &format!("{PERSONAL}-alice"));
    let revocation = Revocation::principal(alice).by(&format!("{PERSONAL}-by")).because(&format!("{PERSONAL}-why"));
    auth.revoke(&revocation).await.unwrap();
    send(watch, auth, request("/case", &[("authorization", &bearer)])).await;

    // What an engine and what it is given say of themselves. Of a caller, that is also for whom it acts: applications see that.
    watch.say(auth);
    watch.say(&Evidence::from_http(&http::Method::GET, &"/".parse().unwrap(), request("/", &[]).headers()));
    watch.say(&Evidence::bearer(good).with_transaction_token("CANARY-transaction"));
    let other = engine(court, &Watch::default()).build().unwrap();
    let caller = other.authenticate(Evidence::bearer(good)).await.unwrap();
    watch.say(&caller.subject_token());
}

/// Transaction tokens, with what they say of the request and of its context.
async fn transactions(court: &Court, watch: &Watch, good: &str) {
    const DOMAIN: &str = "trust-domain.example";
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    watch.guard(&URL_SAFE_NO_PAD.encode(key.to_pkcs8().unwrap()));
    let tokens = TransactionTokens::new(DOMAIN, key.public_key_set().unwrap());
    let auth = engine(court, watch).transaction_tokens(tokens).build().unwrap();
    let mint = |changes: Value| {
        let mut claims = json!({
            "iat": NOW, "aud": DOMAIN, "exp": NOW + 360, "txn": "transaction-1", "sub": "CANARY-user",
            "req_wl": "gateway.trust-domain.example", "scope": "motions:file",
            "rctx": {"req_ip": "CANARY-address"}, "tctx": {"CANARY-context": "CANARY-value"},
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let token = key.sign(TokenType::TransactionToken, claims.to_string().as_bytes()).unwrap();
        watch.guard(&token);
        token
    };
    let bearer = format!("Bearer {good}");
    for token in [
        mint(json!({})),
        mint(json!({"exp": NOW - 60})),
        mint(json!({"aud": "other.example"})),
        mint(json!({"scope": "records:read"})),
        mint(json!({"tctx": "CANARY"})),
        mint(json!({"sub": null})),
        "CANARY-transaction".to_owned(),
        "CANARY transaction".to_owned(),
    ] {
        send(watch, &auth, request("/case", &[("authorization", &bearer), ("txn-token", &token)])).await;
    }
    send(watch, &auth, request("/case", &[("authorization", &bearer)])).await;
    watch.say(&key);
}

/// The watch finds what it is to find.
#[test]
fn a_leak_would_be_found() {
    let watch = Watch::default();
    watch.guard("header.payload.signature");
    for (line, is_leak) in [
        ("nothing", false),
        ("header", false),
        ("the payload", true),
        ("a signature!", true),
        ("CANARY-x", true),
        ("PERSONAL-x", true),
    ] {
        watch.say(&line);
        assert_eq!(watch.leaks().iter().any(|leak| leak.contains(line)), is_leak, "{line}");
    }
}
