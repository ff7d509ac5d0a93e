//! What happened? Every answer is recorded once, before it is given, and no record holds a secret.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use agentauth_core::audit::{Append, AuditError, AuditKey, AuditSink, Record, RecordKind, TracingSink};
use agentauth_core::policy::{Effect, Engines, PolicyError, Reason, ReasonKind};
use agentauth_core::{
    Action, AgentAuth, AgentAuthBuilder, Caller, Decision, Evidence, Permit, Rejection, TrustedIssuer,
};
use http::{HeaderMap, HeaderValue, Uri, header::AUTHORIZATION};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata, Subscriber, span};

use crate::support::certs::{Ca, NOW};
use crate::support::court::{
    CLERK, Counter, Court, Failing, LAWYER, Memory, Oracle, RESOURCE, STS, authenticate, bound_to, caller, chain,
    claims, code_of, wait, with,
};

/// An engine's builder like [`Court::engine`], with other sinks.
fn with_sinks(court: &Court) -> AgentAuthBuilder {
    AgentAuth::builder(RESOURCE)
        .clock(court.clock.clone())
        .agents(court.ca.trust())
        .issuer(TrustedIssuer::rfc8693(STS, court.key.key_set()))
        .policy(Oracle::permitting())
}

fn file() -> Action {
    Action::new("motions:file").unwrap()
}

