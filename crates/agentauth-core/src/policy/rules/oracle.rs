//! The index against the answer without one: every rule, one after the other.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::delegation::Mode;
use crate::identity::{AgentId, IssuerId, PrincipalId, ResourceId};
use crate::policy::{Agents, Arguments, Limit, Obligation, Principals, Reason, ReasonKind, Resources, Scenario};
use crate::text::Excerpt;

const ISSUERS: [&str; 2] = ["https://a.example", "https://b.example"];

const AGENTS: [&str; 8] = [
    "spiffe://court.example",
    "spiffe://court.example/agent",
    "spiffe://court.example/agent/lawyer",
    "spiffe://court.example/agent/lawyer/7",
    "spiffe://court.example/clerk",
    "spiffe://other.example/agent/lawyer",
    "app",
    "court.example",
];

const PATTERNS: [&str; 7] = [
    "spiffe://court.example/**",
    "spiffe://court.example/agent/**",
    "spiffe://court.example/agent/*",
    "spiffe://court.example/*/lawyer",
    "spiffe://court.example/*/lawyer/**",
    "spiffe://court.example/agent/lawyer",
    "spiffe://other.example/**",
];

fn issuer() -> impl Strategy<Value = IssuerId> {
    prop::sample::select(&ISSUERS[..]).prop_map(|text| IssuerId::new(text).unwrap())
}

/// Also names that look like SPIFFE IDs and are not proven to be.
fn agent() -> impl Strategy<Value = AgentId> {
    (prop::sample::select(&AGENTS[..]), issuer(), prop::bool::weighted(0.8)).prop_map(|(name, issuer, is_proven)| {
        let named = AgentId::Named { issuer: issuer.clone(), name: name.into() };
        if is_proven { AgentId::named_by(&issuer, name) } else { named }
    })
}

fn principal() -> impl Strategy<Value = PrincipalId> {
    (issuer(), prop::sample::select(&["alice", "bob", "app"][..]), 0..4u8).prop_map(
        |(issuer, subject, kind)| match kind {
            0 => PrincipalId::client(issuer, subject),
            1 => PrincipalId::agent_account(issuer, subject),
            2 => PrincipalId::new(issuer, subject).in_tenant("t"),
            _ => PrincipalId::new(issuer, subject),
        },
    )
}

fn agents() -> impl Strategy<Value = Agents> {
    let patterns = prop::collection::vec(prop::sample::select(&PATTERNS[..]), 0..3);
    prop_oneof![
        Just(Agents::any()),
        agent().prop_map(Agents::exactly),
        prop::sample::select(&AGENTS[..6]).prop_map(|id| Agents::below(id).unwrap()),
        patterns.prop_map(|texts| Agents::matching_any(texts.iter().map(|text| text.parse().unwrap()))),
    ]
}

fn principals() -> impl Strategy<Value = Principals> {
    prop_oneof![Just(Principals::any()), Just(Principals::itself()), principal().prop_map(Principals::from)]
}

fn name(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(names)
}

fn resources() -> impl Strategy<Value = Resources> {
    prop_oneof![
        Just(Resources::any()),
        name(&["case", "docket"]).prop_map(Resources::of_kind),
        (name(&["case", "docket"]), name(&["1", "2"])).prop_map(|(kind, id)| Resources::exactly(kind, id)),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(vec![
        Mode::OnBehalfOf,
        Mode::OnBehalfOf,
        Mode::Autonomous,
        Mode::ClientOnly,
        Mode::Impersonation,
        Mode::AgentAccount,
    ])
}

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![
        Just(Limit::any()),
        Just(Limit::flag(true)),
        (0..3i64, 0..3i64).prop_map(|(least, most)| Limit::between(least, most)),
        Just(Limit::one_of([])),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let actions = prop::collection::vec(name(&["file", "seal"]), 1..3);
    let limits = prop::collection::vec((name(&["fee", "note"]), limit()), 0..2);
    let terms = (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.3), mode());
    let parts = (agents(), principals(), actions, resources());
    (prop::bool::weighted(0.2), parts, limits, terms).prop_map(|(denies, parts, limits, terms)| {
        let (agents, principals, actions, resources) = parts;
        let (any_arguments, is_shadow, has_condition, also_in) = terms;
        let rule = if denies { Rule::deny("") } else { Rule::allow("") };
        let rule = rule.agents(agents).principals(principals).actions(actions).resources(resources).even_in(also_in);
        let rule = if any_arguments { rule.any_arguments() } else { rule };
        let rule = if is_shadow { rule.shadow() } else { rule };
        if denies {
            return rule.telling("no");
        }
        let rule = limits.into_iter().fold(rule, |rule, (name, limit)| rule.argument(name, limit));
        if has_condition { rule.on_condition_of(Obligation::Unknown("x".into())) } else { rule }
    })
}

/// Up to a dozen rules, whose ids are not in their order.
fn rules() -> impl Strategy<Value = Rules> {
    prop::collection::vec(rule(), 0..12).prop_map(|rules| {
        let complete = rules.into_iter().enumerate().map(|(number, rule)| {
            let mut rule = rule.complete().unwrap();
            rule.id = format!("{}-{number}", number * 7 % 5).into();
            rule
        });
        Rules::of(complete.collect())
    })
}

