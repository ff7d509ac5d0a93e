//! Puts together the entities that a decision is about.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr as _;

use agentauth_core::Excerpt;
use cedar_policy::entities_errors::EntitiesError;
use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, RestrictedExpression};
use serde_json::{Map, Value};

use super::verified::Verified;
use super::{EntityFacts, Unmade};
use crate::names::uid;
use crate::schema::{PolicySchema, Shape};

/// Entities that one decision takes into account. Finding what each of them is in takes the square of their number.
const MAX_ENTITIES: usize = 256;

/// What one entity is in, directly or not. A policy is looked for under each of them, and none may be left out: what
/// forbids it would no longer be found.
pub(super) const MAX_ANCESTORS: usize = 128;

/// The entities of a decision, while it is found out what they are in and what they name.
pub(super) struct Gathering<'s> {
    schema: &'s PolicySchema,
    wanted: Vec<EntityUid>,
    seen: HashSet<EntityUid>,
    made: Vec<Entity>,
}

impl<'s> Gathering<'s> {
    pub(super) fn of(schema: &'s PolicySchema, roots: impl IntoIterator<Item = EntityUid>) -> Result<Self, Unmade> {
        let mut gathering = Self { schema, wanted: Vec::new(), seen: HashSet::new(), made: Vec::new() };
        roots.into_iter().try_for_each(|root| gathering.want(root))?;
        Ok(gathering)
    }

    /// An entity of which is not known yet what it is in. [`tell`](Self::tell) it.
    pub(super) fn next(&mut self) -> Option<EntityUid> {
        self.wanted.pop()
    }

    /// Adds `entity`, of which `all` is known. No two of them may tell the same attribute.
    pub(super) fn tell(&mut self, entity: &EntityUid, all: &[&EntityFacts]) -> Result<(), Unmade> {
        let schema = self.schema;
        let kind = entity.type_name();
        let known = schema.entity(kind).ok_or_else(|| Unmade::refused(format!("`{kind}` is no type in the schema")))?;
        let verified = Verified::of(&schema.types, entity)?.unwrap_or_default();
        let (mut attributes, mut parents) = (verified.attributes, verified.parents);
        for facts in all {
            self.add_attributes(entity, &facts.attributes, &mut attributes)?;
            parents.extend(self.parents(entity, facts)?);
        }
        if let Shape::Record(members) = &known.attributes {
            let mut missing =
                members.iter().filter(|(name, member)| member.required && !attributes.contains_key(&***name));
            if let Some((name, _)) = missing.next() {
                return Err(of(entity, format!("its attribute `{name}` is not known: no provider or file tells it")));
            }
        }
        parents.iter().try_for_each(|parent| self.want(parent.clone()))?;
        let made = Entity::new(entity.clone(), attributes, parents.into_iter().collect());
        self.made.push(made.map_err(|error| of(entity, error.to_string()))?);
        Ok(())
    }

    /// All of them, each with all it is in; found to be as the schema says.
    pub(super) fn finish(self, others: impl IntoIterator<Item = Entity>) -> Result<Entities, Unmade> {
        let unmade = |error: EntitiesError| Unmade::refused(error.to_string());
        let uids: Vec<_> = self.made.iter().map(Entity::uid).collect();
        let all = Entities::empty().add_entities(self.made, Some(&self.schema.cedar)).map_err(unmade)?;
        for uid in uids {
            if all.ancestors(&uid).is_some_and(|above| above.count() > MAX_ANCESTORS) {
                return Err(of(&uid, format!("it is in more than {MAX_ANCESTORS} others")));
            }
        }
        // Actions are in actions only, and are as the schema has them.
        let mut others = others.into_iter().peekable();
        if others.peek().is_none() { Ok(all) } else { all.add_entities(others, None).map_err(unmade) }
    }

