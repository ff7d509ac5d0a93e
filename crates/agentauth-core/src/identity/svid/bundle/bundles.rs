use std::collections::BTreeMap;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;

use super::{BundleError, TrustBundle, document, root};
use crate::identity::svid::SvidError;
use crate::identity::{SpiffeId, TrustDomain};

/// The largest bundle map that is read, in bytes.
pub const MAX_BUNDLE_MAP_BYTES: usize = 4 * 1024 * 1024;

/// The bundles of one or more trust domains.
///
/// A certificate or token is only ever verified against the bundle of the trust domain that it names itself
/// (Trust_Domain_and_Bundle.md §3): a root of one domain proves nothing about another, and bundles are never merged.
/// Clones share the bundles.
#[derive(Debug, Clone, Default)]
pub struct TrustBundles {
    domains: Arc<BTreeMap<TrustDomain, TrustBundle>>,
}

impl TrustBundles {
    /// No trust domain yet: trusts nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a bundle map: the member `trust_domains` has a SPIFFE bundle for each name (SPIFFE bundle map). All of
    /// them are good, or none is taken. Their refresh hints are ignored.
    ///
    /// # Errors
    /// [`BundleError::Oversize`] above 4 MiB; [`BundleError::Json`], where a name that stands twice is a duplicate
    /// member and more than 256 names are too many; [`BundleError::NotMap`], [`BundleError::Name`],
    /// [`BundleError::NoKeys`].
    pub fn from_bundle_map(document: &[u8]) -> Result<Self, BundleError> {
        document::read_map(document)?.into_iter().try_fold(Self::new(), Self::with_bundle)
    }

    /// Adds a bundle.
    ///
    /// # Errors
    /// [`BundleError::Duplicate`] if its trust domain has one.
    pub fn with_bundle(mut self, bundle: TrustBundle) -> Result<Self, BundleError> {
        let domains = Arc::make_mut(&mut self.domains);
        if domains.contains_key(bundle.trust_domain()) {
            return Err(BundleError::Duplicate(bundle.trust_domain().clone()));
        }
        domains.insert(bundle.trust_domain().clone(), bundle);
        Ok(self)
    }

    /// Adds a trust domain with its roots, given as concatenated PEM certificates.
    ///
    /// # Errors
    /// As [`TrustBundles::with_der`], and [`BundleError::NotPem`], [`BundleError::Oversize`].
    pub fn with_pem(self, domain: TrustDomain, pem: &[u8]) -> Result<Self, BundleError> {
        let roots = root::read_pem(&domain, pem)?;
        self.with_der(domain, &roots)
    }

    /// Adds a trust domain with its roots. Certificates that cannot be roots are left out.
    ///
    /// # Errors
    /// [`BundleError::NoRoot`] if none is left, or there was none: who configures a trust domain means to trust it.
    /// [`BundleError::TooManyRoots`], [`BundleError::Duplicate`].
    pub fn with_der(self, domain: TrustDomain, roots: &[CertificateDer<'_>]) -> Result<Self, BundleError> {
        let bundle = TrustBundle::from_der(domain, roots)?;
        if bundle.roots().is_empty() {
            return Err(BundleError::NoRoot(bundle.domain));
        }
        self.with_bundle(bundle)
    }

    /// Without the bundle of `domain`, if there was one.
    #[must_use]
    pub fn without(mut self, domain: &TrustDomain) -> Self {
        if self.domains.contains_key(domain) {
            Arc::make_mut(&mut self.domains).remove(domain);
        }
        self
    }

    /// The bundle of the trust domain named `domain`.
    #[must_use]
    pub fn bundle(&self, domain: &str) -> Option<&TrustBundle> {
        self.domains.get(domain)
    }

    /// Whether there are roots of X.509-SVIDs for the trust domain named `domain`.
    #[must_use]
    pub fn trusts(&self, domain: &str) -> bool {
        self.bundle(domain).is_some_and(|bundle| !bundle.roots().is_empty())
    }

    /// Whether the two are one and the same snapshot: clones of each other, and not merely alike.
    #[must_use]
    pub fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.domains, &other.domains)
    }

    /// The trust domains that have a bundle, in the order of their names.
    pub fn trust_domains(&self) -> impl Iterator<Item = &TrustDomain> {
        self.domains.keys()
    }

    /// The bundle by whose roots `id` can be proven.
    pub(in crate::identity::svid) fn x509_bundle_of(&self, id: &SpiffeId) -> Result<&TrustBundle, SvidError> {
        match self.bundle(id.trust_domain_name()) {
            None => Err(SvidError::UnknownTrustDomain(id.trust_domain())),
            Some(bundle) if bundle.roots().is_empty() => Err(SvidError::NoRoots(id.trust_domain())),
            Some(bundle) => Ok(bundle),
        }
    }
}
