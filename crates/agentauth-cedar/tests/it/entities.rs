//! What policies know of entities: from the file, and from a provider.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agentauth_cedar::{CedarPolicies, EntityFacts, EntityProvider, EntityQuery, Sources};
use agentauth_core::policy::{PolicyError, Scenario};
use agentauth_core::{AgentId, IssuerId, PrincipalId, SpiffeId, Timestamp};
use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{LAWYER, STS, alice, answer, decide, scenario};

const SCHEMA: &str = r#"
    entity Court in [Court];
    @kind("case") entity Case in [Court] = {
        owner: User, readers: Set<User>, fee?: decimal, opened?: datetime, seat?: { town: String, from?: ipaddr },
    };
    @kind("note") entity Note in [Case];
    action "reads";
    action "records:read" in [Action::"reads"] appliesTo { principal: [User, Client], resource: [Case, Note, Server] };
    action "notes:read" appliesTo { principal: [User, Client], resource: Note };
"#;

const ALICE: &str = "https://sts.court.example#alice";
const BOB: &str = "https://sts.court.example#bob";

const OWN: &str = r#"permit (principal, action == Action::"records:read", resource is Case)
    when { resource.owner == principal };"#;

/// Tells what it was told, and counts how often it is asked.
#[derive(Debug, Default)]
struct Register {
    facts: Mutex<HashMap<(String, String), EntityFacts>>,
    asked: AtomicUsize,
    lifetime: Duration,
}

impl Register {
    fn new() -> Self {
        Self { lifetime: Duration::from_secs(30), ..Self::default() }
    }

    fn tells(self, kind: &str, id: &str, facts: EntityFacts) -> Self {
        self.tell(kind, id, facts);
        self
    }

