//! `entities.json`: what is known of entities without asking anyone.

use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;

use agentauth_core::Excerpt;
use agentauth_core::policy::located::{Codes, Located, Member};
use agentauth_core::policy::{Problem, Problems};
use cedar_policy::{EntityTypeName, EntityUid};
use serde_json::Value;

use super::gather::{MAX_ANCESTORS, check_attribute, check_parent, named_by};
use super::verified::Verified;
use super::{EntityFacts, Unmade};
use crate::names::uid;
use crate::schema::PolicySchema;
use crate::sources::Source;

const CODE: &str = "policy_entities";
const CODES: &Codes = &Codes::all(CODE);

/// Attributes nested deeper than this are not taken.
const MAX_DEPTH: usize = 32;

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
            match Located::read(&source.name, &source.text, CODES) {
                Ok(root) => root.members(&mut reader.problems).iter().for_each(|part| reader.part(part)),
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
    places: HashMap<EntityUid, Located<'s>>,
    problems: Problems,
}

impl<'s> Reader<'s> {
    fn part(&mut self, part: &Member<'s>) {
        let types = &self.schema.types;
        let members: &[(&str, &EntityTypeName)] = match &*part.name {
            "groups" => &[("users", &types.user), ("clients", &types.client), ("accounts", &types.account)],
            "agent_groups" => &[("agents", &types.agent)],
            "entities" => {
                for kind in part.value.members(&mut self.problems) {
                    self.entities_of(&kind);
                }
                return;
            }
            _ => return self.problems.push(part.is_unknown(&["groups", "agent_groups", "entities"])),
        };
        let group_type = if part.name == "groups" { &types.group } else { &types.agent_group };
        for group in part.value.members(&mut self.problems) {
            self.group(group_type, members, &group);
        }
    }

    fn group(&mut self, kind: &EntityTypeName, members: &[(&str, &EntityTypeName)], group: &Member<'s>) {
        self.note(uid(kind, &group.name), group.key);
        for member in group.value.members(&mut self.problems) {
            let of_members = members.iter().find(|(name, _)| *name == member.name);
            if of_members.is_none() && member.name != "in" {
                let known: Vec<_> = ["in"].into_iter().chain(members.iter().map(|(name, _)| *name)).collect();
                self.problems.push(member.is_unknown(&known));
                continue;
            }
            for (name, place) in self.names(member.value) {
                match of_members {
                    Some((_, member_type)) => {
                        let member = uid(member_type, &name);
                        if let Err(unmade) = Verified::of(&self.schema.types, &member) {
                            self.problems.push(place.problem(unmade.text));
                        }
                        self.note(member.clone(), place);
                        self.put_into(member, kind, &group.name);
                    }
                    None => self.put_into(uid(kind, &group.name), kind, &name),
                }
            }
        }
    }

    fn entities_of(&mut self, kind: &Member<'s>) {
        let known = EntityTypeName::from_str(&kind.name).ok().and_then(|name| self.schema.entity(&name));
        let Some(known) = known else {
            let text = format!("the schema has no entity type `{}`", Excerpt::of(&kind.name));
            return self.problems.push(kind.key.problem(text));
        };
        for entity in kind.value.members(&mut self.problems) {
            let named = uid(&known.name, &entity.name);
            if let Err(unmade) = Verified::of(&self.schema.types, &named) {
                self.problems.push(entity.key.problem(unmade.text));
            }
            self.note(named.clone(), entity.key);
            for told in entity.value.members(&mut self.problems) {
                match &*told.name {
                    "attributes" => self.attributes(&named, told.value),
                    "in" => self.inside(&named, told.value),
                    _ => self.problems.push(told.is_unknown(&["in", "attributes"])),
                }
            }
        }
    }

    fn attributes(&mut self, entity: &EntityUid, written: Located<'s>) {
        for attribute in written.members(&mut self.problems) {
            match self.attribute(entity, &attribute) {
                Ok(value) => {
                    let facts = self.known.entry(entity.clone()).or_default();
                    if facts.attributes.insert(attribute.name.clone(), value).is_some() {
                        self.problems.push(attribute.key.problem("it is told twice"));
                    }
                }
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn attribute(&self, entity: &EntityUid, attribute: &Member<'s>) -> Result<Value, Problem> {
        let value = value(attribute.value, MAX_DEPTH)?;
        let refused = |unmade: Unmade| attribute.key.problem(unmade.text);
        check_attribute(self.schema, entity, &attribute.name, &value).map_err(refused)?;
        for named in named_by(self.schema, entity, &attribute.name, &value) {
            Verified::of(&self.schema.types, &named).map_err(refused)?;
        }
        Ok(value)
    }

    /// The strings of a list, each with its place.
    fn names(&mut self, list: Located<'s>) -> Vec<(String, Located<'s>)> {
        let items = list.items().unwrap_or_else(|| {
            self.problems.push(list.is_not("a list"));
            Vec::new()
        });
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            match item.string() {
                Some(name) => names.push((name, item)),
                None => self.problems.push(item.is_not("a string")),
            }
        }
        names
    }

    fn inside(&mut self, entity: &EntityUid, written: Located<'s>) {
        for parents in written.members(&mut self.problems) {
            match check_parent(self.schema, entity, &parents.name) {
                Ok(parent_type) => {
                    for (name, _) in self.names(parents.value) {
                        self.put_into(entity.clone(), &parent_type, &name);
                    }
                }
                Err(unmade) => self.problems.push(parents.key.problem(unmade.text)),
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
            let text = format!("{}::\"{}\": {text}", entity.type_name(), entity.id().escaped());
            let problem = match self.places.get(entity) {
                Some(place) => place.problem(text),
                None => Problem::new(CODE, "entities.json", text),
            };
            self.problems.push(problem);
        }
    }

    fn put_into(&mut self, entity: EntityUid, kind: &EntityTypeName, id: &str) {
        self.known.entry(entity).or_default().parents.push((kind.to_string().into(), id.into()));
    }

    fn note(&mut self, entity: EntityUid, place: Located<'s>) {
        self.places.entry(entity.clone()).or_insert(place);
        self.known.entry(entity).or_default();
    }
}

/// Any value, in which no member stands twice.
fn value(json: Located<'_>, depth: usize) -> Result<Value, Problem> {
    let depth = depth.checked_sub(1).ok_or_else(|| json.problem("it is nested too deep"))?;
    if json.text().starts_with('{') {
        let members = json.object("an object")?.into_iter();
        return members
            .map(|member| Ok((member.name, value(member.value, depth)?)))
            .collect::<Result<_, _>>()
            .map(Value::Object);
    }
    match json.items() {
        Some(items) => items.into_iter().map(|item| value(item, depth)).collect::<Result<_, _>>().map(Value::Array),
        None => serde_json::from_str(json.text()).map_err(|error| json.problem(error.to_string())),
    }
}
