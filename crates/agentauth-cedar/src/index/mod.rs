//! The policies that are in force, and which of them a request is evaluated by.
//!
//! Each policy stands in the bucket of what it asks for: an action, a principal and a resource in its scope, and the agent that
//! its condition begins with. A request looks into the buckets of what it is about and
//! of all that this is in, and Cedar evaluates each policy there as a whole. A policy in any other bucket is false for the
//! request, and could not have erred: its scope, which cannot err, is evaluated first, and its leftmost conjunct next.

mod axis;
mod leftmost;
mod place;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use cedar_policy::{
    Authorizer, Decision, Effect, Entities, EntityUid, EvaluationError, Policy, PolicyId, Request, Schema,
};

use crate::annotations::Terms;
use axis::Axis;
use place::Actions;
use tree::{Bucket, Plan, Tree, Whereabouts};

/// A policy that has been checked.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) policy: Policy,
    pub(crate) terms: Terms,
}

impl Loaded {
    /// The policy's name.
    pub(crate) fn name(&self) -> &str {
        self.policy.id().as_ref()
    }

    /// What was made of a template, as a policy of its own: buckets have no templates.
    fn standing_alone(self) -> Self {
        let alone = || Policy::from_json(Some(self.policy.id().clone()), self.policy.to_json().ok()?).ok();
        let policy = if self.policy.is_static() { None } else { alone() };
        Self { policy: policy.unwrap_or(self.policy), ..self }
    }
}

/// What the policies say of one request. Each list is in the order in which they were loaded.
#[derive(Debug, Default)]
pub(crate) struct Verdict<'p> {
    /// Those that permit; all of them, if none forbids.
    pub(crate) permits: Vec<&'p Loaded>,
    /// Those that forbid.
    pub(crate) forbids: Vec<&'p Loaded>,
    /// Those that could not be evaluated, and why.
    pub(crate) errors: Vec<(&'p Loaded, &'static str)>,
}

/// The policies of one mode.
#[derive(Debug)]
pub(crate) struct Index {
    policies: Vec<Loaded>,
    positions: HashMap<PolicyId, usize>,
    of_action: HashMap<EntityUid, Tree>,
    /// For those whose scope does not say which action, or names more of them than are worth a place each.
    of_any_action: Tree,
    axes: Axes,
    authorizer: Authorizer,
}

/// What policies are told apart by, beside the action.
#[derive(Debug, Default)]
struct Axes {
    principals: Axis,
    resources: Axis,
    agents: Axis,
}

impl Index {
    /// Sorts `loaded`, which `schema` has been found to fit.
    pub(crate) fn new(loaded: impl IntoIterator<Item = Loaded>, schema: &Schema) -> Self {
        let policies: Vec<Loaded> = loaded.into_iter().map(Loaded::standing_alone).collect();
        let members = place::members(schema);
        let (mut axes, mut positions) = (Axes::default(), HashMap::with_capacity(policies.len()));
        let (mut plans, mut of_any_action): (HashMap<EntityUid, Plan>, Plan) = Default::default();
        for (position, one) in policies.iter().enumerate() {
            positions.insert(one.policy.id().clone(), position);
            let principal = axes.principals.number(place::principal(&one.policy));
            let resource = axes.resources.number(place::resource(&one.policy));
            match place::actions(&one.policy, &members) {
                Actions::Any => of_any_action.put(principal, resource, position),
                Actions::These(actions) => {
                    for action in actions {
                        plans.entry(action).or_default().put(principal, resource, position);
                    }
                }
            }
        }
        let mut grow = |plan: Plan| plan.grow(&policies, &mut axes.agents);
        let of_action = plans.into_iter().map(|(action, plan)| (action, grow(plan))).collect();
        let of_any_action = grow(of_any_action);
        Self { policies, positions, of_action, of_any_action, axes, authorizer: Authorizer::new() }
    }

    /// All of them, each standing alone.
    pub(crate) fn policies(&self) -> &[Loaded] {
        &self.policies
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// What the policies say of `request`, whose `context.agent` is `agent`.
    pub(crate) fn evaluate(&self, request: &Request, agent: &EntityUid, entities: &Entities) -> Verdict<'_> {
        let mut findings = Findings::default();
        let (Some(principal), Some(action), Some(resource)) =
            (request.principal(), request.action(), request.resource())
        else {
            // No request is made without one of them; and of one that was, nothing would be permitted.
            return Verdict::default();
        };
        let whereabouts = Whereabouts {
            principals: self.axes.principals.numbers_of(principal, entities),
            resources: self.axes.resources.numbers_of(resource, entities),
            agents: self.axes.agents.numbers_of(agent, entities),
        };
        for tree in self.of_action.get(action).into_iter().chain([&self.of_any_action]) {
            tree.visit(&whereabouts, |bucket| self.add_findings(bucket, request, entities, &mut findings));
        }
        self.verdict(findings)
    }

    fn add_findings(&self, bucket: &Bucket, request: &Request, entities: &Entities, findings: &mut Findings) {
        let bucket = bucket.made(&self.policies);
        findings.errors.extend(bucket.left_out.iter().map(|position| (*position, "it could not be put into force")));
        let response = self.authorizer.is_authorized(request, &bucket.set, entities);
        let into = match response.decision() {
            Decision::Allow => &mut findings.permits,
            Decision::Deny => &mut findings.forbids,
        };
        into.extend(response.diagnostics().reason().filter_map(|id| self.positions.get(id)));
        for error in response.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            if let Some(position) = self.positions.get(error.policy_id()) {
                findings.errors.push((*position, kind_of(error.inner())));
            }
        }
    }

    /// Puts together what was found in the buckets: each policy stands in one of them at most that a request looks into.
    fn verdict(&self, mut findings: Findings) -> Verdict<'_> {
        findings.permits.sort_unstable();
        findings.forbids.sort_unstable();
        findings.errors.sort_unstable();
        if !findings.forbids.is_empty() {
            // They do not count, and a bucket in which one forbids does not tell them.
            findings.permits.clear();
        }
        let known = |position: usize| self.policies.get(position);
        Verdict {
            permits: findings.permits.into_iter().filter_map(known).collect(),
            forbids: findings.forbids.into_iter().filter_map(known).collect(),
            errors: findings.errors.into_iter().filter_map(|(at, text)| Some((known(at)?, text))).collect(),
        }
    }

    /// Those that permit, or that forbid.
    pub(crate) fn count(&self, effect: Effect) -> usize {
        self.policies.iter().filter(|known| known.policy.effect() == effect).count()
    }
}

/// What went wrong, without what Cedar says of it: that has values in it, which are anybody's secrets and as long as they like.
const fn kind_of(error: &EvaluationError) -> &'static str {
    match error {
        EvaluationError::IntegerOverflow(_) => "integer overflow",
        EvaluationError::EntityDoesNotExist(_) => "nothing is known of an entity",
        EvaluationError::EntityAttrDoesNotExist(_) => "an entity does not have an attribute",
        EvaluationError::RecordAttrDoesNotExist(_) => "a record does not have an attribute",
        EvaluationError::TypeError(_) => "a value is of another type",
        EvaluationError::FailedExtensionFunctionExecution(_) => "an extension function failed",
        EvaluationError::RecursionLimit(_) => "it is nested too deep",
        _ => "Cedar cannot evaluate it",
    }
}

/// By their position among the policies.
#[derive(Default)]
struct Findings {
    permits: Vec<usize>,
    forbids: Vec<usize>,
    errors: Vec<(usize, &'static str)>,
}
