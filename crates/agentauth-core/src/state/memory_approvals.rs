//! Requests for approval in the memory of one process: bounded in all and for each agent.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;

use super::{
    ApprovalStanding, ApprovalState, ApprovalStore, ApprovalVerdict, ApprovalsUnavailable, AskedApproval,
    StoredApproval, VerdictAnswer,
};
use crate::time::Timestamp;

/// Requests in all by default. One is seldom over 20 KiB, so that this many are some 80 MB at the worst.
const DEFAULT_CAPACITY: usize = 4096;

/// Requests of one agent by default: sixteen agents would have to ask for all they can before there is no room for others.
const DEFAULT_PER_AGENT: usize = 256;

/// The largest capacity: more belongs in a store that is shared.
const MAX_CAPACITY: usize = 1024 * 1024;

/// How long a request is remembered after its end, so that who comes too late is told so. With it go the arguments.
const REMEMBERED: Duration = Duration::from_secs(600);

/// How many forgotten requests one call drops at most: each adds one at most, and no call waits for long.
const DROPPED_PER_CALL: usize = 8;

/// One agent has this part of what is listed, as long as others wait: who asks first and often does not hide them.
const SHARES: usize = 4;

/// Remembers requests for approval in the memory of this process, and forgets them at its end: what was approved must then
/// be approved again.
///
/// A request that is not over is never evicted, pending, decided or used. Where there is no room, an action that needs an
/// approval is refused; one agent has room for a part only, so that it cannot use up all.
///
/// A clock that goes backwards gives nothing away: what was dropped must be approved anew.
pub struct MemoryApprovalStore {
    capacity: usize,
    per_agent: usize,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    /// By the digest of the act.
    entries: HashMap<[u8; 32], StoredApproval>,
    /// The acts, by the ids of their requests.
    acts: HashMap<Arc<str>, [u8; 32]>,
    /// The acts, the earliest end first.
    ends: BTreeSet<(Timestamp, [u8; 32])>,
    /// How many requests each agent has.
    agents: HashMap<[u8; 32], usize>,
}

impl MemoryApprovalStore {
    /// A store for 4096 requests, 256 of them of one agent.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY, DEFAULT_PER_AGENT)
    }

    /// A store for `requests`, at least 1 and at most 1048576, of which one agent can have `per_agent`, at least 1.
    /// Memory is taken as it is needed.
    #[must_use]
    pub fn with_capacity(requests: usize, per_agent: usize) -> Self {
        let capacity = requests.clamp(1, MAX_CAPACITY);
        Self { capacity, per_agent: per_agent.clamp(1, capacity), shelf: Mutex::default() }
    }

    /// `None` where a thread that panicked inside may have left half a request.
    fn shelf(&self) -> Option<MutexGuard<'_, Shelf>> {
        self.shelf.lock().ok()
    }
}

/// Why a request takes the place of another.
enum Before {
    Nothing,
    Expired,
    OtherPolicy,
}

impl Shelf {
    /// How the act stands; or what was there before, which makes place for a new request.
    fn standing(&mut self, asked: &AskedApproval, now: Timestamp) -> Result<ApprovalStanding, Before> {
        let Some(entry) = self.entries.get_mut(&asked.act) else { return Err(Before::Nothing) };
        let id = Arc::clone(&entry.asked.id);
        let is_over = entry.asked.expires <= now;
        match &entry.state {
            ApprovalState::Denied { .. } | ApprovalState::Used { .. } if is_over => Err(Before::Nothing),
            ApprovalState::Denied { .. } => Ok(ApprovalStanding::Denied { id }),
            ApprovalState::Used { .. } => Ok(ApprovalStanding::Used { id }),
            _ if is_over => Err(Before::Expired),
            _ if entry.asked.policy != asked.policy => Err(Before::OtherPolicy),
            ApprovalState::Pending => Ok(ApprovalStanding::Pending { id }),
            ApprovalState::Approved { by } => {
                let by = Arc::clone(by);
                entry.state = ApprovalState::Used { by: Arc::clone(&by) };
                Ok(ApprovalStanding::Approved { id, by })
            }
        }
    }

    fn keep(&mut self, asked: &AskedApproval) {
        self.acts.insert(Arc::clone(&asked.id), asked.act);
        self.ends.insert((asked.expires, asked.act));
        let count = self.agents.entry(asked.agent).or_default();
        *count = count.saturating_add(1);
        self.entries.insert(asked.act, StoredApproval { asked: asked.clone(), state: ApprovalState::Pending });
    }

