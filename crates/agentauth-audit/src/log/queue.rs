//! What waits to be written, and who waits for it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agentauth_core::audit::{Acknowledgement, AuditError};

use super::gaps::{Gaps, Why};
use super::health::Counters;
use crate::format::EntryKind;
use crate::tree::Hash;

/// Records that share one write at most: more would make the first of them wait for the last.
const GROUP_RECORDS: usize = 1024;

/// Bytes that share one write, but for the last record of it.
pub(super) const GROUP_BYTES: usize = 1024 * 1024;

/// An entry to be, but for its place.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: EntryKind,
    pub(super) payload: Vec<u8>,
    pub(super) side: Vec<u8>,
    pub(super) commitment: Hash,
    pub(super) evaluation_id: Arc<str>,
}

impl Item {
    pub(super) const fn bytes(&self) -> usize {
        self.payload.len() + self.side.len()
    }
}

/// Who waits for an item.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) since: Instant,
    /// Absent if nobody waits, or nobody any more.
    pub(super) done: Option<Acknowledgement>,
    /// Whether they were told that it is late.
    pub(super) is_late: bool,
}

/// What is bounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) max_wait: Duration,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to write.
    work: Condvar,
    /// There is something that may become late.
    pub(super) watch: Condvar,
    pub(super) limits: Limits,
    pub(super) counters: Counters,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) items: VecDeque<(Item, Waiter)>,
    pub(super) bytes: usize,
    /// Who waits for the group that is being written, in its order.
    pub(super) writing: Vec<Waiter>,
    /// Since when the writer has been busy with one thing.
    pub(super) busy: Option<Instant>,
    pub(super) gaps: Gaps,
    /// After a write has failed: what is said to those who come, and until when.
    pub(super) failed: Option<(AuditError, Instant)>,
    pub(super) is_stalled: bool,
    pub(super) is_closed: bool,
    /// Whether the watch sleeps without an end.
    pub(super) watch_sleeps: bool,
}

