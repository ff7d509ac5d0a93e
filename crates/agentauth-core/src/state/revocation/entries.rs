//! Revocations in memory, each with its end: what the stores are made of.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::{Revocation, RevocationAnswer, RevocationKey, RevocationKind, RevokeError, Subjects};
use crate::time::Timestamp;

/// How long what has ended is kept, in seconds: clocks of processes that share it may differ, and one may be put back.
const GRACE: u64 = 3600;

/// One part in so many of a store is for agents, principals and issuers alone: clients may take back their own tokens, and
/// must not keep anybody from revoking them by it.
const SHARE_OF_WHOLES: usize = 8;

/// For how long, and for which tokens, something is revoked. In whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The first second at which it is not any more. Never, if there is none.
    pub(super) until: Option<u64>,
    /// The last second in which a token that it concerns was issued. Whenever, if there is none.
    pub(super) issued: Option<u64>,
}

impl Span {
    /// An end within a second is the end of that second.
    pub(super) fn of(revocation: &Revocation) -> Self {
        let end = |end: Timestamp| if end > Timestamp::from_secs(end.secs()) { end.secs() + 1 } else { end.secs() };
        Self { until: revocation.end().map(end), issued: revocation.issued_before().map(Timestamp::secs) }
    }

    fn counts(&self, now: u64) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn concerns(&self, issued: Option<Timestamp>) -> bool {
        match (self.issued, issued) {
            (Some(last), Some(issued)) => issued.secs() <= last,
            _ => true,
        }
    }

    /// Whether it revokes whatever the other does.
    fn covers(&self, other: &Self) -> bool {
        let reaches = |mine: Option<u64>, others: Option<u64>| match (mine, others) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(others)) => mine >= others,
        };
        reaches(self.until, other.until) && reaches(self.issued, other.issued)
    }
}

/// What is revoked. Of two spans of one thing, one that the other covers is not kept.
#[derive(Debug, Default, Clone)]
pub(super) struct Entries {
    spans: HashMap<RevocationKey, SmallVec<[Span; 1]>>,
    len: usize,
    /// The latest second for which something that counted then was dropped.
    forgotten: u64,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn answer(&self, subjects: &Subjects, now: Timestamp) -> RevocationAnswer {
        let now = now.secs();
        // The clock was put back behind something that is not known any more.
        if now < self.forgotten {
            return RevocationAnswer::Unavailable;
        }
        let issued = subjects.issued();
        let is_revoked = |key: &&RevocationKey| {
            self.spans.get(key).is_some_and(|spans| spans.iter().any(|span| span.counts(now) && span.concerns(issued)))
        };
        match subjects.keys().iter().find(is_revoked) {
            Some(key) => RevocationAnswer::Revoked(key.kind),
            None => RevocationAnswer::Clear,
        }
    }

    /// Makes room, and checks that there is some. `false`: it is revoked already, for as long and for as many tokens.
    pub(super) fn admit(
        &mut self,
        (key, span): (&RevocationKey, &Span),
        now: Timestamp,
        capacity: usize,
    ) -> Result<bool, RevokeError> {
        if !span.counts(now.secs()) {
            return Err(RevokeError::Over);
        }
        if self.spans.get(key).is_some_and(|spans| spans.iter().any(|known| known.covers(span))) {
            return Ok(false);
        }
        let capacity = match key.kind {
            RevocationKind::Token | RevocationKind::Grant => capacity - capacity / SHARE_OF_WHOLES,
            RevocationKind::Agent | RevocationKind::Principal | RevocationKind::Issuer => capacity,
        };
        if self.len >= capacity {
            self.drop_ended(now);
        }
        if self.len < capacity { Ok(true) } else { Err(RevokeError::Full) }
    }

    pub(super) fn insert(&mut self, key: RevocationKey, span: Span) {
        let spans = self.spans.entry(key).or_default();
        if spans.iter().any(|known| known.covers(&span)) {
            return;
        }
        let before = spans.len();
        spans.retain(|known| !span.covers(known));
        self.len = self.len + spans.len() + 1 - before;
        spans.push(span);
    }

    /// Drops what has ended, an hour after its end.
    pub(super) fn drop_ended(&mut self, now: Timestamp) {
        let gone = now.secs().saturating_sub(GRACE);
        let (mut forgotten, mut len) = (self.forgotten, 0);
        self.spans.retain(|_, spans| {
            spans.retain(|span| {
                let keep = span.counts(gone);
                forgotten = if keep { forgotten } else { forgotten.max(span.until.unwrap_or_default()) };
                keep
            });
            len += spans.len();
            !spans.is_empty()
        });
        (self.forgotten, self.len) = (forgotten, len);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&RevocationKey, &Span)> {
        self.spans.iter().flat_map(|(key, spans)| spans.iter().map(move |span| (key, span)))
    }

    /// Takes `found` in place of what is here, unless something is missing there that counts at `now`.
    pub(super) fn succeed(&mut self, mut found: Self, now: Timestamp) -> bool {
        found.forgotten = self.forgotten;
        for (key, span) in self.iter() {
            if found.spans.get(key).is_some_and(|spans| spans.iter().any(|known| known.covers(span))) {
                continue;
            }
            if span.counts(now.secs()) {
                return false;
            }
            found.forgotten = found.forgotten.max(span.until.unwrap_or_default());
        }
        *self = found;
        true
    }
}
