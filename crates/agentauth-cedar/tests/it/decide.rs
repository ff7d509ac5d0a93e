//! What is permitted, and with which code it is not.

use agentauth_core::{AgentId, IssuerId, Mode, PrincipalId};
use serde_json::json;

use crate::support::{STS, answer, decide, policies, scenario};

const POLICIES: &str = r#"
    @id("file")
    permit (principal == User::"https://sts.court.example#alice", action == Action::"motions:file", resource is Case)
    when { context.agent in SpiffePath::"spiffe://court.example/agent/lawyer" && context.arguments.fee <= 500 };

    @id("expensive") @approval("8h")
    permit (principal, action == Action::"motions:file", resource == Case::"17")
    when { context.arguments.fee > 500 && context.arguments.fee <= 5000 };

    @id("sealed") @message("The case is sealed.") @reason("sealed by the judge")
    forbid (principal, action, resource == Case::"99");
"#;

#[tokio::test]
async fn a_policy_decides_on_agent_principal_resource_and_typed_arguments() {
    let policies = policies(POLICIES);
    let file = |fee| scenario("motions:file", json!({"fee": fee}));
    assert_eq!(answer(&policies, &file(120)).await, "allow");
    assert_eq!(answer(&policies, &file(6000)).await, "policy_not_permitted");
    assert_eq!(answer(&policies, &file(120).on("case", "99")).await, "policy_forbidden");

    let mut stranger = file(120);
    stranger.agent = "spiffe://court.example/agent/lawyers".parse::<agentauth_core::SpiffeId>().unwrap().into();
    assert_eq!(answer(&policies, &stranger).await, "policy_not_permitted");

    let sealed = decide(&policies, &file(120).on("case", "99")).await;
    let reason = &sealed.reasons()[0];
    assert_eq!(
        (reason.policy(), reason.text(), reason.public_text()),
        (Some("sealed"), "sealed by the judge", Some("The case is sealed."))
    );
    assert_eq!(decide(&policies, &file(900)).await.obligations().len(), 1);
}

#[tokio::test]
async fn what_the_schema_does_not_know_is_refused() {
    let policies = policies(POLICIES);
    let file = |arguments| scenario("motions:file", arguments);
    for (scenario, code) in [
        (scenario("motions:burn", json!({})), "policy_not_in_schema"),
        (file(json!({"fee": 1})).on("statue", "1"), "policy_not_in_schema"),
        (file(json!({})), "argument_refused"),
        (file(json!({"fee": "120"})), "argument_refused"),
        (file(json!({"fee": 1.5})), "argument_refused"),
        (file(json!({"fee": null})), "argument_refused"),
        (file(json!({"fee": 1, "who": {"__entity": {"type": "User", "id": "root"}}})), "argument_refused"),
        (file(json!({"fee": 1, "title": {"__extn": {"fn": "ip", "arg": "::1"}}})), "argument_refused"),
    ] {
        assert_eq!(answer(&policies, &scenario).await, code, "{scenario:?}");
    }
}

#[tokio::test]
async fn callers_without_a_delegation_are_permitted_only_by_name() {
    let all = || policies("permit (principal, action, resource);");
    let read = |mode| scenario("records:read", json!({})).in_mode(mode);
    for mode in [Mode::ClientOnly, Mode::Impersonation, Mode::AgentAccount] {
        assert_eq!(answer(&all(), &read(mode)).await, "actor_unauthorized");
        assert_eq!(answer(&all().even_in(mode), &read(mode)).await, "allow");
    }
}

#[tokio::test]
async fn who_is_forbidden_is_forbidden_through_others_and_with_less_proof() {
    let policies = policies(
        r#"permit (principal, action, resource);
        forbid (principal, action, resource) when { context.agent in SpiffePath::"spiffe://court.example/agent/thief" };"#,
    );
    let thief: agentauth_core::SpiffeId = "spiffe://court.example/agent/thief".parse().unwrap();
    let mut through = scenario("records:read", json!({}));
    through.holders = vec![thief.clone().into()];
    assert_eq!(answer(&policies, &through).await, "policy_forbidden");
    let mut claimed = scenario("records:read", json!({}));
    claimed.agent = AgentId::Named { issuer: IssuerId::new(STS).unwrap(), name: thief.as_str().into() };
    assert_eq!(answer(&policies, &claimed).await, "policy_forbidden");
}

