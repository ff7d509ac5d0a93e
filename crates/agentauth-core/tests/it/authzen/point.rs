use std::sync::{Arc, Mutex};

use agentauth_core::audit::RecordKind;
use agentauth_core::policy::{Agents, Effect, PolicyError, Principals, Reason, ReasonKind, Resources, Rule, Rules};
use agentauth_core::{AuthzRequest, Caller, Decision, DecisionPoint, PolicyEngine};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::{question, with};
use crate::support::court::{ACCEPTED, Counter, Court, Fickle, Oracle, caller, claims, code_of, wait};

/// One who may ask: the token has the scope `motions:file`, which is the scope of every decision point here.
fn pep(court: &Court) -> Caller {
    caller(&court.auth(), &court.key.mint(&claims()))
}

fn point(policy: impl PolicyEngine + 'static) -> DecisionPoint {
    DecisionPoint::new(policy, &"motions:file".parse().unwrap())
}

fn rules() -> Rules {
    let lawyers = Agents::below("spiffe://court.example/agent/lawyer").unwrap();
    let rule = Rule::allow("lawyers-file").agents(lawyers).principals(Principals::any()).action("motions:file");
    Rules::new([rule.resources(Resources::of_kind("case")).any_arguments()]).unwrap()
}

fn ask(point: &DecisionPoint, pep: &Caller, body: &str) -> Result<Value, &'static str> {
    let admitted = wait(point.admit(pep)).map_err(|rejection| rejection.code())?;
    let answer = wait(admitted.evaluate(body.as_bytes())).map_err(|error| error.code())?;
    Ok(serde_json::from_str(&answer).unwrap())
}

fn ask_all(point: &DecisionPoint, pep: &Caller, body: &Value) -> Result<Value, &'static str> {
    let admitted = wait(point.admit(pep)).map_err(|rejection| rejection.code())?;
    let answer = wait(admitted.evaluate_all(body.to_string().as_bytes())).map_err(|error| error.code())?;
    Ok(serde_json::from_str(&answer).unwrap())
}

#[test]
fn who_asks_needs_the_scope_of_the_decision_point() {
    let court = Court::new();
    let sealed = DecisionPoint::new(rules(), &"decisions:ask".parse().unwrap());
    let pep = pep(&court);
    court.records.take();
    assert_eq!(ask(&sealed, &pep, &question().to_string()), Err("insufficient_scope"));
    let record = court.records.only();
    assert_eq!((record.code, record.question.is_none()), ("insufficient_scope", true));
    assert_eq!(code_of(&wait(point(rules()).admit(&pep)).map(drop)), ACCEPTED);
}

#[test]
fn an_answer_is_on_record_before_it_is_given() {
    let court = Court::new();
    let (pep, point) = (pep(&court), point(rules()));
    court.records.take();
    let answer = ask(&point, &pep, &question().to_string()).unwrap();
    assert_eq!(answer["decision"], true);
    let records = court.records.take();
    let [admission, record] = &records[..] else { panic!("two records: {records:?}") };
    assert_eq!(&*admission.action.as_ref().unwrap().name, "require motions:file");
    assert_eq!((record.kind, record.effect, record.code), (RecordKind::Decision, Effect::Allow, "allowed"));
    assert_eq!(answer["context"]["evaluation_id"], &*record.evaluation_id);
    assert_eq!(answer["context"]["policy_version"], record.policy_version.as_deref().unwrap());
    // Who asks, and whom it asks about, are kept apart.
    assert_eq!(record.delegation.as_ref().unwrap().principal, *pep.principal());
    let asked = record.question.as_ref().unwrap();
    assert_eq!((asked.principal.subject(), asked.agent.name()), ("alice", "spiffe://court.example/agent/lawyer"));
    assert_eq!((asked.server.as_str(), asked.depth), ("https://tools.example", 1));
    let action = record.action.as_ref().unwrap();
    assert_eq!((&*action.name, action.resource.as_ref().unwrap().id()), ("motions:file", "2026-17"));
    assert!(action.arguments.is_some());

    let denied = ask(&point, &pep, &with("/action/name", "records:seal").to_string()).unwrap();
    assert_eq!(denied["decision"], false);
    let record = court.records.take().pop().unwrap();
    assert_eq!((record.effect, record.code), (Effect::Deny, "policy_not_permitted"));
    assert_eq!(denied["context"]["reasons"][0]["code"], "policy_not_permitted");

    let holders = json!([{"type": "spiffe", "id": "spiffe://court.example/agent/lawyer/1"}]);
    ask(&point, &pep, &with("/context/holders", holders).to_string()).unwrap();
    let record = court.records.take().pop().unwrap();
    assert_eq!(record.question.as_ref().unwrap().holders[0].name(), "spiffe://court.example/agent/lawyer/1");

    // What cannot be put to the policies is on record as well.
    let unknown = ask(&point, &pep, &with("/subject/type", "robot").to_string()).unwrap();
    assert_eq!(unknown["decision"], false);
    let record = court.records.take().pop().unwrap();
    assert_eq!((record.effect, record.code, record.question.is_none()), (Effect::Deny, "policy_not_in_schema", true));
}

