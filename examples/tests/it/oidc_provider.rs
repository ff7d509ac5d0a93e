//! Bearer tokens: taken as they were issued, and only so. The keys are found by the issuer's metadata.

use std::sync::Arc;

use agentauth_core::audit::TracingSink;
use agentauth_core::{AgentAuth, ManualClock, Timestamp, TrustedIssuer};
use agentauth_examples::tool_server::{ScopesSuffice, router};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{HERE, Issuer, ToolServer, outcome, peers};

const ELSEWHERE: &str = "https://other.example.com";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_an_independent_issuer_are_taken_and_only_as_they_were_issued() {
    let Some(folder) = peers() else { return };
    for alg in ["RS256", "ES256", "PS256", "EdDSA"] {
        let issuer = Issuer::start(&folder, &["--resource", HERE, "--resource", ELSEWHERE, "--alg", alg]);
        let server = ToolServer::start(&issuer, alg, &["--require", "tools:echo=/whoami"]);

        let token = issuer.token(HERE).await;
        accepts(&server, &issuer, &token).await;
        let elsewhere = issuer.token(ELSEWHERE).await;
        assert_eq!(server.outcome(&elsewhere).await, outcome(401, "audience_wrong"), "{alg}");
        for bit in [one_bit_of_the_claims(&token), one_bit_of_the_signature(&token)] {
            assert_eq!(server.outcome(&bit).await, outcome(401, "signature_invalid"), "{alg}");
        }
        expires(&issuer, &token).await;
        println!("oidc-provider {alg}: taken, and refused for another resource, with a bit changed, and after expiry");
    }
}

async fn accepts(server: &ToolServer, issuer: &Issuer, token: &str) {
    let answer = server.whoami(token).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let caller = answer.body;
    assert_eq!(caller["agent"], json!({"named": {"issuer": issuer.text("issuer"), "name": issuer.text("client_id")}}));
    assert_eq!(caller["mode"], "autonomous");
    assert_eq!(caller["scopes"], json!(["tools:add", "tools:echo"]));
    assert_eq!((&caller["chain_depth"], &caller["binding"]), (&json!(0), &json!("bearer")));

    let answer = server.call(Method::POST, "/tools/add", token, r#"{"a":20,"b":22}"#).await;
    assert_eq!((answer.status, &answer.body["result"]), (StatusCode::OK, &json!(42)));
    let answer = server.call(Method::POST, "/tools/delete", token, "{}").await;
    assert_eq!((answer.status, &answer.body["error"]), (StatusCode::FORBIDDEN, &json!("insufficient_scope")));
}

/// The same server, told what time it is.
async fn expires(issuer: &Issuer, token: &str) {
    let payload = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let exp = claims["exp"].as_u64().unwrap();
    let leeway = 30;
    for (now, status, code) in
        [(exp + leeway - 1, StatusCode::OK, None), (exp + leeway, StatusCode::UNAUTHORIZED, Some("token_expired"))]
    {
        let keys = issuer.client.fetch_keys(issuer.text("jwks_uri")).await.unwrap();
        let auth = AgentAuth::builder(HERE)
            .issuer(TrustedIssuer::rfc9068(issuer.text("issuer"), keys))
            .policy(ScopesSuffice)
            .audit(TracingSink)
            .clock(Arc::new(ManualClock::at(Timestamp::from_secs(now))))
            .build()
            .unwrap();
        let request = Request::get("/whoami").header(AUTHORIZATION, format!("Bearer {token}")).body(Body::empty());
        let answer = router(&auth, &[]).unwrap().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.extensions().get().map(agentauth_core::Rejection::code), code);
    }
}

/// The token with the lowest bit of the first digit of its `jti` changed: the claims still read well.
fn one_bit_of_the_claims(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let at = String::from_utf8(claims.clone()).unwrap().find("\"jti\":\"").unwrap() + "\"jti\":\"".len();
    claims[at] ^= 1;
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims), parts[2])
}

fn one_bit_of_the_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature: Bytes = URL_SAFE_NO_PAD.decode(signature).unwrap().into();
    let mut bytes = Vec::from(std::mem::take(&mut signature));
    bytes[10] ^= 1;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
}
