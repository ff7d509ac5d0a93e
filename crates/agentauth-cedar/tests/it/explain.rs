//! Why a request is decided as it is, so that a newcomer could change the policies.

use agentauth_cedar::{CedarPolicies, Explanation, Outcome, Sources};
use agentauth_core::policy::Scenario;
use agentauth_core::{AgentId, IssuerId, Mode, PrincipalId};
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{STS, policies, scenario};

const POLICIES: &str = r#"
@id("lawyers-file-small-motions")
permit (
    principal in Group::"clients",
    action == Action::"motions:file",
    resource is Case
) when {
    context.agent in SpiffePath::"spiffe://court.example/agent/lawyer" &&
    context.arguments.fee <= 500
} unless { context.arguments has title && context.arguments.title like "*URGENT*" };

@id("large-motions") @approval("8h")
permit (principal == User::"https://sts.court.example#alice", action == Action::"motions:file", resource == Case::"17")
when { context.arguments.fee > 500 && (context.arguments.fee <= 5000 || context.delegation.depth == 1) };

@id("anybody-reads") @reason("records are public")
permit (principal, action == Action::"records:read", resource)
when { context.agent in TrustDomain::"court.example" };

@id("sealed") @message("The case is sealed.") @reason("sealed by the judge")
forbid (principal, action, resource == Case::"99");

@id("thieves")
forbid (principal, action == Action::"records:read", resource)
when { context.agent in SpiffePath::"spiffe://court.example/agent/thief" };

@id("guard")
forbid (principal, action == Action::"motions:file", resource is Server)
when { context.arguments.fee * 1000000 > 100000 };
"#;

/// Nothing in these tests waits.
fn explain(policies: &CedarPolicies, scenario: &Scenario) -> Explanation {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(policies.explain(&scenario.request()))
}

fn explained(scenario: &Scenario) -> Explanation {
    explain(&policies(POLICIES), scenario)
}

fn file(fee: i64) -> Scenario {
    scenario("motions:file", json!({"title": "a secret motion", "fee": fee}))
}

#[test]
fn a_denial_names_what_is_missing() {
    let mut by_clerk = file(900);
    by_clerk.agent = "spiffe://court.example/agent/clerk".parse::<agentauth_core::SpiffeId>().unwrap().into();
    by_clerk.principal = PrincipalId::new(IssuerId::new(STS).unwrap(), "bob");
    let explained = explained(&by_clerk);
    assert_snapshot!("nearest_misses", explained.to_string());
    let misses: Vec<usize> = explained.nearest.iter().map(|policy| policy.misses().count()).collect();
    assert_eq!(misses, [1, 3]);
    // Values are for those who are shown the explanation.
    assert!(!format!("{explained:?}").contains("900"), "{explained:?}");
}

#[test]
fn an_answer_names_the_policies_that_gave_it() {
    assert_snapshot!("permitted", explained(&file(900)).to_string());
    assert_snapshot!("forbidden", explained(&file(120).on("case", "99")).to_string());
    let mut erring = file(9_007_199_254_740_991);
    erring.resource = None;
    assert_snapshot!("erred", explained(&erring).to_string());
}

#[test]
fn what_the_schema_refuses_is_told_with_what_it_takes() {
    let wrong = scenario("motions:file", json!({"titel": "x", "fee": 1}));
    assert_snapshot!("arguments_refused", explained(&wrong).to_string());
    for (asked, word) in [
        (scenario("motion:file", json!({})), "did you mean `motions:file`?"),
        (scenario("burn", json!({})), "the schema has the actions `motions:file` and `records:read`"),
        (
            scenario("records:read", json!({})).on("statue", "1"),
            "of type `Case` and `Server`, which requests call `Server` and `case`",
        ),
        (scenario("records:read", json!({"a": 1})), "`records:read` takes no arguments"),
    ] {
        let explained = explained(&asked);
        assert!(explained.needed[0].contains(word) || explained.needed[1].contains(word), "{explained}");
        assert!(explained.nearest.is_empty() && explained.deciding.is_empty());
    }
}

#[test]
fn an_entity_that_is_not_told_whole_is_what_is_needed() {
    let schema =
        "@kind(\"case\") entity Case { owner: User };\naction \"read\" appliesTo { principal: User, resource: Case };";
    let sources =
        Sources::new().schema("a.cedarschema", schema).policies("a.cedar", "permit (principal, action, resource);");
    let refused = explain(&CedarPolicies::new(&sources).unwrap(), &scenario("read", json!({})).on("case", "17"));
    assert!(refused.to_string().starts_with("Denied (entity_refused)"), "{refused}");
    assert!(refused.needed[0].contains("entities.json, or by the provider"), "{refused}");
}

