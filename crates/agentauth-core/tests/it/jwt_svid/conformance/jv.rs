//! JV: what is a JWT-SVID, and what is none.

use aws_lc_rs::hmac;

use super::*;
use crate::support::court::{decode, encode};
use crate::support::svid_signer::NINE;

#[test]
fn jv_01_a_valid_token() {
    accepted(&DEFAULT.sign(&DEFAULT.header(), &token_claims(ID)), &default_bundles(), ID);
}

#[track_caller]
fn every_algorithm(algorithm: Algorithm) {
    assert!(NINE.contains(&algorithm));
    let elliptic;
    let signer = if algorithm.name().starts_with('E') {
        elliptic = SvidSigner::new(algorithm, "added");
        &elliptic
    } else {
        &RSA
    };
    let header = but(&signer.header(), json!({"alg": algorithm.name()}));
    accepted(&signer.sign(&header, &token_claims(ID)), &served(&[(TD, jwks(&[&DEFAULT, signer]))]), ID);
}

#[test]
fn jv_02_every_algorithm_rs256() {
    every_algorithm(Algorithm::Rs256);
}

#[test]
fn jv_02_every_algorithm_rs384() {
    every_algorithm(Algorithm::Rs384);
}

#[test]
fn jv_02_every_algorithm_rs512() {
    every_algorithm(Algorithm::Rs512);
}

#[test]
fn jv_02_every_algorithm_es256() {
    every_algorithm(Algorithm::Es256);
}

#[test]
fn jv_02_every_algorithm_es384() {
    every_algorithm(Algorithm::Es384);
}

#[test]
fn jv_02_every_algorithm_es512() {
    every_algorithm(Algorithm::Es512);
}

#[test]
fn jv_02_every_algorithm_ps256() {
    every_algorithm(Algorithm::Ps256);
}

#[test]
fn jv_02_every_algorithm_ps384() {
    every_algorithm(Algorithm::Ps384);
}

#[test]
fn jv_02_every_algorithm_ps512() {
    every_algorithm(Algorithm::Ps512);
}

#[test]
fn jv_03_alg_none() {
    let header = but(&DEFAULT.header(), json!({"alg": "none"}));
    let token = format!("{}.{}.", encode(header.to_string()), encode(token_claims(ID).to_string()));
    refused(&token, &default_bundles(), "alg_none");
}

/// A token whose HMAC is right under `secret`.
fn with_hmac(alg: &str, hash: hmac::Algorithm, secret: &[u8]) -> String {
    let header = but(&DEFAULT.header(), json!({ "alg": alg }));
    let input = format!("{}.{}", encode(header.to_string()), encode(token_claims(ID).to_string()));
    let tag = hmac::sign(&hmac::Key::new(hash, secret), input.as_bytes());
    format!("{input}.{}", encode(tag))
}

#[test]
fn jv_04_hmac() {
    for (alg, hash) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)] {
        refused(&with_hmac(alg, hash, &[7; 32]), &default_bundles(), "alg_symmetric");
    }
}

#[test]
fn jv_04_hmac_with_the_public_key_as_the_secret() {
    let point = [decode(DEFAULT.jwk()["x"].as_str().unwrap()), decode(DEFAULT.jwk()["y"].as_str().unwrap())].concat();
    for secret in [DEFAULT.jwk().to_string().into_bytes(), point] {
        refused(&with_hmac("HS256", hmac::HMAC_SHA256, &secret), &default_bundles(), "alg_symmetric");
    }
}

#[test]
fn jv_05_eddsa_with_a_key_of_the_bundle() {
    let ed25519 = SvidSigner::new(Algorithm::EdDsa, "ed25519");
    let token = ed25519.sign(&ed25519.header(), &token_claims(ID));
    refused(&token, &served(&[(TD, jwks(&[&ed25519, &DEFAULT]))]), "jwt_svid_alg");
}

#[test]
fn jv_06_alg_rs256_with_an_ec_key() {
    header_refused(json!({"alg": "RS256"}), "alg_not_of_key");
}

#[test]
fn jv_06_alg_es384_with_a_p256_key() {
    header_refused(json!({"alg": "ES384"}), "alg_not_of_key");
}

#[test]
fn jv_07_no_aud() {
    claims_refused(json!({"aud": null}), "jwt_svid_no_audience");
}

#[test]
fn jv_08_another_audience() {
    claims_refused(json!({"aud": ["other"]}), "jwt_svid_audience_wrong");
}

#[test]
fn jv_09_our_audience_among_others() {
    claims_accepted(json!({"aud": ["other", "conformance"]}));
}

#[test]
fn jv_10_aud_as_one_string() {
    claims_accepted(json!({"aud": "conformance"}));
}

#[test]
fn jv_11_no_exp() {
    claims_refused(json!({"exp": null}), "jwt_svid_no_expiry");
}

#[test]
fn jv_12_expired() {
    claims_refused(json!({"iat": NOW - 600, "exp": NOW - 300}), "jwt_svid_expired");
}

#[test]
fn jv_13_nbf_in_the_future() {
    claims_refused(json!({"nbf": NOW + 300}), "jwt_svid_not_yet_valid");
}

