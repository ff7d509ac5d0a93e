use std::fmt;
use std::sync::Arc;

use super::Wait;
use super::{Revocation, RevocationKind, RevokeError, Subjects};
use crate::time::Timestamp;

/// Remembers what has been revoked.
///
/// It sees digests, never what they were made of. A store in memory answers at once ([`Wait::ready`]); one that asks over
/// a network answers later ([`Wait::later`]), and must bound its wait.
pub trait RevocationStore: Send + Sync + fmt::Debug {
    /// Says whether one of `subjects` is revoked at `now`.
    fn check(&self, subjects: &Subjects, now: Timestamp) -> Wait<RevocationAnswer>;

    /// Revokes. Once it has answered `Ok`, this store answers [`RevocationAnswer::Revoked`] for what it concerns; other
    /// processes that share what is behind it may learn of it later, within a bound that the store states.
    ///
    /// It is begun when this is called, and goes on if nobody waits for it.
    fn revoke(&self, revocation: &Revocation, now: Timestamp) -> Wait<Result<(), RevokeError>>;

    /// A number that is another one after each revocation that this store has learnt of: what was
    /// [`RevocationAnswer::Clear`] in an epoch is so until the next one, and is not asked about again. 0 says that nothing
    /// at all is revoked.
    ///
    /// `None`: each caller must be asked about each time. So it is for a store that does not know what others revoke, and
    /// while it cannot tell.
    fn epoch(&self, now: Timestamp) -> Option<u64> {
        let _ = now;
        None
    }
}

impl<S: RevocationStore + ?Sized> RevocationStore for Arc<S> {
    fn check(&self, subjects: &Subjects, now: Timestamp) -> Wait<RevocationAnswer> {
        (**self).check(subjects, now)
    }

    fn revoke(&self, revocation: &Revocation, now: Timestamp) -> Wait<Result<(), RevokeError>> {
        (**self).revoke(revocation, now)
    }

    fn epoch(&self, now: Timestamp) -> Option<u64> {
        (**self).epoch(now)
    }
}

/// What a store says of the subjects of a token. Only [`RevocationAnswer::Clear`] lets the request go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum RevocationAnswer {
    /// None of them is revoked.
    Clear,
    /// One of them is, of this kind.
    Revoked(RevocationKind),
    /// The store cannot tell.
    Unavailable,
}
