//! The only source of *now*.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The last second of the year 9999: later times have no RFC 3339 form and no honest use in a token.
const LAST_SECOND: u64 = 253_402_300_799;

const MICROS: u64 = 1_000_000;

/// A moment in UTC, in whole microseconds since 1970-01-01T00:00:00Z.
///
/// Credentials are compared in whole seconds ([`Timestamp::secs`]); records keep the microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    micros: u64,
}

impl Timestamp {
    /// The moment `secs` seconds after the epoch, at most the end of the year 9999.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        let secs = if secs > LAST_SECOND { LAST_SECOND } else { secs };
        Self { micros: secs * MICROS }
    }

    /// The moment that `text` names, if it is one as [`Timestamp`] shows itself (RFC 3339), not before 1970.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let micros = u64::try_from(moment.unix_timestamp_nanos().checked_div(1000)?).ok()?;
        (micros <= LAST_SECOND * MICROS).then_some(Self { micros })
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.micros / MICROS
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.micros
    }

    /// This moment plus `duration`, at most the end of the year 9999.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let added = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self { micros: self.micros.saturating_add(added).min(LAST_SECOND * MICROS) }
    }

    /// This moment minus `duration`, at least the epoch.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let taken = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self { micros: self.micros.saturating_sub(taken) }
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }
}

impl fmt::Display for Timestamp {
    /// Writes the moment as RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.micros) * 1000)
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .ok_or(fmt::Error)?;
        f.write_str(&text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Says what time it is. Every check that depends on time asks the clock it was given.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// The system's time. A system clock before 1970 reads as the epoch, at which no credential is valid yet.
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_secs(0).plus(elapsed)
    }
}

/// A clock that moves only when told to: for tests and rehearsals.
///
/// ```
/// use std::time::Duration;
/// use agentauth_core::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().secs(), 1_800_000_060);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `moment`.
    #[must_use]
    pub const fn at(moment: Timestamp) -> Self {
        Self { micros: AtomicU64::new(moment.micros) }
    }

    /// Moves the clock forward by `duration`.
    pub fn advance(&self, duration: Duration) {
        self.set(self.now().plus(duration));
    }

    /// Puts the clock at `moment`, forward or back.
    pub fn set(&self, moment: Timestamp) {
        self.micros.store(moment.micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp { micros: self.micros.load(Ordering::SeqCst) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_as_rfc_3339() {
        let moment = Timestamp::from_secs(1_795_000_000).plus(Duration::from_micros(250));
        assert_eq!(moment.to_string(), "2026-11-18T11:06:40.00025Z");
        assert_eq!(moment.secs(), 1_795_000_000);
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_time() {
        let end = Timestamp::from_secs(u64::MAX);
        assert_eq!(end.to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(end.plus(Duration::MAX), end);
        assert_eq!(end.minus(Duration::MAX).micros(), 0);
        assert_eq!(Timestamp::from_secs(1).since(end), Duration::ZERO);
    }
}
