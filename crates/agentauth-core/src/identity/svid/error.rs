use crate::identity::validity::Outside;
use crate::identity::{SpiffeIdError, TrustDomain};

/// Why a certificate chain does not prove a SPIFFE ID (X509-SVID.md §5, RFC 5280 §6).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SvidError {
    /// There is no certificate.
    #[error("no certificate was presented")]
    NoCertificate,
    /// More than 10 certificates.
    #[error("the chain has more than 10 certificates")]
    ChainTooLong,
    /// A certificate is not well-formed DER, or has a malformed extension.
    #[error("a certificate of the chain is malformed")]
    Malformed,
    /// No URI subject alternative name: not an SVID.
    #[error("the certificate has no URI subject alternative name, so it names no workload")]
    NoUri,
    /// More than one URI subject alternative name, of any scheme (X509-SVID.md §2).
    #[error("the certificate has more than one URI subject alternative name")]
    ManyUris,
    /// The URI is no SPIFFE ID.
    #[error("the certificate's URI is no SPIFFE ID: {0}")]
    NotSpiffeId(#[from] SpiffeIdError),
    /// The SPIFFE ID has no path: it names a trust domain, not a workload (X509-SVID.md §5.2).
    #[error("the certificate names a trust domain, not a workload: its SPIFFE ID has no path")]
    NoPath,
    /// The leaf is a CA certificate (X509-SVID.md §5.2).
    #[error("the certificate is a CA's, which must not authenticate")]
    IsCa,
    /// The leaf may sign certificates or CRLs (X509-SVID.md §5.2).
    #[error("the certificate's key usage lets it sign certificates or CRLs")]
    SignsCertificates,
    /// There is no bundle for the trust domain that the leaf names.
    #[error(
        "trust domain `{0}` is not trusted here: no bundle of it is known now; the engine's are those of AgentAuthBuilder::agents"
    )]
    UnknownTrustDomain(TrustDomain),
    /// The bundle of the trust domain that the leaf names holds no root: nothing of it is trusted.
    #[error("the bundle of trust domain `{0}` holds no root for X.509-SVIDs, so none is trusted")]
    NoRoots(TrustDomain),
    /// The leaf, or every path to a root, has expired.
    #[error("the certificate, or one above it, has expired")]
    Expired,
    /// The leaf, or one above it, is not valid yet.
    #[error("the certificate, or one above it, is not valid yet")]
    NotYetValid,
    /// No path leads to a root of the leaf's own trust domain.
    #[error("the certificate was not issued under a root of its own trust domain")]
    UnknownIssuer,
    /// There is an extended key usage, and it does not hold both ends of a connection (X509-SVID.md §4.4).
    #[error("the certificate's extended key usage does not include both serverAuth and clientAuth")]
    WrongUsage,
    /// The certificate, or one above it, is on a revocation list.
    #[error("the certificate, or one above it, has been revoked")]
    Revoked,
    /// The trust domain has revocation lists, and none that is good now says whether this certificate is revoked.
    #[error("no revocation list in force says whether the certificate, or one above it, is revoked: {0}")]
    RevocationUnknown(Box<str>),
    /// A path to a root exists and breaks a rule of RFC 5280: a signature, a constraint, a critical extension.
    #[error("the certificate's path to a root is not valid: {0}")]
    InvalidPath(Box<str>),
}

impl From<Outside> for SvidError {
    fn from(outside: Outside) -> Self {
        match outside {
            Outside::Before => Self::NotYetValid,
            Outside::After => Self::Expired,
        }
    }
}

impl SvidError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate => "svid_no_certificate",
            Self::ChainTooLong => "svid_chain_too_long",
            Self::Malformed => "svid_malformed",
            Self::NoUri => "svid_no_uri",
            Self::ManyUris => "svid_many_uris",
            Self::NotSpiffeId(_) => "svid_not_spiffe_id",
            Self::NoPath => "svid_no_path",
            Self::IsCa => "svid_is_ca",
            Self::SignsCertificates => "svid_signs_certificates",
            Self::UnknownTrustDomain(_) => "svid_unknown_trust_domain",
            Self::NoRoots(_) => "svid_no_roots",
            Self::Expired => "svid_expired",
            Self::NotYetValid => "svid_not_yet_valid",
            Self::UnknownIssuer => "svid_unknown_issuer",
            Self::WrongUsage => "svid_wrong_usage",
            Self::Revoked => "svid_revoked",
            Self::RevocationUnknown(_) => "svid_revocation_unknown",
            Self::InvalidPath(_) => "svid_invalid_path",
        }
    }
}
