//! One approval, one permit; and what is on record of both.

use std::sync::{Arc, Barrier};
use std::thread;

use agentauth_core::AgentAuth;
use agentauth_core::approval::{ApprovalStatus, Approver};
use agentauth_core::audit::RecordKind;
use agentauth_core::policy::{Effect, Reason};
use agentauth_core::scope::AGENT_ACTION;
use agentauth_core::state::{MemoryApprovalStore, MemoryUseStore};
use serde_json::json;

use super::{DANA, Desk, LIFETIME, engine, file, id_of};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, LAWYER, RESOURCE, STS, caller, claims, code_of, wait, with};
use crate::support::office::set;

#[test]
fn what_a_human_has_approved_is_permitted_once() {
    let desk = Desk::new();
    let lawyer = desk.lawyer();
    let rejection = wait(lawyer.authorize(file(800))).unwrap_err();
    assert_eq!((rejection.code(), rejection.status().as_u16()), ("approval_required", 403));
    assert!(rejection.challenges().is_empty());
    let (id, evaluation) = (id_of(&rejection), rejection.evaluation_id().to_owned());
    assert_eq!(
        rejection.body(),
        format!(r#"{{"error":"approval_required","evaluation_id":"{evaluation}","approval_id":"{id}"}}"#)
    );
    assert_eq!(desk.ask(&lawyer, 800), id, "asked again, it is the same request");

    let waiting = wait(desk.approvals().pending()).unwrap();
    let [request] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!(*request, wait(desk.approvals().inspect(&id)).unwrap());
    assert_eq!((request.id(), request.action(), request.evaluation_id()), (&*id, "motions:file", &*evaluation));
    assert_eq!((request.agent(), request.principal()), (lawyer.agent(), lawyer.principal()));
    assert_eq!((request.mode(), request.issuer().as_str(), request.server().as_str()), (lawyer.mode(), STS, RESOURCE));
    assert_eq!(request.resource().map(|resource| (resource.kind(), resource.id())), Some(("case", "2026-17")));
    assert_eq!(request.arguments(), r#"{"fee":800,"note":"s3cret"}"#);
    assert_eq!((request.policies().collect::<Vec<_>>(), request.policy_version()), (vec!["p-1"], "v0"));
    assert_eq!((request.created().secs(), request.expires().secs()), (NOW, NOW + LIFETIME));
    assert_eq!((request.status(desk.auth.now()), request.approver()), (ApprovalStatus::Pending, None));

    desk.approve(&id);
    let approved = wait(desk.approvals().inspect(&id)).unwrap();
    assert_eq!((approved.status(desk.auth.now()), approved.approver()), (ApprovalStatus::Approved, Some(&DANA.into())));
    assert!(wait(desk.approvals().pending()).unwrap().is_empty());

    desk.at(60);
    let permit = wait(lawyer.authorize(file(800))).unwrap();
    assert_eq!(permit.arguments_digest(), request.arguments_digest());
    assert_eq!(desk.code(&lawyer, 800), "approval_used");
    let used = wait(desk.approvals().inspect(&id)).unwrap();
    assert_eq!((used.status(desk.auth.now()), used.approver()), (ApprovalStatus::Used, Some(&DANA.into())));
}

#[test]
fn the_record_has_who_asked_who_approved_and_who_acted_and_no_arguments() {
    let desk = Desk::new();
    let lawyer = desk.lawyer();
    desk.court.records.take();
    let id = desk.ask(&lawyer, 7_654_321);
    desk.approve(&id);
    assert_eq!(desk.code(&lawyer, 7_654_321), ACCEPTED);
    assert_eq!(desk.code(&lawyer, 7_654_321), "approval_used");
    let denied = desk.ask(&lawyer, 1);
    wait(desk.approvals().deny(&denied, DANA)).unwrap();
    assert_eq!(desk.code(&lawyer, 1), "approval_denied");

    let records = desk.court.records.take_but_not_run();
    let approvals: Vec<_> = records.iter().map(|record| record.approval.as_ref().unwrap()).collect();
    let dana = Some(Approver::from(DANA));
    let kinds = [
        (RecordKind::Decision, Effect::Deny, "approval_required", &id, None),
        (RecordKind::Approval, Effect::Allow, "approved", &id, dana.as_ref()),
        (RecordKind::Decision, Effect::Allow, "allowed", &id, dana.as_ref()),
        (RecordKind::Decision, Effect::Deny, "approval_used", &id, None),
        (RecordKind::Decision, Effect::Deny, "approval_required", &denied, None),
        (RecordKind::Approval, Effect::Deny, "denied", &denied, dana.as_ref()),
        (RecordKind::Decision, Effect::Deny, "approval_denied", &denied, None),
    ];
    assert_eq!(records.len(), kinds.len());
    for ((record, approval), expected) in records.iter().zip(&approvals).zip(kinds) {
        let found = (record.kind, record.effect, record.code, &*approval.id, approval.approver.as_ref());
        assert_eq!(found, (expected.0, expected.1, expected.2, &**expected.3, expected.4));
        assert_eq!(record.policy_version.as_deref(), Some("v0"));
        let action = record.action.as_ref().unwrap();
        assert_eq!((&*action.name, action.resource.is_some()), ("motions:file", true));
    }
    assert_eq!(approvals[1].asked_by.as_deref(), Some(&*records[0].evaluation_id));
    assert_eq!(records[1].action.as_ref().unwrap().arguments, records[0].action.as_ref().unwrap().arguments);
    let reasons: Vec<&str> = records[0].reasons.iter().map(Reason::text).collect();
    assert_eq!(
        reasons,
        ["counsel permits", &*format!("a human must approve this first, which request `{id}` waits for")]
    );

    let request = wait(desk.approvals().inspect(&id)).unwrap();
    let stored = format!("{:?} {:?} {:?} {request:?}", desk.store, desk.approvals(), desk.auth);
    let shown = serde_json::to_string(&records).unwrap() + &stored;
    assert!(!shown.contains("7654321") && !shown.contains("s3cret"), "{shown}");
    assert!(shown.contains(r#""approver":{"named":"dana@court.example"}"#), "{shown}");
}

#[test]
fn of_many_that_try_at_once_one_is_permitted() {
    for _ in 0..20 {
        let desk = Desk::new();
        let lawyer = desk.lawyer();
        let id = desk.ask(&lawyer, 800);
        desk.approve(&id);
        let start = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (lawyer, start) = (lawyer.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    code_of(&wait(lawyer.authorize(file(800))))
                })
            })
            .collect();
        let mut codes: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        codes.sort_unstable();
        assert_eq!(codes, [&[ACCEPTED][..], &["approval_used"; 7]].concat());
    }
}

/// Two engines of one server, as two replicas are, with one store between them.
#[test]
fn replicas_that_share_a_store_permit_once_and_another_server_knows_nothing_of_it() {
    let desk = Desk::new();
    let replica = engine(&desk.court, &desk.policy, desk.store.clone()).build().unwrap();
    let other = AgentAuth::builder("https://other.example")
        .clock(desk.court.clock.clone())
        .audit(desk.court.records.clone())
        .issuer(agentauth_core::TrustedIssuer::rfc8693(STS, desk.court.key.key_set()))
        .policy(super::Handle(desk.policy.clone()))
        .approvals(desk.store.clone())
        .build()
        .unwrap();
    let mut elsewhere = claims();
    elsewhere["aud"] = json!("https://other.example");
    let elsewhere = caller(&other, &desk.court.key.mint(&elsewhere));
    let (here, there) = (desk.lawyer(), caller(&replica, &desk.court.key.mint(&claims())));

    let id = desk.ask(&here, 800);
    assert_eq!(desk.ask(&there, 800), id);
    let other_id = desk.ask(&elsewhere, 800);
    assert_ne!(other_id, id);
    let other = other.approvals().unwrap();
    let listed: Vec<_> = wait(other.pending()).unwrap().iter().map(|request| request.id().to_owned()).collect();
    assert_eq!(listed, [other_id.as_str()]);
    for answer in
        [wait(other.inspect(&id)).err(), wait(other.approve(&id, DANA)).err(), wait(other.deny(&id, DANA)).err()]
    {
        assert_eq!(answer.unwrap().code(), "approval_unknown");
    }
    wait(replica.approvals().unwrap().approve(&id, DANA)).unwrap();
    assert_eq!(desk.code(&elsewhere, 800), "approval_required");
    assert_eq!((desk.code(&there, 800), desk.code(&here, 800)), (ACCEPTED, "approval_used"));
}

/// A delegation for one filing: who asks for an approval has not filed yet.
#[test]
fn asking_spends_no_use_of_the_delegation_and_acting_spends_one() {
    let desk = Desk::new();
    let auth = engine(&desk.court, &desk.policy, desk.store.clone()).uses(MemoryUseStore::new()).build().unwrap();
    let details = json!([{"type": AGENT_ACTION, "actions": ["motions:file"], "max_uses": 1}]);
    let once = set(with("authorization_details", details), "scope", "");
    let lawyer = caller(&auth, &desk.court.key.mint(&once));
    let [first, second] = [800, 801].map(|fee| desk.ask(&lawyer, fee));
    assert_eq!(desk.ask(&lawyer, 800), first);
    desk.approve(&first);
    desk.approve(&second);
    assert_eq!((desk.code(&lawyer, 800), desk.code(&lawyer, 801)), (ACCEPTED, "uses_exhausted"));
    assert_eq!(desk.code(&lawyer, 801), "approval_used");
}

/// A process that begins anew has forgotten what was approved, and asks again.
#[test]
fn what_is_forgotten_must_be_approved_again() {
    let desk = Desk::new();
    let id = desk.ask(&desk.lawyer(), 800);
    desk.approve(&id);
    let fresh = engine(&desk.court, &desk.policy, MemoryApprovalStore::new()).build().unwrap();
    let lawyer = caller(&fresh, &desk.court.key.mint(&claims()));
    assert_eq!(code_of(&wait(lawyer.authorize(file(800)))), "approval_required");
    assert_eq!(lawyer.agent().name(), LAWYER);
}
