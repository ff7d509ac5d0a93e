//! Any text as a compact JWS: parsed, decoded, matched with a key, verified.

#![no_main]

use std::sync::LazyLock;

use agentauth_core::jose::{Algorithm, CompactJws, KeySet, MAX_TOKEN_BYTES, TokenType};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// The public keys of RFC 7515 A.2 and A.3 and of RFC 8037 A.1, the last under its thumbprint (A.3).
static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::from_jwks(include_bytes!("jws.jwks.json")).unwrap());

/// Tokens that these keys verify. The fuzzer starts from them; it has no private key to make others.
const GENUINE: [&str; 4] = [
    include_str!("../corpus/jws/rfc7515-a2.seed"),
    include_str!("../corpus/jws/rfc7515-a3.seed"),
    include_str!("../corpus/jws/rfc8037-a4.seed"),
    include_str!("../corpus/jws/named-key.seed"),
];

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
    }
    // Mutated base64url is seldom JSON: the same bytes are tried as the header itself.
    check(&format!("{}.e30.AAAA", BASE64URL.encode(data)));
});

fn check(token: &str) {
    let jws = match CompactJws::parse(token) {
        Ok(jws) => jws,
        Err(error) => return assert!(!error.code().is_empty() && is_loggable(&error.to_string())),
    };
    assert!(token.len() <= MAX_TOKEN_BYTES);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().expect("three parts");
    check_header(&jws, header);

    // One spelling only: what decodes encodes to the same text.
    if let Ok(bytes) = jws.unverified_payload() {
        assert_eq!(BASE64URL.encode(bytes), payload);
    }
    let Ok(key) = KEYS.key_for(&jws) else { return };
    if jws.verify(key).is_ok() {
        assert_eq!(key.algorithm(), jws.algorithm());
        assert_eq!(BASE64URL.encode(BASE64URL.decode(signature).unwrap()), signature);
        assert!(GENUINE.map(signing_input).contains(&signing_input(token)), "a forgery: {token}");
    }
}

/// What was read from the header is what a general JSON parser reads there.
fn check_header(jws: &CompactJws<'_>, part: &str) {
    let bytes = BASE64URL.decode(part).unwrap();
    assert_eq!(BASE64URL.encode(&bytes), part);
    let header: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(header["alg"].as_str().and_then(Algorithm::from_name), Some(jws.algorithm()));
    assert_eq!(header["typ"].as_str().map_or(TokenType::Absent, TokenType::from_typ), jws.token_type());
    assert_eq!(header["kid"].as_str(), jws.key_id());
    assert!(header.get("crit").is_none() && header.get("b64").is_none_or(|b64| *b64 == Value::Bool(true)));
}

fn signing_input(token: &str) -> &str {
    token.rsplit_once('.').unwrap().0
}

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
