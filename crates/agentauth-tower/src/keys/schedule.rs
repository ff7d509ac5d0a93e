//! When to fetch again: arithmetic only, over the time that the clock says.

use std::time::Duration;

use agentauth_core::Timestamp;
use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL, HeaderValue};

/// No fresher than this, whatever an issuer says: `max-age=0` must not make its servers and ours busy.
pub(super) const MIN_FRESH: Duration = Duration::from_secs(60);

/// No longer than this: a key that an issuer has withdrawn must not count for days.
pub(super) const MAX_FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// For an answer that does not say: often enough to notice a withdrawn key, and nothing to any server.
pub(super) const DEFAULT_FRESH: Duration = Duration::from_secs(10 * 60);

/// How long keys count after they were last confirmed: an issuer may be down overnight. After that, whether a key was
/// withdrawn meanwhile is anybody's guess, and tokens are refused.
pub(super) const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// No setting is shorter: half of it is [`MIN_FRESH`].
pub(super) const MIN_KEEP: Duration = Duration::from_secs(120);

/// How often anybody's token can make us ask the issuer: anyone can send a token with an unknown key.
pub(super) const MIN_INTERVAL: Duration = Duration::from_secs(60);

/// How often a file is read, in case it has changed: a file has no events that every file system delivers.
pub(super) const FILE_POLL: Duration = Duration::from_secs(10);

/// How often anybody's token can make us read a file, which asks nobody for anything.
pub(super) const FILE_MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The first pause after a failure. The pauses double.
pub(super) const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause between failures: an issuer that is back is noticed within it.
pub(super) const RETRY_MAX: Duration = Duration::from_secs(60);

/// When a source is asked, and how long its answers count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Between two fetches, of which the second is asked for by a token.
    pub(super) min_interval: Duration,
    /// How long a set counts after it was last confirmed.
    pub(super) keep: Duration,
    /// For how long an answer is fresh that does not say.
    pub(super) default_fresh: Duration,
    /// An answer is taken to be fresh for at least this long.
    pub(super) min_fresh: Duration,
}

impl Schedule {
    pub(super) const fn for_issuer() -> Self {
        Self { min_interval: MIN_INTERVAL, keep: KEEP, default_fresh: DEFAULT_FRESH, min_fresh: MIN_FRESH }
    }

    pub(super) const fn for_file() -> Self {
        Self { min_interval: FILE_MIN_INTERVAL, keep: KEEP, default_fresh: FILE_POLL, min_fresh: FILE_POLL }
    }

    /// The pause after a success. At most half of the time for which keys are kept: the other half is for an issuer that
    /// is down just then.
    pub(super) fn after_success(&self, fresh: Option<Duration>) -> Duration {
        let fresh = fresh.unwrap_or(self.default_fresh).min(MAX_FRESH).max(self.min_fresh);
        fresh.min(self.keep / 2)
    }

    /// The pause after the `failures`-th failure in a row.
    pub(super) fn after_failure(failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        RETRY_FIRST.saturating_mul(1 << doublings).min(RETRY_MAX)
    }

    /// Whether a set that was last confirmed at `confirmed` still counts at `now`.
    pub(super) fn counts(&self, confirmed: Timestamp, now: Timestamp) -> bool {
        now.since(confirmed) < self.keep
    }
}

/// The time from `earlier` to `now`. If the clock was set back it is taken to be long: then it is time to look.
pub(super) fn elapsed(earlier: Timestamp, now: Timestamp) -> Duration {
    if now < earlier { Duration::MAX } else { now.since(earlier) }
}

/// For how long an answer is fresh, as far as it says (RFC 9111 §4.2.1, §4.2.3). What must not be stored, or only be
/// used after asking, is fresh for no time.
pub(super) fn freshness(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut max_age: Option<u64> = None;
    for directive in values.flat_map(|value| value.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        if name.eq_ignore_ascii_case("max-age") {
            // RFC 9111 §4.2.1: of several the shortest is safe, and one that cannot be read is stale.
            let seconds = number(value.trim().trim_matches('"')).unwrap_or(0);
            max_age = Some(max_age.map_or(seconds, |known| known.min(seconds)));
        }
    }
    let age = headers.get(AGE).and_then(|age| HeaderValue::to_str(age).ok()).and_then(number).unwrap_or(0);
    max_age.map(|seconds| Duration::from_secs(seconds.saturating_sub(age)))
}

/// Delta-seconds (RFC 9111 §1.2.2): digits only, and what is too large is as large as can be.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60;

    #[test]
    fn an_answer_says_how_long_it_is_fresh() {
        for (lines, expected) in [
            (&[][..], None),
            (&[("cache-control", "public")], None),
            (&[("cache-control", "public, max-age=300")], Some(300)),
            (&[("cache-control", "Max-Age=\"300\" , must-revalidate")], Some(300)),
            (&[("cache-control", "max-age=300"), ("cache-control", "max-age=200")], Some(200)),
            (&[("cache-control", "max-age=300"), ("age", "100")], Some(200)),
            (&[("cache-control", "max-age=300"), ("age", "1000")], Some(0)),
            (&[("cache-control", "max-age=300"), ("age", "x")], Some(300)),
            (&[("cache-control", "max-age=300, no-store")], Some(0)),
            (&[("cache-control", "no-cache")], Some(0)),
            (&[("cache-control", "max-age=-1")], Some(0)),
            (&[("cache-control", "max-age=")], Some(0)),
            (&[("cache-control", "s-maxage=300, xmax-age=7")], None),
            (&[("cache-control", "max-age=99999999999999999999999")], Some(u64::MAX)),
        ] {
            let headers: HeaderMap = lines
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .fold(HeaderMap::new(), |mut headers, (name, value): (http::HeaderName, HeaderValue)| {
                    headers.append(name, value);
                    headers
                });
            assert_eq!(freshness(&headers), expected.map(Duration::from_secs), "{lines:?}");
        }
    }

    #[test]
    fn freshness_has_bounds() {
        let usual = Schedule::for_issuer();
        let long = Schedule { keep: Duration::from_secs(7 * DAY), ..usual };
        let short = Schedule { keep: MIN_KEEP, ..usual };
        for (fresh, pauses) in [
            (None, [600, 600, 60]),
            (Some(0), [60, 60, 60]),
            (Some(59), [60, 60, 60]),
            (Some(61), [61, 61, 60]),
            // Half of what is kept is left to find the issuer again.
            (Some(DAY), [DAY / 2, DAY, 60]),
            (Some(u64::MAX), [DAY / 2, DAY, 60]),
        ] {
            let fresh = fresh.map(Duration::from_secs);
            assert_eq!(
                [usual, long, short].map(|schedule| schedule.after_success(fresh).as_secs()),
                pauses,
                "{fresh:?}"
            );
        }
        assert_eq!(Schedule::for_file().after_success(None).as_secs(), 10);
    }

    #[test]
    fn failures_are_retried_ever_more_slowly() {
        let pauses: Vec<_> = (1..=8).map(|failures| Schedule::after_failure(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(Schedule::after_failure(u32::MAX), RETRY_MAX);
    }

    #[test]
    fn a_set_counts_until_its_limit_exactly() {
        let confirmed = Timestamp::from_secs(1_800_000_000);
        let counts = |now| Schedule::for_issuer().counts(confirmed, now);
        let last = confirmed.plus(KEEP).minus(Duration::from_micros(1));
        assert!(counts(confirmed) && counts(last) && !counts(confirmed.plus(KEEP)));
        assert_eq!(elapsed(confirmed, confirmed.minus(Duration::from_secs(1))), Duration::MAX);
    }
}
