//! Is it permitted? What was delegated, then policy, then the one use of a permit.

use agentauth_core::audit::RecordKind;
use agentauth_core::policy::{
    Agents, Effect, Limit, PolicyError, Principals, Prospect, Reason, ReasonKind, Resources, Rule, Rules,
};
use agentauth_core::{
    Action, AgentAuth, Arguments, Caller, Decision, Evidence, PolicyEngine, ScopeError, ScopeImplications, ScopeSet,
    SpiffeId, TrustDomainAliases, TrustedIssuer,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::court::{
    ACCEPTED, CLERK, Court, LAWYER, Oracle, STS, authenticate, caller, chain, claims, code_of, wait, with, without,
};
use crate::support::office::set;

const CASE: &str = "2026-17";

fn agent(id: &str) -> Agents {
    Agents::exactly(id.parse::<SpiffeId>().unwrap())
}

fn principal(name: &str) -> Principals {
    Principals::exactly(STS, name).unwrap()
}

/// A rule with every part stated, for the lawyer, alice, `motions:file` and case [`CASE`].
fn rule(id: &str) -> Rule {
    filled(Rule::allow(id))
}

fn filled(rule: Rule) -> Rule {
    rule.agents(agent(LAWYER))
        .principals(principal("alice"))
        .action("motions:file")
        .resources(Resources::exactly("case", CASE))
}

/// The lawyer, for alice, at an engine with this policy.
fn lawyer(court: &Court, policy: impl PolicyEngine + 'static) -> Caller {
    caller(&court.engine().policy(policy).build().unwrap(), &court.key.mint(&claims()))
}

fn file() -> Action {
    Action::new("motions:file").unwrap().on("case", CASE)
}

fn decide<A>(caller: &Caller, action: Action<A>) -> &'static str {
    code_of(&wait(caller.authorize(action)))
}

#[test]
fn nothing_is_permitted_without_a_policy() {
    let court = Court::new();
    let without_policy = caller(&court.auth(), &court.key.mint(&claims()));
    assert_eq!(decide(&without_policy, file()), "policy_none");
    let without_rules = lawyer(&court, Rules::new([]).unwrap());
    assert_eq!(decide(&without_rules, file()), "actor_unauthorized");
}

fn matching(pattern: &str) -> Agents {
    Agents::matching(pattern.parse().unwrap())
}

/// The agents of a pattern that was written when the court's trust domain had another name.
fn renamed(pattern: &str) -> Agents {
    let aliases = TrustDomainAliases::new(["old.example", "court.example"].map(|name| name.parse().unwrap()));
    Agents::matching_any(aliases.expand(&pattern.parse().unwrap()))
}

#[test]
fn a_rule_permits_when_every_part_of_it_matches() {
    let court = Court::new();
    let other_issuer = Principals::exactly("https://b.example", "alice").unwrap();
    for (rule, expected) in [
        (rule("r"), ACCEPTED),
        (rule("r").agents(Agents::any()).principals(Principals::any()).resources(Resources::any()), ACCEPTED),
        (rule("r").agents(Agents::below("spiffe://court.example/agent").unwrap()), ACCEPTED),
        (rule("r").agents(matching("spiffe://court.example/*/lawyer")), ACCEPTED),
        (rule("r").agents(matching("spiffe://court.example/agent/*")), ACCEPTED),
        (rule("r").agents(matching("spiffe://court.example/**")), ACCEPTED),
        (rule("r").agents(matching("spiffe://court.example/*")), "actor_unauthorized"),
        (rule("r").agents(matching("spiffe://court.example/agent/law")), "actor_unauthorized"),
        (rule("r").agents(matching("spiffe://court.example/agent/lawyer/**")), "actor_unauthorized"),
        (rule("r").agents(matching("spiffe://other.example/**")), "actor_unauthorized"),
        (rule("r").agents(Agents::matching_any([])), "actor_unauthorized"),
        (rule("r").agents(renamed("spiffe://old.example/agent/lawyer")), ACCEPTED),
        (rule("r").agents(renamed("spiffe://other.example/agent/lawyer")), "actor_unauthorized"),
        (rule("r").resources(Resources::of_kind("case")), ACCEPTED),
        (rule("r").agents(agent(CLERK)), "actor_unauthorized"),
        (rule("r").agents(Agents::below("spiffe://court.example/agent/law").unwrap()), "actor_unauthorized"),
        (rule("r").agents(Agents::below("spiffe://court.example/agent/lawyer/7").unwrap()), "actor_unauthorized"),
        (rule("r").principals(principal("bob")), "actor_unauthorized"),
        (rule("r").principals(principal("Alice")), "actor_unauthorized"),
        (rule("r").principals(other_issuer), "actor_unauthorized"),
        (rule("r").action("motions:seal"), "policy_not_permitted"),
        (rule("r").action("motions:file:all"), "policy_not_permitted"),
        (rule("r").action("motions:"), "policy_not_permitted"),
        (rule("r").action("*"), "policy_not_permitted"),
        (rule("r").resources(Resources::exactly("case", "2026-18")), "policy_not_permitted"),
        (rule("r").resources(Resources::exactly("docket", CASE)), "policy_not_permitted"),
        (rule("r").resources(Resources::of_kind("docket")), "policy_not_permitted"),
        (rule("r").argument("fee", Limit::any()), "argument_outside_limit"),
    ] {
        let shown = format!("{rule:?}");
        assert_eq!(decide(&lawyer(&court, Rules::new([rule]).unwrap()), file()), expected, "{shown}");
    }
}

