//! Whom we believe when they name a workload: what each trust domain publishes, kept apart.

mod bundles;
mod concern;
mod document;
mod error;
mod jwt_keys;
mod revocation;
mod root;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;

pub use self::bundles::{MAX_BUNDLE_MAP_BYTES, TrustBundles};
pub use self::concern::BundleConcern;
pub use self::error::BundleError;
pub(super) use self::jwt_keys::{JwtKeys, signs_svids};
pub(super) use self::revocation::Crl;
pub(super) use self::root::Root;
use crate::identity::TrustDomain;
use crate::text::Excerpt;
use crate::time::Timestamp;

/// What one trust domain publishes to be believed by: the roots of its X.509-SVIDs, the keys of its JWT-SVIDs, and,
/// where it is known, what it has revoked (Trust_Domain_and_Bundle.md §3).
///
/// The name of the trust domain is not part of any of the formats: whoever loads a bundle says whose it is. What cannot
/// be used is left out; a bundle in which nothing is left loads, and trusts nothing. Clones share what they hold.
///
/// ```
/// use agentauth_core::identity::svid::{TrustBundle, TrustBundles};
///
/// let published = br#"{"keys":[],"spiffe_sequence":7,"spiffe_refresh_hint":300}"#;
/// let bundle = TrustBundle::from_spiffe("court.example".parse()?, published)?;
/// assert_eq!(bundle.sequence(), Some(7));
/// assert!(bundle.is_empty());
///
/// let bundles = TrustBundles::new().with_bundle(bundle)?;
/// assert!(!bundles.trusts("court.example"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TrustBundle {
    domain: TrustDomain,
    roots: Arc<[Root]>,
    jwt_keys: Arc<JwtKeys>,
    crls: Vec<Arc<Crl>>,
    sequence: Option<u64>,
    refresh_hint: Option<Duration>,
    left_out: usize,
}

/// What a root says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct X509RootSummary {
    /// The beginning of its subject.
    pub subject: Excerpt,
    /// The first second at which it is valid.
    pub not_before: Timestamp,
    /// The last second at which it is valid.
    pub not_after: Timestamp,
}

impl TrustBundle {
    /// The bundle of a trust domain that publishes nothing: it trusts nothing.
    #[must_use]
    pub fn new(domain: TrustDomain) -> Self {
        Self {
            domain,
            roots: Arc::default(),
            jwt_keys: Arc::default(),
            crls: Vec::new(),
            sequence: None,
            refresh_hint: None,
            left_out: 0,
        }
    }

    /// Reads a SPIFFE bundle: a JWK Set whose elements say what they are for (Trust_Domain_and_Bundle.md §4).
    ///
    /// Elements of an unknown `kty` or `use`, and of none, are ignored; so is an `x509-svid` key without a certificate
    /// that can be a root, and a `jwt-svid` key that has no `kid` or cannot verify. Of several certificates in one
    /// `x5c`, the first counts (X509-SVID.md §6.2).
    ///
    /// # Errors
    /// [`BundleError::Oversize`] above 256 KiB; [`BundleError::Json`] where the document is no strict JSON, has more
    /// than 128 keys, or a sequence number or refresh hint that is not a whole number from 0 up;
    /// [`BundleError::NoKeys`].
    pub fn from_spiffe(domain: TrustDomain, document: &[u8]) -> Result<Self, BundleError> {
        document::read_bundle(domain, document)
    }

    /// Reads concatenated PEM certificates, the roots of X.509-SVIDs. Sections of other kinds, and text between
    /// sections, are passed over. A text of nothing but white space is a bundle that trusts nothing.
    ///
    /// # Errors
    /// [`BundleError::Oversize`] above 1 MiB; [`BundleError::NotPem`] for a text without a certificate, or in which a
    /// section is broken off; [`BundleError::TooManyRoots`], [`BundleError::NoRoot`] as for [`TrustBundle::from_der`].
    pub fn from_pem(domain: TrustDomain, pem: &[u8]) -> Result<Self, BundleError> {
        if pem.trim_ascii().is_empty() {
            return Ok(Self::new(domain));
        }
        let roots = root::read_pem(&domain, pem)?;
        Self::from_der(domain, &roots)
    }