    fn want(&mut self, entity: EntityUid) -> Result<(), Unmade> {
        let tells = self.schema.entity(entity.type_name()).is_none_or(|known| known.tells);
        if !tells || !self.seen.insert(entity.clone()) {
            return Ok(());
        }
        if self.seen.len() > MAX_ENTITIES {
            return Err(Unmade::refused(format!("the decision is about more than {MAX_ENTITIES} entities")));
        }
        self.wanted.push(entity);
        Ok(())
    }

    fn add_attributes(
        &mut self,
        entity: &EntityUid,
        told: &Map<String, Value>,
        into: &mut HashMap<String, RestrictedExpression>,
    ) -> Result<(), Unmade> {
        for (name, value) in told {
            let typed = check_attribute(self.schema, entity, name, value)?;
            if into.insert(name.clone(), typed).is_some() {
                let text = format!("`{}` is told twice: by the file and by the provider", Excerpt::of(name));
                return Err(of(entity, text));
            }
            let named = named_by(self.schema, entity, name, value);
            named.into_iter().try_for_each(|named| self.want(named))?;
        }
        Ok(())
    }

    fn parents(&self, entity: &EntityUid, told: &EntityFacts) -> Result<Vec<EntityUid>, Unmade> {
        let types = &self.schema.types;
        let kind = entity.type_name();
        let groups = if [&types.agent, &types.agent_group].contains(&kind) { &types.agent_group } else { &types.group };
        let mut parents: Vec<_> = told.groups.iter().map(|name| uid(groups, name)).collect();
        for (parent, id) in &told.parents {
            parents.push(uid(&check_parent(self.schema, entity, parent)?, id));
        }
        if parents.len() > MAX_ANCESTORS {
            return Err(of(entity, format!("it is in more than {MAX_ANCESTORS} others")));
        }
        Ok(parents)
    }
}

/// `value` as the attribute `name` of `entity`, which the schema must have and nobody has verified.
pub(super) fn check_attribute(
    schema: &PolicySchema,
    entity: &EntityUid,
    name: &str,
    value: &Value,
) -> Result<RestrictedExpression, Unmade> {
    let (kind, shown) = (entity.type_name(), Excerpt::of(name));
    let member = shape_of(schema, entity, name);
    let member = member.ok_or_else(|| of(entity, format!("its type has no attribute `{shown}` in the schema")))?;
    if Verified::has_attribute(&schema.types, kind, name) {
        return Err(of(entity, format!("`{shown}` is verified, and cannot be told")));
    }
    member.value(value, name).map_err(|refused| of(entity, refused.0))
}

/// The entities that the attribute `name` of `entity` names, if it is `value`.
pub(super) fn named_by(schema: &PolicySchema, entity: &EntityUid, name: &str, value: &Value) -> Vec<EntityUid> {
    let mut named = Vec::new();
    if let Some(shape) = shape_of(schema, entity, name) {
        shape.named(value, &mut named);
    }
    named
}

fn shape_of<'s>(schema: &'s PolicySchema, entity: &EntityUid, attribute: &str) -> Option<&'s Shape> {
    match &schema.entity(entity.type_name())?.attributes {
        Shape::Record(members) => members.get(attribute).map(|member| &member.shape),
        _ => None,
    }
}

/// The type `parent`, in one of which `entity` may be told to be.
pub(super) fn check_parent(schema: &PolicySchema, entity: &EntityUid, parent: &str) -> Result<EntityTypeName, Unmade> {
    let (kind, shown) = (entity.type_name(), Excerpt::of(parent));
    let named = EntityTypeName::from_str(parent).ok();
    let above =
        |parent: &EntityTypeName| schema.cedar.ancestors(kind).is_some_and(|mut all| all.any(|one| one == parent));
    let named = named.filter(above).ok_or_else(|| of(entity, format!("in the schema, it is in no `{shown}`")))?;
    if Verified::has_parent(&schema.types, kind, &named) {
        return Err(of(entity, format!("that it is in a {named} is verified, and cannot be told")));
    }
    Ok(named)
}

fn of(entity: &EntityUid, text: impl fmt::Display) -> Unmade {
    Unmade::refused(format!("{}::\"{}\": {text}", entity.type_name(), Excerpt::of(entity.id().as_ref())))
}
