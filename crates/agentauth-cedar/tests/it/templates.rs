//! Policies that are made of templates.

use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::{IssuerId, PrincipalId, SpiffeId};
use serde_json::{Value, json};

use crate::support::{LAWYER, SCHEMA, STS, answer, decide, scenario};

const ALICE: &str = "https://sts.court.example#alice";

/// "Agent X for principals in group G."
const AGENT_FOR_GROUP: &str = r#"@id("agent-for-group")
permit (principal in ?principal, action, resource) when { context.agent == Agent::"?agent" };"#;

fn sources(text: &str, links: &Value) -> Sources {
    let groups = json!({"groups": {"clients": {"users": [ALICE]}}, "agent_groups": {"lawyers": {"agents": [LAWYER]}}});
    let sources = Sources::new().schema("a.cedarschema", SCHEMA).policies("a.cedar", text);
    sources.entities("entities.json", &groups.to_string()).links("links.json", &links.to_string())
}

fn policies(text: &str, links: &Value) -> CedarPolicies {
    CedarPolicies::new(&sources(text, links)).unwrap()
}

#[tokio::test]
async fn a_link_lets_one_agent_act_for_one_group() {
    let links = json!([
        {"id": "lawyer-for-clients", "template": "agent-for-group", "principal": {"Group": "clients"}, "agent": LAWYER},
        {"id": "clerk-for-bob", "template": "agent-for-group", "principal": {"User": format!("{STS}#bob")},
            "agent": "spiffe://court.example/agent/clerk"},
    ]);
    let policies = policies(AGENT_FOR_GROUP, &links);
    let by = |agent: &str, user: &str| {
        let mut asked = scenario("records:read", json!({}));
        asked.agent = agent.parse::<SpiffeId>().unwrap().into();
        asked.principal = PrincipalId::new(IssuerId::new(STS).unwrap(), user);
        asked
    };
    let clerk = "spiffe://court.example/agent/clerk";
    for (agent, user, expected) in [
        (LAWYER, "alice", "allow"),
        (LAWYER, "bob", "policy_not_permitted"),
        (clerk, "bob", "allow"),
        (clerk, "alice", "policy_not_permitted"),
        ("spiffe://court.example/agent/lawyer", "alice", "policy_not_permitted"),
    ] {
        assert_eq!(answer(&policies, &by(agent, user)).await, expected, "{agent} for {user}");
    }
    let reason = decide(&policies, &by(LAWYER, "alice")).await;
    assert_eq!(reason.reasons()[0].policy(), Some("lawyer-for-clients"));
}

#[tokio::test]
async fn every_part_that_is_open_is_filled_and_what_stands_above_a_template_is_for_its_links() {
    let text = r#"
        @id("own") @approval("1h") permit (principal is User in ?principal, action, resource == ?resource);
        @id("group") permit (principal, action, resource) when { context.agent in AgentGroup::"?agent" };
        @id("below") @message("Not by these.") forbid (principal == ?principal, action, resource in ?resource)
        when { context.agent in SpiffePath::"?agent" && "?agent" != "x" };
    "#;
    let own = json!({"id": "a", "template": "own", "principal": {"Group": "clients"}, "resource": {"Case": "17"}});
    let group = json!({"id": "b", "template": "group", "agent": "lawyers"});
    let below = json!({"id": "c", "template": "below", "agent": "spiffe://court.example/agent",
        "principal": {"User": ALICE}, "resource": {"Case": "18"}});
    let policies = policies(text, &json!([own, group, below]));
    let on = |case: &str| scenario("records:read", json!({})).on("case", case);
    assert_eq!(decide(&policies, &on("17")).await.obligations().len(), 1);
    assert!(decide(&policies, &on("16")).await.obligations().is_empty());
    assert_eq!(answer(&policies, &on("16")).await, "allow");
    let denied = decide(&policies, &on("18")).await;
    assert_eq!((denied.reasons()[0].policy(), denied.reasons()[0].public_text()), (Some("c"), Some("Not by these.")));
}

