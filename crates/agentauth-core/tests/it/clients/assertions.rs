//! What a client signs, or has its platform sign, to prove who it is.

use std::sync::Barrier;
use std::thread;

use agentauth_core::Timestamp;
use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::RegisteredClient;
use agentauth_core::state::{Remember, ReplayAnswer, ReplayStore};
use agentauth_core::token::{KeyRefresh, KeySnapshot, KeySource, Keys};
use serde_json::{Value, json};

use super::{assert_told, but, granted, svid_claims};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, Key, RESOURCE, STS, encode};
use crate::support::reception::{APP, CLERKS, LOOSE, Letter, OLD, Reception, TYPE_JWT, code_of, proof_claims};

#[test]
fn each_fault_of_an_assertion_has_its_code() {
    let reception = Reception::new();
    let stranger = Key::new();
    let other_key = |claims: &Value| {
        let header = json!({"alg": "EdDSA", "kid": reception.key.id}).to_string();
        stranger.sign(&header, claims.to_string())
    };
    let both = |name: &str| {
        let mut claims = reception.claims();
        (claims["iss"], claims["sub"]) = (name.into(), name.into());
        claims
    };
    let unsigned =
        format!("{}.{}.", encode(json!({"alg": "none"}).to_string()), encode(reception.claims().to_string()));
    for (assertion, expected) in [
        (reception.sign(&reception.claims()), ACCEPTED),
        (reception.sign(&but(&reception, "aud", json!([STS]))), ACCEPTED),
        (reception.sign(&but(&reception, "iat", Value::Null)), ACCEPTED),
        (reception.sign(&but(&reception, "nbf", Value::Null)), ACCEPTED),
        (reception.sign_as(Some("JWT"), &reception.claims()), ACCEPTED),
        (reception.sign_as(None, &reception.claims()), ACCEPTED),
        (reception.sign_as(Some("client-authentication+jwt"), &but(&reception, "nonce", "n")), ACCEPTED),
        (reception.sign_as(Some("JWT"), &but(&reception, "nonce", "n")), "client_assertion_of_other_kind"),
        (other_key(&reception.claims()), "signature_invalid"),
        (
            stranger.sign(&stranger.header().to_string().replace("at+jwt", "JWT"), reception.claims().to_string()),
            "key_unknown",
        ),
        (unsigned, "alg_none"),
        (reception.sign(&both("nobody")), "client_unknown"),
        (reception.sign(&both(OLD)), "client_method_not_registered"),
        (reception.sign(&but(&reception, "iss", CLERKS)), "client_subject_mismatch"),
        (reception.sign(&but(&reception, "sub", "alice")), "client_subject_mismatch"),
        (reception.sign(&but(&reception, "iss", Value::Null)), "client_claim_missing"),
        (reception.sign(&but(&reception, "sub", Value::Null)), "client_claim_missing"),
        (reception.sign(&but(&reception, "aud", Value::Null)), "client_claim_missing"),
        (reception.sign(&but(&reception, "exp", Value::Null)), "client_claim_missing"),
        (reception.sign(&but(&reception, "jti", Value::Null)), "client_claim_missing"),
        (reception.sign(&but(&reception, "jti", "")), "client_claim_malformed"),
        (reception.sign(&but(&reception, "jti", "x".repeat(257))), "client_claim_malformed"),
        (reception.sign(&but(&reception, "jti", "x".repeat(256))), ACCEPTED),
        (reception.sign(&but(&reception, "aud", "https://other.example")), "client_audience_wrong"),
        (reception.sign(&but(&reception, "aud", format!("{STS}/token"))), "client_audience_wrong"),
        (reception.sign(&but(&reception, "aud", format!("{STS}/"))), "client_audience_wrong"),
        (reception.sign(&but(&reception, "aud", json!([STS, "https://other.example"]))), "client_audience_wrong"),
        (reception.sign(&but(&reception, "aud", json!([]))), "client_audience_wrong"),
        (reception.sign(&but(&reception, "exp", NOW - 29)), ACCEPTED),
        (reception.sign(&but(&reception, "exp", NOW - 30)), "client_assertion_expired"),
        (reception.sign(&but(&reception, "exp", NOW + 300)), ACCEPTED),
        (reception.sign(&but(&reception, "exp", NOW + 301)), "client_assertion_too_long"),
        (reception.sign(&but(&reception, "iat", NOW - 240)), ACCEPTED),
        (reception.sign(&but(&reception, "iat", NOW - 241)), "client_assertion_too_long"),
        (reception.sign(&but(&reception, "iat", NOW + 30)), ACCEPTED),
        (reception.sign(&but(&reception, "iat", NOW + 31)), "client_assertion_not_yet_valid"),
        (reception.sign(&but(&reception, "nbf", NOW + 31)), "client_assertion_not_yet_valid"),
        (reception.sign(&but(&reception, "exp", json!("soon"))), "json_wrong_type"),
        (reception.sign(&reception.claims()).replace('.', ""), "token_not_compact"),
        ("x".repeat(20_000), "token_oversize"),
    ] {
        let response = reception.send(&reception.with_assertion(&assertion));
        assert_eq!(code_of(&response), expected, "{assertion:.300}");
        assert_told(&response, expected, "invalid_client", 401);
    }
    let mut unlimited = but(&reception, "iat", Value::Null);
    unlimited["exp"] = (NOW + 331).into();
    assert_eq!(reception.code(&reception.with_assertion(&reception.sign(&unlimited))), "client_assertion_too_long");
}

