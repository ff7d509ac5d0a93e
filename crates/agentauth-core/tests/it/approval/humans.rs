//! Who approves, what they see, and what is not taken from them.

use std::sync::Arc;

use agentauth_core::approval::{ApprovalError, ApprovalStatus, Approver};
use agentauth_core::audit::{AuditError, RecordKind};
use agentauth_core::policy::Effect;
use agentauth_core::state::{
    ApprovalStanding, ApprovalStore, ApprovalVerdict, ApprovalsUnavailable, AskedApproval, MemoryApprovalStore,
    StoredApproval, VerdictAnswer,
};
use agentauth_core::{Action, AgentAuth, IssuerId, PrincipalId, Timestamp};
use async_trait::async_trait;
use serde_json::json;

use super::{DANA, Desk, LIFETIME, engine, id_of};
use crate::support::court::{ACCEPTED, CLERK, Counter, Failing, LAWYER, STS, caller, claims, wait, without};
use crate::support::office::set;

fn sts() -> IssuerId {
    IssuerId::new(STS).unwrap()
}

fn code<T>(answer: Result<T, ApprovalError>) -> &'static str {
    answer.map_or_else(|error| error.code(), |_| ACCEPTED)
}

/// The lawyer asks for alice, or a client for itself; who may say yes?
#[test]
fn an_agent_never_approves_what_it_asks_for() {
    let desk = Desk::new();
    let delegated = desk.ask(&desk.lawyer(), 1);
    let client = set(set(without("act"), "sub", "robot-7"), "client_id", "robot-7");
    let autonomous = desk.ask(&desk.caller(&client), 1);
    let named = desk.ask(&desk.caller(&set(claims(), "act", json!({"sub": "counsel"}))), 1);
    desk.court.records.take();
    let lawyer_at_sts = format!(" {} ", LAWYER.to_uppercase());
    for (id, approver, expected) in [
        (&delegated, Approver::from(LAWYER), "approver_is_agent"),
        (&delegated, lawyer_at_sts.into(), "approver_is_agent"),
        (&delegated, PrincipalId::new(sts(), LAWYER).into(), "approver_is_agent"),
        (&delegated, CLERK.into(), "approver_is_agent"),
        (&delegated, PrincipalId::client(sts(), "dana").into(), "approver_is_agent"),
        (&delegated, PrincipalId::agent_account(sts(), "dana").into(), "approver_is_agent"),
        (&autonomous, "robot-7".into(), "approver_is_agent"),
        (&autonomous, "Robot-7".into(), "approver_is_agent"),
        (&autonomous, PrincipalId::new(sts(), "robot-7").into(), "approver_is_agent"),
        (&named, "counsel".into(), "approver_is_agent"),
        (&named, "counsel (at https://sts.court.example)".into(), "approver_is_agent"),
        (&named, PrincipalId::new(sts(), "counsel").in_tenant("t").into(), "approver_is_agent"),
        (&delegated, "".into(), "approver_malformed"),
        (&delegated, "  ".into(), "approver_malformed"),
        (&delegated, "da\nna".into(), "approver_malformed"),
        (&delegated, "x".repeat(2049).into(), "approver_malformed"),
    ] {
        for deny in [false, true] {
            let answer = match deny {
                false => wait(desk.approvals().approve(id, approver.clone())),
                true => wait(desk.approvals().deny(id, approver.clone())),
            };
            assert_eq!(code(answer), expected, "{approver:?}");
            // The attempt is on record, and nothing has come of it.
            let record = desk.court.records.only();
            assert_eq!((record.kind, record.effect, record.code), (RecordKind::Approval, Effect::Deny, expected));
            let request = wait(desk.approvals().inspect(id)).unwrap();
            assert_eq!(request.status(desk.auth.now()), ApprovalStatus::Pending);
        }
    }
    for (id, approver) in [
        // Alice may approve what is done for her.
        (&delegated, Approver::from(PrincipalId::new(sts(), "alice"))),
        (&autonomous, "robot-77".into()),
        (&named, DANA.into()),
    ] {
        assert_eq!(code(wait(desk.approvals().approve(id, approver.clone()))), ACCEPTED);
        assert_eq!(wait(desk.approvals().inspect(id)).unwrap().approver(), Some(&approver));
    }
}