fn http(uri: &str, authorization: &[&str]) -> Evidence {
    let mut headers = HeaderMap::new();
    for value in authorization {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    Evidence::from_http(&http::Method::GET, &uri.parse::<Uri>().unwrap(), &headers)
}

#[test]
fn each_verification_leaves_exactly_one_record() {
    let court = Court::new();
    let auth = court.engine().require_delegation().build().unwrap();
    let good = court.key.mint(&claims());
    let bearer = |token: &str| Evidence::bearer(token);
    let stranger = Ca::new("evil.example").peer("/agent/lawyer");
    for (evidence, expected) in [
        (bearer(&good), "allowed"),
        (http("/", &[&format!("Bearer {good}")]), "allowed"),
        (bearer(&good).with_peer(Some(court.peer(LAWYER))), "allowed"),
        (Evidence::none(), "no_credentials"),
        (http("/", &["Basic dTpw"]), "no_credentials"),
        (http("/", &["Bearer a", "Bearer b"]), "credentials_repeated"),
        (http("/", &["Bearer "]), "credentials_malformed"),
        (http("/?access_token=a", &[]), "credentials_in_query"),
        (Evidence::none().with_peer(Some(court.peer(LAWYER))), "no_credentials"),
        (bearer(&good).with_peer(Some(stranger)), "svid_unknown_trust_domain"),
        (bearer("x"), "token_not_compact"),
        (bearer(&court.key.mint(&with("exp", 1))), "token_expired"),
        (bearer(&court.key.mint(&bound_to(&court.peer(LAWYER)))), "binding_certificate_missing"),
        (bearer(&good).with_peer(Some(court.peer(CLERK))), "actor_is_not_peer"),
        (bearer(&court.key.mint(&with("act", json!({"sub": "alice"})))), "delegation_required"),
    ] {
        let peer = format!("{evidence:?}").contains("X509Svid");
        let answer = authenticate(&auth, evidence);
        let record = court.records.only();
        let id = answer.as_ref().map_or_else(Rejection::evaluation_id, Caller::evaluation_id);
        assert_eq!((record.kind, record.code, &*record.evaluation_id), (RecordKind::Authentication, expected, id));
        assert_eq!(record.time.secs(), NOW);
        assert_eq!(&*record.server, RESOURCE);
        assert_eq!(record.effect == Effect::Allow, answer.is_ok());
        assert_eq!(record.delegation.is_some(), answer.is_ok(), "what was not verified is not stated: {expected}");
        assert_eq!(record.reasons.is_empty(), answer.is_ok(), "a denial has a reason: {expected}");
        assert_eq!(record.peer.is_some(), peer);
        assert_eq!((record.authentication_id.is_some(), record.action.is_some()), (false, false));
    }
}

#[test]
fn each_decision_leaves_exactly_one_record() {
    let court = Court::new();
    let deny = || Oracle::answering(Ok(Decision::deny(Reason::new(ReasonKind::Forbidden, "no"))));
    let fail = || Oracle::answering(Err(PolicyError::new("no")));
    for (oracle, scope, now, expected, version) in [
        (Oracle::permitting(), "motions:file", NOW, "allowed", true),
        (Oracle::permitting(), "records:read", NOW, "insufficient_scope", false),
        (Oracle::permitting(), "motions:file", NOW + 3600, "delegation_expired", false),
        (Oracle::permitting(), "motions:file", NOW + 3601, "delegation_expired", false),
        (deny(), "motions:file", NOW, "policy_forbidden", true),
        (fail(), "motions:file", NOW, "policy_failed", true),
    ] {
        court.at(NOW);
        let auth = court.engine().policy(oracle).build().unwrap();
        let caller = caller(&auth, &court.key.mint(&with("scope", scope)));
        court.at(now);
        court.records.take();

        let answer = wait(caller.authorize(file().on("case", "2026-17")));
        let record = court.records.only();
        let id = answer.as_ref().map_or_else(Rejection::evaluation_id, Permit::evaluation_id);
        assert_eq!((record.kind, record.code, &*record.evaluation_id), (RecordKind::Decision, expected, id));
        assert_eq!(record.authentication_id.as_deref(), Some(caller.evaluation_id()));
        assert_ne!(caller.evaluation_id(), id);
        assert_eq!(record.effect == Effect::Allow, answer.is_ok());
        assert_eq!(record.policy_version.as_deref(), version.then_some("oracle-1"), "{expected}");
        assert_eq!((record.reasons.len(), record.time.secs()), (1, now), "{expected}");
        assert_eq!(&*record.action.as_ref().unwrap().name, "motions:file");
        assert_eq!(record.delegation.as_ref().unwrap().principal.subject(), "alice");

        let answer = wait(caller.require_scopes(&"motions:file".parse().unwrap()));
        let record = court.records.only();
        let expected = if expected.starts_with("policy") { "allowed" } else { expected };
        assert_eq!((record.kind, record.code), (RecordKind::Decision, expected));
        assert_eq!(record.effect == Effect::Allow, answer.is_ok());
        assert_eq!(&*record.action.as_ref().unwrap().name, "require motions:file");
    }
}

#[test]
fn nothing_is_answered_without_an_id() {
    let court = Court::new();
    let engine = |ids| court.engine().audit_key(AuditKey::new(&[7; 32])).random(Counter::up_to(ids)).build().unwrap();
    let token = court.key.mint(&claims());
    let rejection = authenticate(&engine(0), Evidence::bearer(&token)).unwrap_err();
    assert_eq!((rejection.code(), rejection.status().as_u16()), ("random_unavailable", 503));
    assert_eq!(court.records.only().code, "random_unavailable");

    let caller = caller(&engine(1), &token);
    court.records.take();
    assert_eq!(code_of(&wait(caller.require_scopes(&"records:read".parse().unwrap()))), "random_unavailable");
    assert_eq!(court.records.only().code, "random_unavailable");
    assert_eq!(code_of(&wait(caller.authorize(file()))), "random_unavailable");
    assert_eq!(court.records.only().code, "random_unavailable");
}

/// Takes as many records as it has room for, and none after.
#[derive(Debug)]
struct Room(AtomicUsize);

impl AuditSink for Room {
    fn append(&self, _: Arc<Record>) -> Append {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        Append::done(left.map(|_| ()).map_err(|_| AuditError::Full))
    }
}

#[test]
fn what_cannot_be_recorded_is_refused_whatever_the_answer_was() {
    let court = Court::new();
    let good = court.key.mint(&claims());
    for error in [AuditError::Full, AuditError::Closed, AuditError::Write("the disk is full".into())] {
        let auth = with_sinks(&court).audit(Failing(error)).build().unwrap();
        for evidence in [Evidence::bearer(&good), Evidence::bearer("x"), Evidence::none()] {
            let rejection = authenticate(&auth, evidence).unwrap_err();
            assert_eq!((rejection.code(), rejection.status().as_u16()), ("audit_unavailable", 503));
            assert_eq!(rejection.public_error(), "temporarily_unavailable");
        }
    }
    let auth = with_sinks(&court).audit(Room(AtomicUsize::new(1))).build().unwrap();
    let caller = caller(&auth, &good);
    for scope in ["motions:file", "records:seal"] {
        assert_eq!(code_of(&wait(caller.authorize(Action::new(scope).unwrap()))), "audit_unavailable");
        assert_eq!(code_of(&wait(caller.require_scopes(&scope.parse().unwrap()))), "audit_unavailable");
    }
}

/// An action cannot be taken back because its outcome could not be written down.
#[test]
fn an_outcome_that_cannot_be_recorded_does_not_hide_what_the_tool_did() {
    let court = Court::new();
    let auth = with_sinks(&court).audit(Room(AtomicUsize::new(2))).build().unwrap();
    let permit = wait(caller(&auth, &court.key.mint(&claims())).authorize(file())).unwrap();
    assert_eq!(wait(permit.run(async |()| Ok::<_, ()>("filed"))).unwrap(), Ok("filed"));
}

/// Takes each record only when it is polled for the second time.
#[derive(Debug)]
struct Slow(Memory);

impl AuditSink for Slow {
    fn append(&self, record: Arc<Record>) -> Append {
        let memory = self.0.clone();
        Append::later(async move {
            tokio::task::yield_now().await;
            memory.append(record).await
        })
    }
}

#[test]
fn every_sink_must_take_every_record() {
    let court = Court::new();
    let good = court.key.mint(&claims());
    let failing = || Failing(AuditError::Closed);
    let slow = Memory::default();
    let auth = with_sinks(&court).audit(court.records.clone()).audit(Slow(slow.clone())).build().unwrap();
    assert!(authenticate(&auth, Evidence::bearer(&good)).is_ok());
    assert_eq!(court.records.only().evaluation_id, slow.only().evaluation_id);

    for auth in [
        with_sinks(&court).audit(court.records.clone()).audit(failing()).build().unwrap(),
        with_sinks(&court).audit(failing()).audit(court.records.clone()).build().unwrap(),
        with_sinks(&court).audit(court.records.clone()).audit(Slow(slow)).audit(failing()).build().unwrap(),
    ] {
        assert_eq!(code_of(&authenticate(&auth, Evidence::bearer(&good))), "audit_unavailable");
        let taken: Vec<_> =
            court.records.take().iter().map(|record| (record.evaluation_id.clone(), record.code)).collect();
        assert_eq!(taken.iter().map(|(_, code)| *code).collect::<Vec<_>>(), ["allowed", "audit_unavailable"]);
        assert_eq!(taken[0].0, taken[1].0, "the others are told that it was refused");
    }
}

#[test]
fn an_answer_whose_record_failed_is_not_there_for_a_second_look() {
    let court = Court::new();
    let auth = with_sinks(&court).audit(Failing(AuditError::Full)).build().unwrap();
    let mut answer = auth.authenticate(Evidence::bearer(&court.key.mint(&claims())));
    for _ in 0..3 {
        assert_eq!(code_of(&wait(&mut answer)), "audit_unavailable");
    }
}

/// The caller hangs up, or the tool panics: the action may have been done.
#[test]
fn an_action_that_is_abandoned_leaves_an_outcome() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    let permit = || wait(caller.authorize(file())).unwrap();
    for panics in [false, true] {
        let permit = permit();
        court.records.take();
        let id = permit.evaluation_id().to_owned();
        let mut run = Box::pin(permit.run(|()| async move {
            assert!(!panics, "the tool panics");
            std::future::pending::<Result<(), ()>>().await
        }));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.as_mut().poll(&mut context)));
        assert_eq!(polled.is_err(), panics);
        drop(run);
        let record = court.records.only();
        assert_eq!(
            (record.kind, record.code, &*record.evaluation_id),
            (RecordKind::Outcome, if panics { "panicked" } else { "abandoned" }, &*id)
        );
    }
}

