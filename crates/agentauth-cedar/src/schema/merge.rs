//! Puts the application's schema together with the shipped one.

use std::collections::HashMap;
use std::str::FromStr as _;

use agentauth_core::policy::{Problem, Problems};
use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema, SchemaFragment};
use serde_json::{Map, Value, json};

use super::faults::{BUILT_IN, about};
use super::{ActionSchema, SHIPPED, Shape};
use crate::sources::Source;

/// What every context has beside the arguments, and of which type.
const GIVEN: [(&str, &str); 4] =
    [("agent", "Agent"), ("delegation", "Delegation"), ("server", "Server"), ("now", "datetime")];

/// A schema in Cedar's JSON form, by namespace.
pub(super) struct Merged {
    namespaces: Map<String, Value>,
}

impl Merged {
    pub(super) fn shipped() -> Result<Self, Problems> {
        let broken = |text: String| Problems::from(Problem::new("policy_schema", "shipped.cedarschema", text));
        let (fragment, _) = SchemaFragment::from_cedarschema_str(SHIPPED).map_err(|error| broken(error.to_string()))?;
        match fragment.to_json_value() {
            Ok(Value::Object(namespaces)) => Ok(Self { namespaces }),
            _ => Err(broken("the shipped schema cannot be read".into())),
        }
    }

    /// Adds what `source` declares. An entity type that is shipped may be declared again, with more parents and attributes.
    pub(super) fn add(&mut self, source: &Source, declared: Value) -> Problems {
        let mut problems = Problems::none();
        let Value::Object(declared) = declared else { return problems };
        for (namespace, parts) in declared {
            let into = self.namespaces.entry(namespace).or_insert_with(|| json!({"entityTypes": {}, "actions": {}}));
            for (part, declarations) in parts.as_object().into_iter().flatten() {
                let Some(into) = into.as_object_mut() else { continue };
                let into = into.entry(part.clone()).or_insert_with(|| json!({}));
                let Some(into) = into.as_object_mut() else { continue };
                for (name, declaration) in declarations.as_object().into_iter().flatten() {
                    if BUILT_IN.contains(&&**name) && part != "actions" {
                        // What policies are checked against would not be what they are evaluated with.
                        let text = format!("`{name}` is a type of Cedar's own");
                        let problem = about(std::slice::from_ref(source), name, text);
                        problems.push(problem.help("give it another name"));
                        continue;
                    }
                    let Some(known) = into.get_mut(name) else {
                        into.insert(name.clone(), declaration.clone());
                        continue;
                    };
                    if part != "entityTypes" || !extend_entity(known, declaration) {
                        let problem = about(std::slice::from_ref(source), name, format!("`{name}` is declared twice"));
                        problems.push(problem.help(if part == "entityTypes" {
                            TWICE
                        } else {
                            "give one of them another name"
                        }));
                    }
                }
            }
        }
        problems
    }

    /// With what every action's context has beside its arguments.
    pub(super) fn finish(mut self) -> Value {
        for namespace in self.namespaces.values_mut() {
            let Some(actions) = namespace.get_mut("actions").and_then(Value::as_object_mut) else { continue };
            for action in actions.values_mut() {
                let Some(applies) = action.get_mut("appliesTo").and_then(Value::as_object_mut) else { continue };
                let context = applies.entry("context").or_insert_with(|| json!({"type": "Record", "attributes": {}}));
                let Some(members) = context.get_mut("attributes").and_then(Value::as_object_mut) else { continue };
                members.entry("arguments").or_insert_with(|| json!({"type": "Record", "attributes": {}}));
                for (name, kind) in GIVEN {
                    members.insert(name.into(), json!({"type": "EntityOrCommon", "name": kind}));
                }
            }
        }
        Value::Object(self.namespaces)
    }
}

fn is_given(member: &str) -> bool {
    member == "arguments" || GIVEN.iter().any(|(name, _)| *name == member)
}

/// Adds the parents and attributes of `more` to `known`; not where both have one of a name.
fn extend_entity(known: &mut Value, more: &Value) -> bool {
    let (Some(known), Some(more)) = (known.as_object_mut(), more.as_object()) else { return false };
    if known.contains_key("enum") || more.keys().any(|key| key != "memberOfTypes" && key != "shape") {
        return false;
    }
    if let Some(parents) = more.get("memberOfTypes").and_then(Value::as_array) {
        let into = known.entry("memberOfTypes").or_insert_with(|| json!([]));
        if let Some(into) = into.as_array_mut() {
            into.extend(parents.iter().cloned());
        }
    }
    let Some(attributes) = more.get("shape").and_then(|shape| shape.get("attributes")?.as_object()) else {
        return !more.contains_key("shape");
    };
    let shape = known.entry("shape").or_insert_with(|| json!({"type": "Record", "attributes": {}}));
    let Some(into) = shape.get_mut("attributes").and_then(Value::as_object_mut) else { return false };
    let is_new = attributes.keys().all(|name| !into.contains_key(name));
    into.extend(attributes.iter().map(|(name, kind)| (name.clone(), kind.clone())));
    is_new
}

