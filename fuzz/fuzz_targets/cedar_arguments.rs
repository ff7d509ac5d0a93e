//! Any bytes as the arguments of an action that Cedar policies decide on: they are of the schema's types, or refused.

#![no_main]

use std::future::Future;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::policy::{Effect, PolicyEngine, Scenario};
use agentauth_core::{Arguments, IssuerId, PrincipalId, ResourceId, SpiffeId};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const SCHEMA: &str = r#"
    @kind("case") entity Case;
    action "go" appliesTo { principal: User, resource: Case, context: { arguments: {
        who: String, fee?: Long, part?: decimal, from?: ipaddr, at?: datetime, wait?: duration, sealed?: Bool,
        pages?: Set<Long>, line?: { sku: String, count?: Long } } } };
"#;

// Each condition would be an error, and with that a denial of its own, if a value of another type had come through.
const POLICIES: &str = r#"
    permit (principal, action, resource) when { context.arguments.who == "root" };
    forbid (principal, action, resource) when {
        (context.arguments has fee && context.arguments.fee > 9007199254740991) ||
        (context.arguments has part && context.arguments.part.greaterThan(decimal("922337203685477.5807"))) ||
        (context.arguments has from && !context.arguments.from.isIpv4() && !context.arguments.from.isIpv6()) ||
        (context.arguments has at && context.arguments.at != context.arguments.at) ||
        (context.arguments has wait && context.arguments.wait != context.arguments.wait) ||
        (context.arguments has pages && context.arguments.pages.contains(9007199254740992)) ||
        (context.arguments has line && context.arguments.line has count && context.arguments.line.count < -9007199254740991)
    };
"#;

static POLICY: LazyLock<CedarPolicies> = LazyLock::new(|| {
    CedarPolicies::new(&Sources::new().schema("fuzz", SCHEMA).policies("fuzz", POLICIES)).expect("they are good")
});

fuzz_target!(|text: &[u8]| {
    let Ok(arguments) = Arguments::from_json(text) else { return };
    let who = arguments.get("who").cloned();
    let agent: SpiffeId = "spiffe://court.example/agent".parse().expect("an ID");
    let alice = PrincipalId::new(IssuerId::new("https://sts.example").expect("an issuer"), "alice");
    let server = ResourceId::new("https://court.example").expect("a resource");
    let scenario = Scenario::new(server, agent, alice, "go").on("case", "17").with(arguments);
    let request = scenario.request();
    let mut decision = pin!(POLICY.decide(&request));
    let Poll::Ready(Ok(decision)) = decision.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it has nobody to wait for, and always answers");
    };
    assert!(decision.errors().is_empty(), "what is refused never reaches a policy: {decision:?}");
    assert_ne!(decision.reasons()[0].kind().code(), "policy_forbidden", "{decision:?}");
    if decision.effect() == Effect::Allow {
        assert_eq!(who, Some(Value::from("root")));
    }
});
