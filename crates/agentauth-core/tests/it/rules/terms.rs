//! Shadow mode, conditions, and what callers are told.

use std::time::Duration;

use agentauth_core::policy::{
    ApprovalTerms, Effect, Limit, Obligation, Principals, ReasonKind, Resources, Rule, Rules, WouldFlip,
};
use agentauth_core::{Arguments, Decision, PolicyEngine};
use serde_json::json;

use super::{filled, lawyer};
use crate::support::court::wait;

fn decide(rules: impl IntoIterator<Item = Rule>, fee: i64) -> Decision {
    let scenario = lawyer("motions:file").with(Arguments::of(&json!({"fee": fee})).unwrap());
    wait(Rules::new(rules).unwrap().decide(&scenario.request())).unwrap()
}

fn fees(id: &str, most: i64) -> Rule {
    filled(Rule::allow(id)).argument("fee", Limit::between(0, most))
}

#[test]
fn a_rule_in_shadow_mode_only_says_what_it_would_do() {
    let deny = || filled(Rule::deny("deny"));
    let flips = |policies: &[&str], to| policies.iter().map(|policy| WouldFlip::new(*policy, to)).collect::<Vec<_>>();
    for (rules, fee, effect, expected) in [
        (vec![fees("a", 9).shadow()], 5, Effect::Deny, flips(&["a"], Effect::Allow)),
        (vec![fees("a", 9).shadow(), fees("b", 7).shadow()], 5, Effect::Deny, flips(&["a", "b"], Effect::Allow)),
        (vec![fees("a", 9).shadow(), fees("b", 7).shadow()], 8, Effect::Deny, flips(&["a"], Effect::Allow)),
        (vec![fees("a", 9).shadow(), fees("b", 7)], 5, Effect::Allow, vec![]),
        (vec![fees("a", 9), deny().shadow()], 5, Effect::Allow, flips(&["deny"], Effect::Deny)),
        (vec![fees("a", 9), deny().principals(Principals::itself()).shadow()], 5, Effect::Allow, vec![]),
        // Each by itself: the one that is in force denies in any case.
        (vec![fees("a", 9).shadow(), deny()], 5, Effect::Deny, vec![]),
        (vec![deny().shadow()], 5, Effect::Deny, vec![]),
    ] {
        let shown = format!("{rules:?}");
        let decision = decide(rules, fee);
        assert_eq!((decision.effect(), decision.would_flip()), (effect, &*expected), "{shown}");
    }
    // What is not in force explains nothing.
    let rehearsed = decide([fees("a", 9).shadow()], 10);
    assert_eq!(rehearsed.reasons()[0].kind(), ReasonKind::ActorNotAuthorized);
    // It is another version of the policies.
    let version = |rule: Rule| Rules::new([rule]).unwrap().version();
    assert_ne!(version(fees("a", 9)), version(fees("a", 9).shadow()));
}

#[test]
fn the_caller_is_told_what_the_rule_that_denies_says() {
    let told = |decision: &Decision| decision.reasons()[0].public_text().map(str::to_owned);
    let denied = decide([filled(Rule::deny("d")).telling("Filing is closed until Monday.")], 1);
    assert_eq!(told(&denied).as_deref(), Some("Filing is closed until Monday."));
    let above = decide([fees("a", 9).telling("Fees above 9 need a clerk.")], 10);
    assert_eq!(told(&above).as_deref(), Some("Fees above 9 need a clerk."));
    let within = decide([fees("a", 9).telling("Fees above 9 need a clerk.")], 9);
    assert_eq!((within.effect(), told(&within)), (Effect::Allow, None));
    // To whom the rule is not about, it says nothing.
    let elsewhere =
        decide([fees("a", 9).resources(Resources::of_kind("case")).telling("Fees above 9 need a clerk.")], 10);
    assert_eq!(told(&elsewhere), None);
}

#[test]
fn all_conditions_of_all_rules_that_fit_count() {
    let hour = Obligation::Approval(ApprovalTerms::within(Duration::from_secs(3600)));
    let other = Obligation::Unknown("notary".into());
    let free = fees("free", 9);
    let both = fees("both", 9).on_condition_of(other.clone()).needs_approval(Duration::from_secs(3600));
    let one = fees("one", 9).on_condition_of(other.clone());
    let decision = decide([free, both, one], 5);
    assert_eq!(decision.obligations(), [hour, other.clone(), other]);
    let grounds: Vec<_> = decision.reasons().iter().map(|reason| (reason.policy().unwrap(), reason.text())).collect();
    assert_eq!(
        grounds,
        [
            ("both", "a rule allows it on conditions"),
            ("one", "a rule allows it on conditions"),
            ("free", "a rule allows it"),
        ]
    );
}

#[test]
fn a_set_of_rules_that_cannot_be_used_is_refused_by_its_code() {
    let code = |rules: Vec<Rule>| Rules::new(rules).map_or_else(|error| error.code(), |_| "accepted");
    let allow = || filled(Rule::allow("a"));
    let deny = || filled(Rule::deny("d"));
    let notary = Obligation::Unknown("notary".into());
    let at_once = Obligation::Approval(ApprovalTerms::within(Duration::ZERO));
    let hour = Duration::from_secs(3600);
    for (rules, expected) in [
        (vec![allow(), deny()], "accepted"),
        (vec![Rule::allow("a")], "rule_incomplete"),
        (vec![allow().actions([])], "rule_incomplete"),
        (vec![allow(), allow()], "rule_duplicate"),
        (vec![allow(), allow().shadow()], "rule_duplicate"),
        (vec![deny().argument("fee", Limit::any())], "rule_deny_with_arguments"),
        (vec![deny().needs_approval(hour)], "rule_deny_with_approval"),
        (vec![deny().on_condition_of(notary)], "rule_deny_with_condition"),
        (vec![allow().needs_approval(Duration::ZERO)], "rule_approval_lifetime"),
        (vec![allow().on_condition_of(at_once)], "rule_approval_lifetime"),
        (vec![deny().telling(&"x".repeat(512))], "accepted"),
        (vec![deny().telling(&"x".repeat(513))], "rule_telling"),
        (vec![deny().telling("")], "rule_telling"),
        (vec![deny().telling("a\nb")], "rule_telling"),
    ] {
        assert_eq!(code(rules.clone()), expected, "{rules:?}");
    }
}

#[test]
fn a_rule_may_be_for_several_actions() {
    let rules = Rules::new([filled(Rule::allow("a")).actions(["motions:file", "motions:read"])]).unwrap();
    for (action, effect) in
        [("motions:file", Effect::Allow), ("motions:read", Effect::Allow), ("motions", Effect::Deny)]
    {
        assert_eq!(wait(rules.decide(&lawyer(action).request())).unwrap().effect(), effect, "{action}");
    }
}