#[tokio::test]
async fn a_name_is_forbidden_whatever_kind_it_is_of() {
    let policies = policies(
        r#"permit (principal, action, resource);
        forbid (principal in Subject::"https://sts.court.example#bob", action, resource);"#,
    );
    let issuer = IssuerId::new(STS).unwrap();
    for bob in [
        PrincipalId::new(issuer.clone(), "bob"),
        PrincipalId::new(issuer.clone(), "bob").in_tenant("t"),
        PrincipalId::client(issuer.clone(), "bob"),
    ] {
        let mut scenario = scenario("records:read", json!({}));
        scenario.principal = bob;
        assert_eq!(answer(&policies, &scenario).await, "policy_forbidden");
    }
}

#[tokio::test]
async fn a_policy_that_errs_denies() {
    let policies = policies(
        r#"@id("all") permit (principal, action, resource);
        @id("guard") forbid (principal, action == Action::"motions:file", resource)
        when { context.arguments.fee * 1000000 > 100000 };"#,
    );
    let overflowing = decide(&policies, &scenario("motions:file", json!({"fee": 9_007_199_254_740_991_i64}))).await;
    assert_eq!(overflowing.reasons()[0].kind().code(), "policy_erred");
    assert_eq!(overflowing.errors()[0].policy.as_deref(), Some("guard"));
    assert_eq!(answer(&policies, &scenario("records:read", json!({}))).await, "allow");
}

#[tokio::test]
async fn a_shadow_policy_only_reports() {
    let policies = policies(
        r#"permit (principal, action == Action::"motions:file", resource);
        @id("next") @mode("shadow") forbid (principal, action, resource) when { context.arguments.fee > 100 };"#
            .replace("action, resource) when", "action == Action::\"motions:file\", resource) when")
            .as_str(),
    );
    let decision = decide(&policies, &scenario("motions:file", json!({"fee": 200}))).await;
    assert_eq!(decision.effect(), agentauth_core::policy::Effect::Allow);
    assert_eq!(&*decision.would_flip()[0].policy, "next");
    assert!(decide(&policies, &scenario("motions:file", json!({"fee": 20}))).await.would_flip().is_empty());
}

#[tokio::test]
async fn the_time_of_a_clock_finer_than_cedars_is_a_time() {
    let policies = policies(
        r#"permit (principal, action, resource) when { context.now > datetime("2026-11-28T08:00:00.123Z") };"#,
    );
    // 2026-11-28T08:00:00Z.
    for (micros, expected) in
        [(123_999, "policy_not_permitted"), (124_000, "allow"), (500_000, "allow"), (0, "policy_not_permitted")]
    {
        let at = agentauth_core::Timestamp::from_secs(1_795_852_800).plus(std::time::Duration::from_micros(micros));
        assert_eq!(answer(&policies, &scenario("records:read", json!({})).at(at)).await, expected, "{micros}");
    }
}

/// Which policies would flip the answer, and to what.
async fn flips(policies: &agentauth_cedar::CedarPolicies, scenario: &agentauth_core::policy::Scenario) -> Vec<String> {
    let decision = decide(policies, scenario).await;
    decision.would_flip().iter().map(|flip| format!("{} to {:?}", flip.policy, flip.to)).collect()
}

