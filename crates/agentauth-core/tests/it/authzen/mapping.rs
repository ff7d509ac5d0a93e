use std::time::Duration;

use agentauth_core::policy::authzen::{
    AuthzenError, EvaluationRequest, EvaluationResponse, EvaluationsRequest, Unstated,
};
use agentauth_core::policy::{
    ApprovalTerms, Effect, MAX_PUBLIC_TEXT_BYTES, Obligation, PolicyFault, Reason, ReasonKind, Scenario,
};
use agentauth_core::{
    AgentId, Arguments, Authority, Constraint, Decision, Grant, IssuerId, Mode, PrincipalId, ResourceId, Timestamp,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{question, with};

const NOW: u64 = 1_800_000_000;

fn issuer(id: &str) -> IssuerId {
    IssuerId::new(id).unwrap()
}

fn pep() -> AgentId {
    AgentId::Spiffe("spiffe://court.example/server/tools".parse().unwrap())
}

fn read(question: &Value) -> EvaluationRequest {
    EvaluationRequest::read(question.to_string().as_bytes()).unwrap()
}

fn stated(question: &Value, unstated: &Unstated) -> Result<Scenario, Reason> {
    read(question).scenario(unstated, Timestamp::from_secs(NOW))
}

fn agent() -> impl Strategy<Value = AgentId> {
    prop_oneof![
        "[a-z]{1,8}(/[a-z0-9]{1,5}){0,3}"
            .prop_map(|path| { AgentId::Spiffe(format!("spiffe://court.example/{path}").parse().unwrap()) }),
        // A name that only looks like a SPIFFE ID stays a name.
        ("https://[a-z]{1,5}", prop_oneof!["spiffe://td/[a-z]{1,5}", "[ -~]{1,12}"])
            .prop_map(|(of, name)| AgentId::Named { issuer: issuer(&of), name: name.into() }),
    ]
}

fn principal() -> impl Strategy<Value = PrincipalId> {
    ("https://[a-z]{1,5}", "[ -~é]{1,12}", 0..3, proptest::option::of("[a-z#%]{1,5}")).prop_map(
        |(of, name, kind, tenant)| {
            let principal = match kind {
                0 => PrincipalId::new(issuer(&of), &name),
                1 => PrincipalId::client(issuer(&of), &name),
                _ => PrincipalId::agent_account(issuer(&of), &name),
            };
            tenant.into_iter().fold(principal, |principal, tenant| principal.in_tenant(&tenant))
        },
    )
}

fn authority() -> impl Strategy<Value = Authority> {
    ("[a-z]{1,4}:[a-z]{1,4}( [a-z]{1,4}:[a-z]{1,4}){0,2}", any::<bool>(), 1u32..500).prop_map(
        |(scopes, limited, most)| {
            let grant = Grant::new("refunds:pay").unwrap().on("order", "7").unwrap();
            let grant = grant.argument("amount", Constraint::integers(0..=i64::from(most)).unwrap()).unwrap();
            Authority::new(scopes.parse().unwrap(), limited.then_some(grant)).unwrap()
        },
    )
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let modes = prop_oneof![
        Just(Mode::Autonomous),
        Just(Mode::OnBehalfOf),
        Just(Mode::Impersonation),
        Just(Mode::AgentAccount),
        Just(Mode::ClientOnly)
    ];
    let resource = proptest::option::of((prop_oneof![Just("server".to_owned()), "[a-z]{1,6}"], "[ -~é]{1,12}"));
    let arguments = ("[ -~\u{1}é]{0,20}", any::<i32>(), any::<bool>(), -1e6..1e6);
    let who = (agent(), principal(), proptest::collection::vec(agent(), 0..3), modes, 0usize..9);
    (who, authority(), "[a-z]{1,6}:[a-z]{1,6}", resource, arguments, "https://[a-z]{1,6}").prop_map(
        |((agent, principal, holders, mode, depth), authority, action, resource, (text, number, flag, float), of)| {
            let server = ResourceId::new("https://tools.example/mcp").unwrap();
            let mut scenario = Scenario::new(server, agent, principal, &action);
            scenario.holders = holders;
            (scenario.mode, scenario.depth, scenario.authority, scenario.issuer) =
                (mode, depth, authority, issuer(&of));
            let arguments = json!({"text": text, "list": [number, {"flag": flag}], "float": float, "none": null});
            let scenario = scenario.with(Arguments::of(&arguments).unwrap()).at(Timestamp::from_secs(NOW));
            resource.into_iter().fold(scenario, |scenario, (kind, id)| scenario.on(&kind, &id))
        },
    )
}

proptest! {
    /// What one side asks is what the other is asked.
    #[test]
    fn a_question_means_the_same_at_both_ends(scenario in scenario()) {
        let question = EvaluationRequest::of(&scenario.request()).unwrap();
        let sent = question.to_json().to_string();
        let arrived = EvaluationRequest::read(sent.as_bytes()).unwrap();
        prop_assert_eq!(&arrived, &question);
        let there = arrived.scenario(&Unstated::by(pep()), scenario.now).unwrap();
        prop_assert_eq!(format!("{there:?}"), format!("{scenario:?}"));
    }

    /// However they are written together, the questions are the same.
    #[test]
    fn questions_in_one_request_are_the_questions(one in scenario(), other in scenario(), id in "[a-z]{1,6}") {
        let sibling = one.clone().on("case", &id);
        for scenarios in [vec![&one, &other], vec![&one, &sibling], vec![&one]] {
            let questions: Vec<_> = scenarios.iter().map(|one| EvaluationRequest::of(&one.request()).unwrap()).collect();
            let body = EvaluationsRequest::write(&questions).unwrap();
            let EvaluationsRequest::Several { evaluations, .. } = EvaluationsRequest::read(body.as_bytes()).unwrap() else {
                panic!("several");
            };
            prop_assert_eq!(evaluations.into_iter().collect::<Result<Vec<_>, _>>().unwrap(), questions);
        }
    }
}

#[test]
fn a_resource_is_not_taken_for_the_server_itself() {
    let server = ResourceId::new("https://tools.example").unwrap();
    let alice = PrincipalId::new(issuer("https://sts.example"), "alice");
    let scenario = Scenario::new(server, pep(), alice, "restart");
    let own = scenario.clone().on("server", "https://tools.example");
    assert_eq!(EvaluationRequest::of(&own.request()).unwrap_err().code(), "authzen_resource_is_server");
    let question = EvaluationRequest::of(&scenario.request()).unwrap();
    assert_eq!((&*question.resource().kind, &*question.resource().id), ("server", "https://tools.example"));
}

#[test]
fn a_question_is_bounded() {
    let server = ResourceId::new("https://tools.example").unwrap();
    let alice = PrincipalId::new(issuer("https://sts.example"), "alice");
    let mut scenario = Scenario::new(server, pep(), alice, "read");
    scenario.holders = vec![AgentId::Named { issuer: issuer("https://a"), name: "x".repeat(2000).into() }; 100];
    assert_eq!(EvaluationRequest::of(&scenario.request()).unwrap_err().code(), "authzen_oversize");
}

#[test]
fn what_cannot_be_put_to_policies_is_denied_for_its_reason() {
    let wide = || json!(vec![json!({"type": "spiffe", "id": "spiffe://td/x"}); 17]);
    for (question, kind, expected) in [
        (with("/subject/type", "robot"), ReasonKind::NotInSchema, "`robot` is no type of subject"),
        (with("/subject/id", ""), ReasonKind::NotInSchema, "cannot be the id of a subject"),
        (with("/subject/id", "a\nb"), ReasonKind::NotInSchema, "cannot be the id of a subject"),
        (with("/subject/properties", Value::Null), ReasonKind::NotInSchema, "`issuer`, is not said"),
        (with("/subject/properties/issuer", "no issuer"), ReasonKind::NotInSchema, "is not an issuer identifier"),
        (with("/subject/properties/issuer", 7), ReasonKind::NotInSchema, "the subject's `issuer` cannot be one"),
        (with("/subject/properties/tenant", ""), ReasonKind::NotInSchema, "the subject's `tenant` cannot be one"),
        (with("/action/name", "a\u{7f}b"), ReasonKind::NotInSchema, "cannot be the name of an action"),
        (with("/resource/id", ""), ReasonKind::NotInSchema, "the resource has no name"),
        (with("/resource/type", "x".repeat(2049)), ReasonKind::NotInSchema, "the resource has no name"),
        (with("/action/properties/n", 9_007_199_254_740_992_u64), ReasonKind::ArgumentRefused, "beyond 2^53 - 1"),
        (with("/context/server", Value::Null), ReasonKind::NotInSchema, "`context.server`, is not said"),
        (with("/context/server", "tools"), ReasonKind::NotInSchema, "is not a resource identifier"),
        (with("/context/server", 7), ReasonKind::NotInSchema, "member `server` has the wrong type"),
        (with("/context/agent", Value::Null), ReasonKind::NotInSchema, "a delegation is stated, and no agent"),
        (with("/context/agent", 7), ReasonKind::NotInSchema, "an agent is none"),
        (with("/context/agent/type", "person"), ReasonKind::NotInSchema, "an agent is none"),
        (with("/context/agent/type", "named"), ReasonKind::NotInSchema, "an agent is none"),
        (with("/context/agent/id", "spiffe://TD/x"), ReasonKind::NotInSchema, "an agent is none"),
        (with("/context/holders", wide()), ReasonKind::NotInSchema, "more than 16 holders"),
        (with("/context/holders", json!([{}])), ReasonKind::NotInSchema, "an agent is none"),
        (with("/context/delegation/mode", Value::Null), ReasonKind::NotInSchema, "`mode` the agent acts is not said"),
        (with("/context/delegation/mode", "deputy"), ReasonKind::NotInSchema, "`deputy` is no known mode"),
        (with("/context/delegation/depth", Value::Null), ReasonKind::NotInSchema, "`depth` the agent acts is not said"),
        (with("/context/delegation/depth", -1), ReasonKind::NotInSchema, "`depth` the agent acts is not said"),
        (with("/context/delegation/issuer", ""), ReasonKind::NotInSchema, "is not an issuer identifier"),
        (with("/context/delegation/scope", "\"x\""), ReasonKind::NotInSchema, "the `scope` of the delegation"),
        (with("/context/delegation", json!([])), ReasonKind::NotInSchema, "member `delegation` has the wrong type"),
    ] {
        let reason = stated(&question, &Unstated::by(pep())).unwrap_err();
        assert!(reason.text().contains(expected), "{expected}: {}", reason.text());
        assert_eq!(reason.kind(), kind, "{expected}");
    }
    let good = stated(&question(), &Unstated::by(pep())).unwrap();
    assert_eq!((good.mode, &*good.action, good.now.secs()), (Mode::OnBehalfOf, "motions:file", NOW));
}

/// Who asks in the standard's plainest form says of no agent, whose subject it is, or where: nothing is inferred from that.
#[test]
fn what_is_not_said_is_what_was_set_or_denied() {
    let plain = json!({
        "subject": {"type": "user", "id": "alice", "properties": {"role": "judge"}}, "action": {"name": "read"},
        "resource": {"type": "case", "id": "7", "properties": {"sealed": true}}, "context": {"time": "2001-01-01T00:00:00Z"},
    });
    let mut unstated = Unstated::by(pep());
    assert_eq!(stated(&plain, &unstated).unwrap_err().kind().code(), "policy_not_in_schema");
    unstated.issuer = Some(issuer("https://sts.example"));
    assert_eq!(stated(&plain, &unstated).unwrap_err().kind().code(), "policy_not_in_schema");
    unstated.server = Some(ResourceId::new("https://tools.example").unwrap());
    let scenario = stated(&plain, &unstated).unwrap();
    assert_eq!((scenario.agent.clone(), scenario.mode), (pep(), Mode::ClientOnly));
    assert_eq!(scenario.principal, PrincipalId::new(issuer("https://sts.example"), "alice"));
    assert_eq!(scenario.now.secs(), NOW, "the clock is the decision point's");
    assert_eq!(scenario.arguments.as_json(), &json!({}), "what is stated of others is not read");

    unstated.properties_as_arguments = true;
    let scenario = stated(&plain, &unstated).unwrap();
    let expected = json!({"subject": {"role": "judge"}, "resource": {"sealed": true}});
    assert_eq!(scenario.arguments.as_json(), &expected);
    let mut both = plain.clone();
    both["action"]["properties"] = json!({"resource": {"sealed": false}});
    assert_eq!(stated(&both, &unstated).unwrap_err().kind(), ReasonKind::ArgumentRefused);

    // What an agent gives to a tool is not what its server states.
    for name in ["subject", "resource"] {
        let mut smuggled = plain.clone();
        smuggled["action"]["properties"] = json!({name: {"role": "judge", "sealed": false}});
        smuggled["subject"]["properties"] = json!({"issuer": "https://sts.example"});
        smuggled["resource"]["properties"] = json!({});
        assert_eq!(stated(&smuggled, &unstated).unwrap_err().kind(), ReasonKind::ArgumentRefused, "{name}");
    }

    // A name by itself proves no SPIFFE ID, and no delegation.
    let mut named = plain;
    named["context"] = json!({"agent": "spiffe://court.example/agent/lawyer"});
    let scenario = stated(&named, &unstated).unwrap();
    assert_eq!((scenario.agent.spiffe_id(), scenario.mode), (None, Mode::ClientOnly));
}

fn answered(answer: &Value) -> Result<Decision, AuthzenError> {
    EvaluationResponse::read(answer.to_string().as_bytes())?.into_decision("https://pdp.example")
}

fn permits(obligations: &Value) -> Value {
    json!({"decision": true, "context": {"obligations": obligations}})
}

#[test]
fn an_obligation_is_known_by_name_or_refuses() {
    let custom = |properties: Value| json!([{"id": "1", "type": "custom", "properties": properties}]);
    let approval = Obligation::Approval(ApprovalTerms::within(Duration::from_secs(3600)));
    let unknown = |name: &str| Obligation::Unknown(name.into());
    for (obligations, expected) in [
        (json!([]), vec![]),
        (custom(json!({"obligation": "approval", "terms": "1h"})), vec![approval.clone()]),
        (json!([{"id": "1", "type": "approval", "properties": {"terms": "1h"}}]), vec![approval.clone()]),
        (json!([{"id": "1", "type": "step-up", "properties": {"acr_value": "3"}}]), vec![unknown("step-up")]),
        (json!([{"id": "1", "type": "notification", "properties": {}}]), vec![unknown("notification")]),
        (custom(json!({"vendor": "x"})), vec![unknown("custom")]),
        (custom(json!({"obligation": "watermark"})), vec![unknown("watermark")]),
    ] {
        assert_eq!(answered(&permits(&obligations)).unwrap().obligations(), expected);
    }
    let sixteen = |count| vec![json!({"id": "1", "type": "x", "properties": {}}); count];
    assert_eq!(answered(&permits(&json!(sixteen(16)))).unwrap().obligations().len(), 16);
    for obligations in [
        json!(null),
        json!({}),
        json!("approval"),
        json!([7]),
        json!([{"type": "x", "properties": {}}]),
        json!([{"id": 1, "type": "x", "properties": {}}]),
        json!([{"id": "1", "properties": {}}]),
        json!([{"id": "1", "type": "x"}]),
        json!([{"id": "1", "type": "x", "properties": []}]),
        json!([{"id": "1", "type": "", "properties": {}}]),
        json!([{"id": "1", "type": "a\nb", "properties": {}}]),
        custom(json!({"obligation": "approval", "terms": "8 days"})),
        custom(json!({"obligation": "approval", "terms": 3600})),
        custom(json!({"obligation": "approval", "terms": "1h", "approver": "cfo"})),
        json!([{"id": "1", "type": "approval", "properties": {"terms": "1h", "approver": "cfo"}}]),
        json!(sixteen(17)),
    ] {
        let refused = answered(&permits(&obligations)).map(|_| "taken").unwrap_or_else(|error| error.code());
        assert_eq!(refused, "authzen_obligation_malformed", "{obligations}");
    }
}

/// Obligations profile §4.2: on a denial they change nothing, and stay on record.
#[test]
fn an_obligation_on_a_denial_is_kept_and_permits_nothing() {
    let answer = json!({"decision": false, "context": {"obligations": [
        {"id": "1", "type": "notification", "properties": {"to": "x", "body": "y"}},
        {"id": "2", "type": "approval", "properties": {"terms": "8h"}},
    ]}});
    let decision = answered(&answer).unwrap();
    assert_eq!((decision.effect(), decision.obligations().len()), (Effect::Deny, 2));
}

/// §5.5.2: reasons in the words of the standard's examples, and of other decision points.
#[test]
fn reasons_of_others_are_read_as_far_as_they_are_texts() {
    let long = "é".repeat(600);
    for (context, text, public) in [
        (json!({}), "the policy decision point does not permit it", None),
        (json!({"reason_admin": {"403": "policy C076E82F"}}), "policy C076E82F", None),
        (json!({"reason_admin": "a", "reason_user": {"403": "ask\nBob"}}), "a", Some("ask Bob")),
        (json!({"reason": "resource\nnot found"}), "resource not found", None),
        (json!({"error": {"status": 404, "message": "not found"}}), "not found", None),
        (json!({"reason_admin": 7, "reason_user": ["x"]}), "the policy decision point does not permit it", None),
        (
            json!({"reasons": "x", "evaluation_id": "e7"}),
            "the policy decision point does not permit it (evaluation e7)",
            None,
        ),
        (json!({"reasons": [7, {"code": 7}, {"text": "x"}]}), "the policy decision point does not permit it", None),
        (json!({"reason_user": long.clone(), "reason": long.clone()}), &long[..512], Some(&long[..512])),
    ] {
        let decision = answered(&json!({"decision": false, "context": context})).unwrap();
        let reason = &decision.reasons()[0];
        assert_eq!((reason.kind(), reason.text(), reason.public_text()), (ReasonKind::NotPermitted, text, public));
    }
    assert!(long[..512].len() <= MAX_PUBLIC_TEXT_BYTES);
    let allowed =
        answered(&json!({"decision": true, "context": {"reasons": [{"code": "policy_forbidden", "text": "x"}]}}));
    assert_eq!(allowed.unwrap().reasons()[0].kind(), ReasonKind::Permitted);
}

/// What one side decides is what the other is told.
#[test]
fn a_decision_means_the_same_at_both_ends() {
    let reason = |kind, text: &str| Reason::new(kind, text);
    for decision in [
        Decision::allow(reason(ReasonKind::Permitted, "so it is").of_policy("lawyers-file")),
        Decision::allow(reason(ReasonKind::Permitted, "a"))
            .needing_approval(ApprovalTerms::within(Duration::from_secs(90))),
        Decision::allow(reason(ReasonKind::Permitted, "a"))
            .on_condition_of(Obligation::read("rate", "10/1m per principal").unwrap())
            .on_condition_of(Obligation::read("concurrency", "exports: 2 for 30m").unwrap())
            .on_condition_of(Obligation::read("budget", "amount 5000/1d").unwrap()),
        Decision::allow(reason(ReasonKind::Permitted, "a")).on_condition_of(Obligation::Unknown("watermark".into())),
        [("rate", "10/1m"), ("concurrency", "2"), ("budget", "amount 5000/1d")]
            .map(|(name, terms)| Obligation::read(name, terms).unwrap())
            .into_iter()
            .fold(Decision::allow(reason(ReasonKind::Permitted, "a")), Decision::on_condition_of),
        Decision::deny(reason(ReasonKind::Forbidden, "sealed").of_policy("seal").telling("it is sealed"))
            .because(reason(ReasonKind::NotPermitted, "nor is it permitted")),
        Decision::deny(reason(ReasonKind::ArgumentOutsideLimit, "fee")),
        Decision::deny(reason(ReasonKind::EntityRefused, "the case is not told of")),
        Decision::deny(reason(ReasonKind::PolicyFailed, "the store is away")),
    ] {
        let sent = EvaluationResponse::of(&decision, "v1", "e1").to_json().to_string();
        let arrived = EvaluationResponse::read(sent.as_bytes()).unwrap().into_decision("https://pdp").unwrap();
        assert_eq!((arrived.effect(), arrived.obligations()), (decision.effect(), decision.obligations()));
        assert_eq!(arrived.version().map(|version| &**version), Some("https://pdp v1"));
        let [mut here, mut there] = [decision.reasons().to_vec(), arrived.reasons().to_vec()];
        assert_eq!(there[0].text(), format!("{} (evaluation e1)", here[0].text()));
        let (first, told) = (here.remove(0), there.remove(0));
        assert_eq!(
            (first.kind(), first.policy(), first.public_text()),
            (told.kind(), told.policy(), told.public_text())
        );
        assert_eq!(here, there);
    }
}

/// A policy that erred denies there too, for that reason, unless something forbids it anyway.
#[test]
fn an_error_of_a_policy_is_told() {
    for (kind, expected) in [(ReasonKind::Permitted, "policy_erred"), (ReasonKind::Forbidden, "policy_forbidden")] {
        let decision = Decision::deny(Reason::new(kind, "x")).with_error(Some("p"), "overflow");
        let [PolicyFault { text, .. }] = decision.errors() else { panic!("one error") };
        let answer = EvaluationResponse::of(&decision, "v", "e").to_json();
        assert_eq!(answer["decision"], false);
        let arrived = answered(&answer).unwrap();
        assert_eq!(arrived.reasons()[0].kind().code(), expected);
        assert!(arrived.reasons().iter().any(|reason| reason.text().starts_with(&**text)));
    }
}
