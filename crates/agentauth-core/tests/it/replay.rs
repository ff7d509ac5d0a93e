//! The replay store in memory: against a model, under threads, when it is full, and when the clock goes back.

use std::collections::HashMap;
use std::sync::Barrier;
use std::thread;

use agentauth_core::Timestamp;
use agentauth_core::state::{MemoryReplayStore, Remember, ReplayAnswer, ReplayStore};
use proptest::prelude::*;

use crate::support::certs::NOW;
use crate::support::court::wait;

use ReplayAnswer::{Fresh, Replayed, Unavailable};

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn ask(store: &MemoryReplayStore, digest: u16, until: u64, now: u64) -> ReplayAnswer {
    wait(store.remember(&named(digest), at(until), at(now)))
}

fn named(number: u16) -> [u8; 32] {
    let mut digest = [0; 32];
    digest[..2].copy_from_slice(&number.to_be_bytes());
    digest
}

#[test]
fn a_digest_is_fresh_once_until_its_end() {
    let store = MemoryReplayStore::new();
    assert!(store.is_empty());
    assert_eq!(ask(&store, 1, NOW + 60, NOW), Fresh);
    assert_eq!(ask(&store, 1, NOW + 60, NOW), Replayed);
    assert_eq!(ask(&store, 1, NOW + 90, NOW + 59), Replayed, "a later end does not help");
    assert_eq!(ask(&store, 2, NOW + 60, NOW), Fresh);
    assert_eq!(ask(&store, 1, NOW + 120, NOW + 60), Fresh);
    assert_eq!(ask(&store, 1, NOW + 120, NOW + 60), Replayed);
    assert_eq!(ask(&store, 3, NOW, NOW), Unavailable, "what has ended cannot be remembered");
}

#[test]
fn a_full_store_forgets_nothing_and_takes_nothing() {
    let store = MemoryReplayStore::with_capacity(100);
    for digest in 0..100 {
        assert_eq!(ask(&store, digest, NOW + 60 + u64::from(digest), NOW), Fresh);
    }
    for digest in 100..2000 {
        assert_eq!(ask(&store, digest, NOW + 600, NOW), Unavailable);
    }
    for digest in 0..100 {
        assert_eq!(ask(&store, digest, NOW + 600, NOW + 59), Replayed);
    }
    assert_eq!(store.len(), 100);
    // One has ended, and makes room for one.
    assert_eq!(ask(&store, 500, NOW + 600, NOW + 60), Fresh);
    assert_eq!(ask(&store, 501, NOW + 600, NOW + 60), Unavailable);
    assert_eq!(store.len(), 100);
}

#[test]
fn what_has_ended_is_dropped_in_small_steps() {
    let store = MemoryReplayStore::with_capacity(1000);
    for digest in 0..1000 {
        assert_eq!(ask(&store, digest, NOW + 60, NOW), Fresh);
    }
    // The last to be dropped are used again before that: what is dropped later is not what is remembered now.
    for digest in (800..1000).rev() {
        assert_eq!(ask(&store, digest, NOW + 120, NOW + 60), Fresh);
    }
    assert_eq!(store.len(), 200);
    for digest in 800..1000 {
        assert_eq!(ask(&store, digest, NOW + 120, NOW + 60), Replayed);
    }
}

#[test]
fn a_clock_that_goes_back_brings_nothing_back() {
    let store = MemoryReplayStore::new();
    assert_eq!(ask(&store, 1, NOW + 60, NOW), Fresh);
    assert_eq!(ask(&store, 1, NOW + 60, NOW - 1000), Replayed, "it has not been dropped");

    let store = MemoryReplayStore::with_capacity(10);
    assert_eq!(ask(&store, 1, NOW + 60, NOW), Fresh);
    assert_eq!(ask(&store, 2, NOW + 5000, NOW + 4000), Fresh, "the clock leaps, and 1 is dropped");
    assert_eq!(ask(&store, 1, NOW + 60, NOW), Unavailable, "and counts again");
    assert_eq!(ask(&store, 3, NOW + 60, NOW), Unavailable, "as might any other of that end");
    assert_eq!(ask(&store, 4, NOW + 61, NOW + 1), Fresh, "later ones were never dropped");
}

