use std::collections::HashMap;
use std::sync::Arc;

use super::{DelegationGrant, GrantsError};
use crate::identity::{AgentId, PrincipalId};
use crate::text::Excerpt;

/// About 60 MB of them. More belong in a database, behind a [`DelegationGrants`](super::DelegationGrants) of one's own.
const MAX_GRANTS: usize = 65_536;

/// Grants, found by their id and by whom they are between.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_id: HashMap<Box<str>, Arc<DelegationGrant>>,
    by_principal: HashMap<PrincipalId, HashMap<AgentId, Vec<Arc<DelegationGrant>>>>,
}

impl Table {
    pub(super) fn add(&mut self, grant: DelegationGrant) -> Result<(), GrantsError> {
        if self.by_id.contains_key(grant.id()) {
            return Err(GrantsError::Duplicate(Excerpt::of(grant.id())));
        }
        if self.by_id.len() >= MAX_GRANTS {
            return Err(GrantsError::TooMany);
        }
        let grant = Arc::new(grant);
        let agents = self.by_principal.entry(grant.principal().clone()).or_default();
        agents.entry(grant.agent().clone()).or_default().push(Arc::clone(&grant));
        self.by_id.insert(grant.id().into(), grant);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        let Some(grant) = self.by_id.remove(id) else { return false };
        if let Some(agents) = self.by_principal.get_mut(grant.principal()) {
            if let Some(grants) = agents.get_mut(grant.agent()) {
                grants.retain(|other| other.id() != id);
            }
            agents.retain(|_, grants| !grants.is_empty());
            if agents.is_empty() {
                self.by_principal.remove(grant.principal());
            }
        }
        true
    }

    pub(super) fn between(&self, principal: &PrincipalId, agent: &AgentId) -> Vec<Arc<DelegationGrant>> {
        self.by_principal.get(principal).and_then(|agents| agents.get(agent)).cloned().unwrap_or_default()
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<DelegationGrant>> {
        self.by_id.get(id).cloned()
    }
}
