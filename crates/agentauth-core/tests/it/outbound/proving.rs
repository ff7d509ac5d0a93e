//! A client with a DPoP key, against our own verifier.

use std::time::Duration;

use http::{HeaderMap, Method, Request, StatusCode, Uri};

use super::*;
use crate::support::court::claims_of;
use crate::support::office::set;
use crate::support::prover::at;
use agentauth_core::Binding;
use agentauth_core::binding::dpop::{DPOP, DPOP_NONCE, Dpop, DpopKey, DpopVerifier, NonceKey, ProofContext};
use agentauth_core::jose::Algorithm;
use agentauth_core::state::MemoryReplayStore;

fn verifier() -> Dpop {
    Dpop::new(RECORDS).replay_store(Arc::new(MemoryReplayStore::with_capacity(16)))
}

fn key(court: &Court, algorithm: Algorithm) -> Arc<DpopKey> {
    Arc::new(DpopKey::generate(algorithm).unwrap().clock(court.clock.clone()))
}

/// A service whose tokens are bound to `key`.
fn sts(court: &Court, key: &Arc<DpopKey>) -> Sts {
    let claims = set(onward(), "cnf", json!({"jkt": key.thumbprint().to_string()}));
    let mut body = answer(&court.key.mint(&claims), 300);
    body["token_type"] = json!("DPoP");
    Sts::new(court, move |_| body.to_string()).held_by(Holder::Dpop(key.clone()))
}

fn verify(verifier: &DpopVerifier, request: &Request<()>, token: &OutboundToken, key: &DpopKey) -> &'static str {
    let uri: Uri = request.uri().path_and_query().unwrap().as_str().parse().unwrap();
    let context = ProofContext::new(request.method(), &uri, token.token(), Some(key.thumbprint().as_bytes()));
    let proof = request.headers()[DPOP].to_str().unwrap();
    verifier.verify(proof, &context, at(NOW)).map_or_else(|error| error.code(), |_| ACCEPTED)
}

#[test]
fn each_request_has_a_proof_of_its_own_that_a_server_takes() {
    let court = Court::new();
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let key = key(&court, algorithm);
        let token =
            delegated(&caller(&court, "1"), &sts(&court, &key).delegator().build(), &hop("records:read")).unwrap();
        assert_eq!(token.binding(), Binding::Dpop);
        let verifier = verifier().algorithms([algorithm]).build().unwrap();
        let mut ids = Vec::new();
        for (method, uri) in
            [(Method::GET, "https://records.example/7?page=2"), (Method::POST, "https://records.example")]
        {
            let mut request = Request::builder().method(method).uri(uri).body(()).unwrap();
            token.authorize(&mut request).unwrap();
            assert_eq!(authorization(&request), format!("DPoP {}", token.token()));
            assert!(request.headers()[DPOP].is_sensitive());
            assert_eq!(verify(&verifier, &request, &token, &key), ACCEPTED, "{algorithm} {uri}");
            let claims = claims_of(request.headers()[DPOP].to_str().unwrap());
            assert_eq!((&claims["iat"], claims.get("nonce")), (&json!(NOW), None));
            assert!(!claims["htu"].as_str().unwrap().contains('?'));
            ids.push(claims["jti"].clone());
        }
        assert_ne!(ids[0], ids[1]);
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
}

/// RFC 9449 §5: a service that answers with a bearer token has not bound it.
#[test]
fn a_token_that_is_not_bound_to_the_key_is_refused() {
    let court = Court::new();
    let (own, other) = (key(&court, Algorithm::EdDsa), key(&court, Algorithm::EdDsa));
    let token = |jkt: Value| court.key.mint(&set(onward(), "cnf", jkt));
    let own_jkt = json!({"jkt": own.thumbprint().to_string()});
    for (kind, token, expected) in [
        ("DPoP", token(own_jkt.clone()), ACCEPTED),
        ("dpop", "opaque".into(), ACCEPTED),
        ("Bearer", token(own_jkt.clone()), "answer_wrong_binding"),
        ("Bearer", "opaque".into(), "answer_wrong_binding"),
        ("DPoP", token(json!({"jkt": other.thumbprint().to_string()})), "answer_wrong_binding"),
        ("DPoP", token(Value::Null), "answer_wrong_binding"),
        ("N_A", token(own_jkt), "answer_wrong_kind"),
    ] {
        let mut body = answer(&token, 300);
        body["token_type"] = json!(kind);
        let sts = Sts::new(&court, move |_| body.to_string()).held_by(Holder::Dpop(own.clone()));
        let found = delegated(&caller(&court, "1"), &sts.delegator().build(), &hop("records:read"));
        assert_eq!(code_of(&found), expected, "{kind} {token}");
    }
}

/// RFC 9449 §9: the server gives a nonce, and wants it in the next proof; later it gives another one.
#[test]
fn the_newest_nonce_of_a_server_stands_in_the_next_proof() {
    let court = Court::new();
    let key = key(&court, Algorithm::Es256);
    let token = delegated(&caller(&court, "1"), &sts(&court, &key).delegator().build(), &hop("records:read")).unwrap();
    let verifier =
        verifier().require_nonce(NonceKey::new(&[7; 32])).nonce_period(Duration::from_secs(30)).build().unwrap();
    let proven = || {
        let mut request = Request::get("https://records.example/7").body(()).unwrap();
        token.authorize(&mut request).unwrap();
        verify(&verifier, &request, &token, &key)
    };
    assert_eq!(proven(), "dpop_nonce_required");
    let mut headers = HeaderMap::new();
    headers.insert("www-authenticate", r#"DPoP error="use_dpop_nonce", algs="ES256""#.parse().unwrap());
    headers.insert(DPOP_NONCE, verifier.nonce(at(NOW)).unwrap().parse().unwrap());
    let uri = Uri::from_static("https://records.example/7");
    assert!(token.heed_nonce(&uri, StatusCode::UNAUTHORIZED, &headers));
    assert_eq!(proven(), ACCEPTED);
    // The same nonce again helps nobody.
    assert!(!token.heed_nonce(&uri, StatusCode::UNAUTHORIZED, &headers));
    // A nonce that comes with an answer is for the next request.
    let mut next = HeaderMap::new();
    next.insert(DPOP_NONCE, "another".parse().unwrap());
    assert!(!token.heed_nonce(&uri, StatusCode::OK, &next));
    assert_eq!(proven(), "dpop_nonce_refused");
    // Another refusal is not for want of a nonce.
    next.insert(DPOP_NONCE, "a-third".parse().unwrap());
    next.insert("www-authenticate", r#"DPoP error="invalid_token""#.parse().unwrap());
    assert!(!token.heed_nonce(&uri, StatusCode::UNAUTHORIZED, &next));
}
