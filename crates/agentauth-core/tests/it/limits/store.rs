//! The laws of the store in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use agentauth_core::state::{Demand, LimitStore, MemoryLimits, Reservation, ReserveAnswer, Use};
use agentauth_core::{Caller, Timestamp};
use proptest::prelude::*;

use super::{auth, pay, under};
use crate::support::court::{Court, wait};

use ReserveAnswer::{Exceeded, Reserved, Unavailable};

const PERIOD: u64 = 60;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + seconds)
}

fn amount(counter: u8, amount: u64, limit: u64) -> Demand {
    Demand::Amount { counter: [counter; 32], amount, limit, period: Duration::from_secs(PERIOD) }
}

fn place(counter: u8, limit: u32, hold: u64) -> Demand {
    Demand::Place { counter: [counter; 32], limit, hold: Duration::from_secs(hold) }
}

fn reservation(id: &str, time: Timestamp, demands: &[Demand]) -> Arc<Reservation> {
    Arc::new(Reservation::new(id.into(), time, demands.to_vec()))
}

fn reserve(store: &MemoryLimits, id: &str, time: Timestamp, demand: Demand) -> ReserveAnswer {
    wait(store.reserve(&reservation(id, time, &[demand])))
}

fn is_taken(answer: ReserveAnswer) -> bool {
    answer == Reserved
}

proptest! {
    /// In no period of time is more used than the limit, whatever is given back; and what has been in use for no longer than a period
    /// and a twentieth is all that stands in the way.
    #[test]
    fn no_more_than_the_limit_is_used_in_any_period(
        limit in 1u64..12,
        steps in prop::collection::vec((0u64..30_000_000, 0u64..5, prop::option::of(0usize..8)), 1..120),
    ) {
        let (store, period) = (MemoryLimits::new(), PERIOD * 1_000_000);
        let mut micros = at(0).micros();
        // When and how much, as long as it is not given back.
        let mut taken: Vec<(u64, u64, Arc<Reservation>)> = Vec::new();
        for (index, (later, wanted, back)) in steps.into_iter().enumerate() {
            micros += later;
            let now = Timestamp::from_secs(0).plus(Duration::from_micros(micros));
            if let Some(back) = back.filter(|back| *back < taken.len()) {
                let (.., reserved) = taken.remove(back);
                store.release(&reserved, Use::Unused, now);
            }
            let asked = reservation(&index.to_string(), now, &[amount(1, wanted, limit)]);
            let used = |within: u64| {
                taken.iter().filter(|(time, ..)| time + within > micros).map(|(_, amount, _)| amount).sum::<u64>()
            };
            match wait(store.reserve(&asked)) {
                Reserved => {
                    prop_assert!(used(period) + wanted <= limit);
                    taken.push((micros, wanted, asked));
                }
                Exceeded { demand, retry_after } => {
                    prop_assert!(used(period + period / 20) + wanted > limit, "nothing stands in the way");
                    prop_assert_eq!(demand, 0);
                    prop_assert_eq!(retry_after.is_some(), wanted <= limit);
                    prop_assert!(retry_after.is_none_or(|wait| wait <= Duration::from_secs(PERIOD * 21 / 20)));
                }
                Unavailable => prop_assert!(false, "there is room"),
            }
        }
    }

    /// However places are taken and given back, no more than the limit are held at once that are younger than their time.
    #[test]
    fn no_more_places_are_held_than_there_are(
        limit in 1u32..4,
        steps in prop::collection::vec((0u64..20, prop::option::of(0usize..4), any::<bool>()), 1..80),
    ) {
        let (store, mut seconds) = (MemoryLimits::with_capacity(4), 0);
        let mut held: Vec<(u64, Arc<Reservation>)> = Vec::new();
        for (index, (later, back, was_used)) in steps.into_iter().enumerate() {
            seconds += later;
            if let Some(back) = back.filter(|back| *back < held.len()) {
                let (_, reserved) = held.remove(back);
                store.release(&reserved, if was_used { Use::Used } else { Use::Unused }, at(seconds));
            }
            held.retain(|(end, _)| *end > seconds);
            let asked = reservation(&index.to_string(), at(seconds), &[place(1, limit, 30)]);
            let is_free = held.len() < limit as usize;
            prop_assert_eq!(is_taken(wait(store.reserve(&asked))), is_free);
            if is_free {
                held.push((seconds + 30, asked));
            }
        }
    }
}

#[test]
fn a_rate_that_is_used_up_is_free_after_its_period_and_a_twentieth() {
    let store = MemoryLimits::new();
    for id in ["1", "2"] {
        assert_eq!(reserve(&store, id, at(0), amount(1, 1, 2)), Reserved);
    }
    // The parts are 3 s long, and begin at multiples of that.
    let retry_after = Some(Duration::from_secs(62 - 59));
    assert_eq!(reserve(&store, "3", at(59), amount(1, 1, 2)), Exceeded { demand: 0, retry_after });
    assert!(!is_taken(reserve(&store, "3", at(61), amount(1, 1, 2))));
    assert!(is_taken(reserve(&store, "3", at(62), amount(1, 1, 2))));
    assert_eq!(reserve(&store, "4", at(62), amount(1, 3, 2)), Exceeded { demand: 0, retry_after: None });
    assert_eq!(
        reserve(&store, "4", at(62), amount(1, u64::MAX, u64::MAX)),
        Exceeded { demand: 0, retry_after: Some(Duration::from_secs(63)) }
    );
}

