//! What one certificate says of itself.

use std::io::{self, Write};

use agentauth_core::{SpiffeId, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use serde::Serialize;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry;
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

use crate::look::Look;
use crate::text::{relative, shown};

/// One certificate of a chain.
#[derive(Serialize)]
pub(super) struct Certificate {
    /// Whether it could be read at all; the rest is empty if not.
    pub(super) readable: bool,
    pub(super) uris: Vec<String>,
    other_names: Vec<String>,
    pub(super) subject: String,
    pub(super) issuer: String,
    key: String,
    is_ca: bool,
    usages: Vec<&'static str>,
    pub(super) not_before: Option<Timestamp>,
    pub(super) not_after: Option<Timestamp>,
    sha256: String,
}

impl Certificate {
    pub(super) fn of(der: &CertificateDer<'_>) -> Self {
        let sha256 = digest(&SHA256, der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let unreadable = |sha256| Self {
            readable: false,
            uris: Vec::new(),
            other_names: Vec::new(),
            subject: String::new(),
            issuer: String::new(),
            key: String::new(),
            is_ca: false,
            usages: Vec::new(),
            not_before: None,
            not_after: None,
            sha256,
        };
        let Ok(([], certificate)) = X509Certificate::from_der(der) else { return unreadable(sha256) };
        let (uris, other_names) = names(&certificate);
        Self {
            readable: true,
            uris,
            other_names,
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            key: key(&certificate),
            is_ca: certificate.is_ca(),
            usages: usages(&certificate),
            not_before: time(certificate.validity().not_before),
            not_after: time(certificate.validity().not_after),
            sha256,
        }
    }

    pub(super) fn write(&self, out: &mut impl Write, look: Look, at: Timestamp) -> io::Result<()> {
        if !self.readable {
            writeln!(out, "  {}", look.warning("not a well-formed certificate"))?;
            return writeln!(out, "  SHA-256     {}", self.sha256);
        }
        for uri in &self.uris {
            let remark = uri.parse::<SpiffeId>().err().map(|error| format!("  ({error})")).unwrap_or_default();
            writeln!(out, "  URI         {}{}", shown(uri), look.warning(&shown(&remark)))?;
        }
        if !self.other_names.is_empty() {
            writeln!(out, "  other names {}", shown(&self.other_names.join(", ")))?;
        }
        let subject = if self.subject.is_empty() { "(empty)" } else { &self.subject };
        writeln!(out, "  subject     {}", shown(subject))?;
        writeln!(out, "  issuer      {}", shown(&self.issuer))?;
        writeln!(out, "  key         {}", self.key)?;
        let role = if self.is_ca { "a CA; " } else { "" };
        let usages = if self.usages.is_empty() { "no usage named".into() } else { self.usages.join(", ") };
        writeln!(out, "  usage       {role}{usages}")?;
        for (name, time) in [("valid from", self.not_before), ("valid to", self.not_after)] {
            match time {
                Some(time) => writeln!(out, "  {name:11} {time} ({})", relative(time.secs(), at.secs()))?,
                None => writeln!(out, "  {name:11} a time before 1970")?,
            }
        }
        writeln!(out, "  SHA-256     {}", self.sha256)
    }
}

/// The URI names, and all others with their kind.
fn names(certificate: &X509Certificate<'_>) -> (Vec<String>, Vec<String>) {
    let (mut uris, mut others) = (Vec::new(), Vec::new());
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return (uris, others) };
    for name in &names.value.general_names {
        match name {
            GeneralName::URI(uri) => uris.push((*uri).to_owned()),
            other => others.push(other.to_string()),
        }
    }
    (uris, others)
}

fn usages(certificate: &X509Certificate<'_>) -> Vec<&'static str> {
    let mut usages = Vec::new();
    let mut note = |named: bool, usage| {
        if named {
            usages.push(usage);
        }
    };
    if let Ok(Some(usage)) = certificate.key_usage() {
        note(usage.value.digital_signature(), "digitalSignature");
        note(usage.value.key_encipherment(), "keyEncipherment");
        note(usage.value.key_agreement(), "keyAgreement");
        note(usage.value.key_cert_sign(), "keyCertSign");
        note(usage.value.crl_sign(), "cRLSign");
    }
    if let Ok(Some(usage)) = certificate.extended_key_usage() {
        note(usage.value.server_auth, "serverAuth");
        note(usage.value.client_auth, "clientAuth");
    }
    usages
}

fn key(certificate: &X509Certificate<'_>) -> String {
    let key = certificate.public_key();
    let algorithm = &key.algorithm.algorithm;
    let curve = || key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let known = [
        (oid_registry::OID_EC_P256, "EC P-256"),
        (oid_registry::OID_NIST_EC_P384, "EC P-384"),
        (oid_registry::OID_NIST_EC_P521, "EC P-521"),
    ];
    if *algorithm == oid_registry::OID_PKCS1_RSAENCRYPTION {
        let bits = key.parsed().map_or(0, |parsed| parsed.key_size());
        return format!("RSA {bits} bits");
    }
    if *algorithm == oid_registry::OID_SIG_ED25519 {
        return "Ed25519".into();
    }
    let curve = curve();
    match known.into_iter().find(|(oid, _)| Some(oid) == curve.as_ref()) {
        Some((_, name)) => name.into(),
        None => format!("of an algorithm that is not known here ({algorithm})"),
    }
}

fn time(time: ASN1Time) -> Option<Timestamp> {
    u64::try_from(time.timestamp()).ok().map(Timestamp::from_secs)
}
