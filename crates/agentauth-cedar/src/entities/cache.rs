//! What was made, or told, before.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::policy::Resource;
use agentauth_core::{AgentId, IssuerId, PrincipalId, ResourceId, Timestamp};
use cedar_policy::{Entities, EntityUid};
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use super::EntityFacts;
use super::store::Asked;

/// How many decisions' entities are kept: some 10 MB as names are, 100 MB were they all as long as names may be. Only verified
/// callers are asked about, and resources only where something can be told of them.
const MAX_GATHERED: usize = 4096;

/// How many entities' facts are kept: those of all that 4,096 decisions are about, if each has a few of its own.
const MAX_FACTS: usize = 16_384;

/// While what was told at one time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    from: Timestamp,
    until: Timestamp,
}

impl Validity {
    /// What depends on nothing that is told counts always.
    pub(super) const ALWAYS: Self = Self { from: Timestamp::from_secs(0), until: Timestamp::from_secs(u64::MAX) };

    pub(super) fn of(told: Timestamp, lifetime: Duration) -> Self {
        Self { from: told, until: told.plus(lifetime) }
    }

    /// Whether it counts `now`. A clock that went back says nothing about how old it is.
    fn has(self, now: Timestamp) -> bool {
        self.from <= now && (now < self.until || self == Self::ALWAYS)
    }

    /// While both count.
    pub(super) fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}

/// What a decision's entities are made of. Of what nothing can be told, nothing is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    agent: AgentId,
    principal: PrincipalId,
    server: Option<ResourceId>,
    issuer: Option<IssuerId>,
    resource: Option<Resource>,
    action: Option<EntityUid>,
}

/// A [`Key`] to look up. Its parts are those of one, in their order, so that it has the same hash.
#[derive(Debug, Hash)]
struct KeyRef<'a> {
    agent: &'a AgentId,
    principal: &'a PrincipalId,
    server: Option<&'a ResourceId>,
    issuer: Option<&'a IssuerId>,
    resource: Option<&'a Resource>,
    action: Option<&'a EntityUid>,
}

impl<'a> KeyRef<'a> {
    fn of(asked: &Asked<'a>) -> Self {
        let Asked { agent, principal, server, issuer, resource, action, .. } = *asked;
        Self { agent, principal, server, issuer, resource, action }
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.agent == key.agent
            && *self.principal == key.principal
            && self.server == key.server.as_ref()
            && self.issuer == key.issuer.as_ref()
            && self.resource == key.resource.as_ref()
            && self.action == key.action.as_ref()
    }
}

#[derive(Debug, Clone)]
struct Kept<T> {
    what: Arc<T>,
    validity: Validity,
}

/// The entities of decisions.
pub(super) struct Gathered(Cache<Key, Kept<Entities>>);

impl Gathered {
    pub(super) fn new() -> Self {
        Self(Cache::new(MAX_GATHERED))
    }

    pub(super) fn get(&self, asked: &Asked<'_>) -> Option<Arc<Entities>> {
        let kept = self.0.get(&KeyRef::of(asked))?;
        kept.validity.has(asked.now).then_some(kept.what)
    }

    pub(super) fn insert(&self, asked: &Asked<'_>, entities: Arc<Entities>, validity: Validity) {
        let key = Key {
            agent: asked.agent.clone(),
            principal: asked.principal.clone(),
            server: asked.server.cloned(),
            issuer: asked.issuer.cloned(),
            resource: asked.resource.cloned(),
            action: asked.action.cloned(),
        };
        self.0.insert(key, Kept { what: entities, validity });
    }
}

impl fmt::Debug for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathered").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

/// What a provider told of single entities.
pub(super) struct Told(Cache<EntityUid, Kept<EntityFacts>>);

impl Told {
    pub(super) fn new() -> Self {
        Self(Cache::new(MAX_FACTS))
    }

    pub(super) fn get(&self, entity: &EntityUid, now: Timestamp) -> Option<(Arc<EntityFacts>, Validity)> {
        let kept = self.0.get(entity)?;
        kept.validity.has(now).then_some((kept.what, kept.validity))
    }

    pub(super) fn insert(&self, entity: EntityUid, facts: Arc<EntityFacts>, validity: Validity) {
        self.0.insert(entity, Kept { what: facts, validity });
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").field("len", &self.0.len()).finish_non_exhaustive()
    }
}
