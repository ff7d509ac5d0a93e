//! The permission to do one action, once.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use super::settle::Settled;
use super::{AgentAuth, Caller, Outcome};
use crate::delegation::DelegationError;
use crate::policy::Action;
use crate::rejection::{Refusal, Rejection};
use crate::time::Timestamp;

/// How long after the question a permit can be run: time for a handler to get to its tool, too short for what it rests on to have
/// become another matter.
pub const MAX_PERMIT_AGE: Duration = Duration::from_secs(60);

/// The permission to do one action, once, with the arguments that were authorised.
///
/// It is an answer about *now*: it can be run within [`MAX_PERMIT_AGE`], while the delegation lasts and its place is held. Ask again for what is done
/// later. There is none before every condition of the decision is met. What it holds of limits is given back when it is dropped
/// without being run, and a place among those that run at once also when the tool has ended.
///
/// It holds its arguments and gives them to the tool, so the tool cannot run on others. It cannot be copied, and
/// running the tool uses it up:
///
/// ```compile_fail
/// # async fn twice(permit: agentauth_core::Permit<u32>) -> Result<(), Box<dyn std::error::Error>> {
/// permit.run(async |amount| Ok::<_, std::io::Error>(amount)).await??;
/// permit.run(async |amount| Ok::<_, std::io::Error>(amount)).await??;
/// # Ok(())
/// # }
/// ```
#[must_use = "a permit that is not run permits nothing"]
pub struct Permit<A = ()> {
    auth: AgentAuth,
    outcome: Outcome,
    action: Action<A>,
    settled: Settled,
    delegation_ends: Timestamp,
    ends: Timestamp,
}

impl<A> Permit<A> {
    /// The permit for `action`, which `caller` asked for at `asked`.
    pub(super) fn new(
        caller: &Caller,
        outcome: Outcome,
        action: Action<A>,
        settled: Settled,
        asked: Timestamp,
    ) -> Self {
        let delegation_ends = caller.delegation().refused_from();
        let ends = asked.plus(MAX_PERMIT_AGE).min(delegation_ends);
        let ends = settled.lapses().map_or(ends, |lapses| ends.min(lapses));
        Self { auth: caller.inner.auth.clone(), outcome, action, settled, delegation_ends, ends }
    }

    /// The id under which the decision stands in the record.
    #[must_use]
    pub fn evaluation_id(&self) -> &str {
        self.outcome.evaluation_id()
    }

    /// The digest of the canonical arguments that were authorised (RFC 8785, SHA-256, hexadecimal).
    #[must_use]
    pub fn arguments_digest(&self) -> Box<str> {
        self.action.arguments.digest()
    }

    /// The first moment at which it cannot be run any more.
    #[must_use]
    pub const fn ends(&self) -> Timestamp {
        self.ends
    }

    /// Runs the tool on the arguments that were authorised, and records how it ended: `succeeded`, `failed`, `panicked`, or
    /// `abandoned` if this future is dropped before the tool has answered, as when a caller hangs up or a time is over. (A permit that
    /// is dropped instead is on record as `not_run`.) The tool's answer comes inside of the answer whether it was run:
    ///
    /// ```
    /// # use agentauth_core::{Permit, Rejection};
    /// async fn pay(permit: Permit<u32>) -> Result<String, Rejection> {
    ///     permit.run(|amount| async move { Ok(format!("paid {amount}")) }).await?
    /// }
    /// ```
    ///
    /// An outcome that cannot be recorded does not undo what the tool did: it is reported through
    /// [`tracing`], and the tool's answer is returned.
    ///
    /// # Errors
    /// [`Rejection`] if the permit has ended; the tool was not run then, and `expired` is recorded. Inside, whatever `tool` returns.
    pub async fn run<T, E, F>(self, tool: impl FnOnce(A) -> F) -> Result<Result<T, E>, Rejection>
    where
        F: Future<Output = Result<T, E>>,
    {
        let Self { auth, mut outcome, action, settled, delegation_ends, ends } = self;
        if let Some(refusal) = ended(auth.now(), delegation_ends, ends) {
            drop(settled);
            outcome.refuse(&refusal);
            let rejection = auth.reject(refusal, outcome.shared_id());
            outcome.end("expired").await;
            return Err(rejection);
        }
        let held = settled.used();
        outcome.begin();
        let result = tool(action.input).await;
        drop(held);
        outcome.end(if result.is_ok() { "succeeded" } else { "failed" }).await;
        Ok(result)
    }
}

fn ended(now: Timestamp, delegation_ends: Timestamp, ends: Timestamp) -> Option<Refusal> {
    if now >= delegation_ends {
        Some(DelegationError::Expired.into())
    } else {
        (now >= ends).then_some(Refusal::PermitExpired)
    }
}

impl<A> fmt::Debug for Permit<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("action", &self.action.name)
            .field("evaluation_id", &self.evaluation_id())
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}
