//! The binary `agentauth`, run as its users run it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test says what it expects by failing"
)]
mod audit_ask;
mod audit_erase;
mod audit_keygen;
mod audit_ocsf;
mod audit_verify;
mod audit_view;
mod delegation;
/// A small log.
#[allow(dead_code, reason = "it is written for the tests of the library, which use more of it")]
#[path = "../../../agentauth-audit/tests/it/support/fixture.rs"]
mod fixture;
mod help;
mod inspect;
mod keys;
/// Logs made by hand.
#[allow(dead_code, reason = "it is written for the tests of the library, which use more of it")]
#[path = "../../../agentauth-audit/tests/it/read/made.rs"]
mod made;
/// A Workload API whose every answer a test decides.
#[allow(dead_code, reason = "it is written for the tests of the library, which use more of it")]
#[path = "../../../agentauth-spiffe/tests/it/mock/mod.rs"]
mod mock;
mod policy;
mod policy_cases;
mod replay;
mod spiffe;
mod support;
mod svid;
mod verify;
mod xfcc;
