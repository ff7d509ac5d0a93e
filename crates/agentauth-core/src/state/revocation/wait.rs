//! Waits that are mostly over before they begin.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The wait for what a store says. A store that answers at once uses [`Wait::ready`], which costs no allocation; one
/// that asks elsewhere uses [`Wait::later`], and must bound its wait.
#[must_use = "nothing is known before this is awaited"]
pub struct Wait<T>(State<T>);

enum State<T> {
    /// Empty once it has answered.
    Ready(Option<T>),
    Later(Option<Pin<Box<dyn Future<Output = T> + Send>>>),
}

impl<T> Wait<T> {
    /// Answered already.
    pub const fn ready(answer: T) -> Self {
        Self(State::Ready(Some(answer)))
    }

    /// Answered when `future` is.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(State::Later(Some(Box::pin(future))))
    }
}

/// Nothing in it is pinned: it is a value, or a box.
impl<T> Unpin for Wait<T> {}

impl<T> Future for Wait<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            // An answer is given once: whoever asks again waits for ever.
            State::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            State::Later(later) => {
                let Some(future) = later else { return Poll::Pending };
                let answer = ready!(future.as_mut().poll(context));
                *later = None;
                Poll::Ready(answer)
            }
        }
    }
}

impl<T> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "Wait(ready)",
            State::Later(_) => "Wait(waiting)",
        })
    }
}