#[test]
fn a_request_is_decided_once_unless_a_no_follows_a_yes_in_time() {
    let desk = Desk::new();
    let (lawyer, approvals) = (desk.lawyer(), desk.approvals());
    let decided = "approval_decided";
    let id = desk.ask(&lawyer, 1);
    assert_eq!(code(wait(approvals.approve(&id, DANA))), ACCEPTED);
    assert_eq!(code(wait(approvals.approve(&id, "erin"))), decided);
    assert_eq!(code(wait(approvals.deny(&id, "erin"))), ACCEPTED);
    assert_eq!(code(wait(approvals.approve(&id, DANA))), decided);
    assert_eq!(desk.code(&lawyer, 1), "approval_denied");

    let used = desk.ask(&lawyer, 2);
    desk.approve(&used);
    assert_eq!(desk.code(&lawyer, 2), ACCEPTED);
    assert_eq!([code(wait(approvals.approve(&used, DANA))), code(wait(approvals.deny(&used, DANA)))], [decided; 2]);

    let late = desk.ask(&lawyer, 3);
    desk.at(LIFETIME);
    desk.court.records.take();
    assert_eq!(wait(approvals.inspect(&late)).unwrap().status(desk.auth.now()), ApprovalStatus::Expired);
    for verdict in [ApprovalVerdict::Approve, ApprovalVerdict::Deny] {
        let answer = match verdict {
            ApprovalVerdict::Approve => wait(approvals.approve(&late, DANA)),
            ApprovalVerdict::Deny => wait(approvals.deny(&late, DANA)),
        };
        assert_eq!(code(answer), "approval_expired");
        assert_eq!(desk.court.records.only().code, "approval_expired");
    }
    for id in ["", "1", &"0".repeat(32), &"x".repeat(32), &"a".repeat(4096)] {
        assert_eq!(code(wait(approvals.approve(id, DANA))), "approval_unknown");
    }
}

#[test]
fn an_approval_counts_only_once_it_is_on_record_and_a_denial_in_any_case() {
    let desk = Desk::new();
    let lawyer = desk.lawyer();
    let [yes, no] = [1, 2].map(|fee| desk.ask(&lawyer, fee));
    let silent = |error| {
        let auth = engine(&desk.court, &desk.policy, desk.store.clone()).audit(Failing(error)).build().unwrap();
        auth.approvals().unwrap()
    };
    assert_eq!(code(wait(silent(AuditError::Full).approve(&yes, DANA))), "audit_unavailable");
    assert_eq!(code(wait(silent(AuditError::Full).deny(&no, DANA))), "audit_unavailable");
    assert_eq!((desk.code(&lawyer, 1), desk.code(&lawyer, 2)), ("approval_required", "approval_denied"));

    let luckless = engine(&desk.court, &desk.policy, desk.store.clone()).random(Counter::up_to(1)).build().unwrap();
    let luckless = luckless.approvals().unwrap();
    assert_eq!(code(wait(luckless.approve(&yes, DANA))), "random_unavailable");
    assert_eq!(desk.code(&lawyer, 1), "approval_required");
}

/// Another human, or the agent, is quicker than the one whose approval is on record already: the record is put right.
#[test]
fn a_decision_that_comes_too_late_is_put_right_on_record() {
    let desk = Desk::new();
    let id = desk.ask(&desk.lawyer(), 1);
    for (answer, expected) in [
        (VerdictAnswer::Decided, "approval_decided"),
        (VerdictAnswer::Expired, "approval_expired"),
        (VerdictAnswer::Unknown, "approval_unknown"),
        (VerdictAnswer::Unavailable, "approvals_unavailable"),
    ] {
        let late = Between { store: desk.store.clone(), found: |stored| stored, answer: Some(answer) };
        let approvals = engine(&desk.court, &desk.policy, late).build().unwrap().approvals().unwrap();
        desk.court.records.take();
        assert_eq!(code(wait(approvals.approve(&id, DANA))), expected);
        let codes: Vec<_> = desk.court.records.take().iter().map(|record| (record.effect, record.code)).collect();
        assert_eq!(codes, [(Effect::Allow, "approved"), (Effect::Deny, expected)]);
        assert_eq!(code(wait(approvals.deny(&id, DANA))), expected);
        assert_eq!(desk.court.records.only().code, expected);
    }
}

