//! Several engines as one, those that only rehearse, and what is counted of them.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::policy::{
    ApprovalTerms, Effect, Engines, FlipCount, Obligation, PolicyError, Preview, PreviewRequest, Reason, ReasonKind,
    WouldFlip,
};
use agentauth_core::{Action, AuthzRequest, Decision, PolicyEngine};
use async_trait::async_trait;
use proptest::prelude::*;

use crate::default_deny::scenario;
use crate::support::court::{ACCEPTED, Court, Oracle, caller, claims, code_of, wait};

fn permits() -> Decision {
    Decision::allow(Reason::new(ReasonKind::Permitted, "yes"))
}

fn denies() -> Decision {
    Decision::deny(Reason::new(ReasonKind::NotPermitted, "no"))
}

fn decide(engines: &Engines) -> Decision {
    wait(engines.decide(&scenario().request())).unwrap()
}

type Answer = Result<Decision, PolicyError>;

fn answers() -> impl Strategy<Value = Answer> {
    let flips = proptest::collection::vec(any::<bool>(), 0..3);
    let terms = proptest::collection::vec(1u64..4, 0..3);
    let decision = (any::<bool>(), terms, flips, any::<bool>()).prop_map(|(allows, terms, flips, errs)| {
        let decision = if allows { permits() } else { denies() };
        let decision = terms.into_iter().fold(decision, |decision, seconds| {
            decision.needing_approval(ApprovalTerms::within(Duration::from_secs(seconds)))
        });
        let decision = flips.into_iter().enumerate().fold(decision, |decision, (at, allows)| {
            let to = if allows { Effect::Allow } else { Effect::Deny };
            if to == decision.effect() { decision } else { decision.with_flip(WouldFlip::new(format!("p{at}"), to)) }
        });
        if errs && !allows { decision.with_error(Some("e"), "erred") } else { decision }
    });
    prop_oneof![8 => decision.prop_map(Ok), 1 => Just(Err(PolicyError::new("away")))]
}