/// Who a token speaks for, and in what capacity, as far as rules can tell them apart.
#[test]
fn a_rule_lets_agents_act_for_others_unless_it_says_otherwise() {
    let court = Court::new();
    let delegated = claims();
    // The client of these claims is the lawyer: first without a delegation, then for itself, then a client "alice".
    let client_only = without("act");
    let for_itself = set(without("act"), "sub", LAWYER);
    let client_alice = set(set(without("act"), "sub", "alice"), "client_id", "alice");
    let any_agent = |rule: Rule| rule.agents(Agents::any());
    let allow = |principals| any_agent(rule("r")).principals(principals);
    let deny = |principals| any_agent(filled(Rule::deny("d"))).principals(principals);
    for (rules, codes) in [
        (vec![allow(principal("alice"))], [ACCEPTED, "actor_unauthorized", "actor_unauthorized", "actor_unauthorized"]),
        (vec![allow(Principals::any())], [ACCEPTED, "actor_unauthorized", "actor_unauthorized", "actor_unauthorized"]),
        (vec![allow(Principals::itself())], ["actor_unauthorized", "actor_unauthorized", ACCEPTED, ACCEPTED]),
        (
            vec![allow(principal("alice")).even_client_only()],
            [ACCEPTED, ACCEPTED, "actor_unauthorized", "actor_unauthorized"],
        ),
        (vec![deny(Principals::any())], ["policy_forbidden"; 4]),
        (
            vec![deny(principal("alice"))],
            ["policy_forbidden", "policy_forbidden", "actor_unauthorized", "policy_forbidden"],
        ),
    ] {
        for (claims, expected) in [&delegated, &client_only, &for_itself, &client_alice].into_iter().zip(codes) {
            let auth = court.engine().policy(Rules::new(rules.clone()).unwrap()).build().unwrap();
            assert_eq!(decide(&caller(&auth, &court.key.mint(claims)), file()), expected, "{rules:?} {claims}");
        }
    }
}

#[test]
fn a_deny_is_not_dodged_by_showing_less_proof() {
    let court = Court::new();
    let token = court.key.mint(&without("act"));
    let plain = || court.bare_engine().issuer(TrustedIssuer::rfc9068(STS, court.key.key_set()));
    let allow = rule("r").agents(Agents::any()).principals(Principals::any()).even_client_only();
    let below = Agents::below("spiffe://court.example/agent").unwrap();
    let patterns = ["spiffe://court.example/**", "spiffe://court.example/*/lawyer"].map(matching);
    for agents in patterns.into_iter().chain([agent(LAWYER), below, Agents::any()]) {
        let deny = filled(Rule::deny("d")).agents(agents).principals(Principals::any());
        let auth = plain().policy(Rules::new([allow.clone(), deny]).unwrap()).build().unwrap();
        let proven = Evidence::bearer(&token).with_peer(Some(court.peer(LAWYER)));
        for evidence in [Evidence::bearer(&token), proven] {
            assert_eq!(decide(&authenticate(&auth, evidence).unwrap(), file()), "policy_forbidden");
        }
    }
    let auth = plain().policy(Rules::new([allow]).unwrap()).build().unwrap();
    assert_eq!(decide(&caller(&auth, &token), file()), ACCEPTED);
}

