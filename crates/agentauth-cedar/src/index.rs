//! The policies that are in force, and which of them a request is evaluated by.

use std::collections::HashMap;

use cedar_policy::{Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, Request};

use crate::annotations::Terms;

/// A policy that has been checked.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) policy: Policy,
    pub(crate) terms: Terms,
}

/// What the policies say of one request.
#[derive(Debug, Default)]
pub(crate) struct Verdict<'p> {
    /// Those that permit; all of them, if none forbids.
    pub(crate) permits: Vec<&'p Loaded>,
    /// Those that forbid.
    pub(crate) forbids: Vec<&'p Loaded>,
    /// Those that could not be evaluated, and why.
    pub(crate) errors: Vec<(&'p Loaded, String)>,
}

/// The policies of one mode.
#[derive(Debug)]
pub(crate) struct Index {
    set: PolicySet,
    policies: HashMap<PolicyId, Loaded>,
    authorizer: Authorizer,
}

impl Index {
    pub(crate) fn new(loaded: impl IntoIterator<Item = Loaded>) -> Self {
        let (mut set, mut policies) = (PolicySet::new(), HashMap::new());
        for one in loaded {
            // Their names have been found to differ.
            if set.add(one.policy.clone()).is_ok() {
                policies.insert(one.policy.id().clone(), one);
            }
        }
        Self { set, policies, authorizer: Authorizer::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    pub(crate) fn evaluate(&self, request: &Request, entities: &Entities) -> Verdict<'_> {
        let response = self.authorizer.is_authorized(request, &self.set, entities);
        let mut verdict = Verdict::default();
        for id in response.diagnostics().reason() {
            match (response.decision(), self.policies.get(id)) {
                (Decision::Allow, Some(known)) => verdict.permits.push(known),
                (Decision::Deny, Some(known)) => verdict.forbids.push(known),
                (_, None) => {}
            }
        }
        for error in response.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            if let Some(known) = self.policies.get(error.policy_id()) {
                verdict.errors.push((known, error.inner().to_string()));
            }
        }
        verdict
    }

    /// Those that permit, or that forbid.
    pub(crate) fn count(&self, effect: Effect) -> usize {
        self.policies.values().filter(|known| known.policy.effect() == effect).count()
    }
}
