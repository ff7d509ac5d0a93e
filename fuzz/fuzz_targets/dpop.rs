//! Any bytes as a DPoP proof, as the header of one, and as the payload of one whose header and signature are good; and
//! as a forwarded certificate.

#![no_main]

use std::sync::LazyLock;

use agentauth_core::Timestamp;
use agentauth_core::binding::dpop::{Dpop, DpopVerifier, MAX_PROOF_BYTES, NonceKey, ProofContext};
use agentauth_core::identity::forwarded::client_certificate::ClientCertificate;
use agentauth_core::jose::JwkThumbprint;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use http::{Method, Uri};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const ORIGIN: &str = "https://tools.example.com";
const TOKEN: &str = "the.access.token";
const NOW: u64 = 1_800_000_000;
const MAX_AGE: u64 = 60;
const MAX_AHEAD: u64 = 5;

/// The private key of RFC 8037 A.1: known to everyone, trusted by nothing else.
static KEY: LazyLock<Ed25519KeyPair> = LazyLock::new(|| {
    let private = BASE64URL.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    Ed25519KeyPair::from_seed_unchecked(&private).unwrap()
});

static JWK: LazyLock<String> = LazyLock::new(|| {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, BASE64URL.encode(KEY.public_key().as_ref()))
});

static THUMBPRINT: LazyLock<JwkThumbprint> = LazyLock::new(|| JwkThumbprint::of_jwk(JWK.as_bytes()).unwrap());

static PLAIN: LazyLock<DpopVerifier> = LazyLock::new(|| Dpop::new(ORIGIN).build().unwrap());

static WITH_NONCE: LazyLock<DpopVerifier> =
    LazyLock::new(|| Dpop::new(ORIGIN).require_nonce(NonceKey::new(&[7; 32])).build().unwrap());

fuzz_target!(|data: &[u8]| {
    check_certificate(data);
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(verify(&PLAIN, text).is_none(), "a forgery: {text}");
    }
    // Mutated base64url is seldom JSON: the same bytes are tried as the header itself.
    let unsigned = format!("{}.e30.AAAA", BASE64URL.encode(data));
    assert!(verify(&PLAIN, &unsigned).is_none());

    let header = format!(r#"{{"typ":"dpop+jwt","alg":"EdDSA","jwk":{}}}"#, *JWK);
    let input = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(data));
    let proof = format!("{input}.{}", BASE64URL.encode(KEY.sign(input.as_bytes()).as_ref()));
    if verify(&PLAIN, &proof).is_some() {
        assert!(proof.len() <= MAX_PROOF_BYTES);
        check_accepted(&serde_json::from_slice(data).unwrap());
    }
    if verify(&WITH_NONCE, &proof).is_some() {
        let claims: Value = serde_json::from_slice(data).unwrap();
        assert_eq!(claims["nonce"].as_str(), WITH_NONCE.nonce(Timestamp::from_secs(NOW)).as_deref());
    }
});

/// Whether `proof` is accepted, with what follows from it.
fn verify(dpop: &DpopVerifier, proof: &str) -> Option<()> {
    let uri = Uri::from_static("/cases/7?q=1");
    let request = ProofContext::new(&Method::POST, &uri, TOKEN, Some(THUMBPRINT.as_bytes()));
    match dpop.verify(proof, &request, Timestamp::from_secs(NOW)) {
        Ok(verified) => {
            assert_eq!(verified.key(), &*THUMBPRINT);
            let until = verified.remember_until().secs();
            assert!((NOW + 1..=NOW + MAX_AHEAD + MAX_AGE + 1).contains(&until));
            Some(())
        }
        Err(error) => {
            assert!(!error.code().is_empty() && is_loggable(&error.to_string()));
            None
        }
    }
}

/// An accepted proof says what it must, in the eyes of a general JSON parser too.
fn check_accepted(claims: &Value) {
    assert!((1..=256).contains(&claims["jti"].as_str().unwrap().len()));
    assert_eq!(claims["htm"], "POST");
    let target = claims["htu"].as_str().unwrap();
    let target = target.split(['?', '#']).next().unwrap();
    assert!(target.to_ascii_lowercase().starts_with("https://tools.example.com") && !target.contains("://tools@"));
    let made = claims["iat"].as_u64().or_else(|| claims["iat"].as_f64().map(|secs| secs as u64)).unwrap();
    assert!((NOW - MAX_AGE..=NOW + MAX_AHEAD).contains(&made));
    assert_eq!(claims["ath"].as_str().unwrap(), BASE64URL.encode(digest(&SHA256, TOKEN.as_bytes())));
}

fn check_certificate(data: &[u8]) {
    let wrapped = format!(":{}:", BASE64_STANDARD.encode(data));
    for value in [data, wrapped.as_bytes()] {
        if let Ok(certificate) = ClientCertificate::parse(value) {
            assert_eq!(certificate.thumbprint(), digest(&SHA256, certificate.der()).as_ref());
            assert_eq!(value, format!(":{}:", BASE64_STANDARD.encode(certificate.der())).as_bytes(), "one spelling");
            let _ = certificate.check_validity(Timestamp::from_secs(NOW));
        }
    }
}

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
