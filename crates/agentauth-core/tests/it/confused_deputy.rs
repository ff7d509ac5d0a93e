//! The confused deputy (T1): what the user may, and what the agent may, at both gates. Neither lends the other anything.

use agentauth_core::policy::{Agents, Effect, Principals, Resources, Rule, Rules};
use agentauth_core::{Action, AgentId, IssuerId, SpiffeId};
use serde_json::Value;

use crate::support::court::{
    ACCEPTED, CLERK, Court, LAWYER, RESOURCE, STS, caller, chain, claims, code_of, wait, with, without,
};
use crate::support::office::{Office, SCOPES, code, request, set};

/// The user's own client, with which no agent is involved.
const BROWSER: &str = "browser";

fn lawyer() -> Agents {
    Agents::exactly(LAWYER.parse::<SpiffeId>().unwrap())
}

fn browser() -> Agents {
    Agents::exactly(AgentId::named_by(&IssuerId::new(STS).unwrap(), BROWSER))
}

fn named(name: &str) -> Principals {
    Principals::exactly(STS, name).unwrap()
}

fn filing(rule: Rule) -> Rule {
    rule.action("motions:file").resources(Resources::exactly("case", "2026-17"))
}

/// Alice may file, by her own hand.
fn the_user_may() -> Rule {
    filing(Rule::allow("alice-files")).principals(named("alice")).agents(browser()).even_client_only()
}

/// The lawyer may file, for itself.
fn the_agent_may() -> Rule {
    filing(Rule::allow("the-lawyer-files")).principals(Principals::itself()).agents(lawyer())
}

/// The lawyer may file for alice.
fn the_agent_may_for_the_user() -> Rule {
    filing(Rule::allow("the-lawyer-files-for-alice")).principals(named("alice")).agents(lawyer())
}

/// The answer to one who files in alice's case, and the decisive reason that is on record: its policy and its text.
fn answer(rules: Vec<Rule>, claims: &Value) -> (&'static str, String) {
    let court = Court::new();
    let auth = court.engine().policy(Rules::new(rules).unwrap()).build().unwrap();
    let caller = caller(&auth, &court.key.mint(claims));
    court.records.take();
    let answer = wait(caller.authorize(Action::new("motions:file").unwrap().on("case", "2026-17")));
    let record = court.records.only();
    assert_eq!(record.effect == Effect::Allow, answer.is_ok());
    let reason = record.reasons.first().unwrap();
    (code_of(&answer), format!("{}{}", reason.policy().map_or_else(String::new, |id| format!("{id}: ")), reason.text()))
}

fn user_alone() -> Value {
    set(without("act"), "client_id", BROWSER)
}

fn agent_alone() -> Value {
    set(without("act"), "sub", LAWYER)
}

#[test]
fn at_the_servers_gate_user_and_agent_must_be_allowed_together() {
    let nobody = "no rule lets spiffe://court.example/agent/lawyer act for this principal";
    let together = "the-lawyer-files-for-alice: a rule allows it";
    for (what, rules, user, agent, expected) in [
        ("neither may", vec![], false, false, ("actor_unauthorized", nobody)),
        ("the user may, the agent may not", vec![the_user_may()], true, false, ("actor_unauthorized", nobody)),
        ("the agent may, the user may not", vec![the_agent_may()], false, true, ("actor_unauthorized", nobody)),
        (
            "both may, and not the one for the other",
            vec![the_user_may(), the_agent_may()],
            true,
            true,
            ("actor_unauthorized", nobody),
        ),
        (
            "both may, the one for the other",
            vec![the_user_may(), the_agent_may(), the_agent_may_for_the_user()],
            true,
            true,
            (ACCEPTED, together),
        ),
        // The right to act for her gives it none of its own, and her none either.
        ("only together", vec![the_agent_may_for_the_user()], false, false, (ACCEPTED, together)),
    ] {
        let may = |claims: &Value| answer(rules.clone(), claims).0 == ACCEPTED;
        assert_eq!((may(&user_alone()), may(&agent_alone())), (user, agent), "{what}: each alone");
        let (code, reason) = answer(rules, &claims());
        assert_eq!((code, reason.as_str()), expected, "{what}: the agent for the user");
    }
}

