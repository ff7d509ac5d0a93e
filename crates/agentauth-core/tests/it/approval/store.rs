//! The store in memory, by itself: against a model, and for a long time.

use std::collections::HashMap;
use std::sync::Arc;

use agentauth_core::Timestamp;
use agentauth_core::state::{
    ApprovalStanding, ApprovalState, ApprovalStore, ApprovalVerdict, AskedApproval, MemoryApprovalStore, VerdictAnswer,
};
use proptest::prelude::*;

use crate::support::court::wait;

const LIFETIME: u64 = 10;
const AGENTS: u8 = 3;
const PER_AGENT: usize = 3;
const CAPACITY: usize = 6;

fn asked(number: u64, act: u8, policy: u8, expires: u64) -> AskedApproval {
    AskedApproval {
        id: format!("{number:032x}").into(),
        act: [act; 32],
        agent: [act % AGENTS; 32],
        server: [0; 32],
        policy: [policy; 32],
        expires: Timestamp::from_secs(expires),
        payload: Arc::from(&b"payload"[..]),
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Present { act: u8, policy: u8 },
    Decide { which: usize, verdict: ApprovalVerdict },
    Later { secs: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verdict =
        prop_oneof![Just(ApprovalVerdict::Approve), Just(ApprovalVerdict::Approve), Just(ApprovalVerdict::Deny)];
    let step = prop_oneof![
        4 => (0u8..9, 0u8..2).prop_map(|(act, policy)| Step::Present { act, policy }),
        3 => (0usize..12, verdict).prop_map(|(which, verdict)| Step::Decide { which, verdict }),
        1 => (0u64..8).prop_map(|secs| Step::Later { secs }),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What is known of an act, as plainly as it can be said.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    id: Arc<str>,
    policy: u8,
    expires: u64,
    state: ApprovalState,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever happens in whatever order: an act is permitted only after a yes, once, under the same policy and in time;
    /// and what counts is never dropped.
    #[test]
    fn the_store_does_what_its_table_says(steps in steps()) {
        let store = MemoryApprovalStore::with_capacity(CAPACITY, PER_AGENT);
        let mut model: HashMap<u8, Entry> = HashMap::new();
        let mut ids: Vec<Arc<str>> = Vec::new();
        let mut now = 1000;
        for (number, step) in (0u64..).zip(steps) {
            match step {
                Step::Later { secs } => now += secs,
                Step::Decide { which, verdict } => {
                    let Some(id) = ids.iter().rev().nth(which).cloned() else { continue };
                    let entry = model.values_mut().find(|entry| entry.id == id);
                    let answer = wait(store.decide(&id, verdict, "dana", Timestamp::from_secs(now)));
                    let by = || "dana".into();
                    let next = match entry.as_ref().map(|entry| (&entry.state, verdict)) {
                        Some((ApprovalState::Pending, ApprovalVerdict::Approve)) => Some(ApprovalState::Approved { by: by() }),
                        Some((ApprovalState::Pending | ApprovalState::Approved { .. }, ApprovalVerdict::Deny)) => {
                            Some(ApprovalState::Denied { by: by() })
                        }
                        _ => None,
                    };
                    match (entry, next) {
                        // One that is over may have been dropped, or not.
                        (None, _) => prop_assert!(answer != VerdictAnswer::Taken),
                        (Some(entry), _) if entry.expires <= now => prop_assert!(answer != VerdictAnswer::Taken),
                        (Some(_), None) => prop_assert_eq!(answer, VerdictAnswer::Decided),
                        (Some(entry), Some(next)) => {
                            prop_assert_eq!(answer, VerdictAnswer::Taken);
                            entry.state = next;
                        }
                    }
                }
                Step::Present { act, policy } => {
                    let asked = asked(number, act, policy, now + LIFETIME);
                    let standing = wait(store.present(&asked, Timestamp::from_secs(now)));
                    let counts = |entry: &&Entry| entry.expires > now;
                    let known = model.get(&act).filter(counts).cloned();
                    let id = asked.id.clone();
                    let fresh = || Entry { id: id.clone(), policy, expires: now + LIFETIME, state: ApprovalState::Pending };
                    let kept = match known {
                        Some(Entry { id, state: ApprovalState::Denied { .. }, .. }) => {
                            prop_assert_eq!(standing, ApprovalStanding::Denied { id });
                            None
                        }
                        Some(Entry { id, state: ApprovalState::Used { .. }, .. }) => {
                            prop_assert_eq!(standing, ApprovalStanding::Used { id });
                            None
                        }
                        Some(entry) if entry.policy != policy => {
                            prop_assert_eq!(standing, ApprovalStanding::OtherPolicy { id: id.clone() });
                            Some(fresh())
                        }
                        Some(Entry { id, state: ApprovalState::Pending, .. }) => {
                            prop_assert_eq!(standing, ApprovalStanding::Pending { id });
                            None
                        }
                        Some(Entry { id, state: ApprovalState::Approved { by }, policy, expires }) => {
                            prop_assert_eq!(standing, ApprovalStanding::Approved { id: id.clone(), by: by.clone() });
                            Some(Entry { id, policy, expires, state: ApprovalState::Used { by } })
                        }
                        None => {
                            let of_agent = model.iter().filter(|(other, entry)| **other % AGENTS == act % AGENTS && counts(entry));
                            let all = model.values().filter(counts);
                            if of_agent.count() >= PER_AGENT {
                                prop_assert_eq!(standing, ApprovalStanding::AgentFull);
                                None
                            } else if all.count() >= CAPACITY {
                                prop_assert_eq!(standing, ApprovalStanding::Full);
                                None
                            } else {
                                let pending = ApprovalStanding::Pending { id: id.clone() };
                                let expired = ApprovalStanding::Expired { id: id.clone() };
                                prop_assert!([pending, expired].contains(&standing));
                                Some(fresh())
                            }
                        }
                    };
                    if let Some(entry) = kept {
                        ids.push(entry.id.clone());
                        model.insert(act, entry);
                    }
                }
            }
            let waiting = |entry: &&Entry| entry.state == ApprovalState::Pending && entry.expires > now;
            let pending = wait(store.pending(&[0; 32], 100, Timestamp::from_secs(now))).unwrap();
            prop_assert_eq!(pending.len(), model.values().filter(waiting).count());
            prop_assert!(pending.is_sorted_by_key(|stored| stored.asked.expires));
        }
    }
}

#[test]
fn a_list_is_as_long_as_was_asked_for_and_of_one_server() {
    let store = MemoryApprovalStore::new();
    let now = Timestamp::from_secs(1000);
    for number in 0..9 {
        let mut asked = asked(number.into(), number, 0, 2000 - u64::from(number));
        asked.server = [number % 2; 32];
        assert!(matches!(wait(store.present(&asked, now)), ApprovalStanding::Pending { .. }));
    }
    let listed = |limit| -> Vec<u64> {
        let stored = wait(store.pending(&[0; 32], limit, now)).unwrap();
        stored.iter().map(|stored| stored.asked.expires.secs()).collect()
    };
    assert_eq!(listed(3), [1992, 1994, 1996]);
    assert_eq!(listed(100), [1992, 1994, 1996, 1998, 2000]);
    assert!(listed(0).is_empty());
}

/// The arguments of what is over go too, a while later and as others ask.
#[test]
fn what_is_long_over_is_dropped() {
    let store = MemoryApprovalStore::new();
    let first = asked(1, 1, 0, 1010);
    let present = |asked: &AskedApproval, now| wait(store.present(asked, Timestamp::from_secs(now)));
    assert_eq!(present(&first, 1000), ApprovalStanding::Pending { id: first.id.clone() });
    assert!(matches!(present(&asked(2, 2, 0, 9000), 1010 + 599), ApprovalStanding::Pending { .. }));
    assert!(wait(store.find(&first.id)).unwrap().is_some());
    assert!(matches!(present(&asked(3, 3, 0, 9000), 1010 + 600), ApprovalStanding::Pending { .. }));
    assert!(wait(store.find(&first.id)).unwrap().is_none());
    // Dropped, it is asked for as if for the first time; also where the clock has gone back.
    let again = asked(4, 1, 0, 1010);
    assert_eq!(present(&again, 1000), ApprovalStanding::Pending { id: again.id.clone() });
}

/// What one agent asks for first, and often, does not keep humans from seeing what others ask for.
#[test]
fn one_agent_does_not_fill_the_list_while_others_wait() {
    let store = MemoryApprovalStore::with_capacity(100, 90);
    let now = Timestamp::from_secs(0);
    // Of the first agent until 39, of the second from 40 on.
    for act in 0..40 {
        let request = AskedApproval { agent: [0; 32], ..asked(act.into(), act, 0, 10) };
        assert!(matches!(wait(store.present(&request, now)), ApprovalStanding::Pending { .. }));
    }
    let listed = |limit| wait(store.pending(&[0; 32], limit, now)).unwrap();
    assert_eq!((listed(8).len(), listed(100).len()), (8, 40), "nobody else waits");
    for act in 40..43 {
        let request = AskedApproval { agent: [1; 32], ..asked(act.into(), act, 0, 20) };
        assert!(matches!(wait(store.present(&request, now)), ApprovalStanding::Pending { .. }));
    }
    for (limit, others) in [(1, 0), (4, 1), (8, 2), (16, 3), (100, 3)] {
        let listed = listed(limit);
        assert_eq!(listed.len(), limit.min(43));
        assert!(listed.is_sorted_by_key(|stored| stored.asked.expires));
        let found = listed.iter().filter(|stored| stored.asked.agent == [1; 32]).count();
        assert!(found >= others, "{found} of {limit}");
    }
}
