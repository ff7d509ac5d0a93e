//! The `Client-Cert` header (RFC 9440): each rule by the code of its refusal, and RFC 8705's example.

use agentauth_core::Timestamp;
use agentauth_core::identity::forwarded::client_certificate::{CLIENT_CERT, ClientCertificate, ClientCertificateError};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::Value;

use crate::support;
use crate::support::certs::{Ca, NOW};
use crate::support::court::{ACCEPTED, encode};

fn leaf() -> Vec<u8> {
    let ca = Ca::new("court.example");
    ca.sign(&ca.leaf("/agent/lawyer")).to_vec()
}

fn value(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

fn code<T>(outcome: Result<T, ClientCertificateError>) -> &'static str {
    outcome.map_or_else(ClientCertificateError::code, |_| ACCEPTED)
}

#[test]
fn a_certificate_is_known_by_its_bytes() {
    let der = leaf();
    let certificate = ClientCertificate::parse(value(&der).as_bytes()).unwrap();
    assert_eq!(certificate.thumbprint(), digest(&SHA256, &der).as_ref());
    assert_eq!(certificate.der().as_ref(), der);
    assert_eq!(certificate.not_before(), Timestamp::from_secs(NOW - 3600));
    assert_eq!(certificate.not_after(), Timestamp::from_secs(NOW + 3600));
}

#[test]
fn the_header_is_one_byte_sequence_with_one_certificate() {
    let der = leaf();
    let good = value(&der);
    // A length that needs padding, and one whose last character has unused bits.
    let padded = (0..3).map(|extra| STANDARD.encode([der.as_slice(), &vec![0; extra]].concat()));
    let padded = padded.into_iter().find(|text| text.ends_with('=')).unwrap();
    let unpadded = padded.trim_end_matches('=');
    for (value, expected) in [
        (good.clone(), ACCEPTED),
        (String::new(), "client_cert_encoding"),
        (":".into(), "client_cert_encoding"),
        (STANDARD.encode(&der), "client_cert_encoding"),
        (good.trim_end_matches(':').into(), "client_cert_encoding"),
        (good.trim_start_matches(':').into(), "client_cert_encoding"),
        (format!(" {good}"), "client_cert_encoding"),
        (format!("{good};a=1"), "client_cert_encoding"),
        (format!("{good}, {good}"), "client_cert_encoding"),
        (format!("\"{}\"", STANDARD.encode(&der)), "client_cert_encoding"),
        (format!(":{unpadded}:"), "client_cert_encoding"),
        (format!(":{padded}=:"), "client_cert_encoding"),
        (format!(":{}:", good.trim_matches(':').replacen('M', "M\n", 1)), "client_cert_encoding"),
        (format!(":{}:", URL_SAFE.encode([0xfb, 0xff, 0xfe])), "client_cert_encoding"),
        (":AB==:".into(), "client_cert_encoding"),
        ("-----BEGIN CERTIFICATE-----".into(), "client_cert_encoding"),
        ("::".into(), "client_cert_malformed"),
        (":AAAA:".into(), "client_cert_malformed"),
        (self::value(&der[..der.len() - 1]), "client_cert_malformed"),
        (self::value(&[&der[..], &[0]].concat()), "client_cert_malformed"),
        (self::value(&[&der[..], &der[..]].concat()), "client_cert_malformed"),
        (
            self::value(format!("-----BEGIN CERTIFICATE-----\n{}", STANDARD.encode(&der)).as_bytes()),
            "client_cert_malformed",
        ),
        (self::value(&vec![0x30; 12 * 1024]), "client_cert_oversize"),
        ("x".repeat(100_000), "client_cert_oversize"),
    ] {
        assert_eq!(code(ClientCertificate::parse(value.as_bytes())), expected, "{value:.80}");
    }
    assert_eq!(STANDARD_NO_PAD.encode([0; 1]), "AA", "`AB==` is another spelling of it");
}

#[test]
fn a_request_has_one_client_certificate_or_none() {
    let good: HeaderValue = value(&leaf()).parse().unwrap();
    let mut headers = HeaderMap::new();
    assert_eq!(ClientCertificate::from_headers(&headers), Ok(None));
    headers.insert("client-cert-chain", good.clone());
    assert_eq!(ClientCertificate::from_headers(&headers), Ok(None), "the chain is not read");
    headers.insert(CLIENT_CERT, good.clone());
    assert!(ClientCertificate::from_headers(&headers).unwrap().is_some());
    headers.append(CLIENT_CERT, good);
    assert_eq!(code(ClientCertificate::from_headers(&headers)), "client_cert_repeated");
}

#[test]
fn a_certificate_is_valid_from_its_first_second_to_its_last() {
    let certificate = ClientCertificate::parse(value(&leaf()).as_bytes()).unwrap();
    for (now, expected) in [
        (NOW - 3601, "client_cert_not_yet_valid"),
        (NOW - 3600, ACCEPTED),
        (NOW + 3600, ACCEPTED),
        (NOW + 3601, "client_cert_expired"),
    ] {
        assert_eq!(code(certificate.check_validity(Timestamp::from_secs(now))), expected, "{now}");
    }
}

#[test]
fn the_example_of_rfc_8705_has_its_thumbprint() {
    let Some(folder) = support::vectors() else { return };
    let file = folder.join("rfc-oauth-examples/rfc8705-appendix-a.json");
    let example: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let pem = example["certificate_pem"].as_str().unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let certificate = ClientCertificate::parse(format!(":{base64}:").as_bytes()).unwrap();
    assert_eq!(example["x5t#S256"], encode(certificate.thumbprint()));
    assert_eq!(code(certificate.check_validity(Timestamp::from_secs(NOW))), "client_cert_expired");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = ClientCertificate::parse(&bytes);
        let _ = ClientCertificate::parse(value(&bytes).as_bytes());
    }

    #[test]
    fn a_changed_certificate_is_refused_or_another(position in 0usize..300, bit in 0u8..8) {
        let der = leaf();
        let mut changed = der.clone();
        if let Some(byte) = changed.get_mut(position) {
            *byte ^= 1 << bit;
        }
        if let Ok(certificate) = ClientCertificate::parse(value(&changed).as_bytes()) {
            prop_assert_eq!(certificate.thumbprint() == digest(&SHA256, &der).as_ref(), changed == der);
        }
    }
}