#[test]
fn all_is_taken_or_nothing() {
    let store = MemoryLimits::new();
    let all = [amount(1, 1, 1), place(2, 1, 60), amount(1, 1, 9), amount(3, 5, 4)];
    assert_eq!(wait(store.reserve(&reservation("a", at(0), &all))), Exceeded { demand: 3, retry_after: None });
    for demand in [amount(1, 1, 1), place(2, 1, 60), amount(3, 4, 4)] {
        assert_eq!(reserve(&store, "b", at(0), demand), Reserved);
    }
    // Several demands of one counter add up.
    let twice = reservation("c", at(0), &[amount(4, 3, 5), amount(4, 3, 5)]);
    assert!(matches!(wait(store.reserve(&twice)), Exceeded { demand: 1, .. }));
    assert_eq!(reserve(&store, "d", at(0), amount(4, 5, 5)), Reserved);
}

#[test]
fn a_full_store_forgets_nothing_that_counts() {
    let store = MemoryLimits::with_capacity(3);
    let held = reservation("a", at(0), &[place(1, 9, 60), amount(2, 1, 1)]);
    assert_eq!(wait(store.reserve(&held)), Reserved);
    assert_eq!(reserve(&store, "b", at(0), place(1, 9, 90)), Reserved);
    for (id, demand) in [("c", place(1, 9, 60)), ("d", place(3, 9, 60)), ("e", amount(4, 1, 1))] {
        assert_eq!(reserve(&store, id, at(0), demand), Unavailable);
    }
    assert!(!is_taken(reserve(&store, "f", at(59), amount(2, 1, 1))), "what counts is still known");
    assert_eq!(reserve(&store, "f", at(59), amount(2, 1, 2)), Reserved, "and can be counted on");
    assert_eq!(reserve(&store, "g", at(60), place(1, 9, 60)), Reserved, "the place of one that has ended");
    assert_eq!(reserve(&store, "h", at(60), place(1, 9, 60)), Unavailable);
    store.release(&held, Use::Used, at(60));
    assert_eq!(reserve(&store, "h", at(60), place(1, 9, 60)), Unavailable, "it had ended already");
    assert_eq!(reserve(&store, "i", at(90), place(1, 9, 60)), Reserved);
    assert_eq!(reserve(&store, "j", at(500), amount(4, 1, 1)), Reserved, "all have ended");
    assert_eq!(reserve(&store, "k", at(500), amount(5, 1, 1)), Reserved);
    assert_eq!(reserve(&store, "l", at(500), amount(6, 1, 1)), Reserved);
    assert_eq!(reserve(&store, "m", at(500), amount(7, 1, 1)), Unavailable);
}

/// What is given back leaves nothing behind.
#[test]
fn what_is_given_back_makes_room() {
    let store = MemoryLimits::with_capacity(2);
    for round in 0..100 {
        let taken = reservation(&round.to_string(), at(round), &[amount(1, 1, 1), place(2, 1, 60)]);
        assert_eq!(wait(store.reserve(&taken)), Reserved, "{round}");
        store.release(&taken, Use::Unused, at(round));
    }
    assert_eq!(reserve(&store, "x", at(100), amount(8, 1, 1)), Reserved);
    assert_eq!(reserve(&store, "y", at(100), place(9, 1, 1)), Reserved);
}

#[test]
fn a_clock_that_goes_back_gives_nothing_back() {
    let store = MemoryLimits::new();
    assert_eq!(reserve(&store, "a", at(600), amount(1, 1, 2)), Reserved);
    let early = reservation("b", at(0), &[amount(1, 1, 2), place(2, 1, 60)]);
    assert_eq!(wait(store.reserve(&early)), Reserved);
    for seconds in [0, 60, 600, 655] {
        assert!(!is_taken(reserve(&store, "c", at(seconds), amount(1, 1, 2))), "{seconds}");
    }
    assert!(!is_taken(reserve(&store, "c", at(659), place(2, 1, 60))), "it is held from when the clock had been");
    assert_eq!(reserve(&store, "d", at(665), place(2, 1, 60)), Reserved);
}

/// One counter is not of two kinds.
#[test]
fn what_cannot_be_told_is_not_taken() {
    let store = MemoryLimits::new();
    assert_eq!(reserve(&store, "a", at(0), amount(1, 1, 2)), Reserved);
    assert_eq!(reserve(&store, "b", at(0), place(1, 2, 60)), Unavailable);
}

#[test]
fn of_many_threads_no_more_permits_are_alive_than_there_are_places() {
    const PLACES: usize = 3;
    let court = Court::new();
    let auth = auth(&court, &[("concurrency", "3"), ("rate", "150/1h")], MemoryLimits::new());
    let agents: Vec<Caller> = (0..8).map(|_| under(&auth, &court, "g")).collect();
    let (alive, most, ran, start) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(8));
    thread::scope(|threads| {
        for agent in &agents {
            let (alive, most, ran, start) = (&alive, &most, &ran, &start);
            threads.spawn(move || {
                start.wait();
                for turn in 0..200 {
                    let Ok(permit) = pay(agent, 1) else { continue };
                    most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    if turn % 3 == 0 {
                        alive.fetch_sub(1, Ordering::SeqCst);
                        drop(permit);
                        continue;
                    }
                    let tool = async |_| {
                        thread::yield_now();
                        ran.fetch_add(1, Ordering::SeqCst);
                        alive.fetch_sub(1, Ordering::SeqCst);
                        Ok::<_, ()>(())
                    };
                    wait(permit.run(tool)).unwrap().unwrap();
                }
            });
        }
    });
    assert!((1..=PLACES).contains(&most.into_inner()));
    assert!((1..=150).contains(&ran.into_inner()));
    assert!(
        pay(&agents[0], 1).map_or_else(|rejection| rejection.code() == "rate_exceeded", |_| true),
        "all places are free"
    );
}