/// Whoever calls themselves what they like at the application's door is refused on record, however long that is.
#[test]
fn an_approver_of_any_length_is_refused_on_record() {
    let desk = Desk::new();
    let id = desk.ask(&desk.lawyer(), 1);
    desk.court.records.take();
    let name = "\u{1}".repeat(100_000);
    assert_eq!(code(wait(desk.approvals().approve(&id, Approver::from(&*name)))), "approver_malformed");
    let record = desk.court.records.only();
    let (mut body, mut personal) = (Vec::new(), Vec::new());
    record.write(&mut body, &mut personal).unwrap();
    assert!(record.truncated && personal.len() < 32 * 1024, "{} bytes", personal.len());
}

/// Where one sink fails, the other does not go on saying that it was approved.
#[test]
fn an_approval_that_one_sink_has_not_kept_is_put_right_in_the_others() {
    let desk = Desk::new();
    let id = desk.ask(&desk.lawyer(), 1);
    let auth = engine(&desk.court, &desk.policy, desk.store.clone()).audit(Failing(AuditError::Full)).build().unwrap();
    desk.court.records.take();
    assert_eq!(code(wait(auth.approvals().unwrap().approve(&id, DANA))), "audit_unavailable");
    let records = desk.court.records.take();
    let told: Vec<_> = records.iter().map(|record| (record.effect, record.code)).collect();
    assert_eq!(told, [(Effect::Allow, "approved"), (Effect::Deny, "audit_unavailable")]);
    assert_eq!(records[0].evaluation_id, records[1].evaluation_id);
    assert!(records[1].approval.as_ref().is_some_and(|approval| *approval.id == *id));
}

/// The answer of the store is not waited for to the end: it may have taken the verdict.
#[test]
fn who_goes_while_the_store_is_told_leaves_a_record() {
    let desk = Desk::new();
    let id = desk.ask(&desk.lawyer(), 1);
    let auth = engine(&desk.court, &desk.policy, Silent(desk.store.clone())).build().unwrap();
    let approvals = auth.approvals().unwrap();
    for (verdict, expected) in
        [(ApprovalVerdict::Deny, &["caller_gone"][..]), (ApprovalVerdict::Approve, &["approved", "caller_gone"])]
    {
        desk.court.records.take();
        {
            let mut question: std::pin::Pin<Box<dyn Future<Output = _>>> = match verdict {
                ApprovalVerdict::Approve => Box::pin(approvals.approve(&id, DANA)),
                ApprovalVerdict::Deny => Box::pin(approvals.deny(&id, DANA)),
            };
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(question.as_mut().poll(&mut context).is_pending());
        }
        let records = desk.court.records.take();
        assert_eq!(records.iter().map(|record| record.code).collect::<Vec<_>>(), expected);
        let last = records.last().unwrap();
        assert_eq!((last.kind, last.effect), (RecordKind::Approval, Effect::Deny));
        assert_eq!(last.approval.as_ref().unwrap().approver, Some(Approver::from(DANA)));
    }
}

/// Takes verdicts, and never says so.
#[derive(Debug)]
struct Silent(Arc<MemoryApprovalStore>);

#[async_trait]
impl ApprovalStore for Silent {
    async fn present(&self, asked: &AskedApproval, now: Timestamp) -> ApprovalStanding {
        self.0.present(asked, now).await
    }

