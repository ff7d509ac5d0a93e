//! Which rules a request can match at all: few, however many there are.
//!
//! Rules are found by hashes of what they name exactly: action, the beginning of the agent's name, principal, resource. That two
//! have one hash costs time and nothing else, since every part of what is found is compared again.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher};

use smallvec::SmallVec;

use super::complete::CompleteRule;
use crate::identity::{AgentId, PrincipalId};
use crate::policy::{Agents, CallerFacts, Effect, PreviewResource, Principals, Resource};

/// The place of a rule among its set.
pub(super) type Number = u32;

/// Rules that may match, in their order.
pub(super) type Found = SmallVec<[Number; 16]>;

type Hashes = SmallVec<[u64; 8]>;

/// In the place of what a rule does not name.
const ANY: u64 = 0;

const SCHEME: &str = "spiffe://";

/// Some rules of one effect.
#[derive(Debug, Default)]
pub(super) struct Index {
    buckets: HashMap<u64, Bucket, BuildHasherDefault<Hashed>>,
}

/// The rules for one action, agent and principal.
#[derive(Debug, Default)]
struct Bucket {
    on_any: Vec<Number>,
    on_named: HashMap<u64, Vec<Number>, BuildHasherDefault<Hashed>>,
}

/// How names become hashes.
#[derive(Debug)]
pub(super) struct Keys {
    state: RandomState,
    /// The segments of the longest beginning of an agent's name that a rule has.
    longest: usize,
}

/// What a request is looked up by.
#[derive(Debug, Clone)]
pub(super) struct Sought {
    action: u64,
    /// The beginnings of the agent's name.
    agents: Hashes,
    principal: u64,
    resource: Target,
}

#[derive(Debug, Clone, Copy)]
enum Target {
    Unknown,
    None,
    /// Its kind, and which one.
    Known(u64, u64),
}

impl Keys {
    pub(super) fn for_rules(rules: &[CompleteRule]) -> Self {
        let beginnings = rules.iter().flat_map(|rule| rule.agents.beginnings());
        let longest = beginnings.map(|text| segments(&text).count()).max().unwrap_or_default();
        Self { state: RandomState::new(), longest }
    }

    fn of_texts(&self, texts: &[&str]) -> u64 {
        let mut hasher = self.state.build_hasher();
        for text in texts {
            hasher.write(text.as_bytes());
            // No byte of UTF-8: it ends one text and begins another.
            hasher.write_u8(0xff);
        }
        hasher.finish()
    }

    /// The hashes of the beginnings of `name`, by whole segments and no more of them than a rule has; the longest last.
    fn of_beginnings(&self, name: &str, into: &mut Hashes) {
        let mut hasher = self.state.build_hasher();
        for segment in segments(name).take(self.longest) {
            hasher.write(segment.as_bytes());
            hasher.write_u8(0xff);
            into.push(hasher.finish());
        }
    }

    fn of_agents(&self, agents: &Agents) -> impl Iterator<Item = u64> {
        agents.beginnings().into_iter().map(|beginning| {
            let mut hashes = Hashes::new();
            self.of_beginnings(&beginning, &mut hashes);
            // That of every agent is empty.
            hashes.last().copied().filter(|_| !beginning.is_empty()).unwrap_or(ANY)
        })
    }

    fn of_principals(&self, principals: &Principals) -> u64 {
        principals.exact().map_or(ANY, |principal| self.of_principal(principal))
    }

    fn of_principal(&self, principal: &PrincipalId) -> u64 {
        self.of_texts(&[principal.issuer().as_str(), principal.subject()])
    }

    fn of_target(&self, resource: PreviewResource<'_>) -> Target {
        match resource {
            PreviewResource::Unknown => Target::Unknown,
            PreviewResource::None => Target::None,
            PreviewResource::Known(Resource { kind, id }) => {
                Target::Known(self.of_texts(&[kind]), self.of_texts(&[kind, id]))
            }
        }
    }

