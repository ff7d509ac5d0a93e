//! Who is calling? The walk through the rooms, and the wait where one of them must ask someone.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use super::standing::at_once;
use super::{AgentAuth, Caller, NO_ID, OpenRecord, Recorded, deny};
use crate::audit::{DelegationRecord, RecordKind};
use crate::binding::dpop::{DpopError, DpopVerifier, Scheme, VerifiedProof};
use crate::binding::{self, Binding, BindingError, Bound, Presented};
use crate::delegation::{Delegation, DelegationError, Mode};
use crate::evidence::{Credentials, Evidence};
use crate::identity::Peer;
use crate::identity::svid::SvidError;
use crate::rejection::{Refusal, Rejection};
use crate::scope::ScopeImplications;
use crate::time::Timestamp;
use crate::token::{
    Held, Pending, TransactionHeld, TransactionPending, TransactionToken, TransactionTokenError, VerifiedToken,
};

/// The wait for a caller to be verified, and for that to be recorded: a future of `Result<Caller, Rejection>`.
///
/// It is ready at once unless newer keys or a status list must be fetched, the issuer must be asked, or revocations or a
/// proof of possession must be looked up in a store that is elsewhere.
#[must_use = "nobody is verified before this is awaited"]
pub struct Authentication(State);

type Asking = Pin<Box<dyn Future<Output = Result<Caller, Rejection>> + Send>>;

enum State {
    Recording(Recorded<Caller>),
    /// Empty once it has answered.
    Asking(Option<Asking>),
}

impl Authentication {
    const fn of(recorded: Recorded<Caller>) -> Self {
        Self(State::Recording(recorded))
    }

    fn asking(future: impl Future<Output = Result<Caller, Rejection>> + Send + 'static) -> Self {
        Self(State::Asking(Some(Box::pin(future))))
    }
}

impl Future for Authentication {
    type Output = Result<Caller, Rejection>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Recording(recorded) => Pin::new(recorded).poll(context),
            State::Asking(asking) => {
                // A future that is polled after it has answered stays silent.
                let Some(future) = asking else { return Poll::Pending };
                let answer = ready!(future.as_mut().poll(context));
                *asking = None;
                Poll::Ready(answer)
            }
        }
    }
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Recording(_) => "Authentication(recording)",
            State::Asking(_) => "Authentication(asking)",
        })
    }
}

/// A caller whose token and proof are good, unless the proof has been used before.
struct Presenter {
    delegation: Delegation,
    proof: Option<VerifiedProof>,
    transaction: Option<TransactionToken>,
}

impl Presenter {
    /// The transaction narrows what is delegated, and grants nothing.
    fn within(self, transaction: Option<TransactionToken>, implications: &ScopeImplications) -> Self {
        let delegation = match &transaction {
            Some(transaction) => self.delegation.narrowed_to(transaction.scopes(), implications),
            None => self.delegation,
        };
        Self { delegation, transaction, proof: self.proof }
    }
}

/// How far one can get without waiting.
enum Examined {
    Done(Result<Presenter, Refusal>),
    Asking(Pending),
}

impl AgentAuth {
    /// Verifies a caller: identity, token, binding, delegation. The answer is recorded before it is given.
    ///
    /// # Errors
    /// The returned future answers with a [`Rejection`]; its [`Refusal`] is the first rule that failed.
    pub fn authenticate(&self, evidence: Evidence) -> Authentication {
        let now = self.inner.clock.now();
        let (id, failure) = match self.new_id() {
            Ok(id) => (id, None),
            Err(refusal) => (NO_ID.into(), Some(refusal)),
        };
        let mut record = self.record(RecordKind::Authentication, &id, now);
        record.seen_from(evidence.peer.as_ref());
        record.trace.clone_from(&evidence.trace);
        let record = self.open(record);
        let examined = failure.map_or_else(|| self.examine(&evidence, now), |refusal| Examined::Done(Err(refusal)));
        match examined {
            Examined::Done(presenter) => self.settle(evidence, record, presenter, now),
            Examined::Asking(pending) => {
                let auth = self.clone();
                Authentication::asking(async move { auth.ask(evidence, record, pending).await })
            }
        }
    }