/// Whoever is left out of the table's last row, and why.
#[test]
fn at_the_servers_gate_each_part_of_together_is_needed() {
    let rules = || vec![the_user_may(), the_agent_may(), the_agent_may_for_the_user()];
    let and = |rule| [rules(), vec![rule]].concat();
    let deny = |id| filing(Rule::deny(id)).principals(Principals::any()).agents(Agents::any());
    let other_case = Rule::allow("elsewhere").action("motions:file").resources(Resources::exactly("case", "2026-18"));
    for (what, rules, claims, code, reason) in [
        (
            "another agent for the same user",
            rules(),
            with("act", chain(&[CLERK])),
            "actor_unauthorized",
            "no rule lets spiffe://court.example/agent/clerk act for this principal",
        ),
        (
            "the same agent for another user",
            rules(),
            with("sub", "bob"),
            "actor_unauthorized",
            "no rule lets spiffe://court.example/agent/lawyer act for this principal",
        ),
        (
            "the agent that may stands earlier in the chain",
            rules(),
            with("act", chain(&[CLERK, LAWYER])),
            "actor_unauthorized",
            "no rule lets spiffe://court.example/agent/clerk act for this principal",
        ),
        (
            "the agent has her token, and she has not delegated",
            vec![the_agent_may_for_the_user()],
            without("act"),
            "actor_unauthorized",
            "no rule lets spiffe://court.example/agent/lawyer act for this principal: \
             nobody delegated, and only a rule with even_client_only covers that",
        ),
        (
            "together, in another case",
            vec![other_case.principals(named("alice")).agents(lawyer())],
            claims(),
            "policy_not_permitted",
            "no rule allows `motions:file` on case `2026-17`",
        ),
        (
            "together, and the user is denied it",
            and(deny("not-alice").principals(named("alice"))),
            claims(),
            "policy_forbidden",
            "not-alice: a rule denies it",
        ),
        (
            "together, and the agent is denied it",
            and(deny("not-the-lawyer").agents(lawyer())),
            claims(),
            "policy_forbidden",
            "not-the-lawyer: a rule denies it",
        ),
        (
            "together, and another user is denied it",
            and(deny("not-bob").principals(named("bob"))),
            claims(),
            ACCEPTED,
            "the-lawyer-files-for-alice: a rule allows it",
        ),
        (
            "together, and another agent is denied it",
            and(deny("not-the-browser").agents(browser())),
            claims(),
            ACCEPTED,
            "the-lawyer-files-for-alice: a rule allows it",
        ),
        (
            "together, and it was not delegated",
            rules(),
            with("scope", "records:read"),
            "insufficient_scope",
            "the delegation does not include scope `motions:file`",
        ),
    ] {
        assert_eq!(answer(rules, &claims), (code, reason.to_owned()), "{what}");
    }
}

/// At the issuer's gate, the user may what her consent holds, and the agent may act for her if the consent names it.
#[test]
fn at_the_issuers_gate_the_consent_holds_it_and_names_the_agent() {
    let office = Office::new();
    let no_actor = "agent spiffe://court.example/agent/clerk may not act for the subject: \
                    neither may_act, the current actor nor a registered grant says so";
    let widened = "scopes `motions:file` were asked for, the subject token holds `records:read`";
    for (what, held, agent, expected) in [
        ("both may", SCOPES, &office.lawyer, (ACCEPTED, "motions:file")),
        ("the user may, the agent may not", SCOPES, &office.clerk, ("exchange_actor_not_permitted", no_actor)),
        ("the agent may, the user may not", "records:read", &office.lawyer, ("exchange_scope_widened", widened)),
        ("neither may", "records:read", &office.clerk, ("exchange_actor_not_permitted", no_actor)),
    ] {
        let consent = office.mint(&set(office.subject(), "scope", held));
        let answer = office.exchange(agent, &request(&consent, RESOURCE).scopes("motions:file".parse().unwrap()));
        let shown = answer.as_ref().map_or_else(ToString::to_string, |token| token.scopes().to_string());
        assert_eq!((code(&answer), shown.as_str()), expected, "{what}");
    }
}
