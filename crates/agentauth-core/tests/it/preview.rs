//! What a caller may possibly do: by its delegation, then by the policy, and without a trace.

use agentauth_core::policy::{PolicyError, PreviewRequest, PreviewResource, Reason, ReasonKind};
use agentauth_core::policy::{Preview, Prospect};
use agentauth_core::{Action, AuthzRequest, Caller, Decision, PolicyEngine};
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::support::court::{ACCEPTED, Court, RESOURCE, caller, code_of, wait, with};

/// Sees ahead what the name of the action says, and permits all of it.
#[derive(Debug)]
struct Seer;

#[async_trait]
impl PolicyEngine for Seer {
    async fn decide(&self, _: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        Ok(Decision::allow(Reason::new(ReasonKind::Permitted, "yes")))
    }

    fn preview(&self, request: &PreviewRequest<'_>) -> Preview {
        match (request.action(), request.resource()) {
            ("never", _) => Preview::Never,
            ("cases", PreviewResource::Known(resource)) if resource.kind() != "case" => Preview::Never,
            ("cases", PreviewResource::None) => Preview::Never,
            ("cases", PreviewResource::Unknown) => Preview::possibly("resource is Case"),
            _ => Preview::Always,
        }
    }

    fn version(&self) -> std::sync::Arc<str> {
        "1".into()
    }
}

fn holding(court: &Court, scopes: &str, details: Value) -> Caller {
    let auth = court.engine().policy(Seer).build().unwrap();
    let mut token = with("scope", scopes);
    if !details.is_null() {
        token["authorization_details"] = details;
    }
    caller(&auth, &court.key.mint(&token))
}

fn ahead(name: &str) -> Prospect {
    Prospect::new(name).unwrap()
}

#[test]
fn what_was_not_delegated_is_never_possible() {
    let court = Court::new();
    let caller = holding(&court, "read never cases", Value::Null);
    assert_eq!(caller.preview(&ahead("read")), Preview::Always);
    assert_eq!(caller.preview(&ahead("write")), Preview::Never);
    assert_eq!(caller.preview(&ahead("write").under_scope("read".parse().unwrap())), Preview::Always);
    assert_eq!(caller.preview(&ahead("read").under_scope("write".parse().unwrap())), Preview::Never);
    assert_eq!(caller.preview(&ahead("never")), Preview::Never);
    assert_eq!(caller.preview(&ahead("cases")), Preview::possibly("resource is Case"));
    assert_eq!(caller.preview(&ahead("cases").on("case", "1")), Preview::Always);
    assert_eq!(caller.preview(&ahead("cases").on("room", "1")), Preview::Never);
    assert_eq!(caller.preview(&ahead("cases").without_resource()), Preview::Never);
    assert_eq!(caller.preview(&ahead("read").on("case", "1\n")), Preview::Never);
    court.clock.advance(std::time::Duration::from_secs(400));
    assert_eq!(caller.preview(&ahead("read")), Preview::Never, "the delegation is over");
}

#[test]
fn what_was_delegated_within_limits_is_at_most_possible() {
    let court = Court::new();
    let detail = |more: Value| {
        let mut detail = json!({"type": agentauth_core::scope::AGENT_ACTION, "actions": ["pay"]});
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([detail])
    };
    let uses = holding(&court, "read", detail(json!({"max_uses": 1})));
    assert_eq!(uses.preview(&ahead("pay")), Preview::Possibly(None));
    let elsewhere = holding(&court, "read", detail(json!({"locations": ["https://other.example"]})));
    assert_eq!(elsewhere.preview(&ahead("pay")), Preview::Never);
    let here = holding(&court, "read", detail(json!({"locations": [RESOURCE]})));
    assert_eq!(here.preview(&ahead("pay")), Preview::Always);
}

#[test]
fn looking_ahead_leaves_no_trace_and_lists_are_filtered() {
    let court = Court::new();
    let caller = holding(&court, "read never cases", Value::Null);
    court.records.take();
    let tools = ["read", "write", "never", "cases"].map(ahead);
    let visible: Vec<_> = caller.visible(&tools).iter().map(|tool| tool.name()).collect();
    assert_eq!(visible, ["read", "cases"]);
    let many = vec![ahead("read"); 5000];
    assert_eq!(caller.visible(&many).len(), 4096);
    assert!(court.records.take().is_empty(), "it is no decision");
    assert_eq!(code_of(&wait(caller.authorize(Action::new("read").unwrap()))), ACCEPTED);
}
