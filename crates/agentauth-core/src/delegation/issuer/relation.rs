//! Duty c: who may let whom act. A good subject token and an actor that has nothing to do with it are no delegation.

use std::sync::Arc;

use super::client::Client;
use super::rules::Actor;
use super::{ExchangeError, Issuer};
use crate::delegation::exchange::ExchangeRequest;
use crate::delegation::grants::{DelegationGrant, is_registered};
use crate::text::Excerpt;
use crate::time::Timestamp;
use crate::token::VerifiedToken;

/// Why the actor may act for the subject.
pub(super) enum Ground {
    /// A grant that is registered at the issuer says so.
    Registered(Arc<DelegationGrant>),
    /// The subject token says so, which descends from the token with this id: a consent, as a rule.
    Told(Box<str>),
}

impl Ground {
    /// The grant, whose limits count, if it is a registered one.
    pub(super) fn grant(&self) -> Option<&DelegationGrant> {
        match self {
            Self::Registered(grant) => Some(grant),
            Self::Told(_) => None,
        }
    }

    /// Duty i: what all tokens that descend from it carry, so that they can be revoked together.
    pub(super) fn grant_id(&self) -> &str {
        match self {
            Self::Registered(grant) => grant.id(),
            Self::Told(id) => id,
        }
    }
}

impl Issuer {
    /// Duty c: the subject names the actor (`may_act`, RFC 8693 §4.4, as issuer and subject); or the current actor, who is the
    /// client, passes its own authority on; or the server that the token was sent to acts on it; or, where the subject
    /// token says nothing of actors, a registered grant says so.
    ///
    /// A grant that the subject descends from must still count, whoever passes it on.
    pub(super) async fn ground(
        &self,
        subject: &VerifiedToken,
        actor: &Actor,
        client: &Client,
        request: &ExchangeRequest,
        now: Timestamp,
    ) -> Result<Ground, ExchangeError> {
        let permitted = match (&subject.reading.may_act, subject.reading.current_actor()) {
            (Some(named), _) => *named == actor.id,
            (None, _) if subject.audience != self.inner.own_audience => actor.id == client.agent,
            (None, Some(current)) => *current == client.agent,
            (None, None) => return self.registered(subject, actor, request, now).await,
        };
        if !permitted {
            return Err(ExchangeError::ActorNotPermitted(actor.id.clone()));
        }
        match subject.grant.as_deref() {
            Some(id) if is_registered(id) => self.still_registered(id, subject, actor, request, now).await,
            known => Ok(Ground::Told(known.unwrap_or(&subject.id).into())),
        }
    }

    /// A grant between just this principal and just this actor, for the target. Of several, the first that covers what is
    /// asked for, or else the first.
    async fn registered(
        &self,
        subject: &VerifiedToken,
        actor: &Actor,
        request: &ExchangeRequest,
        now: Timestamp,
    ) -> Result<Ground, ExchangeError> {
        let Some(grants) = &self.inner.grants else {
            return Err(ExchangeError::ActorNotPermitted(actor.id.clone()));
        };
        let principal = &subject.reading.principal;
        let found = grants.grants_for(principal, &actor.id).await.map_err(ExchangeError::GrantsUnavailable)?;
        // Whoever implements the trait may answer with more than was asked for.
        let between = |grant: &&Arc<DelegationGrant>| grant.principal() == principal && *grant.agent() == actor.id;
        let mut problem = ExchangeError::ActorNotPermitted(actor.id.clone());
        let mut usable = None;
        for grant in found.iter().filter(between) {
            match self.check_grant(grant, request, now) {
                Ok(()) if self.covers_request(grant, request) => return Ok(Ground::Registered(Arc::clone(grant))),
                Ok(()) if usable.is_none() => usable = Some(Arc::clone(grant)),
                Ok(()) => {}
                Err(error) => problem = error,
            }
        }
        usable.map(Ground::Registered).ok_or(problem)
    }

    /// The grant that the subject descends from counts still, and is for the agent that began the chain: two agents cannot
    /// both claim it.
    async fn still_registered(
        &self,
        id: &str,
        subject: &VerifiedToken,
        actor: &Actor,
        request: &ExchangeRequest,
        now: Timestamp,
    ) -> Result<Ground, ExchangeError> {
        let grants = self.inner.grants.as_ref().ok_or_else(|| ExchangeError::GrantWithdrawn(Excerpt::of(id)))?;
        let grant = grants.grant(id).await.map_err(ExchangeError::GrantsUnavailable)?;
        let grant = grant.filter(|grant| grant.id() == id);
        let grant = grant.ok_or_else(|| ExchangeError::GrantWithdrawn(Excerpt::of(id)))?;
        let first = subject.reading.actors().last().unwrap_or(&actor.id);
        if grant.agent() != first || *grant.principal() != subject.reading.principal {
            return Err(ExchangeError::GrantOfAnother(Excerpt::of(id)));
        }
        self.check_grant(&grant, request, now)?;
        Ok(Ground::Registered(grant))
    }

    fn check_grant(
        &self,
        grant: &DelegationGrant,
        request: &ExchangeRequest,
        now: Timestamp,
    ) -> Result<(), ExchangeError> {
        if !grant.is_in_force(now) {
            return Err(ExchangeError::GrantWithdrawn(Excerpt::of(grant.id())));
        }
        // A token for the issuer itself can only be exchanged again, and the grant is then asked again.
        if request.audience != self.inner.own_audience && !grant.allows_at(&request.audience) {
            return Err(ExchangeError::GrantAudience(Excerpt::of(grant.id())));
        }
        Ok(())
    }
}
