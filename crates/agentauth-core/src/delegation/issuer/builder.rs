use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::authentication::{Clients, RegisteredClient};
use super::keys::SigningKeys;
use super::narrowing::{Ceiling, CeilingFor};
use super::{Endpoints, Inner, Issuer, Resource};
use crate::binding::dpop::Dpop;
use crate::delegation::assertion::Assertions;
use crate::delegation::{AgentTrust, AssertionIssuer, DelegationGrants, IssuerError};
use crate::identity::svid::TrustBundles;
use crate::identity::{AgentId, IssuerId, ResourceId, SpiffePattern};
use crate::jose::Signer;
use crate::random::{Random, SystemRandom};
use crate::scope::{Authority, DetailTypes, ScopeImplications, ScopeSet};
use crate::state::{MemoryReplayStore, ReplayStore, RevocationStore};
use crate::text::Excerpt;
use crate::time::{Clock, SystemClock};
use crate::token::{DEFAULT_MAX_ACTORS, HARD_MAX_ACTORS, Keys, TokenVerifier, TrustedIssuer, WaitingRoom};

/// A delegation should not outlive the task it is for.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// A day: beyond it, a token is a standing credential.
pub(in crate::delegation) const MAX_LIFETIME: Duration = Duration::from_secs(86_400);

