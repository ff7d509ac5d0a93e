//! The one thread that writes.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agentauth_core::audit::AuditError;

use super::due::Uncovered;
use super::gaps::Gaps;
use super::publish::{Lock, Outbox};
use super::queue::{Item, Queue};
use super::reserve::Reserve;
use super::tape::{Failure, Tape};
use super::trouble::Trouble;
use crate::checkpoint::CheckpointKey;
use crate::erase::Retention;
use crate::format::{Checkpoint, Closed, EntryKind, Refused};

/// When there is a checkpoint, when a new segment, and how soon after a failure it is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    pub(super) records: u64,
    pub(super) time: Duration,
    pub(super) heartbeat: Duration,
    pub(super) retry: Duration,
    pub(super) segment_bytes: u64,
}

/// How the log ended, for whoever closes it.
pub(super) type Ending = Arc<Mutex<Result<(), AuditError>>>;

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) tape: Tape,
    pub(super) reserve: Reserve,
    pub(super) outbox: Arc<Outbox>,
    pub(super) key: Option<CheckpointKey>,
    pub(super) rhythm: Rhythm,
    pub(super) retention: Option<Retention>,
    pub(super) has_anchors: bool,
    pub(super) ending: Ending,
    /// Held until the last entry is written.
    _lock: Lock,
    pub(super) group: Vec<Item>,
    /// Entries that are there although their actions were refused, and of which the log does not say so yet.
    pub(super) refused: Vec<u64>,
    /// What has failed, and how many bytes of it may be there; the next segment says so.
    pub(super) broken: Option<(Trouble, u64)>,
    /// Whether the reserve was given up, and there is no room for a new one.
    pub(super) is_full: bool,
    /// When it may be tried again to go on after a failure.
    pub(super) next_try: Instant,
    pub(super) uncovered: Uncovered,
    pub(super) records: u64,
    /// How many entries the latest signed checkpoint covers.
    pub(super) signed: u64,
    pub(super) is_ending: bool,
    /// What is said to those who come while nothing can be written.
    pub(super) error: AuditError,
}

/// What a [`Writer`] is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) queue: Arc<Queue>,
    pub(super) tape: Tape,
    pub(super) reserve: Reserve,
    pub(super) outbox: Arc<Outbox>,
    pub(super) key: Option<CheckpointKey>,
    pub(super) rhythm: Rhythm,
    pub(super) retention: Option<Retention>,
    pub(super) has_anchors: bool,
    pub(super) ending: Ending,
    pub(super) lock: Lock,
}

