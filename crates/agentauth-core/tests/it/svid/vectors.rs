//! X.509-SVIDs against vectors that are read from outside the repository: x509-limbo's cases re-minted as workload
//! certificates, go-spiffe's files, and RFC 8705's certificate. A test whose vectors are absent says so and passes.

use std::collections::BTreeMap;
use std::time::Instant;

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::BundleError;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

use super::*;
use crate::support;

fn load(file: &str) -> Option<Vec<u8>> {
    let path = support::vectors()?.join(file);
    if !path.is_file() {
        println!("skipped: vectors not found");
        return None;
    }
    Some(std::fs::read(path).unwrap())
}

fn json(file: &str) -> Option<Value> {
    load(file).map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

fn certificate(pem: &Value) -> Der {
    Der::from_pem_slice(pem.as_str().unwrap().as_bytes()).unwrap()
}

fn example_org() -> TrustDomain {
    "example.org".parse().unwrap()
}

fn bundle_code(error: &BundleError) -> &'static str {
    match error {
        BundleError::NotPem(_) => "not PEM",
        BundleError::NoRoot(_) => "no root",
        other => panic!("{other}"),
    }
}

/// What must become of a case. `None` is for the duties of issuing CAs: what becomes of those is recorded only.
fn limbo_code(id: &str) -> Option<&'static str> {
    Some(match id.strip_prefix("spiffe-").unwrap() {
        "pathlen::ee-with-intermediate-pathlen-0"
        | "pathlen::ee-with-intermediate-pathlen-2"
        | "pathological::multiple-chains-expired-intermediate"
        | "rfc5280::eku::ee-without-eku"
        | "rfc5280::validity::notafter-exact"
        | "rfc5280::unknown-critical-extension-unrelated-root"
        | "rfc5280::ee-aia"
        | "rfc5280::no-basicconstraints" => ACCEPTED,
        "invalid::invalid-issuer-key"
        | "pathlen::intermediate-pathlen-too-long"
        | "rfc5280::unknown-critical-extension-ee"
        | "rfc5280::unknown-critical-extension-intermediate"
        | "rfc5280::intermediate-ca-without-ca-bit"
        | "webpki::forbidden-p192-root"
        | "webpki::forbidden-weak-rsa-key-in-root" => "svid_invalid_path",
        "pathological::intermediate-cycle-distinct-cas-max-depth"
        | "rfc5280::validity::expired-root"
        | "rfc5280::ee-empty-issuer" => "svid_unknown_issuer",
        "pathological::pathological-chain-distinct-subject-distinct-key"
        | "pathological::pathological-chain-distinct-subject-same-key" => "svid_chain_too_long",
        "rfc5280::validity::expired-leaf" | "rfc5280::validity::expired-1-second" => "svid_expired",
        "rfc5280::validity::not-yet-valid-1-second" => "svid_not_yet_valid",
        "rfc5280::leaf-ku-keycertsign" => "svid_signs_certificates",
        "webpki::eku::ee-critical-eku" => "svid_wrong_usage",
        "rfc5280::root-missing-basic-constraints" | "rfc5280::root-inconsistent-ca-extensions" => "no root",
        "rfc5280::aki::critical-aki"
        | "rfc5280::serial::too-long"
        | "webpki::aki::root-with-aki-missing-keyidentifier" => return None,
        other => panic!("a case without an expectation: {other}"),
    })
}

fn limbo_time(text: Option<&str>) -> Timestamp {
    Timestamp::from_secs(match text {
        None => 1_704_067_200, // 2024-01-01
        Some("2022-01-01T00:00:00+00:00") => 1_640_995_200,
        Some("2024-03-01T00:00:00+00:00") => 1_709_251_200,
        Some("2024-04-01T00:00:00+00:00") => 1_711_929_600,
        Some("2024-04-01T00:00:01+00:00") => 1_711_929_601,
        Some(other) => panic!("a time without a translation: {other}"),
    })
}

