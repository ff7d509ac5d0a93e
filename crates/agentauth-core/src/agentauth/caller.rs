//! A verified caller, and what it may ask for.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use super::standing::at_once;
use super::{AgentAuth, NO_ID, OpenRecord, Outcome, Permit, Recorded, deny};
use crate::audit::{ActionRecord, DelegationRecord, Record, RecordKind};
use crate::binding::{Binding, BindingError};
use crate::delegation::{Delegation, DelegationError, Mode, SubjectToken};
use crate::evidence::Evidence;
use crate::identity::{AgentId, Peer, PrincipalId};
use crate::policy::{Action, AuthzRequest, CallerFacts, Decision, Effect, Reason, ReasonKind, Resource};
use crate::rejection::{Refusal, Rejection};
use crate::scope::{Grant, NotDelegated, ScopeSet, Wanted};
use crate::state::revocation::Wait;
use crate::time::Timestamp;
use crate::token::TransactionToken;
use crate::trace::TraceContext;

/// A verified caller: this agent, for this principal, with this authority. Only
/// [`AgentAuth::authenticate`] makes one. Clones are cheap and share one caller.
#[derive(Clone)]
pub struct Caller {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) auth: AgentAuth,
    pub(super) delegation: Delegation,
    delegation_record: Arc<DelegationRecord>,
    pub(super) evidence: Evidence,
    pub(super) evaluation_id: Arc<str>,
    transaction: Option<TransactionToken>,
    dpop_nonce: Option<String>,
}

impl Caller {
    pub(super) fn new(
        auth: AgentAuth,
        delegation: Delegation,
        delegation_record: Arc<DelegationRecord>,
        evidence: Evidence,
        evaluation_id: Arc<str>,
        transaction: Option<TransactionToken>,
        dpop_nonce: Option<String>,
    ) -> Self {
        let inner = Inner { auth, delegation, delegation_record, evidence, evaluation_id, transaction, dpop_nonce };
        Self { inner: Arc::new(inner) }
    }