#[test]
fn of_many_threads_one_is_first() {
    const THREADS: usize = 8;
    for capacity in [1, 100_000] {
        let (store, barrier) = (MemoryReplayStore::with_capacity(capacity), Barrier::new(THREADS));
        let first = |digest| {
            barrier.wait();
            ask(&store, digest, NOW + 60, NOW)
        };
        let digests: Vec<u16> = (0..if capacity == 1 { 1 } else { 200 }).collect();
        let answers: Vec<Vec<ReplayAnswer>> = thread::scope(|scope| {
            let run = || digests.iter().map(|digest| first(*digest)).collect::<Vec<_>>();
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for digest in 0..digests.len() {
            let fresh = answers.iter().filter(|answers| answers[digest] == Fresh).count();
            let replayed = answers.iter().filter(|answers| answers[digest] == Replayed).count();
            assert_eq!((fresh, replayed), (1, THREADS - 1), "{digest}");
        }
    }
}

#[test]
fn an_answer_is_given_once() {
    let mut answer = Remember::ready(Fresh);
    assert_eq!(wait(&mut answer), Fresh);
    assert_eq!(wait(&mut answer), Unavailable);
    assert_eq!(wait(Remember::later(async { Replayed })), Replayed);
    assert_eq!(format!("{:?}", Remember::ready(Fresh)), "Remember(ready)");
}

#[test]
fn a_capacity_is_kept_within_bounds() {
    for (entries, expected) in
        [(0, 1), (1, 1), (2047, 2047), (2048, 2048), (2049, 2050), (100_000, 100_032), (usize::MAX, 16 * 1024 * 1024)]
    {
        let shown = format!("{:?}", MemoryReplayStore::with_capacity(entries));
        assert_eq!(shown, format!("MemoryReplayStore {{ capacity: {expected}, .. }}"));
    }
}

proptest! {
    /// With time going forward and room enough, the store is a map from digests to ends.
    #[test]
    fn with_room_it_is_a_map(steps in prop::collection::vec((0u64..4, 0u16..20, 1u64..12), 1..300)) {
        let store = MemoryReplayStore::with_capacity(10_000);
        let (mut model, mut now) = (HashMap::new(), NOW);
        for (passed, digest, life) in steps {
            now += passed;
            let expected = if model.get(&digest).is_some_and(|end| *end > now) { Replayed } else { Fresh };
            if expected == Fresh {
                model.insert(digest, now + life);
            }
            prop_assert_eq!(ask(&store, digest, now + life, now), expected);
        }
    }

    /// Whatever the clock does, and however full it is: nothing is fresh twice before its end, and the bound holds.
    #[test]
    fn nothing_is_fresh_twice_before_its_end(
        capacity in 1usize..20,
        steps in prop::collection::vec((0u64..100, 0u16..12, 1u64..40), 1..300),
    ) {
        let store = MemoryReplayStore::with_capacity(capacity);
        let mut accepted: HashMap<u16, Vec<u64>> = HashMap::new();
        for (offset, digest, life) in steps {
            let (now, until) = (NOW + offset, NOW + offset + life);
            let ends = accepted.entry(digest).or_default();
            let was_accepted = ends.iter().any(|end| *end > now);
            match ask(&store, digest, until, now) {
                Fresh => {
                    // The same proof has the same end. A digest that comes with another one is another proof, which
                    // counts again once the end of the first was reached.
                    prop_assert!(!ends.contains(&until), "fresh twice until {}", until);
                    ends.push(until);
                }
                Replayed => prop_assert!(was_accepted),
                Unavailable => {}
            }
            prop_assert!(store.len() <= capacity);
        }
    }
}
