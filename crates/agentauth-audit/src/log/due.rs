//! When there is a checkpoint.

use std::time::Instant;

use super::writer::Rhythm;

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

    /// The key has failed.
    pub(super) fn wait(&mut self, rhythm: &Rhythm) {
        self.sign_after = Instant::now() + rhythm.retry;
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
