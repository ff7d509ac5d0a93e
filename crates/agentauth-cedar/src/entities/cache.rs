//! The entities of callers, made once.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use agentauth_core::{AgentId, PrincipalId};
use cedar_policy::Entities;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use super::{Unmade, of_caller};
use crate::names::Types;

/// How many callers' entities are kept: some 8 MB as names are, 100 MB were they all as long as names may be. Only verified
/// callers are asked about.
const MAX_CALLERS: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Caller {
    agent: AgentId,
    principal: PrincipalId,
}

/// A [`Caller`] to look up. Its parts are those of one, in their order, so that it has the same hash.
#[derive(Debug, Hash)]
struct CallerRef<'a> {
    agent: &'a AgentId,
    principal: &'a PrincipalId,
}

impl Equivalent<Caller> for CallerRef<'_> {
    fn equivalent(&self, key: &Caller) -> bool {
        *self.agent == key.agent && *self.principal == key.principal
    }
}

/// The entities of callers that have been here.
pub(crate) struct Callers(Cache<Caller, Arc<Entities>>);

impl Callers {
    pub(crate) fn new() -> Self {
        Self(Cache::new(MAX_CALLERS))
    }

    /// The entities of `agent` acting for `principal`.
    pub(crate) fn get(&self, types: &Types, agent: &AgentId, principal: &PrincipalId) -> Result<Arc<Entities>, Unmade> {
        if let Some(known) = self.0.get(&CallerRef { agent, principal }) {
            return Ok(known);
        }
        let made = Arc::new(of_caller(types, agent, principal)?);
        self.0.insert(Caller { agent: agent.clone(), principal: principal.clone() }, Arc::clone(&made));
        Ok(made)
    }
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callers").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use agentauth_core::IssuerId;

    use super::*;

    #[test]
    fn a_caller_is_made_once_and_never_taken_for_another() {
        let (types, callers) = (Types::new().unwrap(), Callers::new());
        let issuer = IssuerId::new("https://sts.example").unwrap();
        let agent = |name: &str| AgentId::Named { issuer: issuer.clone(), name: name.into() };
        let user = |name: &str| PrincipalId::new(issuer.clone(), name);
        let get = |agent, principal| callers.get(&types, &agent, &principal).unwrap();
        let first = get(agent("a"), user("b"));
        assert!(Arc::ptr_eq(&first, &get(agent("a"), user("b"))));
        let others = [
            get(agent("b"), user("a")),
            get(agent("a"), user("c")),
            get(agent("a"), user("b").in_tenant("t")),
            get(agent("a"), PrincipalId::client(issuer.clone(), "b")),
        ];
        assert!(others.iter().all(|other| !Arc::ptr_eq(&first, other) && !first.deep_eq(other)));
    }
}
