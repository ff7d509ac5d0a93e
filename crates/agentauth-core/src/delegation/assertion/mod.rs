//! Identity assertions: what lets an agent act in another organisation for a user of this one, without asking the user
//! there (Identity Assertion JWT Authorization Grant, ID-JAG).
//!
//! An agent asks the user's identity provider for one ([`IdJagRequest`]), and the other organisation's authorization
//! server for an access token in its place ([`JwtBearerRequest`]). An [`Issuer`](super::Issuer) is that server for the
//! identity providers that it trusts ([`AssertionIssuer`]), whose principals it knows ([`SubjectMapping`]). It is not an
//! identity provider: it issues no assertions.

mod claims;
mod error;
mod issuer;
mod request;
mod subjects;
mod verify;

pub use error::AssertionError;
pub use issuer::AssertionIssuer;
pub(in crate::delegation) use request::GRANT_JWT_BEARER;
pub use request::{IdJagRequest, IdentityAssertion, JwtBearerRequest, SubjectKind};
pub use subjects::{AssertedSubject, KnownSubjects, SubjectMapping, SubjectsUnavailable};
pub(in crate::delegation) use verify::{Asserted, Assertions};

/// What a client may look for in `authorization_grant_profiles_supported` (ID-JAG, "Authorization Server Metadata").
pub const GRANT_PROFILE_ID_JAG: &str = "urn:ietf:params:oauth:grant-profile:id-jag";
