//! Compact JWS, JWKs and JWK sets against Wycheproof's and RFC 7520's vectors, which are read from outside the
//! repository. A test whose vectors are absent says so and passes.

use agentauth_core::jose::{Algorithm, CompactJws, JoseError, KeyError, KeySet, VerificationKey};
use serde_json::{Value, json};

use crate::support;

const JWS: &str = "wycheproof-jose/testvectors_v1/json_web_signature_test.json";
const JWK_SETS: &str = "wycheproof-jose/testvectors_v1/json_web_key_test.json";
const COOKBOOK: &str = "jose-cookbook-rfc7520";

const ACCEPTED: &str = "accepted";

/// `{"alg":"ES256"}`
const ES256_HEADER: &str = "eyJhbGciOiJFUzI1NiJ9";

fn load(file: &str) -> Option<Value> {
    let path = support::vectors()?.join(file);
    if !path.is_file() {
        println!("skipped: vectors not found");
        return None;
    }
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Each Wycheproof case with its group's key: `(is asymmetric, key, case)`.
fn cases(file: &Value) -> impl Iterator<Item = (bool, &Value, &Value)> {
    list(&file["testGroups"]).iter().flat_map(|group| {
        let public = group.get("public");
        let key = public.unwrap_or(&group["private"]);
        list(&group["tests"]).iter().map(move |case| (public.is_some(), key, case))
    })
}

fn case(file: &Value, id: u64) -> &str {
    cases(file).find(|(_, _, case)| case["tcId"] == id).map(|(_, _, case)| text(&case["jws"])).unwrap()
}

fn code(outcome: Result<(), JoseError>) -> &'static str {
    outcome.map_or_else(|error| error.code(), |()| ACCEPTED)
}

fn parse(token: &str) -> &'static str {
    code(CompactJws::parse(token).map(|_| ()))
}

fn key_code(jwk: &Value) -> &'static str {
    let loaded = VerificationKey::from_jwk(jwk.to_string().as_bytes(), Algorithm::Rs256);
    loaded.map_or_else(|error| error.code(), |_| ACCEPTED)
}

/// The outcome under this one key, whatever the token calls its key.
fn under_key(jwk: &Value, rsa_default: Algorithm, token: &str) -> &'static str {
    match VerificationKey::from_jwk(jwk.to_string().as_bytes(), rsa_default) {
        Ok(key) => code(CompactJws::parse(token).and_then(|jws| jws.verify(&key))),
        Err(error) => error.code(),
    }
}

/// The outcome under the key that the token names.
fn under_set(jwks: &Value, token: &str) -> &'static str {
    match KeySet::from_jwks(jwks.to_string().as_bytes()) {
        Ok(keys) => code(CompactJws::parse(token).and_then(|jws| jws.verify(keys.key_for(&jws)?))),
        Err(error) => error.code(),
    }
}

fn without(jwk: &Value, members: &[&str]) -> Value {
    let mut jwk = jwk.clone();
    jwk.as_object_mut().unwrap().retain(|name, _| !members.contains(&name.as_str()));
    jwk
}

