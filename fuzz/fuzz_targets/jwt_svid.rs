//! Any bytes as the header and the claims of a JWT-SVID whose signature is good, so that every check runs; and any
//! text as the token.

#![no_main]

use std::sync::LazyLock;

use agentauth_core::Timestamp;
use agentauth_core::identity::svid::{Audiences, JwtSvid, JwtSvidError, TrustBundle, TrustBundles, verify_jwt_svid};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 10;

static KEY: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());

/// A trust domain whose one key is called `today`.
static BUNDLES: LazyLock<TrustBundles> = LazyLock::new(|| {
    let (x, y) = KEY.public_key().as_ref()[1..].split_at(32);
    let [x, y] = [x, y].map(|coordinate| BASE64URL.encode(coordinate));
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "today"});
    let jwks = json!({ "keys": [jwk] }).to_string();
    let bundle = TrustBundle::new("court.example".parse().unwrap()).with_jwt_keys_from_jwks(jwks.as_bytes());
    TrustBundles::new().with_bundle(bundle.unwrap()).unwrap()
});

static AUDIENCES: LazyLock<Audiences> = LazyLock::new(|| Audiences::new(["records"]).unwrap());

// The header, a line feed, the claims.
fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(verify(text).is_err(), "nobody signed that");
    }
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (header, claims) = (&data[..end], &data[end + 1..]);
    let input = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
    let signature = KEY.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    match verify(&format!("{input}.{}", BASE64URL.encode(signature))) {
        Ok(svid) => {
            check_header(&serde_json::from_slice(header).unwrap());
            check_claims(&svid, &serde_json::from_slice(claims).unwrap());
        }
        Err(error) => assert!(!error.code().is_empty() && is_loggable(&error.to_string())),
    }
});

fn verify(token: &str) -> Result<JwtSvid, JwtSvidError> {
    verify_jwt_svid(token, &BUNDLES, &AUDIENCES, Timestamp::from_secs(NOW))
}

/// A header that was believed is closed, in the eyes of a general JSON parser too.
fn check_header(header: &Value) {
    let names = header.as_object().unwrap().keys();
    assert!(names.into_iter().all(|name| matches!(name.as_str(), "alg" | "kid" | "typ")));
    assert_eq!(header["alg"], "ES256");
    assert!(header.get("kid").is_none_or(|kid| kid == "today"));
    assert!(header.get("typ").is_none_or(|typ| typ == "JWT" || typ == "JOSE"));
}

fn check_claims(svid: &JwtSvid, claims: &Value) {
    assert_eq!(svid.id().as_str(), claims["sub"].as_str().unwrap());
    assert!(svid.id().trust_domain_name() == "court.example" && !svid.id().path().is_empty());
    let is_ours = |audience: &Value| audience == "records";
    assert!(is_ours(&claims["aud"]) || claims["aud"].as_array().unwrap().iter().any(is_ours));
    assert!(seconds(&claims["exp"]).unwrap() + LEEWAY > NOW);
    assert!(claims.get("nbf").is_none_or(|nbf| seconds(nbf).unwrap() <= NOW + LEEWAY));
    assert!(claims.get("cnf").is_none());
    assert_eq!(serde_json::from_str::<Value>(svid.claims_json()).unwrap(), *claims);
}

/// A NumericDate, rounded down.
fn seconds(date: &Value) -> Option<u64> {
    date.as_u64().or_else(|| date.as_f64().map(|secs| secs as u64))
}

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
