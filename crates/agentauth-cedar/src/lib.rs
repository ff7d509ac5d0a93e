#![doc = include_str!("lib.md")]

mod annotations;
mod engine;
mod entities;
mod index;
mod load;
mod names;
mod preview;
mod request;
mod schema;
mod shadow;
mod sources;
mod templates;
mod tools;
mod written;

pub use engine::CedarPolicies;
pub use entities::{DEFAULT_FACTS_LIFETIME, EntityFacts, EntityProvider, EntityQuery, MAX_FACTS_LIFETIME};
pub use sources::{Source, Sources};
pub use tools::ToolActions;
