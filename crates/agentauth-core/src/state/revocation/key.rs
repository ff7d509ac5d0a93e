//! What a revocation is filed under: digests of names, so that a store knows nobody.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;
use smallvec::SmallVec;

use crate::identity::{AgentId, IssuerId, PrincipalId};
use crate::time::Timestamp;

/// What kind of thing is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RevocationKind {
    /// One token, by its issuer and `jti`.
    Token,
    /// A grant and every token that descends from it, by its issuer and `grant_id`.
    Grant,
    /// An agent, wherever it stands in a chain.
    Agent,
    /// A principal.
    Principal,
    /// An issuer.
    Issuer,
}

impl RevocationKind {
    const ALL: [Self; 5] = [Self::Token, Self::Grant, Self::Agent, Self::Principal, Self::Issuer];

    /// Its name, as in records and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Grant => "grant",
            Self::Agent => "agent",
            Self::Principal => "principal",
            Self::Issuer => "issuer",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for RevocationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one thing is filed under: its kind, and the SHA-256 of that and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RevocationKey {
    /// What kind of thing it stands for.
    pub kind: RevocationKind,
    /// Unlike that of any other kind or name.
    pub digest: [u8; 32],
}

impl RevocationKey {
    /// `parts` are the name: each is hashed with its length, so that no two names run into each other.
    fn of(kind: RevocationKind, parts: &[&str]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [kind.name()].iter().chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self { kind, digest }
    }

    pub(super) fn token(issuer: &IssuerId, id: &str) -> Self {
        Self::of(RevocationKind::Token, &[issuer.as_str(), id])
    }

    pub(super) fn grant(issuer: &IssuerId, id: &str) -> Self {
        Self::of(RevocationKind::Grant, &[issuer.as_str(), id])
    }

    pub(super) fn agent(agent: &AgentId) -> Self {
        match agent {
            AgentId::Spiffe(id) => Self::of(RevocationKind::Agent, &[id.as_str()]),
            AgentId::Named { issuer, name } => Self::of(RevocationKind::Agent, &[issuer.as_str(), name]),
        }
    }

    /// Of a principal of whatever kind: one that is revoked does not come back as a client with its name.
    pub(super) fn principal(issuer: &IssuerId, tenant: Option<&str>, subject: &str) -> Self {
        match tenant {
            None => Self::of(RevocationKind::Principal, &[issuer.as_str(), subject]),
            Some(tenant) => Self::of(RevocationKind::Principal, &[issuer.as_str(), tenant, subject]),
        }
    }

    pub(super) fn issuer(issuer: &IssuerId) -> Self {
        Self::of(RevocationKind::Issuer, &[issuer.as_str()])
    }
}

/// Everything that one token can be revoked by. Made once for a token, since all of it stands in the token.
#[derive(Debug, Clone)]
pub struct Subjects {
    keys: SmallVec<[RevocationKey; 6]>,
    issued: Option<Timestamp>,
}

impl Subjects {
    /// A token of `issuer` with this identifier, which was issued at `issued`, if that is known.
    #[must_use]
    pub fn of_token(issuer: &IssuerId, id: &str, issued: Option<Timestamp>) -> Self {
        let keys = [RevocationKey::token(issuer, id), RevocationKey::issuer(issuer)].into_iter().collect();
        Self { keys, issued }
    }

    /// An agent by itself at `now`, such as the one at the other end of a connection. A revocation of tokens that were
    /// issued before a moment concerns it up to that moment.
    #[must_use]
    pub fn of_agent(agent: &AgentId, now: Timestamp) -> Self {
        Self { keys: [RevocationKey::agent(agent)].into_iter().collect(), issued: Some(now) }
    }

    /// And its holders have made it of the token of `issuer` with this identifier.
    #[must_use]
    pub fn made_of(mut self, issuer: &IssuerId, id: &str) -> Self {
        self.keys.push(RevocationKey::token(issuer, id));
        self
    }

    /// And it descends from this grant of `issuer`.
    #[must_use]
    pub fn in_grant(mut self, issuer: &IssuerId, id: &str) -> Self {
        self.keys.push(RevocationKey::grant(issuer, id));
        self
    }

    /// And this agent acts with it, or has acted.
    #[must_use]
    pub fn by_agent(mut self, agent: &AgentId) -> Self {
        self.keys.push(RevocationKey::agent(agent));
        self
    }

    /// And it carries this principal's authority. A principal of a tenant is also one of its issuer.
    #[must_use]
    pub fn for_principal(mut self, principal: &PrincipalId) -> Self {
        let (issuer, subject) = (principal.issuer(), principal.subject());
        self.keys.push(RevocationKey::principal(issuer, None, subject));
        if let Some(tenant) = principal.tenant() {
            self.keys.push(RevocationKey::principal(issuer, Some(tenant), subject));
        }
        self
    }

    /// What to look up: if one of these is revoked, the token is.
    #[must_use]
    pub fn keys(&self) -> &[RevocationKey] {
        &self.keys
    }

    /// When the token was issued. Without it, it counts as issued before whatever moment is asked about.
    #[must_use]
    pub const fn issued(&self) -> Option<Timestamp> {
        self.issued
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_are_filed_under_one_key() {
        let [a, b] = ["https://a", "https://ab"].map(|issuer| IssuerId::new(issuer).unwrap());
        let spiffe: AgentId = AgentId::Spiffe("spiffe://td/x".parse().unwrap());
        let named = AgentId::Named { issuer: a.clone(), name: "spiffe://td/x".into() };
        let keys = [
            RevocationKey::token(&a, "bc"),
            RevocationKey::token(&b, "c"),
            RevocationKey::grant(&a, "bc"),
            RevocationKey::agent(&spiffe),
            RevocationKey::agent(&named),
            RevocationKey::principal(&a, None, "bc"),
            RevocationKey::principal(&a, Some("b"), "c"),
            RevocationKey::issuer(&a),
            RevocationKey::issuer(&b),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(keys.iter().skip(at + 1).all(|other| other.digest != key.digest), "{key:?}");
            assert_eq!(RevocationKind::from_name(key.kind.name()), Some(key.kind));
        }
    }
}
