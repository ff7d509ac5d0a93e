//! The conformance catalogue for SPIFFE clients, as far as it is about what verifies a token: its cases JV-1 to 25,
//! JB-1 to 8, ID-1 and ID-2, by name. Each refusal stands beside a token that is accepted under the same bundles.

mod id;
mod jb;
mod jv;

use std::sync::LazyLock;

use super::*;

const TD: &str = "test.example.org";
const OTHER_TD: &str = "other.example.org";
const ID: &str = "spiffe://test.example.org/workload";

/// The key that is in the bundle from the start.
static DEFAULT: LazyLock<SvidSigner> = LazyLock::new(|| SvidSigner::new(Algorithm::Es256, "default"));

/// RSA keys take long to make.
static RSA: LazyLock<SvidSigner> = LazyLock::new(|| SvidSigner::new(Algorithm::Rs256, "rsa"));

fn token_claims(sub: &str) -> Value {
    json!({"sub": sub, "aud": ["conformance"], "iat": NOW, "exp": NOW + 300})
}

/// A JWT bundle as the Workload API sends it: keys for JWT-SVIDs, that say so.
fn jwks(signers: &[&SvidSigner]) -> Vec<Value> {
    signers.iter().map(|signer| but(&signer.jwk(), json!({"use": "jwt-svid"}))).collect()
}

/// The bundles of one update of the Workload API, which is all there is.
fn served(bundles: &[(&str, Vec<Value>)]) -> TrustBundles {
    bundles.iter().fold(TrustBundles::new(), |all, (domain, keys)| {
        let jwks = json!({ "keys": keys }).to_string();
        let bundle = TrustBundle::new(domain.parse().unwrap()).with_jwt_keys_from_jwks(jwks.as_bytes()).unwrap();
        all.with_bundle(bundle).unwrap()
    })
}

fn default_bundles() -> TrustBundles {
    served(&[(TD, jwks(&[&DEFAULT]))])
}

/// The identity that is read from `token`, or the code with which it is refused.
fn validate(token: &str, bundles: &TrustBundles) -> Result<String, &'static str> {
    let audiences = Audiences::new(["conformance"]).unwrap();
    verify_jwt_svid(token, bundles, &audiences, Timestamp::from_secs(NOW))
        .map(|svid| svid.id().to_string())
        .map_err(|error| error.code())
}

#[track_caller]
fn accepted(token: &str, bundles: &TrustBundles, id: &str) {
    assert_eq!(validate(token, bundles).as_deref(), Ok(id));
}

/// `token` is refused with `code` under bundles that accept the default key's tokens.
#[track_caller]
fn refused(token: &str, bundles: &TrustBundles, code: &str) {
    accepted(&DEFAULT.sign(&DEFAULT.header(), &token_claims(ID)), bundles, ID);
    assert_eq!(validate(token, bundles), Err(code));
}

#[track_caller]
fn header_accepted(change: Value) {
    accepted(&DEFAULT.sign(&but(&DEFAULT.header(), change), &token_claims(ID)), &default_bundles(), ID);
}

#[track_caller]
fn header_refused(change: Value, code: &str) {
    refused(&DEFAULT.sign(&but(&DEFAULT.header(), change), &token_claims(ID)), &default_bundles(), code);
}

#[track_caller]
fn claims_accepted(change: Value) {
    accepted(&DEFAULT.sign(&DEFAULT.header(), &but(&token_claims(ID), change)), &default_bundles(), ID);
}

#[track_caller]
fn claims_refused(change: Value, code: &str) {
    refused(&DEFAULT.sign(&DEFAULT.header(), &but(&token_claims(ID), change)), &default_bundles(), code);
}
