//! Arguments in the record, only where they were asked for; and decisions read back from it.

use agentauth_core::audit::{Record, RecordError, RecordedDecision, RecordedLine};
use agentauth_core::policy::{ApprovalTerms, Effect, Reason, ReasonKind};
use agentauth_core::{Action, Decision, Mode, PolicyEngine};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{Court, LAWYER, Oracle, caller, claims, wait};

/// The record of one decision, with the arguments `given`, where those called `shown` are shown.
fn record(policy: impl PolicyEngine + 'static, shown: &[&str], given: Value) -> std::sync::Arc<Record> {
    let court = Court::new();
    let auth = court.engine().policy(policy).record_arguments(shown.iter().copied()).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    court.records.take();
    drop(wait(caller.authorize(Action::new("motions:file").unwrap().on("case", "17").with(given).unwrap())));
    court.records.only()
}

fn line(record: &Record) -> Vec<u8> {
    serde_json::to_vec(record).unwrap()
}

fn read(record: &Record) -> RecordedDecision {
    match RecordedLine::read(&line(record)) {
        Ok(RecordedLine::Decision(decision)) => *decision,
        other => panic!("{other:?}"),
    }
}

#[test]
fn arguments_are_shown_only_where_they_were_asked_for() {
    let given = json!({"fee": 120, "pin": "9482"});
    let shown =
        |names: &[&str]| record(Oracle::permitting(), names, given.clone()).action.as_ref().unwrap().shown.clone();
    assert_eq!(shown(&[]), None);
    assert_eq!(shown(&["title"]), None);
    assert_eq!(shown(&["fee", "title"]), Some(json!({"fee": 120})));
    assert!(!String::from_utf8(line(&record(Oracle::permitting(), &["fee"], given.clone()))).unwrap().contains("9482"));
}

#[test]
fn an_outcome_repeats_no_arguments() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).record_arguments(["fee"]).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    let permit = wait(caller.authorize(Action::new("motions:file").unwrap().with(json!({"fee": 1})).unwrap())).unwrap();
    court.records.take();
    wait(permit.run(async |_| Ok::<_, ()>(()))).unwrap().unwrap();
    assert_eq!(court.records.only().action.as_ref().unwrap().shown, None);
}

#[test]
fn a_decision_is_read_back_as_it_was_asked() {
    let decision = read(&record(Oracle::permitting(), &["fee", "title"], json!({"fee": 120, "title": "to dismiss"})));
    let asked = &decision.scenario;
    assert_eq!((asked.server.as_str(), &*asked.action), ("https://tools.example", "motions:file"));
    assert_eq!((asked.agent.to_string(), asked.principal.subject()), (LAWYER.to_owned(), "alice"));
    assert_eq!((asked.mode, asked.depth, asked.now.secs()), (Mode::OnBehalfOf, 1, NOW));
    assert_eq!(asked.resource.as_ref().map(|on| (on.kind(), on.id())), Some(("case", "17")));
    assert_eq!(asked.authority.scopes().to_string(), "motions:file records:read");
    assert_eq!((decision.has_arguments, asked.arguments.get("fee")), (true, Some(&json!(120))));
    assert_eq!((decision.effect, &*decision.code, &*decision.policy_version), (Effect::Allow, "allowed", "oracle-1"));
}

#[test]
fn arguments_are_known_only_if_all_of_them_are_on_record() {
    let has = |shown: &[&str], given| read(&record(Oracle::permitting(), shown, given)).has_arguments;
    assert!(has(&[], json!({})));
    assert!(!has(&[], json!({"fee": 1})));
    assert!(!has(&["fee"], json!({"fee": 1, "title": "x"})));
    assert!(has(&["fee", "title"], json!({"fee": 1, "title": "x"})));
    assert!(!has(&["fee", "title"], json!({"fee": 1, "title": "x".repeat(2000)})));
    // What the record shows counts only with the digest that it has.
    let mut forged = serde_json::to_value(&*record(Oracle::permitting(), &["fee"], json!({"fee": 1}))).unwrap();
    forged["personal"]["shown"]["fee"] = json!(2);
    let Ok(RecordedLine::Decision(forged)) = RecordedLine::read(forged.to_string().as_bytes()) else { panic!() };
    assert!(!forged.has_arguments && forged.scenario.arguments.get("fee").is_none());
}

/// Whatever an agent may state, what is written of it can be read: one call spoils no replay.
#[test]
fn no_argument_makes_a_record_that_cannot_be_read() {
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let wide: Value = (0..300).map(|n| (format!("m{n}"), json!(0))).collect::<serde_json::Map<_, _>>().into();
    for given in [nested(20), nested(28), nested(29), nested(30), wide, json!(1e308), json!("\u{0}\u{2028}")] {
        let record = record(Oracle::permitting(), &["x"], json!({"x": given}));
        assert!(matches!(RecordedLine::read(&line(&record)), Ok(RecordedLine::Decision(_))), "{record:?}");
    }
}

