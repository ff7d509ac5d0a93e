//! Where a policy belongs: what a request must be about, or else the policy is false for it.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint, Schema,
};

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

/// The agent in `context.agent == Agent::".."` or `context.agent in X::".."`, where a policy's first clause is a `when` that
/// has this as its leftmost conjunct.
///
/// Conditions are evaluated from left to right, up to the first that is false: where the leftmost is, nothing behind it is
/// evaluated, so that the policy is neither satisfied nor can it err. Of any other conjunct this is not so. In
/// `context.n + 1 > 2 && context.agent == A`, the sum can overflow whoever the agent is, and a policy that errs denies.
/// Nor is it so below `||`, `!` or `if`, or in an `unless`.
pub(super) fn agent(policy: &Policy) -> Place {
    let read = || {
        let policy = policy.to_json().ok()?;
        let first = policy.get("conditions")?.get(0)?;
        if first.get("kind")? != "when" {
            return None;
        }
        let mut conjunct = first.get("body")?;
        while let Some(both) = conjunct.get("&&") {
            conjunct = both.get("left")?;
        }
        let relation = conjunct.get("==").or_else(|| conjunct.get("in"))?;
        let attribute = relation.get("left")?.get(".")?;
        let is_agent = attribute.get("left")?.get("Var")? == "context" && attribute.get("attr")? == "agent";
        if !is_agent {
            return None;
        }
        EntityUid::from_json(relation.get("right")?.get("Value")?.clone()).ok()
    };
    read().map_or(Place::Anywhere, Place::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent_of(clauses: &str) -> Option<String> {
        let policy: Policy = format!("permit (principal, action, resource) {clauses};").parse().unwrap();
        match agent(&policy) {
            Place::At(uid) => Some(uid.to_string()),
            Place::Anywhere => None,
            Place::Kind(kind) => panic!("{kind}"),
        }
    }

    #[test]
    fn a_policy_belongs_to_the_agent_that_its_condition_begins_with() {
        for clauses in [
            r#"when { context.agent == A::"1" }"#,
            r#"when { context.agent in A::"1" }"#,
            r#"when { context["agent"] == A::"1" }"#,
            r#"when { context.agent == A::"1" && context.n > 1 && context.m > 1 }"#,
            r#"when { (context.agent == A::"1" && context.n > 1) && (context.m > 1 || true) }"#,
            r#"when { context.agent == A::"1" } unless { context.n > 1 }"#,
        ] {
            assert_eq!(agent_of(clauses).as_deref(), Some(r#"A::"1""#), "{clauses}");
        }
    }

    #[test]
    fn an_agent_anywhere_else_says_nothing() {
        for clauses in [
            "",
            r#"when { context.n + 1 > 2 && context.agent == A::"1" }"#,
            r#"when { context.agent == A::"1" || context.n > 1 }"#,
            r#"when { context.agent == A::"1" && context.n > 1 || context.m > 1 }"#,
            r#"when { !(context.agent == A::"1") }"#,
            r#"when { context.agent != A::"1" }"#,
            r#"when { if context.agent == A::"1" then true else false }"#,
            r#"when { (context.agent == A::"1") == false }"#,
            r#"when { context.agent in [A::"1", A::"2"] }"#,
            r#"when { context.n > 1 } when { context.agent == A::"1" }"#,
            r#"unless { context.agent == A::"1" }"#,
            r#"when { context.other.agent == A::"1" }"#,
            r#"when { principal.agent == A::"1" }"#,
            r#"when { context.agent == principal }"#,
            r#"when { context.agent.name == "A::1" }"#,
        ] {
            assert_eq!(agent_of(clauses), None, "{clauses}");
        }
    }
}
