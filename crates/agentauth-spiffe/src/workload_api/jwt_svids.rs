//! JWT-SVIDs of this workload's own, fetched when they are asked for and kept for half of their life.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agentauth_core::identity::svid::SvidError;
use agentauth_core::jose::CompactJws;
use agentauth_core::{Clock, Excerpt, SpiffeId, Timestamp};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::WorkloadApiError;
use super::rpc::{JwtSvidMessage, JwtSvidRequest, Rpc};

/// More would be a token for everybody; one is best (JWT-SVID.md §7.2).
const MAX_AUDIENCES: usize = 16;

/// As long as a SPIFFE ID.
const MAX_AUDIENCE_BYTES: usize = 2048;

/// A caller has few destinations; beyond this many the one that ends first makes room.
const MAX_KEPT: usize = 256;

/// Whoever wants a token waits for it, with the request it is for.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// How soon the other side is asked again for a token that it could not renew.
const RETRY: Duration = Duration::from_secs(5);

/// A JWT-SVID that this workload may present to one of its audiences.
///
/// It is a bearer token: whoever has it can present it. It goes to one of its audiences over TLS, and nowhere else
/// (JWT-SVID.md §7).
#[derive(Clone, PartialEq, Eq)]
pub struct OwnJwtSvid {
    id: SpiffeId,
    token: Box<str>,
    hint: Box<str>,
    expires_at: Timestamp,
}

impl OwnJwtSvid {
    /// The SPIFFE ID that it proves.
    #[must_use]
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// The token, to be put into `Authorization: Bearer`, and into nothing that is kept or shown.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What the operator says that this identity is for.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        (!self.hint.is_empty()).then_some(&*self.hint)
    }

    /// When it expires.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    fn read(message: JwtSvidMessage) -> Result<Self, WorkloadApiError> {
        #[derive(Deserialize)]
        struct Claims {
            exp: f64,
        }
        let malformed = WorkloadApiError::FieldMalformed("svid");
        let id = message.spiffe_id.parse().map_err(|_| WorkloadApiError::FieldMalformed("spiffe_id"))?;
        let payload = CompactJws::parse(&message.svid).and_then(|jws| jws.unverified_payload());
        let payload = payload.map_err(|_| malformed.clone())?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| malformed)?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it stops at the ends")]
        let expires_at = Timestamp::from_secs(claims.exp as u64);
        Ok(Self { id, token: message.svid.into(), hint: message.hint.into(), expires_at })
    }
}

impl fmt::Debug for OwnJwtSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnJwtSvid").field("id", &self.id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What a JWT-SVID was asked for by: its audiences in any order, and an identity if it was named.
type Key = (BTreeSet<String>, Option<SpiffeId>);

type Answer = Result<Arc<OwnJwtSvid>, WorkloadApiError>;

/// The JWT-SVIDs that are kept, and those that are on their way.
pub(super) struct JwtSvids(Arc<Inner>);

struct Inner {
    rpc: Rpc,
    clock: Arc<dyn Clock>,
    hint: Option<String>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Counts up when all is forgotten: what was asked for before is not kept when it comes.
    generation: u64,
    slots: HashMap<Key, Slot>,
}

#[derive(Clone)]
enum Slot {
    Held(Held),
    OnItsWay(watch::Receiver<Option<Answer>>),
}

#[derive(Clone)]
struct Held {
    svid: Arc<OwnJwtSvid>,
    renew_at: Timestamp,
}

impl JwtSvids {
    pub(super) fn new(rpc: Rpc, clock: Arc<dyn Clock>, hint: Option<String>) -> Self {
        Self(Arc::new(Inner { rpc, clock, hint, kept: Mutex::default() }))
    }

    /// Forgets what is kept.
    pub(super) fn forget(&self) {
        let mut kept = self.0.lock();
        kept.generation = kept.generation.wrapping_add(1);
        kept.slots.clear();
    }

    /// A JWT-SVID for `audiences`: one that is kept, or the one that someone else is waiting for, or a new one.
    pub(super) async fn get(&self, id: Option<&SpiffeId>, audiences: &[&str]) -> Answer {
        let mut answer = match self.find(id, audiences)? {
            Slot::Held(held) => return Ok(held.svid),
            Slot::OnItsWay(answer) => answer,
        };
        match answer.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(answer)) => answer.clone(),
            // The task is gone, with the runtime.
            _ => Err(WorkloadApiError::NoRuntime),
        }
    }

    fn find(&self, id: Option<&SpiffeId>, audiences: &[&str]) -> Result<Slot, WorkloadApiError> {
        let request = request(id, audiences)?;
        let key: Key = (request.audience.iter().cloned().collect(), id.cloned());
        let runtime = Handle::try_current().map_err(|_| WorkloadApiError::NoRuntime)?;
        let now = self.0.clock.now();
        let mut kept = self.0.lock();
        let previous = match kept.slots.get(&key) {
            Some(Slot::Held(held)) if now >= held.renew_at => Some(held.clone()),
            Some(slot) => return Ok(slot.clone()),
            None => None,
        };
        if previous.is_none() {
            kept.make_room()?;
        }
        let (tell, answer) = watch::channel(None);
        kept.slots.insert(key.clone(), Slot::OnItsWay(answer.clone()));
        let (inner, generation) = (Arc::clone(&self.0), kept.generation);
        // On its own, so that it comes to its end whoever stops waiting.
        runtime.spawn(async move {
            let answer = inner.fetch_one(request).await;
            tell.send_replace(Some(inner.keep(key, generation, previous, answer)));
        });
        Ok(Slot::OnItsWay(answer))
    }

    /// All JWT-SVIDs that the other side gives out for `audiences` at this moment.
    pub(super) async fn fetch(
        &self,
        id: Option<&SpiffeId>,
        audiences: &[&str],
    ) -> Result<Vec<OwnJwtSvid>, WorkloadApiError> {
        let messages = self.0.fetch(request(id, audiences)?).await?;
        messages.into_iter().map(OwnJwtSvid::read).collect()
    }
}