fn arguments() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        (0..4).prop_map(|fee| json!({"fee": fee})),
        any::<bool>().prop_map(|note| json!({"note": note})),
        Just(json!({"fee": 1, "note": true})),
        Just(json!({"other": 1})),
    ]
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let resource = prop::option::of((name(&["case", "docket"]), name(&["1", "2", "3"])));
    let parties = (agent(), principal(), mode(), prop::collection::vec(agent(), 0..2));
    (parties, name(&["file", "seal", "read"]), resource, arguments()).prop_map(
        |(parties, action, resource, arguments)| {
            let (agent, principal, mode, holders) = parties;
            let server = ResourceId::new("https://court.example").unwrap();
            let scenario = Scenario::new(server, agent, principal, action).in_mode(mode);
            let mut scenario = scenario.with(Arguments::of(&arguments).unwrap());
            scenario.holders = holders;
            match resource {
                Some((kind, id)) => scenario.on(kind, id),
                None => scenario,
            }
        },
    )
}

impl Rules {
    /// Without index, and without regard to how long it takes.
    fn answer_by_all(&self, request: &AuthzRequest<'_>) -> Decision {
        let is_about = |rule: &&CompleteRule| rule.is_about(&request.caller);
        let matches = |rule: &&CompleteRule| is_about(rule) && rule.has_target(request.action, request.resource);
        let of = |effect, shadow| {
            let is_of = move |rule: &&CompleteRule| rule.effect == effect && rule.shadow == shadow;
            self.rules.iter().filter(is_of)
        };
        if let Some(rule) = of(Effect::Deny, false).find(matches) {
            return rule.denies();
        }
        let allows = |rule: &&CompleteRule| matches(rule) && rule.refused(request.arguments).is_none();
        let allowing: Vec<_> = of(Effect::Allow, false).filter(allows).collect();
        let (conditional, free): (Vec<_>, Vec<_>) = allowing.into_iter().partition(|rule| !rule.conditions.is_empty());
        let mut decision: Option<Decision> = None;
        for rule in conditional.into_iter().chain(free.into_iter().take(1)) {
            decision = Some(match decision {
                None => rule.allows(),
                Some(decision) => rule.also_allows(decision),
            });
        }
        let decision = decision.unwrap_or_else(|| {
            let missed = of(Effect::Allow, false).filter(matches).max_by_key(|rule| &rule.id);
            let reason = match missed {
                Some(rule) => {
                    let text = rule.refused(request.arguments).unwrap().to_string();
                    Reason::new(ReasonKind::ArgumentOutsideLimit, text).of_policy(&rule.id)
                }
                None if of(Effect::Allow, false).any(|rule| is_about(&rule)) => {
                    let on = |r: &crate::policy::Resource| format!(" on {} `{}`", r.kind(), Excerpt::of(r.id()));
                    let resource = request.resource.map_or_else(String::new, on);
                    Reason::new(ReasonKind::NotPermitted, format!("no rule allows `{}`{resource}", request.action))
                }
                None => return Nearest::NoPair.denies(request),
            };
            Decision::deny(reason)
        });
        let flips: Vec<_> = match decision.effect() {
            Effect::Allow => of(Effect::Deny, true).filter(matches).collect(),
            Effect::Deny => of(Effect::Allow, true).filter(allows).collect(),
        };
        let to = if decision.effect() == Effect::Allow { Effect::Deny } else { Effect::Allow };
        let flip = |rule: &CompleteRule| WouldFlip::new(rule.id.clone(), to);
        flips.into_iter().fold(decision, |decision, rule| decision.with_flip(flip(rule)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Ten requests of each of 1,500 sets of rules.
    #[test]
    fn the_index_finds_what_all_rules_say(rules in rules(), scenarios in prop::collection::vec(scenario(), 10)) {
        for scenario in scenarios {
            prop_assert_eq!(rules.answer(&scenario.request()), rules.answer_by_all(&scenario.request()));
        }
    }

    /// What never is permitted is denied, and what always is, permitted, whatever comes.
    #[test]
    fn a_preview_keeps_its_word(
        rules in rules(),
        scenario in scenario(),
        others in prop::collection::vec(scenario(), 10),
        is_known in any::<bool>(),
    ) {
        let mut ahead = scenario.preview();
        if !is_known {
            ahead.resource = PreviewResource::Unknown;
        }
        let preview = rules.preview(&ahead);
        for other in others {
            let resource = if is_known { scenario.resource.clone() } else { other.resource };
            let asked = Scenario { resource, arguments: other.arguments, ..scenario.clone() };
            let decision = rules.answer(&asked.request());
            match preview {
                Preview::Never => prop_assert_eq!(decision.effect(), Effect::Deny),
                Preview::Always => {
                    prop_assert_eq!(decision.effect(), Effect::Allow);
                    prop_assert!(decision.obligations().is_empty());
                }
                Preview::Possibly(_) => {}
            }
        }
    }
}
