use std::fmt;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Wait;
use super::entries::{Entries, Span};
use super::{Revocation, RevocationAnswer, RevocationStore, RevokeError, Subjects};
use crate::time::Timestamp;

/// Revocations by default. Full, they take about 30 MB. Clients that take back their own tokens add to them.
pub(super) const DEFAULT_CAPACITY: usize = 256 * 1024;

/// Remembers what is revoked in the memory of this process, and forgets it at its end. To be shared by an issuer and
/// servers in one process, it goes into an `Arc`.
///
/// Once [`RevocationStore::revoke`] has returned, nobody whom it concerns is let through. What counts still is never
/// dropped: a store that is full refuses to revoke more, which is the moment to revoke a whole agent or issuer instead. For
/// those, an eighth of it is kept free.
pub struct MemoryRevocations {
    entries: RwLock<Entries>,
    epoch: AtomicU64,
    capacity: usize,
}

impl MemoryRevocations {
    /// A store for 262144 revocations.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// A store for `entries`, at least 1. Memory is taken as it is needed.
    #[must_use]
    pub fn with_capacity(entries: usize) -> Self {
        Self { entries: RwLock::default(), epoch: AtomicU64::new(0), capacity: entries.max(1) }
    }

    fn insert(&self, revocation: &Revocation, now: Timestamp) -> Result<(), RevokeError> {
        // A thread that panicked inside may have left half an entry.
        let mut entries = self.entries.write().map_err(|_| RevokeError::Store("the store is broken".into()))?;
        let (key, span) = (revocation.key(), Span::of(revocation));
        if entries.admit((&key, &span), now, self.capacity)? {
            entries.insert(key, span);
            // Last: who sees the new epoch must find the entry.
            self.epoch.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }
}

impl RevocationStore for MemoryRevocations {
    fn check(&self, subjects: &Subjects, now: Timestamp) -> Wait<RevocationAnswer> {
        Wait::ready(self.entries.read().map_or(RevocationAnswer::Unavailable, |entries| entries.answer(subjects, now)))
    }

    fn revoke(&self, revocation: &Revocation, now: Timestamp) -> Wait<Result<(), RevokeError>> {
        Wait::ready(self.insert(revocation, now))
    }

    fn epoch(&self, _: Timestamp) -> Option<u64> {
        if self.entries.is_poisoned() { None } else { Some(self.epoch.load(Ordering::Acquire)) }
    }
}

impl Default for MemoryRevocations {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRevocations").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
