//! What a token can be revoked by, and since when it is known that it is not.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use super::VerifiedToken;
use crate::identity::{AgentId, SpiffeId};
use crate::state::revocation::Wait;
use crate::state::revocation::{RevocationAnswer, RevocationStore, Revoked, Subjects};
use crate::time::Timestamp;

/// Made once for a token, when it is first asked about.
#[derive(Default)]
pub(crate) struct Revocable {
    subjects: OnceLock<Subjects>,
    /// The last epoch of the store in which nothing of it was revoked. There is nothing in epoch 0.
    clear_in: AtomicU64,
}

impl fmt::Debug for Revocable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocable").field("clear_in", &self.clear_in).finish_non_exhaustive()
    }
}

impl VerifiedToken {
    /// What it can be revoked by.
    pub(crate) fn subjects(&self) -> &Subjects {
        self.revocable.subjects.get_or_init(|| {
            let reading = &self.reading;
            let mut subjects =
                Subjects::of_token(&self.issuer, &self.id, self.issued).for_principal(&reading.principal);
            // What its holders have made of a token is taken back with it.
            if let Some(narrowing) = &self.narrowing {
                subjects = subjects.made_of(&self.issuer, &narrowing.root.0);
            }
            if let Some(grant) = &self.grant {
                subjects = subjects.in_grant(&self.issuer, grant);
            }
            for agent in std::iter::once(&reading.actor).chain(&reading.earlier) {
                subjects = subjects.by_agent(agent);
                // A holder's word makes no workload of its delegate, but nobody gets past the revocation of one by it.
                if let AgentId::Named { name, .. } = agent
                    && let Ok(id) = name.parse::<SpiffeId>()
                {
                    subjects = subjects.by_agent(&AgentId::Spiffe(id));
                }
            }
            // A client that is called like a workload may not be one, and can be revoked as what it is then.
            if let AgentId::Spiffe(id) = &reading.actor
                && reading.actor_is_client
            {
                let named = AgentId::Named { issuer: self.namer().clone(), name: id.as_str().into() };
                subjects = subjects.by_agent(&named);
            }
            subjects
        })
    }

    fn settle(&self, answer: RevocationAnswer, epoch: Option<u64>) -> Result<(), Revoked> {
        match answer {
            RevocationAnswer::Clear => {
                if let Some(epoch) = epoch {
                    self.revocable.clear_in.store(epoch, Ordering::Release);
                }
                Ok(())
            }
            RevocationAnswer::Revoked(kind) => Err(kind.into()),
            RevocationAnswer::Unavailable => Err(Revoked::Unavailable),
        }
    }
}

/// Whether `token` is revoked: it, its grant, an agent of its chain, its principal, or its issuer.
#[inline]
pub(crate) fn check_revocation(
    store: &dyn RevocationStore,
    token: &Arc<VerifiedToken>,
    now: Timestamp,
) -> Wait<Result<(), Revoked>> {
    // Before the store is asked: what is revoked meanwhile is of a later epoch.
    let epoch = store.epoch(now);
    if epoch == Some(token.revocable.clear_in.load(Ordering::Acquire)) {
        return Wait::ready(Ok(()));
    }
    let mut checking = store.check(token.subjects(), now);
    match Pin::new(&mut checking).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Wait::ready(token.settle(answer, epoch)),
        Poll::Pending => {
            let token = Arc::clone(token);
            Wait::later(async move { token.settle(checking.await, epoch) })
        }
    }
}
