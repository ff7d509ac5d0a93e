//! What has been delegated, as one type.

mod details;

use serde::Serialize;
use serde_json::Value;

pub use details::{DetailError, DetailTypes};

use super::{Scope, ScopeImplications, ScopeSet};

/// What has been delegated: the one type that every encoding of permissions is read into.
///
/// Authority only ever shrinks on its way down a chain: [`Authority::meet`] is the one way to combine two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Authority {
    scopes: ScopeSet,
}

impl Authority {
    /// The authority that a scope claim grants.
    #[must_use]
    pub const fn of_scopes(scopes: ScopeSet) -> Self {
        Self { scopes }
    }

    /// The scopes granted.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Whether this authority holds `scope`, directly or by `implications`.
    #[must_use]
    pub fn permits(&self, scope: &Scope, implications: &ScopeImplications) -> bool {
        implications.satisfies(&self.scopes, scope)
    }

    /// Whether everything this authority permits, `other` permits too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.scopes.is_subset_of(&other.scopes)
    }

    /// What both permit.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        Self { scopes: self.scopes.meet(&other.scopes) }
    }

    /// Whether nothing is permitted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty()
    }

    /// What scopes cannot say, as `authorization_details` (RFC 9396 §2): an array, empty where there is nothing.
    #[must_use]
    pub fn to_details(&self) -> Value {
        Value::Array(Vec::new())
    }
}
