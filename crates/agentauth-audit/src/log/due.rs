//! When there is a checkpoint.

use std::time::{Duration, Instant};

use super::writer::Rhythm;

/// A key that has failed is not asked for this many times as long as its failure took: one that hangs takes the writer no more than a
/// small part of its time.
const PAUSE: u32 = 30;

/// A failure that comes sooner holds nobody up.
const QUICK: Duration = Duration::from_millis(100);

/// What has happened since the last checkpoint.
#[derive(Debug)]
pub(super) struct Uncovered {
    records: u64,
    /// Since when there are entries that it does not cover.
    since: Option<Instant>,
    last: Instant,
    /// Until then, a key that has failed is not asked again.
    sign_after: Instant,
}

impl Uncovered {
    /// With the entry that says that the log was opened.
    pub(super) fn since_opening() -> Self {
        let now = Instant::now();
        Self { records: 0, since: Some(now), last: now, sign_after: now }
    }

    /// There are entries more, of which so many are records.
    pub(super) fn add(&mut self, records: u64) {
        self.records += records;
        self.since.get_or_insert_with(Instant::now);
    }

    /// A checkpoint covers them.
    pub(super) fn cover(&mut self) {
        (self.records, self.since, self.last) = (0, None, Instant::now());
    }

    /// The key has failed, which took so long.
    pub(super) fn wait(&mut self, rhythm: &Rhythm, took: Duration) {
        self.sign_after = Instant::now() + rhythm.retry.max(took.saturating_sub(QUICK) * PAUSE);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// When it is time, if nothing more happens.
    pub(super) fn due(&self, rhythm: &Rhythm) -> Instant {
        let heartbeat = self.last + rhythm.heartbeat;
        self.since.map_or(heartbeat, |since| (since + rhythm.time).min(heartbeat)).max(self.sign_after)
    }

    /// Whether it is time, with so many records more.
    pub(super) fn is_due(&self, rhythm: &Rhythm, more: u64) -> bool {
        let now = Instant::now();
        self.due(rhythm) <= now || (self.records + more >= rhythm.records && self.sign_after <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_hangs_is_asked_seldom() {
        let rhythm = Rhythm {
            records: 1,
            time: Duration::ZERO,
            heartbeat: Duration::from_secs(3600),
            retry: Duration::from_secs(1),
            segment_bytes: 1,
        };
        for (took, waits) in [(0, 1), (1, 27)] {
            let (mut uncovered, now) = (Uncovered::since_opening(), Instant::now());
            assert!(uncovered.is_due(&rhythm, 1));
            uncovered.wait(&rhythm, Duration::from_secs(took));
            assert!(!uncovered.is_due(&rhythm, 1) && uncovered.due(&rhythm) >= now + Duration::from_secs(waits));
        }
    }
}
