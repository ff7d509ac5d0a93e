use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::wait::Wait;
use crate::time::Timestamp;

/// Counts what may be used a limited number of times ([`Grant::uses`](crate::Grant::uses)).
///
/// It sees digests, never what they were made of. A store that answers at once uses [`Debit::ready`]; one that asks over a
/// network uses [`Debit::later`], and must bound its wait. Replicas that do not share a store each count for themselves.
pub trait UseStore: Send + Sync + fmt::Debug {
    /// Counts one more use of `digest`, unless there have been `limit` or more; the count is remembered up to, but not
    /// including, the latest `until` it was given. Both are one step: of any number that ask at once, no more than are left
    /// are told [`DebitAnswer::Debited`].
    fn debit(&self, digest: &[u8; 32], limit: u32, until: Timestamp, now: Timestamp) -> Debit;
}

impl<S: UseStore + ?Sized> UseStore for Arc<S> {
    fn debit(&self, digest: &[u8; 32], limit: u32, until: Timestamp, now: Timestamp) -> Debit {
        (**self).debit(digest, limit, until, now)
    }
}

/// What a store says of a use. Only [`DebitAnswer::Debited`] lets the action go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[must_use]
pub enum DebitAnswer {
    /// It is counted.
    Debited,
    /// As many as there may be have been counted before.
    Exhausted,
    /// The store cannot tell, or cannot remember it.
    #[default]
    Unavailable,
}

/// The wait for one answer: a future of [`DebitAnswer`].
#[must_use = "nothing is known before this is awaited"]
pub struct Debit(Wait<DebitAnswer>);

impl Debit {
    /// Answered already.
    pub const fn ready(answer: DebitAnswer) -> Self {
        Self(Wait::Ready(Some(answer)))
    }

    /// Answered when `future` is.
    pub fn later(future: impl Future<Output = DebitAnswer> + Send + 'static) -> Self {
        Self(Wait::Later(Box::pin(future)))
    }
}

impl Future for Debit {
    type Output = DebitAnswer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<DebitAnswer> {
        self.0.poll(context)
    }
}

impl fmt::Debug for Debit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Debit({:?})", self.0)
    }
}