#[test]
fn a_jwt_svid_is_for_this_issuer_alone() {
    let reception = Reception::new();
    let with = |name: &str, value: Value| {
        let mut claims = svid_claims();
        claims[name] = value;
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    };
    for (claims, expected) in [
        (svid_claims(), ACCEPTED),
        (with("aud", json!([STS])), ACCEPTED),
        (with("aud", json!([STS, "https://other.example"])), "client_audience_wrong"),
        (with("aud", json!("https://other.example")), "jwt_svid_audience_wrong"),
        (with("exp", json!(NOW - 10)), "jwt_svid_expired"),
        (with("sub", json!("spiffe://elsewhere.example/agent/clerk")), "jwt_svid_unknown_trust_domain"),
        (with("sub", json!(APP)), "jwt_svid_not_spiffe_id"),
        (with("cnf", json!({"jkt": "x"})), "jwt_svid_bound"),
    ] {
        let response = reception.send(&reception.with_jwt_svid(&claims));
        assert_eq!(code_of(&response), expected, "{claims}");
        assert_told(&response, expected, "invalid_client", 401);
    }
    // A kind of assertion counts as the other under no name.
    let assertion = reception.sign_as(Some("JWT"), &reception.claims());
    let as_svid = reception.bare().field("client_assertion", &assertion);
    let as_svid = as_svid.field("client_assertion_type", crate::support::reception::TYPE_JWT_SVID);
    assert_ne!(reception.code(&as_svid.proven(&reception)), ACCEPTED);
    let svid = reception.svids.sign(&reception.svids.header(), &svid_claims());
    let as_assertion = reception.bare().field("client_assertion", &svid).field("client_assertion_type", TYPE_JWT);
    assert_eq!(reception.code(&as_assertion.proven(&reception)), "client_claim_missing");
    // It ends with the SVID that the client has shown.
    let (answer, _) = granted(&reception, &reception.with_jwt_svid(&with("exp", json!(NOW + 20))));
    assert_eq!(answer["expires_in"], 20);
}

#[test]
fn an_assertion_counts_once() {
    let reception = Reception::new();
    let letter = reception.asserted();
    assert_eq!(reception.code(&letter), ACCEPTED);
    let again = letter.unproven().proven(&reception);
    let response = reception.send(&again);
    assert_eq!(code_of(&response), "client_assertion_replayed");
    assert_told(&response, "client_assertion_replayed", "invalid_client", 401);
    reception.court.at(NOW + 89);
    let late = again.clone().unproven().header(
        "dpop",
        &reception.dpop.prove(&{
            let mut claims = proof_claims(&reception.dpop, None);
            claims["iat"] = (NOW + 89).into();
            claims
        }),
    );
    assert_eq!(reception.code(&late), "client_assertion_replayed", "to the last second at which it would count");
    reception.court.at(NOW + 90);
    assert_eq!(reception.code(&late), "client_assertion_expired");

    // Of two clients that choose the same id, each has its own.
    let reception = Reception::new();
    let mut claims = reception.claims();
    assert_eq!(reception.code(&reception.with_assertion(&reception.sign(&claims))), ACCEPTED);
    (claims["iss"], claims["sub"]) = (LOOSE.into(), LOOSE.into());
    assert_eq!(reception.code(&reception.with_assertion(&reception.sign(&claims))), ACCEPTED);
}

