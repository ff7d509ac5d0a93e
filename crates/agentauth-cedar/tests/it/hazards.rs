//! Where plain Cedar allows, and this does not: both are asserted.

use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::policy::Arguments;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, Schema, ValidationMode, Validator,
};
use serde_json::{Value, json};

use crate::support::{answer, policies, scenario};

/// What plain Cedar says of alice filing a motion, without a schema.
fn plainly(policies: &str, context: Context) -> (Decision, usize) {
    let uid = |text: &str| text.parse::<EntityUid>().unwrap();
    let (alice, file, case) = (r#"User::"alice""#, r#"Action::"motions:file""#, r#"Case::"17""#);
    let request = Request::new(uid(alice), uid(file), uid(case), context, None).unwrap();
    let policies: PolicySet = policies.parse().unwrap();
    let response = Authorizer::new().is_authorized(&request, &policies, &Entities::empty());
    (response.decision(), response.diagnostics().errors().count())
}

fn input(arguments: Value) -> Context {
    Context::from_json_value(json!({ "arguments": arguments }), None).unwrap()
}

/// The codes of what is wrong with a set of policies.
fn problems(schema: &str, policies: &str) -> Vec<&'static str> {
    let sources = Sources::new().schema("a.cedarschema", schema).policies("a.cedar", policies);
    CedarPolicies::new(&sources).unwrap_err().iter().map(|problem| problem.code).collect()
}

const OPTIONAL: &str = r#"@kind("case") entity Case;
    action "motions:file" appliesTo {
        principal: User, resource: Case, context: { arguments: { fee: Long, urgent?: Bool } } };"#;

#[test]
fn a_forbid_on_an_optional_argument_that_is_left_out() {
    let text =
        "permit (principal, action, resource); forbid (principal, action, resource) when { context.arguments.urgent };";
    assert_eq!(plainly(text, input(json!({"fee": 1}))), (Decision::Allow, 1));
    assert_eq!(problems(OPTIONAL, text), ["policy_unguarded"]);
}

#[test]
fn an_in_on_a_string_discards_the_forbid() {
    let text = r#"permit (principal, action, resource);
        forbid (principal, action == Action::"motions:file", resource) when { context.arguments.title in Group::"sealed" };"#;
    assert_eq!(plainly(text, input(json!({"title": "sealed"}))), (Decision::Allow, 1));
    assert!(problems(crate::support::SCHEMA, text).contains(&"policy_type"));
}

#[tokio::test]
async fn an_overflow_that_strict_validation_lets_through() {
    let text = r#"permit (principal, action == Action::"motions:file", resource);
        forbid (principal, action == Action::"motions:file", resource)
        when { context.arguments.fee * 1000000 > 100000 };"#;
    let fee = 9_007_199_254_740_991_i64;
    assert_eq!(plainly(text, input(json!({ "fee": fee }))), (Decision::Allow, 1));
    let (schema, _) = Schema::from_cedarschema_str(
        r#"entity User, Case; action "motions:file" appliesTo {
            principal: User, resource: Case, context: { arguments: { fee: Long } } };"#,
    )
    .unwrap();
    let checked = Validator::new(schema).validate(&text.parse().unwrap(), ValidationMode::Strict);
    assert!(checked.validation_passed(), "this is what makes it a hazard");
    assert_eq!(answer(&policies(text), &scenario("motions:file", json!({ "fee": fee }))).await, "policy_erred");
}

#[tokio::test]
async fn an_entity_that_the_agent_wrote_into_its_arguments() {
    let text = r#"permit (principal, action, resource) when { context.arguments.who == User::"root" };"#;
    let forged = json!({"who": {"__entity": {"type": "User", "id": "root"}}});
    assert_eq!(plainly(text, input(forged.clone())), (Decision::Allow, 0));

    let schema = r#"@kind("case") entity Case; action "motions:file" appliesTo {
        principal: User, resource: Case, context: { arguments: { who: WHO } } };"#;
    assert_eq!(problems(&schema.replace("WHO", "User"), text), ["policy_schema"], "no argument is an entity");
    assert_eq!(problems(&schema.replace("WHO", "String"), text), ["policy_type"]);
    let by_name = text.replace("User::\"root\"", "\"root\"");
    let sources = Sources::new().schema("a", &schema.replace("WHO", "String")).policies("a", &by_name);
    let ours = CedarPolicies::new(&sources).unwrap();
    assert_eq!(answer(&ours, &scenario("motions:file", forged)).await, "argument_refused");
    assert_eq!(answer(&ours, &scenario("motions:file", json!({"who": "root"}))).await, "allow");
}

