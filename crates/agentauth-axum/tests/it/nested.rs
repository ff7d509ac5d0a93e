//! A proof of possession in routers that are nested: it is for what the client sent, not for what a router leaves of it.

use agentauth_axum::{AgentAuthLayer, Caller};
use agentauth_core::binding::dpop::Dpop;
use agentauth_core::jose::{Algorithm, SigningKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::Ed25519KeyPair;
use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::{Value, json};

use crate::support::{self, Court, NOW, TOOLS, send, with};

#[tokio::test]
async fn a_proof_is_for_the_whole_path_in_a_nested_router_too() {
    let court = Court::new();
    let auth = court.engine(TOOLS).dpop(Dpop::new(TOOLS)).build().unwrap();
    let part = || Router::new().route("/x", get(async |_: Caller| "done")).layer(AgentAuthLayer::new(auth.clone()));
    let app = Router::new().nest("/a", Router::new().nest("/b", part())).nest("/admin", part()).merge(part());

    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let token = court.mint(&with("cnf", json!({"jkt": key.key_id()})));
    for (path, htu, expected) in [
        ("/x", "/x", None),
        ("/admin/x", "/admin/x", None),
        ("/a/b/x", "/a/b/x", None),
        ("/admin/x", "/x", Some("dpop_htu_mismatch")),
        ("/a/b/x", "/b/x", Some("dpop_htu_mismatch")),
        ("/admin/x", "/a/b/x", Some("dpop_htu_mismatch")),
    ] {
        let claims = json!({
            "jti": format!("{path} {htu}"), "htm": "GET", "htu": format!("{TOOLS}{htu}"), "iat": NOW,
            "ath": URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())),
        });
        let mut request = support::get(path, None);
        let headers = request.headers_mut();
        headers.insert("authorization", HeaderValue::try_from(format!("DPoP {token}")).unwrap());
        headers.insert("dpop", HeaderValue::try_from(prove(&key, &claims)).unwrap());
        let answer = send(&app, request).await;
        assert_eq!(
            (answer.status(), answer.code),
            (if expected.is_none() { 200 } else { 401 }, expected),
            "{path} {htu}"
        );
    }
}

fn prove(key: &SigningKey, claims: &Value) -> String {
    let header = json!({
        "typ": "dpop+jwt", "alg": "EdDSA", "jwk": serde_json::from_str::<Value>(key.public_jwk()).unwrap(),
    });
    let input = [header.to_string(), claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let signature = Ed25519KeyPair::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap().sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}
