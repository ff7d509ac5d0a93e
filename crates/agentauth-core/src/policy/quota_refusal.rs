use std::time::Duration;

use super::{BudgetTerms, ConcurrencyTerms, RateTerms};
use crate::text::Excerpt;

/// Why a limit refuses what the policy permits within it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitRefusal {
    /// It was done as often as it may be in this time.
    #[error("the rate `{terms}` is used up under this delegation")]
    Rate {
        /// The limit.
        terms: RateTerms,
        /// After which time it may be done again.
        retry_after: Duration,
    },
    /// As many as may be are being done.
    #[error("as many are being done under this delegation as `{terms}` lets be done at once")]
    Concurrency {
        /// The limit.
        terms: ConcurrencyTerms,
    },
    /// It would amount to more than it may in this time.
    #[error("this would exceed what is left of the budget `{terms}` under this delegation")]
    Budget {
        /// The limit.
        terms: BudgetTerms,
    },
    /// What it would amount to cannot be told.
    #[error("a budget counts argument `{0}`, which is missing, negative or not an integer")]
    Argument(Excerpt),
    /// It could not be counted.
    #[error(
        "the policy permits it within limits, and they cannot be counted: configure .limits(...), or see its store"
    )]
    Unavailable,
}

impl LimitRefusal {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rate { .. } => "rate_exceeded",
            Self::Concurrency { .. } => "concurrency_exceeded",
            Self::Budget { .. } => "budget_exceeded",
            Self::Argument(_) => "limit_argument",
            Self::Unavailable => "limits_unavailable",
        }
    }

    /// After which time it is worth asking again, if that helps at all.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rate { retry_after, .. } => Some(*retry_after),
            // When a tool will have ended cannot be told.
            Self::Concurrency { .. } => Some(Duration::from_secs(1)),
            Self::Budget { .. } | Self::Argument(_) | Self::Unavailable => None,
        }
    }
}
