use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::wait::Wait;
use crate::time::Timestamp;

/// Remembers what may be used once (RFC 9449 §11.1).
///
/// It sees digests, never what they were made of. A store that answers at once uses [`Remember::ready`], which costs no
/// allocation; one that asks over a network uses [`Remember::later`], and must bound its wait. Replicas that do not
/// share a store each take a thing once.
pub trait ReplayStore: Send + Sync + fmt::Debug {
    /// Remembers `digest` up to, but not including, the moment `until`, and says whether it was remembered already.
    /// Both are one step: of any number that ask for the same digest at once, one is told [`ReplayAnswer::Fresh`].
    fn remember(&self, digest: &[u8; 32], until: Timestamp, now: Timestamp) -> Remember;
}

impl<S: ReplayStore + ?Sized> ReplayStore for Arc<S> {
    fn remember(&self, digest: &[u8; 32], until: Timestamp, now: Timestamp) -> Remember {
        (**self).remember(digest, until, now)
    }
}

/// What a store says of a digest. Only [`ReplayAnswer::Fresh`] lets the request go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[must_use]
pub enum ReplayAnswer {
    /// It had not been seen, and is remembered from now on.
    Fresh,
    /// It has been seen before.
    Replayed,
    /// The store cannot tell, or cannot remember it.
    #[default]
    Unavailable,
}

/// The wait for one answer: a future of [`ReplayAnswer`].
#[must_use = "nothing is known before this is awaited"]
pub struct Remember(Wait<ReplayAnswer>);

impl Remember {
    /// Answered already.
    pub const fn ready(answer: ReplayAnswer) -> Self {
        Self(Wait::Ready(Some(answer)))
    }

    /// Answered when `future` is.
    pub fn later(future: impl Future<Output = ReplayAnswer> + Send + 'static) -> Self {
        Self(Wait::Later(Box::pin(future)))
    }
}

impl Future for Remember {
    type Output = ReplayAnswer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ReplayAnswer> {
        self.0.poll(context)
    }
}

impl fmt::Debug for Remember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remember({:?})", self.0)
    }
}