    fn remove(&mut self, act: &[u8; 32]) {
        let Some(StoredApproval { asked, .. }) = self.entries.remove(act) else { return };
        self.acts.remove(&asked.id);
        self.ends.remove(&(asked.expires, asked.act));
        if let Some(count) = self.agents.get_mut(&asked.agent) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.agents.remove(&asked.agent);
            }
        }
    }

    /// Drops up to `most` requests that ended at `moment` or before.
    fn drop_ended(&mut self, moment: Timestamp, most: usize) {
        for _ in 0..most {
            let Some((_, act)) = self.ends.first().copied().filter(|(end, _)| *end <= moment) else { return };
            self.remove(&act);
        }
    }

    fn count_of(&self, agent: &[u8; 32]) -> usize {
        self.agents.get(agent).copied().unwrap_or_default()
    }
}

#[async_trait]
impl ApprovalStore for MemoryApprovalStore {
    async fn present(&self, asked: &AskedApproval, now: Timestamp) -> ApprovalStanding {
        let Some(mut shelf) = self.shelf() else { return ApprovalStanding::Unavailable };
        let before = match shelf.standing(asked, now) {
            Ok(standing) => return standing,
            Err(before) => before,
        };
        shelf.remove(&asked.act);
        shelf.drop_ended(now.minus(REMEMBERED), DROPPED_PER_CALL);
        if shelf.entries.len() >= self.capacity || shelf.count_of(&asked.agent) >= self.per_agent {
            shelf.drop_ended(now, self.capacity);
        }
        if shelf.count_of(&asked.agent) >= self.per_agent {
            return ApprovalStanding::AgentFull;
        }
        if shelf.entries.len() >= self.capacity {
            return ApprovalStanding::Full;
        }
        shelf.keep(asked);
        let id = Arc::clone(&asked.id);
        match before {
            Before::Nothing => ApprovalStanding::Pending { id },
            Before::Expired => ApprovalStanding::Expired { id },
            Before::OtherPolicy => ApprovalStanding::OtherPolicy { id },
        }
    }

    async fn decide(&self, id: &str, verdict: ApprovalVerdict, by: &str, now: Timestamp) -> VerdictAnswer {
        let Some(mut shelf) = self.shelf() else { return VerdictAnswer::Unavailable };
        let act = shelf.acts.get(id).copied();
        let Some(entry) = act.and_then(|act| shelf.entries.get_mut(&act)) else { return VerdictAnswer::Unknown };
        let next = match (verdict, &entry.state) {
            (ApprovalVerdict::Approve, ApprovalState::Pending) => ApprovalState::Approved { by: by.into() },
            (ApprovalVerdict::Deny, ApprovalState::Pending | ApprovalState::Approved { .. }) => {
                ApprovalState::Denied { by: by.into() }
            }
            _ => return VerdictAnswer::Decided,
        };
        if entry.asked.expires <= now {
            return VerdictAnswer::Expired;
        }
        entry.state = next;
        VerdictAnswer::Taken
    }

    async fn find(&self, id: &str) -> Result<Option<StoredApproval>, ApprovalsUnavailable> {
        let shelf = self.shelf().ok_or(ApprovalsUnavailable)?;
        Ok(shelf.acts.get(id).and_then(|act| shelf.entries.get(act)).cloned())
    }

    async fn pending(
        &self,
        server: &[u8; 32],
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredApproval>, ApprovalsUnavailable> {
        let shelf = self.shelf().ok_or(ApprovalsUnavailable)?;
        let waits = |entry: &&StoredApproval| {
            entry.state == ApprovalState::Pending && entry.asked.expires > now && entry.asked.server == *server
        };
        let by_end = shelf.ends.iter().filter_map(|(_, act)| shelf.entries.get(act)).filter(waits);
        let mut listed = HashMap::<[u8; 32], usize>::new();
        let (first, more): (Vec<_>, Vec<_>) = by_end.partition(|entry| {
            let of_agent = listed.entry(entry.asked.agent).or_default();
            *of_agent = of_agent.saturating_add(1);
            *of_agent <= limit.div_ceil(SHARES)
        });
        let mut found: Vec<_> = first.into_iter().chain(more).take(limit).cloned().collect();
        found.sort_by_key(|stored| stored.asked.expires);
        Ok(found)
    }
}

impl Default for MemoryApprovalStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryApprovalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryApprovalStore")
            .field("capacity", &self.capacity)
            .field("per_agent", &self.per_agent)
            .finish_non_exhaustive()
    }
}
