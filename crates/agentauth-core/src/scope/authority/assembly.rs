//! An authority in the making, kept canonical and bounded.

use std::sync::Arc;

use super::own_type::{OwnDetail, OwnDetails};
use super::{Authority, ByAction, Grant, GrantError, Limited};
use crate::scope::ScopeSet;

/// More than a person would consent to, and few enough to compare each with each on a request.
const MAX_GRANTS: usize = 64;

pub(super) struct Assembly {
    scopes: ScopeSet,
    /// In ascending order; satisfiable, none within another, none of a scope that is granted.
    grants: Vec<Arc<Grant>>,
    details: OwnDetails,
}

impl Assembly {
    pub(super) const fn of_scopes(scopes: ScopeSet) -> Self {
        Self { scopes, grants: Vec::new(), details: OwnDetails::none() }
    }

    /// Grants this too. What cannot be added leaves everything as it was.
    pub(super) fn add(&mut self, grant: Grant) -> Result<(), GrantError> {
        if grant.is_unlimited() {
            self.scopes = self.scopes.with(&grant.action).map_err(|_| GrantError::TooMany)?;
            self.grants.retain(|held| held.action != grant.action);
            return Ok(());
        }
        self.add_limited(Arc::new(grant), 0)
    }

    pub(super) fn add_detail(&mut self, detail: OwnDetail) -> Result<(), GrantError> {
        self.details.add(detail)
    }

    /// Adds a grant at its place. Those before the `from`-th are of lesser actions.
    fn add_limited(&mut self, grant: Arc<Grant>, from: usize) -> Result<(), GrantError> {
        if !grant.is_satisfiable() || self.scopes.contains(&grant.action) {
            return Ok(());
        }
        let known = self.grants.get(from..).unwrap_or_default();
        if known.iter().any(|held| grant.is_within(held)) {
            return Ok(());
        }
        if known.iter().any(|held| held.is_within(&grant)) {
            self.grants.retain(|held| !held.is_within(&grant));
        }
        if self.grants.len() >= MAX_GRANTS {
            return Err(GrantError::TooMany);
        }
        let place = self.grants.iter().skip(from).take_while(|held| **held < grant).count();
        self.grants.insert(from.saturating_add(place), grant);
        Ok(())
    }

    /// What both allow. What there is no room for is left out, which grants less.
    pub(super) fn met(one: &Authority, other: &Authority) -> Self {
        let mut met = Self::of_scopes(one.scopes.meet(&other.scopes));
        let mut held = ByAction { rest: &other.limited().grants };
        for group in one.limited().grants.chunk_by(|grant, next| grant.action == next.action) {
            let others = group.first().map(|grant| held.next(&grant.action)).unwrap_or_default();
            let from = met.grants.len();
            for (grant, held) in group.iter().flat_map(|grant| others.iter().map(move |held| (grant, held))) {
                _ = Grant::meet(grant, held).map(|both| met.add_limited(both, from));
            }
        }
        for (holder, scopes) in [(one, &other.scopes), (other, &one.scopes)] {
            let granted = |grant: &&Arc<Grant>| !scopes.is_empty() && scopes.contains(&grant.action);
            for grant in holder.limited().grants.iter().filter(granted) {
                _ = met.add_limited(Arc::clone(grant), 0);
            }
        }
        met.details = one.limited().details.meet(&other.limited().details);
        met
    }

    /// What either allows, as far as there is room for it.
    pub(super) fn joined(one: &Authority, other: &Authority) -> Self {
        let mut joined = Self::of_scopes(one.scopes.and(&other.scopes).unwrap_or_else(|_| one.scopes.clone()));
        for limited in [one.limited(), other.limited()] {
            for grant in &limited.grants {
                _ = joined.add_limited(Arc::clone(grant), 0);
            }
            for detail in limited.details.iter() {
                _ = joined.details.add(detail.clone());
            }
        }
        joined
    }

    pub(super) fn passed_on(authority: &Authority) -> Self {
        let mut passed_on = Self::of_scopes(authority.scopes.clone());
        for grant in authority.grants().filter_map(Grant::passed_on) {
            _ = passed_on.add_limited(Arc::new(grant), 0);
        }
        passed_on.details = authority.limited().details.clone();
        passed_on
    }

    pub(super) fn finish(self) -> Authority {
        let is_limited = !self.grants.is_empty() || !self.details.is_empty();
        let limited = is_limited.then(|| Arc::new(Limited { grants: self.grants, details: self.details }));
        Authority { scopes: self.scopes, limited }
    }
}
