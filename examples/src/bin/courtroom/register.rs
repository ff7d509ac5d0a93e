//! The court's register: who is a client, and whose each case is.

use agentauth_cedar::{EntityFacts, EntityProvider, EntityQuery};
use agentauth_core::IssuerId;
use agentauth_core::policy::PolicyError;
use async_trait::async_trait;

use crate::world::{ALICES_CASE, BOBS_CASE};

/// What policies cannot know by themselves, and no agent gets to say.
#[derive(Debug)]
pub(crate) struct Register {
    /// Who knows the clients.
    issuer: IssuerId,
}

impl Register {
    pub(crate) fn of(issuer: &IssuerId) -> Self {
        Self { issuer: issuer.clone() }
    }

    fn is_client(&self, of: &EntityQuery<'_>) -> bool {
        let known = |subject: &str| ["alice", "bob"].contains(&subject);
        of.principal().is_some_and(|user| *user.issuer() == self.issuer && known(user.subject()))
    }

    fn of_client(&self, subject: &str) -> EntityFacts {
        EntityFacts::none().with("client", format!("{}#{subject}", self.issuer))
    }
}

#[async_trait]
impl EntityProvider for Register {
    async fn facts(&self, of: &EntityQuery<'_>) -> Result<EntityFacts, PolicyError> {
        Ok(match (of.kind(), of.id()) {
            ("User", _) if self.is_client(of) => EntityFacts::none().in_group("clients"),
            ("Case" | "Record", ALICES_CASE) => self.of_client("alice"),
            ("Case" | "Record", BOBS_CASE) => self.of_client("bob"),
            _ => EntityFacts::none(),
        })
    }
}
