//! What an application tells of its entities.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::policy::PolicyError;
use agentauth_core::{AgentId, PrincipalId, Timestamp};
use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::names::{agent_named, principal_named};

/// How long facts count unless their provider says otherwise: someone who leaves a group has left it half a minute later.
pub const DEFAULT_FACTS_LIFETIME: Duration = Duration::from_secs(30);

/// Facts that are older than this are no ground for a decision, whatever their provider says.
pub const MAX_FACTS_LIFETIME: Duration = Duration::from_secs(3600);

/// Tells policies what only the application knows: which groups someone is in, whom a case belongs to.
///
/// It is asked about each entity that a decision is about (the principal, the agent, the resource), and about each that
/// those are in or have as an attribute, as far as the schema has something to tell of its type. What it answers is kept
/// for [`lifetime`](Self::lifetime).
///
/// A decision is denied if a provider fails, or has not answered everything within a second
/// (`policy_failed`), and if what it tells is not as the schema says (`entity_refused`): a membership that is not known
/// could be one that a policy forbids.
///
/// ```
/// use agentauth_cedar::{EntityFacts, EntityProvider, EntityQuery};
/// use agentauth_core::policy::PolicyError;
///
/// #[derive(Debug)]
/// struct Court;
///
/// #[async_trait::async_trait]
/// impl EntityProvider for Court {
///     async fn facts(&self, of: &EntityQuery<'_>) -> Result<EntityFacts, PolicyError> {
///         Ok(match (of.kind(), of.id()) {
///             ("Case", "17") => EntityFacts::none().with("owner", "https://sts.court.example#alice"),
///             ("User", "https://sts.court.example#alice") => EntityFacts::none().in_group("clients"),
///             _ => EntityFacts::none(),
///         })
///     }
/// }
/// ```
#[async_trait]
pub trait EntityProvider: Send + Sync + fmt::Debug {
    /// What is known of one entity. Of one that is not known, [`EntityFacts::none`].
    ///
    /// # Errors
    /// [`PolicyError`] if it cannot be told. The action is then denied.
    async fn facts(&self, of: &EntityQuery<'_>) -> Result<EntityFacts, PolicyError>;

    /// How long an answer counts, in whole seconds of the clock that requests are decided by; at most
    /// [`MAX_FACTS_LIFETIME`]. Zero: not beyond the decision it was asked for.
    fn lifetime(&self) -> Duration {
        DEFAULT_FACTS_LIFETIME
    }
}

#[async_trait]
impl<P: EntityProvider + ?Sized> EntityProvider for Arc<P> {
    async fn facts(&self, of: &EntityQuery<'_>) -> Result<EntityFacts, PolicyError> {
        (**self).facts(of).await
    }

    fn lifetime(&self) -> Duration {
        (**self).lifetime()
    }
}

/// Which entity a provider is asked about, as policies write it: `Case::"17"`.
#[derive(Debug, Clone, Copy)]
pub struct EntityQuery<'a> {
    pub(crate) kind: &'a str,
    pub(crate) id: &'a str,
    pub(crate) now: Timestamp,
}

impl<'a> EntityQuery<'a> {
    /// The entity's type in the schema, such as `User`, `Agent`, `Group`, or one of the application's.
    #[must_use]
    pub const fn kind(&self) -> &'a str {
        self.kind
    }

    /// Which one of that type.
    #[must_use]
    pub const fn id(&self) -> &'a str {
        self.id
    }

    /// The principal that it is, if it is one.
    #[must_use]
    pub fn principal(&self) -> Option<PrincipalId> {
        principal_named(self.kind, self.id)
    }

    /// The agent that it is, if it is one.
    #[must_use]
    pub fn agent(&self) -> Option<AgentId> {
        if self.kind == "Agent" { agent_named(self.id) } else { None }
    }

    /// The time of the decision.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }
}

/// What is known of one entity: what it is in, and its attributes. Values become those of the types in the schema, and
/// nothing else: an attribute that has an entity type there is given as the name of that entity.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct EntityFacts {
    /// The groups it is in: each a `Group`, or an `AgentGroup` if it is an agent or a group of agents.
    pub groups: Vec<Box<str>>,
    /// What else it is in: the type of each, and its name.
    pub parents: Vec<(Box<str>, Box<str>)>,
    /// Its attributes.
    pub attributes: Map<String, Value>,
}

impl EntityFacts {
    /// Nothing is.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// In the group `name`. What that group is in, it is in too: the provider is asked about the group.
    #[must_use]
    pub fn in_group(mut self, name: &str) -> Self {
        self.groups.push(name.into());
        self
    }

    /// In the `kind` of thing that is called `id`.
    #[must_use]
    pub fn inside(mut self, kind: &str, id: &str) -> Self {
        self.parents.push((kind.into(), id.into()));
        self
    }

    /// With this attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }
}
