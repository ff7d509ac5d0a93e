//! The buckets of one action.

use std::collections::HashMap;
use std::sync::OnceLock;

use cedar_policy::PolicySet;

use super::axis::{ANYWHERE, Axis, Number};
use super::{Loaded, place};

/// Which policies go where, before their buckets are made.
#[derive(Debug, Default)]
pub(super) struct Plan(HashMap<Number, HashMap<Number, Vec<usize>>>);

/// The buckets, by principal and then by resource.
#[derive(Debug, Default)]
pub(super) struct Tree(HashMap<Number, HashMap<Number, Leaf>>);

/// Policies with the same scope.
#[derive(Debug, Default)]
struct Leaf {
    /// Those that do not begin with an agent, and all where they are few.
    of_any_agent: Option<Bucket>,
    of_agent: HashMap<Number, Bucket>,
}

/// So few policies are not told apart by the agent that they begin with: to find that out costs more than to evaluate them.
const FEW: usize = 1;

/// Policies that a request is evaluated by together: a set that is made when it is first looked into, since most of a large number
/// of policies are for few requests.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    positions: Vec<usize>,
    made: OnceLock<Made>,
}

/// What is made of a bucket.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) set: PolicySet,
    /// Those that the set does not take. Nothing is known of what they say, as if they had erred.
    pub(super) left_out: Vec<usize>,
}

impl Bucket {
    /// The policies of the bucket, which are among `policies`.
    pub(super) fn made(&self, policies: &[Loaded]) -> &Made {
        self.made.get_or_init(|| {
            let mut made = Made { set: PolicySet::new(), left_out: Vec::new() };
            for position in &self.positions {
                let is_taken = policies.get(*position).is_some_and(|one| made.set.add(one.policy.clone()).is_ok());
                if !is_taken {
                    made.left_out.push(*position);
                }
            }
            made
        })
    }
}

/// All the places where a request is.
#[derive(Debug)]
pub(super) struct Whereabouts {
    pub(super) principals: Vec<Number>,
    pub(super) resources: Vec<Number>,
    pub(super) agents: Vec<Number>,
}

impl Plan {
    pub(super) fn put(&mut self, principal: Number, resource: Number, position: usize) {
        self.0.entry(principal).or_default().entry(resource).or_default().push(position);
    }

    /// Makes the buckets.
    pub(super) fn grow(self, policies: &[Loaded], agents: &mut Axis) -> Tree {
        let mut leaf = |positions: Vec<usize>| Leaf::new(positions, policies, agents);
        let mut leaves = |by_resource: HashMap<Number, Vec<usize>>| {
            by_resource.into_iter().map(|(resource, positions)| (resource, leaf(positions))).collect()
        };
        Tree(self.0.into_iter().map(|(principal, by_resource)| (principal, leaves(by_resource))).collect())
    }
}

impl Leaf {
    fn new(positions: Vec<usize>, policies: &[Loaded], agents: &mut Axis) -> Self {
        if positions.len() <= FEW {
            let of_any_agent = Some(Bucket { positions, made: OnceLock::new() });
            return Self { of_any_agent, of_agent: HashMap::new() };
        }
        let mut leaf = Self::default();
        for position in positions {
            let agent = policies.get(position).map_or(ANYWHERE, |one| agents.number(place::agent(&one.policy)));
            let bucket = match agent {
                ANYWHERE => leaf.of_any_agent.get_or_insert_default(),
                agent => leaf.of_agent.entry(agent).or_default(),
            };
            bucket.positions.push(position);
        }
        leaf
    }
}

impl Tree {
    /// Calls `visitor` with each bucket that a request which is there looks into. As much work as there are such buckets, and as
    /// the request has places.
    pub(super) fn visit<'t>(&'t self, whereabouts: &Whereabouts, mut visitor: impl FnMut(&'t Bucket)) {
        let by_resource = whereabouts.principals.iter().filter_map(|principal| self.0.get(principal));
        let leaves =
            by_resource.flat_map(|leaves| whereabouts.resources.iter().filter_map(|resource| leaves.get(resource)));
        for leaf in leaves {
            leaf.of_any_agent.iter().for_each(&mut visitor);
            if !leaf.of_agent.is_empty() {
                whereabouts.agents.iter().filter_map(|agent| leaf.of_agent.get(agent)).for_each(&mut visitor);
            }
        }
    }
}
