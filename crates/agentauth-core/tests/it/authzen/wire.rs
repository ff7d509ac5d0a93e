use agentauth_core::policy::authzen::{
    AuthzenError, EvaluationRequest, EvaluationResponse, EvaluationsRequest, EvaluationsResponse, MAX_DECISION_BYTES,
    MAX_DECISIONS_BYTES, MAX_EVALUATION_BYTES, MAX_EVALUATIONS, MAX_EVALUATIONS_BYTES, PdpMetadata, Semantic,
};
use serde_json::{Value, json};

use super::{question, with};

fn code<T>(read: Result<T, AuthzenError>) -> &'static str {
    read.map_or_else(|error| error.code(), |_| "read")
}

fn one(body: &str) -> &'static str {
    code(EvaluationRequest::read(body.as_bytes()))
}

#[test]
fn each_fault_of_a_question_has_its_code() {
    let whole = question().to_string();
    let long = with("/resource/id", "x".repeat(MAX_EVALUATION_BYTES)).to_string();
    let deep = format!("{}{}{}", &whole[..whole.len() - 1], ",\"x\":", "[".repeat(40) + &"]".repeat(40) + "}");
    let wide: String = (0..257).map(|number| format!(",\"x{number}\":1")).collect();
    let wide = format!("{}{wide}}}", &whole[..whole.len() - 1]);
    let twice = whole.replacen("{\"", "{\"resource\":{\"type\":\"case\",\"id\":\"other\"},\"", 1);
    for (body, expected) in [
        (&*whole, "read"),
        (&with("/x", json!([1, {"y": null}])).to_string(), "read"),
        (&with("/context", Value::Null).to_string(), "read"),
        (&whole.replacen('{', "{\"context\":null,", 1), "json_duplicate_member"),
        (&twice, "json_duplicate_member"),
        (&long, "authzen_oversize"),
        (&deep, "json_too_deep"),
        (&wide, "json_too_many_members"),
        ("", "json_malformed"),
        ("[]", "json_malformed"),
        ("{}{}", "json_malformed"),
        ("{}", "authzen_member_missing"),
        (&with("/subject", Value::Null).to_string(), "authzen_member_missing"),
        (&with("/action", Value::Null).to_string(), "authzen_member_missing"),
        (&with("/resource", Value::Null).to_string(), "authzen_member_missing"),
        (&with("/subject/type", Value::Null).to_string(), "authzen_member_missing"),
        (&with("/subject/id", Value::Null).to_string(), "authzen_member_missing"),
        (&with("/action/name", Value::Null).to_string(), "authzen_member_missing"),
        (&with("/resource/type", Value::Null).to_string(), "authzen_member_missing"),
        (&with("/resource/id", Value::Null).to_string(), "authzen_member_missing"),
        (&with("/subject", "alice").to_string(), "json_wrong_type"),
        (&with("/subject/id", 7).to_string(), "json_wrong_type"),
        (&with("/action", json!(["x"])).to_string(), "json_wrong_type"),
        (&with("/action/properties", "x").to_string(), "json_wrong_type"),
        (&with("/context", true).to_string(), "json_wrong_type"),
    ] {
        assert_eq!(one(body), expected, "{body:.200}");
    }
}

/// §7.1.1: what an evaluation does not say is as the whole request says it, entity by entity.
#[test]
fn defaults_stand_in_for_what_is_not_there_and_for_nothing_else() {
    let resource = |id: &str| json!({"type": "case", "id": id});
    let body = json!({
        "subject": {"type": "user", "id": "alice", "properties": {"department": "law"}},
        "action": {"name": "read", "properties": {"fee": 1}},
        "context": {"time": "then"},
        "evaluations": [
            {"resource": resource("1")},
            {"resource": resource("2"), "subject": {"type": "user", "id": "bob"}, "context": {}},
            {"resource": resource("3"), "action": {"properties": {"fee": 2}}},
            {},
        ],
    });
    let EvaluationsRequest::Several { evaluations, semantic } =
        EvaluationsRequest::read(body.to_string().as_bytes()).unwrap()
    else {
        panic!("several");
    };
    assert_eq!(semantic, Semantic::ExecuteAll);
    let read: Vec<_> = evaluations
        .iter()
        .map(|one| one.as_ref().map(EvaluationRequest::to_json).map_err(AuthzenError::code))
        .collect();
    let whole = |subject: Value, context: Value, id| {
        let mut whole = json!({"subject": subject, "action": body["action"], "resource": resource(id)});
        if context != json!({}) {
            whole["context"] = context;
        }
        Ok(whole)
    };
    assert_eq!(
        read,
        [
            whole(body["subject"].clone(), body["context"].clone(), "1"),
            whole(json!({"type": "user", "id": "bob"}), json!({}), "2"),
            // A part that is there and incomplete is not completed from the default.
            Err("authzen_member_missing"),
            Err("authzen_member_missing"),
        ]
    );
}

