//! Answers that are given once they are on record.

use std::fmt;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use smallvec::SmallVec;

use super::{AgentAuth, deny};
use crate::audit::{Append, AuditError, AuditSink, Record};
use crate::rejection::{Refusal, Rejection};

/// An answer that is given once it is recorded: a future of `Result<T, Rejection>`.
#[must_use = "nothing is answered before this is awaited"]
pub struct Recorded<T>(State<T>);

type Asking<T> = Pin<Box<dyn Future<Output = Result<T, Rejection>> + Send>>;

enum State<T> {
    Answered(Answered<T>),
    /// The answer is not known yet. Empty once it has been given.
    Asking(Option<Asking<T>>),
}

/// An answer, and the wait for its record.
struct Answered<T> {
    answer: Option<Result<T, Rejection>>,
    recording: Recording,
    auth: AgentAuth,
    record: Arc<Record>,
}

impl<T> Recorded<T> {
    /// `answer`, once `record` is kept.
    pub(super) fn new(auth: AgentAuth, answer: Result<T, Rejection>, record: Record) -> Self {
        let record = record.kept();
        let recording = Recording::begin(&auth.inner.sinks, &record);
        Self(State::Answered(Answered { answer: Some(answer), recording, auth, record }))
    }

    /// What `future` answers, once it has recorded that.
    pub(super) fn asking(future: impl Future<Output = Result<T, Rejection>> + Send + 'static) -> Self {
        Self(State::Asking(Some(Box::pin(future))))
    }
}

impl<T> Answered<T> {
    /// Refuses, since the record could not be kept everywhere. Sinks that did take it are told so.
    fn correct(&self, error: AuditError) -> Rejection {
        let refusal = Refusal::Audit(error);
        let Record { kind, evaluation_id, .. } = &*self.record;
        let mut correction = self.auth.record(*kind, evaluation_id, self.auth.now());
        correction.trace.clone_from(&self.record.trace);
        deny(&mut correction, &refusal);
        // Not waited for: the sink that failed may never answer, and the refusal stands in any case.
        drop(Recording::begin(&self.auth.inner.sinks, &correction.kept()));
        self.auth.reject(refusal, evaluation_id)
    }
}

/// Nothing in it is pinned: it is a value, and the waits of the sinks.
impl<T> Unpin for Recorded<T> {}

impl<T> Future for Recorded<T> {
    type Output = Result<T, Rejection>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answered = match &mut self.0 {
            State::Answered(answered) => answered,
            State::Asking(asking) => {
                // A future that is polled after it has answered stays silent.
                let Some(future) = asking else { return Poll::Pending };
                let answer = ready!(future.as_mut().poll(context));
                *asking = None;
                return Poll::Ready(answer);
            }
        };
        let recorded = ready!(Pin::new(&mut answered.recording).poll(context));
        // Taken in any case: an answer whose record failed must not be there for a second poll.
        let answer = answered.answer.take().ok_or(AuditError::Closed);
        Poll::Ready(match recorded.and(answer) {
            Ok(answer) => answer,
            Err(error) => Err(answered.correct(error)),
        })
    }
}

impl<T> fmt::Debug for Recorded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Answered(_) => "Recorded(recording)",
            State::Asking(_) => "Recorded(asking)",
        })
    }
}

/// The wait for all sinks to have taken one record. They work side by side; one failure is a failure.
#[derive(Debug)]
pub(crate) struct Recording {
    waiting: SmallVec<[Append; 2]>,
    failure: Option<AuditError>,
}

impl Recording {
    pub(crate) fn begin(sinks: &[Arc<dyn AuditSink>], record: &Arc<Record>) -> Self {
        let append = |sink: &Arc<dyn AuditSink>| {
            // It may be called while something else unwinds; and a sink that panics has not kept the record.
            let appended = panic::catch_unwind(AssertUnwindSafe(|| sink.append(Arc::clone(record))));
            appended.unwrap_or_else(|_| Append::done(Err(AuditError::Write("the sink panicked".into()))))
        };
        Self { waiting: sinks.iter().map(append).collect(), failure: None }
    }
}

impl Future for Recording {
    type Output = Result<(), AuditError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { waiting, failure } = &mut *self;
        waiting.retain(|append| match Pin::new(append).poll(context) {
            Poll::Pending => true,
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(error)) => {
                failure.get_or_insert(error);
                false
            }
        });
        if waiting.is_empty() { Poll::Ready(failure.take().map_or(Ok(()), Err)) } else { Poll::Pending }
    }
}
