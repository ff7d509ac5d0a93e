//! Checkpoints on their way out: the file `checkpoint`, and the anchors. On a thread of its own, since an anchor may be far away.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::queue::Queue;
use super::trouble::Trouble;
use crate::anchor::{AnchorError, AnchorSink, SegmentProofs};
use crate::disk::Directory;
use crate::erase::Retirement;
use crate::format::{CHECKPOINT_FILE, UNFINISHED};

/// The lock of the one writer: free once all who hold it are gone.
pub(super) type Lock = Arc<Mutex<Box<dyn fmt::Debug + Send>>>;

/// The latest checkpoint that is not out yet: one that is overtaken need not go out.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Slot {
    retirement: Option<Retirement>,
    checkpoint: Option<(u64, String)>,
    is_closed: bool,
}

#[derive(Debug)]
enum Work {
    Retire(Retirement),
    /// A checkpoint, and whether it is the last.
    Publish(u64, String, bool),
}

impl Outbox {
    /// Old segments are to be written anew.
    pub(super) fn retire(&self, retirement: Retirement) {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).retirement = Some(retirement);
        self.changed.notify_one();
    }

    pub(super) fn put(&self, size: u64, note: String, is_last: bool) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        (slot.checkpoint, slot.is_closed) = (Some((size, note)), is_last);
        drop(slot);
        self.changed.notify_one();
    }

    /// There will be no more.
    pub(super) fn close(&self) {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        self.changed.notify_one();
    }

    /// What is to be done next, once there is something; none if there will be nothing more.
    fn next(&self) -> Option<Work> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(retirement) = slot.retirement.take() {
                return Some(Work::Retire(retirement));
            }
            if let Some((size, note)) = slot.checkpoint.take() {
                return Some(Work::Publish(size, note, slot.is_closed));
            }
            if slot.is_closed {
                return None;
            }
            slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Brings checkpoints to where they belong.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) directory: Arc<dyn Directory>,
    pub(super) anchors: Vec<Box<dyn AnchorSink>>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) queue: Arc<Queue>,
    pub(super) lock: Option<Lock>,
}

impl Publisher {
    pub(super) fn run(mut self) {
        while let Some(work) = self.outbox.next() {
            match work {
                Work::Retire(retirement) => {
                    if let Err(error) = retirement.carry_out(&*self.directory) {
                        tracing::warn!(target: "agentauth::audit", code = error.code(), %error,
                            "old segments are not given up yet; it is tried again with the next segment");
                    }
                }
                Work::Publish(size, note, is_last) => self.publish(size, &note, is_last),
            }
        }
    }

    fn publish(&mut self, size: u64, note: &str, is_last: bool) {
        match self.replace_file(note) {
            Ok(()) => self.queue.counters.mended(&[Trouble::CheckpointFileFailed]),
            Err(error) => {
                tracing::warn!(target: "agentauth::audit", %error, "the file `checkpoint` could not be written");
                self.queue.counters.failed(Trouble::CheckpointFileFailed);
            }
        }
        if is_last {
            // Nothing of the directory is written from here on: another may open the log while anchors take their time.
            self.lock = None;
        }
        self.anchor(size, note);
    }

    fn replace_file(&self, note: &str) -> io::Result<()> {
        let unfinished = format!("{CHECKPOINT_FILE}{UNFINISHED}");
        let _ = self.directory.remove(&unfinished);
        let mut file = self.directory.create(&unfinished)?;
        file.append(note.as_bytes())?;
        file.sync()?;
        self.directory.rename(&unfinished, CHECKPOINT_FILE)?;
        self.directory.sync()
    }

    fn anchor(&self, size: u64, note: &str) {
        let counters = &self.queue.counters;
        // Read from the segments, which stay where they are even when another has opened the log since.
        let proofs = SegmentProofs::new(&*self.directory);
        let mut failed = false;
        for anchor in &self.anchors {
            // One that panics must not end the thread, and with it what the others remember.
            let anchored = catch_unwind(AssertUnwindSafe(|| anchor.anchor(note, &proofs)));
            match anchored.unwrap_or_else(|_| Err(AnchorError::Unavailable("it has panicked".into()))) {
                Ok(()) => drop(counters.anchored.fetch_max(size, Relaxed)),
                Err(error) => {
                    failed = true;
                    tracing::warn!(target: "agentauth::audit", anchor = anchor.name(), code = error.code(), %error,
                        "a checkpoint was not anchored; the next one will be tried");
                }
            }
        }
        if failed {
            counters.failed(Trouble::AnchorFailed);
        } else if !self.anchors.is_empty() {
            counters.mended(&[Trouble::AnchorFailed]);
        }
    }
}
