//! Delegations that were exchanged already.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use smallvec::SmallVec;

use super::hop::NextHop;
use super::{Holder, OutboundToken};
use crate::delegation::Delegation;
use crate::digest::{ByDigest, Digest};
use crate::identity::{AgentId, PrincipalId};
use crate::text::Secret;
use crate::time::Timestamp;

/// How many delegations are kept unless set otherwise: 20 MB as tokens are, 200 MB at the very worst.
pub(super) const DEFAULT_CAPACITY: usize = 10_000;

/// A delegation is not sent within its last seconds: the request takes time, and clocks differ.
pub(super) const MARGIN: Duration = Duration::from_secs(10);

/// Room for a token, and for what stands beside it.
pub(super) type Parts = SmallVec<[u8; 2048]>;

/// What a delegation is known by: a SHA-256 over all that it depends on, each part with its length before it. The token
/// service is not among it, since each has a cache of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(Digest);

impl Key {
    /// Of a delegation to `hop` that is exchanged from `subject`, whose caller is `caller`, and is of use to `holder`.
    #[inline]
    pub(super) fn of(subject: &Secret, caller: Option<&Delegation>, hop: &NextHop, holder: &Holder) -> Self {
        let mut parts = Parts::new();
        append(&mut parts, subject.reveal().as_bytes());
        append(&mut parts, &hop.mark);
        let (kind, holder) = holder.mark();
        parts.push(kind);
        append(&mut parts, holder);
        // The token says both, but what the agent may be called here depends on the connection.
        match caller {
            None => parts.push(0),
            Some(caller) => {
                parts.push(1);
                append_agent(&mut parts, caller.actor());
                append_principal(&mut parts, caller.principal());
                // One token is used for several transactions, each of which leaves something else of it.
                if let Some(left) = caller.narrowed() {
                    append(&mut parts, left.scopes().to_string().as_bytes());
                    append(&mut parts, left.to_details().to_string().as_bytes());
                }
            }
        }
        Self(Digest::of(&parts))
    }
}

/// One part, with its length before it: no two lists of parts make the same bytes.
pub(super) fn append(parts: &mut Parts, part: &[u8]) {
    parts.extend_from_slice(&(part.len() as u64).to_le_bytes());
    parts.extend_from_slice(part);
}

fn append_agent(parts: &mut Parts, agent: &AgentId) {
    match agent {
        AgentId::Spiffe(_) => parts.push(0),
        AgentId::Named { issuer, .. } => {
            parts.push(1);
            append(parts, issuer.as_str().as_bytes());
        }
    }
    append(parts, agent.name().as_bytes());
}

fn append_principal(parts: &mut Parts, principal: &PrincipalId) {
    parts.extend_from_slice(&[principal.kind() as u8, u8::from(principal.tenant().is_some())]);
    append(parts, principal.issuer().as_str().as_bytes());
    append(parts, principal.tenant().unwrap_or_default().as_bytes());
    append(parts, principal.subject().as_bytes());
}

#[derive(Clone)]
struct Entry {
    token: OutboundToken,
    since: Timestamp,
    until: Timestamp,
    epoch: u64,
}

/// A bounded cache of delegations. What was refused is not kept.
pub(super) struct DelegationCache {
    entries: Cache<Key, Entry, UnitWeighter, ByDigest>,
    epoch: AtomicU64,
}

impl DelegationCache {
    pub(super) fn new(capacity: usize) -> Self {
        let (hasher, lifecycle) = (ByDigest::default(), DefaultLifecycle::default());
        let entries = Cache::with(capacity, capacity as u64, UnitWeighter, hasher, lifecycle);
        Self { entries, epoch: AtomicU64::new(0) }
    }

    /// The delegation known by `key`, if it is still to be sent at `now`. One that is not is dropped.
    #[inline]
    pub(super) fn get(&self, key: &Key, now: Timestamp) -> Option<OutboundToken> {
        let entry = self.entries.get(key)?;
        // A clock that has gone back says nothing about how long it has been.
        if entry.epoch == self.epoch() && entry.since <= now && now < entry.until {
            Some(entry.token)
        } else {
            self.entries.remove(key);
            None
        }
    }

    /// Keeps what was exchanged at `since`, in `epoch`, until the first of `ends`, less a margin.
    pub(super) fn keep(
        &self,
        key: Key,
        token: &OutboundToken,
        epoch: u64,
        since: Timestamp,
        ends: impl IntoIterator<Item = Timestamp>,
    ) {
        let Some(end) = ends.into_iter().min() else { return };
        let until = end.minus(MARGIN);
        // What was begun before a revocation must not push out what was exchanged after it.
        if since < until && epoch == self.epoch() {
            self.entries.insert(key, Entry { token: token.clone(), since, until, epoch });
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Whatever was exchanged, or begun to be, before this moment is exchanged anew.
    pub(super) fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.entries.clear();
    }
}

impl fmt::Debug for DelegationCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelegationCache").field("len", &self.entries.len()).finish_non_exhaustive()
    }
}
