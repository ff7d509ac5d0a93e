//! Which policies are in force? Policies that are replaced as a whole, on record, once they pass their cases.

mod builder;
mod error;
mod source;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use async_trait::async_trait;

pub use self::builder::LivePoliciesBuilder;
pub use self::error::ReloadError;
pub use self::source::{PolicySet, PolicySource};
use crate::agentauth::{OpenRecord, Recording};
use crate::audit::{AuditError, AuditSink, PolicyReloadRecord, Record, RecordKind};
use crate::identity::ResourceId;
use crate::policy::{
    AuthzRequest, CaseReport, Decision, Effect, PolicyEngine, PolicyError, Preview, PreviewRequest, Reason, ReasonKind,
};
use crate::random::{Random, unique_id};
use crate::time::{Clock, Timestamp};

/// Policies that can be replaced while requests are answered.
///
/// Each request is answered by one set, and its decision says of which version that is. [`LivePolicies::reload`] reads the
/// source again; a set that is wrong, does not decide as its cases say, or cannot be recorded changes nothing: the last good
/// one stays in force, and [`LivePolicies::status`] says since when that is so, and why.
///
/// Nobody watches the files: whoever can write them decides what is permitted, and when to look is for the server to say.
/// Every few seconds is often enough, on a thread that may block:
///
/// ```no_run
/// use std::sync::Arc;
/// use agentauth_core::policy::{Problems, Rules};
/// use agentauth_core::reload::{LivePolicies, PolicySet};
/// # use agentauth_core::ResourceId;
/// # fn read_rules() -> Result<Rules, Problems> { Rules::from_json("rules.json", "{}") }
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// # let (court, sink) = (ResourceId::new("https://court.example")?, agentauth_core::audit::TracingSink);
///
/// let policies = Arc::new(LivePolicies::of(|| Ok(PolicySet::new(read_rules()?)), &court).audit(sink).start().await?);
/// // .policy(Arc::clone(&policies)) is how an AgentAuth asks them. Later, again and again:
/// let _ = policies.reload().await;
/// # Ok(()) }
/// ```
pub struct LivePolicies<S: PolicySource> {
    source: S,
    office: Office,
    current: ArcSwap<InForce<S::Engine>>,
    is_at_work: AtomicBool,
    trouble: Mutex<Trouble>,
}

/// What came of a reload that found nothing wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reload {
    /// Other policies are in force.
    Replaced {
        /// The version before.
        before: Arc<str>,
        /// The version now.
        after: Arc<str>,
    },
    /// They are those that are in force already.
    Unchanged,
}

/// Which policies are in force, and what is wrong with newer ones.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyStatus {
    /// The version in force.
    pub version: Arc<str>,
    /// Since when.
    pub since: Timestamp,
    /// Why newer ones are not in force. Nothing, if the last reload was good.
    pub alarm: Option<PolicyAlarm>,
    /// How many reloads have failed in this process.
    pub failures: u64,
}

/// Policies that were not put into force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyAlarm {
    /// When reloads began to fail.
    pub since: Timestamp,
    /// The code of the last failure.
    pub code: &'static str,
    /// The last failure, in one line.
    pub text: Box<str>,
}

/// One set, as it was loaded.
struct InForce<E> {
    engine: E,
    version: Arc<str>,
    /// The digest of its cases.
    cases: Box<str>,
    /// The state of the files before they were read and after, if that was the same.
    state: Option<Box<str>>,
    since: Timestamp,
}

#[derive(Debug, Default)]
struct Trouble {
    alarm: Option<PolicyAlarm>,
    /// Whether the alarm is on record.
    is_told: bool,
    failures: u64,
}

/// What it takes to keep records.
struct Office {
    server: ResourceId,
    sinks: Vec<Arc<dyn AuditSink>>,
    replica: Option<Arc<str>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// A set that was read, and how many cases it has passed.
struct Found<E> {
    set: InForce<E>,
    passed: usize,
}

impl<S: PolicySource> LivePolicies<S> {
    /// The policies of `source`, in force at `server`.
    pub fn of(source: S, server: &ResourceId) -> LivePoliciesBuilder<S> {
        LivePoliciesBuilder::new(source, server)
    }

