//! The audit log from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test says what it expects by failing"
)]
mod anchor;
mod checkpoint;
mod log;
mod read;
#[cfg(feature = "object-store")]
mod object_store;
mod proofs;
mod erase;
mod log;
mod proofs;
mod retention;
mod proofs;
mod read;
mod support;
mod verify;
