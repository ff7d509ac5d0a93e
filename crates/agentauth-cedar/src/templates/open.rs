//! What is open in a policy's JSON form, and how it is filled.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use agentauth_core::Excerpt;
use cedar_policy::EntityTypeName;
use serde_json::Value;

use super::{AGENT, OPEN};

/// The type of what stands for the agent in a policy.
pub(super) fn agent_type(json: &mut Value) -> Result<Option<EntityTypeName>, String> {
    let (mut found, mut wrong) = (BTreeSet::new(), None);
    each_entity(json, |kind, id| {
        if !id.starts_with(OPEN) {
            return;
        }
        if *id == AGENT && matches!(kind, "Agent" | "AgentGroup" | "SpiffePath") {
            found.insert(kind.to_owned());
        } else {
            wrong = Some(format!("`{kind}::\"{}\"` is nothing that a link can fill in", Excerpt::of(id)));
        }
    });
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    if found.len() > 1 {
        return Err(format!("`{AGENT}` is of two types: {}", found.into_iter().collect::<Vec<_>>().join(", ")));
    }
    found.first().map(|kind| EntityTypeName::from_str(kind).map_err(|error| error.to_string())).transpose()
}

/// Hands the type and the name of each entity in a policy's JSON to `to`. A policy may be nested as deep as it is long.
pub(super) fn each_entity(json: &mut Value, mut to: impl FnMut(&str, &mut String)) {
    let mut all = vec![json];
    while let Some(one) = all.pop() {
        match one {
            Value::Object(members) => {
                if let (2, Some(Value::String(kind)), true) =
                    (members.len(), members.get("type").cloned(), members.get("id").is_some_and(Value::is_string))
                {
                    if let Some(Value::String(id)) = members.get_mut("id") {
                        to(&kind, id);
                    }
                } else {
                    all.extend(members.values_mut());
                }
            }
            Value::Array(items) => all.extend(items.iter_mut()),
            _ => {}
        }
    }
}

/// Puts `entity` where the scope has the slot `slot`.
pub(super) fn fill_slot(json: &mut Value, slot: &str, entity: &Value) {
    for part in ["principal", "resource"] {
        let Some(constraint) = json.get_mut(part) else { continue };
        let inner = if constraint.get("in").is_some() { constraint.get_mut("in") } else { Some(constraint) };
        let Some(Value::Object(inner)) = inner else { continue };
        if inner.get("slot").and_then(Value::as_str) == Some(slot) {
            inner.remove("slot");
            inner.insert("entity".into(), entity.clone());
        }
    }
}
