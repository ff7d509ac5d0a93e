//! Names as they were serialised, to be read back from a store.

use serde::Deserialize;

use super::{AgentId, IssuerId, PrincipalId};

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WrittenAgent {
    Spiffe(Box<str>),
    Named { issuer: Box<str>, name: Box<str> },
}

#[derive(Deserialize)]
pub(crate) struct WrittenPrincipal {
    issuer: Box<str>,
    kind: WrittenKind,
    #[serde(default)]
    tenant: Option<Box<str>>,
    subject: Box<str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenKind {
    Subject,
    Client,
    AgentAccount,
}

impl WrittenAgent {
    /// The agent, if this can be one's name.
    pub(crate) fn read(self) -> Option<AgentId> {
        Some(match self {
            Self::Spiffe(id) => AgentId::Spiffe(id.parse().ok()?),
            Self::Named { issuer, name } => AgentId::Named { issuer: IssuerId::new(&issuer).ok()?, name },
        })
    }
}

impl WrittenPrincipal {
    /// The principal, if this can be one's name.
    pub(crate) fn read(self) -> Option<PrincipalId> {
        let issuer = IssuerId::new(&self.issuer).ok()?;
        let principal = match self.kind {
            WrittenKind::Subject => PrincipalId::new(issuer, &self.subject),
            WrittenKind::Client => PrincipalId::client(issuer, &self.subject),
            WrittenKind::AgentAccount => PrincipalId::agent_account(issuer, &self.subject),
        };
        Some(match self.tenant {
            Some(tenant) => principal.in_tenant(&tenant),
            None => principal,
        })
    }
}
