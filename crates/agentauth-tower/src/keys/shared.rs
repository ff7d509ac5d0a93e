//! What the task and those who use the keys have in common.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use agentauth_core::jose::KeySet;
use agentauth_core::token::{KeyRefresh, KeySnapshot};
use agentauth_core::{Clock, Timestamp};
use tokio::sync::{Notify, watch};

use super::schedule::{Schedule, elapsed};

/// The clock may be set, and a machine may sleep, without a timer noticing.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(60);

/// The latest good set, whether a newer one is on its way, and a bell.
#[derive(Debug)]
pub(super) struct Shared {
    name: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) schedule: Schedule,
    state: RwLock<State>,
    /// Rung when someone wants newer keys.
    bell: Notify,
    /// How many attempts have ended. The task has the other end, so it also tells when the task is gone.
    ended: watch::Receiver<u64>,
}

#[derive(Debug)]
struct State {
    held: Option<Held>,
    /// A fetch runs, or will at once.
    is_busy: bool,
    last_attempt: Option<Timestamp>,
    next_attempt: Timestamp,
    refreshes: Refreshes,
}

/// How fetching the keys of one issuer has gone, since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refreshes {
    /// Attempts that have succeeded.
    pub succeeded: u64,
    /// Attempts that have failed.
    pub failed: u64,
    /// When the keys that are held were last confirmed.
    pub confirmed: Option<Timestamp>,
}

#[derive(Debug)]
struct Held {
    snapshot: KeySnapshot,
    confirmed: Timestamp,
}

/// What came of an attempt.
pub(super) enum Outcome {
    /// Another set than before.
    New(Arc<KeySet>),
    /// The set that is held.
    Same,
    Failed,
}

impl Shared {
    /// Nothing is held, and the first fetch is on its way.
    pub(super) fn new(name: String, clock: Arc<dyn Clock>, schedule: Schedule, ended: watch::Receiver<u64>) -> Self {
        let state = State {
            held: None,
            is_busy: true,
            last_attempt: None,
            next_attempt: clock.now(),
            refreshes: Refreshes::default(),
        };
        Self { name, clock, schedule, state: RwLock::new(state), bell: Notify::new(), ended }
    }

    /// Where the keys come from, for people.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn current(&self) -> Option<KeySnapshot> {
        let now = self.clock.now();
        self.good(&self.read(), now).map(|held| held.snapshot.clone())
    }

    pub(super) fn generation(&self) -> Option<u64> {
        let now = self.clock.now();
        self.good(&self.read(), now).map(|held| held.snapshot.generation)
    }

    pub(super) fn refreshes(&self) -> Refreshes {
        let state = self.read();
        Refreshes { confirmed: state.held.as_ref().map(|held| held.confirmed), ..state.refreshes }
    }

    /// See [`KeySource::refresh`](agentauth_core::token::KeySource::refresh).
    pub(super) fn refresh(&self, tried: Option<u64>) -> Option<KeyRefresh> {
        let now = self.clock.now();
        let mut state = self.write();
        let generation = self.good(&state, now).map(|held| held.snapshot.generation);
        if generation.is_some() && generation != tried {
            // It came while the token was being verified.
            return Some(Box::pin(std::future::ready(())));
        }
        if !state.is_busy {
            let since = state.last_attempt.map_or(Duration::MAX, |last| elapsed(last, now));
            if since < self.schedule.min_interval {
                return None;
            }
            state.is_busy = true;
            self.bell.notify_one();
        }
        // Read under the lock: the attempt that is awaited has not ended yet.
        let mut ended = self.ended.clone();
        let before = *ended.borrow_and_update();
        Some(Box::pin(async move {
            // An error says that the task is gone, and then nothing will come of it.
            _ = ended.wait_for(|ended| *ended != before).await;
        }))
    }

    /// Waits until it is time for the next attempt, and begins it.
    pub(super) async fn next_attempt(&self) {
        loop {
            let wait = {
                let now = self.clock.now();
                let mut state = self.write();
                let wait = state.next_attempt.since(now);
                let is_set_back = state.last_attempt.is_some_and(|last| now < last);
                if state.is_busy || wait.is_zero() || is_set_back {
                    state.is_busy = true;
                    return;
                }
                wait
            };
            // The clock decides; sleeping only looks at it again.
            _ = tokio::time::timeout(wait.min(LOOK_AT_CLOCK), self.bell.notified()).await;
        }
    }

    /// Ends an attempt, the next of which is due after `pause`; `ended` is told while nobody can begin to wait.
    pub(super) fn end_attempt(&self, outcome: Outcome, pause: Duration, ended: &watch::Sender<u64>) {
        let now = self.clock.now();
        let mut state = self.write();
        let generation = state.held.as_ref().map_or(0, |held| held.snapshot.generation);
        let so_far = &mut state.refreshes;
        let counted = if matches!(outcome, Outcome::Failed) { &mut so_far.failed } else { &mut so_far.succeeded };
        *counted = counted.saturating_add(1);
        match outcome {
            Outcome::New(keys) => {
                let snapshot = KeySnapshot { keys, generation: generation.saturating_add(1) };
                state.held = Some(Held { snapshot, confirmed: now });
            }
            Outcome::Same => {
                if let Some(held) = &mut state.held {
                    held.confirmed = now;
                }
            }
            Outcome::Failed => {
                if let Some(held) = &mut state.held {
                    // The clock was put back: what it said before must not prolong the time for which keys count.
                    held.confirmed = held.confirmed.min(now);
                }
            }
        }
        state.is_busy = false;
        state.last_attempt = Some(now);
        state.next_attempt = now.plus(pause);
        ended.send_modify(|ended| *ended = ended.wrapping_add(1));
    }

    /// What is held, if it still counts: keys that nobody has confirmed for too long are no keys.
    fn good<'s>(&self, state: &'s State, now: Timestamp) -> Option<&'s Held> {
        state.held.as_ref().filter(|held| self.schedule.counts(held.confirmed, now))
    }

    /// No code panics while it has the lock; if it did, the state would still be whole.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
