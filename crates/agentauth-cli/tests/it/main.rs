//! The binary `agentauth`, run as its users run it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test says what it expects by failing"
)]
mod help;
mod inspect;
mod keys;
mod support;
mod svid;
mod verify;
mod xfcc;
