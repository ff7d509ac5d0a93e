//! The permission to do one action, once.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::{AgentAuth, Recording};
use crate::audit::{ActionRecord, Record, RecordKind};
use crate::policy::Action;

/// The permission to do one action, once, with the arguments that were authorised.
///
/// It is an answer about *now*: run it at once, and ask again for what is done later.
///
/// It holds its arguments and gives them to the tool, so the tool cannot run on others. It cannot be copied, and
/// running the tool uses it up:
///
/// ```compile_fail
/// # async fn twice(permit: agentauth_core::Permit<u32>) -> Result<(), ()> {
/// permit.run(async |amount| Ok::<_, ()>(amount)).await?;
/// permit.run(async |amount| Ok::<_, ()>(amount)).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a permit that is not run permits nothing"]
pub struct Permit<A = ()> {
    auth: AgentAuth,
    evaluation_id: Arc<str>,
    authentication_id: Arc<str>,
    action: Action<A>,
}

impl<A> Permit<A> {
    pub(super) const fn new(
        auth: AgentAuth,
        evaluation_id: Arc<str>,
        authentication_id: Arc<str>,
        action: Action<A>,
    ) -> Self {
        Self { auth, evaluation_id, authentication_id, action }
    }

    /// The id under which the decision stands in the record.
    #[must_use]
    pub fn evaluation_id(&self) -> &str {
        &self.evaluation_id
    }

    /// The digest of the canonical arguments that were authorised (RFC 8785, SHA-256, hexadecimal).
    #[must_use]
    pub fn arguments_digest(&self) -> Box<str> {
        self.action.arguments.digest()
    }

    /// Runs the tool on the arguments that were authorised, and records how it ended: `succeeded`, `failed`, or
    /// `abandoned` if this future is dropped before the tool has answered, as when a caller hangs up.
    ///
    /// An outcome that cannot be recorded does not undo what the tool did: it is reported through
    /// [`tracing`], and the tool's answer is returned.
    ///
    /// # Errors
    /// Whatever `tool` returns.
    pub async fn run<T, E, F>(self, tool: impl FnOnce(A) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut record = self.auth.record(RecordKind::Outcome, &self.evaluation_id, self.auth.now());
        record.authentication_id = Some(self.authentication_id);
        record.action = Some(ActionRecord {
            name: self.action.name.as_str().into(),
            resource: self.action.resource,
            arguments: Some(self.action.arguments.digest()),
            shown: None,
        });
        let mut outcome = Outcome { auth: self.auth, record: Some(record) };
        let result = tool(self.action.input).await;
        if let Some(recording) = outcome.end(if result.is_ok() { "succeeded" } else { "failed" })
            && let Err(error) = recording.await
        {
            tracing::error!(evaluation_id = %self.evaluation_id, %error, "the outcome of an action could not be recorded");
        }
        result
    }
}

/// The outcome of an action that has begun. However it ends, it is recorded once.
struct Outcome {
    auth: AgentAuth,
    record: Option<Record>,
}

impl Outcome {
    fn end(&mut self, code: &'static str) -> Option<Recording> {
        let mut record = self.record.take()?;
        record.code = code;
        record.time = self.auth.now();
        Some(self.auth.append(record))
    }
}

impl Drop for Outcome {
    /// Nobody waits any more: the sinks are given the record, and their answer is not heard.
    fn drop(&mut self) {
        if let Some(recording) = self.end("abandoned") {
            tracing::warn!("an action was abandoned before its tool had answered");
            drop(recording);
        }
    }
}

impl<A> fmt::Debug for Permit<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("action", &self.action.name)
            .field("evaluation_id", &self.evaluation_id)
            .finish_non_exhaustive()
    }
}
