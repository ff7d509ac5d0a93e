//! Any bytes as each message of the AuthZEN Authorization API: questions, several of them, answers, and metadata.

#![no_main]

use agentauth_core::policy::authzen::{
    AuthzenError, EvaluationRequest, EvaluationResponse, EvaluationsRequest, EvaluationsResponse, PdpMetadata, Unstated,
};
use agentauth_core::policy::Effect;
use agentauth_core::{AgentId, Timestamp};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const PDP: &str = "https://pdp.example.com";

fuzz_target!(|data: &[u8]| {
    match EvaluationRequest::read(data) {
        Ok(question) => {
            let general: Value = serde_json::from_slice(data).expect("strict JSON is JSON");
            assert_eq!(general["subject"]["id"], *question.subject().id);
            assert_eq!(general["action"]["name"], *question.action().name);
            assert_eq!(general["resource"]["type"], *question.resource().kind);
            check_question(&question);
        }
        Err(error) => check_error(&error),
    }
    match EvaluationsRequest::read(data) {
        Ok(EvaluationsRequest::Several { evaluations, .. }) => {
            let general: Value = serde_json::from_slice(data).expect("strict JSON is JSON");
            assert_eq!(general["evaluations"].as_array().map(Vec::len), Some(evaluations.len()));
            evaluations.iter().flatten().for_each(check_question);
        }
        Ok(_) => assert!(EvaluationRequest::read(data).is_ok()),
        Err(error) => check_error(&error),
    }
    match EvaluationResponse::read(data) {
        Ok(answer) => {
            let general: Value = serde_json::from_slice(data).expect("strict JSON is JSON");
            check_answer(answer, &general);
        }
        Err(error) => check_error(&error),
    }
    for asked in 0..4 {
        let Ok(answers) = EvaluationsResponse::read(data, asked) else { continue };
        let general: Value = serde_json::from_slice(data).expect("strict JSON is JSON");
        let items = general["evaluations"].as_array().expect("a list");
        assert_eq!((items.len(), answers.iter().count()), (asked, asked));
        answers.iter().zip(items).for_each(|(answer, general)| check_answer(answer.clone(), general));
    }
    if PdpMetadata::read(data, PDP).is_ok() {
        let general: Value = serde_json::from_slice(data).expect("strict JSON is JSON");
        assert_eq!(general["policy_decision_point"], PDP);
    }
});

/// It can be written and read again; and what policies are asked by it, they are asked by what that is written as.
fn check_question(question: &EvaluationRequest) {
    let written = question.to_json().to_string();
    if let Ok(again) = EvaluationRequest::read(written.as_bytes()) {
        assert_eq!(again, *question);
    }
    let now = Timestamp::from_secs(1_800_000_000);
    let pep = AgentId::Spiffe("spiffe://example.com/server".parse().unwrap());
    match question.scenario(&Unstated::by(pep.clone()), now) {
        Ok(scenario) => {
            let Ok(asked) = EvaluationRequest::of(&scenario.request()) else { return };
            let again = asked.scenario(&Unstated::by(pep), now).expect("what was asked can be asked");
            assert_eq!(format!("{again:?}"), format!("{scenario:?}"));
        }
        Err(reason) => assert!(is_loggable(reason.text())),
    }
}

/// No answer permits without saying so, and no obligation is lost.
fn check_answer(answer: EvaluationResponse, general: &Value) {
    assert_eq!(general["decision"], answer.decision());
    let obligations = &general["context"]["obligations"];
    match answer.into_decision(PDP) {
        Ok(decision) => {
            assert_eq!(decision.effect() == Effect::Allow, general["decision"] == true);
            assert_eq!(decision.obligations().len(), obligations.as_array().map_or(0, Vec::len));
            for reason in decision.reasons() {
                let told = reason.public_text().unwrap_or_default();
                assert!(reason.text().len() < 1200 && !reason.text().chars().any(char::is_control));
                assert!(told.len() <= 512 && !told.chars().any(char::is_control));
            }
        }
        Err(error) => {
            assert!(matches!(error, AuthzenError::Obligation(_)) && general["context"].get("obligations").is_some());
            check_error(&error);
        }
    }
}

fn check_error(error: &AuthzenError) {
    assert!(is_loggable(&error.to_string()), "{error}");
}

/// It can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
