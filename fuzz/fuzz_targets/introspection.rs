//! Any bytes as an issuer's answer about an opaque token: as JSON, and as the payload of an answer whose signature is
//! good.

#![no_main]

use std::fmt;
use std::future::{Future, ready};
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};

use agentauth_core::audit::{Append, AuditSink, Record};
use agentauth_core::binding::dpop::Dpop;
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::token::profile::Rfc8693;
use agentauth_core::token::{
    Introspecting, Introspection, IntrospectionAnswer, IntrospectionUnavailable, Introspector,
};
use agentauth_core::{AgentAuth, Binding, Evidence, ManualClock, Rejection, Timestamp, TrustedIssuer};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const SERVER: &str = "https://tools.example.com/mcp";
const ISSUER: &str = "https://id.example.com";
const CLIENT: &str = "tools";
const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";
const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 30;

/// The private key of RFC 8037 A.1: known to everyone, trusted by nothing else.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    const PKCS8_OF_ED25519: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let private = BASE64URL.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    SigningKey::from_pkcs8(Algorithm::EdDsa, &[&PKCS8_OF_ED25519, &private[..]].concat()).unwrap()
});

/// Gives the answer that was put into it.
#[derive(Clone, Default)]
struct Endpoint(Arc<Mutex<Option<IntrospectionAnswer>>>);

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint")
    }
}

impl Introspector for Endpoint {
    fn introspect(&self, token: &str) -> Introspecting {
        assert_eq!(token, TOKEN);
        let answer = self.0.lock().unwrap().take();
        Box::pin(ready(answer.ok_or_else(|| IntrospectionUnavailable("no answer".into()))))
    }
}

#[derive(Debug)]
struct Nowhere;

impl AuditSink for Nowhere {
    fn append(&self, _: Arc<Record>) -> Append {
        Append::done(Ok(()))
    }
}

/// An engine that asks an endpoint, and believes no answer for longer than it takes.
struct Asking {
    auth: AgentAuth,
    endpoint: Endpoint,
}

impl Asking {
    fn new(is_signed: bool) -> Self {
        let endpoint = Endpoint::default();
        let introspection = Introspection::new(endpoint.clone()).keep_for(std::time::Duration::ZERO);
        let issuer = if is_signed {
            TrustedIssuer::rfc8693(ISSUER, KEY.public_key_set().unwrap())
                .introspection(introspection.require_signed_for(CLIENT))
        } else {
            TrustedIssuer::introspected(ISSUER, introspection, Rfc8693::default())
        };
        let auth = AgentAuth::builder(SERVER)
            .issuer(issuer)
            .dpop(Dpop::new("https://tools.example.com"))
            .clock(Arc::new(ManualClock::at(Timestamp::from_secs(NOW))))
            .audit(Nowhere)
            .build()
            .unwrap();
        Self { auth, endpoint }
    }

    /// What the engine makes of `answer`: nothing, or an answer that says what it must.
    fn hear(&self, answer: IntrospectionAnswer, claims: impl FnOnce() -> Value) {
        *self.endpoint.0.lock().unwrap() = Some(answer);
        let asking = self.auth.authenticate(Evidence::bearer(TOKEN));
        let Poll::Ready(heard) = pin!(asking).poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("there is nothing to wait for");
        };
        match heard {
            Ok(caller) => {
                assert_eq!(caller.delegation().binding(), Binding::Bearer);
                check_accepted(&claims());
            }
            Err(rejection) => check_refused(&rejection),
        }
    }
}

static PLAIN: LazyLock<Asking> = LazyLock::new(|| Asking::new(false));
static SIGNED: LazyLock<Asking> = LazyLock::new(|| Asking::new(true));

fuzz_target!(|data: &[u8]| {
    let general = || serde_json::from_slice::<Value>(data).expect("strict JSON is JSON");
    PLAIN.hear(IntrospectionAnswer::Json(data.to_vec()), general);
    let Ok(signed) = KEY.sign(TokenType::Introspection, data) else { return };
    SIGNED.hear(IntrospectionAnswer::Jwt(signed), || {
        let mut around = general();
        assert_eq!(around["iss"], ISSUER);
        assert!(
            around["aud"] == CLIENT
                || matches!(around["aud"].as_array().map(Vec::as_slice), Some([only]) if only == CLIENT)
        );
        let iat = seconds(&around["iat"]).unwrap();
        assert!(iat <= NOW + LEEWAY && iat + 60 + LEEWAY >= NOW);
        around["token_introspection"].take()
    });
    // Neither form does for the other.
    let text = String::from_utf8_lossy(data).into_owned();
    PLAIN.hear(IntrospectionAnswer::Jwt(text), || panic!("an answer in the wrong form"));
    SIGNED.hear(IntrospectionAnswer::Json(data.to_vec()), || panic!("an answer without a signature"));
});

/// A believed answer says what it must, in the eyes of a general JSON parser too.
fn check_accepted(answer: &Value) {
    assert_eq!(answer["active"], true);
    assert!(answer.get("iss").is_none_or(|iss| iss == ISSUER));
    let aud = &answer["aud"];
    assert!(*aud == SERVER || matches!(aud.as_array().map(Vec::as_slice), Some([only]) if only == SERVER));
    assert!(seconds(&answer["exp"]).unwrap() + LEEWAY > NOW);
    for start in ["iat", "nbf"] {
        assert!(answer.get(start).is_none_or(|start| seconds(start).unwrap() <= NOW + LEEWAY));
    }
    for required in ["sub", "client_id"] {
        assert!(answer[required].as_str().is_some_and(|text| !text.is_empty()), "{required}");
    }
    let token_type = answer.get("token_type").map(|kind| kind.as_str().unwrap().to_ascii_lowercase());
    assert!(token_type.is_none_or(|kind| matches!(&*kind, "bearer" | "dpop")));
    // What is bound to a key does not count without it.
    assert!(answer.get("cnf").is_none());
}

fn check_refused(rejection: &Rejection) {
    assert_eq!(rejection.status(), 401, "{rejection}");
    assert!(is_loggable(&rejection.to_string()));
}

/// A NumericDate, rounded down.
fn seconds(date: &Value) -> Option<u64> {
    date.as_u64().or_else(|| date.as_f64().map(|secs| secs as u64))
}

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
