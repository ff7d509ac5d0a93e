//! Any bytes as a request to a token service: lines of `a:` (Authorization), `d:` (DPoP), `x:` (x-forwarded-client-cert) and
//! `f:` (the form, of which there can be several pieces), each followed by the value.

#![no_main]

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use agentauth_core::audit::{Append, AuditSink, Record};
use agentauth_core::binding::dpop::{DPOP, Dpop};
use agentauth_core::delegation::{RegisteredClient, SecretHash, TokenRequest};
use agentauth_core::identity::forwarded::XFCC;
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::state::{Remember, ReplayAnswer, ReplayStore};
use agentauth_core::{Issuer, ManualClock, Timestamp, TokenRefusal, TokenService};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const NOW: u64 = 1_800_000_000;
const STS: &str = "https://sts.example.com";
const SECRET: &str = "GawgguFyGrWKav7AX4VKUg3ptM2ruf0DbFwvxDnEdoM";

/// The one assertion of `app` that there is, for the key of RFC 8037 A.1: known to everyone, trusted by nothing else.
const ASSERTION: &str = include_str!("token_request.assertion.txt");

/// Long enough not to stand in an answer by chance.
const TELLING: usize = 24;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    const PKCS8_OF_ED25519: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let private = BASE64URL.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    SigningKey::from_pkcs8(Algorithm::EdDsa, &[&PKCS8_OF_ED25519, &private[..]].concat()).unwrap()
});

#[derive(Debug)]
struct Nowhere;

impl AuditSink for Nowhere {
    fn append(&self, _: Arc<Record>) -> Append {
        Append::done(Ok(()))
    }
}

/// Has never seen anything, so that each run is like the first.
#[derive(Debug)]
struct Forgetful;

impl ReplayStore for Forgetful {
    fn remember(&self, _: &[u8; 32], _: Timestamp, _: Timestamp) -> Remember {
        Remember::ready(ReplayAnswer::Fresh)
    }
}

static SERVICE: LazyLock<TokenService> = LazyLock::new(|| {
    let app = RegisteredClient::new("app").keys(KEY.public_key_set().unwrap());
    let old_app = RegisteredClient::new("old-app").secret(SecretHash::of(SECRET).unwrap());
    let issuer = Issuer::builder(STS, SigningKey::generate(Algorithm::Es256).unwrap())
        .client(app.dangerous().allow_bearer_tokens())
        .client(old_app.dangerous().allow_bearer_tokens())
        .resource("https://tools.example.com", "tools:echo")
        .dpop(Dpop::new(STS))
        .used_client_assertions(Forgetful)
        .clock(Arc::new(ManualClock::at(Timestamp::from_secs(NOW))))
        .build()
        .unwrap();
    TokenService::new(issuer, Nowhere).unwrap()
});

fuzz_target!(|data: &[u8]| {
    let (mut headers, mut form) = (HeaderMap::new(), Vec::new());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    for line in data.split(|byte| *byte == b'\n') {
        let name = match line {
            [b'a', b':', ..] => AUTHORIZATION,
            [b'd', b':', ..] => DPOP,
            [b'x', b':', ..] => XFCC,
            [b'f', b':', piece @ ..] => {
                form.extend_from_slice(piece);
                continue;
            }
            _ => continue,
        };
        if let Some(value) = line.get(2..).and_then(|value| HeaderValue::from_bytes(value).ok()) {
            headers.append(name, value);
        }
    }
    let request = TokenRequest::new(&headers, &form);
    for at_token_endpoint in [true, false] {
        let answer = async {
            if at_token_endpoint {
                SERVICE.answer(&request).await
            } else {
                SERVICE.answer_introspection(&request).await
            }
        };
        let Poll::Ready(answer) = pin!(answer).poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("there is nothing to wait for");
        };
        let body: Value = serde_json::from_str(answer.body()).expect("JSON");
        match answer.status().as_u16() {
            200 => check_proof(&headers, &form),
            400 | 401 => {
                let refusal: &TokenRefusal = answer.extensions().get().expect("a reason");
                assert_eq!(body["error"], refusal.error.oauth_error());
                check_shown(&format!("{refusal} {refusal:?} {body} {:?}", answer.headers()), &form);
            }
            other => panic!("{other}"),
        }
    }
});

/// Whoever is answered has shown one of the two proofs that there are, and one only.
fn check_proof(headers: &HeaderMap, form: &[u8]) {
    assert!(!headers.contains_key(XFCC));
    let pairs: Vec<_> = form_urlencoded::parse(form).collect();
    let given = |name: &str| {
        let values: Vec<_> = pairs.iter().filter(|(given, value)| given == name && !value.is_empty()).collect();
        assert!(values.len() <= 1, "{name} stands twice");
        values.first().map(|(_, value)| value.to_string())
    };
    let mut proofs = Vec::new();
    proofs.extend(
        given("client_secret").map(|secret| secret == SECRET && given("client_id").as_deref() == Some("old-app")),
    );
    proofs.extend(given("client_assertion").map(|assertion| assertion == ASSERTION.trim_end()));
    for value in headers.get_all(AUTHORIZATION) {
        let encoded = value.to_str().expect("text").split_once(' ').expect("a scheme").1;
        let pair = String::from_utf8(BASE64_STANDARD.decode(encoded).expect("base64")).expect("text");
        let (id, secret) = pair.split_once(':').expect("a pair");
        let text = format!("i={id}&s={secret}");
        let decoded: Vec<String> = form_urlencoded::parse(text.as_bytes()).map(|(_, value)| value.into()).collect();
        proofs.push(decoded == ["old-app", SECRET]);
    }
    assert_eq!(proofs, [true], "{}", String::from_utf8_lossy(form));
}

/// What is shown of a refusal holds neither a secret nor an assertion.
fn check_shown(shown: &str, form: &[u8]) {
    assert!(!shown.contains(SECRET));
    for (name, value) in form_urlencoded::parse(form) {
        let is_secret =
            ["client_secret", "client_assertion", "subject_token", "actor_token", "token"].contains(&&*name);
        for part in value.split('.').filter(|part| is_secret && part.len() >= TELLING) {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
    }
}
