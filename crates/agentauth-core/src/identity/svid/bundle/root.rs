//! Roots of X.509-SVIDs: certificates, however they come.

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::BundleError;
use super::concern::public_authority;
use crate::identity::TrustDomain;
use crate::identity::svid::der::split;
use crate::text::Excerpt;

/// What a Kubernetes ConfigMap can hold. All public roots of the web together are a quarter of that.
const MAX_CERTIFICATES_BYTES: usize = 1024 * 1024;

/// Three times as many as the web has. A trust domain has a handful.
pub(super) const MAX_ROOTS: usize = 512;

#[derive(Debug, Clone)]
pub(in crate::identity::svid) struct Root {
    pub(in crate::identity::svid) anchor: TrustAnchor<'static>,
    pub(in crate::identity::svid) not_before: i64,
    pub(in crate::identity::svid) not_after: i64,
    pub(super) subject: Excerpt,
    /// The public authority whose name it bears, if it does.
    pub(super) public: Option<&'static str>,
}

impl Root {
    /// A certificate that may stand at the top of a path: a CA that may sign certificates (RFC 5280 §4.2.1.3,
    /// §4.2.1.9).
    pub(super) fn from_der(der: &CertificateDer<'_>) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        let is_ca = parsed.basic_constraints().ok()?.is_some_and(|constraints| constraints.value.ca);
        let may_sign = parsed.key_usage().ok()?.is_none_or(|usage| usage.value.key_cert_sign());
        if !rest.is_empty() || !is_ca || !may_sign {
            return None;
        }
        let anchor = webpki::anchor_from_trusted_cert(der).ok()?.to_owned();
        let validity = parsed.validity();
        Some(Self {
            anchor,
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            subject: Excerpt::of(&parsed.subject().to_string()),
            public: public_authority(parsed.subject()),
        })
    }
}

/// The certificates of a text that holds at least one.
pub(super) fn read_pem(domain: &TrustDomain, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BundleError> {
    if pem.len() > MAX_CERTIFICATES_BYTES {
        return Err(BundleError::Oversize);
    }
    match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err(BundleError::NotPem(domain.clone())),
    }
}

/// The certificates, at least one, that follow each other in `der`.
pub(super) fn split_der<'d>(domain: &TrustDomain, der: &'d [u8]) -> Result<Vec<CertificateDer<'d>>, BundleError> {
    if der.len() > MAX_CERTIFICATES_BYTES {
        return Err(BundleError::Oversize);
    }
    split(der).ok_or_else(|| BundleError::NotDer(domain.clone()))
}
