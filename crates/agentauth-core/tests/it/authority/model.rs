//! Authority as plainly as it can be said, with an answer to every request of a small universe: what the real one is
//! compared with. Nothing here calls what it is to judge.

use std::sync::LazyLock;

use agentauth_core::scope::{Constraint, Grant, GrantError, Wanted};
use agentauth_core::{Authority, ResourceId, Scope, ScopeImplications, ScopeSet, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// What one argument may be. Numbers are in tenths.
#[derive(Debug, Clone)]
pub(super) enum Limit {
    OneOf(Vec<Value>),
    Integer(i64, i64),
    Tenths(i64, i64),
    Text { below: Option<&'static str>, least: usize, most: usize },
    SubsetOf(Vec<Value>),
}

impl Limit {
    pub(super) fn real(&self) -> Result<Constraint, GrantError> {
        match self {
            Self::OneOf(values) => Constraint::one_of(values.clone()),
            Self::Integer(least, most) => Constraint::integers(*least..=*most),
            Self::Tenths(least, most) => Constraint::decimals(*least as f64 / 10.0..=*most as f64 / 10.0),
            Self::Text { below: None, least, most } => Constraint::length(*least..=*most),
            Self::Text { below: Some(prefix), least, most } => Constraint::below_of_length(prefix, *least..=*most),
            Self::SubsetOf(values) => Constraint::subset_of(values.clone()),
        }
    }

    pub(super) fn takes(&self, value: &Value) -> bool {
        let same = |a: &Value, b: &Value| match (tenths(a), tenths(b)) {
            (Some(a), Some(b)) => a == b,
            (None, None) => a == b,
            _ => false,
        };
        match self {
            Self::OneOf(values) => values.iter().any(|member| same(member, value)),
            Self::Integer(least, most) => {
                tenths(value).is_some_and(|t| t % 10 == 0 && *least * 10 <= t && t <= *most * 10)
            }
            Self::Tenths(least, most) => tenths(value).is_some_and(|t| *least <= t && t <= *most),
            Self::Text { below, least, most } => value.as_str().is_some_and(|text| {
                let length = text.chars().count();
                *least <= length && length <= *most && below.is_none_or(|prefix| is_below(prefix, text))
            }),
            Self::SubsetOf(values) => value.as_array().is_some_and(|members| {
                !members.is_empty() && members.iter().all(|member| values.iter().any(|value| same(value, member)))
            }),
        }
    }
}

/// The numbers of the universe have one place behind the point at most.
fn tenths(value: &Value) -> Option<i64> {
    value.is_number().then(|| (value.as_f64().unwrap() * 10.0).round() as i64)
}

fn is_below(prefix: &str, text: &str) -> bool {
    let of: Vec<&str> = prefix.split('/').collect();
    let segments: Vec<&str> = text.split('/').collect();
    segments.starts_with(&of)
        && segments.iter().all(|segment| !["", ".", ".."].contains(segment))
        && !text.contains(['%', '\\', '\u{7}'])
}

#[derive(Debug, Clone)]
pub(super) enum On {
    Anything,
    Kind(&'static str),
    Below(&'static str, &'static str),
    Exactly(&'static str, &'static str),
}

/// A grant with its limits.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    pub(super) action: &'static str,
    pub(super) on: On,
    pub(super) arguments: Vec<(&'static str, Limit)>,
    pub(super) closed: bool,
    pub(super) from: u64,
    pub(super) until: Option<u64>,
    pub(super) servers: Option<Vec<usize>>,
    pub(super) depth: Option<u32>,
    pub(super) uses: Option<u32>,
}

pub(super) const ACTIONS: [&str; 3] = ["read", "file", "seal"];
pub(super) static SERVERS: LazyLock<[ResourceId; 2]> =
    LazyLock::new(|| ["https://one.example", "https://two.example"].map(|name| ResourceId::new(name).unwrap()));

impl Plain {
    /// The real one; nothing if one of its parts could never be satisfied.
    pub(super) fn real(&self) -> Option<Grant> {
        let mut grant = Grant::new(self.action).unwrap();
        grant = match self.on {
            On::Anything => grant,
            On::Kind(kind) => grant.on_kind(kind).unwrap(),
            On::Below(kind, prefix) => grant.below(kind, prefix).unwrap(),
            On::Exactly(kind, id) => grant.on(kind, id).unwrap(),
        };
        for (name, limit) in &self.arguments {
            grant = grant.argument(name, limit.real().ok()?).unwrap();
        }
        grant = if self.closed { grant.no_other_arguments() } else { grant };
        grant = if self.from > 0 { grant.valid_from(Timestamp::from_secs(self.from)) } else { grant };
        grant = self.until.map_or(grant.clone(), |until| grant.valid_until(Timestamp::from_secs(until)));
        let servers = self.servers.as_ref().map(|places| places.iter().map(|place| SERVERS[*place].clone()));
        grant = servers.map_or(grant.clone(), |servers| grant.audiences(servers).unwrap());
        grant = self.depth.map_or(grant.clone(), |times| grant.depth(times));
        Some(self.uses.map_or(grant.clone(), |times| grant.uses(times)))
    }

    pub(super) fn allows(&self, request: &Request) -> bool {
        self.action == request.action
            && match (&self.on, request.resource) {
                (On::Anything, _) => true,
                (On::Kind(kind), Some((k, _))) => *kind == k,
                (On::Below(kind, prefix), Some((k, id))) => *kind == k && is_below(prefix, id),
                (On::Exactly(kind, only), Some((k, id))) => *kind == k && *only == id,
                (_, None) => false,
            }
            && self.arguments.iter().all(|(name, limit)| request.arguments.get(name).is_some_and(|v| limit.takes(v)))
            && (!self.closed
                || request
                    .arguments
                    .as_object()
                    .unwrap()
                    .keys()
                    .all(|name| self.arguments.iter().any(|(n, _)| n == name)))
            && self.from <= request.now
            && self.until.is_none_or(|until| request.now < until)
            && self.servers.as_ref().is_none_or(|servers| servers.contains(&request.server))
            && self.uses != Some(0)
    }
}

/// An authority: scopes, and grants.
#[derive(Debug, Clone)]
pub(super) struct Plainly {
    pub(super) scopes: Vec<&'static str>,
    pub(super) grants: Vec<Plain>,
}

impl Plainly {
    pub(super) fn real(&self) -> Authority {
        Authority::new(self.scope_set(), self.grants.iter().filter_map(Plain::real)).unwrap()
    }

    pub(super) fn scope_set(&self) -> ScopeSet {
        self.scopes.join(" ").parse().unwrap()
    }

    pub(super) fn allows(&self, request: &Request) -> bool {
        self.scopes.contains(&request.action) || self.grants.iter().any(|grant| grant.allows(request))
    }
}

/// One thing that somebody may want to do.
#[derive(Debug)]
pub(super) struct Request {
    action: &'static str,
    scope: Scope,
    resource: Option<(&'static str, &'static str)>,
    arguments: Value,
    server: usize,
    now: u64,
}

impl Request {
    pub(super) fn is_allowed_by(&self, authority: &Authority) -> bool {
        let wanted =
            Wanted::new(&self.scope, &SERVERS[self.server], Timestamp::from_secs(self.now)).with(&self.arguments);
        let wanted = self.resource.iter().fold(wanted, |wanted, (kind, id)| wanted.on(kind, id));
        authority.allows(&wanted, &NONE)
    }
}

static NONE: LazyLock<ScopeImplications> = LazyLock::new(ScopeImplications::new);

/// Everything that can be wanted in the universe.
pub(super) static REQUESTS: LazyLock<Vec<Request>> = LazyLock::new(|| {
    let resources = [
        None,
        Some(("case", "a")),
        Some(("case", "a/b")),
        Some(("case", "ab")),
        Some(("case", "a/../b")),
        Some(("file", "a")),
    ];
    let arguments = [
        json!({}),
        json!({"x": 1}),
        json!({"x": 2, "y": 1}),
        json!({"x": 1.5}),
        json!({"x": "1"}),
        json!({"x": "a/b"}),
        json!({"x": "ab", "y": true}),
        json!({"x": ["a"]}),
        json!({"x": ["a", "b"], "y": 1}),
        json!({"y": 1}),
        json!({"x": []}),
    ];
    let mut requests = Vec::new();
    for action in &ACTIONS[..2] {
        for resource in resources {
            for arguments in &arguments {
                for server in 0..2 {
                    for now in [1, 2] {
                        let (scope, arguments) = (action.parse().unwrap(), arguments.clone());
                        requests.push(Request { action, scope, resource, arguments, server, now });
                    }
                }
            }
        }
    }
    requests
});

pub(super) fn scalars() -> Vec<Value> {
    vec![
        json!(0),
        json!(1),
        json!(2),
        json!(1.5),
        json!(0.5),
        json!(true),
        json!(false),
        json!("1"),
        json!(""),
        json!("a"),
        json!("b"),
        json!("a/b"),
        json!("a/b/c"),
        json!("ab"),
        json!("A"),
        json!("\u{e9}"),
        json!("a/../b"),
        json!("a//b"),
        json!("a/%62"),
        json!("a\\b"),
        json!("a/\u{7}"),
        json!("a/."),
        json!("a/b/"),
    ]
}

pub(super) fn limits() -> impl Strategy<Value = Limit> {
    let values = || prop::collection::vec(select(scalars()), 0..5);
    let few = || prop::collection::vec(select(vec![json!("a"), json!("b"), json!(1), json!(2)]), 0..4);
    prop_oneof![
        values().prop_map(Limit::OneOf),
        few().prop_map(Limit::OneOf),
        few().prop_map(Limit::SubsetOf),
        (-1i64..3, 0i64..4).prop_map(|(least, more)| Limit::Integer(least, least + more - 1)),
        (-5i64..25, 0i64..20).prop_map(|(least, more)| Limit::Tenths(least, least + more - 2)),
        (select(vec![None, None, Some("a"), Some("a/b"), Some("b")]), 0usize..5, 0usize..6)
            .prop_map(|(below, least, more)| Limit::Text { below, least, most: (least + more).saturating_sub(1) }),
        select(vec![Some("a"), Some("a/b")]).prop_map(|below| Limit::Text { below, least: 0, most: usize::MAX }),
    ]
}

/// Something, in one case of three.
fn seldom<T: Clone + std::fmt::Debug + 'static>(some: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Option<T>> {
    prop_oneof![2 => Just(None), 1 => some.prop_map(Some)].boxed()
}

fn grants() -> impl Strategy<Value = Plain> {
    let on = select(vec![
        On::Anything,
        On::Anything,
        On::Kind("case"),
        On::Below("case", "a"),
        On::Below("case", "a/b"),
        On::Exactly("case", "a"),
        On::Exactly("case", "a/b"),
        On::Exactly("case", "a/../b"),
        On::Exactly("file", "a"),
    ]);
    let arguments = (seldom(limits()), seldom(limits()));
    let servers = seldom(prop::collection::vec(0usize..2, 0..3));
    let counts = (seldom(0u32..3), seldom(0u32..3));
    (select(&ACTIONS[..2]), on, arguments, prop::bool::weighted(0.2), seldom(0u64..3), seldom(1u64..4), servers, counts)
        .prop_map(|(action, on, (x, y), closed, from, until, servers, (depth, uses))| {
            let arguments = x.map(|limit| ("x", limit)).into_iter().chain(y.map(|limit| ("y", limit))).collect();
            Plain { action, on, arguments, closed, from: from.unwrap_or(0), until, servers, depth, uses }
        })
}

pub(super) fn authorities() -> impl Strategy<Value = Plainly> {
    let scopes = seldom(select(&ACTIONS[1..])).prop_map(|scope| scope.into_iter().collect());
    (scopes, prop::collection::vec(grants(), 0..5)).prop_map(|(scopes, grants)| Plainly { scopes, grants })
}
