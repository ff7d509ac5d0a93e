//! An in-process security token service: consents, agents' own tokens, and RFC 8693 exchange.

mod authentication;
mod builder;
mod claims;
mod client;
mod introspection;
mod jwt_bearer;
mod keys;
mod metadata;
mod narrowing;
mod relation;
mod revocation;
mod rules;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use authentication::Clients;
pub use authentication::{
    ClientError, ClientSecret, RegisteredClient, SecretError, SecretHash, TokenRequest, dangerous,
};
pub use builder::IssuerBuilder;
pub(super) use builder::MAX_LIFETIME;
pub(crate) use claims::details_of;
use claims::{Grant, check_details};
pub use client::Client;
pub(crate) use client::{ClientMethod, Holder};
pub use introspection::IntrospectionBody;
pub use keys::{KeyPhase, KeyStatus, MIN_PUBLICATION, RotationError, SigningKeys};
pub use metadata::Endpoints;
use narrowing::Ceiling;
pub use wire::MAX_FORM_BYTES;
pub(crate) use wire::{Form, Parameters, token_response};

use super::assertion::Assertions;
use super::exchange::{IssuedToken, Origin};
use super::{AgentTrust, DelegationGrants, ExchangeError};
use crate::binding::dpop::DpopVerifier;
use crate::identity::{AgentId, IssuerId, ResourceId};
use crate::jose::{Algorithm, Signer, TokenType, sign_compact};
use crate::random::{Random, unique_id};
use crate::scope::{Authority, DetailTypes, ScopeImplications, ScopeSet};
use crate::state::revocation::Subjects;
use crate::state::{ReplayStore, RevocationStore};
use crate::text::Secret;
use crate::time::{Clock, Timestamp};
use crate::token::{Keys, TokenVerifier, WaitingRoom, required};

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
    pub(super) keys: Arc<SigningKeys>,
    pub(super) endpoints: Endpoints,
    pub(super) agents: AgentTrust,
    /// Whether any agents were configured: workloads of trust domains, which need no registration.
    pub(super) takes_svids: bool,
    pub(super) clients: Clients,
    pub(super) dpop: Option<DpopVerifier>,
    /// The assertions of clients that have been used.
    pub(super) used_client_assertions: Arc<dyn ReplayStore>,
    /// Where assertions wait for newer keys of their client.
    pub(super) waiting: WaitingRoom,
    pub(super) resources: BTreeMap<ResourceId, Resource>,
    /// Who may act for whom, beside what the tokens say.
    pub(super) grants: Option<Arc<dyn DelegationGrants>>,
    ceilings: Vec<Ceiling>,
    pub(super) detail_types: DetailTypes,
    pub(super) implications: ScopeImplications,
    pub(super) revocations: Option<Arc<dyn RevocationStore>>,
    pub(super) max_actors: usize,
    pub(super) lifetime: Duration,
    /// How identity assertions are verified, if any are accepted.
    pub(super) assertions: Option<Assertions>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

/// A server that tokens can be issued for.
#[derive(Debug)]
pub(super) struct Resource {
    /// The scopes and details that exist there.
    pub(super) ceiling: Authority,
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
    /// What it may do that scopes cannot say.
    pub details: Authority,
}

impl Consent {
    /// `principal` lets `agent` act within `scopes`.
    #[must_use]
    pub fn new(principal: &str, agent: impl Into<AgentId>, scopes: ScopeSet) -> Self {
        Self { principal: principal.into(), agent: agent.into(), scopes, details: Authority::default() }
    }

    /// And within `details`, which scopes cannot say.
    #[must_use]
    pub fn details(mut self, details: Authority) -> Self {
        self.details = details;
        self
    }
}

impl Issuer {
    /// Begins an issuer with the identifier `id` (an `https` URL, RFC 8414 §2) that signs with `key`.
    pub fn builder(id: &str, key: impl Signer + 'static) -> IssuerBuilder {
        IssuerBuilder::new(id, Arc::new(key))
    }

    /// The issuer's identifier.
    #[must_use]
    pub fn id(&self) -> &IssuerId {
        &self.inner.id
    }

