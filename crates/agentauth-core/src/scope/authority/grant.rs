//! One action, and every limit it has.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::constraint::Constraint;
use super::error::GrantError;
use super::reach::{self, Reach};
use super::wanted::{NotDelegated, Wanted};
use crate::identity::ResourceId;
use crate::scope::Scope;
use crate::time::Timestamp;

/// More arguments than a tool has.
const MAX_CONSTRAINTS: usize = 32;

/// More servers than one delegation is meant for.
const MAX_AUDIENCES: usize = 16;

/// What some arguments may be, in the order of their names. Most grants limit one, if any.
type Arguments = SmallVec<[(Arc<str>, Constraint); 1]>;

/// One action that is delegated: on what, with which arguments, when, at which servers, how often, and how much further.
///
/// What is not said is not limited, and a limit once there is never lost: a grant is within another only if it has each
/// of its limits, at least as tight. A grant without any limit is what a scope is.
///
/// ```
/// use agentauth_core::scope::{Constraint, Grant};
/// use agentauth_core::{Authority, ScopeSet, Timestamp};
///
/// let grant = Grant::new("motions:file")?
///     .on("case", "2026-17")?
///     .argument("fee", Constraint::integers(0..=500)?)?
///     .valid_until(Timestamp::from_secs(1_800_000_000))
///     .uses(3);
/// let held = Authority::new(ScopeSet::none(), [Grant::new("motions:file")?.below("case", "2026-17")?])?;
/// let passed_on = Authority::new(ScopeSet::none(), [grant.below("case", "2026-17/motions")?])?;
/// assert!(passed_on.is_within(&held) && !held.is_within(&passed_on));
/// # Ok::<(), agentauth_core::scope::GrantError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[must_use]
pub struct Grant {
    pub(super) action: Scope,
    pub(super) reach: Reach,
    pub(super) arguments: Arguments,
    /// No argument is taken that is not named.
    pub(super) closed: bool,
    /// In whole seconds; the epoch is no limit.
    pub(super) not_before: Timestamp,
    pub(super) expires: Option<Timestamp>,
    /// In ascending order.
    pub(super) audiences: Option<Arc<[ResourceId]>>,
    pub(super) depth: Option<u32>,
    pub(super) uses: Option<u32>,
}

impl Grant {
    /// The action `action`, without any limit yet.
    ///
    /// # Errors
    /// [`GrantError::Action`] if it has characters that no scope could have.
    pub fn new(action: &str) -> Result<Self, GrantError> {
        Ok(Self::of(action.parse()?))
    }

    pub(super) fn of(action: Scope) -> Self {
        Self {
            action,
            reach: Reach::Anything,
            arguments: Arguments::new(),
            closed: false,
            not_before: Timestamp::from_secs(0),
            expires: None,
            audiences: None,
            depth: None,
            uses: None,
        }
    }

    /// Only on the resource of this kind with this name, compared byte for byte.
    ///
    /// # Errors
    /// [`GrantError::Name`] if either is empty, longer than 1024 bytes, or has control characters.
    pub fn on(self, kind: &str, id: &str) -> Result<Self, GrantError> {
        Ok(Self { reach: Reach::exactly(kind, id)?, ..self })
    }

    /// Only on the resources of this kind that are called `prefix` or lie below it, by whole segments. A name that could
    /// be taken for another path (`..`, `%2e`) lies below nothing.
    ///
    /// # Errors
    /// As [`Grant::on`]; [`GrantError::Path`] if `prefix` could be taken for another path itself.
    pub fn below(self, kind: &str, prefix: &str) -> Result<Self, GrantError> {
        Ok(Self { reach: Reach::below(kind, prefix)?, ..self })
    }

    /// Only on resources of this kind.
    ///
    /// # Errors
    /// As [`Grant::on`].
    pub fn on_kind(self, kind: &str) -> Result<Self, GrantError> {
        Ok(Self { reach: Reach::of_kind(kind)?, ..self })
    }

