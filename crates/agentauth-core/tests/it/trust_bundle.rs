//! Trust bundles: what each form of them is read as, and what is refused or left out (Trust_Domain_and_Bundle.md §4).

mod certificates;
mod laws;
mod map;
mod vectors;

use std::time::Duration;

use agentauth_core::Timestamp;
use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::{BundleConcern, BundleError, TrustBundle, TrustBundles, verify_x509_svid};
use agentauth_core::jose::{Algorithm, MAX_JWKS_BYTES, SigningKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::certs::{Ca, NOW};

const DOMAIN: &str = "court.example";

fn domain() -> TrustDomain {
    DOMAIN.parse().unwrap()
}

fn read(document: &str) -> Result<TrustBundle, BundleError> {
    TrustBundle::from_spiffe(domain(), document.as_bytes())
}

/// How many roots and JWT keys a bundle has, or the code with which it was refused.
fn outcome(bundle: Result<TrustBundle, BundleError>) -> Result<(usize, usize), &'static str> {
    bundle.map(|bundle| (bundle.x509_root_count(), bundle.jwt_key_count())).map_err(|error| error.code())
}

/// The key of an X.509 authority, as SPIRE publishes it.
fn x509_key(ca: &Ca) -> Value {
    let der = BASE64_STANDARD.encode(ca.der());
    json!({"use": "x509-svid", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "x5c": [der]})
}

/// A public key that is published for `usage`, or for nothing in particular.
fn jwt_key(algorithm: Algorithm, usage: Option<&str>) -> Value {
    let mut jwk: Value = serde_json::from_str(SigningKey::generate(algorithm).unwrap().public_jwk()).unwrap();
    jwk.as_object_mut().unwrap().remove("alg");
    jwk["use"] = usage.map_or(Value::Null, Value::from);
    without_nulls(jwk)
}

fn without_nulls(mut value: Value) -> Value {
    value.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    value
}

/// `key` with other members, of which null takes one away.
fn but(key: &Value, members: &Value) -> Value {
    let mut key = key.clone();
    key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    without_nulls(key)
}

