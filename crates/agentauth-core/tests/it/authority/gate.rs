//! What was delegated within limits, at the gate: tokens with `authorization_details`, and actions.

use agentauth_core::policy::Effect;
use agentauth_core::scope::{AGENT_ACTION, DetailTypes};
use agentauth_core::token::TokenVerifier;
use agentauth_core::{Action, AgentAuth, Caller, ResourceId, ScopeImplications, Timestamp, TrustedIssuer};
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, Court, Oracle, RESOURCE, STS, caller, claims, code, code_of, wait, with};

/// The good claims, without scopes, and with these details.
fn with_details(details: Value) -> Value {
    let mut claims = with("authorization_details", details);
    claims["scope"] = "".into();
    claims
}

fn detail(members: Value) -> Value {
    let mut detail = json!({"type": AGENT_ACTION, "actions": ["motions:file"]});
    let Value::Object(members) = members else { panic!("{members} has no members") };
    detail.as_object_mut().unwrap().extend(members);
    detail
}

fn motion() -> Value {
    detail(json!({
        "locations": [RESOURCE],
        "resource": {"kind": "case", "below": "2026/17"},
        "arguments": {"fee": {"integer": {"min": 0, "max": 500}}},
        "not_before": NOW - 5,
        "expires": NOW + 60,
    }))
}

fn permissive(court: &Court) -> AgentAuth {
    court.engine().policy(Oracle::permitting()).build().unwrap()
}

fn file(id: &str, fee: impl Into<Value>) -> Action<Value> {
    Action::new("motions:file").unwrap().on("case", id).with(json!({"fee": fee.into()})).unwrap()
}

fn decide<A>(caller: &Caller, action: Action<A>) -> &'static str {
    code_of(&wait(caller.authorize(action)))
}

#[test]
fn an_action_is_done_within_the_limits_of_its_delegation_or_not_at_all() {
    let court = Court::new();
    let auth = permissive(&court);
    let lawyer = caller(&auth, &court.key.mint(&with_details(json!([motion()]))));
    for (action, expected) in [
        (file("2026/17", 500), ACCEPTED),
        (file("2026/17/appeal", 0), ACCEPTED),
        (file("2026/170", 0), "delegated_on_other_resources"),
        (file("2026/17/../18", 0), "delegated_on_other_resources"),
        (file("2026/17/%2e%2e/18", 0), "delegated_on_other_resources"),
        (file("2026/17", 501), "delegated_with_other_arguments"),
        (file("2026/17", "5"), "delegated_with_other_arguments"),
        (file("2026/17", Value::Null), "delegated_with_other_arguments"),
        (file("2026/17", 1).under_scope("motions:seal".parse().unwrap()), "insufficient_scope"),
    ] {
        let shown = format!("{action:?}");
        assert_eq!(decide(&lawyer, action), expected, "{shown}");
    }
    let bare = Action::new("motions:file").unwrap().on("case", "2026/17");
    assert_eq!(decide(&lawyer, bare), "delegated_with_other_arguments");
    assert_eq!(decide(&lawyer, Action::new("motions:file").unwrap()), "delegated_on_other_resources");

    let elsewhere = detail(json!({"locations": ["https://records.example"]}));
    let elsewhere = caller(&auth, &court.key.mint(&with_details(json!([elsewhere]))));
    assert_eq!(decide(&elsewhere, file("1", 1)), "delegated_elsewhere");

    court.at(NOW + 59);
    assert_eq!(decide(&lawyer, file("2026/17", 1)), ACCEPTED);
    court.at(NOW + 60);
    assert_eq!(decide(&lawyer, file("2026/17", 1)), "delegated_at_other_times");
    court.at(NOW - 6);
    assert_eq!(decide(&lawyer, file("2026/17", 1)), "delegated_at_other_times");
}

