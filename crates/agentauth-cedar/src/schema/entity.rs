//! What the schema says of each entity type.

use std::collections::HashMap;
use std::str::FromStr as _;

use agentauth_core::policy::{Problem, Problems};
use cedar_policy::{EntityTypeName, Schema};
use serde_json::{Value, json};

use super::Shape;
use super::merge::full_name;

/// One entity type.
#[derive(Debug)]
pub(crate) struct EntitySchema {
    pub(crate) name: EntityTypeName,
    /// A record.
    pub(crate) attributes: Shape,
    /// Whether an entity of the type can have attributes, or be in anything. Of one that cannot, there is nothing to know.
    pub(crate) tells: bool,
}

/// What each entity type of `schema` has.
pub(super) fn entities(schema: &Value, cedar: &Schema) -> Result<HashMap<EntityTypeName, EntitySchema>, Problems> {
    let (mut entities, mut problems) = (HashMap::new(), Problems::none());
    for (namespace, parts) in schema.as_object().into_iter().flatten() {
        for (name, declared) in parts.get("entityTypes").and_then(Value::as_object).into_iter().flatten() {
            let full = full_name(namespace, name);
            let mut wrong = |text: String| {
                problems.push(Problem::new("policy_schema", "schema", format!("entity `{full}`: {text}")));
            };
            let Ok(kind) = EntityTypeName::from_str(&full) else {
                wrong("its name cannot be read".into());
                continue;
            };
            if declared.get("tags").is_some() {
                wrong("it has tags, which are not taken: state its attributes".into());
                continue;
            }
            let none = json!({"type": "Record", "attributes": {}});
            match Shape::read_attributes(declared.get("shape").unwrap_or(&none), schema, namespace) {
                Ok(attributes) => {
                    let is_in_some = cedar.ancestors(&kind).is_some_and(|mut above| above.next().is_some());
                    let tells = is_in_some || !attributes.is_empty_record();
                    entities.insert(kind.clone(), EntitySchema { name: kind, attributes, tells });
                }
                Err(text) => wrong(text),
            }
        }
    }
    problems.or(entities)
}
