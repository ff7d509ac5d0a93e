//! JB: which keys of which bundle count.

use super::*;

#[test]
fn jb_01_a_key_that_was_added() {
    let added = SvidSigner::new(Algorithm::Es256, "added");
    let token = added.sign(&added.header(), &token_claims(ID));
    refused(&token, &default_bundles(), "key_unknown");
    accepted(&token, &served(&[(TD, jwks(&[&DEFAULT, &added]))]), ID);
}

#[test]
fn jb_02_a_key_that_was_removed() {
    let removed = SvidSigner::new(Algorithm::Es256, "removed");
    let token = removed.sign(&removed.header(), &token_claims(ID));
    accepted(&token, &served(&[(TD, jwks(&[&DEFAULT, &removed]))]), ID);
    refused(&token, &default_bundles(), "key_unknown");
}

#[test]
fn jb_03_a_bundle_that_was_removed() {
    let other = SvidSigner::new(Algorithm::Es256, "other");
    let id = "spiffe://other.example.org/workload";
    let token = other.sign(&other.header(), &token_claims(id));
    let both = served(&[(TD, jwks(&[&DEFAULT])), (OTHER_TD, jwks(&[&other]))]);
    accepted(&token, &both, id);
    refused(&token, &both.without(&OTHER_TD.parse().unwrap()), "jwt_svid_unknown_trust_domain");
}

#[test]
fn jb_04_the_key_that_the_token_names() {
    let signers = ["one", "two", "three"].map(|kid| SvidSigner::new(Algorithm::Es256, kid));
    let bundles = served(&[(TD, jwks(&[&DEFAULT, &signers[0], &signers[1], &signers[2]]))]);
    for signer in &signers {
        accepted(&signer.sign(&signer.header(), &token_claims(ID)), &bundles, ID);
    }
    let misnamed = but(&signers[1].header(), json!({"kid": "three"}));
    refused(&signers[1].sign(&misnamed, &token_claims(ID)), &bundles, "signature_invalid");
}

#[test]
fn jb_05_a_key_for_something_else() {
    let signer = SvidSigner::new(Algorithm::Es256, "other");
    let token = signer.sign(&signer.header(), &token_claims(ID));
    for usage in ["x509-svid", "wit-svid", "enc", "JWT-SVID"] {
        let mut keys = jwks(&[&DEFAULT]);
        keys.push(but(&signer.jwk(), json!({ "use": usage })));
        refused(&token, &served(&[(TD, keys)]), "key_unknown");
    }
}

/// Optional in the catalogue: SPIRE sends keys without `use`, and a client that ignores them takes none of its tokens.
#[test]
fn jb_05_a_key_without_use_counts_where_the_workload_api_sends_it_and_not_in_a_spiffe_bundle() {
    let token = DEFAULT.sign(&DEFAULT.header(), &token_claims(ID));
    let keys = vec![DEFAULT.jwk()];
    let document = json!({ "keys": keys }).to_string();
    accepted(&token, &served(&[(TD, keys)]), ID);
    let spiffe = TrustBundle::from_spiffe(TD.parse().unwrap(), document.as_bytes()).unwrap();
    let bundles = TrustBundles::new().with_bundle(spiffe).unwrap();
    assert_eq!(validate(&token, &bundles), Err("jwt_svid_no_keys"));
}

#[test]
fn jb_06_a_key_of_an_unknown_type() {
    let added = SvidSigner::new(Algorithm::Es256, "added");
    let mut keys = jwks(&[&DEFAULT]);
    keys.push(json!({"kty": "UNKNOWN", "use": "jwt-svid", "kid": "unknown", "k": "AQAB"}));
    keys.extend(jwks(&[&added]));
    let bundles = served(&[(TD, keys)]);
    for signer in [&DEFAULT, &added] {
        accepted(&signer.sign(&signer.header(), &token_claims(ID)), &bundles, ID);
    }
}

#[test]
fn jb_07_empty_keys() {
    let other = SvidSigner::new(Algorithm::Es256, "other");
    let id = "spiffe://other.example.org/workload";
    let bundles = served(&[(TD, vec![]), (OTHER_TD, jwks(&[&other]))]);
    accepted(&other.sign(&other.header(), &token_claims(id)), &bundles, id);
    let token = DEFAULT.sign(&DEFAULT.header(), &token_claims(ID));
    assert_eq!(validate(&token, &bundles), Err("jwt_svid_no_keys"));
}

#[test]
fn jb_08_a_federated_trust_domain() {
    let other = SvidSigner::new(Algorithm::Ps256, "other");
    let id = "spiffe://other.example.org/workload";
    let bundles = served(&[(TD, jwks(&[&DEFAULT])), (OTHER_TD, jwks(&[&other]))]);
    accepted(&other.sign(&other.header(), &token_claims(id)), &bundles, id);
}