#[test]
fn limbo() {
    let Some(file) = json("limbo-spiffe/limbo-spiffe.json") else { return };
    let (mut classes, mut wrong, mut slowest) = (BTreeMap::new(), Vec::new(), Duration::ZERO);
    for case in file["testcases"].as_array().unwrap() {
        let [id, class, result] = ["id", "x_class", "expected_result"].map(|name| case[name].as_str().unwrap());
        let certificates = |name: &str| case[name].as_array().unwrap().iter().map(certificate);
        let roots: Vec<Der> = certificates("trusted_certs").collect();
        let leaf = std::iter::once(certificate(&case["peer_certificate"]));
        let chain: Vec<Der> = leaf.chain(certificates("untrusted_intermediates")).collect();
        let now = limbo_time(case["validation_time"].as_str());

        let started = Instant::now();
        let bundles = TrustBundles::new().with_der(example_org(), &roots);
        let found = bundles.map_or_else(|error| bundle_code(&error), |bundles| code(&chain, &bundles, now));
        slowest = slowest.max(started.elapsed());

        println!("{class:7} {result} {id} -> {found}");
        let expected = limbo_code(id);
        assert_eq!(expected.is_none(), class == "profile", "{id}");
        if expected.is_some_and(|expected| (result == "SUCCESS") != (expected == ACCEPTED) || found != expected) {
            wrong.push(format!("{id} ({class}): {found} for {expected:?}"));
        }
        *classes.entry((class, result)).or_insert(0) += 1;
    }
    println!("x509-limbo: {classes:?}, {} wrong, the slowest in {slowest:?}", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    let counts =
        [(("anchor", "FAILURE"), 5), (("path", "FAILURE"), 14), (("path", "SUCCESS"), 8), (("profile", "FAILURE"), 3)];
    assert_eq!(classes, BTreeMap::from(counts));
}

#[test]
fn go_spiffe_svids() {
    const MARCH_2020: u64 = 1_585_059_000; // the 24th, 14:10
    const JUNE_2020: u64 = 1_590_969_600;
    // A root that is valid at all times and signed none of them: a leaf in good shape gets as far as its path.
    let stranger = Ca::root("example.org", |ca| ca.not_before = at(0)).bundles();
    let mut count = 0;
    for (file, certificates, now, expected) in [
        ("good-leaf-only.pem", 1, JUNE_2020, "svid_unknown_issuer"),
        ("good-leaf-only.pem", 1, NOW, "svid_expired"),
        ("good-leaf-and-intermediate.pem", 2, MARCH_2020, "svid_unknown_issuer"),
        ("good-leaf-and-intermediate.pem", 2, NOW, "svid_expired"),
        ("good-cert-and-key.pem", 1, MARCH_2020 + 600, "svid_unknown_issuer"),
        ("good-key-and-cert.pem", 1, MARCH_2020 + 600, "svid_unknown_issuer"),
        ("wrong-leaf-ca-true.pem", 1, JUNE_2020, "svid_is_ca"),
        ("wrong-leaf-cert-sign.pem", 1, JUNE_2020, "svid_signs_certificates"),
        ("wrong-leaf-crl-sign.pem", 1, JUNE_2020, "svid_signs_certificates"),
        ("wrong-leaf-no-digital-signature.pem", 1, JUNE_2020, "svid_signs_certificates"),
        ("wrong-leaf-empty-id.pem", 1, JUNE_2020, "svid_no_uri"),
        ("wrong-intermediate-no-ca.pem", 2, JUNE_2020, "svid_unknown_issuer"),
        ("wrong-intermediate-no-key-cert-sign.pem", 2, JUNE_2020, "svid_unknown_issuer"),
        ("corrupt-cert.pem", 1, JUNE_2020, "svid_malformed"),
        ("corrupt-key.pem", 0, JUNE_2020, "svid_no_certificate"),
        ("key-pkcs8-ecdsa.pem", 0, JUNE_2020, "svid_no_certificate"),
        ("key-pkcs8-rsa.pem", 0, JUNE_2020, "svid_no_certificate"),
        ("not-pem", 0, JUNE_2020, "svid_no_certificate"),
    ] {
        let Some(chain) = go_spiffe_chain(file) else { return };
        assert_eq!(chain.len(), certificates, "{file}");
        assert_eq!(code(&chain, &stranger, Timestamp::from_secs(now)), expected, "{file}");

        // The shape of a leaf is looked at before its trust domain, the trust domain before path and time.
        let elsewhere = match expected {
            "svid_unknown_issuer" | "svid_expired" => "svid_unknown_trust_domain",
            shape => shape,
        };
        assert_eq!(code_now(&chain, &TrustBundles::new()), elsewhere, "{file}");
        count += 1;
    }
    println!("go-spiffe SVIDs: {count} outcomes");

    // One file has its leaf's issuer, which can be a root. The issuers in the wrong-intermediate files cannot.
    let as_root = |file| {
        let [leaf, issuer] = go_spiffe_chain(file)?.try_into().unwrap();
        Some((leaf, TrustBundles::new().with_der(example_org(), &[issuer])))
    };
    let Some((leaf, bundles)) = as_root("good-leaf-and-intermediate.pem") else { return };
    let svid = verify_x509_svid(&[leaf], &bundles.unwrap(), Timestamp::from_secs(MARCH_2020)).unwrap();
    assert_eq!(svid.id().as_str(), "spiffe://example.org/workload-1");
    for file in ["wrong-intermediate-no-ca.pem", "wrong-intermediate-no-key-cert-sign.pem"] {
        let Some((_, bundles)) = as_root(file) else { return };
        assert_eq!(bundle_code(&bundles.unwrap_err()), "no root", "{file}");
    }
}

fn go_spiffe_chain(file: &str) -> Option<Vec<Der>> {
    let pem = load(&format!("spiffe/go-spiffe/svid/x509svid/testdata/{file}"))?;
    Some(Der::pem_slice_iter(&pem).map(Result::unwrap).collect())
}

#[test]
fn go_spiffe_bundles() {
    let mut count = 0;
    for (file, expected) in [
        // They are read, but certificates of version 1 do not say that they are a CA's.
        ("cert.pem", "no root"),
        ("certs.pem", "no root"),
        ("corrupted.pem", "no root"),
        ("not-pem.pem", "not PEM"),
        ("key.pem", "not PEM"),
        // go-spiffe makes it a bundle that trusts nothing; here a configuration that trusts no one is a mistake.
        ("empty.pem", "not PEM"),
    ] {
        let Some(pem) = load(&format!("spiffe/go-spiffe/bundle/x509bundle/testdata/{file}")) else { return };
        let error = TrustBundles::new().with_pem(example_org(), &pem).unwrap_err();
        assert_eq!(bundle_code(&error), expected, "{file}");
        count += 1;
    }
    println!("go-spiffe bundles: {count} refused");
    assert_eq!(count, 6);
}

#[test]
fn rfc_8705_thumbprint() {
    let Some(example) = json("rfc-oauth-examples/rfc8705-appendix-a.json") else { return };
    let der = certificate(&example["certificate_pem"]);
    // `a_verified_svid_says_what_the_leaf_says` ties this function to an SVID's thumbprint.
    assert_eq!(URL_SAFE_NO_PAD.encode(sha256(&der)), example["x5t#S256"].as_str().unwrap());
    assert_eq!(code_now(&[der], &TrustBundles::new()), "svid_no_uri");
    println!("RFC 8705: 1 thumbprint");
}

pub(super) fn sha256(bytes: &[u8]) -> Digest {
    digest(&SHA256, bytes)
}
