//! What has changed between the approval and the act: each by its code, and the approval left as it is.

use std::sync::atomic::Ordering;

use agentauth_core::Action;
use agentauth_core::policy::{MAX_APPROVAL_LIFETIME, Obligation};
use serde_json::{Value, json};

use super::{
    ASKS, ASKS_FOR_MORE, ASKS_WHILE_IT_IS_REPLACED, DANA, DENIES, Desk, LIFETIME, PERMITS, engine, file, id_of,
};
use crate::support::court::{ACCEPTED, CLERK, Fickle, LAWYER, caller, chain, claims, code_of, wait, with, without};

/// Another act is another request, and takes nothing from the approval of this one.
#[test]
fn an_approval_is_for_exactly_what_was_asked() {
    let desk = Desk::new();
    let lawyer = desk.lawyer();
    let id = desk.ask(&lawyer, 800);
    desk.approve(&id);
    let action = |name: &str| Action::new(name).unwrap();
    let arguments = || json!({"fee": 800, "note": "s3cret"});
    let others: [(&str, Action<Value>); 7] = [
        ("another value", file(801)),
        (
            "one argument more",
            action("motions:file").on("case", "2026-17").with(json!({"fee": 800, "note": "s3cret", "x": 0})).unwrap(),
        ),
        ("one argument less", action("motions:file").on("case", "2026-17").with(json!({"fee": 800})).unwrap()),
        (
            "another type",
            action("motions:file").on("case", "2026-17").with(json!({"fee": "800", "note": "s3cret"})).unwrap(),
        ),
        ("another resource", action("motions:file").on("case", "2026-18").with(arguments()).unwrap()),
        ("no resource", action("motions:file").with(arguments()).unwrap()),
        ("another action", action("records:read").on("case", "2026-17").with(arguments()).unwrap()),
    ];
    for (what, other) in others {
        let rejection = wait(lawyer.authorize(other)).unwrap_err();
        assert_eq!(rejection.code(), "approval_required", "{what}");
        assert_ne!(id_of(&rejection), id, "{what}");
    }
    let callers: [(&str, Value); 4] = [
        ("another agent", with("act", chain(&[CLERK]))),
        ("another principal", with("sub", "bob")),
        ("in another capacity", without("act")),
        ("for itself", crate::support::office::set(without("act"), "sub", LAWYER)),
    ];
    for (who, claims) in callers {
        let rejection = wait(desk.caller(&claims).authorize(file(800))).unwrap_err();
        assert_eq!(rejection.code(), "approval_required", "{who}");
        assert_ne!(id_of(&rejection), id, "{who}");
    }
    // Spelled otherwise, and by a later token, it is the same.
    let spelled = agentauth_core::Arguments::from_json(br#"{ "note":"s3cret", "fee": 8e2 }"#).unwrap();
    let same = action("motions:file").on("case", "2026-17").with_arguments(spelled);
    let later = desk.caller(&with("jti", "jti-2"));
    assert_eq!(code_of(&wait(later.authorize(same))), ACCEPTED);
    assert_eq!(desk.code(&lawyer, 800), "approval_used");
}

/// What happens after the approval, what the retry is told, and what word the caller sees.
#[test]
fn each_change_since_the_approval_has_its_code() {
    type Change = fn(&Desk, &str);
    let cases: [(&str, Change, &str, &str); 8] = [
        ("nothing", |_, _| {}, ACCEPTED, ""),
        ("the last moment", |desk, _| desk.at(LIFETIME - 1), ACCEPTED, ""),
        ("the time is over", |desk, _| desk.at(LIFETIME), "approval_expired", "approval_required"),
        ("the policies are others", |desk, _| desk.policy.replace(), "approval_stale_policy", "approval_required"),
        (
            "a human has denied",
            |desk, id| wait(desk.approvals().deny(id, DANA)).unwrap(),
            "approval_denied",
            "approval_denied",
        ),
        (
            "it was used",
            |desk, _| assert_eq!(desk.code(&desk.lawyer(), 800), ACCEPTED),
            "approval_used",
            "approval_used",
        ),
        ("the policy denies", |desk, _| desk.policy.is(DENIES), "policy_forbidden", "access_denied"),
        (
            "the policy is replaced meanwhile",
            |desk, _| desk.policy.is(ASKS_WHILE_IT_IS_REPLACED),
            "policy_failed",
            "temporarily_unavailable",
        ),
    ];
    for (what, change, code, public) in cases {
        let desk = Desk::new();
        let lawyer = desk.lawyer();
        let id = desk.ask(&lawyer, 800);
        desk.approve(&id);
        change(&desk, &id);
        let answer = wait(lawyer.authorize(file(800)));
        assert_eq!(code_of(&answer), code, "{what}");
        if let Err(rejection) = answer {
            assert_eq!(rejection.public_error(), public, "{what}");
        }
    }
}

#[test]
fn a_new_request_takes_the_place_of_one_that_does_not_count_any_more() {
    type Change = fn(&Desk);
    let cases: [(Change, &str); 2] =
        [(|desk| desk.at(LIFETIME), "approval_expired"), (|desk| desk.policy.replace(), "approval_stale_policy")];
    for (change, code) in cases {
        for is_approved in [true, false] {
            let desk = Desk::new();
            let lawyer = desk.lawyer();
            let old = desk.ask(&lawyer, 800);
            if is_approved {
                desk.approve(&old);
            }
            change(&desk);
            let rejection = wait(lawyer.authorize(file(800))).unwrap_err();
            assert_eq!(rejection.code(), code);
            let new = id_of(&rejection);
            assert_ne!(new, old);
            assert_eq!(desk.ask(&lawyer, 800), new, "from then on, it waits as any other");
            assert_eq!(wait(desk.approvals().approve(&old, DANA)).unwrap_err().code(), "approval_unknown");
            desk.approve(&new);
            assert_eq!(desk.code(&lawyer, 800), ACCEPTED);
        }
    }
}

/// A no, and a use, last as long as the request; after that it can be asked for again.
#[test]
fn who_was_denied_is_not_heard_again_before_the_request_has_ended() {
    let desk = Desk::new();
    let lawyer = desk.lawyer();
    let denied = desk.ask(&lawyer, 1);
    wait(desk.approvals().deny(&denied, DANA)).unwrap();
    let used = desk.ask(&lawyer, 2);
    desk.approve(&used);
    assert_eq!(desk.code(&lawyer, 2), ACCEPTED);
    desk.policy.replace();
    desk.at(LIFETIME - 1);
    assert_eq!((desk.code(&lawyer, 1), desk.code(&lawyer, 2)), ("approval_denied", "approval_used"));
    assert!(wait(desk.approvals().pending()).unwrap().is_empty());
    desk.at(LIFETIME);
    assert_ne!(desk.ask(&lawyer, 1), denied);
    assert_ne!(desk.ask(&lawyer, 2), used);
}

#[test]
fn an_approval_is_used_only_where_all_else_permits() {
    let desk = Desk::new();
    let lawyer = desk.lawyer();
    let id = desk.ask(&lawyer, 800);
    desk.approve(&id);
    let short_lived = caller(&desk.auth, &desk.court.key.mint(&claims()));
    desk.at(1800);
    assert_eq!(desk.code(&short_lived, 800), "delegation_expired");
    assert_eq!(desk.code(&desk.caller(&with("scope", "records:read")), 800), "insufficient_scope");
    for (mood, code) in [
        (DENIES, "policy_forbidden"),
        (ASKS_FOR_MORE, "obligation_unknown"),
        (ASKS_WHILE_IT_IS_REPLACED, "policy_failed"),
        // The policy does not want a human any more.
        (PERMITS, ACCEPTED),
    ] {
        desk.policy.is(mood);
        assert_eq!(desk.code(&lawyer, 800), code);
        desk.policy.version.store(0, Ordering::SeqCst);
    }
    desk.policy.is(ASKS);
    assert_eq!(desk.code(&lawyer, 800), ACCEPTED);
}

#[test]
fn where_the_permit_cannot_be_recorded_the_approval_is_gone_all_the_same() {
    let desk = Desk::new();
    let id = desk.ask(&desk.lawyer(), 800);
    desk.approve(&id);
    let sink = Fickle::default();
    let auth = engine(&desk.court, &desk.policy, desk.store.clone()).audit(sink.clone()).build().unwrap();
    let lawyer = caller(&auth, &desk.court.key.mint(&claims()));
    sink.refuse(true);
    assert_eq!(code_of(&wait(lawyer.authorize(file(800)))), "audit_unavailable");
    assert_eq!(desk.code(&desk.lawyer(), 800), "approval_used");
}

#[test]
fn a_condition_that_is_not_known_refuses() {
    let desk = Desk::new();
    let lawyer = desk.lawyer();
    desk.policy.is(ASKS_FOR_MORE);
    let rejection = wait(lawyer.authorize(file(800))).unwrap_err();
    assert_eq!((rejection.code(), rejection.public_error()), ("obligation_unknown", "access_denied"));
    assert_eq!(rejection.status().as_u16(), 403);
    assert!(rejection.to_string().contains("`notify-?[2Jfinance`"), "{rejection}");
    assert!(wait(desk.approvals().pending()).unwrap().is_empty(), "no human is asked in vain");
    let shown = serde_json::to_string(&[Obligation::Unknown("x".into())]).unwrap();
    assert_eq!(shown, r#"[{"unknown":"x"}]"#);
}

#[test]
fn more_than_a_human_can_read_is_not_put_before_one() {
    let desk = Desk::new();
    let lawyer = desk.lawyer();
    let filing = |length: usize| {
        // `{"note":"` and `"}` are 11 bytes.
        Action::new("motions:file").unwrap().with(json!({"note": "\"".repeat(length / 2)})).unwrap()
    };
    assert_eq!(code_of(&wait(lawyer.authorize(filing(16 * 1024 - 12)))), "approval_required");
    let rejection = wait(lawyer.authorize(filing(16 * 1024 - 10))).unwrap_err();
    assert_eq!((rejection.code(), rejection.public_error()), ("approval_oversize", "access_denied"));
    assert!(rejection.to_string().contains("16384"));
    assert_eq!(agentauth_core::approval::MAX_APPROVED_ARGUMENT_BYTES, 16384);
    let terms = agentauth_core::policy::ApprovalTerms::within(std::time::Duration::MAX);
    assert_eq!(terms.lifetime(), MAX_APPROVAL_LIFETIME);
}
