//! A replay store in the memory of one process: bounded, sharded, and never forgetful of what still counts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::{Entry, HashMap, RandomState};
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};

use super::{Remember, ReplayAnswer, ReplayStore};
use crate::time::Timestamp;

/// Entries by default. DPoP proofs are remembered for about a minute, so this serves some 4000 requests a second; full,
/// it takes about 30 MB. Only callers with a good token and its key can add to it.
const DEFAULT_CAPACITY: usize = 256 * 1024;

/// The largest capacity: about 2 GB. More than that belongs in a store that is shared.
const MAX_CAPACITY: usize = 16 * 1024 * 1024;

/// A shard is worth its lock from this size on.
const MIN_SHARD_CAPACITY: usize = 1024;

/// Threads that ask at the same time seldom meet in one of so many shards.
const MAX_SHARDS: usize = 64;

/// How many expired entries one call drops at most. Each call adds one at most, so two are enough to keep up; more let
/// a full shard recover faster, and no call waits for long.
const DROPPED_PER_CALL: usize = 8;

/// Remembers digests in the memory of this process, and forgets them at its end.
///
/// An entry that still counts is never evicted: when there is no room, new digests are answered with
/// [`ReplayAnswer::Unavailable`], since a store that forgets under load lets replays through under load. Each of its
/// shards has an equal share of the capacity; digests are spread over them by a keyed hash, so that nobody can aim.
///
/// The clock may go backwards: where an entry may have been dropped that counts again, the answer is
/// [`ReplayAnswer::Unavailable`] too.
pub struct MemoryReplayStore {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    shard_capacity: usize,
}

struct Shard {
    /// Until when each digest is remembered.
    entries: HashMap<[u8; 32], Timestamp, RandomState>,
    /// The same, the earliest end first. A digest that was used again after its end has an outdated entry as well.
    ends: BinaryHeap<Reverse<(Timestamp, [u8; 32])>>,
    /// The latest end of an entry that was dropped.
    forgotten: Timestamp,
}

impl MemoryReplayStore {
    /// A store for 262144 entries.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// A store for `entries`, at least 1 and at most 16777216. Above 1024 it is split into shards, and the number is
    /// rounded up to a multiple of theirs. Memory is taken as it is needed.
    #[must_use]
    pub fn with_capacity(entries: usize) -> Self {
        let entries = entries.clamp(1, MAX_CAPACITY);
        let shards = (entries / MIN_SHARD_CAPACITY).clamp(1, MAX_SHARDS);
        let hasher = RandomState::new();
        let shard = || {
            Mutex::new(Shard {
                entries: HashMap::with_hasher(hasher.clone()),
                ends: BinaryHeap::new(),
                forgotten: Timestamp::from_secs(0),
            })
        };
        Self {
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            shard_capacity: entries.div_ceil(shards),
            hasher,
        }
    }

    /// How many entries are held, expired ones that have not been dropped yet among them.
    #[must_use]
    pub fn len(&self) -> usize {
        let len = |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).ends.len();
        self.shards.iter().map(len).sum()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn answer(&self, digest: &[u8; 32], until: Timestamp, now: Timestamp) -> ReplayAnswer {
        // The table inside a shard takes the low bits of the same hash.
        let hash = self.hasher.hash_one(digest) >> 32;
        let count = u64::try_from(self.shards.len()).unwrap_or(u64::MAX).max(1);
        let shard = usize::try_from(hash % count).ok().and_then(|index| self.shards.get(index));
        match shard.map(Mutex::lock) {
            Some(Ok(mut shard)) => shard.remember(digest, until, now, self.shard_capacity),
            // A thread that panicked inside may have left half an entry.
            Some(Err(_)) | None => ReplayAnswer::Unavailable,
        }
    }
}

impl Shard {
    fn remember(&mut self, digest: &[u8; 32], until: Timestamp, now: Timestamp, capacity: usize) -> ReplayAnswer {
        self.drop_expired(now);
        let has_room = self.ends.len() < capacity;
        match self.entries.entry(*digest) {
            Entry::Occupied(entry) if *entry.get() > now => return ReplayAnswer::Replayed,
            // What ends by now would not be remembered at all, and what ends by `forgotten` may have been here.
            _ if until <= now || until <= self.forgotten || !has_room => return ReplayAnswer::Unavailable,
            Entry::Occupied(mut entry) => _ = entry.insert(until),
            Entry::Vacant(entry) => _ = entry.insert(until),
        }
        self.ends.push(Reverse((until, *digest)));
        ReplayAnswer::Fresh
    }

    fn drop_expired(&mut self, now: Timestamp) {
        for _ in 0..DROPPED_PER_CALL {
            let Some(Reverse((end, digest))) = self.ends.peek().copied().filter(|Reverse((end, _))| *end <= now) else {
                return;
            };
            self.ends.pop();
            self.forgotten = self.forgotten.max(end);
            if let Entry::Occupied(entry) = self.entries.entry(digest)
                && *entry.get() == end
            {
                entry.remove();
            }
        }
    }
}

impl ReplayStore for MemoryReplayStore {
    fn remember(&self, digest: &[u8; 32], until: Timestamp, now: Timestamp) -> Remember {
        Remember::ready(self.answer(digest, until, now))
    }
}

impl Default for MemoryReplayStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capacity = self.shard_capacity.saturating_mul(self.shards.len());
        f.debug_struct("MemoryReplayStore").field("capacity", &capacity).finish_non_exhaustive()
    }
}
