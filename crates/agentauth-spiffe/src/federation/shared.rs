//! The bundles that are held, and which of them count.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agentauth_core::identity::svid::{BundleSource, IdentityUnavailable, TrustBundle, TrustBundles};
use agentauth_core::{Clock, Timestamp, TrustDomain};

use super::FederationError;
use crate::Snapshot;
use crate::live::Live;

pub(super) struct Shared {
    pub(super) live: Live,
    pub(super) keep: Duration,
    state: Mutex<State>,
    /// When the next bundle ceases to count, in microseconds.
    until: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<TrustDomain, Held>,
    /// Whose bundles were published last.
    published: Vec<TrustDomain>,
}

/// The latest bundle of a trust domain.
#[derive(Debug)]
struct Held {
    bundle: TrustBundle,
    confirmed: Timestamp,
}

impl Shared {
    pub(super) fn new(clock: Arc<dyn Clock>, keep: Duration) -> Self {
        Self { live: Live::new(clock), keep, state: Mutex::default(), until: AtomicU64::new(u64::MAX) }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.live.clock().now()
    }

    /// The bundles that count now. Only when one has ceased to since the last time is there more to do than to copy a
    /// pointer.
    pub(super) fn bundles(&self) -> TrustBundles {
        let now = self.now();
        if now.micros() >= self.until.load(Ordering::Acquire) {
            self.publish(&mut self.lock(), now, false);
        }
        self.live.bundles()
    }

    /// Puts `bundle`, which was confirmed at `confirmed`, in the place of the one that is held.
    ///
    /// # Errors
    /// [`FederationError::Older`], unless the one that is held does not count any more.
    pub(super) fn hold(&self, bundle: TrustBundle, confirmed: Timestamp) -> Result<(), FederationError> {
        let now = self.now();
        let mut state = self.lock();
        let before = state.held.get(bundle.trust_domain()).filter(|held| self.counts(held, now));
        if let (Some(before), Some(found)) = (before.and_then(|held| held.bundle.sequence()), bundle.sequence())
            && found < before
        {
            return Err(FederationError::Older { held: before, found });
        }
        state.held.insert(bundle.trust_domain().clone(), Held { bundle, confirmed });
        self.publish(&mut state, now, true);
        Ok(())
    }

    /// The endpoint of `domain` has answered with what is held.
    pub(super) fn confirm(&self, domain: &TrustDomain) {
        self.date(domain, |_, now| now);
    }

    /// The endpoint of `domain` could not be asked. The clock may have been put back: what it said before must not
    /// prolong the time for which a bundle counts.
    pub(super) fn miss(&self, domain: &TrustDomain) {
        self.date(domain, Timestamp::min);
    }

    fn date(&self, domain: &TrustDomain, date: impl Fn(Timestamp, Timestamp) -> Timestamp) {
        let now = self.now();
        let mut state = self.lock();
        if let Some(held) = state.held.get_mut(domain) {
            held.confirmed = date(held.confirmed, now);
        }
        self.publish(&mut state, now, false);
    }

    /// The latest bundle of `domain`, whether it counts or not, and when it was confirmed.
    pub(super) fn latest(&self, domain: &TrustDomain) -> Option<(TrustBundle, Timestamp)> {
        self.lock().held.get(domain).map(|held| (held.bundle.clone(), held.confirmed))
    }

    /// Whether the bundle of `domain` counts now.
    pub(super) fn believes(&self, domain: &TrustDomain) -> bool {
        let now = self.now();
        self.lock().held.get(domain).is_some_and(|held| self.counts(held, now))
    }

    fn counts(&self, held: &Held, now: Timestamp) -> bool {
        now.since(held.confirmed) < self.keep
    }

    /// Publishes what counts, if that is something else than before.
    fn publish(&self, state: &mut State, now: Timestamp, is_changed: bool) {
        let counting: Vec<&Held> = state.held.values().filter(|held| self.counts(held, now)).collect();
        let until = counting.iter().map(|held| held.confirmed.plus(self.keep).micros()).min();
        let domains: Vec<TrustDomain> = counting.iter().map(|held| held.bundle.trust_domain().clone()).collect();
        if is_changed || domains != state.published {
            let bundles = counting
                .iter()
                .fold(TrustBundles::new(), |all, held| all.clone().with_bundle(held.bundle.clone()).unwrap_or(all));
            self.live.publish(Snapshot::new(Err(IdentityUnavailable::NotYet), bundles));
            state.published = domains;
        }
        self.until.store(until.unwrap_or(u64::MAX), Ordering::Release);
    }

    /// No code panics while it has the lock; if it did, what is held would still be whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("live", &self.live).finish_non_exhaustive()
    }
}

/// What proves the server of an endpoint that belongs to the trust domain whose bundle it serves: the latest one that
/// was retrieved, and the one that was given to begin with as long as there is none (SPIFFE_Federation.md §5.2.2.1).
#[derive(Debug)]
pub(super) struct SelfServing {
    pub(super) domain: TrustDomain,
    pub(super) shared: Arc<Shared>,
    pub(super) first: Arc<dyn BundleSource>,
}

impl BundleSource for SelfServing {
    fn bundles(&self) -> TrustBundles {
        match self.shared.latest(&self.domain) {
            Some((bundle, _)) => TrustBundles::new().with_bundle(bundle).unwrap_or_default(),
            None => self.first.bundles(),
        }
    }
}
