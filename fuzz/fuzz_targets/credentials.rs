//! Any bytes as what a request shows of its sender: lines of `a:` (Authorization), `d:` (DPoP), `c:` (Client-Cert),
//! `u:` (URI) and `m:` (method), each followed by the value. Several lines of a kind are several headers.

#![no_main]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use agentauth_core::audit::{Append, AuditSink, Record};
use agentauth_core::binding::dpop::{DPOP, Dpop, DpopVerifier, ProofContext, proof_of};
use agentauth_core::identity::forwarded::client_certificate::{CLIENT_CERT, ClientCertificate};
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::{AgentAuth, Evidence, ManualClock, Timestamp, TrustedIssuer};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_800_000_000;
const SERVER: &str = "https://server.example.com";

/// Shorter texts stand in `Debug` by chance.
const TELLING: usize = 24;

/// Names and URLs have fewer.
const DIGITS: usize = 4;

#[derive(Debug)]
struct Nowhere;

impl AuditSink for Nowhere {
    fn append(&self, _: Arc<Record>) -> Append {
        Append::done(Ok(()))
    }
}

static AUTH: LazyLock<AgentAuth> = LazyLock::new(|| {
    let keys = SigningKey::generate(Algorithm::Es256).unwrap().public_key_set().unwrap();
    AgentAuth::builder(SERVER)
        .issuer(TrustedIssuer::rfc8693("https://id.example.com", keys))
        .dpop(Dpop::new(SERVER))
        .clock(Arc::new(ManualClock::at(Timestamp::from_secs(NOW))))
        .audit(Nowhere)
        .build()
        .unwrap()
});

static VERIFIER: LazyLock<DpopVerifier> = LazyLock::new(|| Dpop::new(SERVER).build().unwrap());

fuzz_target!(|data: &[u8]| {
    let (mut headers, mut uri, mut method) = (HeaderMap::new(), Uri::from_static("/"), Method::GET);
    for line in data.split(|byte| *byte == b'\n') {
        let Some((kind, [b':', value @ ..])) = line.split_first() else { continue };
        let name = match kind {
            b'a' => AUTHORIZATION,
            b'd' => DPOP,
            b'c' => CLIENT_CERT,
            b'u' => {
                uri = Uri::try_from(value).unwrap_or(uri);
                continue;
            }
            b'm' => {
                method = Method::from_bytes(value).unwrap_or(method);
                continue;
            }
            _ => continue,
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    check_proof(&method, &uri, &headers);

    let mut evidence = Evidence::from_http(&method, &uri, &headers);
    match ClientCertificate::from_headers(&headers) {
        Ok(Some(certificate)) => {
            assert!(certificate.der().len() <= 12 * 1024);
            evidence = evidence.with_client_certificate(certificate);
        }
        Ok(None) => assert!(!headers.contains_key(CLIENT_CERT)),
        Err(error) => assert!(!error.code().is_empty() && is_loggable(&error.to_string())),
    }
    check_debug(&format!("{evidence:?}"), &headers);
    let was_empty = evidence.is_empty();
    // The issuer's key is known to nobody, so nobody can be let in.
    let Poll::Ready(answer) = pin!(AUTH.authenticate(evidence)).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("there is nothing to wait for");
    };
    let rejection = answer.expect_err("a forgery");
    assert!(matches!(rejection.status().as_u16(), 400 | 401));
    assert!(
        !was_empty
            || matches!(rejection.code(), "no_credentials" | "client_cert_expired" | "client_cert_not_yet_valid")
    );
    assert!(is_loggable(&rejection.to_string()));
    check_debug(&format!("{rejection:?} {:?} {}", rejection.headers(), rejection.body()), &headers);
});

/// A proof by itself: whatever it says, it has one header, and says what a verifier would have it say.
fn check_proof(method: &Method, uri: &Uri, headers: &HeaderMap) {
    match proof_of(headers) {
        Ok(Some(proof)) => {
            assert_eq!(headers.get_all(DPOP).iter().count(), 1);
            // RFC 9449 §4.3 checks 2 to 11; the last needs a token that nobody has here.
            let now = Timestamp::from_secs(NOW);
            if let Err(error) = VERIFIER.verify_token_request(proof, method, uri, now) {
                assert!(!error.code().is_empty() && is_loggable(&error.to_string()));
            }
            let request = ProofContext::new(method, uri, "a token", Some(&[7; 32]));
            assert!(VERIFIER.verify(proof, &request, now).is_err());
        }
        Ok(None) => assert!(!headers.contains_key(DPOP)),
        Err(error) => assert!(!error.code().is_empty() && is_loggable(&error.to_string())),
    }
}

/// Long, and like no word that stands in what is shown anyway: with digits.
fn is_telling(part: &str) -> bool {
    part.len() >= TELLING && part.bytes().filter(u8::is_ascii_digit).count() >= DIGITS
}

/// What is shown holds no credential.
fn check_debug(shown: &str, headers: &HeaderMap) {
    for value in [AUTHORIZATION, DPOP, CLIENT_CERT].iter().flat_map(|name| headers.get_all(name)) {
        let Ok(text) = value.to_str() else { continue };
        for secret in text.split([' ', ',', ':']).filter(|part| is_telling(part)) {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
