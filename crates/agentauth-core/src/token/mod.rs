//! What is claimed? Trusted issuers, and the checks that every token of theirs must pass.

mod claims;
mod error;
mod issuer;
mod keys;
mod verify;

pub(crate) use claims::{Confirmation, required};
pub use error::TokenError;
pub(crate) use issuer::{DEFAULT_MAX_ACTORS, HARD_MAX_ACTORS};
pub use issuer::{IssuerConfigError, TrustedIssuer, dangerous};
pub use keys::{KeySource, Keys};
pub(crate) use verify::Lifetime;
pub use verify::{TokenVerifier, VerifiedToken};