#[test]
fn wycheproof_asymmetric_jws() {
    let Some(file) = load(JWS) else { return };
    let (mut valid, mut invalid, mut wrong) = (0, 0, Vec::new());
    for (_, jwk, case) in cases(&file).filter(|(is_asymmetric, ..)| *is_asymmetric) {
        let (comment, token) = (text(&case["comment"]), text(&case["jws"]));
        let expected = if case["result"] == "valid" {
            valid += 1;
            ACCEPTED
        } else {
            invalid += 1;
            match comment {
                "rejectsMissingSignatureAndSeparator"
                | "rejectsMissingHeaderAndSeparator"
                | "rejectsMissingHeaderSignatureAndSeparator"
                | "rejectsMissingHeaderSignatureAndSeparators" => "token_not_compact",
                "rejectsSymmetryConfusionAttacks_aesKeyFromEcVerificationKeyBytes" => "alg_symmetric",
                "algIsNone" => "alg_none",
                "rejectWrongUse" | "rejectWrongKeyOps" => "jwk_not_for_verifying",
                _ => "signature_invalid",
            }
        };
        // A changed header names another key: in a set the token stops there, before its signature is looked at.
        let expected_in_set = if comment == "rejectsModifiedHeader" { "key_unknown" } else { expected };
        let found = (under_key(jwk, Algorithm::Rs256, token), under_set(&json!({ "keys": [jwk] }), token));
        if found != (expected, expected_in_set) {
            wrong.push(format!("tcId {} {comment}: {found:?} for {expected}, {expected_in_set}", case["tcId"]));
        }
    }
    println!("wycheproof JWS, asymmetric: {valid} valid accepted, {invalid} invalid refused, less {}", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((valid, invalid), (19, 166));
}

#[test]
fn wycheproof_keys_for_encryption_fail_for_that_alone() {
    let Some(file) = load(JWS) else { return };
    let wrong_use = |case: &Value| matches!(text(&case["comment"]), "rejectWrongUse" | "rejectWrongKeyOps");
    let mut count = 0;
    for (_, jwk, case) in cases(&file).filter(|(_, _, case)| wrong_use(case)) {
        let cured = without(jwk, &["use", "key_ops"]);
        assert_eq!(under_key(&cured, Algorithm::Rs256, text(&case["jws"])), ACCEPTED, "tcId {}", case["tcId"]);
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn wycheproof_hmac_jws_are_refused_for_their_key_and_their_token() {
    let Some(file) = load(JWS) else { return };
    let mut count = 0;
    for (_, jwk, case) in cases(&file).filter(|(is_asymmetric, ..)| !is_asymmetric) {
        let (id, token) = (case["tcId"].as_u64().unwrap(), text(&case["jws"]));
        let by_token = match id {
            4 | 10 | 12 | 14 | 17 | 360 | 362 | 364 | 366 | 368 => "token_not_compact",
            16 => "alg_none",
            _ => "alg_symmetric",
        };
        assert_eq!(under_key(jwk, Algorithm::Rs256, token), "jwk_symmetric", "tcId {id}");
        assert_eq!(under_set(&json!({ "keys": [jwk] }), token), "jwk_symmetric", "tcId {id}");
        assert_eq!(parse(token), by_token, "tcId {id}");
        count += 1;
    }
    println!("wycheproof JWS, HMAC: {count} refused");
    assert_eq!(count, 22);
}

#[test]
fn wycheproof_jwk_sets() {
    let Some(file) = load(JWK_SETS) else { return };
    let (mut asymmetric, mut hmac, mut wrong) = (0, 0, Vec::new());
    for (is_asymmetric, jwks, case) in cases(&file) {
        let (id, found) = (case["tcId"].as_u64().unwrap(), under_set(jwks, text(&case["jws"])));
        *(if is_asymmetric { &mut asymmetric } else { &mut hmac }) += 1;
        let expected = match id {
            1 => "alg_symmetric",
            5 => ACCEPTED,
            6 | 21 => "jwk_not_for_verifying",
            7 => {
                println!("tcId 7 (a modulus with the ROCA weakness, not required): {found}");
                continue;
            }
            8 | 9 => "jwk_weak",
            19 | 20 | 23 | 24 => "jwk_alg_mismatch",
            22 => "jwk_malformed",
            _ => "jwk_symmetric",
        };
        if found != expected {
            wrong.push(format!("tcId {id} {}: {found} for {expected}", case["comment"]));
        }
    }
    println!("wycheproof JWK sets: {asymmetric} asymmetric, {hmac} HMAC refused");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((asymmetric, hmac), (11, 15));

    // tcId 1 mixes key types: the symmetric key is left out, and named.
    let mixed = file["testGroups"][0]["private"].to_string();
    let keys = KeySet::from_jwks(mixed.as_bytes()).unwrap();
    assert_eq!((keys.len(), keys.unusable()), (1, [KeyError::Symmetric].as_slice()));
}

#[test]
fn wycheproof_base64url_is_strict() {
    let Some(file) = load(JWS) else { return };
    let jwk = cases(&file).find(|(_, jwk, _)| jwk["alg"] == "ES256").map(|(_, jwk, _)| jwk.to_string()).unwrap();
    let key = VerificationKey::from_jwk(jwk.as_bytes(), Algorithm::Rs256).unwrap();
    let read = |token: &str| {
        let jws = CompactJws::parse(token);
        code(jws.and_then(|jws| jws.unverified_payload().and_then(|_| jws.verify(&key))))
    };

    // The strings stand under an HMAC key; an ES256 header in its place leaves base64url as the only fault.
    let well_formed = case(&file, 357);
    let (hmac_header, rest) = well_formed.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let with_es256 = |token: &str| token.replacen(hmac_header, ES256_HEADER, 1);
    assert_eq!(read(&with_es256(well_formed)), "signature_invalid");

    for (id, as_is, isolated) in [
        (360, "token_not_compact", "token_not_compact"), // spaces in the signature
        (362, "token_not_compact", "token_not_compact"), // ? after the signature
        (364, "token_not_compact", "token_not_compact"), // ? in the signature
        (366, "token_not_compact", "token_not_compact"), // # after the header
        (368, "token_not_compact", "token_not_compact"), // spaces in the payload
        (374, "alg_symmetric", "token_not_canonical"),   // unused bits in the payload
    ] {
        assert_eq!(read(case(&file, id)), as_is, "tcId {id}");
        assert_eq!(read(&with_es256(case(&file, id))), isolated, "tcId {id}");
    }

    // tcId 370 is meant to have a padded payload, but is the well-formed token again: padding is added here.
    assert_eq!(case(&file, 370), well_formed);
    let unused_bits = format!("{}9", signature.strip_suffix('8').unwrap());
    for (token, expected) in [
        (format!("{ES256_HEADER}.{payload}==.{signature}"), "token_not_compact"),
        (format!("{ES256_HEADER}.{payload}.{signature}="), "token_not_compact"),
        (format!("{ES256_HEADER}=.{payload}.{signature}"), "token_not_compact"),
        (format!("{ES256_HEADER}.{payload}.{unused_bits}"), "token_not_canonical"),
    ] {
        assert_eq!(read(&token), expected, "{token}");
    }
}

#[test]
fn cookbook_signatures_verify_under_the_public_half() {
    for (file, alg) in [
        ("jws/4_1.rsa_v15_signature", Algorithm::Rs256),
        ("jws/4_2.rsa-pss_signature", Algorithm::Ps384),
        ("jws/4_3.ecdsa_signature", Algorithm::Es512),
        ("curve25519/jws", Algorithm::EdDsa),
    ] {
        let Some(example) = load(&format!("{COOKBOOK}/{file}.json")) else { return };
        let (private, token) = (&example["input"]["key"], text(&example["output"]["compact"]));
        let public = without(private, &["d", "p", "q", "dp", "dq", "qi"]);
        assert_eq!(key_code(private), "jwk_private", "{file}");
        assert_eq!(under_key(&public, alg, token), ACCEPTED, "{file}");

        let jws = CompactJws::parse(token).unwrap();
        assert_eq!(jws.algorithm(), alg, "{file}");
        assert_eq!(jws.unverified_payload().unwrap(), text(&example["input"]["payload"]).as_bytes(), "{file}");

        let parts: Vec<_> = token.split('.').collect();
        let detached = format!("{}..{}", parts[0], parts[2]);
        assert_eq!(under_key(&public, alg, &detached), "signature_invalid", "{file}");
        if alg == Algorithm::Ps384 {
            assert_eq!(under_key(&public, Algorithm::Rs256, token), "alg_not_of_key", "{file}");
        }
    }
}

#[test]
fn cookbook_symmetric_unencoded_and_json_forms_are_refused() {
    // The third column is the code of the compact form, where there is one; 4_5's payload is detached.
    for (file, key, compact) in [
        ("jws/4_4.hmac-sha2_integrity_protection", "jwk_symmetric", Some("alg_symmetric")),
        ("jws/4_5.signature_with_detached_content", "jwk_symmetric", Some("alg_symmetric")),
        ("jws/4_6.protecting_specific_header_fields", "jwk_symmetric", None),
        ("jws/4_7.protecting_content_only", "jwk_symmetric", None),
        ("jws/4_8.multiple_signatures", "json_malformed", None), // an array of keys is no JWK
        ("rfc7797/4.2.hmac-sha2_b64_false", "jwk_symmetric", None),
        ("rfc7797/hmac-sha2_b64_false", "jwk_symmetric", Some("token_not_compact")), // spaces in the payload
    ] {
        let Some(example) = load(&format!("{COOKBOOK}/{file}.json")) else { return };
        let output = &example["output"];
        assert_eq!(key_code(&example["input"]["key"]), key, "{file}");
        assert_eq!(output["compact"].as_str().map(parse), compact, "{file}");
        assert_eq!(parse(&output["json"].to_string()), "token_not_compact", "{file}");
        if file.starts_with("rfc7797/") {
            // With a payload that fits the compact form, the header is what is left to refuse.
            let protected = text(&output["json_flat"]["protected"]);
            assert_eq!(parse(&format!("{protected}.e30.AAAA")), "b64_unsupported", "{file}");
        }
    }
}

#[test]
fn cookbook_keys() {
    for (file, expected) in [
        ("3_1.ec_public_key", ACCEPTED),
        ("3_2.ec_private_key", "jwk_private"),
        ("3_3.rsa_public_key", ACCEPTED),
        ("3_4.rsa_private_key", "jwk_private"),
        ("3_5.symmetric_key_mac_computation", "jwk_symmetric"),
        ("3_6.symmetric_key_encryption", "jwk_symmetric"),
    ] {
        let Some(jwk) = load(&format!("{COOKBOOK}/jwk/{file}.json")) else { return };
        assert_eq!(key_code(&jwk), expected, "{file}");
    }
}