    /// The public keys, for verifiers in the same process, which follow every rotation at once.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys::from_shared(&self.inner.keys)
    }

    /// The keys this issuer signs with, to rotate and withdraw them.
    #[must_use]
    pub fn signing_keys(&self) -> &SigningKeys {
        &self.inner.keys
    }

    /// The JWKS document (RFC 7517 §5), for verifiers elsewhere. It changes with the keys: ask for it each time.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.inner.keys.jwks()
    }

    /// The algorithm that tokens are signed with at the moment.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.inner.keys.algorithm()
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
    /// token, [`ExchangeError::Details`] if there are more details than a server reads, [`ExchangeError::Unavailable`].
    pub async fn consent(&self, consent: &Consent) -> Result<IssuedToken, ExchangeError> {
        let authority = Authority::of_scopes(consent.scopes.clone()).and(&consent.details);
        if authority.is_empty() {
            return Err(ExchangeError::ScopeEmpty);
        }
        // A principal that is called like a workload or a client would be taken for the agent itself.
        if consent.principal.starts_with("spiffe:") || self.inner.clients.contains_key(&*consent.principal) {
            return Err(ExchangeError::Malformed("the principal is called like a workload or a client"));
        }
        required(Some(&consent.principal), "sub").map_err(|_| {
            ExchangeError::Malformed("the principal's name is empty, too long, or has control characters")
        })?;
        let now = self.now();
        self.issue(Grant {
            subject: &consent.principal,
            client: consent.agent.name(),
            audience: &self.inner.own_audience,
            authority,
            actors: &[],
            may_act: Some(&consent.agent),
            grant_id: None,
            txn: None,
            holder: None,
            now,
            expires: now.plus(self.inner.lifetime),
        })
        .await
    }

    /// Issues an agent its own token, bound to its key: what it proves itself with as an actor at this
    /// issuer, or as a caller that represents no one at a resource server. It carries no scope.
    ///
    /// # Errors
    /// [`ExchangeError::ClientUnauthenticated`], [`ExchangeError::TargetUnknown`], [`ExchangeError::Unavailable`].
    pub async fn agent_token(&self, client: &Client, audience: &ResourceId) -> Result<IssuedToken, ExchangeError> {
        let now = self.now();
        self.recheck(client, now)?;
        self.check_revoked([&Subjects::of_agent(client.agent(), now)], now).await?;
        if *audience != self.inner.own_audience && !self.inner.resources.contains_key(audience) {
            return Err(ExchangeError::TargetUnknown);
        }
        let name = client.agent().name();
        self.issue(Grant {
            subject: name,
            client: name,
            audience,
            authority: Authority::default(),
            actors: &[],
            may_act: None,
            grant_id: None,
            txn: None,
            holder: client.key()?,
            now,
            expires: now.plus(self.inner.lifetime).min(client.proven_until),
        })
        .await
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.inner.clock)
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.inner.random
    }

    /// What a client has proven itself with may have ended since.
    fn recheck(&self, client: &Client, now: Timestamp) -> Result<(), ExchangeError> {
        let bundles = self.inner.agents.bundles().bundles();
        match &client.svid {
            Some(svid) => svid.recheck(&bundles, now).map_err(|_| ExchangeError::ClientUnauthenticated),
            None if now < client.proven_until => Ok(()),
            None => Err(ExchangeError::ClientUnauthenticated),
        }
    }

    /// Duty i: each token has an identifier of its own.
    async fn issue(&self, grant: Grant<'_>) -> Result<IssuedToken, ExchangeError> {
        let lifetime_secs = grant.expires.secs().saturating_sub(grant.now.secs());
        if lifetime_secs == 0 {
            return Err(ExchangeError::NoLifetime);
        }
        let id = unique_id(&*self.inner.random)?;
        let payload = serde_json::to_vec(&grant.claims(&self.inner.id, &id)).map_err(|_| ExchangeError::Unavailable)?;
        if grant.authority.has_details() {
            check_details(&payload).map_err(ExchangeError::Details)?;
        }
        let token = self.sign(TokenType::AccessToken, &payload).await?;
        Ok(IssuedToken {
            token: Secret::new(token),
            authority: grant.authority,
            expires: Timestamp::from_secs(grant.expires.secs()),
            lifetime_secs,
            origin: Some(Origin {
                id: (*id).into(),
                subject: grant.subject.into(),
                actors: grant.actors.to_vec(),
                may_act: grant.may_act.cloned(),
                grant_id: grant.grant_id.map(Into::into),
                audience: grant.audience.clone(),
                holder: grant.holder,
            }),
        })
    }

    /// Signs `payload` with the key whose turn it is.
    pub(super) async fn sign(&self, kind: TokenType, payload: &[u8]) -> Result<String, ExchangeError> {
        let signer = self.inner.keys.signer();
        sign_compact(&*signer, kind, payload).await.map_err(|_| ExchangeError::Unavailable)
    }
}
