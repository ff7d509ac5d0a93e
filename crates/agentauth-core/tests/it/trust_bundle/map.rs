//! Bundle maps, and what several bundles together are.

use agentauth_core::identity::svid::MAX_BUNDLE_MAP_BYTES;

use super::*;

fn load(document: &str) -> Result<TrustBundles, &'static str> {
    TrustBundles::from_bundle_map(document.as_bytes()).map_err(|error| error.code())
}

#[test]
fn a_map_has_one_bundle_for_each_name_and_is_taken_whole() {
    let (court, bank) = (Ca::new("court.example"), Ca::new("bank.example"));
    let bundle = |ca: &Ca| json!({"keys": [x509_key(ca)], "spiffe_sequence": 3, "spiffe_refresh_hint": 60});
    let map = json!({"trust_domains": {"court.example": bundle(&court), "bank.example": bundle(&bank)}, "more": 1});
    let bundles = load(&map.to_string()).unwrap();
    assert_eq!(bundles.trust_domains().map(TrustDomain::as_str).collect::<Vec<_>>(), ["bank.example", "court.example"]);
    let one = bundles.bundle("court.example").unwrap();
    assert_eq!((one.x509_root_count(), one.sequence(), one.refresh_hint()), (1, Some(3), None));
    assert_eq!(one.trust_domain(), &domain());

    // A root counts for its own trust domain, whatever else is in the map.
    let now = Timestamp::from_secs(NOW);
    assert!(verify_x509_svid(&[bank.sign(&bank.leaf("/teller"))], &bundles, now).is_ok());
    let foreign = court.sign(&bank.leaf("/teller"));
    assert_eq!(verify_x509_svid(&[foreign], &bundles, now).unwrap_err().code(), "svid_unknown_issuer");
}

#[test]
fn each_fault_of_a_map_has_its_code() {
    let domains = |count: usize| {
        let entries: Vec<String> = (0..count).map(|index| format!(r#""d{index}":{{"keys":[]}}"#)).collect();
        format!(r#"{{"trust_domains":{{{}}}}}"#, entries.join(","))
    };
    for (document, expected) in [
        (r#"{"trust_domains":{}}"#.into(), Ok(0)),
        (domains(2), Ok(2)),
        (domains(256), Ok(256)),
        (domains(257), Err("json_too_many_members")),
        ("{}".into(), Err("bundle_not_map")),
        (r#"{"keys":[]}"#.into(), Err("bundle_not_map")),
        (r#"{"trust_domains":[]}"#.into(), Err("json_wrong_type")),
        (r#"{"trust_domains":{"a":{"keys":[]},"b":{}}}"#.into(), Err("bundle_no_keys")),
        (r#"{"trust_domains":{"a":{"keys":[]},"a":{"keys":[]}}}"#.into(), Err("json_duplicate_member")),
        (r#"{"trust_domains":{"a":{"keys":[]},"\u0061":{"keys":[]}}}"#.into(), Err("json_duplicate_member")),
        (r#"{"trust_domains":{"a":{"keys":[]}},"trust_domains":{}}"#.into(), Err("json_duplicate_member")),
        (r#"{"trust_domains":{"A":{"keys":[]}}}"#.into(), Err("bundle_name_malformed")),
        (r#"{"trust_domains":{"spiffe://a":{"keys":[]}}}"#.into(), Err("bundle_name_malformed")),
        (r#"{"trust_domains":{"":{"keys":[]}}}"#.into(), Err("bundle_name_malformed")),
        (r#"{"trust_domains":{"a":{"keys":[],"spiffe_sequence":-1}}}"#.into(), Err("json_wrong_type")),
        (" ".repeat(MAX_BUNDLE_MAP_BYTES + 1), Err("bundle_oversize")),
    ] {
        assert_eq!(load(&document).map(|bundles| bundles.trust_domains().count()), expected, "{document:.80}");
    }
}

#[test]
fn bundles_are_added_and_taken_away_and_never_merged() {
    let (first, second) = (Ca::new(DOMAIN), Ca::new(DOMAIN));
    let bundle = |ca: &Ca| read(&document(&[x509_key(ca)])).unwrap();
    let one = TrustBundles::new().with_bundle(bundle(&first)).unwrap();
    let error = one.clone().with_bundle(bundle(&second)).unwrap_err();
    assert_eq!((error.code(), error), ("bundle_duplicate", BundleError::Duplicate(domain())));

    let none = one.clone().without(&domain());
    assert_eq!((none.trusts(DOMAIN), none.trust_domains().count()), (false, 0));
    assert!(one.trusts(DOMAIN), "the bundles it was made from have not changed");
    assert!(one.is_clone_of(&one.clone()) && !one.is_clone_of(&none) && !none.is_clone_of(&TrustBundles::new()));
    let changed = none.with_bundle(bundle(&second)).unwrap();
    let chain = [first.sign(&first.leaf("/agent/lawyer"))];
    let code = |bundles| verify_x509_svid(&chain, bundles, Timestamp::from_secs(NOW)).map_err(|error| error.code());
    assert!(code(&one).is_ok());
    assert_eq!(code(&changed).unwrap_err(), "svid_invalid_path");
    assert_eq!(one.clone().without(&"bank.example".parse().unwrap()).trust_domains().count(), 1);
}