    async fn decide(&self, _: &str, _: ApprovalVerdict, _: &str, _: Timestamp) -> VerdictAnswer {
        std::future::pending().await
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

/// A store between us and the real one, where someone has their hands in it.
#[derive(Debug)]
struct Between {
    store: Arc<MemoryApprovalStore>,
    found: fn(StoredApproval) -> StoredApproval,
    answer: Option<VerdictAnswer>,
}

#[async_trait]
impl ApprovalStore for Between {
    async fn present(&self, asked: &AskedApproval, now: Timestamp) -> ApprovalStanding {
        self.store.present(asked, now).await
    }

    async fn decide(&self, id: &str, verdict: ApprovalVerdict, by: &str, now: Timestamp) -> VerdictAnswer {
        match self.answer {
            Some(answer) => answer,
            None => self.store.decide(id, verdict, by, now).await,
        }
    }

    async fn find(&self, id: &str) -> Result<Option<StoredApproval>, ApprovalsUnavailable> {
        Ok(self.store.find(id).await?.map(self.found))
    }

    async fn pending(
        &self,
        server: &[u8; 32],
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredApproval>, ApprovalsUnavailable> {
        Ok(self.store.pending(server, limit, now).await?.into_iter().map(self.found).collect())
    }
}

fn with_payload(mut stored: StoredApproval, from: &str, to: &str) -> StoredApproval {
    let payload = String::from_utf8(stored.asked.payload.to_vec()).unwrap();
    assert!(payload.contains(from), "{payload}");
    stored.asked.payload = payload.replace(from, to).into_bytes().into();
    stored
}

#[test]
fn what_was_changed_in_the_store_is_neither_shown_nor_approved() {
    let changes: [fn(StoredApproval) -> StoredApproval; 14] = [
        |stored| with_payload(stored, r#"\"fee\":800"#, r#"\"fee\":8"#),
        |stored| with_payload(stored, "motions:file", "motions:read"),
        |stored| with_payload(stored, "2026-17", "2026-18"),
        |stored| with_payload(stored, r#""kind":"case""#, r#""kind":"desk""#),
        |stored| with_payload(stored, "alice", "bob"),
        |stored| with_payload(stored, "agent/lawyer", "agent/clerk"),
        |stored| with_payload(stored, "on_behalf_of", "autonomous"),
        |stored| with_payload(stored, "https://tools.example", "https://other.example"),
        |stored| {
            with_payload(stored, r#""issuer":"https://sts.court.example","action""#, r#""issuer":"https://b","action""#)
        },
        |stored| with_payload(stored, r#""policy_version":"v0""#, r#""policy_version":"v1""#),
        |stored| with_payload(stored, "{", ""),
        |mut stored| {
            stored.asked.act[0] ^= 1;
            stored
        },
        |mut stored| {
            stored.asked.agent[0] ^= 1;
            stored
        },
        |mut stored| {
            stored.asked.server[0] ^= 1;
            stored
        },
    ];
    let desk = Desk::new();
    let id = desk.ask(&desk.lawyer(), 800);
    for (number, found) in changes.into_iter().enumerate() {
        let between = Between { store: desk.store.clone(), found, answer: None };
        let approvals = engine(&desk.court, &desk.policy, between).build().unwrap().approvals().unwrap();
        assert_eq!(code(wait(approvals.inspect(&id))), "approval_corrupt", "{number}");
        assert_eq!(code(wait(approvals.approve(&id, DANA))), "approval_corrupt", "{number}");
        assert!(wait(approvals.pending()).unwrap().is_empty(), "{number}");
    }
    assert_eq!(desk.ask(&desk.lawyer(), 800), id, "and is not approved");
}

/// What an agent chooses cannot make the line look like another.
#[test]
fn what_cannot_be_seen_is_shown_as_its_number() {
    let desk = Desk::new();
    let lawyer = desk.lawyer();
    let action = Action::new("motions:file")
        .unwrap()
        .on("case", "17\u{202e}81")
        .with(json!({"to": "al\u{200b}ice\u{feff}\u{e0041}", "note": "a\n\u{1b}[2Jb \u{e9}\u{4f60}"}))
        .unwrap();
    let id = id_of(&wait(lawyer.authorize(action)).unwrap_err());
    let request = wait(desk.approvals().inspect(&id)).unwrap();
    assert_eq!(
        request.to_string(),
        format!(
            "{LAWYER} wants, for alice (at {STS}): motions:file on case `17\\u{{202e}}81` with \
             {{\"note\":\"a\\n\\u001b[2Jb \u{e9}\u{4f60}\",\"to\":\"al\\u{{200b}}ice\\u{{feff}}\\u{{e0041}}\"}}"
        )
    );
}

#[test]
fn names_come_back_from_the_store_as_they_went_in() {
    let desk = Desk::new();
    let client = set(set(without("act"), "sub", "robot-7"), "client_id", "robot-7");
    for claims in [claims(), without("act"), client, set(claims(), "act", json!({"sub": "counsel"}))] {
        let caller = desk.caller(&claims);
        let id = desk.ask(&caller, 1);
        let request = wait(desk.approvals().inspect(&id)).unwrap();
        assert_eq!((request.agent(), request.principal()), (caller.agent(), caller.principal()));
        assert_eq!((request.mode(), request.issuer()), (caller.mode(), caller.delegation().issuer()));
    }
    let tenant = PrincipalId::new(sts(), "erin").in_tenant("t-1");
    let id = desk.ask(&desk.lawyer(), 2);
    wait(desk.approvals().approve(&id, tenant.clone())).unwrap();
    assert_eq!(wait(desk.approvals().inspect(&id)).unwrap().approver(), Some(&Approver::Principal(tenant)));
    let auth: AgentAuth = desk.auth.clone();
    assert!(caller(&auth, &desk.court.key.mint(&claims())).agent().spiffe_id().is_some());
}