#[test]
fn a_resource_is_named_so_that_it_can_be_shown() {
    let court = Court::new();
    let any = lawyer(&court, Oracle::permitting());
    let long = "x".repeat(2049);
    for (kind, id, expected) in [
        ("case", "2026-17 \u{e9}", ACCEPTED),
        ("case", "", "resource_malformed"),
        ("", "1", "resource_malformed"),
        ("case", "a\nb", "resource_malformed"),
        ("case", "\u{1b}[2J", "resource_malformed"),
        ("case", long.as_str(), "resource_malformed"),
    ] {
        court.records.take();
        let answer = wait(any.authorize(Action::new("motions:file").unwrap().on(kind, id)));
        assert_eq!(code_of(&answer), expected, "{kind:?} {id:.10?}");
        let shown = serde_json::to_string(&*court.records.only()).unwrap();
        assert!(shown.len() < 2000 && !shown.contains("\\n") && !shown.contains("u001b"), "{shown}");
    }
    let denied = lawyer(&court, Rules::new([rule("r").resources(Resources::of_kind("docket"))]).unwrap());
    let rejection =
        wait(denied.authorize(Action::new("motions:file").unwrap().on("case", &"x".repeat(2000)))).unwrap_err();
    assert!(rejection.to_string().len() < 300, "{rejection}");
}

/// A server may make the name of an action from what the agent asks for, and the name goes into the record.
#[test]
fn the_name_of_an_action_is_no_longer_than_a_name() {
    let named = |length: usize| "x".repeat(length);
    assert!(Action::new(&named(2048)).is_ok() && Prospect::new(&named(2048)).is_ok());
    assert_eq!(Action::new(&named(2049)).map(drop), Err(ScopeError::TooLong));
    assert_eq!(Prospect::new(&named(2049)).map(drop), Err(ScopeError::TooLong));
}

#[test]
fn an_action_without_a_resource_needs_a_rule_for_any() {
    let court = Court::new();
    let bare = || Action::new("motions:file").unwrap();
    for (resources, expected) in [
        (Resources::any(), ACCEPTED),
        (Resources::of_kind("case"), "policy_not_permitted"),
        (Resources::exactly("case", CASE), "policy_not_permitted"),
    ] {
        let caller = lawyer(&court, Rules::new([rule("r").resources(resources)]).unwrap());
        assert_eq!(decide(&caller, bare()), expected);
    }
}

#[test]
fn an_explicit_deny_wins_in_either_order() {
    let court = Court::new();
    let deny = || filled(Rule::deny("deny"));
    for rules in [vec![rule("allow"), deny()], vec![deny(), rule("allow")]] {
        assert_eq!(decide(&lawyer(&court, Rules::new(rules).unwrap()), file()), "policy_forbidden");
    }
    // A deny that is about something else takes nothing away.
    for deny in [deny().agents(agent(CLERK)), deny().principals(principal("bob")), deny().action("motions:seal")] {
        let rules = Rules::new([deny, rule("allow")]).unwrap();
        assert_eq!(decide(&lawyer(&court, rules), file()), ACCEPTED);
    }
}

