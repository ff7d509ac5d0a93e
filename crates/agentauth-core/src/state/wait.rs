//! The wait for one answer of a store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// There already, or later. An answer is given once: whoever asks again is given `A::default()`, which is nothing good.
pub(super) enum Wait<A> {
    Ready(Option<A>),
    Later(Pin<Box<dyn Future<Output = A> + Send>>),
}

impl<A: Default + Unpin> Wait<A> {
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<A> {
        match self {
            Self::Ready(answer) => Poll::Ready(answer.take().unwrap_or_default()),
            Self::Later(future) => future.as_mut().poll(context),
        }
    }
}

impl<A> fmt::Debug for Wait<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "ready",
            Self::Later(_) => "waiting",
        })
    }
}