#[test]
fn without_an_id_there_is_no_answer() {
    let court = Court::new();
    // One is for the audit key, one for the caller, one for the admission; the fourth would be the decision's.
    let auth = court.engine().random(Counter::up_to(3)).build().unwrap();
    let pep = caller(&auth, &court.key.mint(&claims()));
    court.records.take();
    assert_eq!(ask(&point(rules()), &pep, &question().to_string()), Err("random_unavailable"));
    let codes: Vec<_> = court.records.take().iter().map(|record| record.code).collect();
    assert_eq!(codes, ["allowed", "random_unavailable"]);
}

#[test]
fn without_a_record_there_is_no_answer() {
    let (court, sink) = (Court::new(), Fickle::default());
    let pep = caller(&court.engine().audit(sink.clone()).build().unwrap(), &court.key.mint(&claims()));
    let point = point(rules());
    let admitted = wait(point.admit(&pep)).unwrap();
    sink.refuse(true);
    let body = question().to_string();
    assert_eq!(wait(admitted.evaluate(body.as_bytes())).unwrap_err().code(), "audit_unavailable");
    assert_eq!(wait(admitted.evaluate_all(body.as_bytes())).unwrap_err().code(), "audit_unavailable");
    let both = with("/evaluations", json!([{}, {}])).to_string();
    assert_eq!(wait(admitted.evaluate_all(both.as_bytes())).unwrap_err().code(), "audit_unavailable");
}

