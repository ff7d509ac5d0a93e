//! The buckets of one action.

use std::collections::HashMap;

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
    /// Those that do not begin with an agent.
    of_any_agent: Option<PolicySet>,
    of_agent: HashMap<Number, PolicySet>,
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

    /// Makes the buckets. Adds the positions of policies that no bucket takes to `unplaced`.
    pub(super) fn grow(self, policies: &[Loaded], agents: &mut Axis, unplaced: &mut Vec<usize>) -> Tree {
        let mut leaf = |positions: Vec<usize>| Leaf::new(&positions, policies, agents, unplaced);
        let mut leaves = |by_resource: HashMap<Number, Vec<usize>>| {
            by_resource.into_iter().map(|(resource, positions)| (resource, leaf(positions))).collect()
        };
        Tree(self.0.into_iter().map(|(principal, by_resource)| (principal, leaves(by_resource))).collect())
    }
}

impl Leaf {
    fn new(positions: &[usize], policies: &[Loaded], agents: &mut Axis, unplaced: &mut Vec<usize>) -> Self {
        let mut leaf = Self::default();
        for position in positions {
            let Some(Loaded { policy, .. }) = policies.get(*position) else { continue };
            let bucket = match agents.number(place::agent(policy)) {
                ANYWHERE => leaf.of_any_agent.get_or_insert_default(),
                agent => leaf.of_agent.entry(agent).or_default(),
            };
            if bucket.add(policy.clone()).is_err() {
                unplaced.push(*position);
            }
        }
        leaf
    }
}

impl Tree {
    /// Calls `visitor` with each bucket that a request which is there looks into. As much work as there are such buckets, and as
    /// the request has places.
    pub(super) fn visit<'t>(&'t self, whereabouts: &Whereabouts, mut visitor: impl FnMut(&'t PolicySet)) {
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
