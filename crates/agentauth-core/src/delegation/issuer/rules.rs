//! The rules of an exchange (RFC 8693 §2): who may get which token from which.
//!
//! Each duty of an issuer is a function of its own, under the letter that the tests have too: a and b (the inputs are
//! good), c (the relation between them, `relation.rs`), d (what is granted, `narrowing.rs`), e (for one server), f (for how
//! long), g (the chain), h (for whom), i (under which name), j (no more than that), k (on record: `TokenService`).

use super::claims::Grant;
use super::client::{Client, Holder};
use super::{ExchangeError, Issuer};
use crate::delegation::exchange::{ExchangeRequest, IssuedToken};
use crate::delegation::grants::DelegationGrant;
use crate::identity::AgentId;
use crate::scope::Authority;
use crate::state::revocation::Subjects;
use crate::time::Timestamp;
use crate::token::{Confirmation, Mode, VerifiedToken};

impl Issuer {
    /// Exchanges a subject token for one that lets an agent act at one audience (RFC 8693 §2), for `client`, which
    /// has proven itself.
    ///
    /// # Errors
    /// Each rule has its own [`ExchangeError`]; the first that fails decides.
    pub async fn exchange(&self, client: &Client, request: &ExchangeRequest) -> Result<IssuedToken, ExchangeError> {
        let now = self.now();
        self.recheck(client, now)?;
        self.check_target(request)?;
        let subject = self.subject(client, request, now)?;
        let actor = self.actor(client, request, now)?;
        let client_itself = Subjects::of_agent(client.agent(), now);
        self.check_revoked([&client_itself, subject.subjects(), &actor.subjects], now).await?;
        let ground = self.ground(&subject, &actor, client, request, now).await?;
        if subject.grant.as_deref() != Some(ground.grant_id()) {
            // The first token under a grant is made from one that does not carry its id.
            let under = subject.subjects().clone().in_grant(&self.inner.id, ground.grant_id());
            self.check_revoked([&under], now).await?;
        }

        let actors = self.extend_chain(&subject, &actor, ground.grant())?;
        let authority = self.narrow(&subject, &actor, ground.grant(), request)?;
        let expires = self.least_end(&subject, &actor, ground.grant(), &authority, now);
        // Duty j: this is all that is issued; there is no refresh token.
        self.issue(Grant {
            subject: subject.reading.principal.subject(),
            client: actor.id.name(),
            audience: &request.audience,
            authority,
            actors: &actors,
            may_act: None,
            grant_id: Some(ground.grant_id()),
            txn: subject.reading.txn.as_deref(),
            holder: actor.holder,
            now,
            expires,
        })
        .await
    }

    /// Duty e: the new token is for exactly one server, and one that tokens are issued for; or for this issuer, to be passed
    /// on (RFC 8707 §2).
    fn check_target(&self, request: &ExchangeRequest) -> Result<(), ExchangeError> {
        let known = request.audience == self.inner.own_audience || self.inner.resources.contains_key(&request.audience);
        if known { Ok(()) } else { Err(ExchangeError::TargetUnknown) }
    }

    /// Duties a and b: the subject token is good now, and meant for this issuer, or for the resource server that the client
    /// runs; and if it is bound, the client is its holder or that server.
    fn subject(
        &self,
        client: &Client,
        request: &ExchangeRequest,
        now: Timestamp,
    ) -> Result<VerifiedToken, ExchangeError> {
        let token = request.subject.0.reveal();
        match self.inner.own_tokens.verify(token, now) {
            Ok(subject) if client.holds(subject.confirmation) => Ok(subject),
            Ok(_) => Err(ExchangeError::SubjectTokenNotHeld),
            Err(error) => self
                .inner
                .resources
                .values()
                .filter(|resource| resource.operator.as_ref() == Some(&client.agent))
                .find_map(|resource| resource.tokens.verify(token, now).ok())
                .ok_or(ExchangeError::SubjectToken(error)),
        }
    }

    /// Duties a, b and h: who is to act, and which key it holds. That is the agent that the actor token stands for, which is
    /// good now, meant for this issuer, an agent's own and bound to its key; or else the client.
    fn actor(&self, client: &Client, request: &ExchangeRequest, now: Timestamp) -> Result<Actor, ExchangeError> {
        let Some(token) = &request.actor else {
            return Ok(Actor {
                id: client.agent.clone(),
                holder: client.key()?,
                expires: client.proven_until,
                subjects: Subjects::of_agent(client.agent(), now),
            });
        };
        let token = self.inner.own_tokens.verify(token.0.reveal(), now).map_err(ExchangeError::ActorToken)?;
        let holder = match token.confirmation {
            Confirmation::Certificate(certificate) => Some(Holder::Certificate(certificate)),
            Confirmation::Key(key) => Some(Holder::Key(key)),
            Confirmation::Bearer => return Err(ExchangeError::ActorTokenUnsuitable),
        };
        if token.reading.actor_is_client && token.reading.mode == Mode::Autonomous {
            let subjects = token.subjects().clone();
            Ok(Actor { id: token.reading.actor, holder, expires: token.lifetime.expires, subjects })
        } else {
            Err(ExchangeError::ActorTokenUnsuitable)
        }
    }

    /// Duty f: the new token ends with the first of its inputs, the grant among them, at the latest with the last of what it
    /// allows, and after the issuer's longest lifetime.
    fn least_end(
        &self,
        subject: &VerifiedToken,
        actor: &Actor,
        grant: Option<&DelegationGrant>,
        authority: &Authority,
        now: Timestamp,
    ) -> Timestamp {
        let end = subject.lifetime.expires.min(actor.expires).min(now.plus(self.inner.lifetime));
        [grant.and_then(DelegationGrant::end), authority.end()].into_iter().flatten().fold(end, Timestamp::min)
    }

    /// Duty g: the new chain is the actor, then the inherited chain unchanged, never cut. An actor that acts already adds no
    /// level; one that has acted before others did is refused.
    fn extend_chain(
        &self,
        subject: &VerifiedToken,
        actor: &Actor,
        grant: Option<&DelegationGrant>,
    ) -> Result<Vec<AgentId>, ExchangeError> {
        let mut actors: Vec<AgentId> = subject.reading.actors().cloned().collect();
        if actors.first() != Some(&actor.id) {
            if actors.contains(&actor.id) {
                return Err(ExchangeError::ActorLoop(actor.id.clone()));
            }
            actors.insert(0, actor.id.clone());
        }
        let limit = grant.map_or(self.inner.max_actors, |grant| grant.depth().min(self.inner.max_actors));
        if actors.len() > limit {
            return Err(ExchangeError::TooDeep { found: actors.len(), limit });
        }
        Ok(actors)
    }
}

/// Who is to act with the new token, with which key, and for how long that is proven.
pub(super) struct Actor {
    pub(super) id: AgentId,
    /// None only for a client that may have tokens that are bound to no key.
    holder: Option<Holder>,
    expires: Timestamp,
    /// What it can be revoked by.
    subjects: Subjects,
}
