use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_channel::oneshot;

use super::Record;

/// Where records go. What cannot be recorded does not happen: the engine waits for the answer, and refuses on an
/// error.
///
/// A sink that is done at once answers with [`Append::done`], which costs no allocation; one that waits for a disk
/// or a network answers with [`Append::later`]. It must bound both its queue and its wait.
pub trait AuditSink: Send + Sync + fmt::Debug {
    /// Takes one record. The returned future is ready when the record is as safe as this sink makes it.
    fn append(&self, record: Arc<Record>) -> Append;
}

impl<S: AuditSink + ?Sized> AuditSink for Arc<S> {
    fn append(&self, record: Arc<Record>) -> Append {
        (**self).append(record)
    }
}

/// A record could not be made safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The queue of the sink is full.
    #[error("the audit queue is full; the record cannot be taken")]
    Full,
    /// The sink is closed, or its writer has stopped.
    #[error("the audit sink is closed")]
    Closed,
    /// The record was not written in time.
    #[error("the record was not on the disk in time")]
    Late,
    /// Writing failed.
    #[error("the record could not be written: {0}")]
    Write(Box<str>),
}

/// The wait for one record: a future of `Result<(), AuditError>`.
#[must_use = "a record is not safe before this is awaited"]
pub struct Append(State);

enum State {
    Done(Option<Result<(), AuditError>>),
    Receiver(oneshot::Receiver<Result<(), AuditError>>),
    Later(Pin<Box<dyn Future<Output = Result<(), AuditError>> + Send>>),
}

impl Append {
    /// Done already.
    pub const fn done(result: Result<(), AuditError>) -> Self {
        Self(State::Done(Some(result)))
    }

    /// Done when `future` is.
    pub fn later(future: impl Future<Output = Result<(), AuditError>> + Send + 'static) -> Self {
        Self(State::Later(Box::pin(future)))
    }

    /// Done when the other half says so, or is dropped.
    pub fn pending() -> (Acknowledgement, Self) {
        let (done, receiver) = oneshot::channel();
        (Acknowledgement(done), Self(State::Receiver(receiver)))
    }
}

/// The other half of an [`Append::pending`]. Dropped, it says that the sink is closed.
#[derive(Debug)]
pub struct Acknowledgement(oneshot::Sender<Result<(), AuditError>>);

impl Acknowledgement {
    /// Says what came of the record. False if nobody waits any more.
    pub fn give(self, result: Result<(), AuditError>) -> bool {
        self.0.send(result).is_ok()
    }
}

impl Future for Append {
    type Output = Result<(), AuditError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Done(result) => Poll::Ready(result.take().unwrap_or(Err(AuditError::Closed))),
            State::Receiver(receiver) => {
                Pin::new(receiver).poll(context).map(|received| received.unwrap_or(Err(AuditError::Closed)))
            }
            State::Later(future) => future.as_mut().poll(context),
        }
    }
}

impl fmt::Debug for Append {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Done(_) => "Append(done)",
            State::Receiver(_) | State::Later(_) => "Append(waiting)",
        })
    }
}

/// Copies each record to [`tracing`], at level `INFO` for what was allowed and `WARN` for what was refused, with
/// the target `agentauth::audit`.
///
/// This is a copy for people who watch. Subscribers drop events when they are busy, so it keeps no record; and what is written in other
/// places cannot be erased from here, so that nothing personal is in it: of the principal, the keyed hash.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingSink;

impl AuditSink for TracingSink {
    fn append(&self, record: Arc<Record>) -> Append {
        let agent = record.delegation.as_ref().map(|delegation| delegation.agent.to_string());
        let principal_hash = record.delegation.as_ref().map(|delegation| &*delegation.principal_hash);
        let action = record.action.as_ref().map(|action| &*action.name);
        let why = record.reasons.first().map(super::super::policy::Reason::text);
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    target: "agentauth::audit",
                    kind = %record.kind, evaluation_id = %record.evaluation_id, code = record.code,
                    agent, principal_hash, action, why,
                )
            };
        }
        match record.effect {
            crate::policy::Effect::Allow => event!(info),
            crate::policy::Effect::Deny => event!(warn),
        }
        Append::done(Ok(()))
    }
}
