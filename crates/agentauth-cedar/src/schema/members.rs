//! What there is in a schema, for those who look for it in vain.

use serde_json::{Map, Value};

use super::PolicySchema;

/// Types that name each other are not followed further.
const MAX_STEPS: usize = 32;

impl PolicySchema {
    /// The names of all entity types.
    pub(crate) fn entity_types(&self) -> Vec<String> {
        self.cedar.entity_types().map(ToString::to_string).collect()
    }

    /// What the context of `action` has under `path`: names and types, as a schema writes them.
    pub(crate) fn context_members(&self, action: &str, path: &[&str]) -> Vec<String> {
        let namespaces = self.json.as_object().into_iter().flat_map(Map::values);
        let mut contexts =
            namespaces.filter_map(|space| space.get("actions")?.get(action)?.pointer("/appliesTo/context"));
        contexts.next().map(|context| self.members(context, path)).unwrap_or_default()
    }

    /// What an entity of type `kind` has under `path`.
    pub(crate) fn entity_members(&self, kind: &str, path: &[&str]) -> Vec<String> {
        let (space, name) = kind.rsplit_once("::").unwrap_or(("", kind));
        let shape = self.json.get(space).and_then(|space| space.get("entityTypes")?.get(name)?.get("shape"));
        shape.map(|shape| self.members(shape, path)).unwrap_or_default()
    }

    /// The arguments of `action`.
    pub(crate) fn arguments_of(&self, action: &str) -> Vec<String> {
        self.context_members(action, &["arguments"])
    }

    fn members(&self, kind: &Value, path: &[&str]) -> Vec<String> {
        let mut at = self.resolved(kind);
        for name in path {
            let Some(member) = at.get("attributes").and_then(|members| members.get(name)) else { return Vec::new() };
            at = self.resolved(member);
        }
        let members = at.get("attributes").and_then(Value::as_object).into_iter().flatten();
        members.map(|(name, kind)| written(name, kind)).collect()
    }

    /// What a common type stands for.
    fn resolved<'v>(&'v self, mut kind: &'v Value) -> &'v Value {
        for _ in 0..MAX_STEPS {
            let Some(name) = kind.get("name").and_then(Value::as_str) else { break };
            let (space, name) = name.rsplit_once("::").unwrap_or(("", name));
            match self.json.get(space).and_then(|space| space.get("commonTypes")?.get(name)) {
                Some(declared) => kind = declared,
                None => break,
            }
        }
        kind
    }
}

fn written(name: &str, kind: &Value) -> String {
    let optional = if kind.get("required").and_then(Value::as_bool) == Some(false) { "?" } else { "" };
    format!("{name}{optional}: {}", type_of(kind))
}

fn type_of(kind: &Value) -> String {
    let text = |member| kind.get(member).and_then(Value::as_str);
    match text("type").unwrap_or_default() {
        "Set" => format!("Set<{}>", kind.get("element").map(type_of).unwrap_or_default()),
        "Record" => "{ ... }".into(),
        "EntityOrCommon" | "Entity" | "Extension" => {
            text("name").unwrap_or_default().trim_start_matches("__cedar::").into()
        }
        other => other.into(),
    }
}
