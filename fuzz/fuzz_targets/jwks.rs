//! Any bytes as a key set: read, and asked for the key of a token.

#![no_main]

use agentauth_core::jose::{Algorithm, CompactJws, KeySet, MAX_JWKS_BYTES};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// The largest key set that is read has this many keys.
const MAX_KEYS: usize = 128;

/// A token for each way to ask: by the name `2011-04-29` (RFC 7638 §3.1), and by the algorithm alone.
const TOKENS: [&str; 2] = ["eyJhbGciOiJSUzI1NiIsImtpZCI6IjIwMTEtMDQtMjkifQ.e30.AAAA", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"];

fuzz_target!(|document: &[u8]| {
    let keys = match KeySet::from_jwks(document) {
        Ok(keys) => keys,
        Err(error) => return assert!(!error.code().is_empty() && is_loggable(&error.to_string())),
    };
    assert!(document.len() <= MAX_JWKS_BYTES);
    let general: Value = serde_json::from_slice(document).expect("strict JSON is JSON");
    let listed = general["keys"].as_array().expect("a key set has keys");
    assert!((1..=MAX_KEYS).contains(&listed.len()));
    // Of what is listed, a symmetric key is never one that verifies.
    assert!(listed.iter().any(|key| matches!(key["kty"].as_str(), Some("RSA" | "EC" | "OKP"))));
    for token in TOKENS {
        let jws = CompactJws::parse(token).expect("a good form");
        match keys.key_for(&jws) {
            // The algorithm is the key's own; a signature of three bytes is nobody's.
            Ok(key) => {
                assert!(jws.key_id().is_some() || key.algorithm() == Algorithm::Es256);
                assert!(jws.verify(key).is_err());
            }
            Err(error) => assert!(is_loggable(&error.to_string())),
        }
    }
});

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
