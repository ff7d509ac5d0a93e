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
mod tools;

pub use engine::CedarPolicies;
pub use sources::{Source, Sources};
pub use tools::ToolActions;