fn enforcing(answers: &[Answer]) -> Engines {
    answers.iter().fold(Engines::new(), |engines, answer| engines.enforce(Oracle::answering(answer.clone())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn one_more_engine_in_force_never_permits_more(held in proptest::collection::vec(answers(), 1..4), more in answers(), at in 0usize..4) {
        let before = decide(&enforcing(&held));
        let mut all = held.clone();
        all.insert(at.min(held.len()), more);
        let after = decide(&enforcing(&all));
        let permits = |answer: &Answer| matches!(answer, Ok(decision) if decision.effect() == Effect::Allow);
        prop_assert_eq!(after.effect() == Effect::Allow, all.iter().all(permits));
        prop_assert!(before.effect() == Effect::Allow || after.effect() == Effect::Deny);
        for obligation in before.obligations() {
            prop_assert!(after.obligations().contains(obligation), "a condition was lost");
        }
        prop_assert!(after.errors().len() >= before.errors().len() && after.reasons().len() > before.reasons().len());
        for flip in after.would_flip() {
            prop_assert_ne!(flip.to, after.effect());
        }
    }

    #[test]
    fn one_more_engine_in_shadow_mode_changes_nothing(held in proptest::collection::vec(answers(), 0..4), shadow in answers()) {
        let before = decide(&enforcing(&held));
        let after = decide(&enforcing(&held).shadow("s", Oracle::answering(shadow.clone())));
        prop_assert_eq!(after.effect(), before.effect());
        prop_assert_eq!(after.obligations(), before.obligations());
        prop_assert_eq!(after.reasons(), before.reasons());
        prop_assert_eq!(after.errors(), before.errors());
        let own = shadow.map_or(Effect::Deny, |decision| decision.effect());
        let reported = after.would_flip().iter().find(|flip| &*flip.policy == "s").map(|flip| flip.to);
        prop_assert_eq!(reported, (own != before.effect()).then_some(own));
    }
}

#[test]
fn a_flip_counts_only_if_the_whole_answer_would_flip() {
    let denies_but = Oracle::answering(Ok(denies().with_flip(WouldFlip::new("p", Effect::Allow))));
    let permits_but = Oracle::answering(Ok(permits().with_flip(WouldFlip::new("q", Effect::Deny))));
    let flips = |engines: Engines| -> Vec<Box<str>> {
        decide(&engines).would_flip().iter().map(|flip| flip.policy.clone()).collect()
    };
    let none: [Box<str>; 0] = [];
    assert_eq!(flips(Engines::new().enforce(denies_but.clone()).enforce(Oracle::permitting())), ["p".into()]);
    assert_eq!(flips(Engines::new().enforce(Oracle::permitting()).enforce(permits_but.clone())), ["q".into()]);
    assert_eq!(flips(Engines::new().enforce(denies_but.clone()).enforce(Oracle::answering(Ok(denies())))), none);
    assert_eq!(flips(Engines::new().enforce(denies_but).enforce(permits_but)), ["p".into()]);
}

#[test]
fn the_flips_of_policies_and_engines_in_shadow_mode_are_counted() {
    let court = Court::new();
    let with_policy = Oracle::answering(Ok(permits().with_flip(WouldFlip::new("next-limit", Effect::Deny))));
    let engines = Engines::new().enforce(with_policy).shadow("stricter", Oracle::answering(Ok(denies())));
    let auth = court.engine().policy(engines.shadow("same", Oracle::permitting())).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    assert_eq!(auth.flips(), []);
    court.records.take();
    for _ in 0..3 {
        assert_eq!(code_of(&wait(caller.authorize(Action::new("motions:file").unwrap()))), ACCEPTED);
        assert_eq!(court.records.only().would_flip.len(), 2);
    }
    let counts: Vec<_> = auth
        .flips()
        .iter()
        .map(|FlipCount { policy, to_allow, to_deny, .. }| (policy.clone().unwrap(), *to_allow, *to_deny))
        .collect();
    assert_eq!(counts, [("next-limit".into(), 0, 3), ("stricter".into(), 0, 3)]);
}

/// An engine that waits, once for each of its `turns`, before it denies.
#[derive(Debug)]
struct Slow {
    turns: usize,
}

#[async_trait]
impl PolicyEngine for Slow {
    async fn decide(&self, _: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        wait_for(self.turns).await;
        Ok(denies())
    }

    fn version(&self) -> Arc<str> {
        "slow".into()
    }
}

async fn wait_for(turns: usize) {
    let mut left = turns;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn nobody_waits_for_an_engine_in_shadow_mode_longer_than_was_said() {
    let engines = |turns| Engines::new().enforce(Oracle::permitting()).shadow("slow", Slow { turns });
    assert_eq!(decide(&engines(0)).would_flip().len(), 1);
    assert_eq!(decide(&engines(1)).would_flip(), []);
    assert_eq!(decide(&engines(usize::MAX)).effect(), Effect::Allow);
    let patient = |turns| engines(turns).waiting(|| wait_for(3));
    assert_eq!(decide(&patient(2)).would_flip().len(), 1);
    assert_eq!(decide(&patient(usize::MAX)).would_flip(), []);
    // One in force is waited for.
    assert_eq!(decide(&Engines::new().enforce(Slow { turns: 7 }).enforce(Oracle::permitting())).effect(), Effect::Deny);
}

/// An engine of some version, which its decisions may not be of.
#[derive(Debug)]
struct Versioned(&'static str, Option<&'static str>);

#[async_trait]
impl PolicyEngine for Versioned {
    async fn decide(&self, _: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        Ok(self.1.map_or_else(permits, |version| permits().of_version(version.into())))
    }

    fn preview(&self, _: &PreviewRequest<'_>) -> Preview {
        match self.0 {
            "never" => Preview::Never,
            "always" => Preview::Always,
            left => Preview::possibly(left),
        }
    }

    fn version(&self) -> Arc<str> {
        self.0.into()
    }
}

#[test]
fn the_version_changes_with_that_of_each_engine_and_what_it_is_here_for() {
    let engine = |version| Versioned(version, None);
    let sets = [
        Engines::new(),
        Engines::new().enforce(engine("1")),
        Engines::new().enforce(engine("2")),
        Engines::new().enforce(engine("1")).enforce(engine("2")),
        Engines::new().enforce(engine("2")).enforce(engine("1")),
        Engines::new().enforce(engine("1")).shadow("a", engine("2")),
        Engines::new().enforce(engine("1")).shadow("b", engine("2")),
        Engines::new().enforce(engine("1")).shadow("a", engine("3")),
    ];
    let versions: std::collections::BTreeSet<_> = sets.iter().map(PolicyEngine::version).collect();
    assert_eq!(versions.len(), sets.len());
    for set in &sets {
        assert_eq!(decide(set).version(), Some(&set.version()));
    }
    // A decision says itself what it is of.
    let replaced = Engines::new().enforce(Versioned("1", Some("2")));
    assert_eq!(decide(&replaced).version(), Some(&sets[2].version()));
}

#[test]
fn what_all_engines_see_ahead_is_seen_ahead() {
    let preview = |versions: &[&'static str]| {
        let one = |engines: Engines, version: &&'static str| engines.enforce(Versioned(version, None));
        versions.iter().fold(Engines::new().shadow("s", Versioned("never", None)), one).preview(&scenario().preview())
    };
    assert_eq!(preview(&[]), Preview::Never);
    assert_eq!(preview(&["always", "always"]), Preview::Always);
    assert_eq!(preview(&["always", "never"]), Preview::Never);
    assert_eq!(preview(&["x", "never"]), Preview::Never);
    assert_eq!(preview(&["x", "always"]), Preview::possibly("x"));
    assert_eq!(preview(&["x", "y"]), Preview::possibly("x\ny"));
}

#[test]
fn conditions_are_united() {
    let asks = |name: &str| Oracle::answering(Ok(permits().on_condition_of(Obligation::Unknown(name.into()))));
    let decision = decide(&Engines::new().enforce(asks("a")).enforce(asks("b")).enforce(asks("a")));
    assert_eq!(decision.obligations(), [Obligation::Unknown("a".into()), Obligation::Unknown("b".into())]);
}

#[derive(Debug)]
struct Panics;

#[async_trait]
impl PolicyEngine for Panics {
    async fn decide(&self, _: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        panic!("it has a fault")
    }

    fn version(&self) -> Arc<str> {
        "panics".into()
    }
}

#[test]
fn an_engine_in_shadow_mode_that_panics_takes_nothing_with_it() {
    let engines = Engines::new().enforce(Oracle::permitting()).shadow("broken", Panics);
    let decision = decide(&engines.shadow("stricter", Oracle::answering(Ok(denies()))));
    assert_eq!(decision.effect(), Effect::Allow);
    let flips: Vec<&str> = decision.would_flip().iter().map(|flip| &*flip.policy).collect();
    assert_eq!(flips, ["broken", "stricter"], "one that fails would deny");
}
