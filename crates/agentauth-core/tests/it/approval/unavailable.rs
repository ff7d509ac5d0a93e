//! No store, a store that is away or slow, and one that is full.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::state::{
    ApprovalStanding, ApprovalStore, ApprovalVerdict, ApprovalsUnavailable, AskedApproval, MemoryApprovalStore,
    StoredApproval, VerdictAnswer,
};
use agentauth_core::{ManualClock, Timestamp};
use async_trait::async_trait;

use super::{DANA, Desk, LIFETIME, PERMITS, engine, file};
use crate::support::court::{ACCEPTED, CLERK, caller, chain, claims, code_of, wait, with};

#[test]
fn without_a_store_nothing_that_needs_a_human_is_permitted() {
    let desk = Desk::new();
    let bare = desk.court.engine().policy(super::Handle(desk.policy.clone())).build().unwrap();
    assert!(bare.approvals().is_none());
    let lawyer = caller(&bare, &desk.court.key.mint(&claims()));
    let rejection = wait(lawyer.authorize(file(800))).unwrap_err();
    assert_eq!((rejection.code(), rejection.status().as_u16()), ("approvals_none", 403));
    assert!(rejection.to_string().contains("call .approvals(...)"), "{rejection}");
    assert_eq!((rejection.approval_id(), rejection.public_error()), (None, "access_denied"));
    desk.policy.is(PERMITS);
    assert_eq!(desk.code(&lawyer, 800), ACCEPTED);
}

/// A store that answers an hour later.
#[derive(Debug)]
struct Slow(Arc<MemoryApprovalStore>, Arc<ManualClock>);

#[async_trait]
impl ApprovalStore for Slow {
    async fn present(&self, asked: &AskedApproval, now: Timestamp) -> ApprovalStanding {
        let standing = self.0.present(asked, now).await;
        self.1.advance(Duration::from_secs(3600));
        standing
    }

    async fn decide(&self, id: &str, verdict: ApprovalVerdict, by: &str, now: Timestamp) -> VerdictAnswer {
        self.0.decide(id, verdict, by, now).await
    }

    async fn find(&self, id: &str) -> Result<Option<StoredApproval>, ApprovalsUnavailable> {
        self.0.find(id).await
    }

    async fn pending(
        &self,
        server: &[u8; 32],
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredApproval>, ApprovalsUnavailable> {
        self.0.pending(server, limit, now).await
    }
}

#[test]
fn a_delegation_that_ends_while_the_store_is_asked_is_over() {
    let desk = Desk::new();
    let id = desk.ask(&desk.lawyer(), 800);
    desk.approve(&id);
    let slow = Slow(desk.store.clone(), desk.court.clock.clone());
    let auth = engine(&desk.court, &desk.policy, slow).build().unwrap();
    let lawyer = caller(&auth, &desk.court.key.mint(&claims()));
    assert_eq!(code_of(&wait(lawyer.authorize(file(800)))), "delegation_expired");
}

/// A store that knows nothing, or says that someone has approved whose name it cannot tell.
#[derive(Debug)]
struct Away(ApprovalStanding);

#[async_trait]
impl ApprovalStore for Away {
    async fn present(&self, _: &AskedApproval, _: Timestamp) -> ApprovalStanding {
        self.0.clone()
    }

    async fn decide(&self, _: &str, _: ApprovalVerdict, _: &str, _: Timestamp) -> VerdictAnswer {
        VerdictAnswer::Unavailable
    }

    async fn find(&self, _: &str) -> Result<Option<StoredApproval>, ApprovalsUnavailable> {
        Err(ApprovalsUnavailable)
    }

    async fn pending(&self, _: &[u8; 32], _: usize, _: Timestamp) -> Result<Vec<StoredApproval>, ApprovalsUnavailable> {
        Err(ApprovalsUnavailable)
    }
}

#[test]
fn a_store_that_cannot_tell_refuses() {
    let nobody = ApprovalStanding::Approved { id: "0".repeat(32).into(), by: "{}".into() };
    for standing in [ApprovalStanding::Unavailable, nobody] {
        let desk = Desk::new();
        let away = engine(&desk.court, &desk.policy, Away(standing)).build().unwrap();
        let lawyer = caller(&away, &desk.court.key.mint(&claims()));
        let rejection = wait(lawyer.authorize(file(800))).unwrap_err();
        assert_eq!((rejection.code(), rejection.status().as_u16()), ("approvals_unavailable", 503));
        assert_eq!((rejection.public_error(), rejection.approval_id()), ("temporarily_unavailable", None));
        let approvals = away.approvals().unwrap();
        let id = "a".repeat(32);
        // What cannot be an id is not looked for.
        for id in ["", "a", &"a".repeat(33), &"g".repeat(32)] {
            assert_eq!(wait(approvals.inspect(id)).unwrap_err().code(), "approval_unknown");
        }
        for error in [
            wait(approvals.pending()).map(|_| ()).unwrap_err(),
            wait(approvals.inspect(&id)).map(|_| ()).unwrap_err(),
            wait(approvals.approve(&id, DANA)).unwrap_err(),
            wait(approvals.deny(&id, DANA)).unwrap_err(),
        ] {
            assert_eq!(error.code(), "approvals_unavailable");
        }
    }
}

#[test]
fn one_agent_has_room_for_a_part_and_what_waits_is_never_dropped() {
    let desk = Desk::with_room(3, 2);
    let (lawyer, clerk) = (desk.lawyer(), desk.caller(&with("act", chain(&[CLERK]))));
    let first = desk.ask(&lawyer, 1);
    desk.at(10);
    let second = desk.ask(&lawyer, 2);
    let rejection = wait(lawyer.authorize(file(3))).unwrap_err();
    assert_eq!((rejection.code(), rejection.status().as_u16()), ("approval_too_many", 503));
    assert_eq!((desk.ask(&lawyer, 1), desk.ask(&lawyer, 2)), (first, second.clone()));
    desk.ask(&clerk, 1);
    let rejection = wait(clerk.authorize(file(2))).unwrap_err();
    assert_eq!((rejection.code(), rejection.public_error()), ("approvals_full", "temporarily_unavailable"));
    // What was decided and used has its place too, until it ends.
    desk.approve(&second);
    assert_eq!(desk.code(&lawyer, 2), ACCEPTED);
    assert_eq!((desk.code(&lawyer, 3), desk.code(&lawyer, 2)), ("approval_too_many", "approval_used"));
    // The first has ended, and makes room.
    desk.at(LIFETIME);
    desk.ask(&lawyer, 3);
    assert_eq!(desk.code(&lawyer, 2), "approval_used");
}