#[test]
fn arguments_stay_within_their_limits_by_type_and_none_is_extra() {
    let court = Court::new();
    let rules =
        Rules::new([rule("r").argument("fee", Limit::between(0, 500)).argument("title", Limit::max_length(10))]);
    let caller = lawyer(&court, rules.unwrap());
    for (arguments, expected) in [
        (json!({"fee": 500, "title": "to dismiss"}), ACCEPTED),
        (json!({"title": "", "fee": 0}), ACCEPTED),
        (json!({"fee": 501, "title": "x"}), "argument_outside_limit"),
        (json!({"fee": -1, "title": "x"}), "argument_outside_limit"),
        (json!({"fee": "500", "title": "x"}), "argument_outside_limit"),
        (json!({"fee": 5.5, "title": "x"}), "argument_outside_limit"),
        (json!({"fee": null, "title": "x"}), "argument_outside_limit"),
        (json!({"fee": [500], "title": "x"}), "argument_outside_limit"),
        (json!({"fee": 1, "title": "to dismiss!"}), "argument_outside_limit"),
        (json!({"fee": 1}), "argument_outside_limit"),
        (json!({"title": "x"}), "argument_outside_limit"),
        (json!({"fee": 1, "title": "x", "expedite": true}), "argument_outside_limit"),
        (json!({"fee": 1, "title": "x", "Fee": 9999}), "argument_outside_limit"),
        (json!({"fee": 1, "title": "x", "": {"fee": 9999}}), "argument_outside_limit"),
        (json!({}), "argument_outside_limit"),
    ] {
        assert_eq!(decide(&caller, file().with(arguments.clone()).unwrap()), expected, "{arguments}");
    }
}

#[test]
fn a_rule_that_says_nothing_of_arguments_allows_none_and_another_rule_may_permit_more() {
    let court = Court::new();
    let fee = |fee: u32| file().with(json!({"fee": fee})).unwrap();
    let none = lawyer(&court, Rules::new([rule("none")]).unwrap());
    assert_eq!(decide(&none, fee(9999)), "argument_outside_limit");
    assert_eq!(decide(&none, file()), ACCEPTED);
    let any = lawyer(&court, Rules::new([rule("any").any_arguments()]).unwrap());
    assert_eq!(decide(&any, fee(9999)), ACCEPTED);
    let small = rule("small").argument("fee", Limit::between(0, 10));
    let large = rule("large").argument("fee", Limit::between(100, 200));
    let caller = lawyer(&court, Rules::new([small, large]).unwrap());
    for (amount, expected) in
        [(10, ACCEPTED), (11, "argument_outside_limit"), (99, "argument_outside_limit"), (150, ACCEPTED)]
    {
        assert_eq!(decide(&caller, fee(amount)), expected, "{amount}");
    }
}

#[test]
fn rules_that_are_not_fully_stated_do_not_come_into_force() {
    let any = || Rule::allow("r");
    let error = |rules: Vec<Rule>| Rules::new(rules).map(|_| ()).unwrap_err().to_string();
    let missing = |part| format!("rule `r` does not say which {part} it is for; say any() if it is for all");
    let agents = |rule: Rule| rule.agents(Agents::any());
    let principals = |rule: Rule| rule.principals(Principals::any());
    assert_eq!(error(vec![any()]), missing("agents"));
    assert_eq!(error(vec![agents(any())]), missing("principals"));
    assert_eq!(error(vec![principals(agents(any()))]), missing("action"));
    assert_eq!(error(vec![principals(agents(any())).action("a")]), missing("resources"));
    assert_eq!(error(vec![Rule::deny("r")]), missing("agents"));
    assert_eq!(error(vec![rule("r"), filled(Rule::deny("r"))]), "rule `r` stands twice");
    assert_eq!(
        error(vec![filled(Rule::deny("r")).argument("fee", Limit::any())]),
        "deny rule `r` has argument limits; state what is allowed instead"
    );
}

#[test]
fn the_version_of_rules_changes_with_what_they_permit() {
    let version = |rules: Vec<Rule>| Rules::new(rules).unwrap().version().to_owned();
    let one = version(vec![rule("r").argument("fee", Limit::between(0, 5))]);
    assert_eq!(one, version(vec![rule("r").argument("fee", Limit::between(0, 5))]));
    for other in [
        vec![],
        vec![rule("s").argument("fee", Limit::between(0, 5))],
        vec![rule("r").argument("fee", Limit::between(0, 6))],
        vec![rule("r").argument("fee", Limit::between(0, 5)).principals(Principals::any())],
    ] {
        assert_ne!(one, version(other));
    }
}