fn document(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

#[test]
fn an_element_that_is_not_understood_is_ignored_and_the_others_count() {
    let (root, key) = (x509_key(&Ca::new(DOMAIN)), jwt_key(Algorithm::Es256, Some("jwt-svid")));
    let leaf = {
        let ca = Ca::new(DOMAIN);
        BASE64_STANDARD.encode(ca.sign(&ca.leaf("/agent/lawyer")))
    };
    let x5c = &root["x5c"][0];
    let rsa = jwt_key(Algorithm::Rs256, Some("jwt-svid"));
    for (what, element, counts) in [
        ("a root", root.clone(), (1, 0)),
        ("a root under a name", but(&root, &json!({"kid": "a name"})), (1, 0)),
        ("a root under a name that is none", but(&root, &json!({"kid": 7})), (1, 0)),
        ("a root of a kind of key we do not know", but(&root, &json!({"kty": "PQ"})), (0, 0)),
        ("a root of no kind", but(&root, &json!({"kty": null})), (0, 0)),
        ("a root for nothing", but(&root, &json!({"use": null})), (0, 0)),
        ("a root for something else", but(&root, &json!({"use": "x509-SVID"})), (0, 0)),
        ("a root with a use that is none", but(&root, &json!({"use": ["x509-svid"]})), (0, 0)),
        ("no x5c", but(&root, &json!({"x5c": null})), (0, 0)),
        ("an empty x5c", but(&root, &json!({"x5c": []})), (0, 0)),
        ("an x5c that is no list", but(&root, &json!({"x5c": x5c})), (0, 0)),
        ("an x5c of numbers", but(&root, &json!({"x5c": [7]})), (0, 0)),
        ("an x5c in base64url", but(&root, &json!({"x5c": ["-_-_"]})), (0, 0)),
        ("an x5c that is no certificate", but(&root, &json!({"x5c": ["AAAA"]})), (0, 0)),
        ("a certificate that is no root", but(&root, &json!({"x5c": [leaf]})), (0, 0)),
        ("two certificates, the first a root", but(&root, &json!({"x5c": [x5c, "AAAA"]})), (1, 0)),
        ("two certificates, the second a root", but(&root, &json!({"x5c": ["AAAA", x5c]})), (0, 0)),
        ("a JWT key", key.clone(), (0, 1)),
        ("a JWT key for its algorithm", but(&key, &json!({"alg": "ES256"})), (0, 1)),
        ("an RSA key", rsa.clone(), (0, 1)),
        ("an RSA key for one algorithm", but(&rsa, &json!({"alg": "PS512"})), (0, 1)),
        ("a key of P-384", jwt_key(Algorithm::Es384, Some("jwt-svid")), (0, 1)),
        ("a key of Ed25519", jwt_key(Algorithm::EdDsa, Some("jwt-svid")), (0, 0)),
        ("a symmetric key", json!({"kty": "oct", "use": "jwt-svid", "kid": "k", "k": "AAAA"}), (0, 0)),
        ("a JWT key of a kind we do not know", but(&key, &json!({"kty": "PQ"})), (0, 0)),
        ("a JWT key for another algorithm", but(&key, &json!({"alg": "ES384"})), (0, 0)),
        ("a JWT key for no algorithm we know", but(&key, &json!({"alg": "ES256K"})), (0, 0)),
        ("a JWT key without a name", but(&key, &json!({"kid": null})), (0, 0)),
        ("a JWT key that is private", but(&key, &json!({"d": "AA"})), (0, 0)),
        ("a JWT key for nothing", but(&key, &json!({"use": null})), (0, 0)),
        ("a key for signatures", but(&key, &json!({"use": "sig"})), (0, 0)),
        ("a key for WIT-SVIDs", but(&key, &json!({"use": "wit-svid"})), (0, 0)),
        ("an element with nothing in it", json!({}), (0, 0)),
    ] {
        assert_eq!(outcome(read(&document(std::slice::from_ref(&element)))), Ok(counts), "{what}");
        let others = [x509_key(&Ca::new(DOMAIN)), element, jwt_key(Algorithm::Es256, Some("jwt-svid"))];
        assert_eq!(outcome(read(&document(&others))), Ok((counts.0 + 1, counts.1 + 1)), "{what}, among others");
    }
}

#[test]
fn of_two_keys_of_one_name_the_first_counts() {
    let [first, second] = [Algorithm::Es256, Algorithm::Es384].map(|algorithm| jwt_key(algorithm, Some("jwt-svid")));
    let second = but(&second, &json!({"kid": first["kid"]}));
    let bundle = read(&document(&[first, second])).unwrap();
    assert_eq!(bundle.jwt_key_count(), 1);
    assert_eq!(bundle.concerns(), [BundleConcern::LeftOut { count: 1 }]);
}

#[test]
fn each_fault_of_a_document_has_its_code() {
    let key = x509_key(&Ca::new(DOMAIN));
    let many = vec![json!({"kty": "PQ"}); 129];
    for (document, expected) in [
        (document(&[]), Ok((0, 0))),
        (document(&many[..128]), Ok((0, 0))),
        (document(&many), Err("json_wrong_type")),
        (" ".repeat(MAX_JWKS_BYTES + 1), Err("bundle_oversize")),
        (String::new(), Err("json_malformed")),
        ("[]".into(), Err("json_malformed")),
        ("{}".into(), Err("bundle_no_keys")),
        (r#"{"spiffe_sequence":1}"#.into(), Err("bundle_no_keys")),
        (r#"{"keys":null}"#.into(), Err("json_wrong_type")),
        (r#"{"keys":{}}"#.into(), Err("json_wrong_type")),
        (r#"{"keys":[7]}"#.into(), Err("json_wrong_type")),
        (r#"{"keys":[],"keys":[]}"#.into(), Err("json_duplicate_member")),
        (r#"{"keys":[{"use":"x509-svid","use":"x509-svid"}]}"#.into(), Err("json_duplicate_member")),
        (r#"{"keys":[{"x5c":[],"x5c":[]}]}"#.into(), Err("json_duplicate_member")),
        (format!(r#"{{"keys":[{key}]}} x"#), Err("json_malformed")),
    ] {
        assert_eq!(outcome(read(&document)), expected, "{document:.80}");
    }
}

#[test]
fn a_sequence_number_is_a_whole_number_of_64_bits_and_so_is_the_refresh_hint() {
    for (number, expected) in [
        ("0", Some(0)),
        ("300", Some(300)),
        ("9007199254740993", Some(9_007_199_254_740_993)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("-1", None),
        ("1.0", None),
        ("1e3", None),
        (r#""1""#, None),
        ("null", None),
    ] {
        let sequence = read(&format!(r#"{{"keys":[],"spiffe_sequence":{number}}}"#));
        assert_eq!(sequence.as_ref().map(TrustBundle::sequence).ok(), expected.map(Some), "{number}");
        let hint = read(&format!(r#"{{"keys":[],"spiffe_refresh_hint":{number}}}"#));
        let seconds = expected.map(|seconds| Some(Duration::from_secs(seconds)));
        assert_eq!(hint.as_ref().map(TrustBundle::refresh_hint).ok(), seconds, "{number}");
        if expected.is_none() {
            assert_eq!(sequence.unwrap_err().code(), "json_wrong_type", "{number}");
            assert_eq!(hint.unwrap_err().code(), "json_wrong_type", "{number}");
        }
    }
    let silent = read(r#"{"keys":[]}"#).unwrap();
    assert_eq!((silent.sequence(), silent.refresh_hint()), (None, None));
}

#[test]
fn a_jwk_set_of_the_workload_api_need_not_say_what_its_keys_are_for() {
    let load = |jwks: &str| TrustBundle::new(domain()).with_jwt_keys_from_jwks(jwks.as_bytes());
    let key = |usage| jwt_key(Algorithm::Es256, usage);
    let nameless = but(&key(None), &json!({"kid": null}));
    for (what, element, count) in [
        ("no use", key(None), 1),
        ("for JWT-SVIDs", key(Some("jwt-svid")), 1),
        ("for signatures", key(Some("sig")), 1),
        ("for X.509-SVIDs", key(Some("x509-svid")), 0),
        ("for WIT-SVIDs", key(Some("wit-svid")), 0),
        ("for encryption", key(Some("enc")), 0),
        ("of another kind", json!({"kty": "PQ", "use": "jwt-svid", "kid": "k"}), 0),
        ("without a name", nameless, 0),
    ] {
        assert_eq!(outcome(load(&document(std::slice::from_ref(&element)))), Ok((0, count)), "{what}");
        assert_eq!(outcome(load(&document(&[key(None), element, key(None)]))), Ok((0, count + 2)), "{what}");
    }
    for (jwks, code) in [
        ("{}", "bundle_no_keys"),
        ("", "json_malformed"),
        (r#"{"keys":[],"keys":[]}"#, "json_duplicate_member"),
        (" ".repeat(MAX_JWKS_BYTES + 1).as_str(), "bundle_oversize"),
    ] {
        assert_eq!(outcome(load(jwks)), Err(code));
    }

    // The set is all there is: it takes the place of the keys before, and leaves the roots alone.
    let ca = Ca::new(DOMAIN);
    let both = read(&document(&[x509_key(&ca), key(Some("jwt-svid")), key(Some("jwt-svid"))])).unwrap();
    assert_eq!(outcome(both.with_jwt_keys_from_jwks(document(&[]).as_bytes())), Ok((1, 0)));
}

#[test]
fn a_bundle_that_holds_nothing_trusts_nothing() {
    let court = Ca::new(DOMAIN);
    let chain = [court.sign(&court.leaf("/agent/lawyer"))];
    let verify = |bundle: TrustBundle| {
        let bundles = TrustBundles::new().with_bundle(bundle).unwrap();
        let found = verify_x509_svid(&chain, &bundles, Timestamp::from_secs(NOW));
        (bundles.trusts(DOMAIN), found.map_or_else(|error| error.code(), |_| "accepted"))
    };
    for bundle in [
        TrustBundle::new(domain()),
        read(&document(&[])).unwrap(),
        read(&document(&[but(&x509_key(&court), &json!({"use": "wit-svid"}))])).unwrap(),
        TrustBundle::from_pem(domain(), b" \n").unwrap(),
        TrustBundle::from_der(domain(), &[]).unwrap(),
    ] {
        assert!(bundle.is_empty());
        assert!(bundle.concerns().contains(&BundleConcern::TrustsNothing));
        assert_eq!(verify(bundle), (false, "svid_no_roots"));
    }
    let jwt_only = read(&document(&[jwt_key(Algorithm::Es256, Some("jwt-svid"))])).unwrap();
    assert!(!jwt_only.is_empty());
    assert_eq!(verify(jwt_only), (false, "svid_no_roots"));
    assert_eq!(verify(read(&document(&[x509_key(&court)])).unwrap()), (true, "accepted"));
}

#[test]
fn debug_shows_how_much_there_is() {
    let key = jwt_key(Algorithm::Es256, Some("jwt-svid"));
    let bundle = read(&document(&[x509_key(&Ca::new(DOMAIN)), key])).unwrap();
    let shown = "TrustBundle { trust_domain: \"court.example\", x509_roots: 1, jwt_keys: 1, crls: 0, sequence: None, \
                 refresh_hint: None }";
    assert_eq!(format!("{bundle:?}"), shown);
}
