//! Duty d: what is granted lies within what the subject holds, what the actor may be given, what was asked for, and what
//! there is at the target.

use super::rules::Actor;
use super::{ExchangeError, Issuer};
use crate::delegation::exchange::{AskedDetails, ExchangeRequest};
use crate::delegation::grants::DelegationGrant;
use crate::identity::{AgentId, SpiffePattern};
use crate::scope::{Authority, ScopeSet};
use crate::token::VerifiedToken;

/// The most that some agents may be given.
#[derive(Debug)]
pub(super) struct Ceiling {
    pub(super) agents: CeilingFor,
    pub(super) authority: Authority,
}

/// Whose ceiling it is.
#[derive(Debug)]
pub(super) enum CeilingFor {
    Matching(SpiffePattern),
    One(AgentId),
}

impl CeilingFor {
    fn includes(&self, agent: &AgentId) -> bool {
        match self {
            Self::Matching(pattern) => agent.spiffe_id().is_some_and(|id| pattern.matches(id)),
            Self::One(one) => one == agent,
        }
    }
}

impl Issuer {
    /// Duty d (RFC 8693 §2.1, RFC 9396 §6): what was asked for must be held, or else all that is held is asked for; of that,
    /// as much is granted as the actor may be given and the target has. A subject that does not say what it holds, holds
    /// nothing.
    pub(super) fn narrow(
        &self,
        subject: &VerifiedToken,
        actor: &Actor,
        grant: Option<&DelegationGrant>,
        request: &ExchangeRequest,
    ) -> Result<Authority, ExchangeError> {
        let held = self.held(subject, actor, grant)?;
        let mut granted = self.asked(&held, request)?;
        if let Some(ceiling) = self.ceiling_of(&actor.id) {
            granted = self.within(&granted, &ceiling);
        }
        if let Some(resource) = self.inner.resources.get(&request.audience) {
            granted = granted.meet(&resource.ceiling);
        }
        if granted.is_empty() { Err(ExchangeError::ScopeEmpty) } else { Ok(granted) }
    }

    /// What the subject has to give: within the grant, if it is under one; and if it is passed on from one agent to another,
    /// what may be.
    fn held(
        &self,
        subject: &VerifiedToken,
        actor: &Actor,
        grant: Option<&DelegationGrant>,
    ) -> Result<Authority, ExchangeError> {
        let held = match grant {
            Some(grant) => self.within(&subject.authority, grant.authority()),
            None => subject.authority.clone(),
        };
        if subject.reading.current_actor().is_none_or(|current| *current == actor.id) {
            return Ok(held);
        }
        let passed_on = held.passed_on();
        if passed_on.is_empty() && !held.is_empty() { Err(ExchangeError::NotToBePassedOn) } else { Ok(passed_on) }
    }

    /// What is asked for, all of which is held.
    fn asked(&self, held: &Authority, request: &ExchangeRequest) -> Result<Authority, ExchangeError> {
        let details = self.details_asked(request.details.as_ref())?;
        if request.scopes.is_none() && details.is_none() {
            return Ok(held.clone());
        }
        let scopes = request.scopes.clone().unwrap_or_default();
        if !self.inner.implications.covers(held.scopes(), &scopes) {
            return Err(ExchangeError::ScopeWidened { asked: scopes, held: held.scopes().clone() });
        }
        match details {
            Some(details) if !details.is_within(held) => Err(ExchangeError::DetailsWidened),
            details => Ok(Authority::of_scopes(scopes).and(&details.unwrap_or_default())),
        }
    }

    /// RFC 9396 §5: details of a type that is not known, or not of the form of their type, refuse the request.
    pub(super) fn details_asked(&self, asked: Option<&AskedDetails>) -> Result<Option<Authority>, ExchangeError> {
        match asked {
            None => Ok(None),
            Some(AskedDetails::Known(details)) => Ok(Some(details.clone())),
            Some(AskedDetails::Json(text)) => {
                self.inner.detail_types.parse(text).map(Some).map_err(ExchangeError::Details)
            }
        }
    }

    /// Whether `grant` covers all that is asked for, where something is.
    pub(super) fn covers_request(&self, grant: &DelegationGrant, request: &ExchangeRequest) -> bool {
        self.asked(grant.authority(), request).is_ok()
    }

    /// The most that `agent` may be given: by all the settings that are for it together. None, if there are no settings at
    /// all; where there are some, an agent that none is for may be given nothing.
    pub(super) fn ceiling_of(&self, agent: &AgentId) -> Option<Authority> {
        if self.inner.ceilings.is_empty() {
            return None;
        }
        let mut ceilings = self.inner.ceilings.iter().filter(|ceiling| ceiling.agents.includes(agent));
        let first = ceilings.next().map(|ceiling| ceiling.authority.clone()).unwrap_or_default();
        Some(ceilings.fold(first, |least, ceiling| self.within(&least, &ceiling.authority)))
    }

    /// As much of `asked` as `ceiling` allows, directly or by what its scopes include.
    pub(super) fn within(&self, asked: &Authority, ceiling: &Authority) -> Authority {
        let covered: ScopeSet = self.inner.implications.covered(ceiling.scopes(), asked.scopes());
        asked.meet(ceiling).and(&Authority::of_scopes(covered))
    }
}
