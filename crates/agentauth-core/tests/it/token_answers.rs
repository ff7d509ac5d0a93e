//! What the issuer says of a token, and to whom (RFC 7662).

use agentauth_core::delegation::{Client, ExchangeError};
use agentauth_core::identity::svid::X509Svid;
use serde_json::{Value, json};

use crate::support::certs::{Ca, NOW};
use crate::support::court::{JUDGE, Key, LAWYER, RESOURCE, STS, claims_of, encode, wait};
use crate::support::office::{Office, RECORDS, SCOPES, request, request_for, resource, set};

/// What the issuer says of `token` to `client`.
fn asked(office: &Office, client: &X509Svid, token: &str) -> Value {
    let body = wait(office.issuer.introspect(&Client::from(client), token)).unwrap();
    let answer: Value = serde_json::from_str(&body.to_json()).unwrap();
    assert_eq!(answer["active"], body.is_active());
    answer
}

fn is_active(office: &Office, client: &X509Svid, token: &str) -> bool {
    let answer = asked(office, client, token);
    if answer["active"] == false {
        assert_eq!(answer, json!({"active": false}), "nothing more is said");
    }
    answer["active"] == true
}

#[test]
fn an_active_token_is_told_whole() {
    let office = Office::new();
    let delegable = office.delegable();
    let issued = office.exchange(&office.lawyer, &request(&delegable, RESOURCE)).unwrap();
    let claims = claims_of(issued.token());
    let answer = asked(&office, &office.tools, issued.token());
    let expected = set(set(claims, "active", true), "token_type", "Bearer");
    assert_eq!(answer, expected);
    assert_eq!(
        (&answer["sub"], &answer["act"]["sub"], &answer["scope"]),
        (&json!("alice"), &json!(LAWYER), &json!(SCOPES))
    );
    assert_eq!(answer["cnf"]["x5t#S256"], encode(office.lawyer.thumbprint()));

    let of_key = set(set(office.actor(), "aud", RESOURCE), "cnf", json!({"jkt": "A".repeat(43)}));
    assert_eq!(asked(&office, &office.tools, &office.mint(&of_key))["token_type"], "DPoP");
    let consent = asked(&office, &office.lawyer, &office.consent());
    assert_eq!((&consent["active"], consent.get("may_act")), (&json!(true), None), "who may act is not for others");
}

/// A client may ask about its own tokens, and about those that were sent to the server that it runs.
#[test]
fn a_token_is_told_of_to_its_client_and_to_its_server_only() {
    let office = Office::new();
    let judge = office.court.peer(JUDGE);
    let sent = office.exchange(&office.lawyer, &request(&office.consent(), RESOURCE)).unwrap();
    let elsewhere = office.exchange(&office.lawyer, &request(&office.consent(), RECORDS)).unwrap();
    let (consent, own) = (office.consent(), office.own_token(&office.clerk));
    let delegable = office.exchange(&office.lawyer, &request(&office.consent(), STS)).unwrap();
    let passed_on = office.exchange(&office.lawyer, &request_for(delegable.token(), &own, RESOURCE)).unwrap();
    for (what, token, [lawyer, clerk, tools]) in [
        ("sent to the server of tools", sent.token(), [true, false, true]),
        ("sent to a server that no agent runs", elsewhere.token(), [true, false, false]),
        ("a consent", &consent, [true, false, false]),
        ("an agent's own", &own, [false, true, false]),
        ("passed on", passed_on.token(), [false, true, true]),
    ] {
        let found = [&office.lawyer, &office.clerk, &office.tools].map(|client| is_active(&office, client, token));
        assert_eq!(found, [lawyer, clerk, tools], "{what}");
        assert!(!is_active(&office, &judge, token), "{what}");
    }
}

/// RFC 7662 §2.2: what does not count is not active, and nothing is said of why.
#[test]
fn a_token_that_does_not_count_is_not_active_and_nothing_more() {
    let office = Office::new();
    let good = set(set(office.subject(), "aud", RESOURCE), "act", json!({"sub": LAWYER}));
    let good = set(good, "may_act", json!(null));
    assert!(is_active(&office, &office.tools, &office.mint(&good)));
    for (name, value) in [
        ("iss", json!("https://other.example")),
        ("aud", json!("https://unknown.example")),
        ("aud", json!([RESOURCE, RECORDS])),
        ("aud", json!(null)),
        ("exp", json!(NOW)),
        ("nbf", json!(NOW + 1)),
        ("iat", json!(NOW + 1)),
        ("jti", json!(null)),
        ("grant_id", json!(7)),
    ] {
        assert!(
            !is_active(&office, &office.tools, &office.mint(&set(good.clone(), name, value.clone()))),
            "{name} {value}"
        );
    }
    let forged = Key::new();
    let signed = forged.sign(&office.court.key.header().to_string(), good.to_string());
    for token in [forged.mint(&good), signed, String::new(), "x".into(), "a.b.c".into(), "x".repeat(100_000)] {
        assert!(!is_active(&office, &office.tools, &token), "{token:.40}");
    }
    let token = office.mint(&good);
    office.court.at(NOW + 299);
    assert!(is_active(&office, &office.tools, &token));
    office.court.at(NOW + 300);
    assert!(!is_active(&office, &office.tools, &token));
}

#[test]
fn a_key_that_was_withdrawn_makes_no_token_active() {
    let office = Office::new();
    let token = office.own_token(&office.clerk);
    let keys = office.issuer.signing_keys();
    let next = agentauth_core::jose::SigningKey::generate(agentauth_core::jose::Algorithm::EdDsa).unwrap();
    keys.rotate_at_once(next).unwrap();
    assert!(is_active(&office, &office.clerk, &token));
    keys.withdraw(&office.court.key.id).unwrap();
    assert!(!is_active(&office, &office.clerk, &token));
}

#[test]
fn who_has_not_proven_itself_is_told_nothing() {
    let office = Office::new();
    let token = office.agent_token(&office.lawyer, &resource(RESOURCE)).unwrap();
    let stranger = Ca::new("evil.example").peer("/agent/lawyer");
    let error = wait(office.issuer.introspect(&Client::from(&*stranger), token.token())).unwrap_err();
    assert_eq!((error.code(), error.oauth_error()), ("exchange_client_unauthenticated", "invalid_client"));
}

/// RFC 7009 §2.1: whoever a token was issued to takes it back, and nobody else.
#[test]
fn who_takes_back_the_token_of_another_is_told_that_it_may_not() {
    let error = ExchangeError::TokenOfAnother;
    assert_eq!((error.code(), error.oauth_error()), ("revocation_token_of_another", "unauthorized_client"));
}
