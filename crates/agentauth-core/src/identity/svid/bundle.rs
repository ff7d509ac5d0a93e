//! Whom we believe when they name a workload: the roots of each trust domain, kept apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::identity::TrustDomain;

/// The roots of one or more trust domains.
///
/// A certificate is only ever verified against the roots of the trust domain that it names itself
/// (Trust_Domain_and_Bundle.md §3): a root of one domain proves nothing about another. A domain without a usable
/// root trusts nothing. Clones share the roots.
#[derive(Debug, Clone, Default)]
pub struct TrustBundles {
    domains: Arc<BTreeMap<TrustDomain, Vec<Root>>>,
}

#[derive(Debug, Clone)]
pub(super) struct Root {
    pub(super) anchor: TrustAnchor<'static>,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

/// Why roots could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The text is not a sequence of PEM certificates.
    #[error("the bundle of trust domain `{0}` is not a sequence of PEM certificates")]
    NotPem(TrustDomain),
    /// No certificate in it can be a root: it must be a CA certificate that may sign certificates.
    #[error("the bundle of trust domain `{0}` holds no certificate that can be a root (CA, keyCertSign)")]
    NoRoot(TrustDomain),
    /// The trust domain has a bundle already.
    #[error("trust domain `{0}` has a bundle already; put all its roots into one")]
    Duplicate(TrustDomain),
}

impl TrustBundles {
    /// No trust domain yet: trusts nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a trust domain with its roots, given as concatenated PEM certificates.
    ///
    /// # Errors
    /// As [`TrustBundles::with_der`], and [`BundleError::NotPem`].
    pub fn with_pem(self, domain: TrustDomain, pem: &[u8]) -> Result<Self, BundleError> {
        let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match roots {
            Ok(roots) if !roots.is_empty() => self.with_der(domain, &roots),
            _ => Err(BundleError::NotPem(domain)),
        }
    }

    /// Adds a trust domain with its roots. Certificates that cannot be roots are left out.
    ///
    /// # Errors
    /// [`BundleError::NoRoot`], [`BundleError::Duplicate`].
    pub fn with_der(mut self, domain: TrustDomain, roots: &[CertificateDer<'_>]) -> Result<Self, BundleError> {
        let roots: Vec<Root> = roots.iter().filter_map(Root::from_der).collect();
        if roots.is_empty() {
            return Err(BundleError::NoRoot(domain));
        }
        let domains = Arc::make_mut(&mut self.domains);
        if domains.contains_key(&domain) {
            return Err(BundleError::Duplicate(domain));
        }
        domains.insert(domain, roots);
        Ok(self)
    }

    /// Whether there are roots for the trust domain named `domain`.
    #[must_use]
    pub fn trusts(&self, domain: &str) -> bool {
        self.domains.contains_key(domain)
    }

    /// The trust domains that have roots.
    pub fn trust_domains(&self) -> impl Iterator<Item = &TrustDomain> {
        self.domains.keys()
    }

    pub(super) fn roots(&self, domain: &str) -> Option<&[Root]> {
        self.domains.get(domain).map(Vec::as_slice)
    }
}

impl Root {
    /// A certificate that may stand at the top of a path: a CA that may sign certificates (RFC 5280 §4.2.1.3, §4.2.1.9).
    fn from_der(der: &CertificateDer<'_>) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        let is_ca = parsed.basic_constraints().ok()?.is_some_and(|constraints| constraints.value.ca);
        let may_sign = parsed.key_usage().ok()?.is_none_or(|usage| usage.value.key_cert_sign());
        if !rest.is_empty() || !is_ca || !may_sign {
            return None;
        }
        let anchor = webpki::anchor_from_trusted_cert(der).ok()?.to_owned();
        let validity = parsed.validity();
        Some(Self { anchor, not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() })
    }
}