#[test]
fn outside_of_its_limits_the_caller_is_told_the_scope_and_the_record_the_reason() {
    let court = Court::new();
    let auth = permissive(&court);
    let lawyer = caller(&auth, &court.key.mint(&with_details(json!([motion()]))));
    court.records.take();
    let rejection = wait(lawyer.authorize(file("2026/17", 501))).unwrap_err();
    assert_eq!((rejection.status().as_u16(), rejection.public_error()), (403, "insufficient_scope"));
    let challenge = rejection.challenges()[0].to_str().unwrap().to_owned();
    assert!(challenge.ends_with(r#", error="insufficient_scope", scope="motions:file""#), "{challenge}");
    assert!(!challenge.contains("fee") && !rejection.body().contains("fee"));
    let record = court.records.only();
    assert_eq!((record.effect, record.code), (Effect::Deny, "delegated_with_other_arguments"));
    assert!(record.reasons[0].text().contains("`fee`"), "{:?}", record.reasons);
    let text = serde_json::to_value(&*record).unwrap();
    assert_eq!(text["delegation"]["authorization_details"], json!([motion()]));
    assert!(!text.to_string().contains("501"), "an argument's value is nobody's business");

    let plain = caller(&auth, &court.key.mint(&claims()));
    court.records.take();
    assert_eq!(decide(&plain, file("1", 1)), ACCEPTED);
    let text = serde_json::to_value(&*court.records.only()).unwrap();
    assert_eq!(text["delegation"].get("authorization_details"), None);
}

#[test]
fn a_scope_and_details_are_granted_together_and_a_limited_grant_is_no_scope() {
    let court = Court::new();
    let auth = permissive(&court);
    let both = caller(
        &auth,
        &court.key.mint(&with(
            "authorization_details",
            json!([detail(json!({"actions": ["seal"], "resource": {"kind": "case", "id": "1"}}))]),
        )),
    );
    assert_eq!(decide(&both, file("2", 9999)), ACCEPTED, "the scope has no limits");
    let seal = |id| Action::new("seal").unwrap().on("case", id);
    assert_eq!(decide(&both, seal("1")), ACCEPTED);
    assert_eq!(decide(&both, seal("2")), "delegated_on_other_resources");
    assert_eq!(both.scopes().to_string(), "motions:file records:read");
    let needed = |scopes: &str| code_of(&wait(both.require_scopes(&scopes.parse().unwrap())));
    assert_eq!((needed("motions:file"), needed("seal")), (ACCEPTED, "insufficient_scope"));
    // A detail that limits nothing is a scope.
    let plain = caller(&auth, &court.key.mint(&with_details(json!([detail(json!({}))]))));
    assert_eq!(plain.scopes().to_string(), "motions:file");
}

#[test]
fn details_that_are_not_understood_grant_nothing_and_take_nothing_away() {
    let court = Court::new();
    let auth = permissive(&court);
    for details in [
        json!([{"type": "payment", "actions": ["motions:file"]}]),
        json!([detail(json!({"privileges": ["all"]}))]),
        json!([detail(json!({"arguments": {"fee": {"regex": ".*"}}}))]),
        json!({"type": AGENT_ACTION, "actions": ["motions:file"]}),
        json!([[detail(json!({}))]]),
        json!("motions:file"),
        json!(null),
        json!([]),
    ] {
        let lawyer = caller(&auth, &court.key.mint(&with_details(details.clone())));
        assert!(lawyer.delegation().authority().is_empty(), "{details}");
        assert_eq!(decide(&lawyer, file("1", 1)), "insufficient_scope", "{details}");
        let with_scopes = caller(&auth, &court.key.mint(&with("authorization_details", details)));
        assert_eq!(decide(&with_scopes, file("1", 1)), ACCEPTED);
    }
    let known =
        with_details(json!([{"type": "payment", "actions": ["motions:file"]}, detail(json!({"max_depth": 0}))]));
    assert_eq!(decide(&caller(&auth, &court.key.mint(&known)), file("1", 1)), ACCEPTED, "others are read all the same");
}

#[test]
fn a_token_with_details_that_are_not_strict_or_too_large_is_refused() {
    let court = Court::new();
    let auth = permissive(&court);
    let sign = |details: &str| {
        let text = claims().to_string().replacen('{', &format!("{{\"authorization_details\":{details},"), 1);
        code(&auth, &court.key.sign(&court.key.header().to_string(), text))
    };
    assert_eq!(sign(r#"[{"type":"agent_action","actions":["a"]}]"#), ACCEPTED);
    assert_eq!(sign(r#"[{"type":"agent_action","actions":["a"],"actions":["b"]}]"#), "json_duplicate_member");
    assert_eq!(
        sign(r#"[{"type":"agent_action","actions":["a"],"arguments":{"x":{"a":1,"a":2}}}]"#),
        "json_duplicate_member"
    );
    assert_eq!(sign(&format!("{}1{}", "[".repeat(8), "]".repeat(8))), ACCEPTED);
    assert_eq!(sign(&format!("{}1{}", "[".repeat(9), "]".repeat(9))), "json_too_deep");
    assert_eq!(sign(&format!("[\"{}\"]", "x".repeat(8100))), ACCEPTED);
    assert_eq!(sign(&format!("[\"{}\"]", "x".repeat(8200))), "json_oversize");
    assert_eq!(sign(&format!("[{}1]", "1,".repeat(4200))), "json_oversize");
}

#[test]
fn what_includes_an_action_includes_it_within_its_limits() {
    let court = Court::new();
    let implications = ScopeImplications::new().includes("motions", "motions:file").unwrap();
    let auth = court.engine().policy(Oracle::permitting()).implications(implications).build().unwrap();
    let broad = detail(json!({"actions": ["motions"], "resource": {"kind": "case", "id": "1"}}));
    let lawyer = caller(&auth, &court.key.mint(&with_details(json!([broad]))));
    assert_eq!(decide(&lawyer, file("1", 1)), ACCEPTED);
    assert_eq!(decide(&lawyer, file("2", 1)), "delegated_on_other_resources");
}

#[test]
fn a_token_that_is_kept_keeps_its_authority() {
    let court = Court::new();
    let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set());
    let verifier = TokenVerifier::new(ResourceId::new(RESOURCE).unwrap(), vec![issuer])
        .unwrap()
        .with_cache(10)
        .with_detail_types(DetailTypes::new());
    let token = court.key.mint(&with_details(json!([motion()])));
    let verify = || verifier.verify_cached(&token, Timestamp::from_secs(NOW)).unwrap();
    assert!(std::ptr::eq(verify().authority(), verify().authority()));
    assert_eq!(verify().authority().to_details(), json!([motion()]));
}

/// A type of one's own is given what is wanted, and may log it.
#[test]
fn what_is_wanted_shows_no_argument() {
    let (pay, shop) = ("pay".parse().unwrap(), agentauth_core::ResourceId::new("https://shop.example").unwrap());
    let arguments = serde_json::json!({"pin": "s3cret"});
    let wanted = agentauth_core::scope::Wanted::new(&pay, &shop, agentauth_core::Timestamp::from_secs(0));
    let shown = format!("{:?}", wanted.on("account", "17").with(&arguments));
    assert!(shown.contains("pay") && shown.contains("17") && !shown.contains("s3cret"), "{shown}");
}
