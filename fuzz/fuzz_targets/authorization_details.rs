//! Any bytes as `authorization_details`: two of them, one a line, so that they can be compared and met.

#![no_main]

use agentauth_core::scope::{DetailTypes, Wanted};
use agentauth_core::{Authority, ResourceId, Scope, ScopeImplications, Timestamp};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

/// Reads what is read strictly, and what is read leniently where that fails.
fn read(text: &str) -> Authority {
    let types = DetailTypes::new();
    let lenient = serde_json::from_str(text).map(|details| types.read(&details)).unwrap_or_default();
    match types.parse(text) {
        Ok(authority) => {
            assert_eq!(authority, lenient);
            let again = types.parse(&authority.to_details().to_string());
            // What is written out in full may be longer than what may be read.
            if let Ok(again) = again {
                let scopes = authority.scopes().clone();
                assert_eq!(Authority::new(scopes, again.grants().cloned()).as_ref(), Ok(&authority));
            }
            assert_eq!(types.read(&authority.to_details()).grants().count(), authority.grants().count());
            authority
        }
        Err(_) => lenient,
    }
}

/// Requests that hit what seeds grant.
fn wanted(authority: &Authority) -> bool {
    let server = ResourceId::new("https://tools.example.com").unwrap();
    let arguments = json!({"fee": 120, "title": "docs/a", "tags": ["a"]});
    let action: Scope = "motions:file".parse().unwrap();
    let wanted = Wanted::new(&action, &server, Timestamp::from_secs(1_800_000_000)).on("case", "2026/17").with(&arguments);
    authority.allows(&wanted, &ScopeImplications::new())
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (one, other) = text.split_once('\n').unwrap_or((text, "[]"));
    let (one, other) = (read(one), read(other));
    let met = one.meet(&other);
    // What is too much for one authority is left out of a meet, and which of it is not the same in both directions.
    if one.grants().count() * other.grants().count() <= 64 && text.len() < 2000 {
        assert_eq!(met, other.meet(&one));
        assert_eq!(wanted(&met), wanted(&one) && wanted(&other));
    }
    assert!(met.is_within(&one) && met.is_within(&other) && one.is_within(&one));
    assert!(!wanted(&met) || wanted(&one) && wanted(&other));
    assert!(!one.is_within(&other) || !wanted(&one) || wanted(&other));
    assert!(one.passed_on().is_within(&one));
});
