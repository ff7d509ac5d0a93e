//! Authority as `authorization_details` (RFC 9396): objects with a `type` that says how they are read and compared.

use serde_json::Value;

use super::Authority;
use crate::text::Excerpt;

/// Why `authorization_details` were refused (RFC 9396 §5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DetailError {
    /// A detail is of a type that is not known here.
    #[error("authorization detail type `{0}` is not known here")]
    UnknownType(Excerpt),
    /// The details are no array of objects that each have a `type`.
    #[error("authorization_details must be an array of objects, each with a type")]
    Malformed,
}

impl DetailError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownType(_) => "detail_type_unknown",
            Self::Malformed => "detail_malformed",
        }
    }
}

/// The types of authorization details that are known: what is of another type grants nothing.
#[derive(Debug, Clone, Default)]
pub struct DetailTypes {}

impl DetailTypes {
    /// The built-in type only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `authorization_details` as an issuer must: whatever is not understood refuses the whole (RFC 9396 §5).
    ///
    /// # Errors
    /// [`DetailError`], for the first detail that is not good.
    pub fn read_strictly(&self, details: &Value) -> Result<Authority, DetailError> {
        match details.as_array().map(Vec::as_slice) {
            Some([]) => Ok(Authority::default()),
            Some(_) => Err(DetailError::UnknownType(Excerpt::of("?"))),
            None => Err(DetailError::Malformed),
        }
    }

    /// Reads `authorization_details` as a resource server must: what is not understood grants nothing.
    #[must_use]
    pub fn read(&self, details: &Value) -> Authority {
        self.read_strictly(details).unwrap_or_default()
    }
}