impl Writer {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { queue, tape, reserve, outbox, key, rhythm, retention, has_anchors, ending, lock } = parts;
        Self {
            queue,
            tape,
            reserve,
            outbox,
            key,
            rhythm,
            retention,
            has_anchors,
            ending,
            _lock: lock,
            group: Vec::new(),
            refused: Vec::new(),
            broken: None,
            is_full: false,
            next_try: Instant::now(),
            uncovered: Uncovered::since_opening(),
            records: 0,
            signed: 0,
            is_ending: false,
            error: AuditError::Closed,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let mut group = std::mem::take(&mut self.group);
            let taken = self.queue.take(&mut group, self.next_wake());
            if group.is_empty() && taken.is_closed {
                self.queue.put_back(taken.gaps);
                self.finish();
                return;
            }
            if let Err(error) = self.look_after(taken.is_closed) {
                self.queue.failed(&group, taken.gaps, &error, self.next_try);
            } else {
                self.write(&group, taken.gaps);
                self.rotate_if_long();
            }
            group.clear();
            self.group = group;
        }
    }

    /// Writes a group, the gaps before it, and a checkpoint if it is time.
    fn write(&mut self, group: &[Item], gaps: Gaps) {
        let is_due = |this: &Self| this.uncovered.is_due(&this.rhythm, group.len() as u64);
        if group.is_empty() && gaps.is_empty() && !is_due(self) {
            return;
        }
        self.tape.begin();
        let first = self.tape.size();
        for item in group {
            self.tape.add(item.kind, &item.payload, item.commitment, &item.side);
        }
        for gap in gaps.entries() {
            self.tape.add_own(EntryKind::Gap, &gap);
        }
        let checkpoint = if is_due(self) { self.add_checkpoint() } else { None };
        let records = group.iter().filter(|item| item.kind == EntryKind::Record).count();
        if let Err(failure) = self.commit(records) {
            self.fail(&failure, group, gaps);
            return;
        }
        let late = self.queue.written();
        self.has_written(records as u64, checkpoint);
        if !late.is_empty() {
            self.refused.extend(late.into_iter().map(|place| first + place));
            self.write_refused();
        }
    }

    /// Right after a group: some of it was refused, and the log must say so.
    fn write_refused(&mut self) {
        self.tape.begin();
        self.tape.add_own(EntryKind::Refused, &Refused { entries: self.refused.clone() });
        match self.commit(0) {
            Ok(()) => {
                self.refused.clear();
                self.has_written(0, None);
            }
            Err(failure) => self.fail(&failure, &[], Gaps::default()),
        }
    }

    pub(super) fn commit(&mut self, records: usize) -> Result<(), Failure> {
        let start = Instant::now();
        self.tape.commit()?;
        self.queue.counters.wrote(start.elapsed(), records);
        self.queue.counters.mended(&Trouble::OF_WRITING);
        Ok(())
    }

    pub(super) fn has_written(&mut self, records: u64, checkpoint: Option<(u64, String)>) {
        self.records += records;
        self.uncovered.add(records);
        self.queue.counters.entries.store(self.tape.size(), Relaxed);
        if let Some((size, note)) = checkpoint {
            self.uncovered.cover();
            self.queue.counters.checkpoint_size.store(size, Relaxed);
            self.signed = if self.key.is_some() { size } else { 0 };
            self.outbox.put(size, note, self.is_ending);
        }
    }

    fn rotate_if_long(&mut self) {
        if self.tape.length().is_none_or(|length| length < self.rhythm.segment_bytes) {
            return;
        }
        self.tape.begin();
        let is_covered = self.uncovered.is_empty();
        if let Some(checkpoint) = if is_covered { None } else { self.add_checkpoint() } {
            match self.commit(0) {
                Ok(()) => self.has_written(0, Some(checkpoint)),
                Err(failure) => return self.fail(&failure, &[], Gaps::default()),
            }
        }
        self.tape.begin();
        match self.tape.start_segment() {
            Ok(()) => self.retire(),
            Err(failure) => self.fail(&failure, &[], Gaps::default()),
        }
    }

    /// Gives up the content of old segments, if they are not to be kept: what the log says of it is written here, and the
    /// rest is done elsewhere.
    fn retire(&mut self) {
        let Some(retention) = &self.retention else { return };
        let anchored = if self.has_anchors { self.queue.counters.anchored.load(Relaxed) } else { u64::MAX };
        match self.tape.due(retention, self.signed.min(anchored)) {
            Ok(None) => {}
            Ok(Some(retirement)) => {
                self.tape.begin();
                self.tape.add_own(EntryKind::RetiredSegments, &retirement.entry());
                // So that it is vouched for before anything is gone.
                let checkpoint = self.add_checkpoint();
                match self.commit(0) {
                    Ok(()) => {
                        self.has_written(0, checkpoint);
                        self.outbox.retire(retirement);
                    }
                    Err(failure) => self.fail(&failure, &[], Gaps::default()),
                }
            }
            Err(error) => {
                tracing::warn!(target: "agentauth::audit", code = error.code(), %error, "old segments stay as they are");
            }
        }
    }

    fn finish(&mut self) {
        self.is_ending = true;
        let ended = self.look_after(true).and_then(|()| {
            self.tape.begin();
            for gap in self.queue.take_gaps().entries() {
                self.tape.add_own(EntryKind::Gap, &gap);
            }
            let checkpoint = self.add_checkpoint();
            self.tape.add_own(EntryKind::Closed, &Closed { records: self.records });
            match self.commit(0) {
                Ok(()) => {
                    self.has_written(0, checkpoint);
                    Ok(())
                }
                Err(failure) => Err(AuditError::Write(failure.error.to_string().into())),
            }
        });
        if let Err(error) = &ended {
            tracing::error!(target: "agentauth::audit", %error, "the audit log could not be closed in order");
        }
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = ended;
    }

    /// When the writer has something to do without being asked.
    fn next_wake(&self) -> Instant {
        let due = self.uncovered.due(&self.rhythm);
        if self.broken.is_some() || self.is_full { due.max(self.next_try) } else { due }
    }

    /// Adds a checkpoint of all entries so far to the write. A key that fails adds nothing: an unsigned one would
    /// look as if there were no key.
    fn add_checkpoint(&mut self) -> Option<(u64, String)> {
        let (head, asked) = (self.tape.head(), Instant::now());
        let note = match self.key.as_ref().map_or_else(|| Ok(head.text()), |key| key.sign(&head)) {
            Ok(note) => note,
            Err(error) => {
                tracing::error!(target: "agentauth::audit", %error, code = error.code(), "a checkpoint could not be signed");
                self.queue.counters.failed(Trouble::SignerFailed);
                self.uncovered.wait(&self.rhythm, asked.elapsed());
                return None;
            }
        };
        self.queue.counters.mended(&[Trouble::SignerFailed]);
        self.tape.add_own(EntryKind::Checkpoint, &Checkpoint { note: note.clone() });
        Some((head.size, note))
    }
}

impl Drop for Writer {
    /// Also where it has panicked: nobody waits for what will not come.
    fn drop(&mut self) {
        self.queue.end();
        self.outbox.close();
    }
}