/// Settings of an [`Issuer`].
#[derive(Debug)]
#[must_use]
pub struct IssuerBuilder {
    id: String,
    key: Arc<dyn Signer>,
    agents: Option<AgentTrust>,
    clients: Vec<RegisteredClient>,
    dpop: Option<Dpop>,
    used_client_assertions: Option<Arc<dyn ReplayStore>>,
    resources: Vec<NewResource>,
    resource_details: Vec<(String, Authority)>,
    grants: Option<Arc<dyn DelegationGrants>>,
    ceilings: Vec<Ceiling>,
    detail_types: DetailTypes,
    implications: ScopeImplications,
    revocations: Option<Arc<dyn RevocationStore>>,
    max_actors: usize,
    lifetime: Duration,
    assertions_from: Vec<AssertionIssuer>,
    used_assertions: Option<Arc<dyn ReplayStore>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

#[derive(Debug)]
struct NewResource {
    id: String,
    scopes: String,
    operator: Option<AgentId>,
}

impl IssuerBuilder {
    pub(super) fn new(id: &str, key: Arc<dyn Signer>) -> Self {
        Self {
            id: id.to_owned(),
            key,
            agents: None,
            clients: Vec::new(),
            dpop: None,
            used_client_assertions: None,
            resources: Vec::new(),
            resource_details: Vec::new(),
            grants: None,
            ceilings: Vec::new(),
            detail_types: DetailTypes::new(),
            implications: ScopeImplications::new(),
            revocations: None,
            max_actors: DEFAULT_MAX_ACTORS,
            lifetime: DEFAULT_LIFETIME,
            assertions_from: Vec::new(),
            used_assertions: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    /// Who may be a client: agents that prove themselves by an SVID of these trust domains, in the handshake or with a
    /// JWT-SVID. This, or [`IssuerBuilder::client`], is required.
    pub fn agents(mut self, agents: AgentTrust) -> Self {
        self.agents = Some(agents);
        self
    }

    /// A client that has no SVID, or that is to be known by a `client_id` as well. Call it for each.
    pub fn client(mut self, client: RegisteredClient) -> Self {
        self.clients.push(client);
        self
    }

    /// Binds tokens to the key of a client that sends a DPoP proof (RFC 9449 §5). Without this, a request with a proof is
    /// refused. The origin is that of the issuer's identifier.
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = Some(dpop);
        self
    }

    /// Where the assertions of clients are remembered, of which each counts once: in this process
    /// ([`MemoryReplayStore`]) unless set. Replicas that do not share a store each take an assertion once.
    pub fn used_client_assertions(mut self, store: impl ReplayStore + 'static) -> Self {
        self.used_client_assertions = Some(Arc::new(store));
        self
    }

    /// A server that tokens may be issued for, and the scopes that exist there, joined by spaces.
    pub fn resource(mut self, id: &str, scopes: &str) -> Self {
        self.resources.push(NewResource { id: id.to_owned(), scopes: scopes.to_owned(), operator: None });
        self
    }

    /// As [`IssuerBuilder::resource`], for a server that is itself an agent: `operator` may exchange the tokens
    /// that were sent to this server for tokens to the next one. A registered client without a SPIFFE ID is
    /// [`AgentId::named_by`] this issuer.
    pub fn resource_operated_by(mut self, id: &str, scopes: &str, operator: impl Into<AgentId>) -> Self {
        let operator = Some(operator.into());
        self.resources.push(NewResource { id: id.to_owned(), scopes: scopes.to_owned(), operator });
        self
    }

    /// What may be granted at the resource `id` beside its scopes: more than `details` never is. Without it, a grant with
    /// limits counts there if a scope of the resource has its name.
    pub fn resource_details(mut self, id: &str, details: Authority) -> Self {
        self.resource_details.push((id.to_owned(), details));
        self
    }

    /// Who may act for whom, beside what tokens say: with it, a principal's token that names no actor can be exchanged by
    /// an agent to which the principal has given a grant. Asked at each exchange. Without it, only consents count
    /// ([`Issuer::consent`]).
    ///
    /// Such a token is made where principals log in, with the issuer's key: an access token (`typ` `at+jwt`) whose `iss` and
    /// `aud` are this issuer, whose `sub` is the principal and `client_id` where they logged in, without `act` and `may_act`.
    /// [`Issuer`] logs nobody in, and makes none.
    pub fn grants(mut self, grants: impl DelegationGrants + 'static) -> Self {
        self.grants = Some(Arc::new(grants));
        self
    }

    /// The most that agents with a SPIFFE ID like this may be given, whatever principals grant. Once there is one ceiling,
    /// an agent that none is for is given nothing; of several that are for it, each counts.
    pub fn ceiling(mut self, agents: SpiffePattern, authority: Authority) -> Self {
        self.ceilings.push(Ceiling { agents: CeilingFor::Matching(agents), authority });
        self
    }

    /// As [`IssuerBuilder::ceiling`], for one agent, with a SPIFFE ID or without.
    pub fn ceiling_of(mut self, agent: impl Into<AgentId>, authority: Authority) -> Self {
        self.ceilings.push(Ceiling { agents: CeilingFor::One(agent.into()), authority });
        self
    }

    /// The types of `authorization_details` that are understood (RFC 9396): the built-in one unless set.
    pub fn detail_types(mut self, types: DetailTypes) -> Self {
        self.detail_types = types;
        self
    }

    /// Which scopes include which others, so that a broad scope can be narrowed to one it includes.
    pub fn implications(mut self, implications: ScopeImplications) -> Self {
        self.implications = implications;
        self
    }

    /// What has been revoked: from that, and to agents that are revoked, no token is issued. It refuses also what it cannot
    /// tell.
    pub fn revocations(mut self, store: impl RevocationStore + 'static) -> Self {
        self.revocations = Some(Arc::new(store));
        self
    }

    /// How many actors a chain may have: 4 unless set, at most 16.
    pub const fn max_actors(mut self, limit: usize) -> Self {
        self.max_actors = limit;
        self
    }

    /// How long tokens last at most: 5 minutes unless set, at most a day. No token outlives what it was made from.
    pub const fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Accepts the assertions of an identity provider in place of a principal's consent ([`Issuer::jwt_bearer`]); may be
    /// called for several. Without it, there is no such grant.
    pub fn identity_assertions_from(mut self, issuer: AssertionIssuer) -> Self {
        self.assertions_from.push(issuer);
        self
    }

    /// Where it is remembered which assertions have been used: in the memory of this process unless set. Replicas that
    /// do not share a store take an assertion once each.
    pub fn used_assertions(mut self, store: impl ReplayStore + 'static) -> Self {
        self.used_assertions = Some(Arc::new(store));
        self
    }

    /// The clock: the system's unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The source of token identifiers: the system's unless set.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`IssuerError`], with the offending value.
    pub fn build(self) -> Result<Issuer, IssuerError> {
        if self.lifetime < Duration::from_secs(1) || self.lifetime > MAX_LIFETIME {
            return Err(IssuerError::Lifetime(self.lifetime.as_secs()));
        }
        if !(1..=HARD_MAX_ACTORS).contains(&self.max_actors) {
            return Err(IssuerError::MaxActors(self.max_actors));
        }
        if self.id.contains('?') {
            // RFC 8414 §2; its endpoints are made by adding to its path.
            return Err(IssuerError::Query(Excerpt::of(&self.id)));
        }
        let id = IssuerId::new(&self.id)?;
        let own_audience = ResourceId::new(&self.id)?;
        let keys = SigningKeys::new(self.key, self.lifetime, Arc::clone(&self.clock)).map_err(IssuerError::Key)?;
        let keys = Arc::new(keys);
        let tokens_for = |audience: &ResourceId| {
            let itself = TrustedIssuer::rfc8693(&self.id, Keys::from_shared(&keys));
            let itself = itself.max_actors(self.max_actors).leeway(Duration::ZERO);
            let verifier = TokenVerifier::new(audience.clone(), vec![itself]).map_err(IssuerError::Verifier)?;
            Ok::<_, IssuerError>(verifier.with_detail_types(self.detail_types.clone()))
        };

        let mut resources = BTreeMap::new();
        for new in self.resources {
            let id = ResourceId::new(&new.id)?;
            let ceiling: ScopeSet =
                new.scopes.parse().map_err(|error| IssuerError::Scopes { resource: id.clone(), error })?;
            let mut ceiling = Authority::of_scopes(ceiling);
            for (_, details) in self.resource_details.iter().filter(|(named, _)| *named == new.id) {
                ceiling = ceiling.and(details);
            }
            let resource = Resource { ceiling, operator: new.operator, tokens: tokens_for(&id)? };
            if id == own_audience || resources.insert(id.clone(), resource).is_some() {
                return Err(IssuerError::DuplicateResource(id));
            }
        }
        let is_known = |id: &str| resources.keys().any(|known| known.as_str() == id);
        if let Some((stranger, _)) = self.resource_details.iter().find(|(id, _)| !is_known(id)) {
            return Err(IssuerError::NoResource(Excerpt::of(stranger)));
        }
        let own_tokens = tokens_for(&own_audience)?;
        let assertions = if self.assertions_from.is_empty() {
            None
        } else {
            let used = self.used_assertions.unwrap_or_else(|| Arc::new(MemoryReplayStore::new()));
            Some(Assertions::new(&own_audience, &self.assertions_from, &self.detail_types, used)?)
        };
        if self.agents.is_none() && self.clients.is_empty() {
            return Err(IssuerError::NoAgentTrust);
        }
        let mut clients = Clients::new();
        for client in self.clients {
            client.register(&mut clients, &id)?;
        }
        let endpoints = Endpoints::of(&id);
        let dpop = self.dpop.map(Dpop::build).transpose()?;
        if dpop.as_ref().is_some_and(|dpop| !dpop.serves(endpoints.token())) {
            return Err(IssuerError::DpopOrigin(Excerpt::of(&self.id)));
        }
        Ok(Issuer {
            inner: Arc::new(Inner {
                id,
                own_audience,
                own_tokens,
                keys,
                endpoints,
                takes_svids: self.agents.is_some(),
                agents: self.agents.unwrap_or_else(|| AgentTrust::spiffe(TrustBundles::new())),
                clients,
                dpop,
                used_client_assertions: self
                    .used_client_assertions
                    .unwrap_or_else(|| Arc::new(MemoryReplayStore::new())),
                waiting: WaitingRoom::default(),
                resources,
                grants: self.grants,
                ceilings: self.ceilings,
                detail_types: self.detail_types,
                implications: self.implications,
                revocations: self.revocations,
                max_actors: self.max_actors,
                lifetime: self.lifetime,
                assertions,
                clock: self.clock,
                random: self.random,
            }),
        })
    }
}
