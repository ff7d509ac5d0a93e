//! The lists that are known, and who fetches one that is not: one for all that need it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;

use super::signed::Signed;
use super::{StatusListError, StatusLists, StatusPlace};
use crate::time::{Clock, Timestamp};
use crate::token::TokenError;
use crate::token::issuer::CheckedIssuer;

/// How many lists of one issuer are known at a time: 64 MB at the very worst.
const MAX_LISTS: usize = 32;

/// How long a list that could not be had is not asked for again. Every token that needs it is refused meanwhile.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How often a caller takes its turn to fetch, when those who fetched before it went away.
const MAX_TURNS: usize = 4;

/// The lists of one issuer.
pub(in crate::token) struct KnownLists {
    settings: StatusLists,
    slots: Mutex<HashMap<Box<str>, Slot>>,
}

#[derive(Default)]
struct Slot {
    list: Option<Arc<Signed>>,
    /// What went wrong last, and until when it is not tried again.
    failure: Option<(StatusListError, Timestamp)>,
    /// Who waits for the one that fetches, while someone does.
    waiting: Option<Vec<oneshot::Sender<()>>>,
}

impl Slot {
    /// A list is good in its time, under the keys that the issuer has.
    fn good(&self, issuer: &CheckedIssuer, now: Timestamp) -> Option<&Arc<Signed>> {
        let is_good = |list: &&Arc<Signed>| {
            now >= list.since && now < list.until && issuer.keys.generation() == Some(list.generation)
        };
        self.list.as_ref().filter(is_good)
    }
}

/// What a list says of one token, and when that may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::token) struct Known {
    pub(in crate::token) since: Timestamp,
    pub(in crate::token) until: Timestamp,
}

impl Known {
    pub(in crate::token) fn holds(&self, now: Timestamp) -> bool {
        now >= self.since && now < self.until
    }

    /// The rule of draft-ietf-oauth-status-list §7: only 0 is valid.
    fn of(list: &Signed, index: u64) -> Result<Self, TokenError> {
        match list.list.get(index) {
            Some(0) => Ok(Self { since: list.since, until: list.until }),
            Some(1) => Err(TokenError::StatusInvalid),
            Some(2) => Err(TokenError::StatusSuspended),
            Some(status) => Err(TokenError::StatusUnknown(status)),
            None => Err(TokenError::StatusIndex(index)),
        }
    }
}

enum Turn<'k> {
    Known(Arc<Signed>),
    Failed(StatusListError),
    Wait(oneshot::Receiver<()>),
    Fetch(Flight<'k>),
}

impl KnownLists {
    pub(super) fn new(settings: StatusLists) -> Self {
        Self { settings, slots: Mutex::default() }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Box<str>, Slot>> {
        // No step in between leaves a slot that is wrong.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known now, without asking anyone. `None`: the list must be fetched.
    pub(in crate::token) fn look_up(
        &self,
        place: &StatusPlace,
        issuer: &CheckedIssuer,
        now: Timestamp,
    ) -> Option<Result<Known, TokenError>> {
        let slots = self.slots();
        slots.get(&place.uri)?.good(issuer, now).map(|list| Known::of(list, place.index))
    }

    /// What the list says, which is fetched if it is not known.
    pub(in crate::token) async fn ask(
        &self,
        place: &StatusPlace,
        issuer: &CheckedIssuer,
        clock: &dyn Clock,
    ) -> Result<Known, TokenError> {
        for _ in 0..MAX_TURNS {
            match self.turn(&place.uri, issuer, clock.now()) {
                Turn::Known(list) => return Known::of(&list, place.index),
                Turn::Failed(error) => return Err(error.into()),
                // The one that fetches has done so, or has gone away.
                Turn::Wait(over) => _ = over.await,
                Turn::Fetch(flight) => {
                    let asked = clock.now();
                    let fetched = self.fetch(&place.uri, issuer, asked).await;
                    return Known::of(&*flight.land(fetched, clock.now())?, place.index);
                }
            }
        }
        Err(StatusListError::Unavailable("nobody finished fetching it".into()).into())
    }

    async fn fetch(&self, uri: &str, issuer: &CheckedIssuer, asked: Timestamp) -> Result<Signed, StatusListError> {
        let jwt = self.settings.source.fetch(uri).await?;
        Signed::verify(&jwt, uri, issuer, asked, self.settings.longest).await
    }

    fn turn(&self, uri: &str, issuer: &CheckedIssuer, now: Timestamp) -> Turn<'_> {
        let mut slots = self.slots();
        if !slots.contains_key(uri) && slots.len() >= MAX_LISTS {
            // The one that is needed anew first.
            let idle = slots.iter().filter(|(_, slot)| slot.waiting.is_none());
            let first = idle.min_by_key(|(_, slot)| slot.list.as_ref().map(|list| list.until));
            let Some(first) = first.map(|(uri, _)| uri.clone()) else {
                return Turn::Failed(StatusListError::Unavailable("32 lists are being fetched already".into()));
            };
            slots.remove(&first);
        }
        let slot = slots.entry(uri.into()).or_default();
        if let Some(list) = slot.good(issuer, now) {
            return Turn::Known(Arc::clone(list));
        }
        if let Some(waiting) = &mut slot.waiting {
            let (over, wait) = oneshot::channel();
            waiting.push(over);
            return Turn::Wait(wait);
        }
        match &slot.failure {
            // A clock that was put back must not hold it off for longer.
            Some((error, until)) if now < *until && now.plus(RETRY_AFTER) >= *until => Turn::Failed(error.clone()),
            _ => {
                slot.waiting = Some(Vec::new());
                Turn::Fetch(Flight { known: self, uri: uri.into() })
            }
        }
    }
}

/// The right to fetch one list. Whoever drops it lets the next one try.
struct Flight<'k> {
    known: &'k KnownLists,
    uri: Box<str>,
}

impl Flight<'_> {
    fn land(self, fetched: Result<Signed, StatusListError>, now: Timestamp) -> Result<Arc<Signed>, StatusListError> {
        let mut slots = self.known.slots();
        let slot = slots.entry(self.uri.clone()).or_default();
        let fetched = match (fetched, &slot.list) {
            // Whoever hosts it shows an old one.
            (Ok(list), Some(before)) if list.issued < before.issued => Err(StatusListError::Older),
            (fetched, _) => fetched,
        };
        match fetched {
            Ok(list) => {
                let list = Arc::new(list);
                (slot.list, slot.failure) = (Some(Arc::clone(&list)), None);
                Ok(list)
            }
            Err(error) => {
                slot.failure = Some((error.clone(), now.plus(RETRY_AFTER)));
                Err(error)
            }
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.known.slots().get_mut(&self.uri) {
            slot.waiting = None;
        }
    }
}

impl fmt::Debug for KnownLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownLists").field("settings", &self.settings).finish_non_exhaustive()
    }
}
