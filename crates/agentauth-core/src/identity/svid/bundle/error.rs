use crate::identity::{SpiffeIdError, TrustDomain};
use crate::jose::JsonError;

/// Why a trust bundle could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The text is not a sequence of PEM certificates.
    #[error("the bundle of trust domain `{0}` is not a sequence of PEM certificates")]
    NotPem(TrustDomain),
    /// The bytes are not DER certificates, one after the other.
    #[error("the bundle of trust domain `{0}` is not a sequence of DER certificates")]
    NotDer(TrustDomain),
    /// No certificate in it can be a root: it must be a CA certificate that may sign certificates.
    #[error("the bundle of trust domain `{0}` holds no certificate that can be a root (CA, keyCertSign)")]
    NoRoot(TrustDomain),
    /// More than 512 certificates.
    #[error("the bundle of trust domain `{0}` holds more than 512 certificates")]
    TooManyRoots(TrustDomain),
    /// The document is larger than any bundle: 256 KiB for JSON, 1 MiB for certificates, 4 MiB for a bundle map.
    #[error("the bundle document is larger than 256 KiB (JSON), 1 MiB (certificates) or 4 MiB (bundle map)")]
    Oversize,
    /// The document is no strict JSON, or a member of it has the wrong type or range.
    #[error("the bundle document is refused: {0}")]
    Json(JsonError),
    /// The document has no member `keys` (Trust_Domain_and_Bundle.md §4.1.3).
    #[error("the bundle of trust domain `{0}` has no member `keys`; an empty one trusts nothing, and says so")]
    NoKeys(TrustDomain),
    /// The document has no member `trust_domains`: it is no bundle map.
    #[error("the document is no bundle map: it has no member `trust_domains`")]
    NotMap,
    /// A name in a bundle map is no trust domain's.
    #[error("the bundle map has a bundle for what is no trust domain: {0}")]
    Name(#[from] SpiffeIdError),
    /// Not a certificate revocation list, or one that cannot be checked.
    #[error("a revocation list of trust domain `{0}` is malformed, too large, or of a kind that cannot be checked")]
    Crl(TrustDomain),
    /// More than 64 certificate revocation lists.
    #[error("trust domain `{0}` has more than 64 revocation lists")]
    TooManyCrls(TrustDomain),
    /// The trust domain has a bundle already.
    #[error("trust domain `{0}` has a bundle already; put all its roots into one")]
    Duplicate(TrustDomain),
}

impl BundleError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotPem(_) => "bundle_not_pem",
            Self::NotDer(_) => "bundle_not_der",
            Self::NoRoot(_) => "bundle_no_root",
            Self::TooManyRoots(_) => "bundle_too_many_roots",
            Self::Oversize => "bundle_oversize",
            Self::Json(json) => json.code(),
            Self::NoKeys(_) => "bundle_no_keys",
            Self::NotMap => "bundle_not_map",
            Self::Name(_) => "bundle_name_malformed",
            Self::Crl(_) => "bundle_crl_malformed",
            Self::TooManyCrls(_) => "bundle_too_many_crls",
            Self::Duplicate(_) => "bundle_duplicate",
        }
    }
}
