//! Identity assertions: what lets an agent act in another organisation for a user of this one, without asking the user
//! there (Identity Assertion JWT Authorization Grant, ID-JAG).

mod request;

pub use request::{IdJagRequest, IdentityAssertion, JwtBearerRequest, SubjectKind};
