//! Any bytes as the payload of a token whose header and signature are good, so that every check of claims runs.

#![no_main]

use std::sync::LazyLock;

use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::token::{Profile, Reading, TokenClaims, TokenError, TokenVerifier};
use agentauth_core::{ResourceId, Timestamp, TrustedIssuer};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const AUDIENCE: &str = "https://tools.example.com/mcp";
const DELEGATING: &str = "https://id.example.com";
const PLAIN: &str = "https://plain.example.com";
const SHARED: &str = "https://shared.example.com";
const UNTYPED: &str = "https://untyped.example.com";
const MAX_ACTORS: usize = 4;
const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 30;

/// The private key of RFC 8037 A.1: known to everyone, trusted by nothing else.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    const PKCS8_OF_ED25519: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let private = BASE64URL.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    SigningKey::from_pkcs8(Algorithm::EdDsa, &[&PKCS8_OF_ED25519, &private[..]].concat()).unwrap()
});

/// An issuer whose tokens do not say their kind, and have claims of their own.
#[derive(Debug)]
struct Untyped;

impl Profile for Untyped {
    fn name(&self) -> &'static str {
        "untyped"
    }

    fn accepts(&self, token_type: TokenType) -> bool {
        token_type == TokenType::Jwt
    }

    fn claims(&self) -> &'static [&'static str] {
        &["azp", "scp", "roles", "is_agent"]
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        let (user, client) = (claims.principal(claims.required("sub")?), claims.client(claims.required("azp")?));
        claims.words("roles")?;
        let scopes = claims.scopes("scp")?;
        let by_client = if claims.flag("is_agent") { Reading::delegated } else { Reading::client_only };
        Ok(by_client(user, client).with_scopes(scopes))
    }
}

static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let keys = || KEY.public_key_set().unwrap();
    let issuers = vec![
        TrustedIssuer::rfc8693(DELEGATING, keys()),
        TrustedIssuer::rfc9068(PLAIN, keys()),
        TrustedIssuer::rfc8693(SHARED, keys()).dangerous().allow_shared_audience(),
        TrustedIssuer::new(UNTYPED, keys(), Untyped),
    ];
    TokenVerifier::new(ResourceId::new(AUDIENCE).unwrap(), issuers).unwrap()
});

fuzz_target!(|payload: &[u8]| {
    for kind in [TokenType::AccessToken, TokenType::Jwt] {
        let token = KEY.sign(kind, payload).unwrap();
        match VERIFIER.verify(&token, Timestamp::from_secs(NOW)) {
            Ok(_) => check_accepted(&serde_json::from_slice(payload).unwrap(), kind),
            Err(error) => assert!(!error.code().is_empty() && is_loggable(&error.to_string())),
        }
    }
});

/// An accepted token says what it must, in the eyes of a general JSON parser too.
fn check_accepted(claims: &Value, kind: TokenType) {
    let issuer = claims["iss"].as_str().unwrap();
    let required: &[&str] = if kind == TokenType::Jwt {
        assert_eq!(issuer, UNTYPED);
        assert!(["nonce", "at_hash", "c_hash", "s_hash", "events"].iter().all(|foreign| claims.get(foreign).is_none()));
        &["sub", "azp"]
    } else {
        assert!([DELEGATING, PLAIN, SHARED].contains(&issuer));
        &["sub", "client_id", "jti"]
    };
    for required in required {
        let text = claims[required].as_str().unwrap();
        assert!(!text.is_empty() && !text.contains(char::is_control), "{required}");
    }
    check_audience(&claims["aud"], issuer);
    assert!(seconds(&claims["exp"]).unwrap() + LEEWAY > NOW);
    assert!(seconds(&claims["iat"]).unwrap() <= NOW + LEEWAY);
    assert!(claims.get("nbf").is_none_or(|nbf| seconds(nbf).unwrap() <= NOW + LEEWAY));
    check_actors(&claims["act"], issuer);
}

fn check_audience(aud: &Value, issuer: &str) {
    let alone = *aud == AUDIENCE || aud.as_array().is_some_and(|list| matches!(&list[..], [only] if only == AUDIENCE));
    let among = issuer == SHARED && aud.as_array().is_some_and(|list| list.iter().any(|aud| aud == AUDIENCE));
    assert!(alone || among);
}

fn check_actors(outermost: &Value, issuer: &str) {
    let chain = std::iter::successors(outermost.is_object().then_some(outermost), |actor| actor.get("act"));
    let mut found = 0;
    for actor in chain {
        assert!(!actor["sub"].as_str().unwrap().is_empty());
        found += 1;
    }
    assert!(found == 0 || ![PLAIN, UNTYPED].contains(&issuer));
    assert!(found <= MAX_ACTORS);
    assert!(found > 0 || outermost.is_null());
}

/// A NumericDate, rounded down.
fn seconds(date: &Value) -> Option<u64> {
    date.as_u64().or_else(|| date.as_f64().map(|secs| secs as u64))
}

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
