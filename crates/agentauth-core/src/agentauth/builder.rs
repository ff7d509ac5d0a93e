use std::fmt;
use std::sync::Arc;

use super::{AgentAuth, Inner};
use crate::audit::{AuditKey, AuditSink, ShownArguments};
use crate::binding::dpop::{Dpop, DpopConfigError};
#[cfg(feature = "unstable-chain")]
use crate::delegation::chain::{ChainConfigError, ChainSettings, ChainVerifier};
use crate::delegation::outbound::Delegator;
use crate::delegation::{ActorBinding, AgentTrust};
use crate::identity::{IssuerId, NameError, ResourceId};
use crate::policy::{FlipCounts, NoPolicy, PolicyEngine};
use crate::random::{Random, RandomUnavailable, SystemRandom};
use crate::rejection::metadata_url;
use crate::scope::{DetailTypes, ScopeError, ScopeImplications};
use crate::state::{ApprovalStore, LimitStore, RevocationStore, UseStore};
use crate::text::Excerpt;
use crate::time::{Clock, SystemClock};
use crate::token::{
    DEFAULT_CAPACITY, IssuerConfigError, TokenVerifier, TransactionConfigError, TransactionTokens, TrustedIssuer,
};

/// Settings of an [`AgentAuth`].
#[must_use]
pub struct AgentAuthBuilder {
    resource: String,
    issuers: Vec<TrustedIssuer>,
    revocations: Option<Arc<dyn RevocationStore>>,
    agents: Option<AgentTrust>,
    policy: Arc<dyn PolicyEngine>,
    implications: ScopeImplications,
    detail_types: DetailTypes,
    uses: Option<Arc<dyn UseStore>>,
    limits: Option<Arc<dyn LimitStore>>,
    requires_delegation: bool,
    requires_binding: bool,
    actor_binding: ActorBinding,
    dpop: Option<Dpop>,
    transactions: Option<TransactionTokens>,
    #[cfg(feature = "unstable-chain")]
    chains: Option<ChainSettings>,
    approvals: Option<Arc<dyn ApprovalStore>>,
    delegator: Option<Delegator>,
    cached_tokens: usize,
    scopes_supported: String,
    sinks: Vec<Arc<dyn AuditSink>>,
    audit_key: Option<AuditKey>,
    shown_arguments: ShownArguments,
    replica: Option<Arc<str>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Settings that do not make an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The resource identifier is malformed.
    #[error(transparent)]
    Resource(#[from] NameError),
    /// A trusted issuer cannot be configured so.
    #[error(transparent)]
    Issuer(#[from] IssuerConfigError),
    /// The resource is one of the trusted issuers. Tokens for an issuer are there to be exchanged, and would count as
    /// access tokens here.
    #[error("resource `{0}` is a trusted issuer; give the resource server an identifier of its own")]
    ResourceIsIssuer(ResourceId),
    /// No issuer is trusted, so no token could be.
    #[error("no issuer is trusted, so no token could be accepted: call .issuer(...)")]
    NoIssuer,
    /// The DPoP settings are not good.
    #[error(transparent)]
    Dpop(#[from] DpopConfigError),
    /// The settings for chains are not good.
    #[cfg(feature = "unstable-chain")]
    #[error(transparent)]
    Chains(#[from] ChainConfigError),
    /// The settings for transaction tokens are not good.
    #[error(transparent)]
    Transactions(#[from] TransactionConfigError),
    /// There is nowhere to record decisions.
    #[error("no audit sink is configured, and a decision that is not recorded is refused: call .audit(...)")]
    NoAudit,
    /// The supported scopes are malformed.
    #[error("the supported scopes are malformed: {0}")]
    Scopes(#[from] ScopeError),
    /// No key for the audit record could be made.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl AgentAuthBuilder {
    pub(super) fn new(resource: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            issuers: Vec::new(),
            revocations: None,
            agents: None,
            policy: Arc::new(NoPolicy),
            implications: ScopeImplications::new(),
            detail_types: DetailTypes::new(),
            uses: None,
            limits: None,
            requires_delegation: false,
            requires_binding: false,
            actor_binding: ActorBinding::default(),
            dpop: None,
            transactions: None,
            #[cfg(feature = "unstable-chain")]
            chains: None,
            approvals: None,
            delegator: None,
            cached_tokens: DEFAULT_CAPACITY,
            scopes_supported: String::new(),
            sinks: Vec::new(),
            audit_key: None,
            shown_arguments: ShownArguments::default(),
            replica: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    /// Who may say "Alice delegated to this agent". Required; may be called for several issuers.
    pub fn issuer(mut self, issuer: TrustedIssuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Who may say "this is the lawyer". Without it, no certificate is believed, and tokens bound to one are
    /// refused.
    pub fn agents(mut self, agents: AgentTrust) -> Self {
        self.agents = Some(agents);
        self
    }

    /// What has been revoked: asked about each caller when it is authenticated, and again for each of its actions. It
    /// refuses also what it cannot tell. Without it, nothing can be revoked here.
    pub fn revocations(mut self, store: impl RevocationStore + 'static) -> Self {
        self.revocations = Some(Arc::new(store));
        self
    }

    /// What is permitted within what was delegated. Without it, no action is.
    pub fn policy(mut self, policy: impl PolicyEngine + 'static) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// Where requests for a human's approval are kept: see [`approval`](crate::approval). Without it, what the policy
    /// allows with an approval is refused.
    pub fn approvals(mut self, store: impl ApprovalStore + 'static) -> Self {
        self.approvals = Some(Arc::new(store));
        self
    }

    /// Where decisions are recorded. Required; may be called for several sinks, all of which must take a record.
    pub fn audit(mut self, sink: impl AuditSink + 'static) -> Self {
        self.sinks.push(Arc::new(sink));
        self
    }

    /// The key under which token ids are hashed in the record: a fresh one unless set, so that records of
    /// different processes cannot be joined by token.
    pub fn audit_key(mut self, key: AuditKey) -> Self {
        self.audit_key = Some(key);
        self
    }

    /// Shows these arguments (top-level members, by name) in the record of decisions, with their values: what it takes to decide
    /// again later, and what people look for. May be called several times. Without it, a record has the digest of the arguments only.
    ///
    /// Name none that could hold a secret: whoever reads the record reads them. A value longer than 1 KiB is left out, and so is what
    /// goes beyond 8 KiB in all.
    pub fn record_arguments<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.shown_arguments.add(names);
        self
    }

    /// What this process is called in the record, where several are one server: at most 80 printable ASCII characters of it.
    pub fn replica(mut self, name: &str) -> Self {
        self.replica = Some(Excerpt::of(name).to_string().into());
        self
    }

    /// Which scopes include which others.
    pub fn implications(mut self, implications: ScopeImplications) -> Self {
        self.implications = implications;
        self
    }

    /// Which types of `authorization_details` are known beside the built-in one. Details of others grant nothing.
    pub fn detail_types(mut self, types: DetailTypes) -> Self {
        self.detail_types = types;
        self
    }

    /// Where it is counted how often a grant was used ([`Grant::uses`](crate::Grant::uses)). Without it, a grant that is
    /// limited in that way grants nothing here.
    pub fn uses(mut self, store: impl UseStore + 'static) -> Self {
        self.uses = Some(Arc::new(store));
        self
    }

    /// Where it is counted what the policy permits so often in a time, so many at once or so much of
    /// ([`Obligation`](crate::policy::Obligation)). Without it, what it permits within such a limit is refused.
    pub fn limits(mut self, store: impl LimitStore + 'static) -> Self {
        self.limits = Some(Arc::new(store));
        self
    }

    /// Refuses callers that represent no one: every action must be on behalf of a principal, by an agent that the
    /// issuer names as such ([`Mode::OnBehalfOf`](crate::Mode::OnBehalfOf)). Neither plain client tokens, nor agents
    /// in a session that was taken over or in an account of their own, are that.
    pub const fn require_delegation(mut self) -> Self {
        self.requires_delegation = true;
        self
    }

    /// Takes tokens that are bound to a key by DPoP (RFC 9449), with a proof on each request. Without it, such tokens
    /// are refused.
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = Some(dpop);
        self
    }

    /// Follows chains by which holders have narrowed their tokens offline (feature `unstable-chain`). Needs
    /// [`AgentAuthBuilder::dpop`]. Without it, the header that carries them means nothing, and a link is no token.
    #[cfg(feature = "unstable-chain")]
    pub fn chains(mut self, chains: ChainSettings) -> Self {
        self.chains = Some(chains);
        self
    }

    /// Requires a transaction token beside the access token (header `Txn-Token`), which narrows what that grants to what
    /// the transaction is for: scopes that both hold, by [`AgentAuthBuilder::implications`] where the trust domain has
    /// other scopes than its issuers. Without it, the header is not read.
    pub fn transaction_tokens(mut self, tokens: TransactionTokens) -> Self {
        self.transactions = Some(tokens);
        self
    }

    /// How callers' authority is passed on to the next server:
    /// [`Caller::delegate_to`](crate::Caller::delegate_to). Without it, it is not.
    pub fn delegate_through(mut self, delegator: Delegator) -> Self {
        self.delegator = Some(delegator);
        self
    }

    /// Refuses bearer tokens: every token must be bound to its holder's key, by DPoP or mutual TLS.
    pub const fn require_binding(mut self) -> Self {
        self.requires_binding = true;
        self
    }

    /// How the agent that a token names is joined to the agent that the connection proves:
    /// [`ActorBinding::PeerIfProven`] unless set.
    pub fn actor_binding(mut self, binding: ActorBinding) -> Self {
        self.actor_binding = binding;
        self
    }

    /// How many verified tokens are remembered, so that a signature is checked once: 10,000 unless set; 0 for none.
    /// Expiry, the issuer's keys and proofs of possession are checked each time.
    pub const fn cached_tokens(mut self, capacity: usize) -> Self {
        self.cached_tokens = capacity;
        self
    }

    /// The scopes to list in the metadata document, joined by spaces.
    pub fn scopes_supported(mut self, scopes: &str) -> Self {
        scopes.clone_into(&mut self.scopes_supported);
        self
    }

    /// The clock: the system's unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The source of evaluation ids: the system's unless set.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`ConfigError`], with the offending value.
    pub fn build(self) -> Result<AgentAuth, ConfigError> {
        let resource = ResourceId::new(&self.resource)?;
        if self.issuers.is_empty() {
            return Err(ConfigError::NoIssuer);
        }
        if self.sinks.is_empty() {
            return Err(ConfigError::NoAudit);
        }
        let tokens = TokenVerifier::new(resource.clone(), self.issuers)?
            .with_cache(self.cached_tokens)
            .with_detail_types(self.detail_types.clone());
        let issuers: Vec<IssuerId> = tokens.issuers().cloned().collect();
        if issuers.iter().any(|issuer| issuer.as_str() == resource.as_str()) {
            return Err(ConfigError::ResourceIsIssuer(resource));
        }
        let audit_key = match self.audit_key {
            Some(key) => key,
            None => AuditKey::generate(&*self.random)?,
        };
        Ok(AgentAuth {
            inner: Arc::new(Inner {
                metadata_url: metadata_url(&resource),
                resource,
                tokens,
                issuers,
                revocations: self.revocations,
                agents: self.agents,
                policy: self.policy,
                flips: FlipCounts::default(),
                implications: self.implications,
                uses: self.uses,
                limits: self.limits,
                requires_delegation: self.requires_delegation,
                requires_binding: self.requires_binding,
                actor_binding: self.actor_binding,
                #[cfg(feature = "unstable-chain")]
                chains: match self.chains {
                    Some(_) if self.dpop.is_none() => return Err(ChainConfigError::NoDpop.into()),
                    chains => {
                        let knowing = |chains: ChainSettings| chains.detail_types(self.detail_types.clone());
                        chains.map(knowing).map(ChainVerifier::new).transpose()?
                    }
                },
                dpop: self.dpop.map(Dpop::build).transpose()?,
                transactions: self.transactions.map(TransactionTokens::build).transpose()?,
                approvals: self.approvals,
                delegator: self.delegator,
                scopes_supported: self.scopes_supported.parse()?,
                sinks: self.sinks.into(),
                replica: self.replica,
                audit_key,
                shown_arguments: self.shown_arguments,
                clock: self.clock,
                random: self.random,
            }),
        })
    }
}

impl fmt::Debug for AgentAuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentAuthBuilder").field("resource", &self.resource).finish_non_exhaustive()
    }
}