/// What the writer has to do.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) gaps: Gaps,
    pub(super) is_closed: bool,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        let (state, counters) = (Mutex::default(), Counters::default());
        Self { state, work: Condvar::new(), watch: Condvar::new(), limits, counters }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // What a panic elsewhere leaves behind is whole: nothing here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an item, or says why not; it is counted then. Does not wait for anything but other callers.
    pub(super) fn push(&self, item: Item, done: Option<Acknowledgement>) -> Result<(), AuditError> {
        let mut state = self.lock();
        let now = Instant::now();
        if let Some((error, why)) = state.refusal(&self.limits, item.bytes(), now) {
            match why {
                Some(why) => count(&self.counters, &mut state.gaps, why, &item),
                None => drop(self.counters.dropped.fetch_add(1, Relaxed)),
            }
            return Err(error);
        }
        let is_waited_for = done.is_some();
        state.bytes += item.bytes();
        state.items.push_back((item, Waiter { since: now, done, is_late: false }));
        self.counters.queue_depth.store(state.items.len() as u64, Relaxed);
        let wakes_writer = state.busy.is_none();
        let wakes_watch = is_waited_for && std::mem::take(&mut state.watch_sleeps);
        drop(state);
        if wakes_writer {
            self.work.notify_one();
        }
        if wakes_watch {
            self.watch.notify_one();
        }
        Ok(())
    }

    /// Counts a record that cannot be written.
    pub(super) fn lose(&self, evaluation_id: &Arc<str>) {
        self.counters.dropped.fetch_add(1, Relaxed);
        self.lock().gaps.add(Why::WriteFailed, evaluation_id);
        self.work.notify_one();
    }

    /// Waits for something to write, or until `until`, and moves it into `group`, which is empty.
    pub(super) fn take(&self, group: &mut Vec<Item>, until: Instant) -> Taken {
        let mut state = self.lock();
        self.rest(&mut state);
        loop {
            let has_gaps = !state.gaps.is_empty() && state.failed.is_none();
            if !state.items.is_empty() || has_gaps || state.is_closed {
                break;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        while group.len() < GROUP_RECORDS && bytes < GROUP_BYTES {
            let Some((item, waiter)) = state.items.pop_front() else { break };
            bytes += item.bytes();
            group.push(item);
            state.writing.push(waiter);
        }
        state.bytes -= bytes;
        state.busy = Some(Instant::now());
        let wakes_watch = std::mem::take(&mut state.watch_sleeps);
        self.counters.queue_depth.store(state.items.len() as u64, Relaxed);
        // After a failure, they come right after what says that it is over.
        let gaps = if state.failed.is_none() { std::mem::take(&mut state.gaps) } else { Gaps::default() };
        let taken = Taken { gaps, is_closed: state.is_closed };
        drop(state);
        if wakes_watch {
            self.watch.notify_one();
        }
        taken
    }

    /// What was begun has ended: nothing hangs.
    fn rest(&self, state: &mut State) {
        state.busy = None;
        state.is_stalled = false;
        self.counters.is_stalled.store(false, Relaxed);
    }

    /// The group is on the disk. Says which of it were late, by their place in it.
    pub(super) fn written(&self) -> Vec<u64> {
        let mut state = self.lock();
        self.rest(&mut state);
        state.busy = Some(Instant::now());
        state.failed = None;
        let mut waiters = std::mem::take(&mut state.writing);
        drop(state);
        self.counters.is_writing.store(true, Relaxed);
        let late = waiters.iter().zip(0..).filter(|(waiter, _)| waiter.is_late).map(|(_, place)| place).collect();
        for waiter in waiters.drain(..) {
            // The one who waited may have gone away; the record stays.
            waiter.done.map(|done| done.give(Ok(())));
        }
        let mut state = self.lock();
        if state.writing.is_empty() {
            state.writing = waiters;
        }
        late
    }

    /// The group is not on the disk, nor will it be: its records are counted, as are those of `gaps`. Until `until`,
    /// further ones are refused at once.
    pub(super) fn failed(&self, group: &[Item], gaps: Gaps, error: &AuditError, until: Instant) {
        let mut state = self.lock();
        self.rest(&mut state);
        state.busy = Some(Instant::now());
        state.gaps = gaps.before(&mut state.gaps);
        for item in group {
            count(&self.counters, &mut state.gaps, Why::WriteFailed, item);
        }
        state.failed = Some((error.clone(), until));
        let waiters = std::mem::take(&mut state.writing);
        drop(state);
        self.counters.is_writing.store(false, Relaxed);
        for done in waiters.into_iter().filter_map(|waiter| waiter.done) {
            let _ = done.give(Err(error.clone()));
        }
    }

    /// The gaps so far: to be written, or put back.
    pub(super) fn take_gaps(&self) -> Gaps {
        std::mem::take(&mut self.lock().gaps)
    }

    pub(super) fn put_back(&self, gaps: Gaps) {
        let mut state = self.lock();
        state.gaps = gaps.before(&mut state.gaps);
    }

    /// Nothing is taken any more; what was taken is still written.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.work.notify_one();
        self.watch.notify_one();
    }

    /// The writer is gone: so nobody waits any longer.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.busy = None;
        let (items, writing) = (std::mem::take(&mut state.items), std::mem::take(&mut state.writing));
        state.bytes = 0;
        self.counters.is_writing.store(false, Relaxed);
        self.counters.queue_depth.store(0, Relaxed);
        // There are some only if the writer has panicked.
        self.counters.dropped.fetch_add((items.len() + writing.len()) as u64, Relaxed);
        drop(state);
        self.watch.notify_one();
        // Acknowledgements that are dropped say that the log is closed.
        drop((items, writing));
    }
}

/// Counts a record that is not kept.
pub(super) fn count(counters: &Counters, gaps: &mut Gaps, why: Why, item: &Item) {
    if item.kind == EntryKind::Record {
        counters.dropped.fetch_add(1, Relaxed);
        gaps.add(why, &item.evaluation_id);
    }
}

impl State {
    /// Why nothing is taken now, and how it is counted.
    fn refusal(&self, limits: &Limits, bytes: usize, now: Instant) -> Option<(AuditError, Option<Why>)> {
        if self.is_closed {
            return Some((AuditError::Closed, None));
        }
        if let Some((error, until)) = &self.failed
            && now < *until
        {
            return Some((error.clone(), Some(Why::WriteFailed)));
        }
        if self.is_stalled {
            return Some((AuditError::Late, Some(Why::Stalled)));
        }
        let is_full = self.items.len() >= limits.records || self.bytes + bytes > limits.bytes;
        // One that is larger than the whole queue has it for itself.
        (is_full && !self.items.is_empty()).then_some((AuditError::Full, Some(Why::QueueFull)))
    }
}
