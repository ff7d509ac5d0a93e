//! Verification that may know the token already, or have to wait for keys or for the issuer's answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cache::TokenDigest;
use super::checks::Refused;
use super::introspection::{Introspecting, Introspection};
use super::verified::Basis;
use super::{KeyRefresh, TokenError, TokenVerifier, VerifiedToken};
use crate::jose::MAX_TOKEN_BYTES;
use crate::time::{Clock, Timestamp};

/// How many tokens may wait at once for keys or answers. Each holds a request open, and anyone can send one; beyond this,
/// they are refused for now.
const MAX_WAITING: usize = 4096;

/// Where tokens wait.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom(Arc<AtomicUsize>);

/// A place in the waiting room, given back when it is dropped.
pub(super) struct Seat(Arc<AtomicUsize>);

impl WaitingRoom {
    pub(super) fn enter(&self) -> Result<Seat, Held> {
        let seat = Seat(Arc::clone(&self.0));
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        if before < MAX_WAITING { Ok(seat) } else { Err(Held::Refused(TokenError::TooManyWaiting)) }
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

    /// Verifies `token` as far as that goes without waiting.
    pub(crate) fn begin(&self, token: &str, now: Timestamp) -> Result<Arc<VerifiedToken>, Held> {
        let ticket = self.ticket(token);
        if let Some(known) = self.look_up(ticket.as_ref(), now) {
            return Ok(known);
        }
        if let Some((issuer, introspection)) = self.introspection_for(token) {
            let seat = self.waiting.enter()?;
            let answer = introspection.introspector.introspect(token);
            return Err(Held::Pending(Pending { wait: Wait::Answer { answer, issuer }, ticket, _seat: seat }));
        }
        let Refused { error, keys } = match self.try_verify(token, now) {
            Ok(verified) => return Ok(self.keep(ticket, verified)),
            Err(refused) => refused,
        };
        let refresh = keys.and_then(|(keys, tried)| keys.refresh(tried)).ok_or(Held::Refused(error))?;
        let seat = self.waiting.enter()?;
        Err(Held::Pending(Pending { wait: Wait::Keys(refresh), ticket, _seat: seat }))
    }

    /// Waits for what `pending` says, once, and answers.
    pub(crate) async fn finish(
        &self,
        token: &str,
        pending: Pending,
        clock: &dyn Clock,
    ) -> Result<Arc<VerifiedToken>, TokenError> {
        let verified = match pending.wait {
            Wait::Keys(refresh) => {
                refresh.await;
                self.verify(token, clock.now())?
            }
            Wait::Answer { answer, issuer } => self.read_answer(token, answer.await?, issuer, clock).await?,
        };
        Ok(self.keep(pending.ticket, verified))
    }

    /// Longer tokens are refused, and are not worth hashing.
    fn ticket(&self, token: &str) -> Option<Ticket> {
        let cache = self.cache.as_ref().filter(|_| token.len() <= MAX_TOKEN_BYTES)?;
        Some(Ticket { digest: TokenDigest::of(token)?, epoch: cache.epoch() })
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
    digest: TokenDigest,
    epoch: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_waiting_room_turns_away_until_someone_leaves() {
        let room = WaitingRoom::default();
        let mut seats: Vec<Seat> = (0..MAX_WAITING).filter_map(|_| room.enter().ok()).collect();
        assert_eq!(seats.len(), MAX_WAITING);
        let Err(Held::Refused(refused)) = room.enter() else { panic!("a seat too many") };
        assert_eq!(refused.code(), "too_many_waiting");
        seats.pop();
        assert!(room.enter().is_ok());
    }
}
