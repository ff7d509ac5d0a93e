//! Grants that may be used so many times: the counting, and the store in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use agentauth_core::policy::{PolicyError, Reason, ReasonKind};
use agentauth_core::scope::AGENT_ACTION;
use agentauth_core::state::{
    Debit, DebitAnswer, MemoryRevocations, MemoryUseStore, Revocation, RevocationStore, UseStore,
};
use agentauth_core::{Action, AgentAuth, AgentId, Caller, Decision, ManualClock, ScopeImplications, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, Court, LAWYER, Oracle, caller, code_of, wait, with};

use DebitAnswer::{Debited, Exhausted, Unavailable};

fn claims(id: &str, details: Value) -> Value {
    let mut claims = with("authorization_details", details);
    claims["scope"] = "".into();
    claims["jti"] = id.into();
    claims
}

fn uses(times: u32, members: Value) -> Value {
    let mut detail = json!({"type": AGENT_ACTION, "actions": ["motions:file"], "max_uses": times});
    let Value::Object(members) = members else { panic!("{members} has no members") };
    detail.as_object_mut().unwrap().extend(members);
    detail
}

fn auth(court: &Court, store: impl UseStore + 'static) -> AgentAuth {
    court.engine().policy(Oracle::permitting()).uses(store).build().unwrap()
}

fn decide(caller: &Caller, id: &str) -> &'static str {
    code_of(&wait(caller.authorize(Action::new("motions:file").unwrap().on("case", id))))
}

#[test]
fn a_grant_is_used_so_many_times_and_no_more() {
    let court = Court::new();
    let auth = auth(&court, MemoryUseStore::new());
    let token = court.key.mint(&claims("t1", json!([uses(2, json!({}))])));
    let lawyer = caller(&auth, &token);
    assert_eq!(
        [decide(&lawyer, "1"), decide(&lawyer, "2"), decide(&lawyer, "1")],
        [ACCEPTED, ACCEPTED, "uses_exhausted"]
    );
    assert_eq!(decide(&caller(&auth, &token), "1"), "uses_exhausted", "another request with the token");
    let other = court.key.mint(&claims("t2", json!([uses(2, json!({}))])));
    assert_eq!(decide(&caller(&auth, &other), "1"), ACCEPTED, "another delegation");
    let rejection = wait(lawyer.authorize(Action::new("motions:file").unwrap())).unwrap_err();
    assert_eq!((rejection.status().as_u16(), rejection.public_error()), (403, "insufficient_scope"));
}

/// However a delegation is cut into grants, its uses are those of the action.
#[test]
fn the_uses_of_an_action_are_counted_together() {
    let court = Court::new();
    let auth = auth(&court, MemoryUseStore::new());
    let on = |id: &str| json!({"resource": {"kind": "case", "id": id}});
    let details = json!([uses(2, on("1")), uses(2, on("2")), uses(3, on("3"))]);
    let lawyer = caller(&auth, &court.key.mint(&claims("t", details)));
    let codes = ["1", "2", "1", "2", "3", "3"].map(|id| decide(&lawyer, id));
    assert_eq!(codes, [ACCEPTED, ACCEPTED, "uses_exhausted", "uses_exhausted", ACCEPTED, "uses_exhausted"]);
}

#[test]
fn what_is_not_limited_is_not_counted() {
    let court = Court::new();
    let auth = auth(&court, MemoryUseStore::new());
    let free = json!({"type": AGENT_ACTION, "actions": ["motions:file"], "resource": {"kind": "case", "id": "1"}});
    let lawyer = caller(&auth, &court.key.mint(&claims("t", json!([uses(1, json!({})), free]))));
    assert_eq!(
        ["1", "1", "2", "1", "2"].map(|id| decide(&lawyer, id)),
        [ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED, "uses_exhausted"]
    );
}

#[test]
fn an_action_that_includes_others_has_its_uses_once() {
    let court = Court::new();
    let includes = ScopeImplications::new()
        .includes("motions", "motions:file")
        .unwrap()
        .includes("motions", "motions:seal")
        .unwrap();
    let auth =
        court.engine().policy(Oracle::permitting()).implications(includes).uses(MemoryUseStore::new()).build().unwrap();
    let lawyer = caller(&auth, &court.key.mint(&claims("t", json!([uses(1, json!({"actions": ["motions"]}))]))));
    let seal = || code_of(&wait(lawyer.authorize(Action::new("motions:seal").unwrap())));
    assert_eq!([decide(&lawyer, "1"), seal()], [ACCEPTED, "uses_exhausted"]);
}

#[derive(Debug)]
struct Broken;

impl UseStore for Broken {
    fn debit(&self, _: &[u8; 32], _: u32, _: Timestamp, _: Timestamp) -> Debit {
        Debit::later(async { Unavailable })
    }
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let court = Court::new();
    let token = court.key.mint(&claims("t", json!([uses(9, json!({}))])));
    let without = court.engine().policy(Oracle::permitting()).build().unwrap();
    let full = MemoryUseStore::with_capacity(1);
    assert_eq!(wait(full.debit(&[9; 32], 1, Timestamp::from_secs(NOW + 999), Timestamp::from_secs(NOW))), Debited);
    for auth in [without, auth(&court, Broken), auth(&court, full)] {
        let rejection = wait(caller(&auth, &token).authorize(Action::new("motions:file").unwrap())).unwrap_err();
        assert_eq!((rejection.code(), rejection.status().as_u16()), ("uses_unavailable", 503));
        assert_eq!((rejection.public_error(), rejection.challenges().len()), ("temporarily_unavailable", 0));
    }
}

