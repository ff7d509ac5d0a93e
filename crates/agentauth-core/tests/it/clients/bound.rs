//! Which key the tokens of a client are bound to, and who may exchange them.

use agentauth_core::Timestamp;
use agentauth_core::binding::dpop::{Dpop, NonceKey};
use agentauth_core::jose::Algorithm;
use serde_json::{Value, json};

use super::{assert_told, granted, svid_claims};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, RESOURCE, STS, claims_of, encode};
use crate::support::dpop_client::DpopClient;
use crate::support::reception::{APP, LOOSE, Letter, OLD, Reception, code_of, proof_claims};

#[test]
fn what_is_issued_is_bound_to_a_key_that_the_client_has_shown() {
    let reception = Reception::new();
    let thumbprint = encode(reception.lawyer.thumbprint());
    let certificate = || reception.bare().over(&reception.lawyer);
    let loose = || {
        let mut claims = reception.claims();
        (claims["iss"], claims["sub"]) = (LOOSE.into(), LOOSE.into());
        reception.with_assertion(&reception.sign(&claims))
    };
    for (letter, token_type, cnf) in [
        (reception.asserted(), "DPoP", reception.dpop.cnf()),
        (certificate(), "Bearer", json!({ "x5t#S256": thumbprint })),
        // A client that sends a proof has chosen it.
        (certificate().proven(&reception), "DPoP", reception.dpop.cnf()),
        (loose(), "DPoP", reception.dpop.cnf()),
        (loose().unproven(), "Bearer", Value::Null),
    ] {
        let (answer, _) = granted(&reception, &letter);
        let claims = claims_of(answer["access_token"].as_str().unwrap());
        assert_eq!((&answer["token_type"], &claims["cnf"]), (&json!(token_type), &cnf));
    }
    for letter in [
        reception.asserted(),
        reception.with_secret(OLD, reception.secret.reveal()),
        reception.with_jwt_svid(&svid_claims()),
    ]
    .map(Letter::unproven)
    {
        let response = reception.send(&letter);
        assert_eq!(code_of(&response), "exchange_binding_required");
        assert_told(&response, "exchange_binding_required", "invalid_dpop_proof", 400);
    }
}

#[test]
fn each_fault_of_a_proof_has_its_code() {
    let reception = Reception::new();
    let with = |name: &str, value: Value| {
        let mut claims = proof_claims(&reception.dpop, None);
        claims[name] = value;
        reception.asserted().unproven().header("dpop", &reception.dpop.prove(&claims))
    };
    for (letter, expected) in [
        (with("htu", json!("https://sts.court.example/token?x=1")), ACCEPTED),
        (with("htu", json!("https://sts.court.example/introspect")), "dpop_htu_mismatch"),
        (with("htu", json!("https://tools.example/token")), "dpop_htu_mismatch"),
        (with("htm", json!("GET")), "dpop_htm_mismatch"),
        (with("iat", json!(NOW - 61)), "dpop_iat_too_old"),
        (with("iat", json!(NOW + 6)), "dpop_iat_in_future"),
        (reception.asserted().proven(&reception), "dpop_proof_repeated"),
        (reception.asserted().unproven().header("dpop", &reception.sign(&reception.claims())), "dpop_key_missing"),
    ] {
        let response = reception.send(&letter);
        assert_eq!(code_of(&response), expected);
        assert_told(&response, expected, "invalid_dpop_proof", 400);
    }
    let letter = reception.asserted();
    assert_eq!(reception.code(&letter), ACCEPTED);
    let mut again = reception.asserted();
    again.headers = letter.headers.clone();
    assert_eq!(reception.code(&again), "dpop_replayed");

    // Whoever has not proven who it is learns nothing of its proof.
    let mut nobody = letter;
    nobody.fields.retain(|(name, _)| !name.starts_with("client_"));
    assert_eq!(reception.code(&nobody), "exchange_client_unauthenticated");

    let deaf = Reception::with(|builder| builder);
    let response = deaf.send(&deaf.asserted());
    assert_eq!(code_of(&response), "exchange_dpop_unsupported");
    assert_told(&response, "exchange_dpop_unsupported", "invalid_dpop_proof", 400);
    assert_eq!(deaf.code(&deaf.bare().over(&deaf.lawyer)), ACCEPTED);
}

