//! Templates, and the policies that links make of them.

mod link;
mod open;

use std::collections::{BTreeSet, HashMap};

use agentauth_core::policy::located::{Codes, Located};
use agentauth_core::policy::{Problem, Problems};
use cedar_policy::{EntityTypeName, Policy, PolicyId, SlotId, Template};
use serde_json::{Value, json};

use crate::annotations::Terms;
use crate::schema::PolicySchema;
use crate::sources::Source;
use link::Link;
use open::{agent_type, each_entity, fill_slot};

/// What stands for the link's agent in a template's conditions, where Cedar has no slots.
const AGENT: &str = "?agent";

/// What a name that is filled in begins with.
const OPEN: char = '?';

const CODE: &str = "policy_template";
const LINK_CODES: &Codes = &Codes::all("policy_link");

/// A template, and where it stands.
#[derive(Debug)]
pub(crate) struct Origin<'s> {
    pub(crate) source: &'s Source,
    start: usize,
    length: usize,
}

impl<'s> Origin<'s> {
    /// The place of `text` in `source`.
    pub(crate) fn of(source: &'s Source, text: &str) -> Self {
        Self { source, start: source.text.find(text).unwrap_or_default(), length: text.len() }
    }

    /// Something that is wrong there.
    pub(crate) fn problem(&self, code: &'static str, text: impl Into<Box<str>>) -> Problem {
        let end = self.start.saturating_add(self.length);
        Problem::new(code, &self.source.name, text).at(&self.source.text, self.start, end)
    }
}

#[derive(Debug)]
struct Known {
    origin: usize,
    json: Value,
    principal: bool,
    resource: bool,
    /// The type of what stands for the agent.
    agent: Option<EntityTypeName>,
    /// Whether a link names it, be it a good one or not.
    is_linked: bool,
}

/// The templates of a set of policies.
#[derive(Debug, Default)]
pub(crate) struct Templates<'s> {
    known: HashMap<Box<str>, Known>,
    origins: Vec<Origin<'s>>,
}

/// A policy that was made of a template.
#[derive(Debug)]
pub(crate) struct Linked<'s> {
    pub(crate) policy: Policy,
    pub(crate) terms: Terms,
    /// The template's name.
    pub(crate) template: Box<str>,
    /// Where the link stands.
    pub(crate) place: Located<'s>,
}

impl<'s> Templates<'s> {
    /// Whether a policy of `source` can be one [by what stands for the agent](Self::is_one): only a name that begins with the
    /// sign, or with what may be an escape for it, can be open.
    pub(crate) fn may_be_in(source: &Source) -> bool {
        source.text.contains("\"?") || source.text.contains("\"\\")
    }

    /// Whether `policy` is a template by what stands for the agent in it, though it has none of Cedar's slots.
    pub(crate) fn is_one(policy: &Policy) -> bool {
        policy.entity_literals().iter().any(|named| named.id().unescaped().starts_with(OPEN))
    }

    /// Adds a template that has slots.
    pub(crate) fn add(&mut self, source: &'s Source, template: &Template, id: Option<&str>, problems: &mut Problems) {
        let has = |slot: SlotId| template.slots().any(|open| *open == slot);
        let (principal, resource) = (has(SlotId::principal()), has(SlotId::resource()));
        let json = template.to_json().map_err(|error| error.to_string());
        self.insert(Origin::of(source, &template.to_cedar()), json, id, (principal, resource), problems);
    }

    /// Adds a policy that [is one](Self::is_one).
    pub(crate) fn add_policy(
        &mut self,
        source: &'s Source,
        policy: &Policy,
        id: Option<&str>,
        problems: &mut Problems,
    ) {
        let json = policy.to_json().map_err(|error| error.to_string());
        let origin = Origin::of(source, &policy.to_cedar().unwrap_or_default());
        self.insert(origin, json, id, (false, false), problems);
    }

    fn insert(
        &mut self,
        origin: Origin<'s>,
        json: Result<Value, String>,
        id: Option<&str>,
        (principal, resource): (bool, bool),
        problems: &mut Problems,
    ) {
        let mut json = match json {
            Ok(json) => json,
            Err(text) => return problems.push(origin.problem(CODE, text)),
        };
        let agent = match agent_type(&mut json) {
            Ok(agent) => agent,
            Err(text) => {
                let help = "write Agent::\"?agent\", AgentGroup::\"?agent\" or SpiffePath::\"?agent\" in a condition; \
                            the links say which agent it is";
                return problems.push(origin.problem(CODE, text).help(help));
            }
        };
        let Some(id) = id else {
            let text = "a template has no `@id`, so that no link can name it";
            return problems.push(origin.problem(CODE, text).help("write @id(\"...\") above it"));
        };
        let known = Known { origin: self.origins.len(), json, principal, resource, agent, is_linked: false };
        self.origins.push(origin);
        // Two of one name are told as such where policies are named.
        self.known.entry(id.into()).or_insert(known);
    }

    /// Where the template `id` stands.
    pub(crate) fn origin(&self, id: &str) -> Option<&Origin<'s>> {
        self.origins.get(self.known.get(id)?.origin)
    }

    /// Makes the policies that `links` say.
    pub(crate) fn link(
        &mut self,
        links: &'s [Source],
        schema: &PolicySchema,
        problems: &mut Problems,
    ) -> Vec<Linked<'s>> {
        let mut linked = Vec::new();
        for source in links {
            let links = Located::read(&source.name, &source.text, LINK_CODES)
                .and_then(|root| root.items().ok_or_else(|| root.is_not("a list of links")));
            let links = links.unwrap_or_else(|problem| {
                problems.push(problem);
                Vec::new()
            });
            for place in links {
                match Link::read(place, self, schema) {
                    Ok(link) => match self.make(&link) {
                        Ok(made) => linked.push(made),
                        Err(text) => problems.push(place.problem(text)),
                    },
                    Err(wrong) => problems.extend(wrong),
                }
            }
        }
        let unlinked = self.known.iter().filter(|(_, known)| known.agent.is_some() && !known.is_linked);
        let unlinked: BTreeSet<usize> = unlinked.map(|(_, known)| known.origin).collect();
        for origin in unlinked.into_iter().filter_map(|origin| self.origins.get(origin)) {
            let text = format!("`{AGENT}` stands for the agents of its links, and it has none: it is never in force");
            problems.push(origin.problem(CODE, text).help("add a link for it to links.json, or name an agent"));
        }
        linked
    }

    /// The template of `link` with its slots filled, as a policy of its own.
    fn make(&self, link: &Link<'s>) -> Result<Linked<'s>, String> {
        let known = self.known.get(link.template.as_str()).ok_or("its template is not known")?;
        let mut json = known.json.clone();
        for (slot, entity) in &link.fill {
            let name = entity.id().unescaped();
            if *slot == AGENT {
                each_entity(&mut json, |_, open| {
                    if open == AGENT {
                        *open = name.to_owned();
                    }
                });
            } else {
                fill_slot(&mut json, slot, &json!({"type": entity.type_name().to_string(), "id": name}));
            }
        }
        if let Some(annotations) = json.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.insert("id".into(), link.id.as_str().into());
        }
        let policy = Policy::from_json(Some(PolicyId::new(&link.id)), json).map_err(|error| error.to_string())?;
        // The same are told of the template.
        let terms = Terms::read(&policy).map_err(|_| "its template has annotations that cannot be read")?;
        Ok(Linked { policy, terms, template: link.template.as_str().into(), place: link.place })
    }
}
