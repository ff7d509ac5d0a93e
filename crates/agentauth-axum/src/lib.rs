#![doc = include_str!("lib.md")]

mod extract;
pub mod mtls;
mod rejection;
mod routers;

pub use agentauth_tower::{AgentAuthLayer, RequireScopesLayer};
pub use extract::Caller;
pub use mtls::{MtlsListener, ServerIdentity, serve};
pub use rejection::Rejection;
pub use routers::{resource_metadata, token_service};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