/// Standards T1: what the agent may do, what the principal may do and what was delegated must all hold.
#[test]
fn neither_agent_nor_principal_lends_the_other_its_rights() {
    let court = Court::new();
    let pair = |id: &str, agents, name: &str, action: &str| {
        Rule::allow(id).agents(agents).principals(principal(name)).action(action).resources(Resources::any())
    };
    let rules = Rules::new([
        pair("lawyer-alice", agent(LAWYER), "alice", "motions:file"),
        pair("lawyer-bob", agent(LAWYER), "bob", "records:read"),
        pair("clerk-bob", agent(CLERK), "bob", "motions:file"),
    ]);
    let auth = court.engine().policy(rules.unwrap()).build().unwrap();
    let both = "motions:file records:read";
    for (agent, name, scope, action, expected) in [
        (LAWYER, "alice", both, "motions:file", ACCEPTED),
        (LAWYER, "bob", both, "records:read", ACCEPTED),
        (CLERK, "bob", both, "motions:file", ACCEPTED),
        // The agent may, for someone else.
        (LAWYER, "bob", both, "motions:file", "policy_not_permitted"),
        // The principal may have it done, by another agent.
        (CLERK, "bob", both, "records:read", "policy_not_permitted"),
        (CLERK, "alice", both, "motions:file", "actor_unauthorized"),
        (LAWYER, "carol", both, "motions:file", "actor_unauthorized"),
        // Both may, and it was not delegated.
        (LAWYER, "alice", "records:read", "motions:file", "insufficient_scope"),
        (CLERK, "bob", "", "motions:file", "insufficient_scope"),
        // It was delegated, and no rule has it.
        (LAWYER, "alice", "records:read", "records:read", "policy_not_permitted"),
    ] {
        let mut claims = with("act", chain(&[agent]));
        (claims["sub"], claims["scope"]) = (json!(name), json!(scope));
        let caller = caller(&auth, &court.key.mint(&claims));
        assert_eq!(decide(&caller, Action::new(action).unwrap()), expected, "{agent} {name} {scope:?} {action}");
    }
}

#[test]
fn policy_is_not_asked_about_what_was_not_delegated() {
    let court = Court::new();
    let oracle = Oracle::permitting();
    let caller = lawyer(&court, oracle.clone());
    let answer = wait(caller.authorize(Action::new("records:seal").unwrap()));
    let rejection = answer.unwrap_err();
    assert_eq!((rejection.code(), rejection.status().as_u16()), ("insufficient_scope", 403));
    let challenge = rejection.challenges().remove(0);
    assert_eq!(
        challenge.to_str().unwrap(),
        "Bearer resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource\", \
         error=\"insufficient_scope\", scope=\"records:seal\""
    );
    assert!(oracle.asked.lock().unwrap().is_empty());
}

#[test]
fn a_scope_is_held_by_name_or_by_the_table_and_in_no_other_way() {
    let court = Court::new();
    let table = ScopeImplications::new().includes("records", "records:read").unwrap();
    let auth = court.engine().policy(Oracle::permitting()).implications(table).build().unwrap();
    for (held, needed, expected) in [
        ("records:read", "records:read", ACCEPTED),
        ("records", "records:read", ACCEPTED),
        ("records:read", "records", "insufficient_scope"),
        ("records", "records:write", "insufficient_scope"),
        ("record", "records:read", "insufficient_scope"),
        ("RECORDS:READ", "records:read", "insufficient_scope"),
        ("records:read:all", "records:read", "insufficient_scope"),
        ("*", "records:read", "insufficient_scope"),
        ("", "records:read", "insufficient_scope"),
    ] {
        let caller = caller(&auth, &court.key.mint(&with("scope", held)));
        assert_eq!(decide(&caller, Action::new(needed).unwrap()), expected, "{held} for {needed}");
        let needed: ScopeSet = needed.parse().unwrap();
        assert_eq!(code_of(&wait(caller.require_scopes(&needed))), expected, "{held} for {needed}");
    }
    // All of several scopes are needed, and an action may need another scope than its name.
    let caller = caller(&auth, &court.key.mint(&with("scope", "records")));
    assert_eq!(
        code_of(&wait(caller.require_scopes(&"records:read motions:file".parse().unwrap()))),
        "insufficient_scope"
    );
    let under = |scope: &str| Action::new("records:list").unwrap().under_scope(scope.parse().unwrap());
    assert_eq!(decide(&caller, under("records:read")), ACCEPTED);
    assert_eq!(decide(&caller, under("records:list")), "insufficient_scope");
}

