//! The index says what Cedar says of the whole set.

mod laws;
mod vectors;

use std::collections::BTreeSet;

use cedar_policy::{Authorizer, Decision, Entities, EntityUid, Policy, PolicySet, Request, Schema};

use super::{Index, Loaded, kind_of};
use crate::annotations::Terms;

/// An answer: the determining policies, and those that err, each with what went wrong.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    decision: Decision,
    reason: BTreeSet<String>,
    errors: BTreeSet<(String, &'static str)>,
}

fn index_of(set: &PolicySet, schema: &Schema) -> Index {
    let load = |policy: &Policy| Loaded { policy: policy.clone(), terms: Terms::read(policy).unwrap() };
    Index::new(set.policies().map(load), schema)
}

fn through(index: &Index, request: &Request, agent: &EntityUid, entities: &Entities) -> Answer {
    let verdict = index.evaluate(request, agent, entities);
    let decision =
        if verdict.forbids.is_empty() && !verdict.permits.is_empty() { Decision::Allow } else { Decision::Deny };
    // Where one forbids, those that permit are not told: by Cedar neither.
    assert!(verdict.forbids.is_empty() || verdict.permits.is_empty());
    let id = |one: &Loaded| one.policy.id().to_string();
    let reason = verdict.permits.iter().chain(&verdict.forbids).map(|one| id(one)).collect();
    let errors = verdict.errors.iter().map(|(one, text)| (id(one), *text)).collect();
    Answer { decision, reason, errors }
}

fn plain(set: &PolicySet, request: &Request, entities: &Entities) -> Answer {
    let response = Authorizer::new().is_authorized(request, set, entities);
    let error = |error: &cedar_policy::AuthorizationError| {
        let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
        (error.policy_id().to_string(), kind_of(error.inner()))
    };
    Answer {
        decision: response.decision(),
        reason: response.diagnostics().reason().map(ToString::to_string).collect(),
        errors: response.diagnostics().errors().map(error).collect(),
    }
}

#[test]
fn what_was_made_of_a_template_is_in_force() {
    let mut set: PolicySet = r#"
        @id("t") forbid (principal in ?principal, action, resource) when { context.agent == Agent::"a" };
        permit (principal, action, resource);
    "#
    .parse()
    .unwrap();
    let template = set.templates().next().unwrap().id().clone();
    let slot = cedar_policy::SlotId::principal();
    let values = [(slot, r#"Group::"g""#.parse().unwrap())].into();
    set.link(template, "linked".parse().unwrap(), values).unwrap();
    let schema = Schema::from_cedarschema_str("entity User; entity Agent; action act;").unwrap().0;
    let index = index_of(&set, &schema);

    let agent: EntityUid = r#"Agent::"a""#.parse().unwrap();
    let group = r#"Group::"g""#.parse().unwrap();
    let context = cedar_policy::Context::from_pairs([(
        "agent".to_owned(),
        cedar_policy::RestrictedExpression::new_entity_uid(agent.clone()),
    )]);
    let request = Request::new(
        group,
        r#"Action::"act""#.parse().unwrap(),
        r#"User::"u""#.parse().unwrap(),
        context.unwrap(),
        None,
    );
    let answer = through(&index, request.as_ref().unwrap(), &agent, &Entities::empty());
    assert_eq!(answer, plain(&set, &request.unwrap(), &Entities::empty()));
    assert_eq!(answer.reason, BTreeSet::from(["linked".to_owned()]));
}
