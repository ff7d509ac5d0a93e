//! JWT-SVIDs: each rule of JWT-SVID.md refuses a token that breaks it alone.

mod conformance;
mod keys;
mod laws;

use std::collections::BTreeSet;
use std::time::Duration;

use agentauth_core::identity::svid::{Audiences, AudiencesError, TrustBundle, TrustBundles, verify_jwt_svid};
use agentauth_core::jose::Algorithm;
use agentauth_core::{SpiffeId, Timestamp};
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::svid_signer::SvidSigner;

const ACCEPTED: &str = "accepted";
const DOMAIN: &str = "court.example";
const LAWYER: &str = "spiffe://court.example/agent/lawyer";
const AUDIENCE: &str = "records";

fn audiences() -> Audiences {
    Audiences::new([AUDIENCE]).unwrap()
}

/// The bundle of `domain`, a SPIFFE bundle with the keys of `signers`.
fn bundle(domain: &str, signers: &[&SvidSigner]) -> TrustBundle {
    let keys: Vec<Value> = signers.iter().map(|signer| but(&signer.jwk(), json!({"use": "jwt-svid"}))).collect();
    TrustBundle::from_spiffe(domain.parse().unwrap(), json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn bundles(signers: &[&SvidSigner]) -> TrustBundles {
    TrustBundles::new().with_bundle(bundle(DOMAIN, signers)).unwrap()
}

fn code(token: &str, bundles: &TrustBundles) -> &'static str {
    let found = verify_jwt_svid(token, bundles, &audiences(), Timestamp::from_secs(NOW));
    found.map_or_else(|error| error.code(), |_| ACCEPTED)
}

fn claims() -> Value {
    json!({"sub": LAWYER, "aud": [AUDIENCE], "iat": NOW, "exp": NOW + 300})
}

/// `value` with other members, of which null takes one away.
fn but(value: &Value, members: Value) -> Value {
    let mut value = value.clone();
    let map = value.as_object_mut().unwrap();
    let Value::Object(members) = members else { panic!("no object: {members}") };
    map.extend(members);
    map.retain(|_, value| !value.is_null());
    value
}

#[test]
fn each_rule_for_a_jwt_svid_has_its_code() {
    let signer = SvidSigner::new(Algorithm::Es256, "today");
    let (header, claims, bundles) = (signer.header(), claims(), bundles(&[&signer]));
    let mut rows: Vec<(&str, &str, String)> = Vec::new();

    for (expected, what, change) in [
        (ACCEPTED, "as it should be", json!({})),
        (ACCEPTED, "no typ", json!({"typ": null})),
        (ACCEPTED, "typ JOSE", json!({"typ": "JOSE"})),
        (ACCEPTED, "no kid", json!({"kid": null})),
        ("typ_wrong", "a WIT-SVID", json!({"typ": "wit+jwt"})),
        ("typ_wrong", "an access token", json!({"typ": "at+jwt"})),
        ("typ_wrong", "typ in lower case", json!({"typ": "jwt"})),
        ("typ_wrong", "typ as a media type", json!({"typ": "application/JWT"})),
        ("typ_wrong", "an empty typ", json!({"typ": ""})),
        ("json_wrong_type", "typ that is no text", json!({"typ": 7})),
        ("json_wrong_type", "kid that is no text", json!({"kid": 7})),
        ("header_member_unexpected", "cty", json!({"cty": "JWT"})),
        ("header_member_unexpected", "jku", json!({"jku": "https://evil.example"})),
        ("header_member_unexpected", "jwk", json!({"jwk": signer.jwk()})),
        ("header_member_unexpected", "x5c", json!({"x5c": []})),
        ("header_member_unexpected", "b64", json!({"b64": true})),
        ("header_member_unexpected", "a private member", json!({"court": 1})),
        ("crit_unsupported", "crit", json!({"crit": ["exp"]})),
        ("key_unknown", "a kid of no key", json!({"kid": "tomorrow"})),
        ("kid_oversize", "a long kid", json!({"kid": "k".repeat(257)})),
        ("alg_missing", "no alg", json!({"alg": null})),
        ("alg_none", "unsigned", json!({"alg": "none"})),
        ("alg_symmetric", "HMAC", json!({"alg": "HS256"})),
        ("alg_unsupported", "alg in lower case", json!({"alg": "es256"})),
        ("alg_unsupported", "another curve", json!({"alg": "ES256K"})),
        ("jwt_svid_alg", "EdDSA", json!({"alg": "EdDSA"})),
        ("alg_not_of_key", "another algorithm", json!({"alg": "ES384"})),
    ] {
        rows.push((expected, what, signer.sign(&but(&header, change), &claims)));
    }

    for (expected, what, change) in [
        (ACCEPTED, "aud as one text", json!({"aud": AUDIENCE})),
        (ACCEPTED, "aud with others", json!({"aud": ["bank", AUDIENCE]})),
        (ACCEPTED, "claims that the trust domain has agreed on", json!({"iss": "court", "jti": "1", "team": {"a": 1}})),
        (ACCEPTED, "no iat", json!({"iat": null})),
        (ACCEPTED, "an iat to come", json!({"iat": NOW + 10_000})),
        (ACCEPTED, "nbf now", json!({"nbf": NOW})),
        (ACCEPTED, "a fraction of a second", json!({"exp": NOW as f64 + 0.5})),
        ("jwt_svid_no_subject", "no sub", json!({"sub": null})),
        ("json_wrong_type", "sub that is no text", json!({"sub": [LAWYER]})),
        ("jwt_svid_not_spiffe_id", "a user", json!({"sub": "alice"})),
        ("jwt_svid_not_spiffe_id", "upper case", json!({"sub": "spiffe://Court.example/agent/lawyer"})),
        ("jwt_svid_no_path", "a trust domain", json!({"sub": "spiffe://court.example"})),
        ("jwt_svid_unknown_trust_domain", "another one", json!({"sub": "spiffe://small.court.example/agent"})),
        ("jwt_svid_no_audience", "no aud", json!({"aud": null})),
        ("jwt_svid_no_audience", "an empty aud", json!({"aud": []})),
        ("jwt_svid_audience_wrong", "for others", json!({"aud": ["bank", "Records", "records/"]})),
        ("jwt_svid_audience_wrong", "for no one", json!({"aud": ""})),
        ("json_wrong_type", "aud of numbers", json!({"aud": [AUDIENCE, 7]})),
        ("json_wrong_type", "aud that is an object", json!({"aud": {AUDIENCE: true}})),
        ("jwt_svid_bound", "bound to a key", json!({"cnf": {"jkt": "AAAA"}})),
        ("jwt_svid_bound", "bound to nothing in particular", json!({"cnf": false})),
        ("jwt_svid_no_expiry", "no exp", json!({"exp": null})),
        ("json_wrong_type", "exp that is no number", json!({"exp": "1900000000"})),
        ("json_wrong_type", "exp before 1970", json!({"exp": -1})),
        ("json_wrong_type", "exp without end", json!({"exp": 1e300})),
        ("jwt_svid_expired", "expired", json!({"exp": NOW - 10})),
        ("jwt_svid_not_yet_valid", "not yet valid", json!({"nbf": NOW + 11})),
        ("json_wrong_type", "nbf that is no number", json!({"nbf": [NOW]})),
        ("json_wrong_type", "iat that is no number", json!({"iat": "now"})),
    ] {
        rows.push((expected, what, signer.sign(&header, &but(&claims, change))));
    }

    let (header, claims) = (header.to_string(), claims.to_string());
    let raw = |header: &str, claims: &str| signer.sign_bytes(header.as_bytes(), claims.as_bytes());
    let good = raw(&header, &claims);
    rows.extend([
        ("json_duplicate_member", "sub twice", raw(&header, &claims.replacen('{', r#"{"sub":"x","#, 1))),
        (
            "json_duplicate_member",
            "a claim twice, within",
            raw(&header, &claims.replacen('{', r#"{"x":{"a":1,"a":1},"#, 1)),
        ),
        ("json_duplicate_member", "alg twice", raw(&header.replacen('{', r#"{"alg":"ES256","#, 1), &claims)),
        ("json_malformed", "claims that are no object", raw(&header, "[]")),
        ("json_malformed", "claims with more after them", raw(&header, &format!("{claims} 1"))),
        ("header_oversize", "a long header", raw(&but_text(&header, 2100), &claims)),
        ("token_oversize", "a long token", raw(&header, &but_text(&claims, 13_000))),
        ("token_not_compact", "two parts", good.rsplit_once('.').unwrap().0.into()),
        ("token_not_compact", "four parts", format!("{good}.")),
        ("token_not_compact", "JSON", json!({"payload": "e30", "signatures": []}).to_string()),
        ("token_not_compact", "white space", format!("{good} ")),
        ("token_encrypted", "five parts", format!("{good}.e30.e30")),
        ("token_not_canonical", "a bit that does not count", format!("{}B", &good[..good.len() - 1])),
        ("signature_invalid", "no signature", good.rsplit_once('.').unwrap().0.to_owned() + "."),
    ]);

    let mut wrong = Vec::new();
    for (expected, what, token) in &rows {
        let found = code(token, &bundles);
        if found != *expected {
            wrong.push(format!("{what}: {found}, not {expected}"));
        }
    }
    println!("JWT-SVID: {} tokens, {} wrong", rows.len(), wrong.len());
    assert_eq!(wrong, [""; 0]);
    let codes: BTreeSet<&str> =
        rows.iter().map(|(code, ..)| *code).filter(|code| code.starts_with("jwt_svid")).collect();
    let all = "jwt_svid_alg jwt_svid_audience_wrong jwt_svid_bound jwt_svid_expired jwt_svid_no_audience jwt_svid_no_expiry jwt_svid_no_path \
               jwt_svid_no_subject jwt_svid_not_spiffe_id jwt_svid_not_yet_valid jwt_svid_unknown_trust_domain";
    assert_eq!(codes.into_iter().collect::<Vec<_>>().join(" "), all);
}

/// An object with one more member, `length` bytes long.
fn but_text(object: &str, length: usize) -> String {
    object.replacen('{', &format!(r#"{{"long":"{}","#, "x".repeat(length)), 1)
}

#[test]
fn there_is_no_verifying_for_no_audience() {
    let code = |names: &[&str]| Audiences::new(names.iter().copied()).map_err(|error| error.code()).map(|_| ());
    assert_eq!(code(&[]), Err("jwt_svid_audiences_none"));
    assert_eq!(code(&["records", ""]), Err("jwt_svid_audiences_nameless"));
    assert_eq!(code(&["records", "records.court.example"]), Ok(()));

    let signer = SvidSigner::new(Algorithm::Es256, "today");
    let both = Audiences::new(["archive", AUDIENCE]).unwrap();
    let verify = |aud: &str| {
        let token = signer.sign(&signer.header(), &but(&claims(), json!({ "aud": aud })));
        verify_jwt_svid(&token, &bundles(&[&signer]), &both, Timestamp::from_secs(NOW)).is_ok()
    };
    assert_eq!(["archive", "records", "bank"].map(verify), [true, true, false]);
}

#[test]
fn times_are_exact_to_the_second_with_a_leeway_of_a_minute_at_most() {
    let signer = SvidSigner::new(Algorithm::Es256, "today");
    let bundles = bundles(&[&signer]);
    let token = signer.sign(&signer.header(), &but(&claims(), json!({"nbf": NOW, "exp": NOW + 300})));
    let leeways = [(audiences(), 10)]
        .into_iter()
        .chain([0, 1, 60].map(|seconds| (audiences().with_leeway(Duration::from_secs(seconds)).unwrap(), seconds)));
    for (audiences, leeway) in leeways {
        let code = |now: Timestamp| {
            verify_jwt_svid(&token, &bundles, &audiences, now).map_or_else(|error| error.code(), |_| ACCEPTED)
        };
        let micro = Duration::from_micros(1);
        let (from, to) = (Timestamp::from_secs(NOW - leeway), Timestamp::from_secs(NOW + 300 + leeway));
        assert_eq!(code(from.minus(micro)), "jwt_svid_not_yet_valid", "{leeway}");
        assert_eq!(code(from), ACCEPTED, "{leeway}");
        assert_eq!(code(to.minus(micro)), ACCEPTED, "{leeway}");
        assert_eq!(code(to), "jwt_svid_expired", "{leeway}");
    }
    let error = audiences().with_leeway(Duration::from_secs(61)).unwrap_err();
    assert_eq!((error.code(), error), ("jwt_svid_leeway_too_long", AudiencesError::Leeway { seconds: 61 }));
}

#[test]
fn a_verified_jwt_svid_says_what_the_token_says() {
    let signer = SvidSigner::new(Algorithm::Es384, "today");
    let claims =
        but(&claims(), json!({"aud": ["bank", AUDIENCE], "nbf": NOW - 5, "team": ["civil"], "secret": "hush"}));
    let token = signer.sign(&signer.header(), &claims);
    let svid = verify_jwt_svid(&token, &bundles(&[&signer]), &audiences(), Timestamp::from_secs(NOW)).unwrap();
    assert_eq!(svid.id(), &LAWYER.parse::<SpiffeId>().unwrap());
    assert_eq!(svid.audiences().collect::<Vec<_>>(), ["bank", AUDIENCE]);
    assert_eq!(svid.expires(), Timestamp::from_secs(NOW + 300));
    assert_eq!(svid.not_before(), Some(Timestamp::from_secs(NOW - 5)));
    assert_eq!(svid.issued_at(), Some(Timestamp::from_secs(NOW)));
    assert_eq!(serde_json::from_str::<Value>(svid.claims_json()).unwrap(), claims);

    let shown = format!("{svid:?}");
    assert!(shown.contains(LAWYER) && !shown.contains("hush"), "{shown}");
    assert!(token.split('.').all(|part| !shown.contains(part)), "{shown}");
}

#[test]
fn a_trust_domain_that_publishes_no_key_is_not_trusted() {
    let signer = SvidSigner::new(Algorithm::Es256, "today");
    let token = signer.sign(&signer.header(), &claims());
    assert_eq!(code(&token, &TrustBundles::new()), "jwt_svid_unknown_trust_domain");
    let with = |bundle| code(&token, &TrustBundles::new().with_bundle(bundle).unwrap());
    assert_eq!(with(TrustBundle::new(DOMAIN.parse().unwrap())), "jwt_svid_no_keys");
    assert_eq!(with(bundle(DOMAIN, &[])), "jwt_svid_no_keys");
    // Roots of X.509-SVIDs say nothing about tokens.
    let root = crate::support::certs::Ca::new(DOMAIN).der();
    assert_eq!(with(TrustBundle::from_der(DOMAIN.parse().unwrap(), &[root]).unwrap()), "jwt_svid_no_keys");
    assert_eq!(with(bundle(DOMAIN, &[&signer])), ACCEPTED);
}
