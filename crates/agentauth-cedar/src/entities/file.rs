//! `entities.json`: what is known of entities without asking anyone.

use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;

use agentauth_core::Excerpt;
use agentauth_core::policy::{Problem, Problems};
use cedar_policy::{EntityTypeName, EntityUid};
use serde_json::Value;

use super::gather::{MAX_ANCESTORS, check_attribute, check_parent, named_by};
use super::verified::Verified;
use super::{EntityFacts, Unmade};
use crate::names::uid;
use crate::schema::PolicySchema;
use crate::sources::Source;
use crate::written::{Named, Written};

const CODE: &str = "policy_entities";

/// What the files of a set of policies say of entities.
#[derive(Debug, Default)]
pub(crate) struct KnownEntities(HashMap<EntityUid, EntityFacts>);

impl KnownEntities {
    /// Reads `sources`, and checks them against the schema.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(crate) fn read(sources: &[Source], schema: &PolicySchema) -> Result<Self, Problems> {
        let mut reader = Reader { schema, known: HashMap::new(), places: HashMap::new(), problems: Problems::none() };
        for source in sources {
            match Written::read(source, CODE) {
                Ok(written) => written.object(&mut reader.problems).iter().for_each(|part| reader.part(part)),
                Err(problem) => reader.problems.push(problem),
            }
        }
        reader.check_lineages();
        reader.problems.or(Self(reader.known))
    }

    /// What they say of `entity`, if they do.
    pub(super) fn get(&self, entity: &EntityUid) -> Option<&EntityFacts> {
        self.0.get(entity)
    }
}

struct Reader<'s> {
    schema: &'s PolicySchema,
    known: HashMap<EntityUid, EntityFacts>,
    /// Where each entity was first spoken of, to point at.
    places: HashMap<EntityUid, Problem>,
    problems: Problems,
}

impl<'s> Reader<'s> {
    fn part(&mut self, part: &Named<'s>) {
        let types = &self.schema.types;
        let members: &[(&str, &EntityTypeName)] = match &*part.name {
            "groups" => &[("users", &types.user), ("clients", &types.client), ("accounts", &types.account)],
            "agent_groups" => &[("agents", &types.agent)],
            "entities" => {
                for kind in part.value.object(&mut self.problems) {
                    self.entities_of(&kind);
                }
                return;
            }
            _ => return self.problems.push(part.unknown("`groups`, `agent_groups`, `entities`")),
        };
        let group_type = if part.name == "groups" { &types.group } else { &types.agent_group };
        for group in part.value.object(&mut self.problems) {
            self.group(group_type, members, &group);
        }
    }

    fn group(&mut self, kind: &EntityTypeName, members: &[(&str, &EntityTypeName)], group: &Named<'s>) {
        self.note(uid(kind, &group.name), group.problem(""));
        for member in group.value.object(&mut self.problems) {
            let of_members = members.iter().find(|(name, _)| *name == member.name);
            if of_members.is_none() && member.name != "in" {
                let known: Vec<_> = members.iter().map(|(name, _)| format!("`{name}`")).collect();
                self.problems.push(member.unknown(&format!("`in`, {}", known.join(", "))));
                continue;
            }
            for (name, place) in member.value.texts(&mut self.problems) {
                match of_members {
                    Some((_, member_type)) => {
                        let member = uid(member_type, &name);
                        if let Err(unmade) = Verified::of(&self.schema.types, &member) {
                            self.problems.push(place.problem(unmade.text));
                        }
                        self.note(member.clone(), place.problem(""));
                        self.put_into(member, kind, &group.name);
                    }
                    None => self.put_into(uid(kind, &group.name), kind, &name),
                }
            }
        }
    }

    fn entities_of(&mut self, kind: &Named<'s>) {
        let known = EntityTypeName::from_str(&kind.name).ok().and_then(|name| self.schema.entity(&name));
        let Some(known) = known else {
            let text = format!("the schema has no entity type `{}`", Excerpt::of(&kind.name));
            return self.problems.push(kind.problem(text));
        };
        for entity in kind.value.object(&mut self.problems) {
            let named = uid(&known.name, &entity.name);
            if let Err(unmade) = Verified::of(&self.schema.types, &named) {
                self.problems.push(entity.problem(unmade.text));
            }
            self.note(named.clone(), entity.problem(""));
            for told in entity.value.object(&mut self.problems) {
                match &*told.name {
                    "attributes" => self.attributes(&named, &told.value),
                    "in" => self.inside(&named, &told.value),
                    _ => self.problems.push(told.unknown("`in`, `attributes`")),
                }
            }
        }
    }

    fn attributes(&mut self, entity: &EntityUid, written: &Written<'s>) {
        for attribute in written.object(&mut self.problems) {
            match self.attribute(entity, &attribute) {
                Ok(value) => {
                    let facts = self.known.entry(entity.clone()).or_default();
                    if facts.attributes.insert(attribute.name.clone(), value).is_some() {
                        self.problems.push(attribute.problem("it is told twice"));
                    }
                }
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn attribute(&self, entity: &EntityUid, attribute: &Named<'s>) -> Result<Value, Problem> {
        let value = attribute.value.value()?;
        let refused = |unmade: Unmade| attribute.problem(unmade.text);
        check_attribute(self.schema, entity, &attribute.name, &value).map_err(refused)?;
        for named in named_by(self.schema, entity, &attribute.name, &value) {
            Verified::of(&self.schema.types, &named).map_err(refused)?;
        }
        Ok(value)
    }

    fn inside(&mut self, entity: &EntityUid, written: &Written<'s>) {
        for parents in written.object(&mut self.problems) {
            match check_parent(self.schema, entity, &parents.name) {
                Ok(parent_type) => {
                    for (name, _) in parents.value.texts(&mut self.problems) {
                        self.put_into(entity.clone(), &parent_type, &name);
                    }
                }
                Err(unmade) => self.problems.push(parents.problem(unmade.text)),
            }
        }
    }

    /// Nothing is in itself, and nothing in more than is looked at.
    fn check_lineages(&mut self) {
        let mut wrong: Vec<(&EntityUid, String)> = Vec::new();
        for entity in self.known.keys() {
            let (mut above, mut next) = (HashSet::new(), vec![entity.clone()]);
            while let Some(one) = next.pop() {
                for (kind, id) in self.known.get(&one).into_iter().flat_map(|facts| &facts.parents) {
                    let Ok(kind) = EntityTypeName::from_str(kind) else { continue };
                    let parent = uid(&kind, id);
                    if above.len() <= MAX_ANCESTORS && above.insert(parent.clone()) {
                        next.push(parent);
                    }
                }
            }
            if above.contains(entity) {
                wrong.push((entity, "it is in itself".into()));
            } else if above.len() > MAX_ANCESTORS {
                wrong.push((entity, format!("it is in more than {MAX_ANCESTORS} others")));
            }
        }
        wrong.sort();
        for (entity, text) in wrong {
            let problem = self.places.get(entity).cloned();
            let mut problem = problem.unwrap_or_else(|| Problem::new(CODE, "entities.json", ""));
            problem.text = format!("{}::\"{}\": {text}", entity.type_name(), entity.id().escaped()).into();
            self.problems.push(problem);
        }
    }

    fn put_into(&mut self, entity: EntityUid, kind: &EntityTypeName, id: &str) {
        self.known.entry(entity).or_default().parents.push((kind.to_string().into(), id.into()));
    }

    fn note(&mut self, entity: EntityUid, place: Problem) {
        self.places.entry(entity.clone()).or_insert(place);
        self.known.entry(entity).or_default();
    }
}
