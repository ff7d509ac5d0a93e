//! Whatever the policies, the entities and the request are.

use std::collections::HashSet;
use std::fmt;

use cedar_policy::{Context, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression, Schema};
use proptest::prelude::*;
use proptest::sample::select;

use super::{index_of, plain, through};
use crate::index::leftmost;

const SETS: u32 = 500;
const REQUESTS: usize = 40;
const _: () = assert!(SETS as usize * REQUESTS >= 20_000);

const SCHEMA: &str = r#"
    entity T; entity U;
    namespace N { entity V; }
    action all, lone;
    action writes in all;
    action write, edit in writes;
    action read in all;
"#;

/// The last is in no schema.
const ACTIONS: [&str; 7] = ["read", "write", "edit", "lone", "writes", "all", "gone"];

const TYPES: [&str; 3] = ["T", "U", "N::V"];

/// So many entities, of all types; each can be in any after it, and be principal, resource or agent.
const ENTITIES: usize = 9;

fn entity() -> impl Strategy<Value = String> {
    (0..ENTITIES).prop_map(name)
}

fn name(number: usize) -> String {
    format!("{}::\"{number}\"", TYPES[number % TYPES.len()])
}

fn action() -> impl Strategy<Value = String> {
    select(&ACTIONS[..]).prop_map(|name| format!("Action::\"{name}\""))
}

fn uid(text: &str) -> EntityUid {
    text.parse().unwrap()
}

/// `principal` or `resource`, in a scope.
fn scoped(variable: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![
        Just(variable.to_owned()),
        entity().prop_map(move |uid| format!("{variable} == {uid}")),
        entity().prop_map(move |uid| format!("{variable} in {uid}")),
        select(&TYPES[..]).prop_map(move |kind| format!("{variable} is {kind}")),
        (select(&TYPES[..]), entity()).prop_map(move |(kind, uid)| format!("{variable} is {kind} in {uid}")),
    ]
}

fn scope() -> impl Strategy<Value = String> {
    let actions = prop_oneof![
        Just("action".to_owned()),
        action().prop_map(|action| format!("action == {action}")),
        action().prop_map(|action| format!("action in {action}")),
        prop::collection::vec(action(), 1..4).prop_map(|actions| format!("action in [{}]", actions.join(", "))),
    ];
    (scoped("principal"), actions, scoped("resource"))
        .prop_map(|(principal, action, resource)| format!("{principal}, {action}, {resource}"))
}

/// What places a policy where it stands leftmost.
fn agent() -> impl Strategy<Value = String> {
    (select(&["==", "in"][..]), entity()).prop_map(|(relation, uid)| format!("context.agent {relation} {uid}"))
}

