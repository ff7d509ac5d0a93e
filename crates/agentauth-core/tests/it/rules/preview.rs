//! What is shown of actions before their arguments are known.

use std::time::Duration;

use agentauth_core::policy::{Agents, Limit, Obligation, Preview, Principals, Resources, Rule, Rules};
use agentauth_core::{Mode, PolicyEngine};

use super::{filled, lawyer};

fn possibly(text: &str) -> Preview {
    Preview::Possibly(Some(text.into()))
}

#[test]
fn an_action_is_looked_ahead_to() {
    let allow = |id| filled(Rule::allow(id));
    let deny = |id| filled(Rule::deny(id));
    let case = || lawyer("motions:file").on("case", "1");
    let none = || lawyer("motions:file");
    let cases = || Resources::of_kind("case");
    let hour = Duration::from_secs(3600);
    for (rules, scenario, expected) in [
        (vec![], case(), Preview::Never),
        (vec![allow("a").any_arguments()], case(), Preview::Always),
        (vec![allow("a").any_arguments()], none(), Preview::Always),
        (vec![allow("a")], case(), possibly("allowed by `a`")),
        (vec![allow("a").argument("fee", Limit::any())], case(), possibly("allowed by `a`")),
        (vec![allow("a").any_arguments().argument("fee", Limit::any())], case(), possibly("allowed by `a`")),
        // Nothing is within these limits.
        (vec![allow("a").argument("fee", Limit::one_of([]))], case(), Preview::Never),
        (vec![allow("a").argument("fee", Limit::between(1, 0))], case(), Preview::Never),
        // A human may say no.
        (vec![allow("a").any_arguments().needs_approval(hour)], case(), possibly("allowed by `a`")),
        (vec![allow("a").any_arguments(), allow("b").needs_approval(hour)], case(), possibly("allowed by `a`, `b`")),
        (
            vec![allow("a").any_arguments().on_condition_of(Obligation::Unknown("x".into()))],
            case(),
            possibly("allowed by `a`"),
        ),
        // Whom and what it is for.
        (vec![allow("a").any_arguments().agents(Agents::matching_any([]))], case(), Preview::Never),
        (vec![allow("a").any_arguments().principals(Principals::itself())], case(), Preview::Never),
        (vec![allow("a").any_arguments().action("motions:seal")], case(), Preview::Never),
        (vec![allow("a").any_arguments()], case().in_mode(Mode::ClientOnly), Preview::Never),
        (vec![allow("a").any_arguments().even_client_only()], case().in_mode(Mode::ClientOnly), Preview::Always),
        (vec![allow("a").any_arguments().resources(cases())], case(), Preview::Always),
        (vec![allow("a").any_arguments().resources(cases())], none(), Preview::Never),
        (vec![allow("a").any_arguments().resources(Resources::exactly("case", "2"))], case(), Preview::Never),
        // What denies.
        (vec![allow("a").any_arguments(), deny("d")], case(), Preview::Never),
        (vec![allow("a").any_arguments(), deny("d").resources(cases())], case(), Preview::Never),
        (vec![allow("a").any_arguments(), deny("d").resources(cases())], none(), Preview::Always),
        (vec![deny("d")], case(), Preview::Never),
        // What is not in force.
        (vec![allow("a").any_arguments().shadow()], case(), Preview::Never),
        (vec![allow("a").any_arguments(), deny("d").shadow()], case(), Preview::Always),
    ] {
        let shown = format!("{rules:?}");
        assert_eq!(Rules::new(rules).unwrap().preview(&scenario.preview()), expected, "{shown}");
    }
}

#[test]
fn a_resource_that_is_not_known_may_be_any() {
    let allow = |id| filled(Rule::allow(id)).any_arguments();
    let deny = |id| filled(Rule::deny(id));
    let cases = || Resources::of_kind("case");
    let many = |id| allow(id).resources(Resources::exactly("case", id));
    for (rules, expected) in [
        (vec![allow("a")], Preview::Always),
        (vec![allow("a").resources(cases())], possibly("allowed by `a`")),
        (vec![allow("a"), deny("d").resources(cases())], possibly("allowed by `a`; denied by `d`")),
        (vec![allow("a"), deny("d")], Preview::Never),
        (vec![many("1"), many("2"), many("3"), many("4"), many("5")], possibly("allowed by `1`, `2`, `3` and 2 more")),
    ] {
        let shown = format!("{rules:?}");
        let asked = lawyer("motions:file");
        assert_eq!(Rules::new(rules).unwrap().preview(&asked.preview_anywhere()), expected, "{shown}");
    }
}