#[test]
fn each_fault_of_several_questions_has_its_code() {
    let several = |items: Value| with("/evaluations", items).to_string();
    let semantic = |name: Value| {
        let mut request = with("/evaluations", json!([{}]));
        request["options"] = json!({"evaluations_semantic": name, "another_option": 1});
        request.to_string()
    };
    for (body, expected) in [
        (several(json!([{}])), "read"),
        (several(json!([])), "read"),
        (several(json!(vec![json!({}); MAX_EVALUATIONS])), "read"),
        (several(json!(vec![json!({}); MAX_EVALUATIONS + 1])), "authzen_too_many_evaluations"),
        (several(json!([7])), "json_wrong_type"),
        (several(json!({})), "json_wrong_type"),
        (several(json!([{"subject": 7}])), "json_wrong_type"),
        (semantic(json!("execute_all")), "read"),
        (semantic(json!("deny_on_first_deny")), "read"),
        (semantic(json!("permit_on_first_permit")), "read"),
        (semantic(json!("Execute_All")), "authzen_semantic_unknown"),
        (semantic(json!(["execute_all"])), "json_wrong_type"),
        (json!({"evaluations": []}).to_string(), "authzen_member_missing"),
        (several(json!([{"x": "x".repeat(MAX_EVALUATIONS_BYTES)}])), "authzen_oversize"),
    ] {
        assert_eq!(code(EvaluationsRequest::read(body.as_bytes())), expected, "{body:.200}");
    }
    let one = EvaluationsRequest::read(several(json!([])).as_bytes()).unwrap();
    assert!(matches!(one, EvaluationsRequest::One(_)), "{one:?}");
}

#[test]
fn a_semantic_ends_with_its_first_answer() {
    for (semantic, after_deny, after_permit) in [
        (Semantic::ExecuteAll, false, false),
        (Semantic::DenyOnFirstDeny, true, false),
        (Semantic::PermitOnFirstPermit, false, true),
    ] {
        assert_eq!((semantic.ends_with(false), semantic.ends_with(true)), (after_deny, after_permit), "{semantic:?}");
    }
}

#[test]
fn only_true_and_false_are_decisions() {
    let long = format!("{{\"decision\":true,\"x\":\"{}\"}}", "x".repeat(MAX_DECISION_BYTES));
    for (body, expected) in [
        (r#"{"decision":true}"#, "true"),
        (r#"{"decision":false,"x":1}"#, "false"),
        (r#"{"decision":true,"context":null}"#, "true"),
        (r#"{"decision":true,"decision":false}"#, "json_duplicate_member"),
        (r#"{"decision":true,"context":{"obligations":[],"obligations":[]}}"#, "json_duplicate_member"),
        (r#"{"decision":true,"context":[]}"#, "json_wrong_type"),
        (r#"{"decision":"true"}"#, "authzen_decision_missing"),
        (r#"{"decision":1}"#, "authzen_decision_missing"),
        (r#"{"decision":null}"#, "authzen_decision_missing"),
        (r#"{"Decision":true}"#, "authzen_decision_missing"),
        ("{}", "authzen_decision_missing"),
        ("true", "json_malformed"),
        ("", "json_malformed"),
        (r#"{"decision":true}x"#, "json_malformed"),
        (&long, "authzen_oversize"),
    ] {
        let read = EvaluationResponse::read(body.as_bytes());
        let found = read.map_or_else(|error| error.code(), |answer| if answer.decision() { "true" } else { "false" });
        assert_eq!(found, expected, "{body:.80}");
    }
}

#[test]
fn there_are_as_many_answers_as_questions() {
    let long = json!({"evaluations": [{"decision": true}], "x": "x".repeat(MAX_DECISIONS_BYTES)}).to_string();
    for (body, asked, expected) in [
        (r#"{"evaluations":[{"decision":true},{"decision":false}]}"#, 2, "read"),
        (r#"{"evaluations":[{"decision":true},{"decision":false}],"decision":true}"#, 2, "read"),
        (r#"{"evaluations":[]}"#, 0, "read"),
        (r#"{"evaluations":[{"decision":true}]}"#, 2, "authzen_count_mismatch"),
        (r#"{"evaluations":[{"decision":true},{"decision":true},{"decision":true}]}"#, 2, "authzen_count_mismatch"),
        (r#"{"evaluations":[{"decision":true},{}]}"#, 2, "authzen_decision_missing"),
        (r#"{"evaluations":[{"decision":true},true]}"#, 2, "json_wrong_type"),
        (r#"{"decision":true}"#, 1, "authzen_member_missing"),
        (&long, 1, "authzen_oversize"),
    ] {
        assert_eq!(code(EvaluationsResponse::read(body.as_bytes(), asked)), expected, "{body:.80}");
    }
}

/// §9.2.3: metadata says of whom it is.
#[test]
fn metadata_is_of_the_decision_point_that_was_asked_for() {
    const PDP: &str = "https://pdp.example";
    let good = json!({"policy_decision_point": PDP, "access_evaluation_endpoint": "https://pdp.example/e", "x": [1]});
    let read = PdpMetadata::read(good.to_string().as_bytes(), PDP).unwrap();
    assert_eq!((&*read.evaluation, read.evaluations), ("https://pdp.example/e", None));
    for (name, value, expected) in [
        ("policy_decision_point", json!("https://pdp.example/"), "authzen_metadata_mismatch"),
        ("policy_decision_point", json!(null), "authzen_metadata_mismatch"),
        ("access_evaluation_endpoint", json!(null), "authzen_member_missing"),
        ("access_evaluation_endpoint", json!(["x"]), "json_wrong_type"),
        ("access_evaluations_endpoint", json!(7), "json_wrong_type"),
    ] {
        let mut document = good.clone();
        document[name] = value;
        assert_eq!(code(PdpMetadata::read(document.to_string().as_bytes(), PDP)), expected, "{name}");
    }
}