#[test]
fn no_record_holds_a_token_a_token_id_or_an_argument() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).build().unwrap();
    let mut good = with("jti", "canary-jti");
    good["canary-claim"] = json!("canary-value");
    let expired = {
        let mut claims = good.clone();
        claims["exp"] = json!(NOW - 3600);
        claims
    };
    let tokens = [court.key.mint(&good), court.key.mint(&expired), format!("{}x", court.key.mint(&good))];
    for token in &tokens {
        for evidence in [
            Evidence::bearer(token),
            http("/", &[&format!("Bearer {token}")]),
            http("/", &[&format!("Bearer {token} x")]),
        ] {
            if let Ok(caller) = authenticate(&auth, evidence.with_peer(Some(court.peer(LAWYER)))) {
                let action = || file().with(json!({"to": "canary-argument", "n": [{"canary-name": 4_711_471_147u64}]}));
                let permit = wait(caller.authorize(action().unwrap())).unwrap();
                assert_eq!(wait(permit.run(async |_| Err::<(), _>("canary-error"))).unwrap(), Err("canary-error"));
            }
        }
    }
    let records = court.records.take();
    assert!(records.len() > 10);
    for record in records {
        let json = serde_json::to_string(&*record).unwrap();
        assert!(!json.contains("canary") && !json.contains("4711471147"), "{json}");
        for part in tokens.iter().flat_map(|token| token.split('.')) {
            assert!(!json.contains(part), "{json}");
        }
    }
}

