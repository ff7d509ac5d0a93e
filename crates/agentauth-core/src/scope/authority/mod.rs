//! What has been delegated, as one type with an order and a meet.

mod agent_action;
mod assembly;
mod constraint;
mod details;
mod error;
mod grant;
mod narrowing;
mod outlook;
mod own_type;
mod path;
mod reach;
mod wanted;

use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use serde_json::Value;

pub use agent_action::AGENT_ACTION;
pub use constraint::Constraint;
pub(crate) use details::MAX_DETAILS_DEPTH;
pub use details::{DetailError, DetailTypes, MAX_DETAILS_BYTES};
pub use error::GrantError;
pub use grant::Grant;
pub use narrowing::Narrowing;
pub(crate) use outlook::{Foreseen, Outlook};
pub use own_type::DetailType;
pub use wanted::{NotDelegated, Wanted};

use self::assembly::Assembly;
use self::own_type::OwnDetail;
use super::{Scope, ScopeImplications, ScopeSet};
use crate::time::Timestamp;

/// What has been delegated: the one type that every encoding of permissions is read into.
///
/// It is a set of grants: an action is allowed if one of them allows it. A scope is a grant of the action with its name
/// without any limit; what scopes cannot say is a [`Grant`], or a detail of a [`DetailType`] of one's own.
///
/// Authority only ever shrinks on its way down a chain: [`Authority::meet`] is the one way to combine two. What it has no
/// word for it does not grant. The form is canonical: no grant lies within another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authority {
    scopes: ScopeSet,
    /// None where there are only scopes, as in most tokens.
    limited: Option<Arc<Limited>>,
}

/// What is granted within limits.
#[derive(Debug, Default, PartialEq, Eq)]
struct Limited {
    /// In ascending order, so by action.
    grants: Vec<Arc<Grant>>,
    details: own_type::OwnDetails,
}

impl Authority {
    /// The authority that a scope claim grants.
    #[must_use]
    pub const fn of_scopes(scopes: ScopeSet) -> Self {
        Self { scopes, limited: None }
    }

    /// All that these scopes and these grants allow. What no one could use (of no server, of no time) is left out.
    ///
    /// # Errors
    /// [`GrantError::TooMany`] for more than 64 grants with limits, or 256 without.
    pub fn new(scopes: ScopeSet, grants: impl IntoIterator<Item = Grant>) -> Result<Self, GrantError> {
        let mut assembly = Assembly::of_scopes(scopes);
        for grant in grants {
            assembly.add(grant)?;
        }
        Ok(assembly.finish())
    }

