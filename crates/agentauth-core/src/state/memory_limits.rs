//! A store of limits in the memory of one process: bounded, and never forgetful of what still counts.

use std::collections::BTreeSet;
use std::collections::hash_map::{Entry, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::window::Window;
use super::{Demand, LimitStore, Reservation, Reserve, ReserveAnswer, Use};
use crate::time::Timestamp;

/// Entries by default: counters of amounts in their period, and places that are held. Full, they take about 25 MB.
const DEFAULT_CAPACITY: usize = 64 * 1024;

/// The largest capacity: about 400 MB. More than that belongs in a store that is shared.
const MAX_CAPACITY: usize = 1024 * 1024;

/// How many counters that have ended one call drops at most, beside one for each that it may add.
const DROPPED_PER_CALL: usize = 8;

/// Counts limits in the memory of this process, and forgets them at its end: a budget begins anew with a restart. Where that matters, use
/// a store that is kept.
///
/// What is taken of a rate or a budget in any period is never more than the limit, unless it was given back; and it counts for up to a
/// twentieth of its period too long. What still counts is never evicted: when there is no room, the answer is
/// [`ReserveAnswer::Unavailable`]. Where the clock goes back, the time stands still here.
pub struct MemoryLimits {
    counters: Mutex<Counters>,
    capacity: usize,
}

struct Counters {
    counters: HashMap<[u8; 32], Counter>,
    /// One for each counter: from when on nothing of it counts.
    ends: BTreeSet<(Timestamp, [u8; 32])>,
    /// Windows, and places that are held.
    entries: usize,
    latest: Timestamp,
}

enum Counter {
    Amounts(Window),
    Places(Vec<Place>),
}

struct Place {
    end: Timestamp,
    of: Arc<str>,
}

enum Refused {
    Exceeded(Option<Duration>),
    Full,
}

impl MemoryLimits {
    /// A store for 65536 entries: an entry is a counter of a rate or a budget, for as long as its period after it was last used, or
    /// an action that holds its place.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// A store for this many entries, at least 1 and at most 1048576. Memory is taken as it is needed.
    #[must_use]
    pub fn with_capacity(entries: usize) -> Self {
        let epoch = Timestamp::from_secs(0);
        let empty = Counters { counters: HashMap::new(), ends: BTreeSet::new(), entries: 0, latest: epoch };
        Self { counters: Mutex::new(empty), capacity: entries.clamp(1, MAX_CAPACITY) }
    }
}

impl Counters {
    fn reserve(&mut self, wanted: &Reservation, room: usize) -> ReserveAnswer {
        self.latest = self.latest.max(wanted.time());
        let demands = wanted.demands();
        self.drop_ended(DROPPED_PER_CALL.saturating_add(demands.len()));
        for (index, demand) in demands.iter().enumerate() {
            let Err(refused) = self.take(demand, wanted.id(), room) else { continue };
            for taken in demands.iter().take(index) {
                self.give_back(taken, wanted.id(), self.latest);
            }
            return match refused {
                Refused::Exceeded(retry_after) => ReserveAnswer::Exceeded { demand: index, retry_after },
                Refused::Full => ReserveAnswer::Unavailable,
            };
        }
        ReserveAnswer::Reserved
    }

    fn take(&mut self, demand: &Demand, of: &Arc<str>, room: usize) -> Result<(), Refused> {
        let is_full = self.entries >= room;
        match self.counters.entry(*digest_of(demand)) {
            Entry::Vacant(_) if is_full => Err(Refused::Full),
            Entry::Vacant(vacant) => {
                let mut counter = Counter::new(demand);
                counter.take(demand, of, false, self.latest)?;
                self.ends.insert((counter.end(), *vacant.key()));
                self.entries = self.entries.saturating_add(1);
                vacant.insert(counter);
                Ok(())
            }
            Entry::Occupied(mut occupied) => {
                let counter = occupied.get_mut();
                let (end, size) = (counter.end(), counter.size());
                let taken = counter.take(demand, of, is_full, self.latest);
                // Even where nothing is taken, some may have ended.
                let (new_end, new_size) = (counter.end(), counter.size());
                self.entries = self.entries.saturating_sub(size).saturating_add(new_size);
                if new_end != end {
                    self.ends.remove(&(end, *occupied.key()));
                    self.ends.insert((new_end, *occupied.key()));
                }
                taken
            }
        }
    }

    fn give_back(&mut self, demand: &Demand, of: &Arc<str>, then: Timestamp) {
        let Entry::Occupied(mut occupied) = self.counters.entry(*digest_of(demand)) else { return };
        let counter = occupied.get_mut();
        let (end, size) = (counter.end(), counter.size());
        counter.give_back(demand, of, then);
        let (new_end, new_size) = (counter.end(), counter.size());
        if counter.is_empty() {
            self.ends.remove(&(end, *occupied.key()));
            occupied.remove();
            self.entries = self.entries.saturating_sub(size);
            return;
        }
        self.entries = self.entries.saturating_sub(size).saturating_add(new_size);
        if new_end != end {
            self.ends.remove(&(end, *occupied.key()));
            self.ends.insert((new_end, *occupied.key()));
        }
    }

    fn drop_ended(&mut self, most: usize) {
        for _ in 0..most {
            let Some((_, digest)) = self.ends.first().copied().filter(|(end, _)| *end <= self.latest) else { return };
            self.ends.pop_first();
            let size = self.counters.remove(&digest).map_or(0, |counter| counter.size());
            self.entries = self.entries.saturating_sub(size);
        }
    }
}

impl Counter {
    fn new(demand: &Demand) -> Self {
        match demand {
            Demand::Amount { period, .. } => Self::Amounts(Window::new(*period)),
            Demand::Place { .. } => Self::Places(Vec::new()),
        }
    }

    fn take(&mut self, demand: &Demand, of: &Arc<str>, is_full: bool, now: Timestamp) -> Result<(), Refused> {
        match (self, demand) {
            (Self::Amounts(window), Demand::Amount { amount, limit, .. }) => {
                window.take(*amount, *limit, now).map_err(Refused::Exceeded)
            }
            (Self::Places(places), Demand::Place { limit, hold, .. }) => {
                let held = places.len();
                places.retain(|place| place.end > now);
                if places.len() >= usize::try_from(*limit).unwrap_or(usize::MAX) {
                    return Err(Refused::Exceeded(None));
                }
                if is_full && places.len() == held {
                    return Err(Refused::Full);
                }
                places.push(Place { end: now.plus(*hold), of: Arc::clone(of) });
                Ok(())
            }
            // A digest is of one kind of counter. Of two it could not be told what is left.
            (Self::Amounts(_), Demand::Place { .. }) | (Self::Places(_), Demand::Amount { .. }) => Err(Refused::Full),
        }
    }

    fn give_back(&mut self, demand: &Demand, of: &Arc<str>, then: Timestamp) {
        match (self, demand) {
            (Self::Amounts(window), Demand::Amount { amount, .. }) => window.give_back(*amount, then),
            (Self::Places(places), Demand::Place { .. }) => {
                if let Some(index) = places.iter().position(|place| place.of == *of) {
                    places.swap_remove(index);
                }
            }
            (Self::Amounts(_), Demand::Place { .. }) | (Self::Places(_), Demand::Amount { .. }) => {}
        }
    }

    /// From when on nothing of it counts.
    fn end(&self) -> Timestamp {
        match self {
            Self::Amounts(window) => window.end(),
            Self::Places(places) => places.iter().map(|place| place.end).max().unwrap_or(Timestamp::from_secs(0)),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Amounts(_) => 1,
            Self::Places(places) => places.len(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Amounts(window) => window.total() == 0,
            Self::Places(places) => places.is_empty(),
        }
    }
}

const fn digest_of(demand: &Demand) -> &[u8; 32] {
    match demand {
        Demand::Amount { counter, .. } | Demand::Place { counter, .. } => counter,
    }
}

impl LimitStore for MemoryLimits {
    fn reserve(&self, wanted: &Arc<Reservation>) -> Reserve {
        // A thread that panicked inside may have left half a counter.
        let answer = self.counters.lock().map(|mut counters| counters.reserve(wanted, self.capacity));
        Reserve::ready(answer.unwrap_or(ReserveAnswer::Unavailable))
    }

    fn release(&self, reserved: &Arc<Reservation>, use_of_it: Use, _: Timestamp) {
        let Ok(mut counters) = self.counters.lock() else { return };
        for demand in reserved.demands() {
            if use_of_it == Use::Unused || matches!(demand, Demand::Place { .. }) {
                counters.give_back(demand, reserved.id(), reserved.time());
            }
        }
    }
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLimits").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
