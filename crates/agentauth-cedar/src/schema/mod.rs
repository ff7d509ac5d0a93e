//! The schema: what is shipped, what the application adds, and what each action takes.

mod entity;
mod faults;
mod members;
mod merge;
mod shape;

use std::collections::{HashMap, HashSet};

use agentauth_core::policy::{Problem, Problems};
use cedar_policy::{EntityTypeName, EntityUid, Schema};
use serde_json::Value;

pub(crate) use entity::EntitySchema;
pub(crate) use shape::{Refused, Shape};

use crate::names::Types;
use crate::sources::Source;

pub(crate) const SHIPPED: &str = include_str!("shipped.cedarschema");

/// What a request may be about.
#[derive(Debug)]
pub(crate) struct PolicySchema {
    pub(crate) cedar: Schema,
    /// In Cedar's JSON form, by namespace.
    json: Value,
    pub(crate) types: Types,
    pub(crate) actions: HashMap<Box<str>, ActionSchema>,
    /// The entity type of each kind of resource.
    pub(crate) kinds: HashMap<Box<str>, EntityTypeName>,
    pub(crate) entities: HashMap<EntityTypeName, EntitySchema>,
    /// What something can be told of, beside agents and principals.
    pub(crate) told: Told,
    /// Those of its actions that are in others.
    pub(crate) grouped: Lineages,
}

/// What something can be told of.
#[derive(Debug)]
pub(crate) struct Told {
    /// Kinds of resources.
    pub(crate) kinds: HashSet<Box<str>>,
    pub(crate) servers: bool,
    pub(crate) issuers: bool,
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
            match faults::parse(source) {
                Ok(json) => problems.extend(merged.add(source, json)),
                Err(broken) => problems.extend(broken),
            }
        }
        problems.or(())?;
        let json = merged.finish();
        let cedar = faults::whole(sources, &json)?;
        let broken = |text: String| Problems::from(Problem::new("policy_schema", "schema", text));
        let types = Types::new().ok_or_else(|| broken("the shipped types cannot be read".into()))?;
        let kinds = merge::kinds(sources, &json)?;
        let actions = merge::actions(sources, &json, &cedar)?;
        let entities = entity::entities(&json, &cedar)?;
        let grouped = lineages(&cedar).map_err(broken)?;
        let tells = |kind: &EntityTypeName| entities.get(kind).is_some_and(|known| known.tells);
        let told = Told {
            kinds: kinds.iter().filter(|(_, kind)| tells(kind)).map(|(name, _)| name.clone()).collect(),
            servers: tells(&types.server),
            issuers: tells(&types.issuer),
        };
        Ok(Self { cedar, json, types, actions, kinds, entities, told, grouped })
    }

    /// All of it, as a schema file would say it.
    pub(crate) fn text(&self) -> String {
        faults::text_of(&self.json).unwrap_or_default()
    }

    /// What the schema says of entities of this type.
    pub(crate) fn entity(&self, kind: &EntityTypeName) -> Option<&EntitySchema> {
        self.entities.get(kind)
    }
}

fn lineages(cedar: &Schema) -> Result<Lineages, String> {
    let actions = cedar.action_entities().map_err(|error| error.to_string())?;
    let above = |uid: &EntityUid| -> HashSet<_> { actions.ancestors(uid).into_iter().flatten().cloned().collect() };
    let all = actions.iter().map(|action| (action.uid(), above(&action.uid())));
    Ok(all.filter(|(_, above)| !above.is_empty()).collect())
}
