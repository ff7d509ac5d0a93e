//! Each limit by its code, and what becomes of what was taken.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::scope::AGENT_ACTION;
use agentauth_core::state::{
    Demand, LimitStore, MemoryApprovalStore, MemoryLimits, MemoryUseStore, Reservation, Reserve, ReserveAnswer, Use,
};
use agentauth_core::{AgentAuth, Caller, ManualClock, Permit, Timestamp};
use serde_json::{Value, json};

use super::{auth, engine, paid, pay, run, under};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, Court, Fickle, caller, claims, code_of, wait, with};

#[test]
fn each_limit_refuses_by_its_code() {
    for (name, terms, code, status, word, retry_after) in [
        ("rate", "2/1m", "rate_exceeded", 429, "too_many_requests", Some("63")),
        ("concurrency", "2", "concurrency_exceeded", 429, "too_many_requests", Some("1")),
        ("budget", "amount 20/1m", "budget_exceeded", 403, "budget_exceeded", None),
    ] {
        let court = Court::new();
        let auth = auth(&court, &[(name, terms)], MemoryLimits::new());
        let lawyer = under(&auth, &court, "g");
        let held: Vec<Permit<Value>> = (0..2).map(|_| pay(&lawyer, 10).unwrap()).collect();
        let rejection = pay(&lawyer, 1).unwrap_err();
        assert_eq!((rejection.code(), rejection.status().as_u16(), rejection.public_error()), (code, status, word));
        let headers = rejection.headers();
        assert_eq!(headers.get("retry-after").map(|value| value.to_str().unwrap()), retry_after, "{name}");
        assert_eq!(rejection.retry_after().is_some(), retry_after.is_some());
        assert!(rejection.challenges().is_empty(), "another token would not help");
        assert!(rejection.to_string().contains(terms), "{rejection}");
        let body = format!(r#"{{"error":"{word}","evaluation_id":"{}"}}"#, rejection.evaluation_id());
        assert_eq!(rejection.body(), body);
        let record = court.records.take().pop().unwrap();
        let shown = serde_json::to_value(&*record).unwrap();
        assert_eq!((record.code, &shown["obligations"]), (code, &json!([{ name: terms }])));
        drop(held);
        assert_eq!(paid(&lawyer, 10), ACCEPTED, "what was dropped is given back");
    }
}

/// The caller is told when: one moment before, it is too early.
#[test]
fn a_rate_can_be_used_again_when_the_refusal_says() {
    let court = Court::new();
    let auth = auth(&court, &[("rate", "2/1m")], MemoryLimits::new());
    let lawyer = under(&auth, &court, "g");
    assert_eq!([(); 2].map(|()| paid(&lawyer, 1)), [ACCEPTED; 2]);
    court.clock.advance(Duration::from_secs(20));
    let wait = pay(&lawyer, 1).unwrap_err().retry_after().unwrap();
    assert!((40..=43).contains(&wait.as_secs()), "{wait:?}");
    court.clock.advance(wait - Duration::from_micros(1));
    assert_eq!(paid(&lawyer, 1), "rate_exceeded");
    court.clock.advance(Duration::from_micros(1));
    assert_eq!(paid(&lawyer, 1), ACCEPTED);
}

#[test]
fn a_budget_needs_its_argument_as_an_integer() {
    let court = Court::new();
    let auth = auth(&court, &[("budget", "amount 100/1d")], MemoryLimits::new());
    let lawyer = under(&auth, &court, "g");
    for amount in [json!(-1), json!(1.5), json!(10.0), json!("10"), json!(null), json!([10]), json!(true)] {
        let rejection = pay(&lawyer, amount.clone()).unwrap_err();
        assert_eq!((rejection.code(), rejection.status().as_u16()), ("limit_argument", 403), "{amount}");
        assert_eq!(rejection.public_error(), "access_denied");
    }
    let action = agentauth_core::Action::new("motions:file").unwrap();
    assert_eq!(code_of(&wait(lawyer.authorize(action))), "limit_argument", "it is missing");
    assert_eq!([0, 100, 0, 1].map(|amount| paid(&lawyer, amount)), [ACCEPTED, ACCEPTED, ACCEPTED, "budget_exceeded"]);
}

#[derive(Debug)]
struct Broken;

impl LimitStore for Broken {
    fn reserve(&self, _: &Arc<Reservation>) -> Reserve {
        Reserve::later(async { ReserveAnswer::Unavailable })
    }

    fn release(&self, _: &Arc<Reservation>, _: Use, _: Timestamp) {
        panic!("nothing was taken");
    }
}

/// Says of what it was not asked that it is exceeded.
#[derive(Debug)]
struct Confused;

impl LimitStore for Confused {
    fn reserve(&self, _: &Arc<Reservation>) -> Reserve {
        Reserve::ready(ReserveAnswer::Exceeded { demand: 7, retry_after: None })
    }

    fn release(&self, _: &Arc<Reservation>, _: Use, _: Timestamp) {}
}

#[test]
fn what_limits_cannot_be_counted_is_refused() {
    let court = Court::new();
    for (name, terms) in [("rate", "9/1m"), ("concurrency", "9"), ("budget", "amount 9/1m")] {
        let obligations = [(name, terms)];
        let full = MemoryLimits::with_capacity(1);
        let other = Demand::Place { counter: [9; 32], limit: 9, hold: Duration::from_secs(60) };
        let taken = Arc::new(Reservation::new("other".into(), Timestamp::from_secs(NOW), vec![other]));
        assert_eq!(wait(full.reserve(&taken)), ReserveAnswer::Reserved);
        let without = court.engine().policy(super::policy(&obligations)).build().unwrap();
        let others = [auth(&court, &obligations, Broken), auth(&court, &obligations, Confused)];
        for auth in [without, auth(&court, &obligations, full)].into_iter().chain(others) {
            let rejection = pay(&under(&auth, &court, "g"), 1).unwrap_err();
            assert_eq!((rejection.code(), rejection.status().as_u16()), ("limits_unavailable", 503));
            assert_eq!((rejection.public_error(), rejection.retry_after()), ("temporarily_unavailable", None));
        }
    }
}

/// How a run ends, and whether its amounts, and its place, are given back.
#[test]
fn what_may_have_been_done_stays_counted() {
    type End = fn(Permit<Value>);
    let cases: [(&str, End, &str); 6] = [
        ("succeeded", |permit| run(permit), "spent"),
        ("failed", |permit| assert!(wait(permit.run(async |_| Err::<(), _>(()))).unwrap().is_err()), "spent"),
        ("abandoned", |permit| begun(permit, false), "spent"),
        ("panicked", |permit| begun(permit, true), "spent"),
        ("dropped", drop, "given back"),
        ("never polled", |permit| drop(permit.run(async |_| Ok::<_, ()>(()))), "given back"),
    ];
    for (name, terms, code) in [
        ("rate", "1/1d", "rate_exceeded"),
        ("budget", "amount 1/1d", "budget_exceeded"),
        ("concurrency", "1", ACCEPTED),
    ] {
        for (how, end, becomes) in cases {
            let court = Court::new();
            let auth = auth(&court, &[(name, terms)], MemoryLimits::new());
            let lawyer = under(&auth, &court, "g");
            end(pay(&lawyer, 1).unwrap());
            let expected = if becomes == "spent" { code } else { ACCEPTED };
            assert_eq!(paid(&lawyer, 1), expected, "{name} {how}");
        }
    }
}

/// Begins to run the tool, and leaves or is thrown out.
fn begun(permit: Permit<Value>, panics: bool) {
    let mut run = Box::pin(permit.run(|_| async move {
        assert!(!panics, "the tool panics");
        std::future::pending::<Result<(), ()>>().await
    }));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let poll = std::panic::AssertUnwindSafe(|| run.as_mut().poll(&mut context).is_pending());
    assert_eq!(std::panic::catch_unwind(poll).is_err(), panics);
}

/// While the tool runs, its place is taken; once it has ended, the record may take its time.
#[test]
fn a_place_is_held_until_the_tool_has_ended() {
    let court = Court::new();
    let auth = auth(&court, &[("concurrency", "1 for 10m")], MemoryLimits::new());
    let lawyer = under(&auth, &court, "g");
    let permit = pay(&lawyer, 1).unwrap();
    wait(permit.run(async |_| {
        assert_eq!(paid(&lawyer, 1), "concurrency_exceeded");
        Ok::<_, ()>(())
    }))
    .unwrap()
    .unwrap();
    let stuck = pay(&lawyer, 1).unwrap();
    for (later, expected) in [(599, "concurrency_exceeded"), (600, ACCEPTED)] {
        court.at(NOW + later);
        let mut claims = with("grant_id", "g");
        claims["exp"] = json!(NOW + 700);
        assert_eq!(paid(&caller(&auth, &court.key.mint(&claims)), 1), expected, "{later}");
    }
    drop(stuck);
}

/// Whoever comes later may have its place.
#[test]
fn a_permit_whose_place_has_lapsed_is_not_run() {
    let court = Court::new();
    let auth = auth(&court, &[("concurrency", "1 for 5s")], MemoryLimits::new());
    let lawyer = under(&auth, &court, "g");
    let late = pay(&lawyer, 1).unwrap();
    court.at(NOW + 5);
    let next = pay(&lawyer, 1).unwrap();
    assert_eq!(code_of(&wait(late.run(async |_| Ok::<_, ()>(())))), "permit_expired");
    assert_eq!(paid(&lawyer, 1), "concurrency_exceeded", "it gives back nothing of another's");
    run(next);
}

#[test]
fn of_several_limits_all_are_debited_or_none() {
    let court = Court::new();
    let limits = [("rate", "3/1d"), ("concurrency", "1"), ("budget", "amount 100/1d")];
    let auth = auth(&court, &limits, MemoryLimits::new());
    let lawyer = under(&auth, &court, "g");
    for _ in 0..5 {
        assert_eq!(paid(&lawyer, 101), "budget_exceeded");
    }
    let held = pay(&lawyer, 50).unwrap();
    assert_eq!(paid(&lawyer, 1), "concurrency_exceeded");
    run(held);
    assert_eq!([25, 25, 0].map(|amount| paid(&lawyer, amount)), [ACCEPTED, ACCEPTED, "rate_exceeded"]);
}

/// Whatever else refuses: an approval that is wanted, uses, the record, the end of the delegation.
#[test]
fn what_another_condition_refuses_debits_nothing() {
    let court = Court::new();
    let store = Arc::new(MemoryLimits::new());
    let limits = [("rate", "1/1d"), ("budget", "amount 5/1d"), ("concurrency", "1")];
    let unlimited = auth(&court, &limits, store.clone());
    let pays = |auth: &AgentAuth| pay(&under(auth, &court, "g"), 5).map(drop).map_err(|rejection| rejection.code());

    let with_approval = [&limits[..], &[("approval", "1h")]].concat();
    let approving =
        engine(&court, &with_approval, store.clone()).approvals(MemoryApprovalStore::new()).build().unwrap();
    assert_eq!(pays(&approving), Err("approval_required"));
    let with_unknown = {
        let decision = agentauth_core::Decision::allow(agentauth_core::policy::Reason::new(
            agentauth_core::policy::ReasonKind::Permitted,
            "on a condition",
        ));
        let unknown = agentauth_core::policy::Obligation::Unknown("notify".into());
        let rate = agentauth_core::policy::Obligation::read("rate", "1/1d").unwrap();
        let policy =
            crate::support::court::Oracle::answering(Ok(decision.on_condition_of(rate).on_condition_of(unknown)));
        court.engine().policy(policy).limits(store.clone()).build().unwrap()
    };
    assert_eq!(pays(&with_unknown), Err("obligation_unknown"));
    let sink = Fickle::default();
    let unrecorded = engine(&court, &limits, store.clone()).audit(sink.clone()).build().unwrap();
    let lawyer = under(&unrecorded, &court, "g");
    sink.refuse(true);
    assert_eq!(code_of(&pay(&lawyer, 5)), "audit_unavailable");

    // Uses are counted last, so that an action within limits spends none in vain, and none is left here.
    let uses = json!([{"type": AGENT_ACTION, "actions": ["motions:file"], "max_uses": 1}]);
    let mut counted = with("authorization_details", uses);
    counted["scope"] = "".into();
    counted["grant_id"] = "uses".into();
    let using = engine(&court, &limits, store.clone()).uses(MemoryUseStore::new()).build().unwrap();
    let lawyer = caller(&using, &court.key.mint(&counted));
    assert_eq!(code_of(&pay(&lawyer, 6)), "budget_exceeded");
    drop(pay(&lawyer, 5).unwrap());
    assert_eq!(code_of(&pay(&lawyer, 5)), "uses_exhausted");
    assert_eq!(code_of(&pay(&under(&unlimited, &court, "uses"), 5)), ACCEPTED, "nothing of it is debited");

    assert_eq!(pays(&unlimited), Ok(()), "nor here");
}

#[test]
fn an_approval_is_not_used_where_a_limit_refuses() {
    let court = Court::new();
    let limits = [("concurrency", "1"), ("approval", "1h")];
    let auth = engine(&court, &limits, MemoryLimits::new()).approvals(MemoryApprovalStore::new()).build().unwrap();
    let lawyer = under(&auth, &court, "g");
    let approved = |amount: u64| {
        let id = pay(&lawyer, amount).unwrap_err().approval_id().unwrap().to_owned();
        wait(auth.approvals().unwrap().approve(&id, "dana")).unwrap();
    };
    approved(1);
    approved(2);
    let first = pay(&lawyer, 1).unwrap();
    assert_eq!(code_of(&pay(&lawyer, 2)), "concurrency_exceeded");
    run(first);
    assert_eq!(paid(&lawyer, 2), ACCEPTED);
}

/// Takes, and says so when the clock has gone on.
#[derive(Debug)]
struct Slow(Arc<MemoryLimits>, Arc<ManualClock>);

impl LimitStore for Slow {
    fn reserve(&self, wanted: &Arc<Reservation>) -> Reserve {
        let (taken, clock) = (self.0.reserve(wanted), self.1.clone());
        Reserve::later(async move {
            clock.advance(Duration::from_secs(3600));
            taken.await
        })
    }

    fn release(&self, reserved: &Arc<Reservation>, use_of_it: Use, now: Timestamp) {
        self.0.release(reserved, use_of_it, now);
    }
}

#[test]
fn a_delegation_that_ends_while_its_limits_are_counted_is_over() {
    let court = Court::new();
    let memory = Arc::new(MemoryLimits::new());
    let slow = auth(&court, &[("rate", "1/1d")], Slow(memory.clone(), court.clock.clone()));
    assert_eq!(paid(&under(&slow, &court, "g"), 1), "delegation_expired");
    let quick = auth(&court, &[("rate", "1/1d")], memory);
    let mut claims = claims();
    (claims["grant_id"], claims["exp"]) = ("g".into(), json!(NOW + 4000));
    let lawyer: Caller = caller(&quick, &court.key.mint(&claims));
    assert_eq!(paid(&lawyer, 1), ACCEPTED, "it is given back");
    assert_eq!(paid(&lawyer, 1), "rate_exceeded");
}
