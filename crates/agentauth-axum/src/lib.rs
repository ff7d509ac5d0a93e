#![doc = include_str!("lib.md")]

mod authzen;
mod extract;
mod layer;
mod metadata;
pub mod mtls;
mod rejection;
mod token_service;

pub use agentauth_tower::{RequireBindingLayer, RequireScopesLayer};
pub use authzen::{authzen_pdp, authzen_pdp_behind};
pub use extract::Caller;
pub use layer::AgentAuthLayer;
pub use metadata::resource_metadata;
pub use mtls::{ConnectedAgent, MtlsListener, ServerIdentity, serve};
pub use rejection::Rejection;
pub use token_service::{token_service, token_service_behind};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
