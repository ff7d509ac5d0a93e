//! The entities of a decision: who acts, for whom, on what, and what is known of them.

mod cache;
mod facts;
mod file;
mod gather;
mod store;
pub(crate) mod verified;

use agentauth_core::policy::ReasonKind;
use cedar_policy::EntityUid;

use crate::schema::PolicySchema;

pub use facts::{DEFAULT_FACTS_LIFETIME, EntityFacts, EntityProvider, EntityQuery, MAX_FACTS_LIFETIME};
pub(crate) use file::KnownEntities;
pub(crate) use store::{Asked, EntityStore};

/// Why the entities of a decision cannot be made, which denies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unmade {
    pub(crate) kind: ReasonKind,
    pub(crate) text: String,
}

impl Unmade {
    /// Policies cannot speak of them.
    fn outside(text: impl Into<String>) -> Self {
        Self { kind: ReasonKind::NotInSchema, text: text.into() }
    }

    /// What is told of them is not as the schema says, or more than is taken.
    fn refused(text: impl Into<String>) -> Self {
        Self { kind: ReasonKind::EntityRefused, text: text.into() }
    }

    /// Nothing could be told of them.
    fn failed(text: impl Into<String>) -> Self {
        Self { kind: ReasonKind::PolicyFailed, text: text.into() }
    }
}

/// Whether `entity` can be called what it is: agents and principals have names of a form.
pub(crate) fn check_name(schema: &PolicySchema, entity: &EntityUid) -> Result<(), String> {
    verified::Verified::of(&schema.types, entity).map(|_| ()).map_err(|unmade| unmade.text)
}
