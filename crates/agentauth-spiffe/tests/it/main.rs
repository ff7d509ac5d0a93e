//! Live identity, each rule proven on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test says what it expects by failing"
)]
#![allow(dead_code, reason = "fixtures")]

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "federation")]
mod federation;
#[cfg(feature = "files")]
mod files;
#[cfg(feature = "workload-api")]
mod mock;
mod tls;
#[cfg(feature = "workload-api")]
mod workload_api;