#[test]
fn what_the_policy_answered_is_told_from_what_became_of_it() {
    let permits = || Decision::allow(Reason::new(ReasonKind::Permitted, "yes"));
    let terms = ApprovalTerms::within(std::time::Duration::from_secs(60));
    let unapproved = read(&record(Oracle::answering(Ok(permits().needing_approval(terms))), &[], json!({})));
    assert_eq!((unapproved.effect, &*unapproved.code), (Effect::Allow, "approvals_none"));
    assert_eq!(unapproved.obligations, [json!({"approval": 60})]);
    let denied = Decision::deny(Reason::new(ReasonKind::NotPermitted, "no"));
    let denied = read(&record(Oracle::answering(Ok(denied)), &[], json!({})));
    assert_eq!((denied.effect, &*denied.code), (Effect::Deny, "policy_not_permitted"));
}

#[test]
fn what_was_refused_before_the_policy_is_none_of_its_decisions() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    let seen = |record: &Record| RecordedLine::read(&line(record)).unwrap();
    assert!(matches!(seen(&court.records.only()), RecordedLine::Other));
    drop(wait(caller.authorize(Action::new("records:burn").unwrap())));
    assert!(matches!(seen(&court.records.only()), RecordedLine::BeforePolicy));
}

#[test]
fn a_line_that_is_no_record_says_why() {
    let good = serde_json::to_value(&*record(Oracle::permitting(), &[], json!({}))).unwrap();
    let code = |text: &[u8]| RecordedLine::read(text).map_or_else(|error| error.code(), |_| "read");
    let changed = |pointer: &str, value: Value| {
        let mut record = good.clone();
        *record.pointer_mut(pointer).unwrap() = value;
        code(record.to_string().as_bytes())
    };
    assert_eq!(code(good.to_string().as_bytes()), "read");
    for (text, expected) in [
        (&b""[..], "json_malformed"),
        (br#"{"version":2,"kind":"dec"#, "json_malformed"),
        (br#"{"version":2,"version":2}"#, "json_duplicate_member"),
        (b"[]", "record_malformed"),
        (b"{}", "record_malformed"),
        (br#"{"version":1}"#, "record_version"),
        (br#"{"version":2}"#, "record_malformed"),
    ] {
        assert_eq!(code(text), expected, "{}", String::from_utf8_lossy(text));
    }
    assert_eq!(code(&vec![b' '; agentauth_core::audit::MAX_RECORD_BYTES + 1]), "json_oversize");
    for (pointer, value) in [
        ("/delegation/mode", json!("shadow")),
        ("/delegation/agent", json!({"spiffe": "nobody"})),
        ("/personal/principal/issuer", json!("")),
        ("/delegation/depth", json!(-1)),
        ("/delegation/scopes", json!(["a"])),
        ("/action/resource", json!("case")),
        ("/action/arguments", json!(null)),
        ("/time", json!("yesterday")),
        ("/effect", json!("maybe")),
        ("/reasons", json!({})),
    ] {
        assert_eq!(changed(pointer, value), "record_malformed", "{pointer}");
    }
    let missing = RecordedLine::read(br#"{"version":2}"#).unwrap_err();
    assert_eq!(missing, RecordError::Member("kind"));
}

#[test]
fn what_another_server_has_asked_is_read_as_it_asked() {
    let mut asked = serde_json::to_value(&*record(Oracle::permitting(), &[], json!({}))).unwrap();
    asked["question"] = json!({
        "server": "https://other.example", "agent": {"named": {"issuer": "https://as.example", "name": "bot"}},
        "mode": "autonomous", "issuer": "https://as.example", "depth": 0,
        "holders": [{"spiffe": "spiffe://court.example/agent/thief"}],
    });
    asked["personal"]["question_principal"] =
        json!({"issuer": "https://as.example", "kind": "client", "subject": "bot"});
    let Ok(RecordedLine::Decision(decision)) = RecordedLine::read(asked.to_string().as_bytes()) else { panic!() };
    let scenario = &decision.scenario;
    assert_eq!(
        (scenario.server.as_str(), scenario.mode, scenario.depth),
        ("https://other.example", Mode::Autonomous, 0)
    );
    assert!(scenario.agent.to_string().contains("bot") && scenario.authority.is_empty());
    assert_eq!(scenario.holders[0].to_string(), "spiffe://court.example/agent/thief");
    // One that could not be read was put to no policy.
    asked["action"].as_object_mut().unwrap().remove("arguments");
    assert!(matches!(RecordedLine::read(asked.to_string().as_bytes()), Ok(RecordedLine::BeforePolicy)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_record_with_anything_in_it_is_read_or_refused(cut in 0usize..1400, put in "\\PC{0,8}", at in 0usize..1400, raw in proptest::collection::vec(any::<u8>(), 0..40)) {
        let good = line(&template());
        let mut torn = good.clone();
        torn.truncate(cut);
        let _ = RecordedLine::read(&torn);
        let mut spoilt = good;
        let at = at.min(spoilt.len());
        spoilt.splice(at..at, put.bytes());
        let _ = RecordedLine::read(&spoilt);
        let _ = RecordedLine::read(&raw);
    }
}

fn template() -> std::sync::Arc<Record> {
    static RECORD: std::sync::OnceLock<std::sync::Arc<Record>> = std::sync::OnceLock::new();
    RECORD.get_or_init(|| record(Oracle::permitting(), &["fee"], json!({"fee": 1}))).clone()
}
