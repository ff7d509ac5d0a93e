//! Exactly one decision, and one outcome of what was permitted: however a question ends.

use std::collections::BTreeMap;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use agentauth_core::audit::{Append, AuditSink, Record, RecordKind};
use agentauth_core::delegation::{Client, Consent};
use agentauth_core::policy::{Effect, PolicyError, Reason, ReasonKind};
use agentauth_core::state::revocation::{Revocation, RevocationAnswer, RevocationStore, RevokeError, Subjects, Wait};
use agentauth_core::{
    Action, AgentAuth, AuthzRequest, Caller, Decision, DecisionPoint, Evidence, PolicyEngine, ResourceId, SpiffeId,
    Timestamp, TokenService,
};
use async_trait::async_trait;
use serde_json::json;

use crate::support::court::{Court, LAWYER, Memory, Oracle, RESOURCE, caller, claims, wait};

/// How a question ends that nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// What is asked panics at once.
    Panics,
    /// It panics when it is looked at for the second time.
    PanicsLater,
    /// It never answers, and whoever asked goes away.
    Dropped,
    /// The same, by the clock.
    TimedOut,
}

const ENDS: [End; 4] = [End::Panics, End::PanicsLater, End::Dropped, End::TimedOut];

impl End {
    fn code(self) -> &'static str {
        match self {
            Self::Panics | Self::PanicsLater => "panicked",
            Self::Dropped | Self::TimedOut => "caller_gone",
        }
    }

    /// What is asked: it panics, or never answers.
    async fn happen(self) {
        match self {
            Self::Panics => panic!("as the test wants"),
            Self::PanicsLater => {
                tokio::task::yield_now().await;
                panic!("as the test wants")
            }
            Self::Dropped | Self::TimedOut => pending().await,
        }
    }

    /// Asks, until this end.
    fn of<T>(self, question: impl Future<Output = T>) {
        match self {
            Self::Panics | Self::PanicsLater => {
                let answer = catch_unwind(AssertUnwindSafe(|| wait(question).into_any()));
                assert!(answer.is_err(), "it has not panicked");
            }
            Self::Dropped => {
                let mut question = Box::pin(question);
                assert!(question.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
            Self::TimedOut => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
                let late = runtime
                    .unwrap()
                    .block_on(async { tokio::time::timeout(Duration::from_secs(30), question).await.is_err() });
                assert!(late, "it has answered");
            }
        }
    }
}

/// Whatever it is, it is not looked at.
trait IntoAny: Sized {
    fn into_any(self) {}
}

impl<T> IntoAny for T {}

/// A policy, or a store of revocations, that does as it is told: answers, or ends.
#[derive(Debug, Clone, Default)]
struct Moody(Arc<AtomicUsize>);

impl Moody {
    /// From now on.
    fn ends(&self, end: Option<End>) {
        let mood = end.map_or(0, |end| ENDS.iter().position(|known| *known == end).unwrap() + 1);
        self.0.store(mood, Ordering::SeqCst);
    }

    fn end(&self) -> Option<End> {
        self.0.load(Ordering::SeqCst).checked_sub(1).map(|at| ENDS[at])
    }
}

#[async_trait]
impl PolicyEngine for Moody {
    async fn decide(&self, _: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        if let Some(end) = self.end() {
            end.happen().await;
        }
        Ok(Decision::allow(Reason::new(ReasonKind::Permitted, "as it is told")))
    }

    fn version(&self) -> Arc<str> {
        "moody-1".into()
    }
}

impl RevocationStore for Moody {
    fn check(&self, _: &Subjects, _: Timestamp) -> Wait<RevocationAnswer> {
        match self.end() {
            None => Wait::ready(RevocationAnswer::Clear),
            Some(End::Panics) => panic!("as the test wants"),
            Some(end) => Wait::later(async move {
                end.happen().await;
                RevocationAnswer::Clear
            }),
        }
    }

    fn revoke(&self, _: &Revocation, _: Timestamp) -> Wait<Result<(), RevokeError>> {
        Wait::ready(Ok(()))
    }
}

/// Takes each record at once, and never says that it is safe.
#[derive(Debug, Clone)]
struct Silent(Memory);

impl AuditSink for Silent {
    fn append(&self, record: Arc<Record>) -> Append {
        drop(self.0.append(record));
        Append::later(pending())
    }
}

fn file() -> Action {
    Action::new("motions:file").unwrap().on("case", "17")
}

/// The codes of the decisions and of the outcomes, each by its evaluation id.
fn by_evaluation(records: &Memory) -> Vec<(Vec<&'static str>, Vec<&'static str>)> {
    let mut found: BTreeMap<Arc<str>, (Vec<_>, Vec<_>)> = BTreeMap::new();
    for record in records.take() {
        let of = found.entry(record.evaluation_id.clone()).or_default();
        if record.kind == RecordKind::Outcome { of.1.push(record.code) } else { of.0.push(record.code) }
    }
    found.into_values().collect()
}

