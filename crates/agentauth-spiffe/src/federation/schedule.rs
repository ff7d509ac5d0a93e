//! When to ask again, and how long an answer counts: arithmetic only.

use std::time::Duration;

/// For a bundle that does not say (SPIFFE_Federation.md §4.1).
const DEFAULT_REFRESH: Duration = Duration::from_secs(5 * 60);

/// No sooner than this, whatever a bundle says. New keys are published three to five times the hint ahead: at a hint of
/// 10 s, which is shorter than any in use, this is still in time.
const MIN_REFRESH: Duration = Duration::from_secs(30);

/// No later than this: a key that was withdrawn must not count for days.
const MAX_REFRESH: Duration = Duration::from_secs(60 * 60);

/// How long a bundle counts after it was last confirmed: an endpoint may be down overnight. Bundles do not end by
/// themselves; after this time, what the trust domain has withdrawn meanwhile is anybody's guess, and nobody of it is
/// believed.
pub(super) const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// No setting is shorter: half of it is [`MIN_REFRESH`].
pub(super) const MIN_KEEP: Duration = Duration::from_secs(60);

/// The first pause after a failure. The pauses double.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause between failures: an endpoint that is back is noticed within it.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// The pause after a success, by the hint of the bundle. At most half of the time for which a bundle is kept: the
/// other half is for an endpoint that is down just then.
pub(super) fn after_success(hint: Option<Duration>, keep: Duration) -> Duration {
    hint.unwrap_or(DEFAULT_REFRESH).clamp(MIN_REFRESH, MAX_REFRESH).min(keep / 2)
}

/// The pause after the `failures`-th failure in a row.
pub(super) fn after_failure(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    RETRY_FIRST.saturating_mul(1 << doublings).min(RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_has_bounds() {
        for (hint, keep, expected) in [
            (None, KEEP, 300),
            (Some(0), KEEP, 30),
            (Some(29), KEEP, 30),
            (Some(31), KEEP, 31),
            (Some(3600), KEEP, 3600),
            (Some(3601), KEEP, 3600),
            (Some(u64::MAX), KEEP, 3600),
            (Some(3600), Duration::from_secs(600), 300),
            (None, MIN_KEEP, 30),
        ] {
            assert_eq!(after_success(hint.map(Duration::from_secs), keep).as_secs(), expected, "{hint:?} {keep:?}");
        }
    }

    #[test]
    fn failures_are_retried_ever_more_slowly() {
        let pauses: Vec<_> = (1..=8).map(|failures| after_failure(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(after_failure(u32::MAX), RETRY_MAX);
    }
}
