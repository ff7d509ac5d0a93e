#![doc = include_str!("lib.md")]

mod extract;
mod layer;
pub mod mtls;
mod rejection;
mod routers;

pub use agentauth_tower::{RequireBindingLayer, RequireScopesLayer};
pub use extract::Caller;
pub use layer::AgentAuthLayer;
pub use mtls::{ConnectedAgent, MtlsListener, ServerIdentity, serve};
pub use rejection::Rejection;
pub use routers::{resource_metadata, token_service};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