    /// What `caller` doing `action` is looked up by, for rules that allow.
    pub(super) fn of(&self, caller: &CallerFacts<'_>, action: &str, resource: PreviewResource<'_>) -> Sought {
        let mut agents = SmallVec::from_slice(&[ANY]);
        self.of_beginnings(caller.agent.name(), &mut agents);
        let action = self.of_texts(&[action]);
        Sought { action, agents, principal: self.of_principal(caller.principal), resource: self.of_target(resource) }
    }

    /// The same for rules that deny: they are also for those that the agent has its authority from.
    pub(super) fn with_holders<'s>(&self, sought: &'s Sought, holders: &[AgentId]) -> Cow<'s, Sought> {
        if holders.is_empty() {
            return Cow::Borrowed(sought);
        }
        let mut sought = sought.clone();
        holders.iter().for_each(|holder| self.of_beginnings(holder.name(), &mut sought.agents));
        Cow::Owned(sought)
    }
}

/// The parts of an agent's name, which joined make it up: each begins where its beginnings end.
fn segments(name: &str) -> impl Iterator<Item = &str> {
    let path = name.strip_prefix(SCHEME);
    let whole = path.is_none().then_some(name);
    path.into_iter().flat_map(|path| path.split('/')).chain(whole)
}

impl Index {
    pub(super) fn of<'r>(keys: &Keys, rules: impl Iterator<Item = (Number, &'r CompleteRule)>) -> Self {
        let mut index = Self::default();
        for (number, rule) in rules {
            let principal = keys.of_principals(&rule.principals);
            for agent in keys.of_agents(&rule.agents) {
                for action in &rule.actions {
                    let bucket = index.buckets.entry(joined(keys.of_texts(&[action]), agent, principal)).or_default();
                    let numbers = match rule.resources.names().as_slice() {
                        [] => &mut bucket.on_any,
                        names => bucket.on_named.entry(keys.of_texts(names)).or_default(),
                    };
                    numbers.push(number);
                }
            }
        }
        index
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Every rule that matches, and hardly any other.
    pub(super) fn find(&self, sought: &Sought) -> Found {
        let mut found = Found::new();
        for agent in &sought.agents {
            for principal in [ANY, sought.principal] {
                let Some(bucket) = self.buckets.get(&joined(sought.action, *agent, principal)) else { continue };
                found.extend_from_slice(&bucket.on_any);
                match sought.resource {
                    Target::None => {}
                    Target::Unknown => bucket.on_named.values().for_each(|named| found.extend_from_slice(named)),
                    Target::Known(kind, one) => {
                        let named = [kind, one].into_iter().filter_map(|name| bucket.on_named.get(&name));
                        named.for_each(|named| found.extend_from_slice(named));
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Whether any rule that allows is about an agent and a principal: one rule of all that are about the same.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    buckets: HashMap<u64, Vec<Number>, BuildHasherDefault<Hashed>>,
}

impl Pairs {
    pub(super) fn of(keys: &Keys, rules: &[CompleteRule]) -> Self {
        let mut pairs = Self::default();
        let mut seen = HashSet::new();
        for (number, rule) in (0..).zip(rules) {
            let about = (&rule.agents, &rule.principals, rule.also_in.as_slice());
            if rule.effect == Effect::Deny || rule.shadow || !seen.insert(about) {
                continue;
            }
            let principal = keys.of_principals(&rule.principals);
            for agent in keys.of_agents(&rule.agents) {
                pairs.buckets.entry(joined(ANY, agent, principal)).or_default().push(number);
            }
        }
        pairs
    }

    /// The rules that may be about the pair.
    pub(super) fn find(&self, sought: &Sought) -> impl Iterator<Item = Number> {
        let agents = sought.agents.iter();
        let keys = agents.flat_map(|agent| [ANY, sought.principal].map(|principal| joined(ANY, *agent, principal)));
        keys.filter_map(|key| self.buckets.get(&key)).flatten().copied()
    }
}

const fn joined(action: u64, agent: u64, principal: u64) -> u64 {
    action ^ agent.rotate_left(21) ^ principal.rotate_left(42)
}

/// What is a hash already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
