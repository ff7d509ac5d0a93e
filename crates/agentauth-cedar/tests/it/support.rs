use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::policy::{Arguments, Effect, Scenario};
use agentauth_core::{Decision, IssuerId, PolicyEngine, PrincipalId, ResourceId, SpiffeId};
use serde_json::Value;

pub(crate) const SERVER: &str = "https://court.example";
pub(crate) const STS: &str = "https://sts.court.example";
pub(crate) const LAWYER: &str = "spiffe://court.example/agent/lawyer/7";

/// Actions that most tests use.
pub(crate) const SCHEMA: &str = r#"
    @kind("case") entity Case;
    action "motions:file" appliesTo {
        principal: [User, Client, Account], resource: [Case, Server],
        context: { arguments: { title?: String, fee: Long } }
    };
    action "records:read" appliesTo { principal: [User, Client, Account], resource: [Case, Server] };
"#;

pub(crate) fn policies(text: &str) -> CedarPolicies {
    CedarPolicies::new(&Sources::new().schema("a.cedarschema", SCHEMA).policies("a.cedar", text)).unwrap()
}

pub(crate) fn alice() -> PrincipalId {
    PrincipalId::new(IssuerId::new(STS).unwrap(), "alice")
}

/// The lawyer acts for alice.
pub(crate) fn scenario(action: &str, arguments: Value) -> Scenario {
    let lawyer: SpiffeId = LAWYER.parse().unwrap();
    Scenario::new(ResourceId::new(SERVER).unwrap(), lawyer, alice(), action)
        .on("case", "17")
        .with(Arguments::of(&arguments).unwrap())
}

pub(crate) async fn decide(engine: &impl PolicyEngine, scenario: &Scenario) -> Decision {
    engine.decide(&scenario.request()).await.unwrap()
}

/// `allow`, or the code of the denial.
pub(crate) async fn answer(engine: &impl PolicyEngine, scenario: &Scenario) -> &'static str {
    let decision = decide(engine, scenario).await;
    match decision.effect() {
        Effect::Allow => "allow",
        Effect::Deny => decision.reasons()[0].kind().code(),
    }
}