    fn tell(&self, kind: &str, id: &str, facts: EntityFacts) {
        self.facts.lock().unwrap().insert((kind.into(), id.into()), facts);
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl EntityProvider for Register {
    async fn facts(&self, of: &EntityQuery<'_>) -> Result<EntityFacts, PolicyError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if of.id() == "unreadable" {
            return Err(PolicyError::new("the register is closed"));
        }
        if of.id() == "slow" {
            return pending().await;
        }
        let facts = self.facts.lock().unwrap();
        Ok(facts.get(&(of.kind().into(), of.id().into())).cloned().unwrap_or_default())
    }

    fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

fn case(owner: &str) -> EntityFacts {
    EntityFacts::none().with("owner", owner).with("readers", json!([]))
}

fn policies(text: &str) -> CedarPolicies {
    CedarPolicies::new(&Sources::new().schema("a.cedarschema", SCHEMA).policies("a.cedar", text)).unwrap()
}

fn with_file(text: &str, entities: &Value) -> CedarPolicies {
    let sources = Sources::new().schema("a.cedarschema", SCHEMA).policies("a.cedar", text);
    CedarPolicies::new(&sources.entities("entities.json", &entities.to_string())).unwrap()
}

fn read() -> Scenario {
    scenario("records:read", json!({}))
}

fn of(principal: PrincipalId) -> Scenario {
    let mut read = read();
    read.principal = principal;
    read
}

fn bob() -> PrincipalId {
    PrincipalId::new(IssuerId::new(STS).unwrap(), "bob")
}

#[tokio::test]
async fn who_owns_a_case_reads_it() {
    let register = Register::new().tells("Case", "17", case(ALICE)).tells("Case", "18", case(BOB));
    let policies = policies(OWN).entities(register);
    assert_eq!(answer(&policies, &read()).await, "allow");
    assert_eq!(answer(&policies, &read().on("case", "18")).await, "policy_not_permitted");
    assert_eq!(answer(&policies, &of(bob())).await, "policy_not_permitted");
    assert_eq!(answer(&policies, &of(bob()).on("case", "18")).await, "allow");
}

#[tokio::test]
async fn what_a_group_may_its_members_may_however_deep_they_are_in_it() {
    const CLERKS: &str = r#"permit (principal in Group::"clerks", action, resource) when {
        context.agent in AgentGroup::"officers"
    };"#;
    let on_note = || read().on("note", "1");
    let register = Register::new()
        .tells("User", ALICE, EntityFacts::none().in_group("juniors"))
        .tells("Group", "juniors", EntityFacts::none().in_group("clerks"))
        .tells("Agent", LAWYER, EntityFacts::none().in_group("lawyers"))
        .tells("AgentGroup", "lawyers", EntityFacts::none().in_group("officers"));
    let told = policies(CLERKS).entities(register);
    let file = with_file(
        CLERKS,
        &json!({
            "groups": {"juniors": {"users": [ALICE], "in": ["clerks"]}, "clerks": {}},
            "agent_groups": {"lawyers": {"agents": [LAWYER], "in": ["officers"]}},
        }),
    );
    let half = with_file(CLERKS, &json!({"groups": {"juniors": {"users": [ALICE], "in": ["clerks"]}}})).entities(
        Register::new().tells("Agent", LAWYER, EntityFacts::none().in_group("lawyers")).tells(
            "AgentGroup",
            "lawyers",
            EntityFacts::none().in_group("officers"),
        ),
    );
    for policies in [told, file, half] {
        assert_eq!(answer(&policies, &on_note()).await, "allow");
        let mut of_bob = on_note();
        of_bob.principal = bob();
        assert_eq!(answer(&policies, &of_bob).await, "policy_not_permitted");
        let mut by_another = on_note();
        by_another.agent = "spiffe://court.example/agent/lawyer/8".parse::<SpiffeId>().unwrap().into();
        assert_eq!(answer(&policies, &by_another).await, "policy_not_permitted");
    }
}

#[tokio::test]
async fn what_is_forbidden_of_what_a_resource_names_or_is_in_is_known() {
    let forbids = r#"permit (principal, action, resource);
        forbid (principal, action, resource in Court::"sealed");
        forbid (principal, action, resource is Case) when { resource.owner in Group::"suspects" };"#;
    let register = Register::new()
        .tells("Note", "1", EntityFacts::none().inside("Case", "17"))
        .tells("Note", "2", EntityFacts::none().inside("Case", "18"))
        .tells("Case", "17", case(BOB).inside("Court", "north"))
        .tells("Case", "18", case(BOB))
        .tells("Case", "19", case(ALICE))
        .tells("Court", "north", EntityFacts::none().inside("Court", "sealed"))
        .tells("User", BOB, EntityFacts::none().in_group("accused"))
        .tells("Group", "accused", EntityFacts::none().in_group("suspects"));
    let policies = policies(forbids).entities(register);
    for (kind, id, expected) in [
        ("note", "1", "policy_forbidden"),
        ("note", "2", "allow"),
        ("case", "18", "policy_forbidden"),
        ("case", "19", "allow"),
    ] {
        assert_eq!(answer(&policies, &read().on(kind, id)).await, expected, "{kind} {id}");
    }
}

#[tokio::test]
async fn an_action_is_in_what_the_schema_says() {
    let policies = policies(
        r#"permit (principal, action, resource);
        forbid (principal, action in Action::"reads", resource) unless { context.server == Server::"https://x.example" };"#,
    );
    assert_eq!(answer(&policies, &read().on("note", "1")).await, "policy_forbidden");
    assert_eq!(answer(&policies, &scenario("notes:read", json!({})).on("note", "1")).await, "allow");
}

#[tokio::test]
async fn what_is_told_is_of_the_types_in_the_schema_or_denies() {
    let attributes = |more: Value| {
        let mut facts = case(ALICE);
        let Value::Object(more) = more else { panic!() };
        facts.attributes.extend(more);
        facts
    };
    let all = r#"permit (principal, action, resource);"#;
    for (facts, expected) in [
        (case(ALICE), "allow"),
        (attributes(json!({"fee": 1.5, "opened": "2026-11-28T09:00:00Z", "readers": [BOB]})), "allow"),
        (attributes(json!({"seat": {"town": "Rye", "from": "10.0.0.0/8"}})), "allow"),
        (EntityFacts::none(), "entity_refused"),
        (EntityFacts::none().with("owner", ALICE), "entity_refused"),
        (attributes(json!({"colour": "red"})), "entity_refused"),
        (attributes(json!({"owner": {"__entity": {"type": "User", "id": ALICE}}})), "entity_refused"),
        (attributes(json!({"owner": {"type": "User", "id": ALICE}})), "entity_refused"),
        (attributes(json!({"owner": "alice"})), "entity_refused"),
        (attributes(json!({"owner": 7})), "entity_refused"),
        (attributes(json!({"readers": ALICE})), "entity_refused"),
        (attributes(json!({"readers": ["https://sts.court.example#alice#b#c"]})), "entity_refused"),
        (attributes(json!({"fee": 1.23456})), "entity_refused"),
        (attributes(json!({"fee": {"__extn": {"fn": "decimal", "arg": "1.5"}}})), "entity_refused"),
        (attributes(json!({"opened": "yesterday"})), "entity_refused"),
        (attributes(json!({"seat": {}})), "entity_refused"),
        (attributes(json!({"seat": {"town": "Rye", "from": "10.0.0.0/99"}})), "entity_refused"),
        (attributes(json!({"fee": null})), "entity_refused"),
        (case(ALICE).inside("Case", "18"), "entity_refused"),
        (case(ALICE).inside("Fortress", "1"), "entity_refused"),
        (case(ALICE).in_group("clerks"), "entity_refused"),
    ] {
        let policies = policies(all).entities(Register::new().tells("Case", "17", facts.clone()));
        assert_eq!(answer(&policies, &read()).await, expected, "{facts:?}");
    }
}

#[tokio::test]
async fn nobody_tells_what_was_verified() {
    let none = EntityFacts::none;
    for (kind, id, facts) in [
        ("User", ALICE, none().with("subject", "bob")),
        ("User", ALICE, none().with("tenant", "t")),
        ("User", ALICE, none().inside("Subject", BOB)),
        ("Agent", LAWYER, none().with("name", "x")),
        ("Agent", LAWYER, none().inside("SpiffePath", "spiffe://court.example/agent/judge")),
        ("Agent", LAWYER, none().inside("TrustDomain", "other.example")),
        ("Agent", LAWYER, none().inside("Issuer", STS)),
    ] {
        let policies = policies("permit (principal, action, resource);");
        let policies = policies.entities(Register::new().tells(kind, id, facts.clone()));
        assert_eq!(answer(&policies, &read().on("note", "1")).await, "entity_refused", "{facts:?}");
    }
}

#[tokio::test]
async fn a_resource_of_which_nothing_is_known_is_not_taken_for_one_that_has_nothing() {
    assert_eq!(answer(&policies("permit (principal, action, resource);"), &read()).await, "entity_refused");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_or_is_slow_denies() {
    let policies = policies("permit (principal, action, resource);").entities(Register::new());
    assert_eq!(answer(&policies, &read().on("note", "unreadable")).await, "policy_failed");
    let began = tokio::time::Instant::now();
    let slow = decide(&policies, &read().on("note", "slow")).await;
    assert_eq!(slow.reasons()[0].kind().code(), "policy_failed");
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!(slow.reasons()[0].text(), "the provider of entities did not answer within a second");
    assert_eq!(answer(&policies, &read().on("note", "1")).await, "allow");
}

#[tokio::test]
async fn what_was_told_counts_for_its_lifetime_and_no_longer() {
    let register = Arc::new(Register::new().tells("Case", "17", case(ALICE)));
    let policies = policies(OWN).entities(Arc::clone(&register));
    let at = |secs| read().at(Timestamp::from_secs(secs));
    assert_eq!(answer(&policies, &at(1000)).await, "allow");
    assert!(register.asked() >= 3);
    register.tell("Case", "17", case(BOB));
    assert_eq!(answer(&policies, &at(1029)).await, "allow");
    assert_eq!(register.asked(), 0);
    // Of the case, the user and the agent, all is asked again; of the new owner too.
    assert_eq!(answer(&policies, &at(1030)).await, "policy_not_permitted");
    assert_eq!(register.asked(), 4);
    register.tell("Case", "17", case(ALICE));
    // A clock that goes back makes nothing younger.
    assert_eq!(answer(&policies, &at(1029)).await, "allow");
}

#[tokio::test]
async fn facts_without_a_lifetime_are_asked_for_each_time() {
    let register = Arc::new(Register { lifetime: Duration::ZERO, ..Register::new().tells("Case", "17", case(ALICE)) });
    let policies = policies(OWN).entities(Arc::clone(&register));
    assert_eq!(answer(&policies, &read()).await, "allow");
    register.tell("Case", "17", case(BOB));
    assert_eq!(answer(&policies, &read()).await, "policy_not_permitted");
}

#[tokio::test]
async fn no_lifetime_is_longer_than_an_hour() {
    let week = Duration::from_secs(7 * 86_400);
    let register = Arc::new(Register { lifetime: week, ..Register::new().tells("Case", "17", case(ALICE)) });
    let policies = policies(OWN).entities(Arc::clone(&register));
    assert_eq!(answer(&policies, &read().at(Timestamp::from_secs(10))).await, "allow");
    register.tell("Case", "17", case(BOB));
    assert_eq!(answer(&policies, &read().at(Timestamp::from_secs(3609))).await, "allow");
    assert_eq!(answer(&policies, &read().at(Timestamp::from_secs(3610))).await, "policy_not_permitted");
}

#[tokio::test]
async fn who_is_in_more_than_is_looked_at_is_refused_and_not_looked_at_in_part() {
    let all = "permit (principal, action, resource);";
    let on_note = || read().on("note", "1");
    let groups = |count: usize| (0..count).fold(EntityFacts::none(), |facts, n| facts.in_group(&format!("g{n}")));
    // One more is the subject that every user is in.
    for (count, expected) in [(127, "allow"), (128, "entity_refused"), (5000, "entity_refused")] {
        let policies = policies(all).entities(Register::new().tells("User", ALICE, groups(count)));
        assert_eq!(answer(&policies, &on_note()).await, expected, "{count}");
    }
    let chain = |count: usize| {
        let first = Register::new().tells("User", ALICE, EntityFacts::none().in_group("g0"));
        (0..count).fold(first, |register, n| {
            register.tells("Group", &format!("g{n}"), EntityFacts::none().in_group(&format!("g{}", n + 1)))
        })
    };
    for (count, expected) in [(120, "allow"), (128, "entity_refused"), (1000, "entity_refused")] {
        assert_eq!(answer(&policies(all).entities(chain(count)), &on_note()).await, expected, "{count}");
    }
    let circle = chain(3).tells("Group", "g3", EntityFacts::none().in_group("g1"));
    assert_eq!(answer(&policies(all).entities(circle), &on_note()).await, "entity_refused");
    let readers: Vec<String> = (0..300).map(|n| format!("{STS}#u{n}")).collect();
    let crowd = Register::new().tells("Case", "17", case(ALICE).with("readers", readers));
    assert_eq!(answer(&policies(all).entities(crowd), &read()).await, "entity_refused");
}

#[tokio::test]
async fn file_and_provider_together_tell_all_and_neither_contradicts_the_other() {
    let file = json!({"entities": {"Case": {"17": {"attributes": {"owner": ALICE}, "in": {"Court": ["north"]}}}}});
    let readers = || EntityFacts::none().with("readers", json!([]));
    let policies = |told| with_file(OWN, &file).entities(Register::new().tells("Case", "17", told));
    assert_eq!(answer(&policies(readers()), &read()).await, "allow");
    assert_eq!(answer(&policies(readers().with("owner", ALICE)), &read()).await, "entity_refused");
}

fn problems(entities: &str) -> String {
    let sources = Sources::new().schema("a.cedarschema", SCHEMA).entities("entities.json", entities);
    CedarPolicies::new(&sources).unwrap_err().to_string()
}

#[test]
fn everything_that_is_wrong_in_the_file_is_shown_in_its_place() {
    insta::assert_snapshot!(problems(
        r#"{
  "groups": {
    "clerks": { "users": ["bob", 7], "members": [] },
    "a": { "in": ["b"] },
    "b": { "in": ["a"] },
    "a": {}
  },
  "agent_groups": { "lawyers": { "agents": ["lawyer"], "users": [] } },
  "entities": {
    "Castle": {},
    "Case": {
      "17": {
        "attributes": { "owner": "bob@sts", "colour": "red", "readers": "x", "fee": 1.23456 },
        "in": { "Case": ["18"], "Court": "north" },
        "tags": {}
      }
    },
    "User": { "alice": {}, "https://sts.court.example#alice": { "attributes": { "subject": "bob" } } }
  },
  "things": []
}"#
    ));
    insta::assert_snapshot!(problems("{\n  \"groups\": {\n    \"a\": {},\n  }\n}"));
    insta::assert_snapshot!(problems("[]"));
    insta::assert_snapshot!(problems(
        r#"{"entities": {"Case": {"1": {"attributes": {"seat": {"town": "a", "town": "b"}}}}}}"#
    ));
}

#[test]
fn a_group_in_itself_is_shown() {
    insta::assert_snapshot!(problems(r#"{"groups": {"a": {"in": ["b"]}, "b": {"in": ["a"]}, "c": {"in": ["a"]}}}"#));
}

#[tokio::test]
async fn the_application_gives_users_attributes() {
    let schema = format!("{SCHEMA}\nentity User = {{ clearance: Long, manager?: User }};");
    let policy = r#"permit (principal is User, action, resource) when { principal.clearance >= 3 };"#;
    let policies = |register| {
        let sources = Sources::new().schema("a.cedarschema", &schema).policies("a.cedar", policy);
        CedarPolicies::new(&sources).unwrap().entities(register)
    };
    let on_note = || read().on("note", "1");
    let clearance = |level: i64| EntityFacts::none().with("clearance", level);
    let known = |facts| policies(Register::new().tells("User", ALICE, facts));
    assert_eq!(answer(&known(clearance(3)), &on_note()).await, "allow");
    assert_eq!(answer(&known(clearance(2)), &on_note()).await, "policy_not_permitted");
    assert_eq!(answer(&known(EntityFacts::none()), &on_note()).await, "entity_refused");
    // Of a manager nothing is known, so that of alice too little is.
    assert_eq!(answer(&known(clearance(3).with("manager", BOB)), &on_note()).await, "entity_refused");
}

#[test]
fn a_provider_is_told_who_it_is_asked_about() {
    #[derive(Debug)]
    struct Asks;
    #[async_trait]
    impl EntityProvider for Asks {
        async fn facts(&self, of: &EntityQuery<'_>) -> Result<EntityFacts, PolicyError> {
            match of.kind() {
                "User" => assert_eq!((of.principal(), of.agent()), (Some(alice()), None)),
                "Agent" => assert_eq!(
                    (of.principal(), of.agent()),
                    (None, Some(AgentId::from(LAWYER.parse::<SpiffeId>().unwrap())))
                ),
                _ => assert_eq!((of.principal(), of.agent(), of.kind(), of.id()), (None, None, "Note", "1")),
            }
            Ok(EntityFacts::none())
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let policies = policies("permit (principal, action, resource);").entities(Asks);
    assert_eq!(runtime.block_on(answer(&policies, &read().on("note", "1"))), "allow");
}

/// Groups `g0` to `g3`, users `u0` to `u3`, cases of some of them.
fn facts() -> impl Strategy<Value = Vec<(usize, u8)>> {
    proptest::collection::vec((0_usize..4, any::<u8>()), 4)
}

fn town(facts: &[(usize, u8)]) -> Register {
    let mut register = Register::new();
    for (n, (owner, groups)) in facts.iter().enumerate() {
        register = register.tells("Case", &n.to_string(), case(&format!("{STS}#u{owner}")));
        let user = (0..4)
            .filter(|group| groups & (1 << group) != 0)
            .fold(EntityFacts::none(), |facts, group| facts.in_group(&format!("g{group}")));
        register = register.tells("User", &format!("{STS}#u{n}"), user);
    }
    register
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// What is told of one user changes nothing for another, on a case that is not the first one's.
    #[test]
    fn what_is_told_of_one_changes_nothing_for_another(facts in facts(), changed in 0_usize..4, groups in any::<u8>()) {
        let text = r#"
            permit (principal, action, resource is Case) when { resource.owner == principal };
            permit (principal in Group::"g0", action, resource);
            forbid (principal in Group::"g1", action, resource);
            forbid (principal, action, resource is Case) when { resource.owner in Group::"g2" };
        "#;
        let mut other = facts.clone();
        other[changed].1 = groups;
        let (before, after) = (policies(text).entities(town(&facts)), policies(text).entities(town(&other)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for user in 0..4 {
            for (case, (owner, _)) in facts.iter().enumerate() {
                let principal = PrincipalId::new(IssuerId::new(STS).unwrap(), &format!("u{user}"));
                let asked = of(principal).on("case", &case.to_string());
                if user != changed && *owner != changed {
                    let answers = (runtime.block_on(answer(&before, &asked)), runtime.block_on(answer(&after, &asked)));
                    prop_assert_eq!(answers.0, answers.1, "u{} on {}", user, case);
                }
            }
        }
    }
}
