use super::XfccKey;
use super::client_certificate::ClientCertificateError;
use crate::identity::svid::SvidError;
use crate::identity::{SpiffeId, SpiffeIdError};
use crate::text::Excerpt;

/// Why what a proxy says about a client is not believed. Each refuses the header as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardedError {
    /// More than one header: one of them may be the client's own.
    #[error("the request has more than one x-forwarded-client-cert header; the proxy must write one")]
    Repeated,
    /// Longer than 64 KiB.
    #[error("the x-forwarded-client-cert header is longer than 65536 bytes")]
    Oversize,
    /// More than 16 elements.
    #[error("the x-forwarded-client-cert header has more than 16 elements")]
    TooManyElements,
    /// More than 128 pairs in one element.
    #[error("an element of the x-forwarded-client-cert header has more than 128 pairs")]
    TooManyPairs,
    /// Not of the grammar that Envoy writes.
    #[error("the x-forwarded-client-cert header is not well-formed at byte {at}")]
    Malformed {
        /// Where it shows, in bytes from the beginning.
        at: usize,
    },
    /// A key that Envoy does not write.
    #[error("the x-forwarded-client-cert header has the unknown key `{0}`")]
    KeyUnknown(Excerpt),
    /// A key that an element has once, twice. A proxy whose own certificate has two URI names writes two `By`: give it a
    /// certificate that has one.
    #[error("an element of the x-forwarded-client-cert header has {0} twice")]
    KeyRepeated(XfccKey),
    /// Not exactly one element, where the proxy replaces whatever it is sent.
    #[error(
        "the x-forwarded-client-cert header has {0} elements and must have one: either the proxy is not set to \
         SANITIZE_SET, or a certificate's name has smuggled in another"
    )]
    NotOneElement(usize),
    /// Not what a waypoint writes.
    #[error("the x-forwarded-client-cert header is not of a waypoint's form, By=..;URI=..")]
    NotWaypointForm,
    /// Fewer elements than there are proxies.
    #[error("the x-forwarded-client-cert header has {found} elements, of at least {expected} proxies")]
    HopsMissing {
        /// How many elements there are.
        found: usize,
        /// How many proxies must have written one.
        expected: usize,
    },
    /// The client of the nearer proxy is not the proxy that must stand before it.
    #[error("the client of the nearer proxy is not `{expected}`: the request came past that proxy")]
    HopUnexpected {
        /// The proxy that it must be.
        expected: SpiffeId,
    },
    /// It is not said which proxy wrote the element.
    #[error("the element has no By, so that it could be anyone's: the proxy's certificate needs a SPIFFE ID")]
    ByMissing,
    /// Another proxy wrote the element, or none did.
    #[error("the element was written by `{found}` and not by `{expected}`")]
    ByMismatch {
        /// Who it says wrote it.
        found: Excerpt,
        /// Who must have.
        expected: SpiffeId,
    },
    /// The proxy's own mark stands more than once. The proxy writes it once; the other is the client's, or was smuggled in
    /// by a name of its certificate.
    #[error("By={0} stands more than once in the x-forwarded-client-cert header, and the proxy wrote it once")]
    ByRepeated(SpiffeId),
    /// No hash of the client's certificate.
    #[error("the element has no Hash of the client's certificate")]
    HashMissing,
    /// The hash is none.
    #[error("the element's Hash is not a SHA-256 in 64 lower-case hexadecimal digits")]
    HashMalformed,
    /// The hash is another certificate's.
    #[error("the element's Hash is not that of its certificate")]
    HashMismatch,
    /// The element says nothing about the client's URI names.
    #[error("the element has no URI: set the proxy to write it (set_current_client_cert_details, uri)")]
    UriMissing,
    /// More than one URI name.
    #[error("the element has more than one URI, so that it names several clients or one that smuggles")]
    ManyUris,
    /// The URI is no SPIFFE ID.
    #[error("the element's URI is no SPIFFE ID: {0}")]
    NotSpiffeId(SpiffeIdError),
    /// The SPIFFE ID has no path: it names a trust domain, not a workload.
    #[error("the element names a trust domain, not a workload: its SPIFFE ID has no path")]
    NoPath,
    /// No certificate, where certificates are verified.
    #[error("the element has neither Cert nor Chain: set the proxy to write cert, or chain, or both")]
    CertMissing,
    /// What should be a certificate is none.
    #[error("the element's {0} is not PEM of certificates, percent-encoded")]
    CertMalformed(XfccKey),
    /// `Cert` and the first of `Chain` are two certificates.
    #[error("the element's Cert is not the first certificate of its Chain")]
    ChainMismatch,
    /// The names that an element says are not those that its certificate has.
    #[error("an element's URI and DNS are not the names of its certificate: one of them has smuggled something in")]
    NamesMismatch,
    /// The certificate proves nothing.
    #[error("the certificate that was passed on is refused: {0}")]
    Svid(#[from] SvidError),
    /// The `Client-Cert` or `Client-Cert-Chain` header is refused.
    #[error(transparent)]
    ClientCertificate(#[from] ClientCertificateError),
}

impl ForwardedError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Repeated => "xfcc_repeated",
            Self::Oversize => "xfcc_oversize",
            Self::TooManyElements => "xfcc_too_many_elements",
            Self::TooManyPairs => "xfcc_too_many_pairs",
            Self::Malformed { .. } => "xfcc_malformed",
            Self::KeyUnknown(_) => "xfcc_key_unknown",
            Self::KeyRepeated(_) => "xfcc_key_repeated",
            Self::NotOneElement(_) => "xfcc_not_one_element",
            Self::NotWaypointForm => "xfcc_not_waypoint_form",
            Self::HopsMissing { .. } => "xfcc_hops_missing",
            Self::HopUnexpected { .. } => "xfcc_hop_unexpected",
            Self::ByMissing => "xfcc_by_missing",
            Self::ByMismatch { .. } => "xfcc_by_mismatch",
            Self::ByRepeated(_) => "xfcc_by_repeated",
            Self::HashMissing => "xfcc_hash_missing",
            Self::HashMalformed => "xfcc_hash_malformed",
            Self::HashMismatch => "xfcc_hash_mismatch",
            Self::UriMissing => "xfcc_uri_missing",
            Self::ManyUris => "xfcc_many_uris",
            Self::NotSpiffeId(_) => "xfcc_not_spiffe_id",
            Self::NoPath => "xfcc_no_path",
            Self::CertMissing => "xfcc_cert_missing",
            Self::CertMalformed(_) => "xfcc_cert_malformed",
            Self::ChainMismatch => "xfcc_chain_mismatch",
            Self::NamesMismatch => "xfcc_names_mismatch",
            Self::Svid(error) => error.code(),
            Self::ClientCertificate(error) => error.code(),
        }
    }
}
