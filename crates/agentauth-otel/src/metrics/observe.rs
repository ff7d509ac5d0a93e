//! What is read at each export.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use agentauth_audit::Health;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use crate::names::{self, label};

/// How an audit log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogReading {
    /// Records that wait for the disk.
    pub queue_depth: u64,
    /// Records that were given up.
    pub dropped: u64,
    /// Records that no anchor knows yet.
    pub unanchored: u64,
    /// Writes to the disk.
    pub disk_writes: u64,
    /// How long they took, together.
    pub disk_time: Duration,
    /// Whether it can be written.
    pub is_good: bool,
}

impl LogReading {
    /// A log that can be written, and that nothing waits for.
    #[must_use]
    pub const fn good() -> Self {
        Self { queue_depth: 0, dropped: 0, unanchored: 0, disk_writes: 0, disk_time: Duration::ZERO, is_good: true }
    }
}

impl From<Health> for LogReading {
    fn from(health: Health) -> Self {
        Self {
            queue_depth: health.queue_depth,
            dropped: health.dropped,
            unanchored: health.unanchored,
            disk_writes: health.writes,
            disk_time: health.write_time,
            is_good: health.is_writing && !health.is_stalled,
        }
    }
}

/// How the fetching of an issuer's keys has gone, since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyReading {
    /// Attempts that have succeeded.
    pub succeeded: u64,
    /// Attempts that have failed.
    pub failed: u64,
}

impl KeyReading {
    /// So many have succeeded, and so many have failed.
    #[must_use]
    pub const fn new(succeeded: u64, failed: u64) -> Self {
        Self { succeeded, failed }
    }
}

type Read<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// Whoever is to be asked, and what was learnt of policies.
///
/// The meter provider keeps what was registered with it for as long as it lives, which is for ever: it holds this weakly, so that
/// whatever is observed here is free with the metrics.
#[derive(Default)]
pub(super) struct Observers {
    logs: Mutex<Vec<Read<LogReading>>>,
    keys: Mutex<Vec<Read<KeyReading>>>,
    revocations: Mutex<Vec<Read<Option<Duration>>>>,
    policies: Mutex<Policies>,
}

#[derive(Default)]
struct Policies {
    version: Option<Arc<str>>,
    reloaded: Option<f64>,
}

impl Observers {
    pub(super) fn add_log(&self, log: Read<LogReading>) {
        lock(&self.logs).push(log);
    }

    pub(super) fn add_keys(&self, keys: Read<KeyReading>) {
        lock(&self.keys).push(keys);
    }

    pub(super) fn add_revocations(&self, age: Read<Option<Duration>>) {
        lock(&self.revocations).push(age);
    }

    /// The policies of this version have answered.
    pub(super) fn answered(&self, version: &Arc<str>) {
        let mut policies = lock(&self.policies);
        if policies.version.as_ref() != Some(version) {
            policies.version = Some(Arc::clone(version));
        }
    }

    pub(super) fn reloaded(&self, time: f64) {
        lock(&self.policies).reloaded = Some(time);
    }

    /// Nothing, if none is observed.
    fn log(&self) -> Option<LogReading> {
        // One that panics is not good.
        let broken = LogReading { is_good: false, ..LogReading::good() };
        let readings = ask(&self.logs).into_iter().map(|log| log.unwrap_or(broken));
        readings.reduce(|one, other| LogReading {
            queue_depth: one.queue_depth.saturating_add(other.queue_depth),
            dropped: one.dropped.saturating_add(other.dropped),
            unanchored: one.unanchored.saturating_add(other.unanchored),
            disk_writes: one.disk_writes.saturating_add(other.disk_writes),
            disk_time: one.disk_time.saturating_add(other.disk_time),
            is_good: one.is_good && other.is_good,
        })
    }

    fn keys(&self) -> Option<KeyReading> {
        ask(&self.keys).into_iter().flatten().reduce(|one, other| KeyReading {
            succeeded: one.succeeded.saturating_add(other.succeeded),
            failed: one.failed.saturating_add(other.failed),
        })
    }

    fn revocations(&self) -> Option<Duration> {
        ask(&self.revocations).into_iter().flatten().flatten().max()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole at any moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What each answers, without a lock: one that hangs holds up the exporter, and nobody else. One that panics has no answer; let
/// through, the panic would end the exporter's thread, and every metric with it.
fn ask<T>(reads: &Mutex<Vec<Read<T>>>) -> Vec<Option<T>> {
    let reads = lock(reads).clone();
    reads.iter().map(|read| catch_unwind(AssertUnwindSafe(|| read())).ok()).collect()
}

/// Has `observers` asked at each export.
pub(super) fn register(meter: &Meter, observers: &Arc<Observers>) {
    macro_rules! observe {
        ($build:ident, $metric:expr, |$observers:ident, $to:ident| $read:expr) => {
            let of: Weak<Observers> = Arc::downgrade(observers);
            let metric = $metric;
            let instrument = meter.$build(metric.name).with_unit(metric.unit).with_description(metric.about);
            let _registered = instrument
                .with_callback(move |$to| {
                    if let Some($observers) = of.upgrade() {
                        $read;
                    }
                })
                .build();
        };
    }
    macro_rules! observe_log {
        ($build:ident, $metric:expr, $read:expr) => {
            observe!($build, $metric, |observers, to| if let Some(log) = observers.log() {
                to.observe($read(log), &[]);
            });
        };
    }
    observe_log!(u64_observable_gauge, names::AUDIT_QUEUE_DEPTH, |log: LogReading| log.queue_depth);
    observe_log!(u64_observable_counter, names::AUDIT_DROPPED, |log: LogReading| log.dropped);
    observe_log!(u64_observable_gauge, names::AUDIT_UNANCHORED, |log: LogReading| log.unanchored);
    observe_log!(u64_observable_gauge, names::AUDIT_CHAIN_OK, |log: LogReading| u64::from(log.is_good));
    observe_log!(u64_observable_counter, names::AUDIT_DISK_WRITES, |log: LogReading| log.disk_writes);
    observe_log!(f64_observable_counter, names::AUDIT_DISK_TIME, |log: LogReading| log.disk_time.as_secs_f64());
    observe!(u64_observable_counter, names::JWKS_REFRESH, |observers, to| if let Some(keys) = observers.keys() {
        to.observe(keys.succeeded, &[KeyValue::new(label::RESULT, "success")]);
        to.observe(keys.failed, &[KeyValue::new(label::RESULT, "failure")]);
    });
    observe!(f64_observable_gauge, names::REVOCATION_STALENESS, |observers, to| {
        if let Some(age) = observers.revocations() {
            to.observe(age.as_secs_f64(), &[]);
        }
    });
    observe!(f64_observable_gauge, names::POLICY_LAST_SUCCESS, |observers, to| {
        let reloaded = lock(&observers.policies).reloaded;
        if let Some(reloaded) = reloaded {
            to.observe(reloaded, &[]);
        }
    });
    observe!(u64_observable_gauge, names::POLICY_INFO, |observers, to| {
        let version = lock(&observers.policies).version.clone();
        if let Some(version) = version {
            to.observe(1, &[KeyValue::new(label::VERSION, version)]);
        }
    });
}