    /// Reads the source again, and puts what it finds into force: once it is checked, has passed its cases, and the change is
    /// recorded ([`RecordKind::PolicyReload`]). A failure is recorded too, when it begins and when it changes.
    ///
    /// This may block, on files and on the check. A future that is dropped before it is ready has changed nothing, though the
    /// record may say so.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub async fn reload(&self) -> Result<Reload, ReloadError> {
        let Some(_turn) = Turn::take(&self.is_at_work) else { return Err(ReloadError::Busy) };
        let before = self.current.load_full();
        let result = match self.newer(&before).await {
            Ok(None) => Ok(Reload::Unchanged),
            Ok(Some(found)) => self.put_into_force(&before.version, found).await,
            Err(error) => Err(error),
        };
        match &result {
            Ok(_) => self.trouble().alarm = None,
            Err(error) => self.raise(error).await,
        }
        result
    }

    /// Which policies are in force, and what is wrong with newer ones.
    #[must_use]
    pub fn status(&self) -> PolicyStatus {
        let (current, trouble) = (self.current.load(), self.trouble());
        PolicyStatus {
            version: Arc::clone(&current.version),
            since: current.since,
            alarm: trouble.alarm.clone(),
            failures: trouble.failures,
        }
    }

    /// What the source has now, unless that is in force.
    async fn newer(&self, before: &InForce<S::Engine>) -> Result<Option<Found<S::Engine>>, ReloadError> {
        let state = self.source.state();
        // Without an alarm, the state that is in force is a good one.
        if state.is_some() && state == before.state && self.trouble().alarm.is_none() {
            return Ok(None);
        }
        let set = self.source.load().map_err(ReloadError::Refused)?;
        let state = settled(&self.source, state);
        if set.engine.version() == before.version && set.cases.digest() == before.cases {
            return Ok(None);
        }
        Found::checked(set, state, self.office.clock.now()).await.map(Some)
    }

    async fn put_into_force(&self, before: &Arc<str>, found: Found<S::Engine>) -> Result<Reload, ReloadError> {
        let after = Arc::clone(&found.set.version);
        self.office.replaced(Some(before), &after, found.passed).await.map_err(ReloadError::Unrecorded)?;
        self.current.store(Arc::new(found.set));
        // Only other cases, for the same policies.
        if *before == after {
            return Ok(Reload::Unchanged);
        }
        tracing::info!(%before, %after, "other policies are in force");
        Ok(Reload::Replaced { before: Arc::clone(before), after })
    }

