//! Cedar policies from the outside.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "tests"
)]

mod decide;
mod entities;
mod explain;
mod hazards;
mod limits;
mod lint;
mod problems;
mod reload;
mod support;
mod templates;
mod tools;
