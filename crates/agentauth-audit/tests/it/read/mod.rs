//! Reading logs: in both directions, while they are written, filtered, counted, damaged.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod damage;
mod filter;
mod made;
mod order;
mod stats;
mod written;