#[test]
fn of_many_who_show_an_assertion_at_once_one_is_taken() {
    const THREADS: usize = 8;
    let reception = Reception::new();
    for _ in 0..20 {
        let letter = reception.asserted();
        let letters: Vec<Letter> = (0..THREADS).map(|_| letter.clone().unproven().proven(&reception)).collect();
        let barrier = Barrier::new(THREADS);
        let codes: Vec<&str> = thread::scope(|scope| {
            let send = |letter| {
                barrier.wait();
                reception.code(letter)
            };
            let threads: Vec<_> = letters.iter().map(|letter| scope.spawn(move || send(letter))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(codes.iter().filter(|code| **code == ACCEPTED).count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| **code == "client_assertion_replayed").count(), THREADS - 1);
    }
}

#[test]
fn without_a_replay_store_no_assertion_is_accepted() {
    #[derive(Debug)]
    struct Away;
    impl ReplayStore for Away {
        fn remember(&self, _: &[u8; 32], _: Timestamp, _: Timestamp) -> Remember {
            Remember::later(async { ReplayAnswer::Unavailable })
        }
    }
    let reception = Reception::with(|builder| builder.dpop(Dpop::new(STS)).used_client_assertions(Away));
    let response = reception.send(&reception.asserted());
    assert_eq!(code_of(&response), "client_replay_unavailable");
    assert_told(&response, "client_replay_unavailable", "temporarily_unavailable", 503);
    // Nobody but the client can find that out.
    assert_eq!(
        reception.code(&reception.with_assertion(&reception.sign(&but(&reception, "aud", "x")))),
        "client_audience_wrong"
    );
    assert_eq!(reception.code(&reception.with_secret(OLD, reception.secret.reveal())), ACCEPTED);
}

/// The client's keys may change while the issuer runs.
#[test]
fn a_client_with_a_new_key_is_known_after_one_look() {
    #[derive(Debug)]
    struct Rotating(std::sync::Mutex<Vec<KeySnapshot>>);
    impl KeySource for Rotating {
        fn current(&self) -> Option<KeySnapshot> {
            self.0.lock().unwrap().first().cloned()
        }
        fn refresh(&self, _: Option<u64>) -> Option<KeyRefresh> {
            self.0.lock().unwrap().remove(0);
            Some(Box::pin(async {}))
        }
    }
    let snapshots = |keys: &[&Key]| {
        let snapshot = |(at, key): (usize, &&Key)| KeySnapshot { keys: key.key_set().into(), generation: at as u64 };
        Keys::from_source(Rotating(std::sync::Mutex::new(keys.iter().enumerate().map(snapshot).collect())))
    };
    let old = Key::new();
    let reception = Reception::new();
    for (keys, expected) in [
        (vec![&old, &reception.key], ACCEPTED),
        (vec![&old, &old], "key_unknown"),
        (vec![&old], "client_keys_unavailable"),
    ] {
        let client = RegisteredClient::new(APP).keys(snapshots(&keys));
        let issuer =
            reception.court.issuer().resource(RESOURCE, "").client(client).dpop(Dpop::new(STS)).build().unwrap();
        let service = agentauth_core::TokenService::new(issuer, reception.court.records.clone()).unwrap();
        let response = crate::support::court::wait(async {
            let letter = reception.asserted();
            let body = letter.body();
            service.answer(&letter.request(&body)).await
        });
        assert_eq!(code_of(&response), expected);
        assert_told(&response, expected, "invalid_client", 401);
    }
}
