use crate::jose::JoseError;

/// Why a status list says nothing about any token. The tokens that it is about are refused for now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusListError {
    /// The list could not be fetched.
    #[error("the status list could not be fetched: {0}")]
    Unavailable(Box<str>),
    /// The JWS itself is refused.
    #[error("the status list is refused: {0}")]
    Jose(#[from] JoseError),
    /// A claim is missing or malformed, or the list cannot be unpacked.
    #[error("the status list is malformed: {0}")]
    Malformed(&'static str),
    /// It is the list of another issuer or address (`iss`, `sub`).
    #[error("the status list is another issuer's, or that of another address (iss, sub)")]
    Mismatch,
    /// It has expired, or is too old to be believed without an `exp`.
    #[error("the status list has expired, or has no exp and is older than a day")]
    Expired,
    /// It was issued in the future, or is not valid yet.
    #[error("the status list is not valid yet")]
    NotYetValid,
    /// It is older than one that was seen before.
    #[error("the status list is older than the one before it")]
    Older,
    /// It has more than 1 MiB as a JWT, or 2 MiB unpacked.
    #[error("the status list is longer than 1 MiB, or 2 MiB unpacked")]
    Oversize,
    /// The issuer's keys cannot be had.
    #[error("the issuer's keys are not available, so its status list cannot be verified")]
    NoKeys,
}

impl StatusListError {
    pub(in crate::token) fn not_known() -> Self {
        Self::Unavailable("it is not known yet, and must be waited for".into())
    }

    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) | Self::NoKeys => "status_unavailable",
            Self::Jose(_) => "status_list_unverified",
            Self::Malformed(_) => "status_list_malformed",
            Self::Mismatch => "status_list_mismatch",
            Self::Expired => "status_list_expired",
            Self::NotYetValid => "status_list_not_yet_valid",
            Self::Older => "status_list_older",
            Self::Oversize => "status_list_oversize",
        }
    }
}
