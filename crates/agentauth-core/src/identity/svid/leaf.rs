//! What a certificate must be to name a workload, whoever has signed it (X509-SVID.md §2, §5.2).

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::SvidError;
use crate::identity::SpiffeId;

pub(super) fn parse<'d>(der: &'d CertificateDer<'_>) -> Result<X509Certificate<'d>, SvidError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(SvidError::Malformed),
    }
}

/// The SPIFFE ID that a certificate names, if it names one: to say whose certificate was refused. Nothing has proven it.
#[must_use]
pub fn named_spiffe_id(leaf: &CertificateDer<'_>) -> Option<SpiffeId> {
    spiffe_id(&parse(leaf).ok()?).ok()
}

/// The one URI name of the leaf. A malformed name anywhere in the extension spoils it.
pub(super) fn spiffe_id(leaf: &X509Certificate<'_>) -> Result<SpiffeId, SvidError> {
    let names = leaf.subject_alternative_name().map_err(|_| SvidError::Malformed)?.ok_or(SvidError::NoUri)?;
    let mut uri = None;
    for name in &names.value.general_names {
        match name {
            GeneralName::URI(_) if uri.is_some() => return Err(SvidError::ManyUris),
            GeneralName::URI(text) => uri = Some(*text),
            GeneralName::Invalid(..) => return Err(SvidError::Malformed),
            _ => {}
        }
    }
    Ok(uri.ok_or(SvidError::NoUri)?.parse()?)
}

/// All that X509-SVID.md §5.2 asks of a leaf beside its name.
pub(super) fn check_leaf(leaf: &X509Certificate<'_>, id: &SpiffeId) -> Result<(), SvidError> {
    names_workload(id)?;
    is_no_ca(leaf)?;
    signs_no_certificates(leaf)?;
    may_authenticate(leaf)
}

/// The ID of a trust domain itself names no workload.
pub(super) fn names_workload(id: &SpiffeId) -> Result<(), SvidError> {
    if id.path().is_empty() { Err(SvidError::NoPath) } else { Ok(()) }
}

pub(super) fn is_no_ca(leaf: &X509Certificate<'_>) -> Result<(), SvidError> {
    let constraints = leaf.basic_constraints().map_err(|_| SvidError::Malformed)?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err(SvidError::IsCa);
    }
    Ok(())
}

pub(super) fn signs_no_certificates(leaf: &X509Certificate<'_>) -> Result<(), SvidError> {
    let usage = leaf.key_usage().map_err(|_| SvidError::Malformed)?;
    if usage.is_some_and(|usage| usage.value.key_cert_sign() || usage.value.crl_sign()) {
        return Err(SvidError::SignsCertificates);
    }
    Ok(())
}

/// An extended key usage must hold both ends of a connection (§4.4).
pub(super) fn may_authenticate(leaf: &X509Certificate<'_>) -> Result<(), SvidError> {
    let extended = leaf.extended_key_usage().map_err(|_| SvidError::Malformed)?;
    if extended.is_some_and(|extended| !(extended.value.server_auth && extended.value.client_auth)) {
        return Err(SvidError::WrongUsage);
    }
    Ok(())
}