#[tokio::test]
async fn each_shadow_policy_is_rehearsed_by_itself_as_if_it_were_in_force() {
    let set = |more: &str| {
        let read = r#"@id("read") permit (principal == User::"https://sts.court.example#alice", action == Action::"records:read", resource);"#;
        policies(&format!("{read}\n{more}"))
    };
    let (read, file) =
        (scenario("records:read", json!({})), scenario("motions:file", json!({"fee": 9_007_199_254_740_991_i64})));
    let none: [String; 0] = [];

    // One that permits is not hidden by one that forbids, and neither counts against the other.
    let two = set(r#"@id("p") @mode("shadow") permit (principal, action, resource);
        @id("f") @mode("shadow") forbid (principal, action, resource);"#);
    assert_eq!(flips(&two, &file).await, ["p to Allow"]);
    assert_eq!(flips(&two, &read).await, ["f to Deny"]);

    // One that errs would deny, and permits nothing.
    let errs = r#"permit (principal, action == Action::"motions:file", resource) when { context.arguments.fee * 1000000 > 0 };"#;
    assert_eq!(flips(&set(&format!(r#"@id("e") @mode("shadow") {errs}"#)), &file).await, none);
    let permitted = format!(r#"permit (principal, action, resource); @id("e") @mode("shadow") {errs}"#);
    assert_eq!(flips(&set(&permitted), &file).await, ["e to Deny"]);

    // What forbids in force is not outweighed.
    let p = r#"@id("p") @mode("shadow") permit (principal, action, resource);"#;
    assert_eq!(flips(&set(&format!("{p} forbid (principal, action, resource);")), &file).await, none);

    // In a mode that policies are not for, none would permit.
    let client = file.clone().in_mode(Mode::ClientOnly);
    assert_eq!(flips(&set(p), &client).await, none);
    assert_eq!(flips(&set(p).even_in(Mode::ClientOnly), &client).await, ["p to Allow"]);

    // A holder, and a name that is only claimed, are looked at too.
    let thief = r#"@id("t") @mode("shadow") forbid (principal, action, resource)
        when { context.agent in SpiffePath::"spiffe://court.example/agent/thief" };"#;
    let spiffe: agentauth_core::SpiffeId = "spiffe://court.example/agent/thief".parse().unwrap();
    let (mut through, mut claimed) = (read.clone(), read.clone());
    through.holders = vec![spiffe.clone().into()];
    claimed.agent = AgentId::Named { issuer: IssuerId::new(STS).unwrap(), name: spiffe.as_str().into() };
    assert_eq!(flips(&set(thief), &read).await, none);
    assert_eq!(flips(&set(thief), &through).await, ["t to Deny"]);
    assert_eq!(flips(&set(thief), &claimed).await, ["t to Deny"]);
    // What permits a holder permits nobody else.
    let mut asks = file;
    asks.holders = through.holders;
    assert_eq!(flips(&set(&thief.replace("forbid", "permit")), &asks).await, none);
}

#[tokio::test]
async fn an_empty_set_denies() {
    assert_eq!(answer(&policies(""), &scenario("records:read", json!({}))).await, "policy_not_permitted");
}

#[tokio::test]
async fn policies_speak_of_the_time_to_the_microsecond_that_a_clock_has() {
    let policies = policies(r#"permit (principal, action, resource) when { context.now < datetime("2030-01-01") };"#);
    for micros in [0, 1, 120_000, 123_456, 999_999] {
        let now = agentauth_core::Timestamp::from_secs(1_800_000_000).plus(std::time::Duration::from_micros(micros));
        assert_eq!(answer(&policies, &scenario("records:read", json!({})).at(now)).await, "allow", "{micros}");
    }
}

/// What Cedar says of an error has values in it, and a decision goes into the record.
#[tokio::test]
async fn what_could_not_be_evaluated_is_told_without_values() {
    let policies = policies(
        r#"permit (principal, action, resource);
        @id("guard") forbid (principal, action == Action::"motions:file", resource)
        when { context.arguments.fee * 1000000 > 7 };"#,
    );
    let decision = decide(&policies, &scenario("motions:file", json!({"fee": 9_007_199_254_740_991_i64}))).await;
    let text = "policy `guard` could not be evaluated: integer overflow";
    assert_eq!((decision.reasons()[0].text(), &*decision.errors()[0].text), (text, text));
    assert!(!format!("{decision:?}").contains("9007199254740991"));
}

/// A policy that would never see the time would be false, whatever it forbids.
#[tokio::test]
async fn the_time_is_told_however_it_is_spelled() {
    for condition in ["context has now", r#"context has "n\u{6f}w""#, r#"context["n\x6fw"] >= datetime("1970-01-01")"#]
    {
        let forbids = format!(
            "permit (principal, action, resource); forbid (principal, action, resource) when {{ {condition} }};"
        );
        let code = answer(&policies(&forbids), &scenario("records:read", json!({}))).await;
        assert_eq!(code, "policy_forbidden", "{condition}");
    }
}

/// Whatever an agent writes, and however much of it, a decision says little of it.
#[tokio::test]
async fn what_an_agent_writes_does_not_swell_a_decision() {
    let policies = policies("permit (principal, action, resource);");
    let long = "x".repeat(60_000);
    for (asked, expected) in [
        (scenario("motions:file", json!({"fee": long})), "argument_refused"),
        (scenario("motions:file", json!({"fee": 1, "title": [long]})), "argument_refused"),
        (scenario("motions:file", json!({"fee": 1, &long: 1})), "argument_refused"),
        (scenario("motions:file", json!({"fee": 1, "title": long})), "allow"),
        (scenario("motions:file", json!({"fee": 1})).on(&long, "1"), "policy_not_in_schema"),
        (scenario("motions:file", json!({"fee": 1})).on("case", &long), "allow"),
    ] {
        let decision = decide(&policies, &asked).await;
        assert!(format!("{decision:?}").len() < 1000, "{expected}");
        assert_eq!(answer(&policies, &asked).await, expected);
    }
}
