//! The tool server as a program, against programs that nobody here made: npm's `oidc-provider` as the issuer, its client
//! `oauth4webapi`, and Envoy as the proxy in front.
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

mod dpop;
mod envoy;
mod flags;
mod introspection;
mod oidc_provider;
mod rotation;
mod support;
