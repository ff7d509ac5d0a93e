//! Every header that was recorded from a real Envoy, with its verdict. A test whose vectors are absent says so and
//! passes.

use agentauth_core::identity::forwarded::{Xfcc, XfccHeader, XfccKey};
use agentauth_core::identity::svid::TrustBundles;
use agentauth_core::{SpiffeId, Timestamp};
use http::HeaderMap;
use serde_json::Value;

use super::outcome;
use crate::support;

/// In the middle of the day for which the recorded certificates are valid.
const RECORDED: Timestamp = Timestamp::from_secs(1_795_500_000);

fn load() -> Option<Value> {
    let path = support::vectors()?.join("spiffe/xfcc_envoy_1.40.json");
    if !path.is_file() {
        println!("skipped: vectors not found");
        return None;
    }
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

/// The reader for a proxy in `mode`, if there can be one.
fn reader(mode: &str, own: &SpiffeId) -> Option<Xfcc> {
    if mode.contains("istio.peer_principal") {
        return Some(Xfcc::istio_waypoint().expect_by(own.clone()));
    }
    match mode.split([' ', '+']).next().unwrap() {
        "SANITIZE_SET" => Some(Xfcc::sanitize_set().expect_by(own.clone())),
        "APPEND_FORWARD" => Some(Xfcc::append_forward(own.clone())),
        "SANITIZE" | "FORWARD_ONLY" | "ALWAYS_FORWARD_ONLY" => None,
        other => panic!("a mode without a reader: {other}"),
    }
}

fn headers(vector: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in vector["received_lines"].as_array().unwrap() {
        headers.append("x-forwarded-client-cert", line.as_str().unwrap().parse().unwrap());
    }
    headers
}

#[test]
fn every_recorded_header_has_its_verdict() {
    let Some(file) = load() else { return };
    let own: SpiffeId = file["server_id"].as_str().unwrap().parse().unwrap();
    let mut counts = std::collections::BTreeMap::<_, usize>::new();
    for vector in file["vectors"].as_array().unwrap() {
        let (mode, headers) = (vector["mode"].as_str().unwrap(), headers(vector));
        let read = |xfcc: &Xfcc| outcome(xfcc.read(&headers, &TrustBundles::new(), RECORDED));
        let found = match reader(mode, &own) {
            Some(xfcc) => read(&xfcc),
            None if headers.is_empty() => "none".into(),
            None => "untrusted".into(),
        };
        let expected = &vector["expect"];
        let verdict = expected["verdict"].as_str().unwrap();
        let what = format!("{} of {} in {mode}", vector["name"], vector["client"]);
        match verdict {
            "identity" => assert_eq!(found, expected["id"].as_str().unwrap(), "{what}"),
            "reject" => assert!(found.starts_with("xfcc_"), "{what}: {found}"),
            _ => assert_eq!(found, verdict, "{what}"),
        }
        if verdict == "untrusted" {
            // Whoever reads it all the same, and says who must have written it, is not fooled.
            for xfcc in [Xfcc::sanitize_set().expect_by(own.clone()), Xfcc::append_forward(own.clone())] {
                assert_eq!(read(&xfcc), "xfcc_by_mismatch", "{what}");
            }
        }
        *counts.entry(verdict).or_default() += 1;
    }
    println!("XFCC of Envoy 1.40.0: {counts:?}");
    assert_eq!(counts, [("identity", 7), ("none", 10), ("reject", 5), ("untrusted", 3)].into());
}

#[test]
fn recorded_attacks_are_refused_for_what_they_are() {
    let Some(file) = load() else { return };
    let own: SpiffeId = file["server_id"].as_str().unwrap().parse().unwrap();
    let mut count = 0;
    for vector in file["vectors"].as_array().unwrap().iter().filter(|vector| vector["expect"]["verdict"] == "reject") {
        let expected = match (vector["name"].as_str().unwrap(), vector["client"].as_str().unwrap()) {
            ("san-variants", "client_evil" | "client_two") => "xfcc_many_uris",
            ("san-variants", "client_evil2") => "xfcc_not_one_element",
            ("append-evil", "client_evil2") => "xfcc_by_mismatch",
            ("unterminated-quote", "client") => "xfcc_malformed",
            other => panic!("an attack without a rule: {other:?}"),
        };
        let xfcc = reader(vector["mode"].as_str().unwrap(), &own).unwrap();
        assert_eq!(outcome(xfcc.read(&headers(vector), &TrustBundles::new(), RECORDED)), expected, "{vector}");
        count += 1;
    }
    assert_eq!(count, 5);
}

/// The header with a certificate and its chain also proves its identity by itself.
#[test]
fn the_recorded_certificate_is_verified() {
    let Some(file) = load() else { return };
    let vector = file["vectors"].as_array().unwrap().iter().find(|vector| vector["name"] == "cert+chain").unwrap();
    let value = vector["received_lines"][0].as_str().unwrap();
    let header = XfccHeader::parse(value.as_bytes()).unwrap();
    let chain = header.elements()[0].value(XfccKey::Chain).unwrap();
    let pem = [("%0A", "\n"), ("%20", " "), ("%2B", "+"), ("%2F", "/"), ("%3D", "=")]
        .iter()
        .fold(chain.to_owned(), |text, (encoded, plain)| text.replace(encoded, plain));
    let id: SpiffeId = vector["expect"]["id"].as_str().unwrap().parse().unwrap();
    let bundles = TrustBundles::new().with_pem(id.trust_domain(), pem.as_bytes()).unwrap();

    let xfcc = Xfcc::sanitize_set().verify_certificates();
    let peer = xfcc.read_value(value.as_bytes(), &bundles, RECORDED).unwrap().unwrap();
    assert_eq!((peer.id(), peer.svid().unwrap().id()), (&id, &id));
    assert_eq!(peer.thumbprint(), Some(peer.svid().unwrap().thumbprint()));
    let later = Timestamp::from_secs(1_795_600_000);
    assert_eq!(outcome(xfcc.read_value(value.as_bytes(), &bundles, later)), "svid_expired");
    assert_eq!(outcome(xfcc.read_value(value.as_bytes(), &TrustBundles::new(), RECORDED)), "svid_unknown_trust_domain");
}