#[test]
fn a_use_is_spent_by_what_policy_permits_only() {
    let court = Court::new();
    let store = Arc::new(MemoryUseStore::new());
    let token = court.key.mint(&claims("t", json!([uses(1, json!({}))])));
    let denies = Ok(Decision::deny(Reason::new(ReasonKind::Forbidden, "no")));
    for answer in [denies, Err(PolicyError::new("broken"))] {
        let auth = court.engine().policy(Oracle::answering(answer)).uses(Arc::clone(&store)).build().unwrap();
        assert_ne!(decide(&caller(&auth, &token), "1"), ACCEPTED);
    }
    let auth = auth(&court, Arc::clone(&store));
    assert_eq!([(); 2].map(|()| decide(&caller(&auth, &token), "1")), [ACCEPTED, "uses_exhausted"]);
}

/// Counts at once, and says so later: when the clock has gone on, or something has been revoked.
#[derive(Debug)]
struct Slow(Arc<ManualClock>, u64, Option<Arc<MemoryRevocations>>);

impl UseStore for Slow {
    fn debit(&self, _: &[u8; 32], _: u32, _: Timestamp, now: Timestamp) -> Debit {
        let (clock, by, revocations) = (self.0.clone(), self.1, self.2.clone());
        Debit::later(async move {
            clock.advance(Duration::from_secs(by));
            if let Some(revocations) = revocations {
                let lawyer = AgentId::Spiffe(LAWYER.parse().unwrap());
                revocations.revoke(&Revocation::agent(lawyer), now).await.unwrap();
            }
            Debited
        })
    }
}

#[test]
fn a_delegation_that_ends_while_its_uses_are_counted_is_over() {
    for (by, revokes, expected) in
        [(10, false, ACCEPTED), (3600, false, "delegation_expired"), (10, true, "agent_revoked")]
    {
        let court = Court::new();
        let revocations = Arc::new(MemoryRevocations::new());
        let slow = Slow(court.clock.clone(), by, revokes.then(|| revocations.clone()));
        let engine = court.engine().policy(Oracle::permitting()).revocations(revocations).uses(slow);
        let lawyer = caller(&engine.build().unwrap(), &court.key.mint(&claims("t", json!([uses(1, json!({}))]))));
        assert_eq!(decide(&lawyer, "1"), expected);
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn debit(store: &MemoryUseStore, digest: u8, limit: u32, until: u64, now: u64) -> DebitAnswer {
    wait(store.debit(&[digest; 32], limit, at(until), at(now)))
}

#[test]
fn a_full_store_forgets_no_count_that_counts() {
    let store = MemoryUseStore::with_capacity(2);
    assert_eq!(debit(&store, 1, 2, 60, 0), Debited);
    assert_eq!(debit(&store, 2, 1, 90, 0), Debited);
    assert_eq!(debit(&store, 3, 1, 90, 0), Unavailable);
    assert_eq!(
        [debit(&store, 1, 2, 60, 59), debit(&store, 1, 2, 60, 59), debit(&store, 2, 1, 90, 59)],
        [Debited, Exhausted, Exhausted]
    );
    assert_eq!(debit(&store, 3, 1, 90, 60), Debited, "one has ended, and makes room");
    assert_eq!(debit(&store, 4, 1, 90, 60), Unavailable);
    assert_eq!(debit(&store, 3, 0, 90, 61), Exhausted);
}

#[test]
fn the_end_of_a_count_is_the_latest_and_a_clock_that_goes_back_brings_none_back() {
    let store = MemoryUseStore::new();
    assert_eq!(debit(&store, 1, 1, 60, 0), Debited);
    assert_eq!(debit(&store, 1, 1, 90, 0), Exhausted, "it is put off even so");
    assert_eq!(debit(&store, 1, 1, 90, 60), Exhausted);
    assert_eq!(debit(&store, 1, 1, 50, 10), Exhausted);
    assert_eq!(debit(&store, 2, 1, 99, 90), Debited, "1 is dropped");
    assert_eq!(debit(&store, 1, 1, 90, 10), Unavailable, "and may have been used");
    assert_eq!(debit(&store, 1, 1, 90, 90), Unavailable, "what has ended cannot be remembered");
    assert_eq!(debit(&store, 1, 1, 91, 90), Debited);
}

#[test]
fn of_many_threads_no_more_are_served_than_there_are_uses() {
    let (store, served, start) = (MemoryUseStore::new(), AtomicUsize::new(0), Barrier::new(8));
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                start.wait();
                for _ in 0..100 {
                    if debit(&store, 1, 50, 60, 0) == Debited {
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(served.into_inner(), 50);
}

proptest! {
    #[test]
    fn the_store_counts_as_a_list_of_uses_would(calls in prop::collection::vec((0u8..4, 0u32..4, 1u64..40, 0u64..3), 0..60)) {
        let (store, mut uses, mut now) = (MemoryUseStore::new(), Vec::<(u8, u64)>::new(), 0);
        let mut ends = [0; 4];
        for (digest, limit, life, later) in calls {
            now += later;
            let end = &mut ends[usize::from(digest)];
            if *end <= now {
                // A count that has ended begins anew.
                uses.retain(|(of, _)| *of != digest);
            }
            *end = (*end).max(now + life);
            let used = uses.iter().filter(|(of, _)| *of == digest).count();
            let expected = if used < limit as usize { Debited } else { Exhausted };
            if expected == Debited {
                uses.push((digest, now));
            } else if used == 0 {
                *end = 0;
            }
            prop_assert_eq!(debit(&store, digest, limit, now + life, now), expected);
        }
    }
}
