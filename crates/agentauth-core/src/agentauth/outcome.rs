//! What came of an action that was permitted. However that ends, it is recorded once.

use std::sync::Arc;
use std::thread;

use super::{AgentAuth, Caller, Recording, deny};
use crate::audit::{ActionRecord, Record, RecordKind};
use crate::rejection::Refusal;
use crate::time::Timestamp;

/// The outcome of a permitted action, which is not known yet.
pub(super) struct Outcome {
    auth: AgentAuth,
    /// None once it is written.
    record: Option<Record>,
    evaluation_id: Arc<str>,
    /// When the tool began, if it has.
    began: Option<Timestamp>,
}

impl Outcome {
    /// Of what is being permitted to `caller`, as `decision` says.
    pub(super) fn of(caller: &Caller, decision: &Record) -> Self {
        let auth = caller.inner.auth.clone();
        let Record { evaluation_id, authentication_id, trace, action, time, .. } = decision;
        let record = Record {
            authentication_id: authentication_id.clone(),
            trace: trace.clone(),
            action: action.as_ref().map(|action| ActionRecord {
                name: action.name.clone(),
                resource: action.resource.clone(),
                arguments: action.arguments.clone(),
                shown: None,
            }),
            ..auth.record(RecordKind::Outcome, evaluation_id, *time)
        };
        Self { auth, record: Some(record), evaluation_id: Arc::clone(evaluation_id), began: None }
    }

    pub(super) fn evaluation_id(&self) -> &str {
        &self.evaluation_id
    }

    pub(super) const fn shared_id(&self) -> &Arc<str> {
        &self.evaluation_id
    }

    /// The tool is about to run.
    pub(super) fn begin(&mut self) {
        self.began = Some(self.auth.now());
    }

    /// There is none, since the action was not permitted after all.
    pub(super) fn never(mut self) {
        self.record = None;
    }

    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        if let Some(record) = &mut self.record {
            deny(record, refusal);
        }
    }

    /// Records how it has ended, and reports a record that could not be kept.
    pub(super) async fn end(mut self, code: &'static str) {
        if let Some(recording) = self.write(code)
            && let Err(error) = recording.await
        {
            tracing::error!(evaluation_id = &*self.evaluation_id, %error, "the outcome of an action could not be recorded");
        }
    }

    fn write(&mut self, code: &'static str) -> Option<Recording> {
        let mut record = self.record.take()?;
        record.code = code;
        record.time = self.auth.now();
        if let Some(began) = self.began {
            record.took(record.time.since(began));
        }
        Some(self.auth.append(record))
    }
}

impl Drop for Outcome {
    /// Nobody waits any more: the sinks are given the record, and their answer is not heard.
    fn drop(&mut self) {
        let code = match self.began {
            None => "not_run",
            Some(_) if thread::panicking() => "panicked",
            Some(_) => "abandoned",
        };
        if let Some(recording) = self.write(code) {
            if self.began.is_some() {
                tracing::warn!(code, "an action was abandoned before its tool had answered");
            }
            drop(recording);
        }
    }
}
