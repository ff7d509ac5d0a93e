//! What was taken of one counter within its period up to now.

use std::time::Duration;

use crate::time::Timestamp;

/// A period is counted in so many parts. What was taken in a part counts until the whole part is a period ago: for a twentieth of the
/// period too long at most, never too short.
const PARTS: u64 = 20;

/// The parts of a period that begins within one.
const KEPT: usize = 21;

/// Amounts by the part of time in which they were taken. Of what is in it, no more than the limit was taken in any period.
#[derive(Debug)]
pub(super) struct Window {
    /// The length of a part in microseconds.
    width: u64,
    /// The number of the latest part since the epoch.
    latest: u64,
    /// Each part at its number modulo [`KEPT`].
    amounts: [u64; KEPT],
}

impl Window {
    pub(super) fn new(period: Duration) -> Self {
        let micros = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        Self { width: micros.div_ceil(PARTS).max(1), latest: 0, amounts: [0; KEPT] }
    }

    /// Takes `amount`, or says after which time it could be taken, if ever. `now` is never earlier than before.
    pub(super) fn take(&mut self, amount: u64, limit: u64, now: Timestamp) -> Result<(), Option<Duration>> {
        self.move_to(now.micros() / self.width);
        if self.total().checked_add(amount).is_none_or(|total| total > limit) {
            return Err(self.wait(amount, limit, now));
        }
        if let Some(part) = self.part(self.latest) {
            *part = part.saturating_add(amount);
        }
        Ok(())
    }

    /// Gives back `amount`, which was taken at `then` or, had the clock gone back, later. It then still counts where it was taken.
    pub(super) fn give_back(&mut self, amount: u64, then: Timestamp) {
        let number = then.micros() / self.width;
        if number.saturating_add(PARTS) >= self.latest
            && number <= self.latest
            && let Some(part) = self.part(number)
        {
            *part = part.saturating_sub(amount);
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.amounts.iter().fold(0, |total, amount| total.saturating_add(*amount))
    }

    /// From when on nothing of this counts.
    pub(super) fn end(&self) -> Timestamp {
        self.end_of(self.latest)
    }

    fn end_of(&self, number: u64) -> Timestamp {
        let micros = number.saturating_add(PARTS + 1).saturating_mul(self.width);
        Timestamp::from_secs(0).plus(Duration::from_micros(micros))
    }

    fn part(&mut self, number: u64) -> Option<&mut u64> {
        self.amounts.get_mut(usize::try_from(number % (PARTS + 1)).ok()?)
    }

    fn move_to(&mut self, number: u64) {
        let passed = number.saturating_sub(self.latest).min(PARTS + 1);
        for back in 0..passed {
            if let Some(part) = self.part(number.saturating_sub(back)) {
                *part = 0;
            }
        }
        self.latest = self.latest.max(number);
    }

    fn wait(&mut self, amount: u64, limit: u64, now: Timestamp) -> Option<Duration> {
        let mut left = self.total();
        let most = limit.checked_sub(amount)?;
        let oldest = self.latest.saturating_sub(PARTS);
        let number = (oldest..=self.latest).find(|number| {
            left = left.saturating_sub(self.part(*number).map_or(0, |part| *part));
            left <= most
        })?;
        Some(self.end_of(number).since(now))
    }
}
