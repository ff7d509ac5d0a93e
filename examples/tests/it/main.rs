//! Programs, against others that nobody here made. The tool server: npm's `oidc-provider` as the issuer, its client
//! `oauth4webapi`, and Envoy as the proxy in front. The SPIFFE harness: the cases of an outside conformance suite.
//!
//! `scripts/install-peers` installs them. Where one is missing, each test that needs it says so and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it expects by failing"
)]

mod approval;
mod conformance;
mod dpop;
mod envoy;
mod flags;
mod introspection;
/// A Workload API whose every answer a test decides.
#[allow(dead_code, reason = "it is written for the tests of the library, which use more of it")]
#[path = "../../../crates/agentauth-spiffe/tests/it/mock/mod.rs"]
mod mock;
mod oidc_provider;
mod policies;
mod record;
mod rotation;
mod spire;
mod support;
mod svid_files;
mod token_service;
mod two_agents;
