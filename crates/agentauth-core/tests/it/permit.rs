//! A permit is an answer about now: it ends, and what it was for is done once, on what was authorised.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agentauth_core::audit::RecordKind;
use agentauth_core::policy::Effect;
use agentauth_core::{Action, MAX_PERMIT_AGE, Timestamp};
use serde_json::json;

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, Court, Oracle, caller, code_of, wait, with};

#[test]
fn a_permit_is_not_run_after_its_end() {
    let second = Duration::from_secs(1);
    for (expires, leeway_end, later, code, status) in [
        (300, 360, MAX_PERMIT_AGE - Duration::from_micros(1), ACCEPTED, 0),
        (300, 360, MAX_PERMIT_AGE, "permit_expired", 503),
        (300, 360, MAX_PERMIT_AGE + second, "permit_expired", 503),
        (10, 40, 39 * second, ACCEPTED, 0),
        (10, 40, 40 * second, "delegation_expired", 401),
        (10, 40, 3600 * second, "delegation_expired", 401),
    ] {
        let court = Court::new();
        let auth = court.engine().policy(Oracle::permitting()).build().unwrap();
        let lawyer = caller(&auth, &court.key.mint(&with("exp", NOW + expires)));
        let action = Action::new("motions:file").unwrap().on("case", "1").with(json!({"fee": 5})).unwrap();
        let permit = wait(lawyer.authorize(action)).unwrap();
        let end = Timestamp::from_secs(NOW + leeway_end);
        assert_eq!(permit.ends(), end.min(Timestamp::from_secs(NOW).plus(MAX_PERMIT_AGE)));
        let id = permit.evaluation_id().to_owned();
        court.clock.advance(later);
        court.records.take();
        let ran = Arc::new(AtomicUsize::new(0));
        let answer = wait(permit.run(async |_| Ok::<_, ()>(ran.fetch_add(1, Ordering::SeqCst))));
        assert_eq!(code_of(&answer), code);
        assert_eq!(ran.load(Ordering::SeqCst), usize::from(code == ACCEPTED));
        let record = court.records.only();
        assert_eq!((record.kind, &*record.evaluation_id), (RecordKind::Outcome, &*id));
        let Err(rejection) = answer else {
            assert_eq!((record.code, record.effect), ("succeeded", Effect::Allow));
            continue;
        };
        assert_eq!((record.code, record.effect), ("expired", Effect::Deny));
        assert_eq!(record.reasons[0].text(), rejection.refusal().to_string());
        assert_eq!((rejection.status().as_u16(), rejection.evaluation_id()), (status, &*id));
    }
}

/// Whatever takes its time between the question and the permit is time of the permit's.
#[test]
fn a_permit_ends_so_long_after_the_question() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).build().unwrap();
    let lawyer = caller(&auth, &court.key.mint(&with("exp", NOW + 300)));
    let asking = lawyer.authorize(Action::new("motions:file").unwrap());
    court.at(NOW + 10);
    let permit = wait(asking).unwrap();
    assert_eq!(permit.ends(), Timestamp::from_secs(NOW + 10).plus(MAX_PERMIT_AGE), "asked when it is first polled");
}
