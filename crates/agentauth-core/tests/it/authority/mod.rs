//! What has been delegated: its order, its meet, its encodings, and its limits at the gate.

mod constraints;
mod encoding;
mod gate;
mod laws;
mod model;
mod pitfalls;
mod uses;
