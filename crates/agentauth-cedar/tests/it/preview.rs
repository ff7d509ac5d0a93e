//! What is seen ahead is so: `Never` and `Always` hold for all arguments.

use std::cell::Cell;

use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::policy::{Arguments, Effect, Preview, Scenario};
use agentauth_core::{AgentId, IssuerId, Mode, PolicyEngine, SpiffeId, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{STS, decide, policies, scenario};

const SCHEMA: &str = r#"
    @kind("case") entity Case = { owner?: String, judge?: String };
    action "motions:file" appliesTo {
        principal: [User, Client], resource: [Case, Server],
        context: { arguments: { title?: String, fee: Long, parties: Set<String>, court: { seat: String } } }
    };
    action "records:read" appliesTo { principal: [User, Client], resource: [Case, Server] };
"#;

const ENTITIES: &str = r#"{
    "groups": { "staff": { "users": ["https://sts.court.example#alice"] } },
    "entities": { "Case": { "17": { "attributes": { "owner": "x" } } } }
}"#;

fn file() -> Scenario {
    scenario("motions:file", json!({}))
}

fn preview(text: &str, scenario: &Scenario) -> Preview {
    policies(text).preview(&scenario.preview())
}

#[test]
fn what_no_scope_could_match_is_never_possible() {
    let of_alice = r#"permit (principal == User::"https://sts.court.example#alice", action == Action::"motions:file", resource is Case)
        when { context.arguments.fee <= 500 };"#;
    assert!(matches!(preview(of_alice, &file()), Preview::Possibly(_)));
    let mut bob = file();
    bob.principal = agentauth_core::PrincipalId::new(IssuerId::new(STS).unwrap(), "bob");
    assert_eq!(preview(of_alice, &bob), Preview::Never);
    assert_eq!(preview(of_alice, &scenario("records:read", json!({}))), Preview::Never);
    assert_eq!(preview(of_alice, &scenario("motions:burn", json!({}))), Preview::Never);
    assert_eq!(preview(of_alice, &file().on("statue", "1")), Preview::Never);
    let mut nowhere = file();
    nowhere.resource = None;
    assert_eq!(preview(of_alice, &nowhere), Preview::Never);
    assert!(matches!(policies(of_alice).preview(&nowhere.preview_anywhere()), Preview::Possibly(_)));
    assert_eq!(preview("", &file()), Preview::Never);
    assert_eq!(
        preview(r#"permit (principal, action, resource); forbid (principal, action, resource is Case);"#, &file()),
        Preview::Never
    );
    assert_eq!(preview(r#"@mode("shadow") permit (principal, action, resource);"#, &file()), Preview::Never);
}

#[test]
fn modes_and_paths_that_are_denied_are_never_possible() {
    let all = || policies("permit (principal, action, resource);");
    let client = file().in_mode(Mode::ClientOnly);
    assert_eq!(all().preview(&client.preview()), Preview::Never);
    assert_ne!(all().even_in(Mode::ClientOnly).preview(&client.preview()), Preview::Never);
    let mut deep = file();
    deep.agent = format!("spiffe://court.example{}", "/a".repeat(17)).parse::<SpiffeId>().unwrap().into();
    assert_eq!(all().preview(&deep.preview()), Preview::Never);
}

#[cfg(feature = "unstable-preview")]
mod with_partial_evaluation {
    use super::*;

    const LAWYERS: &str = r#"permit (principal, action == Action::"motions:file", resource)
        when { context.arguments.fee <= 500 && context.agent in SpiffePath::"spiffe://court.example/agent/lawyer" };"#;

    #[test]
    fn what_is_left_is_shown() {
        let Preview::Possibly(Some(left)) = preview(LAWYERS, &file()) else { panic!() };
        assert!(
            left.contains("context.arguments.fee <= 500") || left.contains("(context.arguments).fee <= 500"),
            "{left}"
        );
        assert!(!left.contains("AgentauthArguments"), "{left}");
    }

    #[test]
    fn another_agent_never_is_permitted() {
        let mut clerk = file();
        clerk.agent = "spiffe://court.example/agent/clerk".parse::<SpiffeId>().unwrap().into();
        assert_eq!(preview(LAWYERS, &clerk), Preview::Never);
        assert_eq!(policies(LAWYERS).preview(&clerk.preview_anywhere()), Preview::Never);
    }

    #[test]
    fn what_nothing_is_left_of_is_always_permitted_but_on_no_condition() {
        assert_eq!(preview("permit (principal, action, resource);", &file()), Preview::Always);
        assert!(matches!(
            preview(r#"@approval("8h") permit (principal, action, resource);"#, &file()),
            Preview::Possibly(_)
        ));
        let overflowing = r#"permit (principal, action, resource);
            forbid (principal, action == Action::"motions:file", resource) when { context.arguments.fee * 2 > 9 };"#;
        assert!(matches!(preview(overflowing, &file()), Preview::Possibly(_)));
    }

    #[test]
    fn holders_and_claimed_names_are_looked_at() {
        let set = r#"permit (principal, action, resource);
            forbid (principal, action, resource) when { context.agent in SpiffePath::"spiffe://court.example/agent/thief" };"#;
        let thief: SpiffeId = "spiffe://court.example/agent/thief".parse().unwrap();
        let mut through = file();
        through.holders = vec![thief.clone().into()];
        assert_eq!(preview(set, &through), Preview::Never);
        let mut claimed = file();
        claimed.agent = AgentId::Named { issuer: IssuerId::new(STS).unwrap(), name: thief.as_str().into() };
        assert_eq!(preview(set, &claimed), Preview::Never);
        assert_eq!(preview(set, &file()), Preview::Always);
    }

    /// Tells nothing, and could have told anything.
    #[derive(Debug)]
    struct Quiet;

    #[async_trait::async_trait]
    impl agentauth_cedar::EntityProvider for Quiet {
        async fn facts(
            &self,
            _: &agentauth_cedar::EntityQuery<'_>,
        ) -> Result<agentauth_cedar::EntityFacts, agentauth_core::policy::PolicyError> {
            Ok(agentauth_cedar::EntityFacts::none())
        }
    }

    #[test]
    fn what_a_provider_may_yet_tell_is_open() {
        let staff = r#"permit (principal in Group::"staff", action, resource);"#;
        assert_eq!(preview(staff, &file()), Preview::Never);
        assert!(matches!(policies(staff).entities(Quiet).preview(&file().preview()), Preview::Possibly(_)));
        // It may fail, which denies.
        let all = "permit (principal, action, resource);";
        assert!(matches!(policies(all).entities(Quiet).preview(&file().preview()), Preview::Possibly(_)));
    }

    #[test]
    fn a_resource_that_must_be_known_may_be_refused() {
        let schema = r#"@kind("case") entity Case = { owner: String };
            action "records:read" appliesTo { principal: User, resource: Case };"#;
        let sources = Sources::new().schema("a.cedarschema", schema);
        let set = CedarPolicies::new(&sources.policies("a.cedar", "permit (principal, action, resource);")).unwrap();
        let read = scenario("records:read", json!({}));
        assert_eq!(set.preview(&read.preview()), Preview::Never, "nobody tells whose it is");
        assert!(matches!(set.preview(&read.preview_anywhere()), Preview::Possibly(_)));
    }

    #[test]
    fn a_policy_on_all_arguments_at_once_is_open() {
        let schema = r#"action "fees:pay" appliesTo {
            principal: User, resource: Server, context: { arguments: { fee: Long } }
        };"#;
        let preview = |text: &str| {
            let set =
                CedarPolicies::new(&Sources::new().schema("a.cedarschema", schema).policies("a.cedar", text)).unwrap();
            let mut pay = scenario("fees:pay", json!({}));
            pay.resource = None;
            set.preview(&pay.preview())
        };
        let exactly = "permit (principal, action, resource) when { context.arguments == {fee: 1} };";
        let Preview::Possibly(Some(left)) = preview(exactly) else { panic!() };
        assert!(left.contains("{fee: 1}"), "{left}");
        let forbid =
            |when: &str| preview(&format!("{exactly} forbid (principal, action, resource) when {{ {when} }};"));
        assert_eq!(forbid("context.delegation.depth > 0"), Preview::Never);
        assert!(matches!(forbid("context.delegation.depth > 1"), Preview::Possibly(_)));
        let guarded = exactly.replace("permit", "permit (principal, action, resource); forbid");
        assert!(matches!(preview(&guarded), Preview::Possibly(_)));
    }
}

fn condition(with_arguments: bool) -> impl Strategy<Value = String> {
    let facts = prop_oneof![
        Just(r#"context.agent in SpiffePath::"spiffe://court.example/agent/lawyer""#),
        Just(r#"context.agent in TrustDomain::"court.example""#),
        Just("context.delegation.depth < 2"),
        Just(r#"context.delegation.mode == Mode::"on_behalf_of""#),
        Just(r#"resource is Case && resource == Case::"17""#),
        Just(r#"resource is Case && resource has owner && resource.owner == "x""#),
        Just(r#"resource is Case && resource has judge"#),
        Just(r#"resource is Case && resource.owner == "x""#),
        Just(r#"principal is User && principal has tenant"#),
        Just(r#"principal is User && principal.subject == "alice""#),
        Just(r#"principal in Group::"staff""#),
        Just(r#"context.now < datetime("2030-01-01")"#),
        Just("9223372036854775807 + 1 == 0"),
    ];
    let arguments = prop_oneof![
        Just("context.arguments.fee <= 1"),
        Just("context.arguments.fee >= 0"),
        Just("context.arguments.fee * 9000000000000 > 9"),
        Just(r#"context.arguments has title && context.arguments.title == "a""#),
        Just(r#"context.arguments has title && context.arguments.title like "*""#),
        Just(r#"context.arguments.parties.contains("a")"#),
        Just("context.arguments.parties.isEmpty()"),
        Just(r#"context.arguments.court.seat == "Basel""#),
        Just(r#"context.arguments.court == {seat: "Basel"}"#),
    ];
    let atom = if with_arguments { prop_oneof![1 => facts, 2 => arguments].boxed() } else { facts.boxed() };
    atom.prop_map(str::to_owned).prop_recursive(3, 8, 2, |part| {
        prop_oneof![
            3 => (part.clone(), part.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            2 => (part.clone(), part.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
            1 => part.clone().prop_map(|a| format!("!({a})")),
            1 => (part.clone(), part.clone(), part).prop_map(|(a, b, c)| format!("if ({a}) then ({b}) else ({c})")),
        ]
    })
}

fn policy() -> impl Strategy<Value = String> {
    let principal = prop_oneof![
        4 => Just("principal"),
        1 => Just(r#"principal == User::"https://sts.court.example#alice""#),
        1 => Just("principal is User"),
        1 => Just("principal is Client"),
        1 => Just(r#"principal in Subject::"https://sts.court.example#alice""#),
        1 => Just(r#"principal in Group::"staff""#),
    ];
    let resource = prop_oneof![
        4 => Just("resource"),
        2 => Just("resource is Case"),
        1 => Just(r#"resource == Case::"17""#),
        1 => Just("resource is Server"),
    ];
    let above = prop_oneof![8 => Just(""), 1 => Just("@mode(\"shadow\")\n"), 1 => Just("@approval(\"8h\")\n")];
    let effect = prop_oneof![3 => Just("permit"), 1 => Just("forbid")];
    let about = any::<bool>().prop_flat_map(|file| {
        let action = if file { r#"action == Action::"motions:file""# } else { "action" };
        let when = proptest::option::weighted(0.7, condition(file));
        when.prop_map(move |when| (action, when))
    });
    (above, effect, principal, about, resource).prop_map(|(above, effect, principal, (action, when), resource)| {
        let above = if effect == "forbid" && above.contains("approval") { "" } else { above };
        let when = when.map(|when| format!(" when {{ {when} }}")).unwrap_or_default();
        format!("{above}{effect} ({principal}, {action}, {resource}){when};\n")
    })
}

fn who() -> impl Strategy<Value = Scenario> {
    let named = |name: &str| AgentId::Named { issuer: IssuerId::new(STS).unwrap(), name: name.into() };
    let spiffe = |id: &str| AgentId::from(id.parse::<SpiffeId>().unwrap());
    let agents = [
        spiffe("spiffe://court.example/agent/lawyer/7"),
        spiffe("spiffe://other.example/agent/clerk"),
        named("spiffe://court.example/agent/lawyer"),
        named("clerk"),
    ];
    let holders = agents.clone();
    let mode = prop_oneof![6 => Just(Mode::OnBehalfOf), 1 => Just(Mode::Autonomous), 1 => Just(Mode::ClientOnly)];
    (0usize..4, proptest::option::weighted(0.2, 0usize..4), mode, any::<bool>(), 0usize..4, any::<bool>()).prop_map(
        move |(agent, holder, mode, file, depth, is_alice)| {
            let mut who = scenario(if file { "motions:file" } else { "records:read" }, json!({})).in_mode(mode);
            who.agent = agents[agent].clone();
            who.holders = holder.map(|holder| holders[holder].clone()).into_iter().collect();
            who.depth = depth;
            if !is_alice {
                who.principal = agentauth_core::PrincipalId::client(IssuerId::new(STS).unwrap(), "robot");
            }
            who.at(Timestamp::from_secs(1_800_000_000))
        },
    )
}

fn arguments(action: &str) -> Vec<Value> {
    if action == "records:read" {
        return vec![json!({})];
    }
    let mut all = Vec::new();
    for (fee, parties, title) in [
        (-1_i64, json!([]), None),
        (0, json!(["a"]), Some("a")),
        (1, json!(["b"]), Some("b")),
        (2, json!([]), Some("a")),
        (9_007_199_254_740_991, json!(["a", "b"]), None),
    ] {
        for seat in if fee < 1 { &["Basel", "Bern"][..] } else { &["Basel"] } {
            let mut one = json!({"fee": fee, "parties": parties, "court": {"seat": seat}});
            if let Some(title) = title {
                one["title"] = title.into();
            }
            all.push(one);
        }
    }
    all
}

fn allows(runtime: &tokio::runtime::Runtime, set: &CedarPolicies, scenario: &Scenario) -> bool {
    let decision = runtime.block_on(decide(set, scenario));
    decision.effect() == Effect::Allow && decision.obligations().is_empty()
}

#[test]
fn never_and_always_hold_for_all_arguments() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (nevers, always, open) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let sets = (proptest::collection::vec(policy(), 1..4), proptest::collection::vec(who(), 4), any::<bool>());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(500) });
    let law = runner.run(&sets, |(set, asking, has_entities)| {
        let text = set.concat();
        let sources = Sources::new().schema("a.cedarschema", SCHEMA).policies("a.cedar", &text);
        let sources = if has_entities { sources.entities("entities.json", ENTITIES) } else { sources };
        // What strict validation refuses cannot be in force.
        let Ok(set) = CedarPolicies::new(&sources) else { return Err(TestCaseError::reject("not a set of policies")) };
        for who in asking {
            let mut anywhere = Vec::new();
            for resource in [Some("17"), Some("18"), None] {
                let mut asked = who.clone();
                asked.resource = None;
                asked = resource.into_iter().fold(asked, |asked, id| asked.on("case", id));
                let answers: Vec<bool> = arguments(&asked.action)
                    .iter()
                    .map(|given| allows(&runtime, &set, &asked.clone().with(Arguments::of(given).unwrap())))
                    .collect();
                anywhere.extend(&answers);
                let seen = set.preview(&asked.preview());
                match &seen {
                    Preview::Never => prop_assert!(!answers.contains(&true), "never, but allowed: {asked:?}\n{text}"),
                    Preview::Always => prop_assert!(!answers.contains(&false), "always, but denied: {asked:?}\n{text}"),
                    _ => open.set(open.get() + 1),
                }
                nevers.set(nevers.get() + usize::from(seen == Preview::Never));
                always.set(always.get() + usize::from(seen == Preview::Always));
            }
            match set.preview(&who.preview_anywhere()) {
                Preview::Never => {
                    prop_assert!(!anywhere.contains(&true), "never, but allowed somewhere: {who:?}\n{text}");
                }
                Preview::Always => {
                    prop_assert!(!anywhere.contains(&false), "always, but denied somewhere: {who:?}\n{text}");
                }
                _ => {}
            }
        }
        Ok(())
    });
    law.unwrap();
    println!("{} never, {} always, {} possibly", nevers.get(), always.get(), open.get());
    assert!(nevers.get() > 500 && open.get() > 200, "too few of either kind");
    assert!(always.get() > 100 || !cfg!(feature = "unstable-preview"), "too few are always permitted");
}
