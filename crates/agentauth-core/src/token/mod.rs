//! What is claimed? Trusted issuers and their profiles, and the checks that every token of theirs must pass.

mod answer;
mod attempt;
mod cache;
mod checks;
mod claims;
mod error;
mod explain;
mod introspection;
mod issuer;
mod keys;
mod mode;
pub mod profile;
mod revocable;
mod status;
mod transaction;
mod verified;
mod verify;

pub(crate) use attempt::{Held, Pending, WaitingRoom};
pub(crate) use cache::DEFAULT_CAPACITY;
pub(crate) use claims::{Confirmation, FOREIGN, required};
pub use error::TokenError;
pub use explain::{Check, Explanation, Outcome, Rule};
pub use introspection::{
    Introspecting, Introspection, IntrospectionAnswer, IntrospectionUnavailable, Introspector, MAX_ANSWER_BYTES,
};
pub(crate) use issuer::{DEFAULT_MAX_ACTORS, HARD_MAX_ACTORS};
pub use issuer::{IssuerConfigError, TrustedIssuer, dangerous};
pub use keys::{KeyRefresh, KeySnapshot, KeySource, Keys};
pub use mode::Mode;
pub use profile::{Actor, Profile, Reading, TokenClaims};
pub(crate) use revocable::check_revocation;
pub use status::{
    FetchingStatus, MAX_STATUS_BYTES, MAX_STATUS_LIST_BYTES, StatusListError, StatusListSource, StatusLists,
};
pub use transaction::{
    TXN_TOKEN, TransactionConfigError, TransactionToken, TransactionTokenError, TransactionTokens, TransactionVerifier,
};
pub(crate) use transaction::{TransactionHeld, TransactionPending};
pub use verified::VerifiedToken;
pub use verify::TokenVerifier;
#[cfg(feature = "unstable-chain")]
pub(crate) use {issuer::Naming, verified::Narrowed};