    /// Only with an argument `name` that satisfies `constraint`.
    ///
    /// # Errors
    /// [`GrantError::Name`] if the name cannot be stored and shown; [`GrantError::TooMany`] from the 33rd argument on.
    pub fn argument(mut self, name: &str, constraint: Constraint) -> Result<Self, GrantError> {
        match self.place_of(name) {
            Ok(at) => {
                if let Some((_, known)) = self.arguments.get_mut(at) {
                    *known = constraint;
                }
            }
            Err(_) if self.arguments.len() >= MAX_CONSTRAINTS => return Err(GrantError::TooMany),
            Err(at) => self.arguments.insert(at, (reach::name(name)?, constraint)),
        }
        Ok(self)
    }

    /// With no other arguments than those that are named: with none, if none is.
    pub fn no_other_arguments(self) -> Self {
        Self { closed: true, ..self }
    }

    /// Only at these servers. Without any, the grant grants nothing.
    ///
    /// # Errors
    /// [`GrantError::TooMany`] for more than 16.
    pub fn audiences(self, audiences: impl IntoIterator<Item = ResourceId>) -> Result<Self, GrantError> {
        let mut sorted: Vec<_> = audiences.into_iter().take(MAX_AUDIENCES.saturating_add(1)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() > MAX_AUDIENCES {
            return Err(GrantError::TooMany);
        }
        Ok(Self { audiences: Some(sorted.into()), ..self })
    }

    /// Only at this server.
    pub fn audience(self, audience: ResourceId) -> Self {
        Self { audiences: Some(Arc::new([audience])), ..self }
    }

    /// Only from this moment on, in whole seconds.
    pub const fn valid_from(mut self, moment: Timestamp) -> Self {
        // Up, so that nothing is granted before it.
        let (secs, whole) = (moment.secs(), Timestamp::from_secs(moment.secs()).micros() == moment.micros());
        self.not_before = Timestamp::from_secs(if whole { secs } else { secs.saturating_add(1) });
        self
    }

    /// Only before this moment, in whole seconds.
    pub const fn valid_until(mut self, moment: Timestamp) -> Self {
        self.expires = Some(Timestamp::from_secs(moment.secs()));
        self
    }

    /// To be passed on so many times more: with 0, the holder may act, and nobody it would pass this on to.
    pub const fn depth(mut self, times: u32) -> Self {
        self.depth = Some(times);
        self
    }

    /// To be used so many times: all grants of one action under one delegation are counted together, so that passing it on
    /// in parts does not multiply it. With 0, the grant grants nothing.
    pub const fn uses(mut self, times: u32) -> Self {
        self.uses = Some(times);
        self
    }

    /// The action.
    #[must_use]
    pub const fn action(&self) -> &Scope {
        &self.action
    }

    /// How many times it may be used, if that is limited.
    #[must_use]
    pub const fn max_uses(&self) -> Option<u32> {
        self.uses
    }

    /// Whether everything that this grant allows, `other` allows too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.has_limits_of(other) && self.action == other.action
    }