    /// Takes DER certificates, the roots of X.509-SVIDs. No certificate at all makes a bundle that trusts nothing.
    ///
    /// # Errors
    /// [`BundleError::TooManyRoots`] above 512; [`BundleError::NoRoot`] if there are certificates, and none can be a
    /// root: that is a mistake, and no withdrawal.
    pub fn from_der(domain: TrustDomain, roots: &[CertificateDer<'_>]) -> Result<Self, BundleError> {
        if roots.len() > root::MAX_ROOTS {
            return Err(BundleError::TooManyRoots(domain));
        }
        let usable: Vec<Root> = roots.iter().filter_map(Root::from_der).collect();
        if usable.is_empty() && !roots.is_empty() {
            return Err(BundleError::NoRoot(domain));
        }
        let left_out = roots.len() - usable.len();
        Ok(Self { roots: usable.into(), left_out, ..Self::new(domain) })
    }

    /// Reads DER certificates that follow each other without anything between them: how the Workload API sends the
    /// roots of X.509-SVIDs (SPIFFE_Workload_API.md §5.1).
    ///
    /// # Errors
    /// [`BundleError::NotDer`] if there is no certificate, or something else before, between or after them;
    /// [`BundleError::Oversize`] above 1 MiB; [`BundleError::TooManyRoots`], [`BundleError::NoRoot`] as for
    /// [`TrustBundle::from_der`].
    pub fn from_concatenated_der(domain: TrustDomain, der: &[u8]) -> Result<Self, BundleError> {
        let roots = root::split_der(&domain, der)?;
        Self::from_der(domain, &roots)
    }

    /// The bundle with the keys of a JWK Set in place of its JWT keys: how the Workload API sends them
    /// (SPIFFE_Workload_API.md §6.2.2).
    ///
    /// That is a plain JWK Set, which need not say what its keys are for. A key whose `use` is something other than
    /// `jwt-svid` or `sig` is ignored, like one without `kid` and one that cannot verify a JWT-SVID. A set in which
    /// nothing is left trusts nothing.
    ///
    /// # Errors
    /// [`BundleError::Oversize`] above 256 KiB; [`BundleError::Json`] where the document is no strict JSON or has
    /// more than 128 keys; [`BundleError::NoKeys`].
    pub fn with_jwt_keys_from_jwks(mut self, jwks: &[u8]) -> Result<Self, BundleError> {
        self.jwt_keys = Arc::new(document::read_jwks(&self.domain, jwks)?);
        Ok(self)
    }

    /// The bundle with one more certificate revocation list (RFC 5280 §5), DER.
    ///
    /// Once it has one, each certificate of a chain but the root needs a list of its issuer that is in force and does
    /// not name it; where there is none, the chain is refused. Of two lists of one issuer the later counts. Lists are
    /// looked for by the issuer's name: of two CAs that share a name, the certificates of one are refused.
    ///
    /// # Errors
    /// [`BundleError::Crl`] for what is no list that can be checked: delta and indirect lists, lists without
    /// `nextUpdate`, lists above 4 MiB; [`BundleError::TooManyCrls`] above 64.
    pub fn with_crl(mut self, der: &[u8]) -> Result<Self, BundleError> {
        revocation::add(&self.domain, &mut self.crls, der)?;
        Ok(self)
    }

    /// Whose bundle it is.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// How many roots of X.509-SVIDs there are, whether valid now or not.
    #[must_use]
    pub fn x509_root_count(&self) -> usize {
        self.roots.len()
    }

    /// The roots of X.509-SVIDs, whether valid now or not: for people who look for the right one.
    pub fn x509_roots(&self) -> impl Iterator<Item = X509RootSummary> {
        let time = |secs: i64| Timestamp::from_secs(u64::try_from(secs).unwrap_or_default());
        self.roots.iter().map(move |root| X509RootSummary {
            subject: root.subject.clone(),
            not_before: time(root.not_before),
            not_after: time(root.not_after),
        })
    }

    /// How many keys of JWT-SVIDs there are.
    #[must_use]
    pub fn jwt_key_count(&self) -> usize {
        self.jwt_keys.published()
    }

    /// Whether it holds nothing to verify by, and so trusts nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty() && self.jwt_keys.published() == 0
    }

    /// The sequence number, which grows with each change of the bundle (`spiffe_sequence`).
    #[must_use]
    pub const fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// How often the publisher suggests to look for changes (`spiffe_refresh_hint`).
    #[must_use]
    pub const fn refresh_hint(&self) -> Option<Duration> {
        self.refresh_hint
    }

    /// What an operator should look at before believing the bundle. It verifies either way.
    #[must_use]
    pub fn concerns(&self) -> Vec<BundleConcern> {
        concern::of(self)
    }

    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }

    pub(super) fn jwt_keys(&self) -> &JwtKeys {
        &self.jwt_keys
    }

    pub(super) fn crls(&self) -> &[Arc<Crl>] {
        &self.crls
    }
}

impl fmt::Debug for TrustBundle {
    /// Shows how much there is, and not the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustBundle")
            .field("trust_domain", &self.domain.as_str())
            .field("x509_roots", &self.roots.len())
            .field("jwt_keys", &self.jwt_keys.published())
            .field("crls", &self.crls.len())
            .field("sequence", &self.sequence)
            .field("refresh_hint", &self.refresh_hint)
            .finish()
    }
}
