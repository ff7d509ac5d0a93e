//! Rules that want a human, beside rules that do not.

use std::time::Duration;

use agentauth_core::policy::{Agents, Limit, Principals, Resources, Rule, Rules};
use agentauth_core::state::MemoryApprovalStore;
use agentauth_core::{PolicyEngine, Rejection};

use super::{Desk, file};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, caller, claims, wait};

const HOUR: Duration = Duration::from_secs(3600);

fn filled(rule: Rule) -> Rule {
    rule.agents(Agents::any()).principals(Principals::any()).action("motions:file").resources(Resources::any())
}

fn fees(id: &str, from: i64, to: i64) -> Rule {
    filled(Rule::allow(id)).argument("fee", Limit::between(from, to)).argument("note", Limit::any())
}

/// What becomes of filing with `fee`, when the request ends if there is one, and the policies on record.
fn outcome(rules: Vec<Rule>, fee: u32) -> (&'static str, Option<u64>, Vec<String>) {
    let desk = Desk::new();
    let auth =
        desk.court.engine().policy(Rules::new(rules).unwrap()).approvals(MemoryApprovalStore::new()).build().unwrap();
    let lawyer = caller(&auth, &desk.court.key.mint(&claims()));
    desk.court.records.take();
    let answer = wait(lawyer.authorize(file(fee)));
    let record = desk.court.records.only();
    let policies = record.reasons.iter().filter_map(|reason| reason.policy()).map(str::to_owned).collect();
    let id = answer.as_ref().err().and_then(Rejection::approval_id);
    let ends = id.map(|id| wait(auth.approvals().unwrap().inspect(id)).unwrap().expires().secs() - NOW);
    (answer.map_or_else(|rejection| rejection.code(), |_| ACCEPTED), ends, policies)
}

#[test]
fn of_rules_that_fit_one_that_needs_a_human_wins_and_a_deny_over_both() {
    let free = || fees("free", 0, 500);
    let wide = || fees("wide", 0, 9999);
    let human = || fees("human", 100, 9999).needs_approval(HOUR);
    let sooner = || fees("sooner", 400, 9999).needs_approval(HOUR / 2);
    let deny = || filled(Rule::deny("deny"));
    let required = |ends, policies: &[&str]| {
        ("approval_required", Some(ends), policies.iter().map(|policy| (*policy).to_owned()).collect::<Vec<_>>())
    };
    let other = |code: &'static str, policies: &[&str]| {
        (code, None, policies.iter().map(|policy| (*policy).to_owned()).collect::<Vec<_>>())
    };
    for (rules, fee, expected) in [
        (vec![free(), human()], 99, other(ACCEPTED, &["free"])),
        (vec![human(), free()], 99, other(ACCEPTED, &["free"])),
        (vec![free(), human()], 100, required(3600, &["human", "free"])),
        (vec![human(), free()], 100, required(3600, &["human", "free"])),
        (vec![human(), wide()], 5000, required(3600, &["human", "wide"])),
        (vec![wide(), human()], 5000, required(3600, &["human", "wide"])),
        (vec![wide(), sooner(), human()], 5000, required(1800, &["sooner", "human", "wide"])),
        (vec![human(), sooner()], 400, required(1800, &["human", "sooner"])),
        (vec![human(), sooner()], 399, required(3600, &["human"])),
        (vec![human()], 99, other("argument_outside_limit", &["human"])),
        (vec![human(), deny()], 100, other("policy_forbidden", &["deny"])),
        (vec![deny(), human(), free()], 100, other("policy_forbidden", &["deny"])),
        (
            vec![human().principals(Principals::exactly("https://b", "x").unwrap()), free()],
            100,
            other(ACCEPTED, &["free"]),
        ),
        (vec![human().agents(Agents::matching_any([])), free()], 100, other(ACCEPTED, &["free"])),
        (vec![human().action("motions:seal"), free()], 100, other(ACCEPTED, &["free"])),
        (vec![human().resources(Resources::of_kind("docket")), free()], 100, other(ACCEPTED, &["free"])),
    ] {
        let shown = format!("{rules:?} {fee}");
        assert_eq!(outcome(rules, fee), expected, "{shown}");
    }
}

#[test]
fn an_approval_that_makes_no_sense_does_not_come_into_force() {
    let error = |rule: Rule| Rules::new([rule]).map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        error(filled(Rule::deny("d")).needs_approval(HOUR)),
        "deny rule `d` needs approval; make it a rule that allows, or leave needs_approval out"
    );
    let week = Duration::from_secs(7 * 24 * 3600);
    for (lifetime, is_good) in [
        (Duration::ZERO, false),
        (Duration::from_millis(999), false),
        (Duration::from_secs(1), true),
        (week, true),
        (week + Duration::from_nanos(1), false),
        (Duration::MAX, false),
    ] {
        let rule = fees("r", 0, 1).needs_approval(lifetime);
        assert_eq!(Rules::new([rule.clone()]).is_ok(), is_good, "{lifetime:?}");
        if !is_good {
            assert_eq!(error(rule), "rule `r` has an approval that does not last between a second and 7 days");
        }
    }
}

#[test]
fn the_version_of_rules_changes_with_the_approval_they_need() {
    let version = |rule: Rule| Rules::new([rule]).unwrap().version().to_owned();
    let [none, hour, half] =
        [fees("r", 0, 1), fees("r", 0, 1).needs_approval(HOUR), fees("r", 0, 1).needs_approval(HOUR / 2)].map(version);
    assert!(none != hour && hour != half && none != half);
}
