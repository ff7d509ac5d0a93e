//! Where a policy belongs: what a request must be about, or else the policy is false for it.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint, Schema,
};

use super::leftmost;

/// A policy for more actions than this stands among those for any action: a place for each would cost more than it spares.
const MAX_ACTIONS: usize = 64;

/// Which entities a policy can match, on one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    /// Those of a type.
    Kind(EntityTypeName),
    /// This one, and those in it.
    At(EntityUid),
}

/// Which actions a policy can match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Actions {
    Any,
    These(HashSet<EntityUid>),
}

/// The actions that are in each action or group of actions, itself among them.
pub(super) type Members = HashMap<EntityUid, Vec<EntityUid>>;

pub(super) fn members(schema: &Schema) -> Members {
    let mut members = Members::new();
    let Ok(entities) = schema.action_entities() else { return members };
    for action in schema.actions() {
        for group in entities.ancestors(action).into_iter().flatten().chain([action]) {
            members.entry(group.clone()).or_default().push(action.clone());
        }
    }
    members
}

pub(super) fn actions(policy: &Policy, members: &Members) -> Actions {
    let named = match policy.action_constraint() {
        ActionConstraint::Any => return Actions::Any,
        ActionConstraint::Eq(action) => vec![action],
        ActionConstraint::In(groups) => groups,
    };
    let mut actions = HashSet::new();
    for action in named {
        actions.extend(members.get(&action).into_iter().flatten().cloned());
        actions.insert(action);
    }
    if actions.len() > MAX_ACTIONS { Actions::Any } else { Actions::These(actions) }
}

pub(super) fn principal(policy: &Policy) -> Place {
    match policy.principal_constraint() {
        PrincipalConstraint::Any => Place::Anywhere,
        PrincipalConstraint::Is(kind) => Place::Kind(kind),
        PrincipalConstraint::Eq(uid) | PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => {
            Place::At(uid)
        }
    }
}

pub(super) fn resource(policy: &Policy) -> Place {
    match policy.resource_constraint() {
        ResourceConstraint::Any => Place::Anywhere,
        ResourceConstraint::Is(kind) => Place::Kind(kind),
        ResourceConstraint::Eq(uid) | ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => Place::At(uid),
    }
}

/// Which agents: see [`leftmost`].
pub(super) fn agent(policy: &Policy) -> Place {
    leftmost::agent(policy).map_or(Place::Anywhere, Place::At)
}
