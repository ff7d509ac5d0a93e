use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::trouble::Trouble;

/// How the log is, at this moment: for metrics and for probes. Cheap to read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Records that wait to be written.
    pub queue_depth: u64,
    /// Records written, since the log was opened here.
    pub records: u64,
    /// Entries of the log in all.
    pub entries: u64,
    /// Records that were not kept, whoever was told: the queue was full, or nothing could be written.
    pub dropped: u64,
    /// Records whose answer was that they are late.
    pub late: u64,
    /// Whether a write takes longer than anybody waits: new records are refused.
    pub is_stalled: bool,
    /// Whether records are written: false after a write has failed, until one succeeds, and once the log is closed.
    pub is_writing: bool,
    /// The latest failure: `disk_full`, `write_failed`, `sync_failed`, `file_gone`, `file_changed`, `signer_failed`,
    /// `anchor_failed` or `checkpoint_file_failed`. Stays until the same thing succeeds.
    pub last_error: Option<&'static str>,
    /// How many entries the latest checkpoint covers.
    pub checkpoint_size: u64,
    /// Entries that no anchor knows of yet. Without an anchor, all of them.
    pub unanchored: u64,
    /// Writes to the disk, each with its `fdatasync`.
    pub writes: u64,
    /// How long they took, together.
    pub write_time: Duration,
    /// The longest of them.
    pub longest_write: Duration,
    /// The most records that one of them had.
    pub largest_group: u64,
}

/// What [`Health`] is read from.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) queue_depth: AtomicU64,
    pub(super) records: AtomicU64,
    pub(super) entries: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) is_stalled: AtomicBool,
    pub(super) is_writing: AtomicBool,
    pub(super) checkpoint_size: AtomicU64,
    pub(super) anchored: AtomicU64,
    writes: AtomicU64,
    write_nanos: AtomicU64,
    longest_nanos: AtomicU64,
    largest_group: AtomicU64,
    /// A bit for each [`Trouble`].
    troubles: AtomicU64,
    /// The latest of them, plus one.
    latest: AtomicU64,
}

impl Counters {
    pub(super) fn wrote(&self, took: Duration, records: usize) {
        let (nanos, records) = (u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), records as u64);
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.write_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.longest_nanos.fetch_max(nanos, Ordering::Relaxed);
        self.largest_group.fetch_max(records, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, trouble: Trouble) {
        self.troubles.fetch_or(trouble.bit(), Ordering::Relaxed);
        self.latest.store(trouble as u64, Ordering::Relaxed);
    }

    pub(super) fn mended(&self, troubles: &[Trouble]) {
        let bits = troubles.iter().fold(0, |bits, trouble| bits | trouble.bit());
        self.troubles.fetch_and(!bits, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Health {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (troubles, latest) = (get(&self.troubles), get(&self.latest));
        let is_open = |trouble: &Trouble| troubles & trouble.bit() != 0;
        let last = Trouble::ALL.into_iter().find(|trouble| *trouble as u64 == latest && is_open(trouble));
        let entries = get(&self.entries);
        Health {
            queue_depth: get(&self.queue_depth),
            records: get(&self.records),
            entries,
            dropped: get(&self.dropped),
            late: get(&self.late),
            is_stalled: self.is_stalled.load(Ordering::Relaxed),
            is_writing: self.is_writing.load(Ordering::Relaxed),
            last_error: last.or_else(|| Trouble::ALL.into_iter().find(is_open)).map(Trouble::word),
            checkpoint_size: get(&self.checkpoint_size),
            unanchored: entries.saturating_sub(get(&self.anchored)),
            writes: get(&self.writes),
            write_time: Duration::from_nanos(get(&self.write_nanos)),
            longest_write: Duration::from_nanos(get(&self.longest_nanos)),
            largest_group: get(&self.largest_group),
        }
    }
}
