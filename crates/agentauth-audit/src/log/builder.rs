use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::{Clock, Random, SystemClock, SystemRandom};

use super::queue::Limits;
use super::writer::Rhythm;
use super::{AuditLog, OpenError, WriteClasses, open};
use crate::anchor::AnchorSink;
use crate::checkpoint::CheckpointKey;
use crate::disk::{Directory, RealDirectory};
use crate::erase::Retention;

/// How long a segment gets by default: one is read at each opening, in a fraction of a second.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// How many records there are to a checkpoint by default: at most so many are unsigned.
pub const CHECKPOINT_RECORDS: u64 = 4096;

/// How long records wait for a checkpoint by default.
pub const CHECKPOINT_TIME: Duration = Duration::from_secs(60);

/// How long a log in which nothing happens is without a checkpoint, by default: so that a silent log is told from one
/// that is gone.
pub const HEARTBEAT: Duration = Duration::from_secs(15 * 60);

/// How long a record may take to the disk by default: nobody waits longer for an answer, and a slow disk has long had it.
pub const MAX_WAIT: Duration = Duration::from_secs(2);

/// Records that may wait by default: as many as a slow disk writes in [`MAX_WAIT`].
pub const QUEUE_RECORDS: usize = 4096;

/// Bytes of them, at most, by default.
pub const QUEUE_BYTES: usize = 16 * 1024 * 1024;

/// Room on the disk that is kept for the end by default: it takes a few kilobytes to say that the disk is full, and a
/// file system some more for itself.
pub const RESERVE_BYTES: u64 = 1024 * 1024;

/// How soon after a failure it is tried again to write, by default: a disk that is gone is not asked for every request.
pub const RETRY: Duration = Duration::from_secs(1);

/// Longer than any process runs: more than this is never, and not more than a clock can count.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Settings of an [`AuditLog`].
#[derive(Debug)]
#[must_use]
pub struct AuditLogBuilder {
    pub(super) directory: io::Result<Arc<dyn Directory>>,
    pub(super) origin: Option<String>,
    pub(super) key: Option<CheckpointKey>,
    pub(super) anchors: Vec<Box<dyn AnchorSink>>,
    pub(super) acknowledges_loss: bool,
    pub(super) classes: WriteClasses,
    pub(super) limits: Limits,
    pub(super) rhythm: Rhythm,
    pub(super) reserve_bytes: u64,
    pub(super) retention: Option<Retention>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

impl AuditLogBuilder {
    pub(super) fn at(path: &Path) -> Self {
        Self::in_directory(RealDirectory::create(path).map(|directory| Arc::new(directory) as Arc<dyn Directory>))
    }

    pub(super) fn in_directory(directory: io::Result<Arc<dyn Directory>>) -> Self {
        Self {
            directory,
            origin: None,
            key: None,
            anchors: Vec::new(),
            acknowledges_loss: false,
            classes: WriteClasses::default(),
            limits: Limits { records: QUEUE_RECORDS, bytes: QUEUE_BYTES, max_wait: MAX_WAIT },
            rhythm: Rhythm {
                records: CHECKPOINT_RECORDS,
                time: CHECKPOINT_TIME,
                heartbeat: HEARTBEAT,
                retry: RETRY,
                segment_bytes: SEGMENT_BYTES,
            },
            reserve_bytes: RESERVE_BYTES,
            retention: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    /// What checkpoints call the log (C2SP tlog-checkpoint `origin`), like `example.com/tool-server`. By default the name
    /// of the key, and without one, `agentauth/` and a random name. A log keeps the name that it was begun with.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// What signs checkpoints. Without it, they are tree heads that nobody has signed: whoever can write the files can
    /// write all of them anew.
    ///
    /// It signs on the thread that writes, so one that takes long delays records.
    pub fn key(mut self, key: CheckpointKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Remembers checkpoints elsewhere; there can be several. When the log is opened, it is asked what it remembers: a log
    /// that has less is not opened. An anchor that cannot be reached then is no reason to refuse, since its outage would
    /// otherwise stop the server: it is a warning, and stands in [`Health`](super::Health).
    pub fn anchor(mut self, anchor: impl AnchorSink + 'static) -> Self {
        self.anchors.push(Box::new(anchor));
        self
    }

    /// Opens the log although an anchor knows of entries that are not here. That it was done, and how many entries are
    /// gone, is recorded. For one start, by an operator who knows why: not for a configuration. The anchor goes on knowing
    /// better, so the log needs another one.
    pub fn acknowledge_loss(mut self) -> Self {
        self.acknowledges_loss = true;
        self
    }

    /// Which class each kind of record has.
    pub fn classes(mut self, classes: WriteClasses) -> Self {
        self.classes = classes;
        self
    }

    /// How long a segment gets, in bytes, before a new one is begun. [`SEGMENT_BYTES`] by default.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.rhythm.segment_bytes = bytes;
        self
    }

    /// A checkpoint after so many records, and when a record has waited so long for one. [`CHECKPOINT_RECORDS`] and
    /// [`CHECKPOINT_TIME`] by default.
    pub fn checkpoint_every(mut self, records: u64, time: Duration) -> Self {
        (self.rhythm.records, self.rhythm.time) = (records.max(1), time.min(NEVER));
        self
    }

    /// A checkpoint when there was none for so long, though nothing has happened. [`HEARTBEAT`] by default.
    pub fn heartbeat(mut self, time: Duration) -> Self {
        self.rhythm.heartbeat = time.clamp(Duration::from_millis(1), NEVER);
        self
    }

    /// How long a record may take to the disk before its answer is [`AuditError::Late`](agentauth_core::audit::AuditError::Late).
    /// [`MAX_WAIT`] by default.
    pub fn max_wait(mut self, time: Duration) -> Self {
        self.limits.max_wait = time.min(NEVER);
        self
    }

    /// How many records may wait, and how many bytes of them. [`QUEUE_RECORDS`] and [`QUEUE_BYTES`] by default. A record that
    /// is longer than all of that may wait alone.
    pub fn queue(mut self, records: usize, bytes: usize) -> Self {
        (self.limits.records, self.limits.bytes) = (records.max(1), bytes);
        self
    }

    /// How soon after a failure it is tried again to write. [`RETRY`] by default.
    pub fn retry(mut self, time: Duration) -> Self {
        self.rhythm.retry = time.min(NEVER);
        self
    }

    /// Room that is kept on the disk for the end, in bytes. [`RESERVE_BYTES`] by default; with 0, a log on a full disk may not
    /// be able to say so.
    pub fn reserve(mut self, bytes: u64) -> Self {
        self.reserve_bytes = bytes;
        self
    }

    /// How much of the log keeps its content; all of it by default. Looked at whenever a segment is begun, and nothing is given up
    /// that no signed checkpoint covers: without a key, everything stays.
    pub fn retain(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }

    /// What says what time it is, for the entries. How long records wait is measured otherwise.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where the name of a new log and the salts of what is personal come from.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Opens the log, or begins it. Reads its last segment, so it may take a moment; asks the anchors, so it may take longer.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(self) -> Result<AuditLog, OpenError> {
        open::open(self)
    }
}