    /// Who acts.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        self.inner.delegation.actor()
    }

    /// On whose behalf. For an agent that acts for itself, that is the agent.
    #[must_use]
    pub fn principal(&self) -> &PrincipalId {
        self.inner.delegation.principal()
    }

    /// In what capacity.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.inner.delegation.mode()
    }

    /// The scopes that were delegated. What is delegated within limits is no scope: see
    /// [`Delegation::authority`](crate::Delegation::authority).
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        self.inner.delegation.authority().scopes()
    }

    /// The whole delegation, but for its history.
    #[must_use]
    pub fn delegation(&self) -> &Delegation {
        &self.inner.delegation
    }

    /// The agent that the connection proved, or that a trusted proxy passed on, if there is one.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        self.inner.evidence.peer.as_ref()
    }

    /// The trace that the request says it is a part of, if it says so. It is claimed, and nothing is decided by it.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        self.inner.evidence.trace.as_ref()
    }

    /// The same trace for a request that is sent on for this caller ([`TraceContext::next`]). Without random bytes there is none: no
    /// request depends on it.
    #[must_use]
    pub fn onward_trace(&self) -> Option<TraceContext> {
        self.trace()?.next(&*self.inner.auth.inner.random).ok()
    }

    /// The id under which this caller's verification stands in the record.
    #[must_use]
    pub fn evaluation_id(&self) -> &str {
        &self.inner.evaluation_id
    }

    /// The transaction that the token is used for, if the caller came with a transaction token and they are taken here.
    /// What it says of the principal and the workload is the trust domain's word, and not compared with the delegation:
    /// the caller is who the delegation says.
    #[must_use]
    pub fn transaction(&self) -> Option<&TransactionToken> {
        self.inner.transaction.as_ref()
    }

    /// The nonce to send back in `DPoP-Nonce`, where the one that the caller used is about to expire (RFC 9449 §8.2).
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<&str> {
        self.inner.dpop_nonce.as_deref()
    }

    /// The token this caller came with, to be exchanged for a narrower one for the next server. It cannot be
    /// forwarded: see [`SubjectToken`].
    #[must_use]
    pub fn subject_token(&self) -> Option<SubjectToken> {
        let credentials = self.inner.evidence.credentials.as_ref().ok()?.as_ref()?;
        Some(SubjectToken(credentials.token.clone()))
    }

    /// Asks whether `action` is permitted: inside what was delegated, and by the policy, now, with its arguments.
    /// The decision is recorded before it is given; the tool then runs with the permit.
    ///
    /// # Errors
    /// [`Rejection`], with the first of: an expired delegation, a missing scope or what is outside of the limits of the
    /// delegation, a revocation, the policy's denial, a limit of its permission that is reached or cannot be counted
    /// ([`LimitRefusal`](crate::policy::LimitRefusal)), an approval that it needs and does not have (see [`approval`](crate::approval)),
    /// no use left, a record that could not be kept. (A use is spent before the record is kept, and is not given back; so is an
    /// approval. What was taken of limits is given back.)
    pub async fn authorize<A>(&self, action: Action<A>) -> Result<Permit<A>, Rejection> {
        let auth = &self.inner.auth;
        let now = auth.now();
        let (id, failure) = self.id_for_decision();
        let mut record = self.open_record(&id, now);
        record.action = Some(ActionRecord {
            name: action.name.as_str().into(),
            resource: action.resource.as_ref().map(Resource::to_record),
            arguments: Some(action.arguments.digest()),
            shown: auth.inner.shown_arguments.of(&action.arguments),
        });
        let malformed = action.resource.as_ref().filter(|resource| !resource.is_well_formed());
        let failure = failure.or_else(|| malformed.map(|_| Refusal::Resource));
        let standing = match failure.map_or_else(|| self.check_action(&action, now).map(drop), Err) {
            Ok(()) => self.standing(now).await,
            refused => refused,
        };
        let settled = match standing {
            Err(refusal) => Err(refusal),
            Ok(()) => {
                // Asked for before, so that an engine that changes meanwhile and does not say so is taken for the older.
                let version = auth.inner.policy.version();
                let decision = self.decide(&action, now).await;
                record.decided(&decision, version);
                auth.inner.flips.count(decision.would_flip());
                match decision.effect() {
                    Effect::Deny => Err(Refusal::of_decision(&decision)),
                    Effect::Allow => {
                        let settled = self.settle(&decision, &action, &mut record).await;
                        settled.inspect_err(|refusal| {
                            record.reasons.push(Reason::new(ReasonKind::Refused, refusal.to_string()));
                        })
                    }
                }
            }
        };
        let outcome = settled.is_ok().then(|| Outcome::of(self, &record));
        // In one step, so that whatever is held is given back where the record cannot be kept.
        match (self.conclude(record, settled).await, outcome) {
            (Ok(settled), Some(outcome)) => Ok(Permit::new(self, outcome, action, settled, now)),
            (Ok(_), None) => Err(auth.reject(Refusal::Random, &id)),
            (Err(rejection), outcome) => {
                // What was not permitted has no outcome.
                outcome.into_iter().for_each(Outcome::never);
                Err(rejection)
            }
        }
    }

    /// Requires `needed` of the delegation, for a whole route for instance, and records the answer. Only scopes count: what is
    /// delegated within limits does not stand for one.
    ///
    /// # Errors
    /// [`Rejection`]: an expired delegation, a missing scope, a revocation, a record that could not be kept.
    pub fn require_scopes(&self, needed: &ScopeSet) -> Recorded<()> {
        let auth = &self.inner.auth;
        let now = auth.now();
        let (id, failure) = self.id_for_decision();
        let refusal = failure.or_else(|| self.check_authority(needed, now).err());
        let mut record = self.open_record(&id, now);
        let name = format!("require {needed}").into();
        record.action = Some(ActionRecord { name, resource: None, arguments: None, shown: None });
        self.conclude_if_standing(record, refusal, now)
    }

    /// Requires that the token is bound to the caller's key, for a whole route for instance, and records the answer.
    ///
    /// # Errors
    /// [`Rejection`]: an expired delegation, a bearer token, a revocation, a record that could not be kept.
    pub fn require_binding(&self) -> Recorded<()> {
        let auth = &self.inner.auth;
        let now = auth.now();
        let (id, failure) = self.id_for_decision();
        let refusal = failure
            .or_else(|| self.check_authority(&ScopeSet::none(), now).err())
            .or_else(|| (self.inner.delegation.binding() == Binding::Bearer).then(|| BindingError::Required.into()));
        let mut record = self.open_record(&id, now);
        record.action =
            Some(ActionRecord { name: "require binding".into(), resource: None, arguments: None, shown: None });
        self.conclude_if_standing(record, refusal, now)
    }

    /// An id for a decision; without one, the decision is a refusal, and is recorded all the same.
    pub(super) fn id_for_decision(&self) -> (Arc<str>, Option<Refusal>) {
        match self.inner.auth.new_id() {
            Ok(id) => (id, None),
            Err(refusal) => (NO_ID.into(), Some(refusal)),
        }
    }

    /// The record of a decision that is begun.
    pub(super) fn open_record(&self, id: &Arc<str>, now: Timestamp) -> OpenRecord {
        self.inner.auth.open(self.record(id, now))
    }

    fn record(&self, id: &Arc<str>, now: Timestamp) -> Record {
        let auth = &self.inner.auth;
        let mut record = auth.record(RecordKind::Decision, id, now);
        record.authentication_id = Some(Arc::clone(&self.inner.evaluation_id));
        record.delegation = Some(Arc::clone(&self.inner.delegation_record));
        record.transaction = self.transaction().map(TransactionToken::shared_txn);
        record.seen_from(self.peer());
        record.trace.clone_from(&self.inner.evidence.trace);
        record
    }

    /// Whether the caller may act at all, at this moment: it may be kept for longer than its credentials last.
    pub(super) fn check_standing(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.inner.delegation.is_over(now) {
            return Err(DelegationError::Expired.into());
        }
        if let Some(transaction) = self.transaction() {
            transaction.check_lifetime(now)?;
        }
        self.inner.auth.check_connection(&self.inner.evidence, now)
    }

    fn check_authority(&self, needed: &ScopeSet, now: Timestamp) -> Result<(), Refusal> {
        self.check_standing(now)?;
        if self.inner.auth.inner.implications.covers(self.scopes(), needed) {
            Ok(())
        } else {
            Err(Refusal::Scope { needed: needed.clone() })
        }
    }

    /// Whether `action` was delegated; and if only a number of times, by which grant.
    pub(super) fn check_action<A>(&self, action: &Action<A>, now: Timestamp) -> Result<Option<&Grant>, Refusal> {
        self.check_standing(now)?;
        let auth = &self.inner.auth.inner;
        let wanted = Wanted::new(&action.scope, &auth.resource, now).with(action.arguments.as_json());
        let wanted = action.resource.iter().fold(wanted, |wanted, on| wanted.on(on.kind(), on.id()));
        self.inner.delegation.authority().check(&wanted, &auth.implications).map_err(|why| match why {
            NotDelegated::Action => Refusal::Scope { needed: ScopeSet::from(&action.scope) },
            why => Refusal::Limits { scope: action.scope.clone(), why },
        })
    }

    /// Whether nothing has been taken back since.
    pub(super) fn standing(&self, now: Timestamp) -> Wait<Result<(), Refusal>> {
        self.inner.auth.standing(self.inner.delegation.token(), self.peer(), now)
    }

    pub(super) fn facts(&self) -> CallerFacts<'_> {
        let delegation = &self.inner.delegation;
        CallerFacts {
            server: &self.inner.auth.inner.resource,
            agent: delegation.actor(),
            holders: delegation.holders(),
            principal: delegation.principal(),
            mode: delegation.mode(),
            issuer: delegation.issuer(),
            depth: delegation.depth(),
            authority: delegation.authority(),
        }
    }

    async fn decide<A>(&self, action: &Action<A>, now: Timestamp) -> Decision {
        let request = AuthzRequest {
            caller: self.facts(),
            action: action.name.as_str(),
            resource: action.resource.as_ref(),
            arguments: &action.arguments,
            now,
        };
        let decision = match self.inner.auth.inner.policy.decide(&request).await {
            Ok(decision) => decision,
            Err(error) => Decision::failed(&error),
        };
        // A rejection is logged, and told on: engines may name whom they like, and it does not.
        decision.masking(self.principal())
    }

    /// Refuses for `refusal`, or else if something has been taken back.
    fn conclude_if_standing(&self, record: OpenRecord, refusal: Option<Refusal>, now: Timestamp) -> Recorded<()> {
        if refusal.is_some() {
            return self.conclude(record, refusal.map_or(Ok(()), Err));
        }
        let mut standing = self.standing(now);
        match at_once(&mut standing) {
            Poll::Ready(stands) => self.conclude(record, stands),
            Poll::Pending => {
                let caller = self.clone();
                Recorded::asking(async move {
                    // Whoever was asked may have taken their time.
                    let stands = standing.await.and_then(|()| caller.check_standing(caller.inner.auth.now()));
                    caller.conclude(record, stands).await
                })
            }
        }
    }

    pub(super) fn conclude<T>(&self, record: OpenRecord, answer: Result<T, Refusal>) -> Recorded<T> {
        let auth = &self.inner.auth;
        let mut record = record.close();
        record.took_until(auth.now());
        let answer = answer.map_err(|refusal| {
            deny(&mut record, &refusal);
            auth.reject(refusal, &record.evaluation_id)
        });
        auth.recorded(answer, record)
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("agent", self.agent())
            .field("principal", self.principal())
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}
