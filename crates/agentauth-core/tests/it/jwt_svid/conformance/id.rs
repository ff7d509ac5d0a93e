//! ID: which subjects are SPIFFE IDs.

use super::*;
use crate::support;

#[test]
fn id_1_invalid_spiffe_ids() {
    for id in [
        "spiffe:///a",
        "spiffe://test.example.org:8080/a",
        "spiffe://u@test.example.org/a",
        "spiffe://test.example.org/a?x=1",
        "spiffe://test.example.org/a#f",
        "spiffe://test.example.org/%41",
        "spiffe://test.example.org/a//b",
        "spiffe://test.example.org/a/./b",
        "spiffe://test.example.org/a/../b",
        "spiffe://test.example.org/a/",
        "spiffe://test.example.org/a!b",
        "spiffe://t$d/a",
    ] {
        claims_refused(json!({ "sub": id }), "jwt_svid_not_spiffe_id");
    }
}

#[test]
fn id_2_valid_spiffe_ids() {
    let longest = format!("spiffe://{TD}{}", format!("/{}", "a".repeat(100)).repeat(20)) + "/bb";
    assert_eq!(longest.len(), 2048);
    for id in [
        "spiffe://test.example.org/Path.With-Mixed_Case/a.b-c_D/..x/x..",
        "spiffe://td_1.example-2.org/workload",
        "spiffe://192.168.1.1/workload",
        &longest,
    ] {
        let domain = id.parse::<SpiffeId>().unwrap().trust_domain();
        let bundles = served(&[(domain.as_str(), jwks(&[&DEFAULT]))]);
        accepted(&DEFAULT.sign(&DEFAULT.header(), &token_claims(id)), &bundles, id);
    }
}

/// The IDs that are read from outside the repository. Without the file, this says so and passes.
#[test]
fn spiffe_ids_as_subjects() {
    let Some(file) = support::vectors().map(|folder| folder.join("spiffe/spiffe_ids.json")) else { return };
    let Ok(file) = std::fs::read(file) else { return println!("skipped: vectors not found") };
    let file: Value = serde_json::from_slice(&file).unwrap();
    let bundles = |id: &str| {
        let domain = id.parse::<SpiffeId>().map_or_else(|_| TD.parse().unwrap(), |id| id.trust_domain());
        served(&[(domain.as_str(), jwks(&[&DEFAULT]))])
    };
    let check = |id: &str| validate(&DEFAULT.sign(&DEFAULT.header(), &token_claims(id)), &bundles(id));
    let of_trust_domains = file["valid_as_id_but_not_as_leaf_identity"].as_array().unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for id in file["valid"].as_array().unwrap() {
        let expected = if of_trust_domains.contains(id) { Err("jwt_svid_no_path") } else { Ok(id.as_str().unwrap()) };
        assert_eq!(check(id.as_str().unwrap()).as_deref().map_err(|code| *code), expected, "{id}");
        valid += 1;
    }
    for id in file["invalid"].as_object().unwrap().keys() {
        assert_eq!(check(id), Err("jwt_svid_not_spiffe_id"), "{id}");
        invalid += 1;
    }
    println!("SPIFFE IDs as subjects: {valid} valid, {invalid} invalid");
    assert_eq!((valid, invalid), (12, 40));
}
