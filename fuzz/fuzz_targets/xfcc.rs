//! Any bytes as an `x-forwarded-client-cert` header; and three lines of them as what a client sent, and as the URI and
//! DNS names of its certificate, of which a proxy makes one. And any bytes as a `Client-Cert-Chain`.

#![no_main]

use std::sync::LazyLock;

use agentauth_core::identity::forwarded::client_certificate::{CLIENT_CERT, CLIENT_CERT_CHAIN};
use agentauth_core::identity::forwarded::{Forwarded, Xfcc, XfccHeader, XfccKey};
use agentauth_core::identity::svid::TrustBundles;
use agentauth_core::{SpiffeId, Timestamp};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

const OWN: &str = "spiffe://td/tools";
const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

static OWN_ID: LazyLock<SpiffeId> = LazyLock::new(|| OWN.parse().unwrap());

static NOBODY: LazyLock<TrustBundles> = LazyLock::new(TrustBundles::new);

fuzz_target!(|data: &[u8]| {
    check_header(data);
    if let Ok(text) = std::str::from_utf8(data) {
        check_injection(text);
    }
    check_chain(data);
});

fn readers() -> [Xfcc; 4] {
    [
        Xfcc::sanitize_set(),
        Xfcc::append_forward(OWN_ID.clone()),
        Xfcc::append_forward_behind(OWN_ID.clone(), [OWN_ID.clone()]),
        Xfcc::istio_waypoint(),
    ]
}

fn check_header(data: &[u8]) {
    match XfccHeader::parse(data) {
        Ok(header) => assert_eq!(header.to_string().as_bytes(), data),
        Err(error) => assert!(error.code().starts_with("xfcc_") && is_loggable(&error.to_string())),
    }
    for xfcc in readers() {
        match xfcc.read_value(data, &NOBODY, NOW) {
            Ok(Some(peer)) => {
                let header = XfccHeader::parse(data).unwrap();
                let mut uris = header.elements().iter().flat_map(|element| element.values(XfccKey::Uri));
                assert!(uris.any(|uri| uri == peer.id().as_str()) && !peer.id().path().is_empty());
            }
            Ok(None) => {}
            Err(error) => assert!(!error.code().is_empty() && is_loggable(&error.to_string())),
        }
        // There is nobody under whom a certificate could be verified.
        assert!(!matches!(xfcc.verify_certificates().read_value(data, &NOBODY, NOW), Ok(Some(_))));
    }
}

/// Nobody is believed to be another than the one that their URI begins with.
fn check_injection(text: &str) {
    let mut lines = text.splitn(3, '\n');
    let [sent, uri, dns] = [(); 3].map(|()| lines.next().unwrap_or_default());
    let true_id = uri.split([',', ';']).next().unwrap();
    for subject in ["", "Subject=\"\";"] {
        let replaced = format!("By={OWN};Hash={HASH};{subject}URI={uri};DNS={dns}");
        let added = format!("{sent},{replaced}");
        for (xfcc, value) in [(Xfcc::sanitize_set(), &replaced), (Xfcc::append_forward(OWN_ID.clone()), &added)] {
            if let Ok(Some(peer)) = xfcc.read_value(value.as_bytes(), &NOBODY, NOW) {
                assert_eq!(peer.id().as_str(), true_id, "{value}");
            }
        }
    }
}

fn check_chain(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for (name, line) in [CLIENT_CERT, CLIENT_CERT_CHAIN].into_iter().zip(data.splitn(2, |byte| *byte == b'\n')) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    match Forwarded::ClientCert.read(&headers, &NOBODY, NOW) {
        Ok(peer) => assert!(peer.is_none()),
        Err(error) => assert!(!error.code().is_empty() && is_loggable(&error.to_string())),
    }
}

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