#[test]
fn a_caller_without_a_delegation_learns_how_policies_permit_it() {
    let read = scenario("records:read", json!({})).in_mode(Mode::ClientOnly);
    let refused = explained(&read);
    assert!(refused.needed[1].contains("CedarPolicies::even_in(Mode::ClientOnly)"), "{refused}");
    let permitted = explain(&policies(POLICIES).even_in(Mode::ClientOnly), &read);
    assert!(permitted.is_allowed() && permitted.needed.is_empty());
}

#[test]
fn who_is_forbidden_through_another_learns_through_whom() {
    let mut claimed = scenario("records:read", json!({}));
    let thief = "spiffe://court.example/agent/thief/3";
    claimed.agent = AgentId::Named { issuer: IssuerId::new(STS).unwrap(), name: thief.into() };
    let explained = explained(&claimed);
    assert_eq!(explained.deciding[0].applies_to.as_deref(), Some(thief));
    assert!(explained.needed[0].contains("by whose name or through whom"), "{explained}");
}

#[test]
fn no_more_than_the_nearest_policies_are_shown() {
    let many: String = (0..20)
        .map(|n| {
            format!(
                "@id(\"p{n}\") permit (principal, action == Action::\"motions:file\", resource) when {{ context.arguments.fee < {n} \
                 {} }};",
                "&& context.delegation.depth > 7".repeat(n % 7)
            )
        })
        .collect();
    let explained = explain(&policies(&many), &file(900));
    let shown: Vec<&str> = explained.nearest.iter().map(|policy| &*policy.policy).collect();
    assert_eq!(shown, ["p0", "p7", "p14"]);
}

#[test]
fn what_stands_behind_a_guard_is_not_reached() {
    let guarded = policies(
        "permit (principal, action == Action::\"motions:file\", resource) when { context.arguments has title && \
         context.arguments.title == \"x\" && context.arguments.fee < 5 };",
    );
    let explained = explain(&guarded, &scenario("motions:file", json!({"fee": 9})));
    let outcomes: Vec<&Outcome> = explained.nearest[0].parts.iter().map(|part| &part.outcome).collect();
    assert_eq!(outcomes, [&Outcome::Met, &Outcome::NotMet, &Outcome::NotReached, &Outcome::NotMet]);
    assert!(explained.to_string().contains("help: give the argument `title`"), "{explained}");
}

#[test]
fn a_set_without_a_policy_for_the_action_says_so() {
    let read = scenario("records:read", json!({}));
    for (text, word) in [
        ("forbid (principal, action, resource == Case::\"1\");", "no policy in force permits anything"),
        (
            "permit (principal, action == Action::\"motions:file\", resource == Case::\"5\");",
            "no policy is for `records:read`",
        ),
        ("permit (principal, action == Action::\"motions:file\", resource);", "the policy is for another action"),
    ] {
        let explained = explain(&policies(text), &read).to_string();
        assert!(explained.contains(word), "{explained}");
    }
}

#[test]
fn programs_get_an_explanation_as_json() {
    let json = serde_json::to_value(explained(&file(900).on("case", "18"))).unwrap();
    assert_eq!(json["asked"]["arguments"], json!(["fee", "title"]));
    assert_eq!(json["decision"]["effect"], "deny");
    assert_eq!(json["nearest"][0]["policy"], "large-motions");
    assert_eq!(json["nearest"][0]["parts"][2]["outcome"], "not_met");
    assert_eq!(json["nearest"][0]["parts"][2]["values"], json!([["resource", "Case::\"18\""]]));
}

/// What stands in `unless` is met where it does not hold.
#[test]
fn what_must_not_hold_is_told_as_that() {
    let policies = policies(
        r#"@id("calm") permit (principal, action == Action::"motions:file", resource)
        unless { context.arguments has title && context.arguments.title like "*secret*" };
        @id("small") forbid (principal, action == Action::"motions:file", resource)
        unless { context.arguments.fee <= 500 };"#,
    );
    let missed = explain(&policies, &file(5)).to_string();
    assert!(missed.contains("this is so, and must not be") && !missed.contains("this is not so"), "{missed}");
    let forbidden = explain(&policies, &file(900)).to_string();
    assert!(forbidden.contains("\n  not: context.arguments.fee <= 500\n"), "{forbidden}");
}
