//! A store whose answers are counted.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use agentauth_core::Timestamp;
use agentauth_core::state::{Remember, ReplayAnswer, ReplayStore};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use crate::names::label;

/// A [`ReplayStore`] whose answers are counted: see [`Metrics::replays`](crate::Metrics::replays).
#[derive(Debug, Clone)]
pub struct CountedReplays<S> {
    store: S,
    checks: Counter<u64>,
}

impl<S> CountedReplays<S> {
    pub(super) const fn new(store: S, checks: Counter<u64>) -> Self {
        Self { store, checks }
    }
}

impl<S: ReplayStore> ReplayStore for CountedReplays<S> {
    fn remember(&self, digest: &[u8; 32], until: Timestamp, now: Timestamp) -> Remember {
        let mut remembering = self.store.remember(digest, until, now);
        // A store in memory has answered, and goes on without an allocation.
        match Pin::new(&mut remembering).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => {
                count(&self.checks, answer);
                Remember::ready(answer)
            }
            Poll::Pending => {
                let checks = self.checks.clone();
                Remember::later(async move {
                    let answer = remembering.await;
                    count(&checks, answer);
                    answer
                })
            }
        }
    }
}

fn count(checks: &Counter<u64>, answer: ReplayAnswer) {
    let result = match answer {
        ReplayAnswer::Fresh => "fresh",
        ReplayAnswer::Replayed => "replayed",
        ReplayAnswer::Unavailable => "unavailable",
    };
    checks.add(1, &[KeyValue::new(label::RESULT, result)]);
}