    /// The courtroom's order: each step reads only what earlier steps verified.
    fn examine(&self, evidence: &Evidence, now: Timestamp) -> Examined {
        let credentials = match self.credentials(evidence, now) {
            Ok(credentials) => credentials,
            Err(refusal) => return Examined::Done(Err(refusal)),
        };
        let issued = match self.issued_of(credentials, evidence) {
            Ok(issued) => issued,
            Err(refusal) => return Examined::Done(Err(refusal)),
        };
        match self.inner.tokens.begin(issued, now) {
            Ok(token) => Examined::Done(self.present(token, credentials, evidence, now)),
            Err(Held::Refused(error)) => Examined::Done(Err(error.into())),
            Err(Held::Pending(pending)) => Examined::Asking(pending),
        }
    }

    async fn ask(&self, evidence: Evidence, record: OpenRecord, pending: Pending) -> Result<Caller, Rejection> {
        let presenter = self.ask_for_token(&evidence, pending).await;
        let now = self.inner.clock.now();
        self.settle(evidence, record, presenter, now).await
    }

    async fn ask_for_token(&self, evidence: &Evidence, pending: Pending) -> Result<Presenter, Refusal> {
        let clock = &*self.inner.clock;
        let credentials = self.credentials(evidence, clock.now())?;
        let issued = self.issued_of(credentials, evidence)?;
        let token = self.inner.tokens.finish(issued, pending, clock).await?;
        let now = clock.now();
        // Certificates may have expired meanwhile.
        self.check_connection(evidence, now)?;
        self.present(token, credentials, evidence, now)
    }

