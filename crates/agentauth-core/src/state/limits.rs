use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::wait::Wait;
use crate::time::Timestamp;

/// Counts what a policy permits so often, so many at once, or so much of: see [`Obligation`](crate::policy::Obligation).
///
/// It sees digests, never what they were made of. A store that answers at once uses [`Reserve::ready`]; one that asks over a
/// network uses [`Reserve::later`], and must bound its wait. Replicas that do not share a store each count for themselves.
pub trait LimitStore: Send + Sync + fmt::Debug {
    /// Takes all that `wanted` demands, or none of it, in one step. What is taken counts from [`Reservation::time`] on:
    ///
    /// - an amount, for its period and at most a twentieth of it longer. It is taken only if it and all that was taken of its counter
    ///   in the period before come to no more than the limit, without what was given back;
    /// - a place, until it is given back, but no longer than it may be held. It is taken only if fewer than the limit are.
    ///
    /// Nothing is given back of a reservation whose answer nobody waited for.
    fn reserve(&self, wanted: &Arc<Reservation>) -> Reserve;

    /// Gives back what was taken for `reserved`: places in any case, and amounts if it was not used. It is called once for each
    /// reservation that was taken, must not block, and is not answered: a store that is elsewhere sends it on behind.
    fn release(&self, reserved: &Arc<Reservation>, use_of_it: Use, now: Timestamp);
}

impl<S: LimitStore + ?Sized> LimitStore for Arc<S> {
    fn reserve(&self, wanted: &Arc<Reservation>) -> Reserve {
        (**self).reserve(wanted)
    }

    fn release(&self, reserved: &Arc<Reservation>, use_of_it: Use, now: Timestamp) {
        (**self).release(reserved, use_of_it, now);
    }
}

/// What one action takes of its counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    id: Arc<str>,
    time: Timestamp,
    demands: Vec<Demand>,
}

/// What is taken of one counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Demand {
    /// An amount.
    Amount {
        /// The digest of the counter, which is of this period alone.
        counter: [u8; 32],
        /// How much.
        amount: u64,
        /// The most in any period.
        limit: u64,
        /// The period.
        period: Duration,
    },
    /// A place among those that are done at once.
    Place {
        /// The digest of the counter.
        counter: [u8; 32],
        /// The most at once.
        limit: u32,
        /// The longest time for which it is held.
        hold: Duration,
    },
}

impl Reservation {
    /// What the action that was decided on under `id`, a name that no other has, takes at `time`.
    #[must_use]
    pub const fn new(id: Arc<str>, time: Timestamp, demands: Vec<Demand>) -> Self {
        Self { id, time, demands }
    }

    /// Its name, which no other has.
    #[must_use]
    pub const fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// When it was asked for.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// What is taken. Several may be of one counter.
    #[must_use]
    pub fn demands(&self) -> &[Demand] {
        &self.demands
    }
}

/// What has become of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a store must know each")]
pub enum Use {
    /// The action was never begun.
    Unused,
    /// The action was begun, and has ended, whatever came of it.
    Used,
}

/// What a store says of a reservation. Only [`ReserveAnswer::Reserved`] lets the action go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[must_use]
pub enum ReserveAnswer {
    /// All is taken.
    Reserved,
    /// A limit does not leave as much, and nothing is taken.
    Exceeded {
        /// Which of the demands it is that cannot be met.
        demand: usize,
        /// After which time it could be met, if that can be told.
        retry_after: Option<Duration>,
    },
    /// The store cannot tell, or cannot remember it.
    #[default]
    Unavailable,
}

/// The wait for one answer: a future of [`ReserveAnswer`].
#[must_use = "nothing is known before this is awaited"]
pub struct Reserve(Wait<ReserveAnswer>);

impl Reserve {
    /// Answered already.
    pub const fn ready(answer: ReserveAnswer) -> Self {
        Self(Wait::Ready(Some(answer)))
    }

    /// Answered when `future` is.
    pub fn later(future: impl Future<Output = ReserveAnswer> + Send + 'static) -> Self {
        Self(Wait::Later(Box::pin(future)))
    }
}

impl Future for Reserve {
    type Output = ReserveAnswer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ReserveAnswer> {
        self.0.poll(context)
    }
}

impl fmt::Debug for Reserve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reserve({:?})", self.0)
    }
}
