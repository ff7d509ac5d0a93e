//! Chains by which holders narrow their tokens offline.

mod cases;
mod forge;
mod holder;
mod presented;
mod rules;