#[tokio::test]
async fn a_template_alone_permits_nothing() {
    let alone = policies(r#"@id("t") permit (principal in ?principal, action, resource);"#, &json!([]));
    assert_eq!(answer(&alone, &scenario("records:read", json!({}))).await, "policy_not_permitted");
}

#[test]
fn links_are_of_the_version() {
    use agentauth_core::PolicyEngine as _;
    let with = |group: &str| {
        let link = json!({"id": "a", "template": "agent-for-group", "principal": {"Group": group}, "agent": LAWYER});
        policies(AGENT_FOR_GROUP, &json!([link])).version()
    };
    assert_ne!(with("a"), with("b"));
    assert_eq!(with("a"), with("a"));
}

fn problems(text: &str, links: &str) -> String {
    let sources = Sources::new().schema("a.cedarschema", SCHEMA).policies("a.cedar", text);
    CedarPolicies::new(&sources.links("links.json", links)).unwrap_err().to_string()
}

#[test]
fn a_link_that_does_not_fit_is_shown_in_its_place() {
    let text = r#"@id("agent-for-group")
permit (principal in ?principal, action, resource) when { context.agent == Agent::"?agent" };
@id("path") permit (principal, action, resource) when { context.agent in SpiffePath::"?agent" };
@id("plain") permit (principal, action, resource == Case::"1");"#;
    let links = r#"[
  {"template": "agent-for-group", "principal": {"Group": "a"}, "agent": "spiffe://a.example/b"},
  {"id": "b", "principal": {"Group": "a"}},
  {"id": "c", "template": "agent-for-groups", "agent": "spiffe://a.example/b"},
  {"id": "d", "template": "agent-for-group", "agent": "spiffe://a.example/b"},
  {"id": "e", "template": "agent-for-group", "principal": {"Group": "a"}},
  {"id": "f", "template": "agent-for-group", "principal": {"Group": "a"}, "agent": "b", "resource": {"Case": "1"}},
  {"id": "g", "template": "agent-for-group", "principal": "Group::\"a\"", "agent": "spiffe://a.example/b"},
  {"id": "h", "template": "agent-for-group", "principal": {"Groups": "a"}, "agent": "spiffe://a.example/b"},
  {"id": "i", "template": "agent-for-group", "principal": {"User": "alice"}, "agent": "spiffe://a.example/b"},
  {"id": "j", "template": "path", "agent": "a.example/b", "when": "always"},
  {"id": "k", "template": "path", "agent": "spiffe://a.example/b"},
  {"id": "k", "template": "path", "agent": "spiffe://a.example/c"},
  {"id": "plain", "template": "path", "agent": "spiffe://a.example/d"},
  {"id": "l", "template": "plain"},
  {"id": "m", "template": "agent-for-group", "principal": {"Case": "1"}, "agent": "spiffe://a.example/b"},
  {"id": "n", "template": "agent-for-group", "principal": {"Group": "?agent"}, "agent": "?agent"},
  7
]"#;
    insta::assert_snapshot!(problems(text, links));
}

#[test]
fn a_template_that_is_none_is_shown_in_its_place() {
    let text = r#"permit (principal in ?principal, action, resource);
@id("unlinked") permit (principal, action, resource) when { context.agent == Agent::"?agent" };
@id("unlinked-too") forbid (principal == ?principal, action, resource) when { context.agent in AgentGroup::"?agent" };
@id("other") permit (principal, action, resource) when { context.agent == Agent::"?who" };
@id("scope") permit (principal == User::"?agent", action, resource);
@id("two") permit (principal, action, resource)
when { context.agent == Agent::"?agent" || context.agent in AgentGroup::"?agent" };
@id("escaped") permit (principal, action, resource) when { context.agent == Agent::"\u{3f}agnet" };
@id("wrong") @approvel("1h") permit (principal == ?principal, action == Action::"motions:file", resource)
when { context.argument.fee < 5 };
@id("wrong") permit (principal == ?principal, action, resource);"#;
    insta::assert_snapshot!(problems(text, "[]"));
}