    /// The scopes granted: what may be done without any limit.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// What is granted within limits.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.limited().grants.iter().map(|grant| &**grant)
    }

    /// Whether this authority holds `scope`, directly or by `implications`. A grant with limits is no scope: ask
    /// [`Authority::allows`].
    #[must_use]
    pub fn permits(&self, scope: &Scope, implications: &ScopeImplications) -> bool {
        implications.satisfies(&self.scopes, scope)
    }

    /// Whether what is `wanted` is allowed, but for how often. Whoever holds an action holds those that it includes by
    /// `implications`.
    #[must_use]
    pub fn allows(&self, wanted: &Wanted<'_>, implications: &ScopeImplications) -> bool {
        self.check(wanted, implications).is_ok()
    }

    /// Like [`Authority::allows`], with the reason why not. If it is allowed only so many times, the answer is the grant whose
    /// uses are to be counted: of those that allow it, the one with the most.
    ///
    /// # Errors
    /// [`NotDelegated`], of the grant that comes nearest.
    pub fn check(&self, wanted: &Wanted<'_>, implications: &ScopeImplications) -> Result<Option<&Grant>, NotDelegated> {
        if implications.satisfies(&self.scopes, wanted.action) {
            return Ok(None);
        }
        let limited = self.limited();
        if limited.details.allow(wanted) {
            return Ok(None);
        }
        let mut answer: Result<&Grant, _> = Err(NotDelegated::Action);
        for grant in self.grants().filter(|grant| implications.reaches(&grant.action, wanted.action)) {
            answer = match (grant.check(wanted), answer) {
                (Ok(()), _) if grant.uses.is_none() => return Ok(None),
                (Ok(()), Ok(known)) if known.uses >= grant.uses => Ok(known),
                (Ok(()), _) => Ok(grant),
                (Err(_), Ok(known)) => Ok(known),
                (Err(reason), Err(known)) => Err(known.or_nearer(reason)),
            };
        }
        answer.map(Some)
    }

    /// Whether everything this authority allows, `other` allows too: each grant lies within one of the other's. Sufficient:
    /// what only several grants of the other cover together is not within it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.scopes.is_subset_of(&other.scopes)
            && match (&self.limited, &other.limited) {
                (None, _) => true,
                (Some(own), Some(others)) if Arc::ptr_eq(own, others) => true,
                (Some(own), _) => other.cover(&own.grants) && own.details.are_within(&other.limited().details),
            }
    }

    /// What both allow: all that is within both, and nothing else. Of more than 64 grants that would be left, some are left
    /// out.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        if self.is_within(other) {
            self.clone()
        } else if other.is_within(self) {
            other.clone()
        } else {
            Assembly::met(self, other).finish()
        }
    }

    /// What may be passed on to the next agent: the grants that may be, once less.
    #[must_use]
    pub fn passed_on(&self) -> Self {
        let Some(limited) = &self.limited else { return self.clone() };
        if limited.grants.iter().all(|grant| grant.depth.is_none()) {
            return self.clone();
        }
        Assembly::passed_on(self).finish()
    }

    /// The first moment from which on nothing of it is allowed any more. `None` if something has no end.
    pub(crate) fn end(&self) -> Option<Timestamp> {
        let limited = self.limited();
        if !self.scopes.is_empty() || limited.details.iter().next().is_some() {
            return None;
        }
        let ends: Option<Vec<_>> = limited.grants.iter().map(|grant| grant.expires).collect();
        ends.and_then(|ends| ends.into_iter().max())
    }

    /// [`Authority::passed_on`], for those who keep no other.
    #[cfg(feature = "unstable-chain")]
    pub(crate) fn into_passed_on(self) -> Self {
        if self.limited.is_none() { self } else { self.passed_on() }
    }

    /// Whether nothing is permitted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.limited.is_none()
    }

    /// Whether it holds anything that scopes cannot say.
    pub(crate) const fn has_details(&self) -> bool {
        self.limited.is_some()
    }

    /// What scopes cannot say, by itself.
    pub(crate) fn without_scopes(self) -> Self {
        Self { scopes: ScopeSet::none(), ..self }
    }

    /// What scopes cannot say, as `authorization_details` (RFC 9396 §2): an array, empty where there is nothing.
    #[must_use]
    pub fn to_details(&self) -> Value {
        let limited = self.limited();
        let grants = limited.grants.iter().map(|grant| grant.to_detail());
        Value::Array(grants.chain(limited.details.iter().map(OwnDetail::to_json)).collect())
    }

    /// All that this allows, and all that `other` does: of two claims of one token (RFC 9396 §9.1). What there is no room for
    /// is left out.
    pub(crate) fn and(self, other: &Self) -> Self {
        if other.is_empty() { self } else { Assembly::joined(&self, other).finish() }
    }

    fn limited(&self) -> &Limited {
        static NOTHING: Limited = Limited { grants: Vec::new(), details: own_type::OwnDetails::none() };
        self.limited.as_deref().unwrap_or(&NOTHING)
    }

    fn cover(&self, grants: &[Arc<Grant>]) -> bool {
        let mut held = ByAction { rest: &self.limited().grants };
        grants.iter().all(|grant| {
            held.next(&grant.action).iter().any(|held| grant.has_limits_of(held)) || self.scopes.contains(&grant.action)
        })
    }
}

/// Grants in ascending order, gone through once.
struct ByAction<'g> {
    rest: &'g [Arc<Grant>],
}

impl<'g> ByAction<'g> {
    /// The grants of `action`, which is not less than the one asked for before.
    fn next(&mut self, action: &Scope) -> &'g [Arc<Grant>] {
        let passed = self.rest.iter().take_while(|grant| grant.action < *action).count();
        self.rest = self.rest.get(passed..).unwrap_or_default();
        self.rest.get(..self.rest.iter().take_while(|grant| grant.action == *action).count()).unwrap_or_default()
    }
}

impl Serialize for Authority {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Authority", 2)?;
        fields.serialize_field("scopes", &self.scopes)?;
        match &self.limited {
            None => fields.skip_field("authorization_details")?,
            Some(_) => fields.serialize_field("authorization_details", &self.to_details())?,
        }
        fields.end()
    }
}
