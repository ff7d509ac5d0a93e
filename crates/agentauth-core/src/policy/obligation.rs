use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{BudgetTerms, ConcurrencyTerms, RateTerms};
use crate::text::{Excerpt, cut};

/// The longest time for which a request for approval, and the approval, can count: a week has a weekend in it, and what was
/// true longer ago is no ground to act on.
pub const MAX_APPROVAL_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// Nobody reads and decides in less.
pub(super) const MIN_APPROVAL_LIFETIME: Duration = Duration::from_secs(1);

/// What an allow is on condition of. Until it is met, the action is refused; what cannot be met refuses it for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Obligation {
    /// A human must approve this very action, for one use: see [`approval`](crate::approval).
    Approval(ApprovalTerms),
    /// It may be done so often in a time.
    Rate(RateTerms),
    /// So many may be done at once.
    Concurrency(ConcurrencyTerms),
    /// It may amount to so much in a time.
    Budget(BudgetTerms),
    /// Something that another system asks for under this name, and that is not known here. It refuses the action.
    Unknown(Box<str>),
}

/// On what terms a human's approval is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApprovalTerms {
    lifetime: Duration,
}

/// An obligation that a policy file states and that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObligationError {
    /// Its terms cannot be read.
    #[error("`{terms}` is not how {name} is stated; write {example}")]
    Terms {
        /// The obligation.
        name: &'static str,
        /// What stands there.
        terms: Excerpt,
        /// What could stand there.
        example: &'static str,
    },
}

impl Obligation {
    /// Reads the obligation called `name` as policy files state it; one that is not known here is [`Obligation::Unknown`], which
    /// refuses the action.
    ///
    /// | name | terms |
    /// |---|---|
    /// | `approval` | for how long it counts: `90s`, `30m`, `8h`, `7d` |
    /// | `rate` | how often in a time: `10/1m` |
    /// | `concurrency` | how many at once: `2`; and for how long each holds its place at most: `2 for 30m` |
    /// | `budget` | an integer argument, and how much of it in a time: `amount 5000/1d` |
    ///
    /// A limit is counted for the action, and on the account of the grant at the root of the delegation, so that all that an agent
    /// passes its authority on to share it. Before it, a name of its own and a colon make it the limit of all that state the same
    /// kind of limit, name and period: `spend: amount 5000/1d`. With `per principal` behind it, it is on the principal's account:
    /// `10/1m per principal`.
    ///
    /// # Errors
    /// [`ObligationError`] if its terms cannot be read.
    pub fn read(name: &str, terms: &str) -> Result<Self, ObligationError> {
        match name {
            "approval" => {
                let lifetimes = MIN_APPROVAL_LIFETIME..=MAX_APPROVAL_LIFETIME;
                let lifetime = read_duration(terms).filter(|lifetime| lifetimes.contains(lifetime));
                let error = || ObligationError::Terms {
                    name: "an approval",
                    terms: Excerpt::of(terms),
                    example: "for how long it counts, from 1s to 7d, such as 8h",
                };
                Ok(Self::Approval(ApprovalTerms::within(lifetime.ok_or_else(error)?)))
            }
            "rate" => match RateTerms::read(terms) {
                Some(rate) => rate.checked().map(Self::Rate),
                None => Err(RateTerms::unreadable(terms)),
            },
            "concurrency" => match ConcurrencyTerms::read(terms) {
                Some(places) => places.checked().map(Self::Concurrency),
                None => Err(ConcurrencyTerms::unreadable(terms)),
            },
            "budget" => match BudgetTerms::read(terms) {
                Some(budget) => budget.checked().map(Self::Budget),
                None => Err(BudgetTerms::unreadable(terms)),
            },
            unknown => Ok(Self::Unknown(unknown.into())),
        }
    }
}

impl Obligation {
    /// How long what others may have written of it is, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        if let Self::Unknown(name) = self { name.len() } else { 0 }
    }

    /// Cuts that to at most `limit` bytes.
    pub(crate) fn cut(&mut self, limit: usize) {
        if let Self::Unknown(name) = self {
            cut(name, limit);
        }
    }
}

/// A number and its unit: `90s`, `30m`, `8h`, `7d`.
pub(super) fn read_duration(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return None,
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = if plain { digits.parse().ok()? } else { return None };
    number.checked_mul(seconds).map(Duration::from_secs)
}

impl ApprovalTerms {
    /// The action must be approved and done within `lifetime` after it was first asked for, and within
    /// [`MAX_APPROVAL_LIFETIME`] in any case.
    #[must_use]
    pub fn within(lifetime: Duration) -> Self {
        Self { lifetime: lifetime.min(MAX_APPROVAL_LIFETIME) }
    }

    /// How long a request, and the approval of it, counts.
    #[must_use]
    pub const fn lifetime(self) -> Duration {
        self.lifetime
    }
}

impl Serialize for ApprovalTerms {
    /// Writes the lifetime in seconds.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.lifetime.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_obligation_is_read_as_policy_files_state_it() {
        let approval = |seconds| Obligation::Approval(ApprovalTerms::within(Duration::from_secs(seconds)));
        for (terms, seconds) in [("1s", 1), ("90s", 90), ("30m", 1800), ("8h", 28_800), ("7d", 604_800)] {
            assert_eq!(Obligation::read("approval", terms), Ok(approval(seconds)), "{terms}");
        }
        for terms in ["", "h", "8", "0s", "8d", "-1h", "+1h", "1.5h", "1 h", "1H", "18446744073709551615d", "é"] {
            assert!(matches!(Obligation::read("approval", terms), Err(ObligationError::Terms { .. })), "{terms}");
        }
        assert_eq!(Obligation::read("aproval", "8h"), Ok(Obligation::Unknown("aproval".into())));
    }
}
