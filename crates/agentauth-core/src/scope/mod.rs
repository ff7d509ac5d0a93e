//! What may be done? Scopes, and the authority they encode.

mod authority;
mod implications;
mod set;

pub use authority::{Authority, DetailError, DetailTypes};
pub use implications::ScopeImplications;
pub use set::{Scope, ScopeError, ScopeSet};
