//! The layers as services, each rule proven by what is answered, sent and recorded.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test says what it expects by failing"
)]
#[cfg(feature = "witness")]
#[allow(dead_code, reason = "fixtures of the log's own tests")]
#[path = "../../../agentauth-audit/tests/it/support/trees.rs"]
mod audit_log;
#[cfg(feature = "client")]
mod authzen;
#[cfg(feature = "client")]
mod client;
mod client_cert;
mod dpop;
#[path = "../../../agentauth-core/tests/it/support/dpop_client.rs"]
mod dpop_client;
mod forwarded;
#[cfg(feature = "client")]
mod guard;
mod inbound;
#[cfg(feature = "client")]
mod introspection;
#[cfg(feature = "client")]
mod keys;
mod outbound;
mod scopes;
#[cfg(feature = "client")]
mod status;
mod support;
mod token_endpoints;
mod trace;
#[cfg(feature = "witness")]
mod witness;