#[test]
fn whatever_an_engine_answers_but_allow_is_a_denial() {
    let court = Court::new();
    let deny = |kind| Ok(Decision::deny(Reason::new(kind, "no")));
    for (answer, code, status, public) in [
        (Err(PolicyError::new("the store is away")), "policy_failed", 503, "temporarily_unavailable"),
        (deny(ReasonKind::PolicyFailed), "policy_failed", 503, "temporarily_unavailable"),
        (deny(ReasonKind::Forbidden), "policy_forbidden", 403, "access_denied"),
        (deny(ReasonKind::NotPermitted), "policy_not_permitted", 403, "access_denied"),
        (deny(ReasonKind::ActorNotAuthorized), "actor_unauthorized", 403, "actor_unauthorized"),
        (deny(ReasonKind::ArgumentOutsideLimit), "argument_outside_limit", 403, "access_denied"),
        (deny(ReasonKind::NoPolicy), "policy_none", 403, "access_denied"),
    ] {
        let caller = lawyer(&court, Oracle::answering(answer));
        let rejection = wait(caller.authorize(file())).unwrap_err();
        assert_eq!((rejection.code(), rejection.status().as_u16(), rejection.public_error()), (code, status, public));
        assert!(!rejection.body().contains("store"), "the caller is told one word");
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Motion {
    title: String,
    fee: u32,
}

#[test]
fn a_tool_runs_on_the_arguments_that_were_authorised() {
    let court = Court::new();
    let auth: AgentAuth = court.engine().policy(Oracle::permitting()).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    let motion = Motion { title: "to dismiss".into(), fee: 120 };
    let permit = wait(caller.authorize(file().with(motion.clone()).unwrap())).unwrap();
    assert_eq!(permit.arguments_digest(), Arguments::of(&motion).unwrap().digest());
    assert_eq!(wait(permit.run(async |given: Motion| Ok::<_, ()>(given))).unwrap(), Ok(motion));

    let read = Arguments::from_json(br#"{"fee": 120}"#).unwrap();
    let permit = wait(caller.authorize(file().with_arguments(read.clone()))).unwrap();
    assert_eq!(permit.arguments_digest(), read.digest());
    let fee = wait(permit.run(async |given: Arguments| Ok::<_, ()>(given.get("fee").cloned()))).unwrap();
    assert_eq!(fee, Ok(Some(Value::from(120))));
}

#[test]
fn how_the_tool_ended_is_recorded_under_the_decision() {
    let court = Court::new();
    let caller = lawyer(&court, Oracle::permitting());
    court.records.take();
    for (ending, code) in [(Ok(7), "succeeded"), (Err("the court is closed"), "failed")] {
        let permit = wait(caller.authorize(file().with(json!({"fee": 1})).unwrap())).unwrap();
        let id = permit.evaluation_id().to_owned();
        let decision = court.records.only();
        assert_eq!((&*decision.evaluation_id, decision.code, decision.effect), (&*id, "allowed", Effect::Allow));

        assert_eq!(wait(permit.run(async |_| ending)).unwrap(), ending);
        let outcome = court.records.only();
        assert_eq!((outcome.kind, &*outcome.evaluation_id, outcome.code), (RecordKind::Outcome, &*id, code));
        assert_eq!(outcome.authentication_id.as_deref(), Some(caller.evaluation_id()));
        let (asked, done) = (decision.action.as_ref().unwrap(), outcome.action.as_ref().unwrap());
        assert_eq!((&asked.name, &asked.resource, &asked.arguments), (&done.name, &done.resource, &done.arguments));
    }
}
