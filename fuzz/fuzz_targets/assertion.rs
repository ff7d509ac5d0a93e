//! Any bytes as the claims of an identity assertion (ID-JAG) and of a transaction token, whose headers and signatures are
//! good.

#![no_main]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use agentauth_core::delegation::{AssertionIssuer, Client, IdentityAssertion, JwtBearerRequest, KnownSubjects};
use agentauth_core::identity::svid::TrustBundles;
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::token::{TransactionTokens, TransactionVerifier};
use agentauth_core::{AgentTrust, Issuer, IssuerId, ManualClock, PrincipalId, ResourceId, ScopeSet, Timestamp};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::CertificateDer;
use serde_json::Value;

const ISSUER: &str = "https://sts.court.example";
const IDP: &str = "https://idp.example";
const RECORDS: &str = "https://records.example";
const LAWYER: &str = "spiffe://court.example/agent/lawyer";
const DOMAIN: &str = "court.example";
const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 30;

/// A root, and the certificate of the lawyer under it; their keys are gone.
const ROOT: &[u8] = include_bytes!("../certs/root.der");
const SVID: &[u8] = include_bytes!("../certs/lawyer.der");

/// The private key of RFC 8037 A.1: known to everyone, trusted by nothing else.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    const PKCS8_OF_ED25519: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let private = BASE64URL.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    SigningKey::from_pkcs8(Algorithm::EdDsa, &[&PKCS8_OF_ED25519, &private[..]].concat()).unwrap()
});

fn trust() -> AgentTrust {
    let root = [CertificateDer::from(ROOT)];
    AgentTrust::spiffe(TrustBundles::new().with_der(DOMAIN.parse().unwrap(), &root).unwrap())
}

static LAWYER_CLIENT: LazyLock<Client> =
    LazyLock::new(|| Client::from(&trust().verify(&[CertificateDer::from(SVID)], Timestamp::from_secs(NOW)).unwrap()));

static AUTHORITY: LazyLock<Issuer> = LazyLock::new(|| {
    let idp = IssuerId::new(IDP).unwrap();
    let subjects = KnownSubjects::new().with(PrincipalId::new(idp, "U1"), "alice");
    // Each input is looked at by itself.
    let provider = AssertionIssuer::new(IDP, KEY.public_key_set().unwrap(), subjects).delegates().reusable();
    let own = SigningKey::generate(Algorithm::EdDsa).unwrap();
    Issuer::builder(ISSUER, own)
        .agents(trust())
        .clock(Arc::new(ManualClock::at(Timestamp::from_secs(NOW))))
        .resource(RECORDS, "records:read records:write")
        .identity_assertions_from(provider)
        .build()
        .unwrap()
});

static TRANSACTIONS: LazyLock<TransactionVerifier> =
    LazyLock::new(|| TransactionTokens::new(DOMAIN, KEY.public_key_set().unwrap()).build().unwrap());

fuzz_target!(|claims: &[u8]| {
    let assertion = KEY.sign(TokenType::IdJag, claims).unwrap();
    let request = JwtBearerRequest::new(IdentityAssertion::new(&assertion), ResourceId::new(RECORDS).unwrap());
    let Poll::Ready(answer) =
        pin!(AUTHORITY.jwt_bearer(&LAWYER_CLIENT, &request)).poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("there is nothing to wait for");
    };
    match answer {
        Ok(issued) => check_assertion(&serde_json::from_slice(claims).unwrap(), issued.scopes(), issued.expires()),
        Err(error) => assert!(!error.code().is_empty() && is_loggable(&error.to_string())),
    }

    let transaction = KEY.sign(TokenType::TransactionToken, claims).unwrap();
    match TRANSACTIONS.verify(&transaction, Timestamp::from_secs(NOW)) {
        Ok(read) => {
            let claims: Value = serde_json::from_slice(claims).unwrap();
            check_transaction(&claims);
            assert_eq!(claims["tctx"].as_object(), read.context());
            assert_eq!(claims["txn"], read.txn());
        }
        Err(error) => assert!(!error.code().is_empty() && is_loggable(&error.to_string())),
    }
});

/// An assertion that was taken says what it must, in the eyes of a general JSON parser too.
fn check_assertion(claims: &Value, granted: &ScopeSet, expires: Timestamp) {
    for (name, expected) in [("iss", IDP), ("sub", "U1"), ("client_id", LAWYER)] {
        assert_eq!(claims[name], expected);
    }
    assert!(names_one(&claims["aud"], ISSUER));
    let resource = &claims["resource"];
    assert!(*resource == RECORDS || resource.as_array().is_some_and(|list| list.iter().any(|one| one == RECORDS)));
    for absent in ["tenant", "aud_tenant", "cnf"] {
        assert!(claims.get(absent).is_none(), "{absent}");
    }
    assert!(!claims["jti"].as_str().unwrap().is_empty());
    let exp = check_times(claims, 3600);
    assert!(expires.secs() <= exp && expires.secs() > NOW);
    let act = claims.get("act");
    assert!(act.is_none_or(|act| act["sub"] == LAWYER && act.get("act").is_none()));
    let scopes: ScopeSet = claims["scope"].as_str().unwrap().parse().unwrap();
    assert!(!granted.is_empty() && granted.is_subset_of(&scopes));
}

/// So does a transaction token.
fn check_transaction(claims: &Value) {
    assert!(names_one(&claims["aud"], DOMAIN));
    for name in ["txn", "sub", "req_wl"] {
        let text = claims[name].as_str().unwrap();
        assert!(!text.is_empty() && !text.contains(char::is_control), "{name}");
    }
    assert!(claims["scope"].as_str().unwrap().parse::<ScopeSet>().is_ok());
    for absent in ["iss", "cnf"] {
        assert!(claims.get(absent).is_none(), "{absent}");
    }
    check_times(claims, 600);
}

fn names_one(aud: &Value, expected: &str) -> bool {
    *aud == expected || matches!(aud.as_array().map(Vec::as_slice), Some([only]) if only == expected)
}

/// Answers with `exp`.
fn check_times(claims: &Value, longest: u64) -> u64 {
    let (iat, exp) = (seconds(&claims["iat"]).unwrap(), seconds(&claims["exp"]).unwrap());
    assert!(exp + LEEWAY > NOW && iat <= NOW + LEEWAY && exp.saturating_sub(iat) <= longest);
    assert!(claims.get("nbf").is_none_or(|nbf| seconds(nbf).unwrap() <= NOW + LEEWAY));
    exp
}

/// A NumericDate, rounded down.
fn seconds(date: &Value) -> Option<u64> {
    date.as_u64().or_else(|| date.as_f64().map(|secs| secs as u64))
}

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
