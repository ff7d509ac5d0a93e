//! Counts of what is recorded, and of what goes on beside it.

mod counts;
mod observe;
mod stores;
#[cfg(test)]
mod tests;
mod timed;
mod waiting;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use agentauth_audit::AuditLog;
use agentauth_core::audit::{Append, AuditSink, Record};
use agentauth_core::state::ReplayStore;
use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::Meter;

use crate::names;
use counts::Counts;
pub(crate) use counts::{effect, mode};
use observe::Observers;
pub use observe::{KeyReading, LogReading};
pub use stores::CountedReplays;
pub use timed::TimedSink;

/// Of so many actions decisions are counted apart; those of others are counted together. It bounds what is exported, and a list of
/// tools that is longer is hardly read.
pub const MAX_ACTIONS: usize = 128;

/// Of so many policies errors and flips are counted apart, the first that are met.
pub const MAX_POLICIES: usize = 256;

/// So many codes are counted apart: more than there are.
pub const MAX_REASONS: usize = 1024;

/// Metrics of an engine: an [`AuditSink`], done at once, that counts what it is told and keeps nothing of it.
///
/// Give it to every engine, token service and set of live policies of the process, beside the sink that keeps the record: this one
/// is a copy for people who watch.
///
/// A label holds a code of ours, an action that [`MetricsBuilder::actions`] names, the name of a policy, or one of a few
/// words. Whatever else somebody makes up is `_other`; so there are as many series for 10,000 invented names as for one. No
/// label holds an agent, a principal, a token's id, a resource or an argument.
///
/// Made from the process's global meter provider, so set that first, by `otlp` for instance: what is made before is
/// never exported.
///
/// ```
/// use agentauth_core::audit::TracingSink;
/// use agentauth_core::jose::{Algorithm, SigningKey};
/// use agentauth_core::{AgentAuth, TrustedIssuer};
/// use agentauth_otel::{Metrics, SpanAttributes};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = SigningKey::generate(Algorithm::Es256)?.public_key_set()?;
/// let metrics = Metrics::builder().actions(["tickets.read", "tickets.refund"]).engine("cedar").build();
/// let auth = AgentAuth::builder("https://tools.example.com")
///     .issuer(TrustedIssuer::rfc8693("https://sts.example.com", keys))
///     .audit(TracingSink) // In earnest: the audit log.
///     .audit(metrics)
///     .audit(SpanAttributes::default())
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    counts: Counts,
    observers: Arc<Observers>,
}

/// Settings of [`Metrics`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct MetricsBuilder {
    actions: HashSet<Arc<str>>,
    engine: Option<Arc<str>>,
}

impl MetricsBuilder {
    /// Counts decisions about each of these actions apart; of the first [`MAX_ACTIONS`] that are named. Name them in the
    /// program: a name that came with a request does not belong here.
    pub fn actions<A: Into<Arc<str>>>(mut self, actions: impl IntoIterator<Item = A>) -> Self {
        let room = MAX_ACTIONS.saturating_sub(self.actions.len());
        self.actions.extend(actions.into_iter().map(Into::into).take(room));
        self
    }

    /// What the policies are, for the label `engine`: `cedar`, for instance. `policy` unless set.
    pub fn engine(mut self, name: &str) -> Self {
        self.engine = Some(name.into());
        self
    }

    /// Makes them, by the global meter provider.
    #[must_use]
    pub fn build(self) -> Metrics {
        let scope = InstrumentationScope::builder(names::SCOPE).with_version(env!("CARGO_PKG_VERSION")).build();
        self.with(&opentelemetry::global::meter_with_scope(scope))
    }

    fn with(self, meter: &Meter) -> Metrics {
        let observers = Arc::new(Observers::default());
        let counts = Counts::new(meter, self.actions, self.engine.unwrap_or_else(|| "policy".into()), &observers);
        observe::register(meter, &observers);
        Metrics(Arc::new(Inner { counts, observers }))
    }
}

impl Metrics {
    /// Settings, the usual ones to begin with: no action is counted apart.
    pub fn builder() -> MetricsBuilder {
        MetricsBuilder::default()
    }

    /// Reads the health of `log` at each export, for `agentauth.audit.*`. Of several logs, the sum; the chain is good if all are.
    ///
    /// These metrics then hold a clone of it: a log is closed when the last clone is gone, or by [`AuditLog::close`].
    pub fn observe(&self, log: &AuditLog) {
        let log = log.clone();
        self.observe_log(move || log.health().into());
    }

    /// As [`Metrics::observe`], of another kind of log.
    ///
    /// `log` is called on the exporter's thread, and dropped with the last clone of these metrics. It should not wait.
    pub fn observe_log(&self, log: impl Fn() -> LogReading + Send + Sync + 'static) {
        self.0.observers.add_log(Arc::new(log));
    }

    /// Reads `keys` at each export, for `agentauth.jwks.refresh`; of several, the sum. See [`Metrics::observe_log`].
    pub fn observe_keys(&self, keys: impl Fn() -> KeyReading + Send + Sync + 'static) {
        self.0.observers.add_keys(Arc::new(keys));
    }

    /// Reads `age` at each export, for `agentauth.revocation.staleness`: how old what is known of revocations may be; nothing, if that
    /// is not known. Of several, the oldest. See [`Metrics::observe_log`].
    pub fn observe_revocations(&self, age: impl Fn() -> Option<Duration> + Send + Sync + 'static) {
        self.0.observers.add_revocations(Arc::new(age));
    }

    /// `store`, with its answers counted as `agentauth.replay.checks`.
    pub fn replays<S: ReplayStore>(&self, store: S) -> CountedReplays<S> {
        CountedReplays::new(store, self.0.counts.replay_checks.clone())
    }

    /// `sink`, with the wait for it measured as `agentauth.audit.write.duration`. Give the engine this in its place.
    pub fn timed<S: AuditSink>(&self, sink: S) -> TimedSink<S> {
        TimedSink::new(sink, self.0.counts.write_duration.clone())
    }
}

impl AuditSink for Metrics {
    fn append(&self, record: Arc<Record>) -> Append {
        self.0.counts.count(&record);
        Append::done(Ok(()))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
