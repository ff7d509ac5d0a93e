//! An in-process security token service: consents, agents' own tokens, and RFC 8693 exchange.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{ExchangeRequest, IssuedToken, Origin};
use super::grant::Grant;
use super::{AgentTrust, ExchangeError, IssuerBuilder};
use crate::identity::svid::X509Svid;
use crate::identity::{AgentId, IssuerId, ResourceId};
use crate::jose::{Algorithm, KeySet, SigningKey, TokenType};
use crate::random::{Random, unique_id};
use crate::scope::{ScopeImplications, ScopeSet};
use crate::text::Secret;
use crate::time::{Clock, Timestamp};
use crate::token::{Confirmation, Keys, Mode, TokenVerifier, VerifiedToken, required};

/// Issues delegations: tokens that say which agent acts for which principal, where, and with what authority.
///
/// Its rules are those of RFC 8693 and of the OAuth actor profile. Every token it issues is for one audience,
/// bound to the certificate of the agent that will use it, no broader and no longer-lived than what it was made
/// from, and names every agent the authority passed through. Clones share one issuer.
#[derive(Debug, Clone)]
pub struct Issuer {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) id: IssuerId,
    /// The issuer as the audience of the tokens that are to be exchanged.
    pub(super) own_audience: ResourceId,
    pub(super) own_tokens: TokenVerifier,
    pub(super) key: SigningKey,
    pub(super) keys: Arc<KeySet>,
    pub(super) agents: AgentTrust,
    pub(super) resources: BTreeMap<ResourceId, Resource>,
    pub(super) implications: ScopeImplications,
    pub(super) max_actors: usize,
    pub(super) lifetime: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

/// A server that tokens can be issued for.
#[derive(Debug)]
pub(super) struct Resource {
    /// The scopes that exist there.
    pub(super) ceiling: ScopeSet,
    /// The agent that runs this server, and may exchange the tokens that were sent to it.
    pub(super) operator: Option<AgentId>,
    pub(super) tokens: TokenVerifier,
}

/// A principal's word that an agent may act for it. The application has authenticated the principal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Consent {
    /// The principal's name at this issuer (`sub`).
    pub principal: Box<str>,
    /// The agent that may act for the principal (`may_act`).
    pub agent: AgentId,
    /// What the agent may do.
    pub scopes: ScopeSet,
}

impl Consent {
    /// `principal` lets `agent` act within `scopes`.
    #[must_use]
    pub fn new(principal: &str, agent: impl Into<AgentId>, scopes: ScopeSet) -> Self {
        Self { principal: principal.into(), agent: agent.into(), scopes }
    }
}

impl Issuer {
    /// Begins an issuer with the identifier `id` (an `https` URL, RFC 8414 §2) that signs with `key`.
    pub fn builder(id: &str, key: SigningKey) -> IssuerBuilder {
        IssuerBuilder::new(id, key)
    }

    /// The issuer's identifier.
    #[must_use]
    pub fn id(&self) -> &IssuerId {
        &self.inner.id
    }

