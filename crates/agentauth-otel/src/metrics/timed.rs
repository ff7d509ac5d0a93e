//! A sink whose answers are waited for with a watch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use agentauth_core::audit::{Append, AuditError, AuditSink, Record};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;

use crate::names::label;

/// An [`AuditSink`] with the wait for it measured: see [`Metrics::timed`](crate::Metrics::timed).
#[derive(Debug, Clone)]
pub struct TimedSink<S> {
    sink: S,
    duration: Histogram<f64>,
}

impl<S> TimedSink<S> {
    pub(super) const fn new(sink: S, duration: Histogram<f64>) -> Self {
        Self { sink, duration }
    }
}

impl<S: AuditSink> AuditSink for TimedSink<S> {
    fn append(&self, record: Arc<Record>) -> Append {
        let begun = Instant::now();
        let mut append = self.sink.append(record);
        match Pin::new(&mut append).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => {
                note(&self.duration, begun, &result);
                Append::done(result)
            }
            Poll::Pending => {
                let duration = self.duration.clone();
                Append::later(async move {
                    let result = append.await;
                    note(&duration, begun, &result);
                    result
                })
            }
        }
    }
}

fn note(duration: &Histogram<f64>, begun: Instant, result: &Result<(), AuditError>) {
    let result = match result {
        Ok(()) => "kept",
        Err(AuditError::Full) => "full",
        Err(AuditError::Closed) => "closed",
        Err(AuditError::Late) => "late",
        Err(_) => "failed",
    };
    duration.record(begun.elapsed().as_secs_f64(), &[KeyValue::new(label::RESULT, result)]);
}
