//! The engine that walks a request through the rooms, in their order.

mod approval;
mod approvals;
mod authentication;
mod builder;
mod caller;
mod chain;
mod decision_point;
mod limits;
mod open;
mod outbound;
mod outcome;
mod permit;
mod preview;
mod recorded;
mod revoke;
mod settle;
mod standing;
mod uses;

use std::fmt;
use std::sync::Arc;

pub use approvals::Approvals;
pub use authentication::Authentication;
pub use builder::{AgentAuthBuilder, ConfigError};
pub use caller::Caller;
pub use decision_point::{Admitted, DecisionPoint, EvaluationError};
pub(crate) use open::{OpenRecord, Sinks};
pub use outbound::DelegateTo;
use outcome::Outcome;
pub use permit::{MAX_PERMIT_AGE, Permit};
pub use recorded::Recorded;
pub(crate) use recorded::Recording;
pub use revoke::RevocationFailure;
pub(crate) use revoke::keep_revocation;

use crate::audit::{AuditKey, Record, RecordKind, ShownArguments};
use crate::binding::dpop::DpopVerifier;
#[cfg(feature = "unstable-chain")]
use crate::delegation::chain::ChainVerifier;
use crate::delegation::outbound::Delegator;
use crate::delegation::{ActorBinding, AgentTrust};
use crate::identity::{IssuerId, ResourceId};
use crate::policy::{Effect, FlipCount, FlipCounts, PolicyEngine, Reason, ReasonKind};
use crate::random::{Random, unique_id};
use crate::rejection::{DpopChallenge, Refusal, Rejection};
use crate::scope::{ScopeImplications, ScopeSet};
use crate::state::{ApprovalStore, LimitStore, RevocationStore, UseStore};
use crate::time::{Clock, Timestamp};
use crate::token::{TokenVerifier, TransactionVerifier};

/// What stands in place of an evaluation id when the random source has failed. Nothing is allowed under it.
pub(crate) const NO_ID: &str = "unavailable";

/// Agent auth for one resource server: answers which agent is calling, on whose behalf, with what authority, and
/// whether an action is permitted; and keeps the record.
///
/// Clones share one engine. See the [crate documentation](crate) for a walk through it.
#[derive(Clone)]
pub struct AgentAuth {
    inner: Arc<Inner>,
}

struct Inner {
    resource: ResourceId,
    metadata_url: Box<str>,
    tokens: TokenVerifier,
    issuers: Vec<IssuerId>,
    revocations: Option<Arc<dyn RevocationStore>>,
    agents: Option<AgentTrust>,
    policy: Arc<dyn PolicyEngine>,
    flips: FlipCounts,
    implications: ScopeImplications,
    uses: Option<Arc<dyn UseStore>>,
    limits: Option<Arc<dyn LimitStore>>,
    requires_delegation: bool,
    requires_binding: bool,
    actor_binding: ActorBinding,
    dpop: Option<DpopVerifier>,
    transactions: Option<TransactionVerifier>,
    #[cfg(feature = "unstable-chain")]
    chains: Option<ChainVerifier>,
    approvals: Option<Arc<dyn ApprovalStore>>,
    delegator: Option<Delegator>,
    scopes_supported: ScopeSet,
    sinks: Sinks,
    replica: Option<Arc<str>>,
    audit_key: AuditKey,
    shown_arguments: ShownArguments,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl AgentAuth {
    /// Begins the engine of the resource server with the identifier `resource`: an absolute URI, which is the
    /// audience that tokens must be for (RFC 8707).
    pub fn builder(resource: &str) -> AgentAuthBuilder {
        AgentAuthBuilder::new(resource)
    }

    /// This server's identifier.
    #[must_use]
    pub fn resource(&self) -> &ResourceId {
        &self.inner.resource
    }

    /// The issuers whose tokens are accepted.
    #[must_use]
    pub fn issuers(&self) -> &[IssuerId] {
        &self.inner.issuers
    }

    /// The scopes that this server says exist (RFC 9728 §2 `scopes_supported`).
    #[must_use]
    pub fn scopes_supported(&self) -> &ScopeSet {
        &self.inner.scopes_supported
    }

    /// The roots under which agents prove their identity, if any are configured.
    #[must_use]
    pub fn agents(&self) -> Option<&AgentTrust> {
        self.inner.agents.as_ref()
    }

    /// What humans are asked to approve here, if a store for that is configured.
    #[must_use]
    pub fn approvals(&self) -> Option<Approvals> {
        let store = self.inner.approvals.clone()?;
        Some(Approvals::new(self.clone(), store))
    }

    /// How often policies and engines in shadow mode would have decided otherwise, by name, since this was built: an exact count of
    /// what the record names one by one. For a metric `agentauth.shadow.flips{policy}`.
    #[must_use]
    pub fn flips(&self) -> Vec<FlipCount> {
        self.inner.flips.all()
    }

    /// Where this server's metadata is found (RFC 9728 §3.1).
    #[must_use]
    pub fn metadata_url(&self) -> &str {
        &self.inner.metadata_url
    }

    /// The present moment by the engine's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn new_id(&self) -> Result<Arc<str>, Refusal> {
        unique_id(&*self.inner.random).map_err(|_| Refusal::Random)
    }

    fn reject(&self, refusal: Refusal, evaluation_id: &Arc<str>) -> Rejection {
        let dpop = self.inner.dpop.as_ref().map(|dpop| {
            let nonce = if refusal.wants_nonce() { dpop.nonce(self.now()) } else { None };
            DpopChallenge { algorithms: dpop.algorithms().into(), nonce }
        });
        Rejection::new(refusal, Arc::clone(evaluation_id), &self.inner.metadata_url, dpop)
    }

    /// A record of something that was allowed, until [`deny`] says otherwise.
    fn record(&self, kind: RecordKind, evaluation_id: &Arc<str>, time: Timestamp) -> Record {
        let record = Record::of_allowed(kind, "allowed", evaluation_id, time, self.inner.resource.shared());
        Record { replica: self.inner.replica.clone(), ..record }
    }

    /// The same, which is written whatever becomes of the question.
    fn open(&self, record: Record) -> OpenRecord {
        OpenRecord::new(record, Arc::clone(&self.inner.sinks), Arc::clone(&self.inner.clock))
    }

    /// `answer`, once `record` is kept.
    fn recorded<T>(&self, answer: Result<T, Rejection>, record: Record) -> Recorded<T> {
        Recorded::new(self.clone(), answer, record)
    }

    fn append(&self, record: Record) -> Recording {
        Recording::begin(&self.inner.sinks, &record.kept())
    }
}

/// Makes `record` one of a denial.
fn deny(record: &mut Record, refusal: &Refusal) {
    record.effect = Effect::Deny;
    record.code = refusal.code();
    if record.reasons.is_empty() {
        record.reasons.push(Reason::new(ReasonKind::Refused, refusal.to_string()));
    }
}

impl fmt::Debug for AgentAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentAuth")
            .field("resource", &self.inner.resource)
            .field("issuers", &self.inner.issuers)
            .finish_non_exhaustive()
    }
}