/// What does not, and much of it errs.
fn other() -> impl Strategy<Value = String> {
    prop_oneof![
        entity().prop_map(|uid| format!("{uid} == context.agent")),
        entity().prop_map(|uid| format!("context.agent != {uid}")),
        entity().prop_map(|uid| format!("!(context.agent in {uid})")),
        (entity(), entity()).prop_map(|(one, two)| format!("context.agent in [{one}, {two}]")),
        (select(&TYPES[..]), entity()).prop_map(|(kind, uid)| format!("context.agent is {kind} in {uid}")),
        Just("context.agent == principal".to_owned()),
        Just("context.n > 1".to_owned()),
        Just("context.n + 9223372036854775807 > 1".to_owned()),
        Just("context.gone".to_owned()),
        Just("principal.gone == 1".to_owned()),
        Just("context.n".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
    ]
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![2 => agent(), 3 => other()].prop_recursive(3, 8, 2, |inner| {
        let two = || (inner.clone(), inner.clone());
        prop_oneof![
            4 => two().prop_map(|(left, right)| format!("({left} && {right})")),
            2 => two().prop_map(|(left, right)| format!("{left} && {right}")),
            1 => two().prop_map(|(left, right)| format!("({left} || {right})")),
            1 => two().prop_map(|(left, right)| format!("(if {left} then {right} else false)")),
        ]
    })
}

fn clauses() -> impl Strategy<Value = String> {
    let clause = (prop_oneof![4 => Just("when"), 1 => Just("unless")], body());
    let clauses = prop::collection::vec(clause.prop_map(|(kind, body)| format!(" {kind} {{ {body} }}")), 0..3);
    clauses.prop_map(|clauses| clauses.concat())
}

/// Policies of which many have one scope, so that they are told apart by their agents too.
fn policies() -> impl Strategy<Value = String> {
    prop::collection::vec(scope(), 1..4).prop_flat_map(|scopes| {
        let scope = prop_oneof![5 => select(scopes), 2 => scope()];
        let policy = (select(&["permit", "forbid"][..]), scope, clauses());
        let policy = policy.prop_map(|(effect, scope, clauses)| format!("{effect} ({scope}){clauses};\n"));
        prop::collection::vec(policy, 1..16).prop_map(|policies| policies.concat())
    })
}

/// Who is in whom: a bit for each two. And who is not there at all.
#[derive(Debug, Clone)]
struct Hierarchy {
    parents: Vec<u16>,
    absent: u16,
    /// Whether there are the groups of actions.
    groups: bool,
}

impl Hierarchy {
    fn entities(&self, schema: &Schema) -> Entities {
        let bit = |bits: u16, number: usize| bits >> number & 1 == 1;
        let present = (0..ENTITIES).filter(|number| !bit(self.absent, *number));
        let entities = present.map(|number| {
            let parents = (number + 1..ENTITIES).filter(|above| bit(self.parents[number], *above));
            Entity::new_no_attrs(uid(&name(number)), parents.map(|above| uid(&name(above))).collect::<HashSet<_>>())
        });
        let actions = schema.action_entities().unwrap().into_iter().filter(|_| self.groups);
        Entities::from_entities(entities.chain(actions), None).unwrap()
    }
}

fn hierarchy() -> impl Strategy<Value = Hierarchy> {
    // Two draws, so that a bit is set in a quarter of all.
    let bits = || (any::<u16>(), any::<u16>()).prop_map(|(one, two)| one & two);
    (prop::collection::vec(bits(), ENTITIES), bits(), prop::bool::weighted(0.8))
        .prop_map(|(parents, absent, groups)| Hierarchy { parents, absent, groups })
}

#[derive(Clone)]
struct Asked {
    principal: String,
    action: String,
    resource: String,
    agent: String,
    number: i64,
}

impl Asked {
    fn request(&self) -> Request {
        let pairs = [
            ("agent".to_owned(), RestrictedExpression::new_entity_uid(uid(&self.agent))),
            ("n".to_owned(), RestrictedExpression::new_long(self.number)),
        ];
        let context = Context::from_pairs(pairs).unwrap();
        Request::new(uid(&self.principal), uid(&self.action), uid(&self.resource), context, None).unwrap()
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { principal, action, resource, agent, number } = self;
        write!(f, "{principal}, {action}, {resource}, agent {agent}, n {number}")
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    (entity(), action(), entity(), entity(), 0..3_i64).prop_map(|(principal, action, resource, agent, number)| Asked {
        principal,
        action,
        resource,
        agent,
        number,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: SETS, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_says_what_cedar_says_of_the_whole_set(
        policies in policies(),
        hierarchy in hierarchy(),
        requests in prop::collection::vec(asked(), REQUESTS),
    ) {
        let set: PolicySet = policies.parse().unwrap();
        let schema = Schema::from_cedarschema_str(SCHEMA).unwrap().0;
        for policy in set.policies() {
            prop_assert_eq!(leftmost::agent(policy), leftmost::in_json(&policy.to_json().unwrap()), "{}", policy);
        }
        let (index, entities) = (index_of(&set, &schema), hierarchy.entities(&schema));
        for asked in requests {
            let request = asked.request();
            let answer = through(&index, &request, &uid(&asked.agent), &entities);
            prop_assert_eq!(answer, plain(&set, &request, &entities), "{:?}\n{}", asked, policies);
        }
    }
}