#[tokio::test]
async fn an_extension_value_that_the_agent_wrote_into_its_arguments() {
    let text = r#"permit (principal, action, resource) when { context.arguments.from.isLoopback() };"#;
    let forged = json!({"from": {"__extn": {"fn": "ip", "arg": "127.0.0.1"}}});
    assert_eq!(plainly(text, input(forged.clone())), (Decision::Allow, 0));
    let schema = r#"@kind("case") entity Case; action "motions:file" appliesTo {
        principal: User, resource: Case, context: { arguments: { from: ipaddr } } };"#;
    let ours = CedarPolicies::new(&Sources::new().schema("a", schema).policies("a", text)).unwrap();
    assert_eq!(answer(&ours, &scenario("motions:file", forged)).await, "argument_refused");
    assert_eq!(answer(&ours, &scenario("motions:file", json!({"from": "127.0.0.1"}))).await, "allow");
    assert_eq!(answer(&ours, &scenario("motions:file", json!({"from": "127.0.0.1.nip.io"}))).await, "argument_refused");
}

#[test]
fn a_member_that_stands_twice() {
    let text = "permit (principal, action, resource) when { context.arguments.fee < 10 };";
    let twice = r#"{"arguments": {"fee": 999, "fee": 1}}"#;
    assert_eq!(plainly(text, Context::from_json_str(twice, None).unwrap()), (Decision::Allow, 0));
    assert_eq!(Arguments::from_json(br#"{"fee": 999, "fee": 1}"#).unwrap_err().code(), "json_duplicate_member");
}

#[tokio::test]
async fn an_argument_that_nobody_foresaw() {
    let text = r#"permit (principal, action == Action::"motions:file", resource) when { context.arguments.fee < 10 };"#;
    assert_eq!(plainly(text, input(json!({"fee": 1, "force": true}))), (Decision::Allow, 0));
    let forced = scenario("motions:file", json!({"fee": 1, "force": true}));
    assert_eq!(answer(&policies(text), &forced).await, "argument_refused");
}

#[tokio::test]
async fn numbers_are_taken_exactly_or_not_at_all() {
    assert!(Context::from_json_value(json!({"fee": 1.5}), None).is_err(), "plain Cedar knows no such number");
    let schema = r#"@kind("case") entity Case; action "motions:file" appliesTo {
        principal: User, resource: Case, context: { arguments: { fee: decimal } } };"#;
    let text = r#"permit (principal, action, resource) when { context.arguments.fee.lessThan(decimal("100.0")) };"#;
    let ours = CedarPolicies::new(&Sources::new().schema("a", schema).policies("a", text)).unwrap();
    for (fee, expected) in [
        (json!(1), "allow"),
        (json!(1.0), "allow"),
        (json!(-0.0), "allow"),
        (json!(1.5), "allow"),
        (json!(-0.0001), "allow"),
        (json!(99.9999), "allow"),
        (json!(100), "policy_not_permitted"),
        (json!(0.00001), "argument_refused"),
        (json!(100.0), "policy_not_permitted"),
        (json!(1e15), "argument_refused"),
        (json!(-1e300), "argument_refused"),
        (json!(9_007_199_254_740_991_i64), "argument_refused"),
        (json!("1.5"), "argument_refused"),
        (json!(null), "argument_refused"),
    ] {
        assert_eq!(answer(&ours, &scenario("motions:file", json!({ "fee": fee }))).await, expected, "{fee}");
    }
}

/// What Cedar reads from a text takes it long, and the agent writes the arguments.
#[tokio::test]
async fn no_more_is_read_from_texts_than_a_decision_has_time_for() {
    let schema = r#"@kind("case") entity Case; action "motions:file" appliesTo {
        principal: User, resource: Case, context: { arguments: { fees: Set<decimal>, shares: Set<{ of: decimal }> } } };"#;
    let text = "permit (principal, action, resource);";
    let ours = CedarPolicies::new(&Sources::new().schema("a", schema).policies("a", text)).unwrap();
    for (fees, expected) in [(4095, "allow"), (4096, "argument_refused"), (32_000, "argument_refused")] {
        let arguments = json!({ "fees": vec![1; fees], "shares": [{ "of": 1 }] });
        assert_eq!(answer(&ours, &scenario("motions:file", arguments)).await, expected, "{fees}");
    }
}