/// What may be declared again.
const TWICE: &str = "a type that is shipped may be declared again with more parents or attributes, but not with one that it has already";

pub(super) fn full_name(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.into() } else { format!("{namespace}::{name}") }
}

/// The entity type that each kind of resource has: by the annotation `@kind`, or else the type's own name.
pub(super) fn kinds(sources: &[Source], schema: &Value) -> Result<HashMap<Box<str>, EntityTypeName>, Problems> {
    let mut kinds = HashMap::new();
    for (namespace, parts) in schema.as_object().into_iter().flatten() {
        for (name, entity) in parts.get("entityTypes").and_then(Value::as_object).into_iter().flatten() {
            let full = full_name(namespace, name);
            let kind = entity.pointer("/annotations/kind").and_then(Value::as_str).unwrap_or(&full);
            let broken = |text: String| Problems::from(about(sources, name, text));
            let named = EntityTypeName::from_str(&full).map_err(|error| broken(error.to_string()))?;
            if kinds.insert(kind.into(), named).is_some() {
                return Err(broken(format!("two entity types are for the kind of resource `{kind}`")));
            }
        }
    }
    Ok(kinds)
}

/// What each action takes.
pub(super) fn actions(
    sources: &[Source],
    schema: &Value,
    cedar: &Schema,
) -> Result<HashMap<Box<str>, ActionSchema>, Problems> {
    let (mut actions, mut problems) = (HashMap::new(), Problems::none());
    for (namespace, parts) in schema.as_object().into_iter().flatten() {
        for (name, action) in parts.get("actions").and_then(Value::as_object).into_iter().flatten() {
            let Some(applies) = action.get("appliesTo") else { continue };
            let context = applies.pointer("/context/attributes").and_then(Value::as_object);
            let Some((context, arguments)) = context.and_then(|members| Some((members, members.get("arguments")?)))
            else {
                let text = format!("action `{name}`: its context is a type with a name, and must be written out");
                problems.push(
                    about(sources, name, text).help("only its arguments can be one: `context: { arguments: Name }`"),
                );
                continue;
            };
            if let Some(unknown) = context.keys().find(|member| !is_given(member)) {
                // A policy that forbids where it is given would never forbid.
                let text = format!("action `{name}`: nobody gives `context.{unknown}`");
                let help =
                    format!("what the agent gives is an argument: `context: {{ arguments: {{ {unknown}: ... }} }}`");
                problems.push(about(sources, name, text).help(help));
                continue;
            }
            let Ok(kind) = EntityTypeName::from_str(&full_name(namespace, "Action")) else { continue };
            let uid = EntityUid::from_type_name_and_id(kind, EntityId::new(name));
            let shape = match Shape::read(arguments, schema, namespace) {
                Ok(shape) => shape,
                Err(text) => {
                    problems.push(about(sources, name, format!("action `{name}`: {text}")));
                    continue;
                }
            };
            let principals = cedar.principals_for_action(&uid).into_iter().flatten().cloned().collect();
            let resources = cedar.resources_for_action(&uid).into_iter().flatten().cloned().collect();
            let known = ActionSchema { uid, principals, resources, arguments: shape };
            if actions.insert(name.as_str().into(), known).is_some() {
                problems.push(about(sources, name, format!("action `{name}` stands in two namespaces")));
            }
        }
    }
    problems.or(actions)
}

/// Makes an entity type of each action's arguments, and says which.
#[cfg(feature = "unstable-preview")]
pub(super) fn with_argument_entities(mut schema: Value) -> Option<(Value, Vec<(EntityUid, EntityTypeName)>)> {
    let mut made = Vec::new();
    for (namespace, parts) in schema.as_object_mut()? {
        let mut types = Vec::new();
        for (name, action) in parts.get_mut("actions").and_then(Value::as_object_mut).into_iter().flatten() {
            let Some(arguments) = action.pointer_mut("/appliesTo/context/attributes/arguments") else { continue };
            let kind = format!("AgentauthArguments{}", types.len());
            let full = full_name(namespace, &kind);
            let mut shape = std::mem::replace(arguments, json!({"type": "Entity", "name": full}));
            let required = shape.as_object_mut()?.remove("required");
            required.and_then(|required| arguments.as_object_mut()?.insert("required".into(), required));
            let action = EntityTypeName::from_str(&full_name(namespace, "Action")).ok()?;
            let action = EntityUid::from_type_name_and_id(action, EntityId::new(name));
            made.push((action, EntityTypeName::from_str(&full).ok()?));
            types.push((kind, json!({"shape": shape})));
        }
        let into = parts.get_mut("entityTypes").and_then(Value::as_object_mut);
        let Some(into) = into else { continue };
        for (kind, entity) in types {
            if into.insert(kind, entity).is_some() {
                return None;
            }
        }
    }
    Some((schema, made))
}
