//! The tool server as a program, against an issuer and a client that nobody here made: npm's `oidc-provider` and
//! `oauth4webapi`.
//!
//! `scripts/oidc-provider` is installed by `npm ci`. Where Node or a package is missing, each test that needs it says so and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it expects by failing"
)]

mod dpop;
mod flags;
mod introspection;
mod oidc_provider;
mod rotation;
mod support;
