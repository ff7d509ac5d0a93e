//! Is a caller that was verified before still who it was? What may have been taken back is looked at each time.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::AgentAuth;
use crate::identity::{AgentId, Peer};
use crate::rejection::Refusal;
use crate::state::revocation::Wait;
use crate::state::revocation::{RevocationAnswer, Revoked, Subjects};
use crate::time::Timestamp;
use crate::token::{VerifiedToken, check_revocation};

/// Polls `wait` once. It is polled again if it is not over.
pub(super) fn at_once<T>(wait: &mut Wait<T>) -> Poll<T> {
    Pin::new(wait).poll(&mut Context::from_waker(Waker::noop()))
}

impl AgentAuth {
    /// Whether a good token, shown over a connection that proves `peer`, has been taken back: by its status list, or by a
    /// revocation of anything that it depends on.
    pub(super) fn standing(
        &self,
        token: &Arc<VerifiedToken>,
        peer: Option<&Peer>,
        now: Timestamp,
    ) -> Wait<Result<(), Refusal>> {
        let has_status = self.inner.tokens.knows_status(token, now);
        let other = peer.filter(|peer| token.actor().spiffe_id() != Some(peer.id()));
        if has_status && other.is_none() {
            let Some(store) = &self.inner.revocations else { return Wait::ready(Ok(())) };
            let mut checking = check_revocation(&**store, token, now);
            return match at_once(&mut checking) {
                Poll::Ready(answer) => Wait::ready(answer.map_err(Refusal::from)),
                Poll::Pending => Wait::later(async move { Ok(checking.await?) }),
            };
        }
        let (auth, token, other) =
            (self.clone(), Arc::clone(token), other.map(|peer| AgentId::from(peer.id().clone())));
        let mut looking = Box::pin(async move { auth.look_again(&token, other, now).await });
        match looking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Wait::ready(answer),
            Poll::Pending => Wait::later(looking),
        }
    }

    async fn look_again(
        &self,
        token: &Arc<VerifiedToken>,
        peer: Option<AgentId>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if !self.inner.tokens.knows_status(token, now) {
            self.inner.tokens.check_status(token, &*self.inner.clock).await?;
        }
        let Some(store) = &self.inner.revocations else { return Ok(()) };
        check_revocation(&**store, token, now).await?;
        // The one at the other end is not the actor: it may pass on what others sent, but not once it is revoked.
        let Some(peer) = peer.filter(|_| store.epoch(now) != Some(0)) else { return Ok(()) };
        match store.check(&Subjects::of_agent(&peer, now), now).await {
            RevocationAnswer::Clear => Ok(()),
            RevocationAnswer::Revoked(kind) => Err(Revoked::from(kind).into()),
            RevocationAnswer::Unavailable => Err(Revoked::Unavailable.into()),
        }
    }
}
