//! `agentauth svid`.

use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use insta::assert_snapshot;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, SanType,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::{Folder, NOW, Run, pkcs8};

/// A key that is the same everywhere, so that certificates are.
pub(crate) fn key(seed: u8) -> KeyPair {
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8(&[seed; 32])), &PKCS_ED25519).unwrap()
}

fn valid(mut params: CertificateParams, from: u64, to: u64) -> CertificateParams {
    let time = |secs: u64| OffsetDateTime::from_unix_timestamp(secs.try_into().unwrap()).unwrap();
    (params.not_before, params.not_after) = (time(from), time(to));
    params.distinguished_name = DistinguishedName::new();
    params
}

pub(crate) fn authority() -> CertificateParams {
    let mut params = valid(CertificateParams::default(), NOW - 86_400, NOW + 86_400);
    params.distinguished_name.push(DnType::CommonName, "court.example");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(crate) fn leaf(uris: &[&str]) -> CertificateParams {
    let mut params = valid(CertificateParams::default(), NOW - 600, NOW + 3000);
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    params.subject_alt_names.push(SanType::DnsName("lawyer.court.example".try_into().unwrap()));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A folder with a root, `ca.crt`, and below it a leaf, `tls.crt`, with its key beside it in one file.
fn folder(params: &CertificateParams) -> Folder {
    let folder = Folder::new();
    let issuer = Issuer::new(authority(), key(1));
    folder.write("ca.crt", authority().self_signed(&key(1)).unwrap().pem());
    let leaf = params.signed_by(&key(2), &issuer).unwrap().pem();
    folder.write("tls.crt", format!("{}{leaf}", key(2).serialize_pem()));
    folder
}

const LAWYER: &str = "spiffe://court.example/agent/lawyer";
const VERIFY: [&str; 7] = ["svid", "verify", "tls.crt", "--at", "1800000000", "--bundle", "court.example=ca.crt"];

fn verify(params: &CertificateParams) -> Run {
    folder(params).run(&VERIFY, "")
}

#[test]
fn a_good_svid_passes_every_check_and_says_whom_it_proves() {
    assert_snapshot!("svid_good", verify(&leaf(&[LAWYER])).transcript());
}

#[test]
fn every_rule_that_an_svid_breaks_is_shown() {
    let mut params = leaf(&["spiffe://court.example"]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    params.extended_key_usages.pop();
    assert_snapshot!("svid_bad", verify(&params).transcript());
}

#[test]
fn a_certificate_is_refused_where_its_own_trust_domain_is_not_known() {
    let run = verify(&leaf(&["spiffe://bank.example/agent/lawyer"]));
    assert_eq!(run.status, 1);
    assert!(run.out.contains("svid_unknown_trust_domain"), "{}", run.out);
    let remark = "      the certificate names bank.example; bundles are given of court.example\n";
    assert!(run.out.contains(remark), "{}", run.out);
}

fn root_called(name: &str, seed: u8) -> String {
    let mut params = authority();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.self_signed(&key(seed)).unwrap().pem()
}

#[test]
fn an_unknown_issuer_is_named_beside_the_roots_that_are_known() {
    let mut params = leaf(&[LAWYER]);
    params.not_after += time::Duration::days(7);
    let folder = folder(&params);
    folder.write("ca.crt", root_called("other root", 3));
    let run = folder.run(&VERIFY, "");
    assert!(run.out.contains("svid_unknown_issuer"), "{}", run.out);
    for remark in [
        "      its chain ends in a certificate whose issuer is CN=court.example\n",
        "      the bundle of court.example has the roots CN=other root\n",
    ] {
        assert!(run.out.contains(remark), "{remark}{}", run.out);
    }
    let many: String = (0..7).map(|n| root_called(&format!("root {n}"), 10 + n)).collect();
    folder.write("ca.crt", many);
    let run = folder.run(&VERIFY, "");
    assert!(run.out.contains("CN=root 0; CN=root 1; CN=root 2; CN=root 3; CN=root 4; and 2 more\n"), "{}", run.out);
    // The right root, when it has ended.
    folder.write("ca.crt", authority().self_signed(&key(1)).unwrap().pem());
    let run = folder.run(&[&VERIFY[..3], &["--at", "1800090000"], &VERIFY[5..]].concat(), "");
    assert!(run.out.contains("has the roots CN=court.example (ended at 2027-01-16T08:00:00Z)\n"), "{}", run.out);
}

#[test]
fn roots_of_public_web_authorities_are_refused_as_where_they_are_followed() {
    let folder = folder(&leaf(&[LAWYER]));
    let mut params = authority();
    params.distinguished_name.push(DnType::OrganizationName, "Amazon");
    let public = params.self_signed(&key(3)).unwrap().pem();
    folder.write("ca.crt", format!("{}{public}", authority().self_signed(&key(1)).unwrap().pem()));
    let run = folder.run(&VERIFY, "");
    assert_eq!((run.status, run.out.contains("Accepted")), (1, false), "{}", run.out);
    let sentence = "files_public_roots: ca.crt: it holds 1 roots of public web authorities (Amazon is one)";
    assert!(run.out.contains(sentence) && run.out.contains("1 check failed."), "{}", run.out);
    let header = format!("URI={LAWYER}");
    let parse = ["xfcc", "parse", "--mode", "sanitize-set", "--bundle", "court.example=ca.crt"];
    let run = folder.run(&parse, &header);
    assert_eq!((run.status, run.out.contains(sentence)), (1, true), "{}", run.out);
    // What is odd and no danger is a remark.
    folder.write("ca.crt", format!("{0}{1}", root_called("x", 1), leaf(&[LAWYER]).self_signed(&key(2)).unwrap().pem()));
    let run = folder.run(&VERIFY, "");
    assert!(run.err.contains("1 of the bundle's certificates or keys cannot be used"), "{}", run.err);
}

#[test]
fn a_certificate_can_be_judged_at_another_time() {
    let folder = folder(&leaf(&[LAWYER]));
    for (at, status, code) in [(NOW + 3000, 0, None), (NOW + 3001, 1, Some("svid_expired"))] {
        let run = folder.run(&[&VERIFY[..3], &["--json", "--at", &at.to_string()], &VERIFY[5..]].concat(), "");
        assert_eq!(run.status, status);
        let codes = run.json()["check_lists"][0]["checks"].as_array().unwrap().clone();
        assert_eq!(codes.iter().find_map(|check| check["code"].as_str().map(str::to_owned)).as_deref(), code);
        let remarks: Vec<_> = codes.iter().filter_map(|check| check["remarks"][0].as_str()).collect();
        let ended = "the leaf, spiffe://court.example/agent/lawyer, ended at 2027-01-15T08:50:00Z (1 s ago)";
        assert_eq!(remarks, code.map(|_| ended).as_slice());
    }
}

#[test]
fn a_spiffe_bundle_does_as_well() {
    let folder = folder(&leaf(&[LAWYER]));
    let der = authority().self_signed(&key(1)).unwrap().der().to_vec();
    let x5c = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    folder.write(
        "bundle.json",
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","use":"x509-svid","x5c":["{x5c}"]}}]}}"#),
    );
    let run = folder.run(&[&VERIFY[..6], &["court.example=bundle.json"]].concat(), "");
    assert_eq!((run.status, run.out.contains(&format!("It proves {LAWYER}"))), (0, true), "{}", run.out);
}

#[test]
fn what_a_certificate_says_is_shown_without_being_believed() {
    let folder = folder(&leaf(&[LAWYER, "https://court.example"]));
    let run = folder.run(&["svid", "inspect", "tls.crt", "--at", "1800000000"], "");
    assert_snapshot!("svid_inspect", run.transcript());
}

#[test]
fn what_is_no_certificate_is_told_apart_from_what_is_a_bad_one() {
    let folder = folder(&leaf(&[LAWYER]));
    folder.write("empty.json", r#"{"keys":[]}"#);
    for (arguments, status, word) in [
        (&["svid", "inspect", "jwks.json"][..], 2, "no PEM certificate"),
        (&["svid", "inspect", "absent.crt"], 2, "cannot be read"),
        (&["svid", "verify", "tls.crt", "--bundle", "court.example"], 2, "TD=FILE"),
        (&["svid", "verify", "tls.crt", "--bundle", "Court.example=ca.crt"], 2, "a-z"),
        (&["svid", "verify", "tls.crt", "--bundle", "court.example=jwks.json"], 1, ""),
        (&["svid", "verify", "tls.crt", "--bundle", "court.example=empty.json"], 1, ""),
        (&["svid", "verify", "tls.crt", "--bundle", "a.example=ca.crt", "--bundle", "a.example=ca.crt"], 2, "already"),
    ] {
        let run = folder.run(arguments, "");
        assert_eq!(run.status, status, "{arguments:?} {} {}", run.out, run.err);
        assert!(run.err.contains(word), "{arguments:?} {}", run.err);
    }
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let run = folder.run(&["svid", "inspect"], broken);
    assert_eq!((run.status, run.out.contains("not a well-formed certificate")), (1, true), "{}", run.out);
}

#[test]
fn a_jwt_svid_is_judged_by_the_keys_of_its_own_trust_domain() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let mut jwk: Value = serde_json::from_str(key.public_jwk()).unwrap();
    jwk["use"] = "jwt-svid".into();
    let folder = Folder::new();
    folder.write("bundle.json", json!({"keys": [jwk]}).to_string());
    let token = |aud: &str| {
        let claims = json!({"sub": LAWYER, "aud": [aud], "exp": NOW + 300});
        key.sign(TokenType::Jwt, claims.to_string().as_bytes()).unwrap()
    };
    let verify = |token: &str, more: &[&str]| {
        let fixed = ["svid", "verify", "--at", "1800000000", "--bundle", "court.example=bundle.json"];
        folder.run(&[&fixed[..], more].concat(), token)
    };
    let audience = &["--audience", "https://tools.example"][..];
    assert_snapshot!("svid_jwt_good", verify(&token("https://tools.example"), audience).transcript());
    assert_snapshot!("svid_jwt_bad", verify(&token("https://other.example"), audience).transcript());

    let mut params = authority();
    params.distinguished_name.push(DnType::OrganizationName, "Amazon");
    folder.write("public.pem", params.self_signed(&self::key(3)).unwrap().pem());
    let run = verify(&token("https://tools.example"), &[audience, &["--bundle", "web.example=public.pem"]].concat());
    assert_eq!((run.status, run.out.contains("files_public_roots")), (1, true), "{}", run.out);

    let run = verify(&token("https://tools.example"), &[]);
    assert_eq!((run.status, run.err.contains("--audience")), (2, true), "{}", run.err);
    let run = folder.run(&["svid", "inspect"], &token("https://tools.example"));
    assert_eq!((run.status, run.err.contains("token inspect")), (2, true), "{}", run.err);
}
