//! What arrives at a collector, and what dashboards and guides call it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how it fails"
)]

#[cfg(feature = "otlp")]
mod collector;
#[cfg(feature = "otlp")]
#[path = "../../src/court.rs"]
#[allow(dead_code, reason = "the tests of units use more of it")]
mod court;
mod names;
#[cfg(feature = "otlp")]
mod otlp;
