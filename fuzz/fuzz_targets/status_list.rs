//! Any bytes as a status list: as the JWT that a host serves, as the payload of a list whose signature is good, as a zlib
//! stream, and as the statuses themselves.

#![no_main]

use std::fmt;
use std::future::{Future, ready};
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};

use agentauth_core::audit::{Append, AuditSink, Record};
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::token::{FetchingStatus, StatusListError, StatusListSource, StatusLists};
use agentauth_core::{AgentAuth, Evidence, ManualClock, Rejection, Timestamp, TrustedIssuer};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use libfuzzer_sys::fuzz_target;
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::{Value, json};

const SERVER: &str = "https://tools.example.com/mcp";
const ISSUER: &str = "https://id.example.com";
const LIST: &str = "https://id.example.com/statuslists/1";
const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 30;

/// The private key of RFC 8037 A.1: known to everyone, trusted by nothing else.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    const PKCS8_OF_ED25519: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let private = BASE64URL.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    SigningKey::from_pkcs8(Algorithm::EdDsa, &[&PKCS8_OF_ED25519, &private[..]].concat()).unwrap()
});

/// A good token, which has the eleventh place in the list.
static TOKEN: LazyLock<String> = LazyLock::new(|| {
    let claims = json!({
        "iss": ISSUER, "sub": "alice", "aud": SERVER, "client_id": "app", "jti": "1", "iat": NOW, "exp": NOW + 300,
        "status": {"status_list": {"idx": INDEX, "uri": LIST}},
    });
    KEY.sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap()
});

const INDEX: usize = 10;

/// Serves what was put into it, once.
struct Host(Mutex<Option<String>>);

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host")
    }
}

impl StatusListSource for Host {
    fn fetch(&self, uri: &str) -> FetchingStatus {
        assert_eq!(uri, LIST);
        let served = self.0.lock().unwrap().take();
        Box::pin(ready(served.ok_or_else(|| StatusListError::Unavailable("nothing is served".into()))))
    }
}

#[derive(Debug)]
struct Nowhere;

impl AuditSink for Nowhere {
    fn append(&self, _: Arc<Record>) -> Append {
        Append::done(Ok(()))
    }
}

/// What becomes of the token when the host serves `jwt`.
fn code(jwt: String) -> &'static str {
    let lists = StatusLists::new(Host(Mutex::new(Some(jwt))));
    let issuer = TrustedIssuer::rfc9068(ISSUER, KEY.public_key_set().unwrap()).status_lists(lists);
    let auth = AgentAuth::builder(SERVER)
        .issuer(issuer)
        .clock(Arc::new(ManualClock::at(Timestamp::from_secs(NOW))))
        .audit(Nowhere)
        .build()
        .unwrap();
    let asking = auth.authenticate(Evidence::bearer(&TOKEN));
    let Poll::Ready(answer) = pin!(asking).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("there is nothing to wait for");
    };
    if let Err(rejection) = &answer {
        check_refused(rejection);
    }
    answer.map_or_else(|rejection| rejection.code(), |_| "accepted")
}

fn signed(claims: &[u8]) -> String {
    KEY.sign(TokenType::StatusList, claims).unwrap()
}

fn list_of(bits: u64, zlib: &[u8]) -> String {
    let list = json!({"bits": bits, "lst": BASE64URL.encode(zlib)});
    signed(json!({"sub": LIST, "iat": NOW, "status_list": list}).to_string().as_bytes())
}

fuzz_target!(|data: &[u8]| {
    // Nobody but the issuer can make one.
    assert_ne!(code(String::from_utf8_lossy(data).into_owned()), "accepted");
    // Whatever the issuer signs is read strictly.
    if code(signed(data)) == "accepted" {
        check_accepted(&serde_json::from_slice(data).expect("strict JSON is JSON"));
    }
    let Some((first, rest)) = data.split_first() else { return };
    let bits = 1 << (first % 4);
    // Whatever is unpacked is bounded, and ends.
    code(list_of(bits, rest));
    // Whatever the statuses are, the one that is meant is found.
    let per_byte = 8 / bits as usize;
    let expected = match rest.get(INDEX / per_byte) {
        None => "status_index_out_of_range",
        Some(byte) => {
            let digits = (INDEX % per_byte) * bits as usize;
            match u16::from(*byte) / 2_u16.pow(digits as u32) % 2_u16.pow(bits as u32) {
                0 => "accepted",
                1 => "status_invalid",
                2 => "status_suspended",
                _ => "status_unknown",
            }
        }
    };
    assert_eq!(code(list_of(bits, &compress_to_vec_zlib(rest, 1))), expected);
});

/// A list that is believed says what it must, in the eyes of a general JSON parser too.
fn check_accepted(claims: &Value) {
    assert_eq!(claims["sub"], LIST);
    assert!(claims.get("iss").is_none_or(|iss| iss == ISSUER));
    assert!(seconds(&claims["iat"]).unwrap() <= NOW + LEEWAY);
    assert!(claims.get("exp").is_none_or(|exp| seconds(exp).unwrap() + LEEWAY > NOW));
    assert!(claims.get("ttl").is_none_or(|ttl| ttl.as_f64().unwrap() > 0.0));
    assert!([1, 2, 4, 8].contains(&claims["status_list"]["bits"].as_u64().unwrap()));
    assert!(BASE64URL.decode(claims["status_list"]["lst"].as_str().unwrap()).is_ok());
}

/// 401 for what a list says of the token, 503 for a list that says nothing; and it can be logged as it is.
fn check_refused(rejection: &Rejection) {
    let is_known = matches!(
        rejection.code(),
        "status_invalid" | "status_suspended" | "status_unknown" | "status_index_out_of_range"
    );
    assert_eq!(rejection.status(), if is_known { 401 } else { 503 }, "{rejection}");
    let message = rejection.to_string();
    assert!(message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{message}");
}

/// A NumericDate, rounded down.
fn seconds(date: &Value) -> Option<u64> {
    date.as_u64().or_else(|| date.as_f64().map(|secs| secs as u64))
}