    /// The public key, for verifiers in the same process.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys::from_source(Arc::clone(&self.inner.keys))
    }

    /// The JWKS document (RFC 7517 §5), for verifiers elsewhere.
    #[must_use]
    pub fn jwks(&self) -> String {
        format!(r#"{{"keys":[{}]}}"#, self.inner.key.public_jwk())
    }

    /// The algorithm that tokens are signed with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.inner.key.algorithm()
    }

    /// Who may be a client.
    #[must_use]
    pub fn agents(&self) -> &AgentTrust {
        &self.inner.agents
    }

    /// The present moment by the issuer's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Issues the token that stands for a principal's consent: good for exchange at this issuer only, by the
    /// named agent only.
    ///
    /// # Errors
    /// [`ExchangeError::ScopeEmpty`], [`ExchangeError::Malformed`] if the principal's name could not stand in a
    /// token, [`ExchangeError::Unavailable`].
    pub fn consent(&self, consent: &Consent) -> Result<IssuedToken, ExchangeError> {
        if consent.scopes.is_empty() {
            return Err(ExchangeError::ScopeEmpty);
        }
        // A principal that is called like a workload would be taken for the agent itself.
        if consent.principal.starts_with("spiffe:") {
            return Err(ExchangeError::Malformed("the principal is called like a workload"));
        }
        required(Some(&consent.principal), "sub").map_err(|_| {
            ExchangeError::Malformed("the principal's name is empty, too long, or has control characters")
        })?;
        let now = self.now();
        self.issue(Grant {
            subject: &consent.principal,
            client: consent.agent.name(),
            audience: &self.inner.own_audience,
            scopes: consent.scopes.clone(),
            actors: &[],
            may_act: Some(&consent.agent),
            certificate: None,
            now,
            expires: now.plus(self.inner.lifetime),
        })
    }

    /// Issues an agent its own token, bound to its certificate: what it proves itself with as an actor at this
    /// issuer, or as a caller that represents no one at a resource server. It carries no scope.
    ///
    /// # Errors
    /// [`ExchangeError::ClientUnauthenticated`], [`ExchangeError::TargetUnknown`], [`ExchangeError::Unavailable`].
    pub fn agent_token(&self, client: &X509Svid, audience: &ResourceId) -> Result<IssuedToken, ExchangeError> {
        let now = self.now();
        self.authenticate(client, now)?;
        if *audience != self.inner.own_audience && !self.inner.resources.contains_key(audience) {
            return Err(ExchangeError::TargetUnknown);
        }
        let name = client.id().as_str();
        self.issue(Grant {
            subject: name,
            client: name,
            audience,
            scopes: ScopeSet::none(),
            actors: &[],
            may_act: None,
            certificate: Some(client.thumbprint()),
            now,
            expires: now.plus(self.inner.lifetime).min(client.not_after()),
        })
    }

    /// Exchanges a subject token for one that lets an agent act at one audience (RFC 8693 §2), for `client`, which
    /// has proven itself by its SVID.
    ///
    /// # Errors
    /// Each rule has its own [`ExchangeError`]; the first that fails decides.
    pub fn exchange(&self, client: &X509Svid, request: &ExchangeRequest) -> Result<IssuedToken, ExchangeError> {
        let now = self.now();
        self.authenticate(client, now)?;
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
            certificate: Some(&actor.certificate),
            now,
            expires,
        })
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.inner.random
    }

    fn authenticate(&self, client: &X509Svid, now: Timestamp) -> Result<(), ExchangeError> {
        client.recheck(&self.inner.agents.bundles().bundles(), now).map_err(|_| ExchangeError::ClientUnauthenticated)
    }

    /// The subject token must be meant for this issuer, or for the resource server that the client runs; and if it
    /// is bound, the client must be its holder or that server.
    fn subject(
        &self,
        client: &X509Svid,
        request: &ExchangeRequest,
        now: Timestamp,
    ) -> Result<VerifiedToken, ExchangeError> {
        let token = request.subject.0.reveal();
        let operator = AgentId::from(client.id().clone());
        match self.inner.own_tokens.verify(token, now) {
            Ok(subject) if is_holder(&subject, client) => Ok(subject),
            Ok(_) => Err(ExchangeError::SubjectTokenNotHeld),
            Err(error) => self
                .inner
                .resources
                .values()
                .filter(|resource| resource.operator.as_ref() == Some(&operator))
                .find_map(|resource| resource.tokens.verify(token, now).ok())
                .ok_or(ExchangeError::SubjectToken(error)),
        }
    }

    /// Who is to act: the agent that the actor token stands for, or the client.
    fn actor(&self, client: &X509Svid, request: &ExchangeRequest, now: Timestamp) -> Result<Actor, ExchangeError> {
        let Some(token) = &request.actor else {
            return Ok(Actor {
                id: client.id().clone().into(),
                certificate: *client.thumbprint(),
                expires: client.not_after(),
            });
        };
        let token = self.inner.own_tokens.verify(token.0.reveal(), now).map_err(ExchangeError::ActorToken)?;
        match token.confirmation {
            Confirmation::Certificate(certificate)
                if token.reading.actor_is_client && token.reading.mode == Mode::Autonomous =>
            {
                Ok(Actor { id: token.reading.actor, certificate, expires: token.lifetime.expires })
            }
            _ => Err(ExchangeError::ActorTokenUnsuitable),
        }
    }

    /// Who may let whom act: the subject names the actor (`may_act`); or the current actor, who is the client,
    /// passes its own authority on; or the server that the token was sent to acts on it.
    fn check_relation(&self, subject: &VerifiedToken, actor: &Actor, client: &X509Svid) -> Result<(), ExchangeError> {
        let client = AgentId::from(client.id().clone());
        let permitted = match (&subject.reading.may_act, subject.reading.current_actor()) {
            (Some(named), _) => *named == actor.id,
            (None, _) if subject.audience != self.inner.own_audience => actor.id == client,
            (None, Some(current)) => *current == client,
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

    fn issue(&self, grant: Grant<'_>) -> Result<IssuedToken, ExchangeError> {
        let lifetime_secs = grant.expires.secs().saturating_sub(grant.now.secs());
        if lifetime_secs == 0 {
            return Err(ExchangeError::NoLifetime);
        }
        let id = unique_id(&*self.inner.random)?;
        let payload = serde_json::to_vec(&grant.claims(&self.inner.id, &id)).map_err(|_| ExchangeError::Unavailable)?;
        let token = self.inner.key.sign(TokenType::AccessToken, &payload).map_err(|_| ExchangeError::Unavailable)?;
        Ok(IssuedToken {
            token: Secret::new(token),
            scopes: grant.scopes,
            expires: Timestamp::from_secs(grant.expires.secs()),
            lifetime_secs,
            origin: Some(Origin {
                id: (*id).into(),
                subject: grant.subject.into(),
                actors: grant.actors.to_vec(),
                may_act: grant.may_act.cloned(),
                audience: grant.audience.clone(),
            }),
        })
    }
}

struct Actor {
    id: AgentId,
    certificate: [u8; 32],
    expires: Timestamp,
}

fn is_holder(token: &VerifiedToken, client: &X509Svid) -> bool {
    match token.confirmation {
        Confirmation::Bearer => true,
        Confirmation::Certificate(thumbprint) => thumbprint == *client.thumbprint(),
        Confirmation::Key(_) => false,
    }
}