fn request(id: Option<&SpiffeId>, audiences: &[&str]) -> Result<JwtSvidRequest, WorkloadApiError> {
    let fits = |audience: &&str| (1..=MAX_AUDIENCE_BYTES).contains(&audience.len());
    if !(1..=MAX_AUDIENCES).contains(&audiences.len()) || !audiences.iter().all(fits) {
        return Err(WorkloadApiError::Audience);
    }
    Ok(JwtSvidRequest {
        audience: audiences.iter().copied().map(str::to_owned).collect(),
        spiffe_id: id.map_or_else(String::new, |id| id.as_str().to_owned()),
    })
}

impl Inner {
    async fn fetch(&self, request: JwtSvidRequest) -> Result<Vec<JwtSvidMessage>, WorkloadApiError> {
        let wanted = request.spiffe_id.clone();
        let response = tokio::time::timeout(FETCH_TIMEOUT, self.rpc.jwt_svids(request)).await;
        let timed_out = |_| WorkloadApiError::TimedOut { endpoint: self.rpc.endpoint(), within: FETCH_TIMEOUT };
        let answer = response.map_err(timed_out)?;
        let svids = answer.map_err(|status| WorkloadApiError::of_status(&status, self.rpc.endpoint()))?.svids;
        if svids.is_empty() {
            return Err(WorkloadApiError::FieldEmpty("svids"));
        }
        if svids.iter().any(|svid| svid.spiffe_id.is_empty()) {
            return Err(WorkloadApiError::FieldEmpty("spiffe_id"));
        }
        if svids.iter().any(|svid| svid.svid.is_empty()) {
            return Err(WorkloadApiError::FieldEmpty("svid"));
        }
        if !wanted.is_empty() && svids.iter().any(|svid| svid.spiffe_id != wanted) {
            return Err(WorkloadApiError::IdMismatch);
        }
        Ok(svids)
    }

    /// The first, or the first with the hint.
    async fn fetch_one(&self, request: JwtSvidRequest) -> Answer {
        let hint = self.hint.as_deref().filter(|_| request.spiffe_id.is_empty());
        let svids = self.fetch(request).await?;
        let found = svids.into_iter().find(|svid| hint.is_none_or(|hint| svid.hint == hint));
        let unknown = || WorkloadApiError::HintUnknown(Excerpt::of(hint.unwrap_or_default()));
        let svid = OwnJwtSvid::read(found.ok_or_else(unknown)?)?;
        if svid.expires_at <= self.clock.now() {
            return Err(SvidError::Expired.into());
        }
        Ok(Arc::new(svid))
    }

    /// Keeps a new JWT-SVID for half of its life. Where none could be had, the previous one is as good as it was until
    /// it expires; but where the other side says that there is none, there is none.
    fn keep(&self, key: Key, generation: u64, previous: Option<Held>, answer: Answer) -> Answer {
        let now = self.clock.now();
        let held = match &answer {
            Ok(svid) => Some(Held { svid: Arc::clone(svid), renew_at: now.plus(svid.expires_at.since(now) / 2) }),
            Err(WorkloadApiError::Unavailable { .. } | WorkloadApiError::TimedOut { .. }) => previous
                .filter(|held| now.plus(RETRY) < held.svid.expires_at)
                .map(|held| Held { renew_at: now.plus(RETRY), ..held }),
            Err(_) => None,
        };
        let mut kept = self.lock();
        if kept.generation != generation {
            return answer;
        }
        match held {
            Some(held) => {
                let svid = Arc::clone(&held.svid);
                kept.slots.insert(key, Slot::Held(held));
                Ok(svid)
            }
            None => {
                kept.slots.remove(&key);
                answer
            }
        }
    }

    /// No code panics while it has the lock; if it did, what is kept would still be whole.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn make_room(&mut self) -> Result<(), WorkloadApiError> {
        if self.slots.len() < MAX_KEPT {
            return Ok(());
        }
        let held = self.slots.iter().filter_map(|(key, slot)| match slot {
            Slot::Held(held) => Some((held.renew_at, key)),
            Slot::OnItsWay(_) => None,
        });
        let first = held.min_by_key(|(renew_at, _)| *renew_at).map(|(_, key)| key.clone());
        first.and_then(|key| self.slots.remove(&key)).map(drop).ok_or(WorkloadApiError::Busy)
    }
}

impl fmt::Debug for JwtSvids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSvids").field("kept", &self.0.lock().slots.len()).finish_non_exhaustive()
    }
}