    async fn raise(&self, error: &ReloadError) {
        let (code, text) = (error.code(), error.in_brief());
        let is_news = {
            let mut trouble = self.trouble();
            trouble.failures = trouble.failures.saturating_add(1);
            let is_known = |alarm: &PolicyAlarm| (alarm.code, &*alarm.text) == (code, &*text);
            let is_news = !(trouble.is_told && trouble.alarm.as_ref().is_some_and(is_known));
            let since = trouble.alarm.as_ref().map_or_else(|| self.office.clock.now(), |alarm| alarm.since);
            trouble.alarm = Some(PolicyAlarm { since, code, text: text.into() });
            trouble.is_told &= !is_news;
            is_news
        };
        if is_news {
            let in_force = Arc::clone(&self.current.load().version);
            // What could not be recorded is told again, until it can be.
            self.trouble().is_told = self.office.refused(error, Some(&in_force)).await;
        }
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The `state` that `source` was in before it was read, if it is in that still: what changed meanwhile is not what was read.
fn settled(source: &impl PolicySource, state: Option<Box<str>>) -> Option<Box<str>> {
    state.filter(|before| source.state().as_ref() == Some(before))
}

impl<E: PolicyEngine> Found<E> {
    /// `set`, if it passes its cases.
    async fn checked(set: PolicySet<E>, state: Option<Box<str>>, since: Timestamp) -> Result<Self, ReloadError> {
        let PolicySet { engine, cases } = set;
        let report: CaseReport = cases.run(&engine).await;
        if report.failed() > 0 {
            return Err(ReloadError::CasesFailed(report));
        }
        let (version, digest) = (engine.version(), cases.digest());
        Ok(Self { set: InForce { engine, version, cases: digest, state, since }, passed: report.passed() })
    }
}

impl Office {
    /// Records that the version `after` is coming into force.
    async fn replaced(&self, before: Option<&Arc<str>>, after: &Arc<str>, passed: usize) -> Result<(), AuditError> {
        let mut record = self.record("policy_reloaded");
        record.policy_version = Some(Arc::clone(after));
        let (before, after) = (before.cloned(), Some(Arc::clone(after)));
        record.policy_reload = Some(PolicyReloadRecord { before, after, cases_passed: passed });
        // Whoever waits may go away, and then nothing is changed.
        let correction = OpenRecord::new(record.clone(), self.sinks.as_slice().into(), Arc::clone(&self.clock));
        let recorded = Recording::begin(&self.sinks, &record.kept()).await;
        if let Err(error) = &recorded {
            let mut correction = correction.close();
            self.deny(&mut correction, &ReloadError::Unrecorded(error.clone()));
            // Not waited for: the sink that failed may never answer, and nothing is changed in any case.
            drop(Recording::begin(&self.sinks, &correction.kept()));
        } else {
            correction.forget();
        }
        recorded
    }

    /// Records that `error` keeps newer policies out, and `in_force` stays. Says whether that is on record.
    async fn refused(&self, error: &ReloadError, in_force: Option<&Arc<str>>) -> bool {
        tracing::error!(code = error.code(), "{}", error.in_brief());
        if let ReloadError::Unrecorded(_) = error {
            return true;
        }
        let mut record = self.record(error.code());
        self.deny(&mut record, error);
        record.policy_version = in_force.cloned();
        record.policy_reload = Some(PolicyReloadRecord { before: in_force.cloned(), after: None, cases_passed: 0 });
        let recorded = Recording::begin(&self.sinks, &record.kept()).await;
        if let Err(failure) = &recorded {
            tracing::error!("the alarm could not be recorded: {failure}");
        }
        recorded.is_ok()
    }

    fn deny(&self, record: &mut Record, error: &ReloadError) {
        (record.effect, record.code) = (Effect::Deny, error.code());
        record.reasons = vec![Reason::new(ReasonKind::Refused, error.in_brief())];
    }

    fn record(&self, code: &'static str) -> Record {
        let id = unique_id(&*self.random).unwrap_or_else(|_| crate::agentauth::NO_ID.into());
        let record = Record::of_allowed(RecordKind::PolicyReload, code, &id, self.clock.now(), self.server.shared());
        Record { replica: self.replica.clone(), ..record }
    }
}

/// One reload at a time: two could put the older set into force last.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(is_at_work: &'a AtomicBool) -> Option<Self> {
        (!is_at_work.swap(true, Ordering::AcqRel)).then_some(Self(is_at_work))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[async_trait]
impl<S: PolicySource> PolicyEngine for LivePolicies<S> {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        // Held until the answer is there: one request, one set.
        let set = self.current.load_full();
        let version = set.engine.version();
        // An error would be recorded under the version that is in force by then.
        let decision = set.engine.decide(request).await.unwrap_or_else(|error| Decision::failed(&error));
        Ok(if decision.version().is_some() { decision } else { decision.of_version(version) })
    }

    fn preview(&self, request: &PreviewRequest<'_>) -> Preview {
        self.current.load().engine.preview(request)
    }

    fn version(&self) -> Arc<str> {
        self.current.load().engine.version()
    }
}

impl<S: PolicySource> fmt::Debug for LivePolicies<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LivePolicies").field("status", &self.status()).finish_non_exhaustive()
    }
}
