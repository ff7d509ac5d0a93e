//! Verification that may know the token already, or have to wait for keys or for the issuer's answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::checks::Refused;
use super::introspection::{Introspecting, Introspection};
use super::issuer::CheckedIssuer;
use super::status::{KnownLists, StatusCheck, StatusPlace};
use super::verified::{Basis, Lifetime};
use super::{KeyRefresh, StatusListError, TokenError, TokenVerifier, VerifiedToken};
use crate::digest::Digest;
use crate::jose::MAX_TOKEN_BYTES;
use crate::time::{Clock, Timestamp};

/// How many tokens may wait at once for keys or answers. Each holds a request open, and anyone can send one; beyond this,
/// they are refused for now.
const MAX_WAITING: usize = 4096;

/// Where tokens wait.
#[derive(Debug, Default)]
pub(crate) struct WaitingRoom(Arc<AtomicUsize>);

/// A place in the waiting room, given back when it is dropped.
pub(crate) struct Seat(Arc<AtomicUsize>);

impl WaitingRoom {
    /// A place, if there is one.
    pub(crate) fn enter(&self) -> Option<Seat> {
        let seat = Seat(Arc::clone(&self.0));
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        (before < MAX_WAITING).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What must be waited for before it is known whether a token is good.
pub(crate) struct Pending {
    wait: Wait,
    /// Taken before anybody was asked.
    ticket: Option<Ticket>,
    _seat: Seat,
}

enum Wait {
    /// Newer keys of its issuer.
    Keys(KeyRefresh),
    /// The answer of the issuer with this place.
    Answer { answer: Introspecting, issuer: usize },
    /// The status list of this token, which is good otherwise.
    Status(Box<VerifiedToken>),
}

/// The token is refused, or it is not known yet.
pub(crate) enum Held {
    Refused(TokenError),
    Pending(Pending),
}

impl TokenVerifier {
    /// Like [`TokenVerifier::verify`], but a token that was verified before is not verified again.
    ///
    /// # Errors
    /// Each rule has its own [`TokenError`].
    pub fn verify_cached(&self, token: &str, now: Timestamp) -> Result<Arc<VerifiedToken>, TokenError> {
        let ticket = self.ticket(token);
        match self.look_up(ticket.as_ref(), now) {
            Some(known) => Ok(known),
            None => Ok(self.keep(ticket, self.verify(token, now)?)),
        }
    }

    /// Notes what is known of the token's status, if it has one. `false`: it must be asked for.
    pub(super) fn note_status(&self, token: &mut VerifiedToken, now: Timestamp) -> Result<bool, TokenError> {
        let Some((place, known)) = &mut token.status else { return Ok(true) };
        let (issuer, lists) = self.lists_of(token.place).ok_or_else(StatusListError::not_known)?;
        *known = lists.look_up(place, issuer, now).transpose()?;
        Ok(known.is_some())
    }

    /// What is known of the status of a token of this issuer, which must be known if it has one.
    pub(super) fn known_status(
        &self,
        issuer: usize,
        place: Option<&StatusPlace>,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let Some(place) = place else { return Ok(()) };
        let known = self.lists_of(issuer).and_then(|(issuer, lists)| lists.look_up(place, issuer, now));
        known.ok_or_else(StatusListError::not_known)?.map(drop)
    }

    fn lists_of(&self, place: usize) -> Option<(&CheckedIssuer, &KnownLists)> {
        match self.issuers.get(place) {
            Some(issuer @ CheckedIssuer { status: StatusCheck::Lists { known, .. }, .. }) => Some((issuer, known)),
            _ => None,
        }
    }

    /// Asks for the token's status, if it has one that is not known.
    async fn ask_for_status(&self, token: &mut VerifiedToken, clock: &dyn Clock) -> Result<(), TokenError> {
        if let Some((place, known @ None)) = &mut token.status {
            let (issuer, lists) = self.lists_of(token.place).ok_or_else(StatusListError::not_known)?;
            *known = Some(lists.ask(place, issuer, clock).await?);
            let (now, Lifetime { expires, .. }) = (clock.now(), token.lifetime);
            if !token.lifetime.holds(now) {
                return Err(TokenError::Expired(now.secs().saturating_sub(expires.secs())));
            }
        }
        Ok(())
    }

    /// Whether the token's status is what it was when the token was verified.
    pub(crate) fn knows_status(&self, token: &VerifiedToken, now: Timestamp) -> bool {
        token.status.as_ref().is_none_or(|(_, known)| known.is_some_and(|known| known.holds(now)))
    }

    /// Looks the status of a token up again that was verified before.
    pub(crate) async fn check_status(&self, token: &VerifiedToken, clock: &dyn Clock) -> Result<(), TokenError> {
        let Some((place, _)) = &token.status else { return Ok(()) };
        let (issuer, lists) = self.lists_of(token.place).ok_or_else(StatusListError::not_known)?;
        match lists.look_up(place, issuer, clock.now()) {
            Some(known) => known.map(drop),
            None => {
                let _seat = self.waiting.enter().ok_or(TokenError::TooManyWaiting)?;
                lists.ask(place, issuer, clock).await.map(drop)
            }
        }
    }

    /// Verifies `token` as far as that goes without waiting.
    pub(crate) fn begin(&self, token: &str, now: Timestamp) -> Result<Arc<VerifiedToken>, Held> {
        let ticket = self.ticket(token);
        if let Some(known) = self.look_up(ticket.as_ref(), now) {
            return Ok(known);
        }
        if let Some((issuer, introspection)) = self.introspection_for(token) {
            let seat = self.seat()?;
            let answer = introspection.introspector.introspect(token);
            return Err(Held::Pending(Pending { wait: Wait::Answer { answer, issuer }, ticket, _seat: seat }));
        }
        let Refused { error, keys } = match self.try_verify(token, now) {
            Ok(mut verified) => {
                if self.note_status(&mut verified, now).map_err(Held::Refused)? {
                    return Ok(self.keep(ticket, verified));
                }
                let seat = self.seat()?;
                return Err(Held::Pending(Pending { wait: Wait::Status(Box::new(verified)), ticket, _seat: seat }));
            }
            Err(refused) => refused,
        };
        let refresh = keys.and_then(|(keys, tried)| keys.refresh(tried)).ok_or(Held::Refused(error))?;
        let seat = self.seat()?;
        Err(Held::Pending(Pending { wait: Wait::Keys(refresh), ticket, _seat: seat }))
    }

    fn seat(&self) -> Result<Seat, Held> {
        self.waiting.enter().ok_or(Held::Refused(TokenError::TooManyWaiting))
    }

    /// Waits for what `pending` says, once, and answers.
    pub(crate) async fn finish(
        &self,
        token: &str,
        pending: Pending,
        clock: &dyn Clock,
    ) -> Result<Arc<VerifiedToken>, TokenError> {
        let mut verified = match pending.wait {
            Wait::Keys(refresh) => {
                refresh.await;
                let now = clock.now();
                let mut verified = self.try_verify(token, now).map_err(|refused| refused.error)?;
                self.note_status(&mut verified, now)?;
                verified
            }
            Wait::Answer { answer, issuer } => self.read_answer(token, answer.await?, issuer, clock).await?,
            Wait::Status(verified) => *verified,
        };
        self.ask_for_status(&mut verified, clock).await?;
        Ok(self.keep(pending.ticket, verified))
    }

    /// Longer tokens are refused, and are not worth hashing.
    fn ticket(&self, token: &str) -> Option<Ticket> {
        let cache = self.cache.as_ref().filter(|_| token.len() <= MAX_TOKEN_BYTES)?;
        Some(Ticket { digest: Digest::of(token.as_bytes()), epoch: cache.epoch() })
    }

    fn look_up(&self, ticket: Option<&Ticket>, now: Timestamp) -> Option<Arc<VerifiedToken>> {
        self.cache.as_ref()?.get(&ticket?.digest, |token| self.is_good_still(token, now))
    }

    fn keep(&self, ticket: Option<Ticket>, verified: VerifiedToken) -> Arc<VerifiedToken> {
        let verified = Arc::new(verified);
        if let (Some(cache), Some(Ticket { digest, epoch })) = (&self.cache, ticket) {
            cache.insert(digest, Arc::clone(&verified), epoch);
        }
        verified
    }

    /// Where to ask about a token that does not have the form of a JWS or JWE.
    fn introspection_for(&self, token: &str) -> Option<(usize, &Introspection)> {
        let (place, introspection) = self
            .issuers
            .iter()
            .enumerate()
            .find_map(|(place, issuer)| Some((place, issuer.introspection.as_ref()?)))?;
        let is_opaque = token.len() <= MAX_TOKEN_BYTES && !matches!(token.split('.').count(), 3 | 5);
        is_opaque.then_some((place, introspection))
    }

    /// Whether what was verified once would be verified again.
    fn is_good_still(&self, token: &VerifiedToken, now: Timestamp) -> bool {
        token.lifetime.holds(now)
            && self.knows_status(token, now)
            && match token.basis {
                Basis::Keys(generation) => {
                    self.issuers.get(token.place).and_then(|issuer| issuer.keys.generation()) == Some(generation)
                }
                // A clock that is put back must not prolong it.
                Basis::Answer { since, until } => now.secs() >= since.secs() && now < until,
            }
    }
}

/// A place in the cache for a token that is being verified.
struct Ticket {
    digest: Digest,
    epoch: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_waiting_room_turns_away_until_someone_leaves() {
        let room = WaitingRoom::default();
        let mut seats: Vec<Seat> = (0..MAX_WAITING).filter_map(|_| room.enter()).collect();
        assert_eq!(seats.len(), MAX_WAITING);
        assert!(room.enter().is_none(), "a seat too many");
        seats.pop();
        assert!(room.enter().is_some());
    }
}
