//! Whom and what a rule is for.

use std::borrow::Cow;

use smallvec::{SmallVec, smallvec};

use super::Resource;
use crate::identity::{
    AgentId, IssuerId, NameError, PrincipalId, PrincipalKind, SpiffeId, SpiffeIdError, SpiffePattern,
};

/// Which agents a rule is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Agents(AgentPattern);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum AgentPattern {
    Any,
    Exactly(AgentId),
    Below(SpiffeId),
    Matching(Vec<SpiffePattern>),
}

impl Agents {
    /// Every agent.
    #[must_use]
    pub const fn any() -> Self {
        Self(AgentPattern::Any)
    }

    /// This agent only.
    #[must_use]
    pub fn exactly(agent: impl Into<AgentId>) -> Self {
        Self(AgentPattern::Exactly(agent.into()))
    }

    /// The agent with this SPIFFE ID, and those whose IDs lie below it by whole path segments.
    ///
    /// # Errors
    /// [`SpiffeIdError`].
    pub fn below(spiffe_id: &str) -> Result<Self, SpiffeIdError> {
        Ok(Self(AgentPattern::Below(spiffe_id.parse()?)))
    }

    /// The agents whose SPIFFE IDs this pattern means.
    #[must_use]
    pub fn matching(pattern: SpiffePattern) -> Self {
        Self::matching_any([pattern])
    }

    /// The agents whose SPIFFE IDs one of these patterns means: of a trust domain with more than one name, for instance
    /// ([`TrustDomainAliases`](crate::TrustDomainAliases)).
    #[must_use]
    pub fn matching_any(patterns: impl IntoIterator<Item = SpiffePattern>) -> Self {
        Self(AgentPattern::Matching(patterns.into_iter().collect()))
    }

    pub(super) fn contains(&self, agent: &AgentId) -> bool {
        match &self.0 {
            AgentPattern::Any => true,
            AgentPattern::Exactly(named) => named == agent,
            AgentPattern::Below(_) | AgentPattern::Matching(_) => {
                agent.spiffe_id().is_some_and(|id| self.contains_id(id))
            }
        }
    }

    fn contains_id(&self, id: &SpiffeId) -> bool {
        match &self.0 {
            AgentPattern::Any => true,
            AgentPattern::Exactly(named) => named.spiffe_id() == Some(id),
            AgentPattern::Below(ancestor) => id.is_below(ancestor),
            AgentPattern::Matching(patterns) => patterns.iter().any(|pattern| pattern.matches(id)),
        }
    }
}

impl Agents {
    /// For a rule that denies: an agent does not slip past its name by showing less proof of it.
    pub(super) fn covers(&self, agent: &AgentId) -> bool {
        let claimed = || if agent.spiffe_id().is_some() { None } else { agent.name().parse().ok() };
        self.contains(agent) || claimed().is_some_and(|id| self.contains_id(&id))
    }

    /// With what the names of these agents begin, by whole segments: one of these, each; nothing, where it is any name.
    pub(super) fn beginnings(&self) -> SmallVec<[Cow<'_, str>; 1]> {
        match &self.0 {
            AgentPattern::Any => smallvec![Cow::Borrowed("")],
            AgentPattern::Exactly(named) => smallvec![Cow::Borrowed(named.name())],
            AgentPattern::Below(ancestor) => smallvec![Cow::Borrowed(ancestor.as_str())],
            AgentPattern::Matching(patterns) => {
                patterns.iter().map(|pattern| Cow::Owned(pattern.beginning())).collect()
            }
        }
    }
}

/// On whose behalf a rule lets agents act.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principals(PrincipalPattern);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum PrincipalPattern {
    Any,
    Exactly(PrincipalId),
    Itself,
}

impl Principals {
    /// Everyone for whom agents act. That does not include the agents themselves: see [`Principals::itself`].
    #[must_use]
    pub const fn any() -> Self {
        Self(PrincipalPattern::Any)
    }

    /// The agent itself, or an account that is kept for it: it represents no one.
    #[must_use]
    pub const fn itself() -> Self {
        Self(PrincipalPattern::Itself)
    }

    /// The principal that `issuer` calls `subject`.
    ///
    /// # Errors
    /// [`NameError`] if `issuer` is no issuer identifier.
    pub fn exactly(issuer: &str, subject: &str) -> Result<Self, NameError> {
        Ok(Self(PrincipalPattern::Exactly(PrincipalId::new(IssuerId::new(issuer)?, subject))))
    }

    /// The principal, if it is one.
    pub(super) const fn exact(&self) -> Option<&PrincipalId> {
        match &self.0 {
            PrincipalPattern::Exactly(named) => Some(named),
            PrincipalPattern::Any | PrincipalPattern::Itself => None,
        }
    }

    pub(super) fn contains(&self, principal: &PrincipalId) -> bool {
        match (&self.0, principal.kind()) {
            (PrincipalPattern::Any, kind) => kind == PrincipalKind::Subject,
            (PrincipalPattern::Exactly(named), _) => named == principal,
            (PrincipalPattern::Itself, kind) => kind != PrincipalKind::Subject,
        }
    }

    /// For a rule that denies: nobody slips past "any".
    pub(super) fn covers(&self, principal: &PrincipalId) -> bool {
        match &self.0 {
            PrincipalPattern::Any => true,
            PrincipalPattern::Exactly(named) => named.covers_name_of(principal),
            PrincipalPattern::Itself => self.contains(principal),
        }
    }
}

impl From<PrincipalId> for Principals {
    /// This principal only: for those with a tenant, and for accounts of agents.
    fn from(principal: PrincipalId) -> Self {
        Self(PrincipalPattern::Exactly(principal))
    }
}

/// On what a rule lets agents act.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resources(ResourcePattern);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum ResourcePattern {
    Any,
    Kind(Box<str>),
    Exactly(Resource),
}

impl Resources {
    /// Every resource, and actions that have none.
    #[must_use]
    pub const fn any() -> Self {
        Self(ResourcePattern::Any)
    }

    /// Every resource of one kind.
    #[must_use]
    pub fn of_kind(kind: &str) -> Self {
        Self(ResourcePattern::Kind(kind.into()))
    }

    /// One resource.
    #[must_use]
    pub fn exactly(kind: &str, id: &str) -> Self {
        Self(ResourcePattern::Exactly(Resource { kind: kind.into(), id: id.into() }))
    }

    /// The kind, and which one, as far as they are named.
    pub(super) fn names(&self) -> SmallVec<[&str; 2]> {
        match &self.0 {
            ResourcePattern::Any => smallvec![],
            ResourcePattern::Kind(kind) => smallvec![&**kind],
            ResourcePattern::Exactly(Resource { kind, id }) => smallvec![&**kind, &**id],
        }
    }

    pub(super) fn contains(&self, resource: Option<&Resource>) -> bool {
        match (&self.0, resource) {
            (ResourcePattern::Any, _) => true,
            (ResourcePattern::Kind(kind), Some(resource)) => *kind == resource.kind,
            (ResourcePattern::Exactly(named), Some(resource)) => named == resource,
            (_, None) => false,
        }
    }
}
