//! How long to wait before asking again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::Random;

/// The first wait: an agent that is restarted is back in less than this.
const FIRST: Duration = Duration::from_millis(200);

/// The longest wait: the endpoint is on this host, and asking costs it little.
const LAST: Duration = Duration::from_secs(10);

/// Waits that double from one failure to the next, each shortened by up to half of it at random, so that the workloads
/// of one host do not come back all at once.
#[derive(Clone)]
pub(super) struct Backoff {
    next: Duration,
    random: Arc<dyn Random>,
}

impl Backoff {
    pub(super) fn new(random: Arc<dyn Random>) -> Self {
        Self { next: FIRST, random }
    }

    /// The time to wait after one more failure.
    pub(super) fn after_failure(&mut self) -> Duration {
        let full = self.next;
        self.next = full.saturating_mul(2).min(LAST);
        let mut byte = [0];
        // Without randomness the wait is the longest it may be.
        let share = self.random.fill(&mut byte).map_or(0, |()| u32::from(byte[0]));
        full - full / 2 * share / 255
    }

    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Backoff").field(&self.next).finish()
    }
}

#[cfg(test)]
mod tests {
    use agentauth_core::RandomUnavailable;

    use super::*;

    #[derive(Debug)]
    struct Always(Option<u8>);

    impl Random for Always {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
            bytes.fill(self.0.ok_or(RandomUnavailable)?);
            Ok(())
        }
    }

    fn waits(random: Always) -> Vec<u128> {
        let mut backoff = Backoff::new(Arc::new(random));
        let mut waits: Vec<_> = (0..8).map(|_| backoff.after_failure().as_millis()).collect();
        backoff.reset();
        waits.push(backoff.after_failure().as_millis());
        waits
    }

    #[test]
    fn waits_double_up_to_ten_seconds_and_are_halved_at_most() {
        let longest = [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 200];
        assert_eq!(waits(Always(Some(0))), longest);
        assert_eq!(waits(Always(None)), longest);
        assert_eq!(waits(Always(Some(255))), longest.map(|wait| wait / 2));
    }
}
