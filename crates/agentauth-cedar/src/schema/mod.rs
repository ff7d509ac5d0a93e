//! The schema: what is shipped, what the application adds, and what each action takes.

mod entity;
mod merge;
mod shape;

use std::collections::{HashMap, HashSet};

use agentauth_core::policy::{Problem, Problems};
use cedar_policy::{EntityTypeName, EntityUid, Schema, SchemaFragment};

pub(crate) use entity::EntitySchema;
pub(crate) use shape::{Refused, Shape};

use crate::load::problem_of;
use crate::names::Types;
use crate::sources::Source;

pub(crate) const SHIPPED: &str = include_str!("shipped.cedarschema");

/// What a request may be about.
#[derive(Debug)]
pub(crate) struct PolicySchema {
    pub(crate) cedar: Schema,
    pub(crate) types: Types,
    pub(crate) actions: HashMap<Box<str>, ActionSchema>,
    /// All of it, in Cedar's JSON form.
    #[cfg(feature = "unstable-preview")]
    json: serde_json::Value,
    /// The entity type of each kind of resource.
    pub(crate) kinds: HashMap<Box<str>, EntityTypeName>,
    pub(crate) entities: HashMap<Box<str>, EntitySchema>,
    /// Those of its actions that are in others.
    pub(crate) grouped: Lineages,
}

/// Actions, each with all that it is in.
pub(crate) type Lineages = HashMap<EntityUid, HashSet<EntityUid>>;

/// One action.
#[derive(Debug)]
pub(crate) struct ActionSchema {
    pub(crate) uid: EntityUid,
    pub(crate) principals: Vec<EntityTypeName>,
    pub(crate) resources: Vec<EntityTypeName>,
    /// A record.
    pub(crate) arguments: Shape,
}

impl PolicySchema {
    /// What is shipped, with `sources` added.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn new(sources: &[Source]) -> Result<Self, Problems> {
        let mut problems = Problems::none();
        let mut merged = merge::Merged::shipped()?;
        for source in sources {
            match SchemaFragment::from_cedarschema_str(&source.text) {
                Ok((fragment, _warnings)) => match fragment.to_json_value() {
                    Ok(json) => problems.extend(merged.add(source, json)),
                    Err(error) => problems.push(problem_of("policy_schema", source, &error)),
                },
                Err(error) => problems.push(problem_of("policy_schema", source, &error)),
            }
        }
        problems.or(())?;
        let broken = |text: String| Problems::from(Problem::new("policy_schema", "schema", text));
        let json = merged.finish();
        let cedar = Schema::from_json_value(json.clone()).map_err(|error| {
            let first = sources.first();
            first.map_or_else(|| broken(error.to_string()), |source| problem_of("policy_schema", source, &error).into())
        })?;
        let types = Types::new().ok_or_else(|| broken("the shipped types cannot be read".into()))?;
        let kinds = merge::kinds(&json)?;
        let actions = merge::actions(&json, &cedar)?;
        let entities = entity::entities(&json, &cedar)?;
        let grouped = lineages(&cedar).map_err(broken)?;
        Ok(Self {
            cedar,
            types,
            actions,
            kinds,
            entities,
            grouped,
            #[cfg(feature = "unstable-preview")]
            json,
        })
    }

    /// What the schema says of entities of this type.
    pub(crate) fn entity(&self, kind: &EntityTypeName) -> Option<&EntitySchema> {
        self.entities.get(kind.to_string().as_str())
    }

    /// The same schema, in Cedar's JSON form, but for the arguments of each action, which are an entity with the same members: and
    /// of which type. Nothing if a type has that name already.
    #[cfg(feature = "unstable-preview")]
    pub(crate) fn with_argument_entities(&self) -> Option<(serde_json::Value, Vec<(EntityUid, EntityTypeName)>)> {
        merge::with_argument_entities(self.json.clone())
    }
}

fn lineages(cedar: &Schema) -> Result<Lineages, String> {
    let actions = cedar.action_entities().map_err(|error| error.to_string())?;
    let above = |uid: &EntityUid| -> HashSet<_> { actions.ancestors(uid).into_iter().flatten().cloned().collect() };
    let all = actions.iter().map(|action| (action.uid(), above(&action.uid())));
    Ok(all.filter(|(_, above)| !above.is_empty()).collect())
}
