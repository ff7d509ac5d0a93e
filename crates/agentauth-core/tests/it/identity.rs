//! SPIFFE IDs against the vectors written from SPIFFE-ID.md §2, which are read from outside the repository. A test
//! whose vectors are absent says so and passes.

use agentauth_core::identity::svid::{TrustBundles, verify_x509_svid};
use agentauth_core::{SpiffeId, SpiffeIdError, Timestamp, TrustDomain};
use serde_json::Value;

use crate::support;
use crate::support::certs::{Ca, NOW, raw_names, uri_names};

const ACCEPTED: &str = "accepted";

fn load() -> Option<Value> {
    let path = support::vectors()?.join("spiffe/spiffe_ids.json");
    if !path.is_file() {
        println!("skipped: vectors not found");
        return None;
    }
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap())
}

fn kind<T>(outcome: Result<T, SpiffeIdError>) -> &'static str {
    match outcome {
        Ok(_) => ACCEPTED,
        Err(SpiffeIdError::Scheme(_)) => "scheme",
        Err(SpiffeIdError::TrustDomainMissing(_)) => "domain missing",
        Err(SpiffeIdError::TrustDomainCharacter(_)) => "domain character",
        Err(SpiffeIdError::TrustDomainTooLong) => "domain too long",
        Err(SpiffeIdError::EmptySegment(_)) => "empty segment",
        Err(SpiffeIdError::DotSegment(_)) => "dot segment",
        Err(SpiffeIdError::PathCharacter(_)) => "path character",
        Err(SpiffeIdError::TooLong) => "too long",
        Err(other) => panic!("a kind of error without a test: {other}"),
    }
}

fn id(text: &str) -> &'static str {
    kind(text.parse::<SpiffeId>())
}

fn domain(text: &str) -> &'static str {
    kind(text.parse::<TrustDomain>())
}

/// What becomes of a leaf with this URI, signed by a root that every trust domain of the vectors has.
struct Leaves {
    ca: Ca,
    bundles: TrustBundles,
}

impl Leaves {
    fn new(file: &Value) -> Self {
        let ca = Ca::new("trustdomain");
        let mut bundles = ca.bundles();
        for text in texts(&file["valid"]) {
            let domain = text.parse::<SpiffeId>().unwrap().trust_domain();
            if !bundles.trusts(domain.as_str()) {
                bundles = bundles.with_der(domain, &[ca.der()]).unwrap();
            }
        }
        Self { ca, bundles }
    }

    fn code(&self, uri: &str) -> &'static str {
        let mut leaf = self.ca.leaf("/unused");
        raw_names(&mut leaf, &uri_names(uri.as_bytes()));
        match verify_x509_svid(&[self.ca.sign(&leaf)], &self.bundles, Timestamp::from_secs(NOW)) {
            Ok(svid) => {
                assert_eq!(svid.id().as_str(), uri);
                ACCEPTED
            }
            Err(error) => error.code(),
        }
    }
}

#[test]
fn valid_ids_are_read_and_kept_as_they_are() {
    let Some(file) = load() else { return };
    let leaves = Leaves::new(&file);
    let root: Vec<_> = texts(&file["valid_as_id_but_not_as_leaf_identity"]).collect();
    let mut count = 0;
    for text in texts(&file["valid"]) {
        let id: SpiffeId = text.parse().unwrap();
        assert_eq!(id.as_str(), text);
        assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()), text);
        assert_eq!(domain(id.trust_domain_name()), ACCEPTED, "{text}");
        assert_eq!(id.path().is_empty(), root.contains(&text), "{text}");
        assert_eq!(leaves.code(text), if root.contains(&text) { "svid_no_path" } else { ACCEPTED }, "{text}");
        count += 1;
    }
    println!("SPIFFE IDs: {count} valid accepted, {} of them not as a leaf's identity", root.len());
    assert_eq!((count, root.len()), (12, 1));
}

