//! What may be done? Scopes, and the authority they encode.

mod authority;
mod implications;
mod set;
mod within;

pub use authority::{
    AGENT_ACTION, Authority, Constraint, DetailError, DetailType, DetailTypes, Grant, GrantError, MAX_DETAILS_BYTES,
    Narrowing, NotDelegated, Wanted,
};
pub(crate) use authority::{Foreseen, MAX_DETAILS_DEPTH, Outlook};
pub use implications::ScopeImplications;
pub use set::{Scope, ScopeError, ScopeSet};
