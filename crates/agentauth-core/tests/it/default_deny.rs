//! What denies by default: one test a line.

use agentauth_core::policy::{
    Effect, Engines, Obligation, PolicyError, Preview, Prospect, Reason, ReasonKind, Rules, Scenario,
};
use agentauth_core::{Action, Caller, Decision, IssuerId, PolicyEngine, PrincipalId, ResourceId, SpiffeId};

use crate::support::court::{Court, LAWYER, Oracle, STS, caller, claims, code_of, wait};

fn lawyer(policy: impl PolicyEngine + 'static) -> Caller {
    let court = Court::new();
    caller(&court.engine().policy(policy).build().unwrap(), &court.key.mint(&claims()))
}

/// What becomes of what the lawyer's delegation allows.
fn code(policy: impl PolicyEngine + 'static) -> &'static str {
    code_of(&wait(lawyer(policy).authorize(Action::new("motions:file").unwrap())))
}

fn permits() -> Decision {
    Decision::allow(Reason::new(ReasonKind::Permitted, "yes"))
}

fn fails() -> Oracle {
    Oracle::answering(Err(PolicyError::new("away")))
}

fn denies() -> Oracle {
    Oracle::answering(Ok(Decision::deny(Reason::new(ReasonKind::Forbidden, "no"))))
}

#[test]
fn no_engine_denies() {
    let court = Court::new();
    let caller = caller(&court.auth(), &court.key.mint(&claims()));
    assert_eq!(code_of(&wait(caller.authorize(Action::new("motions:file").unwrap()))), "policy_none");
    assert_eq!(caller.preview(&Prospect::new("motions:file").unwrap()), Preview::Never);
}

#[test]
fn engines_without_one_in_force_deny() {
    assert_eq!(code(Engines::new()), "policy_none");
}

#[test]
fn an_engine_in_shadow_mode_alone_denies() {
    assert_eq!(code(Engines::new().shadow("next", Oracle::permitting())), "policy_none");
}

#[test]
fn an_empty_set_denies() {
    assert_eq!(code(Rules::new([]).unwrap()), "actor_unauthorized");
}

#[test]
fn an_engine_that_fails_denies() {
    assert_eq!(code(fails()), "policy_failed");
}

#[test]
fn an_engine_that_fails_beside_one_that_permits_denies() {
    assert_eq!(code(Engines::new().enforce(Oracle::permitting()).enforce(fails())), "policy_failed");
    assert_eq!(code(Engines::new().enforce(fails()).enforce(Oracle::permitting())), "policy_failed");
}

#[test]
fn an_engine_that_denies_beside_one_that_permits_denies() {
    assert_eq!(code(Engines::new().enforce(Oracle::permitting()).enforce(denies())), "policy_forbidden");
    assert_eq!(code(Engines::new().enforce(denies()).enforce(fails())), "policy_forbidden");
    assert_eq!(code(Engines::new().enforce(fails()).enforce(denies())), "policy_forbidden");
}

#[test]
fn a_policy_that_errs_denies() {
    assert_eq!(code(Oracle::answering(Ok(permits().with_error(Some("p"), "overflow")))), "policy_erred");
}

#[test]
fn an_unknown_obligation_denies() {
    let asks = |name: &str| Oracle::answering(Ok(permits().on_condition_of(Obligation::Unknown(name.into()))));
    assert_eq!(code(asks("notify")), "obligation_unknown");
    assert_eq!(code(Engines::new().enforce(Oracle::permitting()).enforce(asks("notify"))), "obligation_unknown");
}

#[test]
fn an_approval_that_nobody_could_give_denies() {
    let terms = agentauth_core::policy::ApprovalTerms::within(std::time::Duration::from_secs(60));
    assert_eq!(code(Oracle::answering(Ok(permits().needing_approval(terms)))), "approvals_none");
}

#[test]
fn what_every_engine_permits_is_permitted() {
    let both = Engines::new().enforce(Oracle::permitting()).enforce(Oracle::permitting());
    assert_eq!(code(both), crate::support::court::ACCEPTED);
}

/// A request that nobody made.
pub(crate) fn scenario() -> Scenario {
    let alice = PrincipalId::new(IssuerId::new(STS).unwrap(), "alice");
    let lawyer: SpiffeId = LAWYER.parse().unwrap();
    Scenario::new(ResourceId::new("https://tools.example").unwrap(), lawyer, alice, "motions:file")
}

#[test]
fn reasons_and_errors_of_all_engines_are_kept_and_what_denies_stands_first() {
    let erring = Oracle::answering(Ok(permits().with_error(Some("p"), "overflow")));
    let engines = Engines::new().enforce(Oracle::permitting()).enforce(erring).enforce(denies());
    let decision = wait(engines.decide(&scenario().request())).unwrap();
    let kinds: Vec<_> = decision.reasons().iter().map(Reason::kind).collect();
    assert_eq!(kinds, [ReasonKind::Forbidden, ReasonKind::Permitted, ReasonKind::Permitted]);
    assert_eq!((decision.effect(), decision.errors().len()), (Effect::Deny, 1));
}
