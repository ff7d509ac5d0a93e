//! The rules of an exchange (RFC 8693 §2): who may get which token from which.

use super::claims::Grant;
use super::client::{Client, Holder};
use super::{ExchangeError, Issuer};
use crate::delegation::exchange::{ExchangeRequest, IssuedToken};
use crate::identity::AgentId;
use crate::scope::ScopeSet;
use crate::time::Timestamp;
use crate::token::{Confirmation, Mode, VerifiedToken};

impl Issuer {
    /// Exchanges a subject token for one that lets an agent act at one audience (RFC 8693 §2), for `client`, which
    /// has proven itself by its SVID.
    ///
    /// # Errors
    /// Each rule has its own [`ExchangeError`]; the first that fails decides.
    pub async fn exchange(&self, client: &Client, request: &ExchangeRequest) -> Result<IssuedToken, ExchangeError> {
        let now = self.now();
        self.recheck(client, now)?;
        let subject = self.subject(client, request, now)?;
        let actor = self.actor(client, request, now)?;
        self.check_relation(&subject, &actor, client)?;

        let actors = self.extend_chain(&subject, &actor)?;
        let scopes = self.narrow(&subject, request)?;
        let expires = subject.lifetime.expires.min(actor.expires).min(now.plus(self.inner.lifetime));
        self.issue(Grant {
            subject: subject.reading.principal.subject(),
            client: actor.id.name(),
            audience: &request.audience,
            scopes,
            actors: &actors,
            may_act: None,
            holder: Some(actor.holder),
            now,
            expires,
        })
        .await
    }

    /// The subject token must be meant for this issuer, or for the resource server that the client runs; and if it
    /// is bound, the client must be its holder or that server.
    fn subject(
        &self,
        client: &Client,
        request: &ExchangeRequest,
        now: Timestamp,
    ) -> Result<VerifiedToken, ExchangeError> {
        let token = request.subject.0.reveal();
        match self.inner.own_tokens.verify(token, now) {
            Ok(subject) if is_holder(&subject, client) => Ok(subject),
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

    /// Who is to act: the agent that the actor token stands for, or the client.
    fn actor(&self, client: &Client, request: &ExchangeRequest, now: Timestamp) -> Result<Actor, ExchangeError> {
        let Some(token) = &request.actor else {
            return Ok(Actor { id: client.agent.clone(), holder: client.holder, expires: client.proven_until });
        };
        let token = self.inner.own_tokens.verify(token.0.reveal(), now).map_err(ExchangeError::ActorToken)?;
        let holder = match token.confirmation {
            Confirmation::Certificate(certificate) => Holder::Certificate(certificate),
            Confirmation::Key(key) => Holder::Key(key),
            Confirmation::Bearer => return Err(ExchangeError::ActorTokenUnsuitable),
        };
        if token.reading.actor_is_client && token.reading.mode == Mode::Autonomous {
            Ok(Actor { id: token.reading.actor, holder, expires: token.lifetime.expires })
        } else {
            Err(ExchangeError::ActorTokenUnsuitable)
        }
    }

    /// Who may let whom act: the subject names the actor (`may_act`); or the current actor, who is the client,
    /// passes its own authority on; or the server that the token was sent to acts on it.
    fn check_relation(&self, subject: &VerifiedToken, actor: &Actor, client: &Client) -> Result<(), ExchangeError> {
        let permitted = match (&subject.reading.may_act, subject.reading.current_actor()) {
            (Some(named), _) => *named == actor.id,
            (None, _) if subject.audience != self.inner.own_audience => actor.id == client.agent,
            (None, Some(current)) => *current == client.agent,
            (None, None) => false,
        };
        if permitted { Ok(()) } else { Err(ExchangeError::ActorNotPermitted(actor.id.clone())) }
    }

    /// The new chain: the actor, then the inherited chain unchanged. An actor that acts already adds no level.
    fn extend_chain(&self, subject: &VerifiedToken, actor: &Actor) -> Result<Vec<AgentId>, ExchangeError> {
        let mut actors: Vec<AgentId> = subject.reading.actors().cloned().collect();
        if actors.first() != Some(&actor.id) {
            actors.insert(0, actor.id.clone());
        }
        if actors.len() > self.inner.max_actors {
            return Err(ExchangeError::TooDeep { found: actors.len(), limit: self.inner.max_actors });
        }
        Ok(actors)
    }

    /// What is granted: what was asked for, which the subject must hold, as far as the target allows it.
    fn narrow(&self, subject: &VerifiedToken, request: &ExchangeRequest) -> Result<ScopeSet, ExchangeError> {
        let asked = request.scopes.as_ref().unwrap_or(subject.authority.scopes());
        if !self.inner.implications.covers(subject.authority.scopes(), asked) {
            return Err(ExchangeError::ScopeWidened { asked: asked.clone(), held: subject.authority.scopes().clone() });
        }
        let granted = if request.audience == self.inner.own_audience {
            asked.clone()
        } else {
            let resource = self.inner.resources.get(&request.audience).ok_or(ExchangeError::TargetUnknown)?;
            asked.meet(&resource.ceiling)
        };
        if granted.is_empty() { Err(ExchangeError::ScopeEmpty) } else { Ok(granted) }
    }
}

struct Actor {
    id: AgentId,
    holder: Holder,
    expires: Timestamp,
}

fn is_holder(token: &VerifiedToken, client: &Client) -> bool {
    match (token.confirmation, client.holder) {
        (Confirmation::Bearer, _) => true,
        (Confirmation::Certificate(named), Holder::Certificate(shown))
        | (Confirmation::Key(named), Holder::Key(shown)) => named == shown,
        (Confirmation::Certificate(_) | Confirmation::Key(_), _) => false,
    }
}