    /// Like [`Grant::is_within`], of grants of the same action.
    pub(super) fn has_limits_of(&self, other: &Self) -> bool {
        // What costs least comes first.
        self.not_before >= other.not_before
            && is_at_most(self.expires, other.expires)
            && is_at_most(self.depth, other.depth)
            && is_at_most(self.uses, other.uses)
            && self.reach.is_within(&other.reach)
            && match (&self.audiences, &other.audiences) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(own), Some(others)) => are_among(own, others),
            }
            && self.has_arguments_of(other)
    }

    fn has_arguments_of(&self, other: &Self) -> bool {
        let mut own = self.arguments.iter();
        // Both are sorted: what was passed over cannot come again.
        let each_is = other.arguments.iter().all(|(name, constraint)| {
            own.by_ref().find(|(own, _)| own >= name).is_some_and(|(own, c)| own == name && c.is_within(constraint))
        });
        each_is && (!other.closed || self.closed && self.arguments.len() == other.arguments.len())
    }

    /// What both grant, of grants of the same action. Nothing too if it would have more than 32 arguments.
    pub(super) fn meet(one: &Arc<Self>, other: &Arc<Self>) -> Option<Arc<Self>> {
        let reach = one.reach.meet(&other.reach)?;
        if one.has_limits_of(other) {
            return Some(Arc::clone(one));
        }
        if other.has_limits_of(one) {
            return Some(Arc::clone(other));
        }
        let met = Self {
            arguments: one.arguments_met(other)?,
            reach: reach.clone(),
            closed: one.closed || other.closed,
            not_before: one.not_before.max(other.not_before),
            expires: least(one.expires, other.expires),
            audiences: audiences_met(one.audiences.as_ref(), other.audiences.as_ref()),
            depth: least(one.depth, other.depth),
            uses: least(one.uses, other.uses),
            action: one.action.clone(),
        };
        let too_many = [one, other].iter().any(|one| one.closed && one.arguments.len() < met.arguments.len());
        (!too_many && met.is_satisfiable()).then(|| Arc::new(met))
    }

    fn arguments_met(&self, other: &Self) -> Option<Arguments> {
        let mut met = Arguments::with_capacity(self.arguments.len().max(other.arguments.len()));
        let (mut own, mut others) = (self.arguments.iter().peekable(), other.arguments.iter().peekable());
        loop {
            let order = match (own.peek(), others.peek()) {
                (Some((a, _)), Some((b, _))) => a.cmp(b),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => break,
            };
            if order.is_eq() {
                let ((name, a), (_, b)) = (own.next()?, others.next()?);
                met.push((name.clone(), a.meet(b)?));
            } else {
                met.push(if order.is_lt() { own.next()?.clone() } else { others.next()?.clone() });
            }
        }
        (met.len() <= MAX_CONSTRAINTS).then_some(met)
    }

    /// Whether there is anything that this grants.
    pub(super) fn is_satisfiable(&self) -> bool {
        self.expires.is_none_or(|expires| self.not_before < expires)
            && self.audiences.as_ref().is_none_or(|audiences| !audiences.is_empty())
            && self.uses != Some(0)
    }

    /// Whether it is what a scope is.
    pub(super) fn is_unlimited(&self) -> bool {
        // Compared whole, so that no limit can be forgotten here.
        *self == Self::of(self.action.clone())
    }

    /// What is left of it for whoever it is passed on to.
    pub(super) fn passed_on(&self) -> Option<Self> {
        let depth = match self.depth {
            Some(depth) => Some(depth.checked_sub(1)?),
            None => None,
        };
        Some(Self { depth, ..self.clone() })
    }

    /// Whether it grants what is wanted, but for the action.
    pub(super) fn check(&self, wanted: &Wanted<'_>) -> Result<(), NotDelegated> {
        if self.audiences.as_ref().is_some_and(|audiences| !audiences.contains(wanted.audience)) {
            return Err(NotDelegated::Audience);
        }
        let now = wanted.now.secs();
        if now < self.not_before.secs() || self.expires.is_some_and(|expires| now >= expires.secs()) {
            return Err(NotDelegated::NotNow);
        }
        if !self.reach.contains(wanted.resource) {
            return Err(NotDelegated::Resource);
        }
        for (name, constraint) in &self.arguments {
            if !wanted.argument(name).is_some_and(|argument| constraint.contains(argument)) {
                return Err(NotDelegated::argument(name));
            }
        }
        let unnamed = |name: &&str| self.closed && self.place_of(name).is_err();
        wanted.argument_names().find(unnamed).map_or(Ok(()), |name| Err(NotDelegated::argument(name)))
    }

    fn place_of(&self, argument: &str) -> Result<usize, usize> {
        self.arguments.binary_search_by(|(name, _)| (**name).cmp(argument))
    }
}

fn audiences_met(own: Option<&Arc<[ResourceId]>>, others: Option<&Arc<[ResourceId]>>) -> Option<Arc<[ResourceId]>> {
    match (own, others) {
        (Some(own), Some(others)) if are_among(own, others) => Some(Arc::clone(own)),
        (Some(own), Some(others)) => Some(others.iter().filter(|audience| own.contains(audience)).cloned().collect()),
        (own, others) => own.or(others).cloned(),
    }
}

fn are_among(audiences: &[ResourceId], others: &[ResourceId]) -> bool {
    audiences.iter().all(|audience| others.contains(audience))
}

/// Whether a limit is at least as tight as another. No limit is tighter than none.
fn is_at_most<T: Ord>(limit: Option<T>, other: Option<T>) -> bool {
    match (limit, other) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(limit), Some(other)) => limit <= other,
    }
}

fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl fmt::Display for Grant {
    /// The grant as it stands in `authorization_details`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_detail(), f)
    }
}