struct Stage {
    court: Court,
    policy: Moody,
    revocations: Moody,
    auth: AgentAuth,
    caller: Caller,
}

impl Stage {
    fn new() -> Self {
        let (court, policy, revocations) = (Court::new(), Moody::default(), Moody::default());
        let auth = court.engine().policy(policy.clone()).revocations(revocations.clone()).build().unwrap();
        let caller = caller(&auth, &court.key.mint(&claims()));
        court.records.take();
        Self { court, policy, revocations, auth, caller }
    }

    fn expect(&self, what: &str, decision: &'static str, outcome: &[&'static str]) {
        assert_eq!(by_evaluation(&self.court.records), [(vec![decision], outcome.to_vec())], "{what}");
    }
}

#[test]
fn a_question_that_nobody_answers_leaves_one_decision() {
    for end in ENDS {
        let stage = Stage::new();
        let Stage { court, policy, revocations, auth, caller } = &stage;
        let told = |what: &str| stage.expect(&format!("{what} {end:?}"), end.code(), &[]);

        policy.ends(Some(end));
        end.of(caller.authorize(file()));
        told("authorize, by its policy");

        let point = DecisionPoint::new(policy.clone(), &"motions:file".parse().unwrap());
        let admitted = wait(point.admit(caller)).unwrap();
        court.records.take();
        let question = json!({
            "subject": {"type": "user", "id": "alice", "properties": {"issuer": crate::support::court::STS}},
            "action": {"name": "motions:file"}, "resource": {"type": "case", "id": "17"},
            "context": {"agent": {"type": "spiffe", "id": LAWYER},
                "delegation": {"mode": "on_behalf_of", "depth": 1}, "server": RESOURCE},
        })
        .to_string();
        end.of(admitted.evaluate(question.as_bytes()));
        told("a decision point");
        policy.ends(None);

        revocations.ends(Some(end));
        end.of(auth_of(auth, court));
        told("authenticate, by its revocations");
        end.of(caller.authorize(file()));
        told("authorize, by its revocations");
        // This one is begun when it is called.
        end.of(async { caller.require_scopes(&"motions:file".parse().unwrap()).await });
        told("require_scopes");
        revocations.ends(None);

        let issuer = court.issuer().resource(RESOURCE, "motions:file records:read").revocations(revocations.clone());
        let service = TokenService::new(issuer.build().unwrap(), court.records.clone()).unwrap();
        let consent = Consent::new("alice", LAWYER.parse::<SpiffeId>().unwrap(), "motions:file".parse().unwrap());
        let consent = wait(service.consent(&consent)).unwrap();
        court.records.take();
        revocations.ends(Some(end));
        let client = Client::from(&*court.peer(LAWYER));
        let request = agentauth_core::delegation::ExchangeRequest::new(
            agentauth_core::SubjectToken::new(consent.token()),
            ResourceId::new(RESOURCE).unwrap(),
        );
        end.of(service.exchange(&client, &request));
        let records = court.records.take();
        let [record] = &records[..] else { panic!("{records:?}") };
        let found = (record.kind, record.code, record.effect, record.client.is_some());
        assert_eq!(found, (RecordKind::Issuance, end.code(), Effect::Deny, true));
    }
}

async fn auth_of(auth: &AgentAuth, court: &Court) {
    let _ = auth.authenticate(Evidence::bearer(&court.key.mint(&claims()))).await;
}

/// What is known by then is on record: who asked, for what, and until when.
#[test]
fn a_decision_that_nobody_waits_for_says_whose_it_was() {
    let stage = Stage::new();
    stage.policy.ends(Some(End::Dropped));
    End::Dropped.of(stage.caller.authorize(file()));
    let record = stage.court.records.only();
    assert_eq!((record.effect, record.code, record.kind), (Effect::Deny, "caller_gone", RecordKind::Decision));
    assert_eq!(record.action.as_ref().map(|action| &*action.name), Some("motions:file"));
    assert_eq!(record.delegation.as_ref().unwrap().principal.subject(), "alice");
    assert_eq!((record.reasons.len(), record.took_micros), (1, Some(0)));
}

