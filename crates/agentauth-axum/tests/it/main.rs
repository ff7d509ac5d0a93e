//! Extractors, routers and connections, each rule proven by what is answered and recorded.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test says what it expects by failing"
)]
mod authzen;
mod canary;
#[allow(dead_code, reason = "fixtures")]
#[path = "../../../agentauth-core/tests/it/support/dpop_client.rs"]
mod dpop_client;
mod extract;
mod forwarded;
mod live_identity;
mod mtls;
mod nested;
mod refusals;
mod routers;
mod stalled;
mod support;
mod token_service;
