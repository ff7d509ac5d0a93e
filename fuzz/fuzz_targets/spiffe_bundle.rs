//! Any bytes as what a trust domain publishes, in every form that is read.

#![no_main]

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::{BundleError, MAX_BUNDLE_MAP_BYTES, TrustBundle, TrustBundles};
use agentauth_core::jose::MAX_JWKS_BYTES;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// The largest bundle that is read has this many keys.
const MAX_KEYS: usize = 128;

/// The longest list of certificates that is read.
const MAX_ROOTS: usize = 512;

fuzz_target!(|data: &[u8]| {
    if let Some(bundle) = good(TrustBundle::from_spiffe(domain(), data)) {
        let document = parsed(data);
        check_keys(&bundle, &document);
        assert_eq!(bundle.refresh_hint().map(|hint| hint.as_secs()), document["spiffe_refresh_hint"].as_u64());
        assert!(data.len() <= MAX_JWKS_BYTES);
    }
    if let Some(bundles) = good(TrustBundles::from_bundle_map(data)) {
        let map = parsed(data);
        let domains = map["trust_domains"].as_object().expect("a bundle map has trust domains");
        assert_eq!(domains.len(), bundles.trust_domains().count());
        for (name, document) in domains {
            let bundle = bundles.bundle(name).expect("a bundle for each name");
            assert!(bundle.refresh_hint().is_none() && bundle.trust_domain().as_str() == name);
            check_keys(bundle, document);
        }
        assert!(data.len() <= MAX_BUNDLE_MAP_BYTES);
    }
    if let Some(bundle) = good(TrustBundle::new(domain()).with_jwt_keys_from_jwks(data)) {
        let keys = parsed(data);
        let keys = keys["keys"].as_array().expect("a key set has keys");
        let may_count =
            |key: &&Value| key["kid"].is_string() && key["use"].as_str().is_none_or(|usage| usage != "x509-svid");
        assert!(bundle.jwt_key_count() <= keys.iter().filter(may_count).count());
    }
    for bundle in [TrustBundle::from_pem(domain(), data), TrustBundle::from_concatenated_der(domain(), data)] {
        if let Some(bundle) = good(bundle) {
            assert!(bundle.x509_root_count() <= MAX_ROOTS && bundle.jwt_key_count() == 0);
            assert!(bundle.x509_root_count() > 0 || data.iter().all(u8::is_ascii_whitespace));
        }
    }
    good(TrustBundle::new(domain()).with_crl(data));
});

fn domain() -> TrustDomain {
    "court.example".parse().unwrap()
}

fn parsed(document: &[u8]) -> Value {
    serde_json::from_slice(document).expect("strict JSON is JSON")
}

/// What was read, if the bytes were not refused.
fn good<T>(read: Result<T, BundleError>) -> Option<T> {
    if let Err(error) = &read {
        assert!(!error.code().is_empty() && is_loggable(&error.to_string()));
    }
    read.ok()
}

/// No more counts than says what it is for, in the eyes of a general JSON parser too.
fn check_keys(bundle: &TrustBundle, document: &Value) {
    let keys = document["keys"].as_array().expect("a bundle has keys");
    assert!(keys.len() <= MAX_KEYS);
    let known = |key: &&Value| matches!(key["kty"].as_str(), Some("RSA" | "EC" | "OKP"));
    let roots = keys.iter().filter(known).filter(|key| key["use"] == "x509-svid" && key["x5c"][0].is_string());
    assert!(bundle.x509_root_count() <= roots.count());
    let jwt = keys.iter().filter(known).filter(|key| key["use"] == "jwt-svid" && key["kid"].is_string());
    assert!(bundle.jwt_key_count() <= jwt.count());
    assert_eq!(bundle.sequence(), document["spiffe_sequence"].as_u64());
    assert_eq!(bundle.is_empty(), bundle.x509_root_count() + bundle.jwt_key_count() == 0);
}

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
