//! How often, how many at once, and how much: the terms of the limits that an allow can be on condition of.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::ObligationError;
use super::obligation::read_duration;
use crate::text::Excerpt;

/// The longest period of a rate or a budget: a month. Delegations that last longer are rare, and so are processes.
pub const MAX_LIMIT_PERIOD: Duration = Duration::from_secs(31 * 24 * 3600);

/// The longest time for which one action can hold its place among those that run at once.
pub const MAX_HOLD: Duration = Duration::from_secs(24 * 3600);

/// For how long an action holds its place unless its terms say otherwise: longer than a tool takes to answer.
pub const DEFAULT_HOLD: Duration = Duration::from_secs(15 * 60);

/// The most that can run at once under one limit: each is remembered by itself.
pub const MAX_CONCURRENCY: u32 = 1000;

/// The largest amount: what every JSON implementation reads alike (RFC 7493 §2.2).
const MAX_AMOUNT: u64 = (1 << 53) - 1;

/// Longer names are none that a person gave.
const MAX_WORD_BYTES: usize = 128;

const PER_PRINCIPAL: &str = " per principal";

/// What all limits have: which counter is debited, and on whose account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counter {
    /// The counter of the action, without a name.
    pub(crate) name: Option<Box<str>>,
    pub(crate) per_principal: bool,
}

/// At most so many times in any period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateTerms {
    pub(crate) counter: Counter,
    pub(crate) times: u64,
    pub(crate) period: Duration,
}

/// At most so many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcurrencyTerms {
    pub(crate) counter: Counter,
    pub(crate) places: u32,
    pub(crate) hold: Duration,
}

/// At most so much of an integer argument in any period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetTerms {
    pub(crate) counter: Counter,
    pub(crate) argument: Box<str>,
    pub(crate) amount: u64,
    pub(crate) period: Duration,
}

impl RateTerms {
    const EXAMPLE: &'static str =
        "how often in a time up to 31d, such as 10/1m, `filings: 10/1m` or `10/1m per principal`";

    /// At most `times` in any `period`: 1 or more, in whole seconds up to [`MAX_LIMIT_PERIOD`].
    ///
    /// # Errors
    /// [`ObligationError::Terms`] if they are not that.
    pub fn at_most(times: u64, period: Duration) -> Result<Self, ObligationError> {
        Self { counter: Counter::default(), times, period }.checked()
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (counter, text) = Counter::read(text)?;
        let (times, period) = read_ratio(text)?;
        Some(Self { counter, times, period })
    }

    fn is_sound(&self) -> bool {
        is_amount(self.times) && is_time(self.period, MAX_LIMIT_PERIOD)
    }
}

impl ConcurrencyTerms {
    const EXAMPLE: &'static str =
        "how many at once up to 1000, such as 2, `2 for 30m`, `exports: 2` or `2 per principal`";

    /// At most `places` at once: 1 to [`MAX_CONCURRENCY`].
    ///
    /// # Errors
    /// [`ObligationError::Terms`] if they are not that.
    pub fn at_most(places: u32) -> Result<Self, ObligationError> {
        Self { counter: Counter::default(), places, hold: DEFAULT_HOLD }.checked()
    }

    /// Lets an action hold its place for `hold` at most, in whole seconds up to [`MAX_HOLD`]; [`DEFAULT_HOLD`] unless set. It is
    /// given back when the tool has ended. What takes longer runs on, and another may begin.
    ///
    /// # Errors
    /// [`ObligationError::Terms`] if it is not that.
    pub fn held_for(mut self, hold: Duration) -> Result<Self, ObligationError> {
        self.hold = hold;
        self.checked()
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (counter, text) = Counter::read(text)?;
        let (places, hold) = match text.split_once(" for ") {
            Some((places, hold)) => (places, read_duration(hold)?),
            None => (text, DEFAULT_HOLD),
        };
        Some(Self { counter, places: read_amount(places)?.try_into().ok()?, hold })
    }

    fn is_sound(&self) -> bool {
        (1..=MAX_CONCURRENCY).contains(&self.places) && is_time(self.hold, MAX_HOLD)
    }
}

impl BudgetTerms {
    const EXAMPLE: &'static str = "an integer argument, and how much of it in a time up to 31d, such as `amount 5000/1d`, `spend: amount 5000/1d` or \
        `amount 5000/1d per principal`";