#[test]
fn a_request_that_is_none_is_no_question() {
    let court = Court::new();
    let pep = pep(&court);
    for (body, expected) in [
        ("", "json_malformed"),
        ("{}", "authzen_member_missing"),
        (r#"{"subject":"alice"}"#, "json_wrong_type"),
        (r#"{"subject":{},"subject":{}}"#, "json_duplicate_member"),
    ] {
        assert_eq!(ask(&point(Oracle::permitting()), &pep, body), Err(expected), "{body}");
    }
}

#[test]
fn an_engine_that_fails_denies() {
    let court = Court::new();
    let failing = point(Oracle::answering(Err(PolicyError::new("the store is away"))));
    let answer = ask(&failing, &pep(&court), &question().to_string()).unwrap();
    assert_eq!(
        (&answer["decision"], &answer["context"]["reasons"][0]["code"]),
        (&json!(false), &json!("policy_failed"))
    );
}

/// Permits what is called `yes`, and remembers what it was asked.
#[derive(Debug, Clone, Default)]
struct Yes(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl PolicyEngine for Yes {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        let id = request.resource().unwrap().id().to_owned();
        self.0.lock().unwrap().push(id.clone());
        Ok(match &*id {
            "yes" => Decision::allow(Reason::new(ReasonKind::Permitted, "yes")),
            _ => Decision::deny(Reason::new(ReasonKind::Forbidden, "no")),
        })
    }

    fn version(&self) -> Arc<str> {
        "yes-1".into()
    }
}

/// §7.1.2.1: all, or until one denies, or until one permits; and each that is decided is on record.
#[test]
fn several_questions_are_answered_as_far_as_they_are_to_be() {
    let court = Court::new();
    let pep = pep(&court);
    for (semantic, ids, expected) in [
        (None, &["yes", "no", "yes"][..], &[true, false, true][..]),
        (Some("execute_all"), &["no", "yes", "no"], &[false, true, false]),
        (Some("deny_on_first_deny"), &["yes", "no", "yes"], &[true, false]),
        (Some("deny_on_first_deny"), &["yes", "yes"], &[true, true]),
        (Some("permit_on_first_permit"), &["no", "yes", "yes"], &[false, true]),
        (Some("permit_on_first_permit"), &["no", "no"], &[false, false]),
    ] {
        let items: Vec<_> = ids.iter().map(|id| json!({"resource": {"type": "case", "id": id}})).collect();
        let mut request = with("/evaluations", items);
        if let Some(semantic) = semantic {
            request["options"] = json!({"evaluations_semantic": semantic});
        }
        court.records.take();
        let engine = Yes::default();
        let answer = ask_all(&point(engine.clone()), &pep, &request).unwrap();
        let decisions: Vec<_> =
            answer["evaluations"].as_array().unwrap().iter().map(|one| one["decision"].as_bool().unwrap()).collect();
        assert_eq!(decisions, expected, "{semantic:?}");
        assert_eq!(*engine.0.lock().unwrap(), ids[..expected.len()], "{semantic:?}");
        let records = court.records.take();
        let effects: Vec<_> = records.iter().skip(1).map(|record| record.effect == Effect::Allow).collect();
        assert_eq!(effects, expected, "{semantic:?}");
    }
}

/// §7.2.1: what is wrong with one question denies that one; what is wrong with the request answers none.
#[test]
fn a_question_that_lacks_something_is_denied_by_itself() {
    let court = Court::new();
    let pep = pep(&court);
    let mut request =
        with("/evaluations", json!([{"resource": {"type": "case"}}, {"subject": {"type": "robot", "id": "x"}}, {}]));
    let answer = ask_all(&point(rules()), &pep, &request).unwrap();
    let decisions: Vec<_> = answer["evaluations"].as_array().unwrap().iter().map(|one| &one["decision"]).collect();
    assert_eq!(decisions, [false, false, true]);
    let text = &answer["evaluations"][0]["context"]["reason_admin"]["policy_not_in_schema"];
    assert_eq!(text, "`resource.id` is missing");
    request["options"] = json!({"evaluations_semantic": "some"});
    assert_eq!(ask_all(&point(rules()), &pep, &request), Err("authzen_semantic_unknown"));
    // Without a list it is one question, and answered like one (§7.1).
    let one = ask_all(&point(rules()), &pep, &question()).unwrap();
    assert_eq!((&one["decision"], one.get("evaluations")), (&json!(true), None));
}

/// Many questions in a small request are a lot of work: whoever else is served by this thread comes in between.
#[test]
fn several_questions_leave_room_for_others() {
    let court = Court::new();
    let (pep, point) = (pep(&court), point(rules()));
    let mut body = question();
    body["evaluations"] = json!(vec![json!({}); 100]);
    let body = body.to_string();
    let admitted = wait(point.admit(&pep)).unwrap();
    let mut answer = std::pin::pin!(admitted.evaluate_all(body.as_bytes()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let turns = (0..1_000).take_while(|_| answer.as_mut().poll(&mut context).is_pending()).count();
    assert!((99..1_000).contains(&turns), "{turns}");
}