    /// What is shown, if the connection it came over is good.
    fn credentials<'e>(&self, evidence: &'e Evidence, now: Timestamp) -> Result<&'e Credentials, Refusal> {
        self.check_connection(evidence, now)?;
        let credentials = evidence.credentials.as_ref().map_err(Clone::clone)?.as_ref();
        // Where DPoP is not taken, its scheme is one that is not known.
        let known = credentials.filter(|shown| shown.scheme == Scheme::Bearer || self.inner.dpop.is_some());
        known.ok_or(Refusal::NoCredentials)
    }

    /// Who presents the token, and may they?
    fn present(
        &self,
        token: Arc<VerifiedToken>,
        credentials: &Credentials,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Presenter, Refusal> {
        // What its holders say of it does not make a delegation of a token that was none.
        let issued_as = token.reading.mode;
        let token = self.narrowed(token, credentials, evidence, now)?;
        let dpop = self.inner.dpop.as_ref();
        let proof = match (&credentials.proof, dpop) {
            (Err(error), Some(_)) => return Err(BindingError::from(error.clone()).into()),
            (Ok(proof), Some(_)) => proof.as_ref(),
            (_, None) => None,
        };
        let presented = Presented {
            token: credentials.token.reveal(),
            scheme: credentials.scheme,
            proof: proof.map(|proof| (proof.jws.reveal(), &proof.method, &proof.uri)),
            certificate: evidence.certificate_thumbprint(),
        };
        let Bound { binding, proof } = binding::check(token.confirmation, &presented, dpop, now)?;
        if self.inner.requires_binding && binding == Binding::Bearer {
            return Err(BindingError::Required.into());
        }
        let agents = self.inner.agents.as_ref();
        let delegation = Delegation::accept(token, binding, evidence.peer.as_ref(), agents, &self.inner.actor_binding)?;
        if self.inner.requires_delegation && [issued_as, delegation.mode()] != [Mode::OnBehalfOf; 2] {
            return Err(DelegationError::Required(delegation.actor().clone()).into());
        }
        Ok(Presenter { delegation, proof, transaction: None })
    }

    /// What is the token used for? Looked at once it is known that the caller may use it.
    fn settle(
        &self,
        evidence: Evidence,
        record: OpenRecord,
        presenter: Result<Presenter, Refusal>,
        now: Timestamp,
    ) -> Authentication {
        let (Some(transactions), Ok(_)) = (&self.inner.transactions, &presenter) else {
            return self.stand(evidence, record, presenter, now);
        };
        match transactions.begin(&evidence.transaction, now) {
            Ok(transaction) => {
                let presenter = presenter.map(|presenter| presenter.within(transaction, &self.inner.implications));
                self.stand(evidence, record, presenter, now)
            }
            Err(TransactionHeld::Refused(error)) => self.stand(evidence, record, Err(error.into()), now),
            Err(TransactionHeld::Pending(pending)) => {
                let auth = self.clone();
                Authentication::asking(async move {
                    let presenter = auth.ask_for_transaction(&evidence, presenter, pending).await;
                    let now = auth.inner.clock.now();
                    auth.stand(evidence, record, presenter, now).await
                })
            }
        }
    }

    async fn ask_for_transaction(
        &self,
        evidence: &Evidence,
        presenter: Result<Presenter, Refusal>,
        pending: TransactionPending,
    ) -> Result<Presenter, Refusal> {
        let transactions = self.inner.transactions.as_ref().ok_or(TransactionTokenError::Missing)?;
        let clock = &*self.inner.clock;
        let transaction = transactions.finish(&evidence.transaction, pending, clock).await?;
        let presenter = presenter?;
        self.check_still(evidence, &presenter.delegation, None)?;
        Ok(presenter.within(transaction, &self.inner.implications))
    }

    /// Certificates, the token itself and the transaction may have expired while something was waited for.
    fn check_still(
        &self,
        evidence: &Evidence,
        delegation: &Delegation,
        transaction: Option<&TransactionToken>,
    ) -> Result<(), Refusal> {
        let now = self.now();
        self.check_connection(evidence, now)?;
        if delegation.is_over(now) {
            return Err(DelegationError::Expired.into());
        }
        Ok(transaction.map_or(Ok(()), |transaction| transaction.check_lifetime(now))?)
    }

    /// What was taken back does not count, however good it looks.
    fn stand(
        &self,
        evidence: Evidence,
        record: OpenRecord,
        presenter: Result<Presenter, Refusal>,
        now: Timestamp,
    ) -> Authentication {
        let presenter = match presenter {
            Ok(presenter) => presenter,
            Err(refusal) => return Authentication::of(self.conclude(evidence, record, Err(refusal), None, now)),
        };
        let mut standing = self.standing(presenter.delegation.token(), evidence.peer.as_ref(), now);
        match at_once(&mut standing) {
            Poll::Ready(Ok(())) => self.use_proof(evidence, record, presenter, now),
            Poll::Ready(Err(refusal)) => Authentication::of(self.conclude(evidence, record, Err(refusal), None, now)),
            Poll::Pending => {
                let auth = self.clone();
                Authentication::asking(async move {
                    let Presenter { delegation, transaction, .. } = &presenter;
                    let stands = standing.await;
                    let stands = stands.and_then(|()| auth.check_still(&evidence, delegation, transaction.as_ref()));
                    match stands {
                        Ok(()) => auth.use_proof(evidence, record, presenter, auth.now()).await,
                        Err(refusal) => auth.conclude(evidence, record, Err(refusal), None, now).await,
                    }
                })
            }
        }
    }

    /// Uses the proof up, if there is one, last: nobody can use up what they could not have made (RFC 9449 §11.1).
    fn use_proof(
        &self,
        evidence: Evidence,
        record: OpenRecord,
        presenter: Presenter,
        now: Timestamp,
    ) -> Authentication {
        let recording = Authentication::of;
        let (presented, proof) = match presenter {
            Presenter { delegation, transaction, proof: None } => {
                return recording(self.conclude(evidence, record, Ok((delegation, transaction)), None, now));
            }
            Presenter { delegation, transaction, proof: Some(proof) } => ((delegation, transaction), proof),
        };
        let Some(dpop) = &self.inner.dpop else {
            return recording(self.conclude(evidence, record, Err(BindingError::MethodUnsupported.into()), None, now));
        };
        let nonce = if proof.needs_new_nonce() { dpop.nonce(now) } else { None };
        let used_by =
            |used: Result<(), DpopError>| used.map(|()| presented).map_err(|error| BindingError::from(error).into());
        let mut using = dpop.use_once(&proof, now);
        match Pin::new(&mut using).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(used) => recording(self.conclude(evidence, record, used_by(used), nonce, now)),
            Poll::Pending => {
                let auth = self.clone();
                Authentication::asking(async move {
                    let presented = used_by(using.await).and_then(|(delegation, transaction)| {
                        auth.check_still(&evidence, &delegation, transaction.as_ref())?;
                        Ok((delegation, transaction))
                    });
                    auth.conclude(evidence, record, presented, nonce, now).await
                })
            }
        }
    }

    fn conclude(
        &self,
        evidence: Evidence,
        record: OpenRecord,
        presented: Result<(Delegation, Option<TransactionToken>), Refusal>,
        nonce: Option<String>,
        now: Timestamp,
    ) -> Recorded<Caller> {
        let mut record = record.close();
        record.time = now;
        let id = Arc::clone(&record.evaluation_id);
        let answer = match presented {
            Ok((delegation, transaction)) => {
                let delegation_record =
                    DelegationRecord::of(&delegation, evidence.peer.as_ref(), &self.inner.audit_key);
                record.delegation = Some(Arc::clone(&delegation_record));
                record.transaction = transaction.as_ref().map(TransactionToken::shared_txn);
                Ok(Caller::new(self.clone(), delegation, delegation_record, evidence, id, transaction, nonce))
            }
            Err(refusal) => {
                deny(&mut record, &refusal);
                Err(self.reject(refusal, &id))
            }
        };
        self.recorded(answer, record)
    }

    /// A connection can outlive its certificate, or its trust domain's place in the configuration; and what a proxy has
    /// passed on can, too.
    pub(super) fn check_connection(&self, evidence: &Evidence, now: Timestamp) -> Result<(), Refusal> {
        if let Some(certificate) = &evidence.certificate {
            certificate.check_validity(now).map_err(BindingError::ClientCertificate)?;
        }
        match &evidence.peer {
            Some(peer) => Ok(self.recheck(peer, now)?),
            None => Ok(()),
        }
    }

    /// Checks again what may have changed since a connection was made: see [`AgentTrust::recheck`](crate::AgentTrust).
    ///
    /// # Errors
    /// As [`AgentTrust::recheck`](crate::AgentTrust::recheck); [`SvidError::UnknownTrustDomain`] where no agents are trusted.
    pub fn recheck(&self, peer: &Peer, now: Timestamp) -> Result<(), SvidError> {
        match &self.inner.agents {
            Some(trust) => trust.recheck(peer, now),
            None => Err(SvidError::UnknownTrustDomain(peer.id().trust_domain())),
        }
    }

    /// How DPoP proofs are verified here, if they are.
    #[must_use]
    pub fn dpop(&self) -> Option<&DpopVerifier> {
        self.inner.dpop.as_ref()
    }

    /// Whether bearer tokens are refused.
    #[must_use]
    pub fn requires_binding(&self) -> bool {
        self.inner.requires_binding
    }

    /// Verifies every token anew from now on, whatever was verified before, and exchanges anew what callers pass on: call it
    /// when an issuer has revoked something. What is revoked here ([`AgentAuth::revoke`]) needs no such call.
    pub fn forget_tokens(&self) {
        self.inner.tokens.forget();
        if let Some(delegator) = &self.inner.delegator {
            delegator.forget();
        }
    }
}