#[test]
fn the_same_token_has_the_same_hash_in_one_log_and_in_no_other() {
    let court = Court::new();
    let hash = |auth: &AgentAuth, jti: &str| {
        assert!(authenticate(auth, Evidence::bearer(&court.key.mint(&with("jti", jti)))).is_ok());
        court.records.only().delegation.as_ref().unwrap().token.clone()
    };
    let keyed = |byte| court.engine().audit_key(AuditKey::new(&[byte; 32])).build().unwrap();
    let (one, again, other) = (keyed(1), keyed(1), keyed(2));
    assert_eq!(hash(&one, "jti-1"), hash(&one, "jti-1"));
    assert_eq!(hash(&one, "jti-1"), hash(&again, "jti-1"));
    assert_ne!(hash(&one, "jti-1"), hash(&one, "jti-2"));
    assert_ne!(hash(&one, "jti-1"), hash(&other, "jti-1"));
    assert_ne!(hash(&court.auth(), "jti-1"), hash(&court.auth(), "jti-1"), "a key that was not given is fresh");
    assert_eq!(format!("{:?}", AuditKey::new(&[7; 32])), "AuditKey([redacted])");
}

#[test]
fn a_decision_record_answers_the_four_questions() {
    let court = Court::new();
    let clerk = court.peer(CLERK);
    let mut claims = with("act", chain(&[CLERK, LAWYER]));
    claims["cnf"] = bound_to(&clerk)["cnf"].clone();
    let thumbprint = claims["cnf"]["x5t#S256"].as_str().unwrap().to_owned();
    let auth = court
        .engine()
        .policy(Oracle::permitting())
        .audit_key(AuditKey::new(&[7; 32]))
        .random(Counter::up_to(2))
        .build()
        .unwrap();
    let evidence = Evidence::bearer(&court.key.mint(&claims)).with_peer(Some(clerk));
    let caller = authenticate(&auth, evidence).unwrap();
    court.records.take();
    assert!(wait(caller.authorize(file().on("case", "2026-17").with(json!({"fee": 120})).unwrap())).is_ok());
    let record = serde_json::to_string_pretty(&*court.records.only()).unwrap();
    insta::assert_snapshot!(record.replace(&thumbprint, "thumbprint"), @r#"
    {
      "version": 2,
      "kind": "decision",
      "evaluation_id": "00000000000000000000000000000002",
      "time": "2027-01-15T08:00:00Z",
      "server": "https://tools.example",
      "effect": "allow",
      "code": "allowed",
      "reasons": [
        {
          "kind": "permitted",
          "text": "the oracle permits"
        }
      ],
      "authentication_id": "00000000000000000000000000000001",
      "took_micros": 0,
      "delegation": {
        "agent": {
          "spiffe": "spiffe://court.example/agent/clerk"
        },
        "principal_hash": "68a8f11e959d06b64689f7c30a6f76ce",
        "mode": "on_behalf_of",
        "chain": [
          {
            "agent": {
              "spiffe": "spiffe://court.example/agent/clerk"
            },
            "key": "x5t#S256:thumbprint",
            "proof": "mutual_tls"
          },
          {
            "agent": {
              "spiffe": "spiffe://court.example/agent/lawyer"
            },
            "proof": "token"
          }
        ],
        "depth": 2,
        "scopes": "motions:file records:read",
        "audience": "https://tools.example",
        "issuer": "https://sts.court.example",
        "binding": "mutual_tls",
        "token": "8c79bef21c6a4bb855a6f8e86056ec53",
        "expires": "2027-01-15T08:05:00Z"
      },
      "peer": "spiffe://court.example/agent/clerk",
      "peer_proof": "mutual_tls",
      "action": {
        "name": "motions:file",
        "resource": {
          "kind": "case",
          "id": "2026-17"
        },
        "arguments": "ce642a59121f8bd758c59ee25863fb97251d25e9cc7ec24c9578ebe74c1ccca5"
      },
      "policy_version": "oracle-1",
      "personal": {
        "principal": {
          "issuer": "https://sts.court.example",
          "kind": "subject",
          "subject": "alice"
        }
      }
    }
    "#);
}

/// Keeps each event as `LEVEL target fields`.
#[derive(Debug, Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn tracing_gets_a_copy_of_each_record() {
    let court = Court::new();
    let engine = with_sinks(&court).audit(TracingSink).audit_key(AuditKey::new(&[7; 32]));
    let auth = engine.random(Counter::up_to(9)).build().unwrap();
    let events = Events::default();
    tracing::subscriber::with_default(events.clone(), || {
        let caller = caller(&auth, &court.key.mint(&claims()));
        assert!(wait(caller.authorize(file())).is_ok());
        assert!(authenticate(&auth, Evidence::none()).is_err());
    });
    insta::assert_snapshot!(events.0.lock().unwrap().join("\n"), @r#"
    INFO agentauth::audit kind=authentication evaluation_id=00000000000000000000000000000001 code="allowed" agent="spiffe://court.example/agent/lawyer" principal_hash="68a8f11e959d06b64689f7c30a6f76ce"
    INFO agentauth::audit kind=decision evaluation_id=00000000000000000000000000000002 code="allowed" agent="spiffe://court.example/agent/lawyer" principal_hash="68a8f11e959d06b64689f7c30a6f76ce" action="motions:file" why="the oracle permits"
    INFO agentauth::audit kind=outcome evaluation_id=00000000000000000000000000000002 code="not_run" action="motions:file"
    WARN agentauth::audit kind=authentication evaluation_id=00000000000000000000000000000003 code="no_credentials" why="the request carries no credentials"
    "#);
    // And nothing goes wrong where no one listens.
    assert!(authenticate(&auth, Evidence::none()).is_err());
}

/// What is written to logs cannot be erased from here.
#[test]
fn an_engine_that_rehearses_names_nobody_in_the_log() {
    let court = Court::new();
    let failing = Oracle::answering(Err(PolicyError::new(format!("alice has no `x`{}", "!".repeat(10_000)))));
    let engines = Engines::new().enforce(Oracle::permitting()).shadow("stricter", failing);
    let auth = court.engine().policy(engines).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    let events = Events::default();
    tracing::subscriber::with_default(events.clone(), || assert!(wait(caller.authorize(file())).is_ok()));
    let lines = events.0.lock().unwrap();
    let told = lines.iter().find(|line| line.contains("stricter")).unwrap();
    assert!(told.contains("[principal] has no `x`") && !told.contains("alice") && told.len() < 1000, "{told}");
}
