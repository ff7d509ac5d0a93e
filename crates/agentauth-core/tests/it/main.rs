//! The rules of the core, each proven by the code of its refusal.

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
mod audit;
mod audit_file;
mod authorize;
mod codes;
mod delegation;
mod exchange;
mod identity;
mod issuer;
mod jose_vectors;
mod oracle;
mod support;
mod svid;
mod token_claims;
mod token_service;
mod tokens;
