//! Many ask for one thing: one of them fetches it, and all have its answer.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

/// How many may ask at once, those included that fetch. Each holds a request; more are told to come back.
pub(super) const MAX_ASKING: usize = 4096;

/// What is being fetched, by `K`, to be answered with an `A`.
pub(super) struct Flights<K, A>(Mutex<Board<K, A>>);

struct Board<K, A> {
    flights: HashMap<K, Flight<A>>,
    asking: usize,
}

struct Flight<A> {
    answer: Arc<OnceLock<A>>,
    is_led: bool,
    seats: usize,
    wakers: Vec<(u64, Waker)>,
    next_seat: u64,
}

/// There is no room for another one that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// What becomes of one that asks.
pub(super) enum Turn<'f, K: Copy + Eq + Hash, A: Clone> {
    /// Another one has fetched it.
    Answered(A),
    /// It is this one that fetches. Dropping it has another one fetch.
    Lead(Leader<'f, K, A>),
}

impl<K: Copy + Eq + Hash, A: Clone> Flights<K, A> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Board { flights: HashMap::new(), asking: 0 }))
    }

    /// Asks for `key`. Who is first, or takes over from a first that has left, leads.
    pub(super) fn ask(&self, key: K) -> Result<Ask<'_, K, A>, Full> {
        let mut board = self.board();
        if board.asking >= MAX_ASKING {
            return Err(Full);
        }
        board.asking += 1;
        let flight = board.flights.entry(key).or_insert_with(|| Flight {
            answer: Arc::default(),
            is_led: false,
            seats: 0,
            wakers: Vec::new(),
            next_seat: 0,
        });
        flight.seats += 1;
        flight.next_seat += 1;
        Ok(Ask(Some(Seat { flights: self, key, answer: Arc::clone(&flight.answer), number: flight.next_seat })))
    }

    fn board(&self) -> MutexGuard<'_, Board<K, A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that asks. Leaving takes nothing away from the others.
struct Seat<'f, K: Copy + Eq + Hash, A: Clone> {
    flights: &'f Flights<K, A>,
    key: K,
    answer: Arc<OnceLock<A>>,
    number: u64,
}

impl<K: Copy + Eq + Hash, A: Clone> Seat<'_, K, A> {
    /// The flight that this seat is in, while it has no answer.
    fn flight<'b>(&self, board: &'b mut Board<K, A>) -> Option<&'b mut Flight<A>> {
        board.flights.get_mut(&self.key).filter(|flight| Arc::ptr_eq(&flight.answer, &self.answer))
    }
}

impl<K: Copy + Eq + Hash, A: Clone> Drop for Seat<'_, K, A> {
    fn drop(&mut self) {
        let mut board = self.flights.board();
        board.asking -= 1;
        let Some(flight) = self.flight(&mut board) else { return };
        flight.seats -= 1;
        flight.wakers.retain(|(number, _)| *number != self.number);
        if flight.seats == 0 {
            board.flights.remove(&self.key);
        }
    }
}

/// Waits for an answer, or for the turn to fetch it.
pub(super) struct Ask<'f, K: Copy + Eq + Hash, A: Clone>(Option<Seat<'f, K, A>>);

impl<'f, K: Copy + Eq + Hash + Unpin, A: Clone> Future for Ask<'f, K, A> {
    type Output = Turn<'f, K, A>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Turn<'f, K, A>> {
        let Some(seat) = &self.0 else { return Poll::Pending };
        {
            let mut board = seat.flights.board();
            if let Some(flight) = seat.flight(&mut board) {
                if flight.is_led {
                    flight.wakers.retain(|(number, _)| *number != seat.number);
                    flight.wakers.push((seat.number, context.waker().clone()));
                    return Poll::Pending;
                }
                flight.is_led = true;
            }
        }
        // With an answer, the flight is no longer on the board.
        let Some(seat) = self.0.take() else { return Poll::Pending };
        Poll::Ready(match seat.answer.get() {
            Some(answer) => Turn::Answered(answer.clone()),
            None => Turn::Lead(Leader(seat)),
        })
    }
}

/// The one that fetches.
pub(super) struct Leader<'f, K: Copy + Eq + Hash, A: Clone>(Seat<'f, K, A>);

impl<K: Copy + Eq + Hash, A: Clone> Leader<'_, K, A> {
    /// Gives the answer to all that have asked. Who asks from now on fetches anew.
    pub(super) fn answer(self, answer: A) {
        _ = self.0.answer.set(answer);
        let mut board = self.0.flights.board();
        let is_mine = self.0.flight(&mut board).is_some();
        let flight = if is_mine { board.flights.remove(&self.0.key) } else { None };
        drop(board);
        wake(flight.map(|flight| flight.wakers).unwrap_or_default());
    }
}

impl<K: Copy + Eq + Hash, A: Clone> Drop for Leader<'_, K, A> {
    fn drop(&mut self) {
        let mut board = self.0.flights.board();
        let Some(flight) = self.0.flight(&mut board) else { return };
        flight.is_led = false;
        let wakers = std::mem::take(&mut flight.wakers);
        drop(board);
        // All of them: one that is told alone may be leaving as well.
        wake(wakers);
    }
}

fn wake(wakers: Vec<(u64, Waker)>) {
    wakers.into_iter().for_each(|(_, waker)| waker.wake());
}

impl<K, A> fmt::Debug for Flights<K, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}
