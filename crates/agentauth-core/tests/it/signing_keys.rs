//! The issuer's keys: published before they sign, and for as long as what they signed counts.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::delegation::{KeyPhase, MIN_PUBLICATION, RotationError};
use agentauth_core::jose::{Algorithm, KeySet, Signer, Signing, SigningFailed, SigningKey};
use agentauth_core::{Issuer, Timestamp};
use serde_json::Value;

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, RESOURCE, STS, code_over, decode};
use crate::support::office::{Office, RECORDS, code, request, resource};

/// How long keys are published before they sign, in seconds.
const AHEAD: u64 = MIN_PUBLICATION.as_secs();

fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm).unwrap()
}

/// The name of the key that signed `token`.
fn signed_by(token: &str) -> String {
    let header: Value = serde_json::from_slice(&decode(token.split('.').next().unwrap())).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn published(issuer: &Issuer) -> Vec<String> {
    let document: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let keys = document["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// A token of the lawyer's for the server, and the key that signed it.
fn issue(office: &Office) -> (String, String) {
    let token = office.agent_token(&office.lawyer, &resource(RESOURCE)).unwrap().token().to_owned();
    let key = signed_by(&token);
    (token, key)
}

#[test]
fn a_key_is_published_for_its_time_before_it_signs_and_signs_then() {
    let office = Office::new();
    let old = office.court.key.id.clone();
    let next = key(Algorithm::Es256);
    let new = next.key_id().to_owned();
    let keys = office.issuer.signing_keys();
    assert_eq!(published(&office.issuer), [old.as_str()]);
    office.court.at(NOW + 5);
    assert_eq!(keys.rotate(next), Ok(Timestamp::from_secs(NOW + 5 + AHEAD)));
    assert_eq!(published(&office.issuer), [old.as_str(), new.as_str()]);
    for (second, expected, algorithm) in [
        (5, &old, Algorithm::EdDsa),
        (5 + AHEAD - 1, &old, Algorithm::EdDsa),
        (5 + AHEAD, &new, Algorithm::Es256),
        (5 + 3 * AHEAD, &new, Algorithm::Es256),
    ] {
        office.court.at(NOW + second);
        assert_eq!((&issue(&office).1, office.issuer.algorithm()), (expected, algorithm), "after {second} s");
    }
}

#[test]
fn tokens_signed_before_a_rotation_count_until_they_expire_and_then_their_key_is_gone() {
    // A token of 300 s that was signed in the last second, and 60 s for clocks that differ.
    let (lifetime, skew) = (300, 60);
    let office = Office::new();
    let server = office.server(RESOURCE);
    let keys = office.issuer.signing_keys();
    keys.rotate(key(Algorithm::EdDsa)).unwrap();
    let [old, new] = published(&office.issuer).try_into().unwrap();
    office.court.at(NOW + AHEAD - 1);
    let (token, signer) = issue(&office);
    assert_eq!(signer, old);
    for second in [AHEAD - 1, AHEAD, AHEAD + lifetime - 2] {
        office.court.at(NOW + second);
        assert_eq!(code_over(&server, &token, &office.lawyer), ACCEPTED, "after {second} s");
    }
    let end = AHEAD + lifetime + skew;
    office.court.at(NOW + end - 1);
    assert_eq!(published(&office.issuer), [old.as_str(), new.as_str()]);
    let retired = KeyPhase::Retired { published_until: Timestamp::from_secs(NOW + end) };
    assert_eq!(keys.status().iter().map(|key| key.phase).collect::<Vec<_>>(), [retired, KeyPhase::Signing]);
    office.court.at(NOW + end);
    assert_eq!(published(&office.issuer), [new.as_str()]);

    // A token under the old key that claims to last longer counts no more: its key is unknown.
    let mut claims = crate::support::court::claims();
    claims["exp"] = (NOW + 10_000).into();
    claims["iat"] = (NOW + AHEAD).into();
    assert_eq!(code_over(&server, &office.mint(&claims), &office.lawyer), "key_unknown");
    assert_eq!(code_over(&server, &issue(&office).0, &office.lawyer), ACCEPTED);
}

/// The issuer takes its own tokens by its own keys: what it signed before a rotation it exchanges after it.
#[test]
fn the_issuers_own_verifiers_follow_the_keys() {
    let office = Office::new();
    let consent = office.consent();
    let keys = office.issuer.signing_keys();
    keys.rotate_at_once(key(Algorithm::Es256)).unwrap();
    let [old, _] = published(&office.issuer).try_into().unwrap();
    let after = office.consent();
    assert_ne!(signed_by(&consent), signed_by(&after));
    for consent in [&consent, &after] {
        assert_eq!(office.code(&office.lawyer, &request(consent, RECORDS)), ACCEPTED);
    }
    keys.withdraw(&old).unwrap();
    assert_eq!(office.code(&office.lawyer, &request(&consent, RECORDS)), "key_unknown");
    assert_eq!(office.code(&office.lawyer, &request(&after, RECORDS)), ACCEPTED);
}

/// What was verified under a key counts no more once the key is withdrawn, even where the token was remembered.
#[test]
fn a_key_that_is_withdrawn_is_gone_at_once() {
    let office = Office::new();
    let server = office.server(RESOURCE);
    let keys = office.issuer.signing_keys();
    let (stolen, old) = issue(&office);
    assert_eq!(code_over(&server, &stolen, &office.lawyer), ACCEPTED);
    assert_eq!(keys.withdraw(&old).map_err(|error| error.code()), Err("rotation_no_other_key"));
    assert_eq!(keys.withdraw("x").map_err(|error| error.code()), Err("rotation_key_unknown"));
    keys.rotate_at_once(key(Algorithm::EdDsa)).unwrap();
    assert_eq!(code_over(&server, &stolen, &office.lawyer), ACCEPTED);
    keys.withdraw(&old).unwrap();
    assert_eq!(code_over(&server, &stolen, &office.lawyer), "key_unknown");
    let (fresh, signer) = issue(&office);
    assert_eq!((published(&office.issuer), code_over(&server, &fresh, &office.lawyer)), (vec![signer], ACCEPTED));
}

/// Where the next key is published already, it takes over from one that is withdrawn; never an earlier one.
#[test]
fn the_next_key_takes_the_place_of_one_that_is_withdrawn() {
    let office = Office::new();
    let keys = office.issuer.signing_keys();
    let first = office.court.key.id.clone();
    keys.rotate_at_once(key(Algorithm::EdDsa)).unwrap();
    let second = issue(&office).1;
    assert_eq!(keys.withdraw(&second).map_err(|error| error.code()), Err("rotation_no_other_key"));
    assert_eq!(issue(&office).1, second, "nothing has changed");
    office.court.at(NOW + 1);
    keys.rotate(key(Algorithm::EdDsa)).unwrap();
    let third = published(&office.issuer).pop().unwrap();
    keys.withdraw(&second).unwrap();
    assert_eq!((issue(&office).1, published(&office.issuer)), (third.clone(), vec![first, third]));
}

#[test]
fn a_rotation_that_would_go_wrong_changes_nothing() {
    let office = Office::new();
    let keys = office.issuer.signing_keys();
    let same = || office.court.key.signing_key();
    assert_eq!(keys.rotate(same()).map_err(|error| error.code()), Err("rotation_key_known"));
    assert_eq!(keys.rotate_at_once(same()).map_err(|error| error.code()), Err("rotation_key_known"));
    keys.rotate(key(Algorithm::EdDsa)).unwrap();
    let pending = keys.rotate(key(Algorithm::EdDsa)).unwrap_err();
    assert_eq!(pending.code(), "rotation_pending");
    assert_eq!(keys.rotate_at_once(key(Algorithm::EdDsa)), Err(pending));
    let [first, next] = published(&office.issuer).try_into().unwrap();
    // The next one is not wanted after all.
    keys.withdraw(&next).unwrap();
    assert_eq!(published(&office.issuer), [first.as_str()]);
    for _ in 0..7 {
        keys.rotate_at_once(key(Algorithm::EdDsa)).unwrap();
    }
    let before = published(&office.issuer);
    assert_eq!((keys.rotate(key(Algorithm::EdDsa)), before.len()), (Err(RotationError::TooMany), 8));
    assert_eq!(RotationError::TooMany.code(), "rotation_too_many_keys");
    assert_eq!(published(&office.issuer), before);
    office.court.at(NOW + 360);
    assert!(keys.rotate(key(Algorithm::EdDsa)).is_ok(), "the earlier ones have had their time");
}

/// Says of itself what it is told to, and does not sign.
#[derive(Debug)]
struct Odd {
    id: &'static str,
    jwk: String,
    algorithm: Algorithm,
}

impl Signer for Odd {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn key_id(&self) -> &str {
        self.id
    }

    fn public_jwk(&self) -> &str {
        &self.jwk
    }

    fn signature(&self, _: &[u8]) -> Signing {
        Signing::ready(Err(SigningFailed))
    }
}

#[test]
fn a_signer_that_could_not_be_verified_is_not_taken_and_one_that_fails_issues_nothing() {
    let office = Office::new();
    let keys = office.issuer.signing_keys();
    let jwk = |id: &str| {
        let mut jwk: Value = serde_json::from_str(key(Algorithm::EdDsa).public_jwk()).unwrap();
        jwk["kid"] = id.into();
        jwk.to_string()
    };
    for (id, jwk, algorithm, expected) in [
        ("a", "{}".to_owned(), Algorithm::EdDsa, "jwk_malformed"),
        ("a", r#"{"kty":"oct","k":"AAAA"}"#.into(), Algorithm::EdDsa, "jwk_symmetric"),
        ("a", jwk("b"), Algorithm::EdDsa, "jwk_malformed"),
        ("a", jwk("a"), Algorithm::Es256, "jwk_malformed"),
    ] {
        let error = keys.rotate(Odd { id, jwk, algorithm }).unwrap_err();
        assert_eq!(error.code(), expected, "{error}");
    }
    assert_eq!(published(&office.issuer).len(), 1);
    let consent = office.consent();
    keys.rotate_at_once(Odd { id: "a", jwk: jwk("a"), algorithm: Algorithm::EdDsa }).unwrap();
    assert_eq!(office.code(&office.lawyer, &request(&consent, RECORDS)), "exchange_unavailable");
    assert_eq!(code(&office.agent_token(&office.lawyer, &resource(STS))), "exchange_unavailable");
}

#[test]
fn an_issuer_is_built_with_whatever_signs() {
    let office = Office::new();
    let shared: Arc<dyn Signer> = Arc::new(key(Algorithm::Es384));
    let issuer = Issuer::builder(STS, Arc::clone(&shared)).agents(office.court.ca.trust());
    let issuer = issuer.token_lifetime(Duration::from_secs(60)).build().unwrap();
    assert_eq!((issuer.algorithm(), published(&issuer)), (Algorithm::Es384, vec![shared.key_id().to_owned()]));
    assert_eq!(KeySet::from_jwks(issuer.jwks().as_bytes()).unwrap().len(), 1);
    let shown = format!("{issuer:?}");
    assert!(shown.contains(shared.key_id()) && !shown.contains("pkcs8"), "{shown}");
}