    /// At most `amount` of the integer argument `argument`, summed over any `period`: 1 to 2^53 - 1, in whole seconds up to
    /// [`MAX_LIMIT_PERIOD`]. Where the argument is missing, negative or no integer, the action is refused.
    ///
    /// # Errors
    /// [`ObligationError::Terms`] if they are not that, or `argument` is longer than 128 bytes or has white space, `:` or control
    /// characters.
    pub fn at_most(amount: u64, argument: &str, period: Duration) -> Result<Self, ObligationError> {
        Self { counter: Counter::default(), argument: argument.into(), amount, period }.checked()
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (counter, text) = Counter::read(text)?;
        let (argument, ratio) = text.split_once(' ')?;
        let (amount, period) = read_ratio(ratio)?;
        Some(Self { counter, argument: argument.into(), amount, period })
    }

    fn is_sound(&self) -> bool {
        is_word(&self.argument) && is_amount(self.amount) && is_time(self.period, MAX_LIMIT_PERIOD)
    }
}

macro_rules! counts {
    ($($terms:ty, $called:literal);*) => {$(
        impl $terms {
            /// Debits the counter called `name`, which all limits of this kind and period that name it share: of several actions,
            /// for instance. Without a name, it is the counter of the action.
            ///
            /// # Errors
            /// [`ObligationError::Terms`] if the name is empty, longer than 128 bytes, or has white space, `:` or control characters.
            pub fn counted_as(mut self, name: &str) -> Result<Self, ObligationError> {
                self.counter.name = Some(name.into());
                self.checked()
            }

            /// Debits the account of the principal, which all that act for it share. Without this, it is the account of the grant
            /// at the root of the delegation, and the principal's where the token names no grant.
            #[must_use]
            pub const fn per_principal(mut self) -> Self {
                self.counter.per_principal = true;
                self
            }

            pub(super) fn checked(self) -> Result<Self, ObligationError> {
                let is_named = self.counter.name.as_deref().is_none_or(is_word);
                if is_named && self.is_sound() { Ok(self) } else { Err(Self::unreadable(&self.to_string())) }
            }

            pub(super) fn unreadable(terms: &str) -> ObligationError {
                ObligationError::Terms { name: $called, terms: Excerpt::of(terms), example: Self::EXAMPLE }
            }
        }

        impl Serialize for $terms {
            /// Writes the terms as policy files state them.
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

counts!(RateTerms, "a rate"; ConcurrencyTerms, "a limit of concurrency"; BudgetTerms, "a budget");

impl fmt::Display for RateTerms {
    /// As policy files state it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counter.around(f, |f| write!(f, "{}/{}", self.times, Time(self.period)))
    }
}

impl fmt::Display for ConcurrencyTerms {
    /// As policy files state it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counter.around(f, |f| match self.hold {
            DEFAULT_HOLD => write!(f, "{}", self.places),
            hold => write!(f, "{} for {}", self.places, Time(hold)),
        })
    }
}

impl fmt::Display for BudgetTerms {
    /// As policy files state it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counter.around(f, |f| write!(f, "{} {}/{}", self.argument, self.amount, Time(self.period)))
    }
}

impl Counter {
    /// Takes the name before the terms and the account behind them.
    fn read(text: &str) -> Option<(Self, &str)> {
        let (name, text) = match text.split_once(": ") {
            Some((name, rest)) => (Some(name.into()), rest),
            None => (None, text),
        };
        let (per_principal, text) = match text.strip_suffix(PER_PRINCIPAL) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        Some((Self { name, per_principal }, text))
    }

    fn around(
        &self,
        f: &mut fmt::Formatter<'_>,
        terms: impl FnOnce(&mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}: ")?;
        }
        terms(f)?;
        f.write_str(if self.per_principal { PER_PRINCIPAL } else { "" })
    }
}

/// A duration in the largest unit that it is a whole number of.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (unit, name) = [(24 * 3600, "d"), (3600, "h"), (60, "m")]
            .into_iter()
            .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit))
            .unwrap_or((1, "s"));
        write!(f, "{}{name}", seconds / unit)
    }
}

fn read_ratio(text: &str) -> Option<(u64, Duration)> {
    let (amount, period) = text.split_once('/')?;
    Some((read_amount(amount)?, read_duration(period)?))
}

fn read_amount(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

fn is_amount(amount: u64) -> bool {
    (1..=MAX_AMOUNT).contains(&amount)
}

fn is_time(time: Duration, most: Duration) -> bool {
    time.subsec_nanos() == 0 && (Duration::from_secs(1)..=most).contains(&time)
}

fn is_word(text: &str) -> bool {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && c != ':';
    (1..=MAX_WORD_BYTES).contains(&text.len()) && text.chars().all(is_plain)
}
