use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use super::table::Table;
use super::{DelegationGrant, DelegationGrants, GrantsError, GrantsUnavailable};
use crate::identity::{AgentId, PrincipalId};

/// Grants in the memory of this process, at most 65536, gone with it. Clones share them.
///
/// ```
/// use agentauth_core::delegation::{DelegationGrant, MemoryGrants};
/// use agentauth_core::{Authority, IssuerId, PrincipalId, SpiffeId};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let alice = PrincipalId::new(IssuerId::new("https://sts.example.com")?, "alice");
/// let lawyer: SpiffeId = "spiffe://court.example/agent/lawyer".parse()?;
/// let may = Authority::of_scopes("motions:file records:read".parse()?);
///
/// let grants = MemoryGrants::new(); // a clone is for the issuer: IssuerBuilder::grants(grants.clone())
/// grants.add(DelegationGrant::new("grant:alice-lawyer", alice, lawyer, may)?.max_depth(2))?;
/// assert!(grants.remove("grant:alice-lawyer"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryGrants(Arc<RwLock<Table>>);

impl MemoryGrants {
    /// No grants yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers `grant`, which counts from the next exchange on.
    ///
    /// # Errors
    /// [`GrantsError::Duplicate`] if its id is taken, even by the same grant; [`GrantsError::TooMany`].
    pub fn add(&self, grant: DelegationGrant) -> Result<(), GrantsError> {
        // A panic inside leaves at most a grant that is found one way and not the other.
        self.0.write().unwrap_or_else(PoisonError::into_inner).add(grant)
    }

    /// Withdraws the grant with this id: from now on nothing is issued under it, nor from tokens under it. Says whether
    /// there was one. Tokens that were issued count until they expire, or until they are revoked.
    pub fn remove(&self, id: &str) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

#[async_trait]
impl DelegationGrants for MemoryGrants {
    async fn grants_for(
        &self,
        principal: &PrincipalId,
        agent: &AgentId,
    ) -> Result<Vec<Arc<DelegationGrant>>, GrantsUnavailable> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).between(principal, agent))
    }

    async fn grant(&self, id: &str) -> Result<Option<Arc<DelegationGrant>>, GrantsUnavailable> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).get(id))
    }
}