#[test]
fn jv_14_a_tampered_signature() {
    let token = DEFAULT.sign(&DEFAULT.header(), &token_claims(ID));
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut signature = decode(signature);
    let middle = signature.len() / 2;
    signature[middle] ^= 1;
    refused(&format!("{input}.{}", encode(signature)), &default_bundles(), "signature_invalid");
}

#[test]
fn jv_15_a_tampered_payload() {
    let token = DEFAULT.sign(&DEFAULT.header(), &token_claims(ID));
    let [header, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let payload = encode(token_claims("spiffe://test.example.org/admin").to_string());
    refused(&format!("{header}.{payload}.{signature}"), &default_bundles(), "signature_invalid");
}

#[test]
fn jv_16_a_key_that_is_not_in_the_bundle() {
    let stranger = SvidSigner::new(Algorithm::Es256, "stranger");
    refused(&stranger.sign(&stranger.header(), &token_claims(ID)), &default_bundles(), "key_unknown");
    let namesake = SvidSigner::new(Algorithm::Es256, "default");
    refused(&namesake.sign(&namesake.header(), &token_claims(ID)), &default_bundles(), "signature_invalid");
}

#[test]
fn jv_17_a_key_of_another_trust_domain() {
    let other = SvidSigner::new(Algorithm::Es256, "other");
    let bundles = served(&[(TD, jwks(&[&DEFAULT])), (OTHER_TD, jwks(&[&other]))]);
    let theirs = token_claims("spiffe://other.example.org/workload");
    accepted(&other.sign(&other.header(), &theirs), &bundles, "spiffe://other.example.org/workload");
    refused(&DEFAULT.sign(&DEFAULT.header(), &theirs), &bundles, "key_unknown");
    let nameless = but(&DEFAULT.header(), json!({"kid": null}));
    refused(&DEFAULT.sign(&nameless, &theirs), &bundles, "signature_invalid");
}

#[test]
fn jv_18_a_trust_domain_without_a_bundle() {
    claims_refused(json!({"sub": "spiffe://unknown.example.org/workload"}), "jwt_svid_unknown_trust_domain");
}

#[test]
fn jv_19_sub_is_no_spiffe_id() {
    claims_refused(json!({"sub": "https://test.example.org/workload"}), "jwt_svid_not_spiffe_id");
    claims_refused(json!({"sub": null}), "jwt_svid_no_subject");
}

#[test]
fn jv_20_typ_jwt() {
    header_accepted(json!({"typ": "JWT"}));
}

#[test]
fn jv_20_typ_jose() {
    header_accepted(json!({"typ": "JOSE"}));
}

#[test]
fn jv_20_no_typ() {
    header_accepted(json!({"typ": null}));
}

#[test]
fn jv_21_any_other_typ() {
    for typ in ["at+jwt", "wit+jwt", "jwt", "JWT ", "application/JOSE", ""] {
        header_refused(json!({ "typ": typ }), "typ_wrong");
    }
}

#[test]
fn jv_22_no_kid() {
    header_accepted(json!({"kid": null}));
    let others = [Algorithm::Es384, Algorithm::Es256].map(|algorithm| SvidSigner::new(algorithm, algorithm.name()));
    let bundles = served(&[(TD, jwks(&[&others[0], &others[1], &DEFAULT, &RSA]))]);
    for signer in [&DEFAULT, &*RSA, &others[0], &others[1]] {
        accepted(&signer.sign(&but(&signer.header(), json!({"kid": null})), &token_claims(ID)), &bundles, ID);
    }
}

#[test]
fn jv_23_crit() {
    header_refused(json!({"crit": ["urn:example:unknown"], "urn:example:unknown": true}), "crit_unsupported");
    header_refused(json!({"urn:example:unknown": true}), "header_member_unexpected");
}

#[test]
fn jv_24_json_serialization() {
    let token = DEFAULT.sign(&DEFAULT.header(), &token_claims(ID));
    let [protected, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let flattened = json!({"protected": protected, "payload": payload, "signature": signature});
    let signatures = json!([{"protected": protected, "signature": signature}]);
    let general = json!({"payload": payload, "signatures": signatures});
    for json in [flattened, general] {
        refused(&json.to_string(), &default_bundles(), "token_not_compact");
    }
}

#[test]
fn jv_25_two_parts() {
    let token = DEFAULT.sign(&DEFAULT.header(), &token_claims(ID));
    refused(token.rsplit_once('.').unwrap().0, &default_bundles(), "token_not_compact");
}

#[test]
fn jv_25_bad_base64() {
    let (header, payload) = (encode(DEFAULT.header().to_string()), encode(token_claims(ID).to_string()));
    let (front, back) = payload.split_at(payload.len() / 2);
    for between in ["!", "+", "=", " "] {
        let input = format!("{header}.{front}{between}{back}");
        refused(&DEFAULT.sign_input(&input, Algorithm::Es256), &default_bundles(), "token_not_compact");
    }
}

#[test]
fn jv_25_bad_json() {
    let header = DEFAULT.header().to_string();
    for payload in ["{", "", "null", "{\"sub\":"] {
        let token = DEFAULT.sign_bytes(header.as_bytes(), payload.as_bytes());
        refused(&token, &default_bundles(), "json_malformed");
    }
}
