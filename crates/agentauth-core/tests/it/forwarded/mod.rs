//! What a proxy says about its client: read as the proxy is known to write it, and refused by the code of one rule.

mod client_cert_chain;
mod injection;
mod laws;
mod rules;
mod vectors;

use agentauth_core::SpiffeId;
use agentauth_core::identity::forwarded::{ForwardedError, ForwardedPeer};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::support::certs::Ca;

/// This server, and the sidecar beside it.
const OWN: &str = "spiffe://court.example/ns/court/sa/tools";
const LAWYER: &str = "spiffe://court.example/agent/lawyer";
const EVIL: &str = "spiffe://court.example/agent/evil";
const ADMIN: &str = "spiffe://court.example/agent/admin";

fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

/// The SPIFFE ID that is believed, `none`, or the code of the refusal.
fn outcome(read: Result<Option<ForwardedPeer>, ForwardedError>) -> String {
    match read {
        Ok(Some(peer)) => peer.id().to_string(),
        Ok(None) => "none".into(),
        Err(error) => error.code().into(),
    }
}

/// A leaf of `ca` with these URI and DNS names, whatever is in them.
fn leaf(ca: &Ca, uris: &[&str], dns: &[&str]) -> CertificateDer<'static> {
    let mut params = ca.leaf("/unused");
    let uris = uris.iter().map(|name| rcgen::SanType::URI((*name).try_into().unwrap()));
    let dns = dns.iter().map(|name| rcgen::SanType::DnsName((*name).try_into().unwrap()));
    params.subject_alt_names = uris.chain(dns).collect();
    ca.sign(&params)
}

fn hash(der: &[u8]) -> String {
    digest(&SHA256, der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pem(ders: &[CertificateDer<'_>]) -> String {
    let wrapped = |der: &[u8]| {
        let base64 = STANDARD.encode(der);
        base64.as_bytes().chunks(64).fold(String::new(), |all, line| all + std::str::from_utf8(line).unwrap() + "\n")
    };
    ders.iter().map(|der| format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", wrapped(der))).collect()
}

/// As Envoy encodes it.
fn encoded(pem: &str) -> String {
    [("\n", "%0A"), (" ", "%20"), ("+", "%2B"), ("/", "%2F"), ("=", "%3D")]
        .iter()
        .fold(pem.into(), |text, (plain, encoded)| text.replace(plain, encoded))
}

/// Which of the client's details a proxy is set to write.
#[derive(Debug, Clone, Copy)]
struct Details {
    cert: bool,
    chain: bool,
    subject: bool,
}

const NAMES: Details = Details { cert: false, chain: false, subject: true };
const EVERYTHING: Details = Details { cert: true, chain: true, subject: true };

/// What an Envoy with the ID `by` writes about the client with this chain: nothing is escaped in By, URI and DNS.
fn envoys(by: &str, chain: &[CertificateDer<'_>], details: Details) -> String {
    let leaf = X509Certificate::from_der(&chain[0]).unwrap().1;
    let (mut uris, mut dns) = (Vec::new(), Vec::new());
    for name in leaf.subject_alternative_name().unwrap().iter().flat_map(|names| &names.value.general_names) {
        match name {
            GeneralName::URI(name) => uris.push(format!("URI={name}")),
            GeneralName::DNSName(name) => dns.push(format!("DNS={name}")),
            _ => {}
        }
    }
    if uris.is_empty() {
        uris.push("URI=".into());
    }
    let mut pairs = vec![format!("By={by}"), format!("Hash={}", hash(&chain[0]))];
    pairs.extend(details.cert.then(|| format!("Cert=\"{}\"", encoded(&pem(&chain[..1])))));
    pairs.extend(details.chain.then(|| format!("Chain=\"{}\"", encoded(&pem(chain)))));
    pairs.extend(details.subject.then(|| "Subject=\"\"".to_owned()));
    [pairs, uris, dns].concat().join(";")
}