#[test]
fn a_client_that_is_sent_back_for_a_nonce_has_used_nothing_up() {
    let reception = Reception::with_nonces();
    let letter = reception.asserted();
    let response = reception.send(&letter);
    assert_eq!(code_of(&response), "dpop_nonce_required");
    assert_told(&response, "dpop_nonce_required", "use_dpop_nonce", 400);
    let nonce = response.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    let wrong =
        letter.clone().unproven().header("dpop", &reception.dpop.prove(&proof_claims(&reception.dpop, Some("other"))));
    assert_eq!(reception.code(&wrong), "dpop_nonce_refused");
    let right = letter.unproven().header("dpop", &reception.dpop.prove(&proof_claims(&reception.dpop, Some(&nonce))));
    let response = reception.send(&right);
    assert_eq!(code_of(&response), ACCEPTED);
    assert!(response.headers().contains_key("dpop-nonce"), "for its next request");
    // It is no nonce of another server with the same key.
    let elsewhere = Dpop::new(RESOURCE).require_nonce(NonceKey::new(&[7; 32])).build().unwrap();
    assert_ne!(elsewhere.nonce(Timestamp::from_secs(NOW)).as_deref(), Some(&*nonce));
}

/// A stolen assertion or secret is worth nothing without the key of the proof at the server; a stolen token neither.
#[test]
fn an_exchange_is_for_the_client_that_proves_itself() {
    let reception = Reception::new();
    let agent =
        agentauth_core::AgentId::Named { issuer: agentauth_core::IssuerId::new(STS).unwrap(), name: APP.into() };
    let consent = reception.consent(agent);
    let exchange = |letter: Letter| {
        let access_token = "urn:ietf:params:oauth:token-type:access_token";
        letter
            .without("grant_type")
            .field("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .field("subject_token", &consent)
            .field("subject_token_type", access_token)
    };
    let (answer, _) = granted(&reception, &exchange(reception.asserted()));
    let claims = claims_of(answer["access_token"].as_str().unwrap());
    assert_eq!((&claims["sub"], &claims["act"]), (&json!("alice"), &json!({"iss": STS, "sub": APP})));
    assert_eq!(claims["cnf"], reception.dpop.cnf());
    assert_eq!(reception.code(&exchange(reception.asserted().unproven())), "exchange_binding_required");
    let other = reception.with_secret(OLD, reception.secret.reveal());
    assert_eq!(reception.code(&exchange(other)), "exchange_actor_not_permitted");
    assert_eq!(reception.code(&exchange(reception.bare().over(&reception.lawyer))), "exchange_actor_not_permitted");

    // A token that is bound to a key is exchanged by its holder: under the same key, or over the same connection.
    let own = |letter: Letter| {
        let (answer, _) = granted(&reception, &letter.without("resource").field("resource", STS));
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let token = own(reception.bare().over(&reception.lawyer));
    let held = |letter: Letter| {
        let access_token = "urn:ietf:params:oauth:token-type:access_token";
        let letter =
            letter.without("grant_type").field("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
        reception.code(&letter.field("subject_token", &token).field("subject_token_type", access_token))
    };
    assert_eq!(held(reception.bare().over(&reception.clerk)), "exchange_subject_not_held");
    assert_eq!(held(reception.asserted()), "exchange_subject_not_held");
    assert_ne!(held(reception.bare().over(&reception.lawyer)), "exchange_subject_not_held");
    assert_ne!(held(reception.bare().over(&reception.lawyer).proven(&reception)), "exchange_subject_not_held");
    let stranger = DpopClient::new(Algorithm::EdDsa);
    let proven = reception.asserted().unproven().header("dpop", &stranger.prove(&proof_claims(&stranger, None)));
    assert_eq!(held(proven), "exchange_subject_not_held");
}
