//! `Client-Cert` with `Client-Cert-Chain` (RFC 9440), verified as an X.509-SVID.

use std::time::Duration;

use agentauth_core::Timestamp;
use agentauth_core::identity::forwarded::Forwarded;
use agentauth_core::identity::forwarded::client_certificate::{CLIENT_CERT, CLIENT_CERT_CHAIN};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::{LAWYER, leaf, outcome};
use crate::support::certs::{Ca, NOW};

fn item(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

fn headers(cert: &[&str], chain: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in cert {
        headers.append(CLIENT_CERT, value.parse().unwrap());
    }
    for value in chain {
        headers.append(CLIENT_CERT_CHAIN, value.parse().unwrap());
    }
    headers
}

#[test]
fn a_client_certificate_with_its_chain_proves_an_identity() {
    let ca = Ca::new("court.example");
    let below = ca.below("intermediate", |_| {});
    let der = leaf(&below, &[LAWYER], &[]);
    let (cert, above, root) = (item(&der), item(&below.der()), item(&ca.der()));
    let now = Timestamp::from_secs(NOW);
    let read = |headers: &HeaderMap| Forwarded::ClientCert.read(headers, &ca.bundles(), now);
    let c = cert.as_str();

    let peer = read(&headers(&[c], &[&above])).unwrap().unwrap();
    assert_eq!(peer.id().as_str(), LAWYER);
    assert_eq!(peer.thumbprint(), Some(peer.svid().unwrap().thumbprint()));

    let repeated = |count: usize| vec![above.as_str(); count].join(", ");
    for (headers, expected) in [
        (headers(&[], &[]), "none"),
        (headers(&[c], &[&format!("{above}, {root}")]), LAWYER),
        (headers(&[c], &[&format!("{above} ,\t{root}")]), LAWYER),
        (headers(&[c], &[&repeated(9)]), LAWYER),
        (headers(&[c], &[&repeated(10)]), "client_cert_chain_too_long"),
        (headers(&[c], &[&format!("{above},{}", " ".repeat(64 * 1024))]), "client_cert_chain_oversize"),
        (headers(&[c], &[]), "svid_unknown_issuer"),
        (headers(&[c], &[&root]), "svid_unknown_issuer"),
        (headers(&[c, c], &[&above]), "client_cert_repeated"),
        (headers(&[":AAAA:"], &[&above]), "client_cert_malformed"),
        (headers(&[c], &[&above, &root]), "client_cert_chain_repeated"),
        (headers(&[], &[&above]), "client_cert_chain_alone"),
        (headers(&[c], &[""]), "client_cert_chain_encoding"),
        (headers(&[c], &[&format!("{above},")]), "client_cert_chain_encoding"),
        (headers(&[c], &[&format!("{above};a=1")]), "client_cert_chain_encoding"),
        (headers(&[c], &[&format!("({above} {root})")]), "client_cert_chain_encoding"),
        (headers(&[c], &[above.trim_matches(':')]), "client_cert_chain_encoding"),
        (headers(&[c], &[&format!("{above}, ::")]), "client_cert_chain_malformed"),
        (headers(&[c], &[&format!("{above}, :AAAA:")]), "client_cert_chain_malformed"),
        (headers(&[&item(&leaf(&ca, &[], &["a"]))], &[]), "svid_no_uri"),
        (
            headers(&[&item(&leaf(&Ca::new("other.example"), &["spiffe://other.example/a"], &[]))], &[]),
            "svid_unknown_trust_domain",
        ),
    ] {
        assert_eq!(outcome(read(&headers)), expected, "{headers:.200?}");
        assert_eq!(Forwarded::ClientCert.is_in(&headers), expected != "none");
    }
    let later = now.plus(Duration::from_secs(3601));
    let expired = Forwarded::ClientCert.read(&headers(&[c], &[&above]), &ca.bundles(), later);
    assert_eq!(outcome(expired), "svid_expired");
}
