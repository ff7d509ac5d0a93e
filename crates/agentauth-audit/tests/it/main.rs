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
#![allow(dead_code, reason = "fixtures")]
mod anchor;
mod checkpoint;
mod erase;
mod faults;
mod independent;
mod kill;
mod log;
#[cfg(feature = "object-store")]
mod object_store;
mod proofs;
mod read;
mod retention;
mod support;
mod verify;
