//! A use store in the memory of one process: bounded, and never forgetful of what still counts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::{Entry, HashMap};
use std::fmt;
use std::sync::Mutex;

use super::{Debit, DebitAnswer, UseStore};
use crate::time::Timestamp;

/// Counters by default: as many delegations with limited uses at the same time. Full, they take about 10 MB.
const DEFAULT_CAPACITY: usize = 64 * 1024;

/// The largest capacity: about 160 MB. More than that belongs in a store that is shared.
const MAX_CAPACITY: usize = 1024 * 1024;

/// How many counters that have ended one call drops at most. Each call adds one at most.
const DROPPED_PER_CALL: usize = 8;

/// Counts uses in the memory of this process, and forgets them at its end: what may be used three times may be used three times
/// more after a restart. Where that matters, use a store that is kept.
///
/// A counter that still counts is never evicted: when there is no room, the answer is [`DebitAnswer::Unavailable`]. It is
/// that too where the clock went back to a time at which a counter may have been dropped that counts again.
pub struct MemoryUseStore {
    counters: Mutex<Counters>,
    capacity: usize,
}

struct Counters {
    /// How often each was used, and until when that counts.
    counts: HashMap<[u8; 32], (u32, Timestamp)>,
    /// One for each counter, the earliest end first. An end may have been put off since.
    ends: BinaryHeap<Reverse<(Timestamp, [u8; 32])>>,
    /// The latest end of a counter that was dropped.
    forgotten: Timestamp,
}

impl MemoryUseStore {
    /// A store for 65536 counters.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// A store for this many counters, at least 1 and at most 1048576. Memory is taken as it is needed.
    #[must_use]
    pub fn with_capacity(counters: usize) -> Self {
        let empty = Counters { counts: HashMap::new(), ends: BinaryHeap::new(), forgotten: Timestamp::from_secs(0) };
        Self { counters: Mutex::new(empty), capacity: counters.clamp(1, MAX_CAPACITY) }
    }
}

impl Counters {
    fn debit(&mut self, digest: &[u8; 32], limit: u32, until: Timestamp, now: Timestamp, room: usize) -> DebitAnswer {
        self.drop_ended(now);
        // What ends by now would not be remembered at all, and what ends by `forgotten` may have been here.
        if until <= now || until <= self.forgotten {
            return DebitAnswer::Unavailable;
        }
        let has_room = self.counts.len() < room;
        match self.counts.entry(*digest) {
            Entry::Occupied(mut entry) => {
                let (count, end) = entry.get_mut();
                if *end <= now {
                    // It has ended, and was not dropped yet.
                    *count = 0;
                }
                *end = until.max(*end);
                if *count >= limit {
                    return DebitAnswer::Exhausted;
                }
                *count = count.saturating_add(1);
            }
            Entry::Vacant(_) if limit == 0 => return DebitAnswer::Exhausted,
            Entry::Vacant(_) if !has_room => return DebitAnswer::Unavailable,
            Entry::Vacant(entry) => {
                entry.insert((1, until));
                self.ends.push(Reverse((until, *digest)));
            }
        }
        DebitAnswer::Debited
    }

    fn drop_ended(&mut self, now: Timestamp) {
        for _ in 0..DROPPED_PER_CALL {
            let Some(Reverse((end, digest))) = self.ends.peek().copied().filter(|Reverse((end, _))| *end <= now) else {
                return;
            };
            self.ends.pop();
            match self.counts.get(&digest) {
                Some((_, put_off)) if *put_off > end => self.ends.push(Reverse((*put_off, digest))),
                _ => {
                    self.forgotten = self.forgotten.max(end);
                    self.counts.remove(&digest);
                }
            }
        }
    }
}

impl UseStore for MemoryUseStore {
    fn debit(&self, digest: &[u8; 32], limit: u32, until: Timestamp, now: Timestamp) -> Debit {
        // A thread that panicked inside may have left half a counter.
        let answer = self.counters.lock().map(|mut counters| counters.debit(digest, limit, until, now, self.capacity));
        Debit::ready(answer.unwrap_or(DebitAnswer::Unavailable))
    }
}

impl Default for MemoryUseStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryUseStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryUseStore").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
