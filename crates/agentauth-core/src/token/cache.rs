//! Tokens that have been verified already: a signature is checked once, everything that can change is checked each time.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::VerifiedToken;
use crate::digest::{ByDigest, Digest};

/// How many verified tokens are kept unless set otherwise, each with what the record says of it: 12 MB as tokens are;
/// 250 MB at the very worst, for which an issuer must sign as many tokens of the largest size.
pub(crate) const DEFAULT_CAPACITY: usize = 10_000;

#[derive(Debug, Clone)]
struct Entry {
    token: Arc<VerifiedToken>,
    epoch: u64,
}

/// What a room further down has made of a token, to make it once. What it is, only that room knows.
#[derive(Default)]
pub(crate) struct Keepsake(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Keepsake {
    /// What was made first. A thing of another type than what is kept is made anew.
    pub(crate) fn get_or_make<T: Send + Sync + 'static>(&self, make: impl Fn() -> T) -> Arc<T> {
        let kept = self.0.get_or_init(|| Arc::new(make()));
        Arc::clone(kept).downcast().unwrap_or_else(|_| Arc::new(make()))
    }
}

/// A bounded cache of verified tokens, each known by the SHA-256 of its exact bytes. Refusals are not kept, and proofs of possession are not either: each request
/// shows its own.
pub(super) struct TokenCache {
    entries: Cache<Digest, Entry, UnitWeighter, ByDigest>,
    epoch: AtomicU64,
}

impl TokenCache {
    pub(super) fn new(capacity: usize) -> Self {
        let hasher = ByDigest::default();
        let lifecycle = DefaultLifecycle::default();
        // Its shards, of 32 entries at least, are of one size: the capacity is rounded up to a multiple of their number.
        Self {
            entries: Cache::with(capacity, capacity as u64, UnitWeighter, hasher, lifecycle),
            epoch: AtomicU64::new(0),
        }
    }

    /// The token with this digest, if it is kept and `is_good` still. One that is not is dropped.
    #[inline]
    pub(super) fn get(
        &self,
        digest: &Digest,
        is_good: impl FnOnce(&VerifiedToken) -> bool,
    ) -> Option<Arc<VerifiedToken>> {
        let entry = self.entries.get(digest)?;
        if entry.epoch == self.epoch() && is_good(&entry.token) {
            Some(entry.token)
        } else {
            self.entries.remove(digest);
            None
        }
    }

    /// Keeps a token that was verified in `epoch`, which was read before its verification began.
    pub(super) fn insert(&self, digest: Digest, token: Arc<VerifiedToken>, epoch: u64) {
        self.entries.insert(digest, Entry { token, epoch });
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Whatever was verified before this moment is verified again.
    pub(super) fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.entries.clear();
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("len", &self.entries.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keepsake_is_made_once() {
        let keepsake = Keepsake::default();
        let first = keepsake.get_or_make(|| 1_u8);
        assert!(Arc::ptr_eq(&first, &keepsake.get_or_make(|| 2_u8)));
        assert_eq!(*keepsake.get_or_make(|| "of another type"), "of another type");
    }
}