#[test]
fn invalid_ids_are_refused_for_their_fault() {
    let Some(file) = load() else { return };
    let leaves = Leaves::new(&file);
    let (mut count, mut wrong) = (0, Vec::new());
    for (text, reason) in file["invalid"].as_object().unwrap() {
        let in_path = text.trim_start_matches("spiffe://").contains('/');
        let expected = match (reason.as_str().unwrap(), text.as_str()) {
            ("trust domain missing", "spiffe:///") => "empty segment", // two faults: the path is read first
            ("trust domain missing", _) => "domain missing",
            ("empty" | "scheme", _) => "scheme",
            ("trailing slash" | "empty segment", _) => "empty segment",
            ("dot segment", _) => "dot segment",
            ("query" | "fragment", _) if !in_path => "domain character",
            ("query" | "fragment" | "percent in path" | "path char" | "non-ascii" | "XFCC injection", _) => {
                "path character"
            }
            _ => "domain character",
        };
        let found = (id(text), leaves.code(text));
        if found != (expected, "svid_not_spiffe_id") {
            wrong.push(format!("{text:?} ({reason}): {found:?} for {expected}"));
        }
        count += 1;
    }
    println!("SPIFFE IDs: {count} invalid refused, less {}", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(count, 40);
}

#[test]
fn upper_case_is_refused_not_folded() {
    let Some(file) = load() else { return };
    let leaves = Leaves::new(&file);
    let choices = file["policy_choice"].as_object().unwrap();
    for (text, expected) in [("spiffe://TrustDomain/path", "domain character"), ("SPIFFE://trustdomain/path", "scheme")]
    {
        assert!(choices.contains_key(text), "{text}");
        assert_eq!((id(text), leaves.code(text)), (expected, "svid_not_spiffe_id"), "{text}");
    }
    println!("SPIFFE IDs: {} of upper case refused", choices.len());
    assert_eq!(choices.len(), 2);
}

#[test]
fn lengths_are_bounded_as_the_vectors_say() {
    let Some(file) = load() else { return };
    let length = |name: &str| usize::try_from(file["lengths"][name].as_u64().unwrap()).unwrap();
    let (total, longest_domain) = (length("must_accept_total"), length("trust_domain_max"));
    assert_eq!((total, length("recommended_reject_total_over"), longest_domain), (2048, 2048, 255));

    let of_length = |bytes: usize| format!("spiffe://td/{}", "p".repeat(bytes - "spiffe://td/".len()));
    let in_domain = |bytes: usize| format!("spiffe://{}/p", "t".repeat(bytes));
    for (text, expected) in [
        (of_length(total), ACCEPTED),
        (of_length(total + 1), "too long"),
        (in_domain(longest_domain), ACCEPTED),
        (in_domain(longest_domain + 1), "domain too long"),
    ] {
        assert_eq!(id(&text), expected, "{} bytes", text.len());
    }
    println!("SPIFFE IDs: 3 length rules");
}

#[test]
fn each_fault_has_its_error() {
    for (text, expected) in [
        ("https://td/a", "scheme"),
        ("spiffe://", "domain missing"),
        ("spiffe://td:443/a", "domain character"),
        (&format!("spiffe://{}/a", "t".repeat(256)), "domain too long"),
        ("spiffe://td/a//b", "empty segment"),
        ("spiffe://td/a/../b", "dot segment"),
        ("spiffe://td/%61", "path character"),
        (&format!("spiffe://td/{}", "p".repeat(2048)), "too long"),
    ] {
        assert_eq!(id(text), expected, "{text}");
    }
    for (text, expected) in [
        ("court.example", ACCEPTED),
        ("", "domain missing"),
        ("Court.example", "domain character"),
        ("spiffe://court.example", "domain character"), // a name, not an ID
        ("court.example/agent", "domain character"),
        (&"t".repeat(256), "domain too long"),
    ] {
        assert_eq!(domain(text), expected, "{text}");
    }
}