#[test]
fn what_is_permitted_leaves_one_outcome() {
    let stage = Stage::new();
    let permit = || wait(stage.caller.authorize(file())).unwrap();
    drop(permit());
    stage.expect("not run", "allowed", &["not_run"]);

    assert_eq!(wait(permit().run(async |()| Ok::<_, ()>(1))).unwrap(), Ok(1));
    stage.expect("run", "allowed", &["succeeded"]);
    assert_eq!(wait(permit().run(async |()| Err::<(), _>(1))).unwrap(), Err(1));
    stage.expect("failed", "allowed", &["failed"]);

    let late = permit();
    stage.court.clock.advance(Duration::from_secs(61));
    assert_eq!(wait(late.run(async |()| Ok::<_, ()>(()))).unwrap_err().code(), "permit_expired");
    stage.court.clock.set(Timestamp::from_secs(crate::support::certs::NOW));
    stage.expect("expired", "allowed", &["expired"]);

    // A run that is never looked at has not begun.
    drop(permit().run(async |()| Ok::<_, ()>(())));
    stage.expect("never looked at", "allowed", &["not_run"]);
    for end in ENDS {
        let permit = permit();
        end.of(permit.run(|()| async move {
            end.happen().await;
            Ok::<_, ()>(())
        }));
        let outcome = if end.code() == "panicked" { "panicked" } else { "abandoned" };
        stage.expect(&format!("a tool that ends: {end:?}"), "allowed", &[outcome]);
        // Before its future is there.
        if end == End::Panics {
            end.of(self::permit(&stage).run(|()| -> std::future::Ready<Result<(), ()>> { panic!("as the test wants") }));
            stage.expect("a tool that panics at once", "allowed", &["panicked"]);
        }
    }
}

fn permit(stage: &Stage) -> agentauth_core::Permit {
    wait(stage.caller.authorize(file())).unwrap()
}

/// It was allowed, and that is on record; but nobody got the permit.
#[test]
fn who_goes_while_the_permit_is_being_recorded_has_run_nothing() {
    let court = Court::new();
    let memory = Memory::default();
    let switch = Switch { silent: Silent(memory.clone()), is_silent: Arc::default() };
    let auth = court.engine().policy(Oracle::permitting()).audit(switch.clone()).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    memory.take();
    switch.is_silent.store(1, Ordering::SeqCst);
    for end in [End::Dropped, End::TimedOut] {
        end.of(caller.authorize(file()));
        assert_eq!(by_evaluation(&memory), [(vec!["allowed"], vec!["not_run"])], "{end:?}");
    }
    // The record of a refusal that nobody waits for is one, too.
    End::Dropped.of(caller.authorize(Action::new("records:burn").unwrap()));
    assert_eq!(by_evaluation(&memory), [(vec!["insufficient_scope"], vec![])]);
    End::Dropped.of(auth.authenticate(Evidence::none()));
    assert_eq!(by_evaluation(&memory), [(vec!["no_credentials"], vec![])]);
}

/// Silent only from a moment on.
#[derive(Debug, Clone)]
struct Switch {
    silent: Silent,
    is_silent: Arc<AtomicUsize>,
}

impl AuditSink for Switch {
    fn append(&self, record: Arc<Record>) -> Append {
        if self.is_silent.load(Ordering::SeqCst) == 1 {
            self.silent.append(record)
        } else {
            self.silent.0.append(record)
        }
    }
}

/// A store that never says whether it has revoked.
#[derive(Debug)]
struct Mute;

impl RevocationStore for Mute {
    fn check(&self, _: &Subjects, _: Timestamp) -> Wait<RevocationAnswer> {
        Wait::ready(RevocationAnswer::Clear)
    }

    fn revoke(&self, _: &Revocation, _: Timestamp) -> Wait<Result<(), RevokeError>> {
        Wait::later(pending())
    }
}

#[test]
fn who_goes_while_something_is_being_revoked_leaves_a_record() {
    let court = Court::new();
    let auth = court.engine().revocations(Mute).build().unwrap();
    let service = TokenService::new(court.issuer().revocations(Mute).build().unwrap(), court.records.clone()).unwrap();
    let agent = Revocation::agent(LAWYER.parse::<SpiffeId>().unwrap()).by("dana");
    for end in [End::Dropped, End::TimedOut] {
        for of_issuer in [false, true] {
            if of_issuer {
                end.of(service.revoke(&agent));
            } else {
                end.of(auth.revoke(&agent));
            }
            let record = court.records.only();
            let found = (record.kind, record.code, record.effect);
            assert_eq!(found, (RecordKind::Revocation, "caller_gone", Effect::Deny), "{end:?}");
            assert_eq!(record.revocation.as_ref().unwrap().by.as_deref(), Some("dana"));
        }
    }
}

/// Panics with every record.
#[derive(Debug)]
struct Clumsy;

impl AuditSink for Clumsy {
    fn append(&self, _: Arc<Record>) -> Append {
        panic!("as the test wants")
    }
}

/// It has not kept the record, and does not take the process with it while something else panics.
#[test]
fn a_sink_that_panics_has_kept_nothing() {
    let court = Court::new();
    let policy = Moody::default();
    let auth = court.engine().policy(policy).audit(Clumsy).build().unwrap();
    let refused = wait(auth.authenticate(Evidence::bearer(&court.key.mint(&claims())))).unwrap_err();
    assert_eq!(refused.code(), "audit_unavailable");
    let mut answer = pin!(auth.authenticate(Evidence::none()));
    assert_eq!(wait(answer.as_mut()).unwrap_err().code(), "audit_unavailable");
    let codes: Vec<_> = court.records.take().iter().map(|record| record.code).collect();
    assert_eq!(codes, ["allowed", "audit_unavailable", "no_credentials", "audit_unavailable"]);
}
