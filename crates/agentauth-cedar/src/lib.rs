#![doc = include_str!("lib.md")]

mod annotations;
mod engine;
mod entities;
mod explain;
mod index;
mod invalid;
mod lint;
mod listed;
mod load;
mod named;
mod names;
mod nobody;
mod preview;
mod reload;
mod request;
mod schema;
mod shadow;
mod sources;
mod syntax;
mod templates;
mod tools;

pub use engine::CedarPolicies;
pub use entities::{DEFAULT_FACTS_LIFETIME, EntityFacts, EntityProvider, EntityQuery, MAX_FACTS_LIFETIME};
pub use explain::{Asked, Explanation, Outcome, Value, Weighed, WeighedPart};
pub use lint::{Finding, Lint, Severity, lint};
pub use reload::{PolicyDir, SignedPolicies};
pub use sources::{Source, Sources};
pub use tools::ToolActions;
