#![doc = include_str!("lib.md")]

mod annotations;
mod engine;
mod entities;
mod index;
mod load;
mod names;
mod request;
mod schema;
mod sources;

pub use engine::CedarPolicies;
pub use sources::{Source, Sources};
