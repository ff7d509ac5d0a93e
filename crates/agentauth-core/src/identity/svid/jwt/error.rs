use crate::identity::{SpiffeIdError, TrustDomain};
use crate::jose::{Algorithm, JoseError};

/// Why a token does not prove a SPIFFE ID (JWT-SVID.md).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtSvidError {
    /// The token is refused as a JWS, for its header, its `typ`, its key or its signature.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// An algorithm that JWT-SVIDs do not have (JWT-SVID.md §2.1).
    #[error("JWT-SVIDs are not signed with {0}: RS, ES and PS with 256, 384 and 512 are what there is")]
    Algorithm(Algorithm),
    /// No `sub`.
    #[error("the token has no subject (sub)")]
    NoSubject,
    /// `sub` is no SPIFFE ID (JWT-SVID.md §3.1).
    #[error("the token's subject is no SPIFFE ID: {0}")]
    NotSpiffeId(#[from] SpiffeIdError),
    /// `sub` names a trust domain, not a workload.
    #[error("the token names a trust domain, not a workload: its SPIFFE ID has no path")]
    NoPath,
    /// There is no bundle for the trust domain that `sub` names.
    #[error("trust domain `{0}` is not trusted here: no bundle of it is known now")]
    UnknownTrustDomain(TrustDomain),
    /// The bundle of the trust domain that `sub` names holds no key for JWT-SVIDs: nothing of it is trusted.
    #[error("the bundle of trust domain `{0}` holds no key for JWT-SVIDs, so none is trusted")]
    NoKeys(TrustDomain),
    /// `cnf`: the token is bound to a key, and no proof of possession comes with a JWT-SVID.
    #[error("the token is bound to a key (cnf), so it is no bearer token")]
    Bound,
    /// No `exp` (JWT-SVID.md §3.3).
    #[error("the token does not say when it expires (exp)")]
    NoExpiry,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// No `aud`, or an empty one (JWT-SVID.md §3.2).
    #[error("the token is addressed to no one (aud)")]
    NoAudience,
    /// `aud` names others only.
    #[error("the token is addressed to others")]
    AudienceWrong,
}

impl JwtSvidError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Jose(error) => error.code(),
            Self::Algorithm(_) => "jwt_svid_alg",
            Self::NoSubject => "jwt_svid_no_subject",
            Self::NotSpiffeId(_) => "jwt_svid_not_spiffe_id",
            Self::NoPath => "jwt_svid_no_path",
            Self::UnknownTrustDomain(_) => "jwt_svid_unknown_trust_domain",
            Self::NoKeys(_) => "jwt_svid_no_keys",
            Self::Bound => "jwt_svid_bound",
            Self::NoExpiry => "jwt_svid_no_expiry",
            Self::Expired => "jwt_svid_expired",
            Self::NotYetValid => "jwt_svid_not_yet_valid",
            Self::NoAudience => "jwt_svid_no_audience",
            Self::AudienceWrong => "jwt_svid_audience_wrong",
        }
    }
}
