//! A second thread, which the disk cannot stop: it answers those who have waited for too long.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use agentauth_core::audit::{Acknowledgement, AuditError};

use super::gaps::Why;
use super::health::Counters;
use super::queue::{Queue, State, Waiter, count};

impl Queue {
    /// Tells those who have waited for too long, and marks the log as stalled, until the queue ends.
    pub(super) fn watch(&self) {
        let mut late: Vec<Acknowledgement> = Vec::new();
        let mut state = self.lock();
        loop {
            if state.is_closed && state.items.is_empty() && state.writing.is_empty() && state.busy.is_none() {
                return;
            }
            let now = Instant::now();
            match state.next_late(self.limits.max_wait) {
                Some(when) if when <= now => {
                    state.give_up(now, self.limits.max_wait, &mut late, &self.counters);
                    drop(state);
                    for done in late.drain(..) {
                        let _ = done.give(Err(AuditError::Late));
                    }
                    state = self.lock();
                }
                Some(when) => {
                    (state, _) = self.watch.wait_timeout(state, when - now).unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    state.watch_sleeps = true;
                    state = self.watch.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.watch_sleeps = false;
                }
            }
        }
    }
}

impl State {
    /// When the next one is late, or the writer has been busy for as long.
    fn next_late(&self, max_wait: Duration) -> Option<Instant> {
        let queued = self.items.iter().map(|(_, waiter)| waiter);
        let waited_for = |waiter: &&Waiter| waiter.done.is_some();
        // Each is in the order in which they came.
        let oldest = [queued.clone().find(waited_for), self.writing.iter().find(waited_for)];
        let oldest = oldest.into_iter().flatten().map(|waiter| waiter.since);
        oldest.chain(self.busy.filter(|_| !self.is_stalled)).min().map(|since| since + max_wait)
    }

    fn give_up(&mut self, now: Instant, max_wait: Duration, late: &mut Vec<Acknowledgement>, counters: &Counters) {
        self.is_stalled = true;
        counters.is_stalled.store(true, Relaxed);
        let is_late = |waiter: &Waiter| waiter.done.is_some() && waiter.since + max_wait <= now;
        // These may still be written.
        for waiter in self.writing.iter_mut().filter(|waiter| is_late(waiter)) {
            waiter.is_late = true;
            late.extend(waiter.done.take());
        }
        // These are not.
        let (gaps, bytes) = (&mut self.gaps, &mut self.bytes);
        self.items.retain_mut(|(item, waiter)| {
            let stays = !is_late(waiter);
            if !stays {
                *bytes -= item.bytes();
                count(counters, gaps, Why::Stalled, item);
                late.extend(waiter.done.take());
            }
            stays
        });
        counters.queue_depth.store(self.items.len() as u64, Relaxed);
        counters.late.fetch_add(late.len() as u64, Relaxed);
    }
}
