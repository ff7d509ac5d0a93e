//! One link, as it stands in its file.

use std::collections::HashSet;
use std::str::FromStr as _;

use agentauth_core::policy::located::{Located, Member};
use agentauth_core::policy::{Problem, Problems};
use agentauth_core::{Excerpt, SpiffeId};
use cedar_policy::{EntityTypeName, EntityUid};

use super::{AGENT, Known, OPEN, Templates};
use crate::entities::check_name;
use crate::names::uid;
use crate::schema::PolicySchema;

const MEMBERS: [&str; 5] = ["id", "template", "principal", "resource", "agent"];

/// A link that fits its template.
#[derive(Debug)]
pub(super) struct Link<'s> {
    pub(super) id: String,
    pub(super) template: String,
    /// What is put for which slot.
    pub(super) fill: Vec<(&'static str, EntityUid)>,
    /// Where it stands.
    pub(super) place: Located<'s>,
}

impl<'s> Link<'s> {
    /// Reads the link that stands at `place`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn read(
        place: Located<'s>,
        templates: &mut Templates<'_>,
        schema: &PolicySchema,
    ) -> Result<Self, Problems> {
        let mut wrong = Problems::none();
        let members = place.members(&mut wrong);
        if members.is_empty() && !wrong.is_empty() {
            return Err(wrong);
        }
        for member in &members {
            if !MEMBERS.contains(&member.name.as_str()) {
                wrong.push(member.is_unknown(&MEMBERS));
            }
        }
        let member = |name: &str| members.iter().find(|member| member.name == name);
        let mut text = |name: &str| match member(name).map(|member| text_of(member.value)) {
            Some(Ok(text)) => Some(text),
            Some(Err(problem)) => {
                wrong.push(problem);
                None
            }
            None => {
                wrong.push(place.problem(format!("a link has no `{name}`")));
                None
            }
        };
        let (id, template) = (text("id"), text("template"));
        let mut fill = Vec::new();
        if let (Some(name), Some(at)) = (&template, member("template")) {
            match templates.known.get_mut(name.as_str()) {
                Some(known) => {
                    known.is_linked = true;
                    for filled in filled(known, member, place, schema) {
                        filled.map(|filled| fill.push(filled)).unwrap_or_else(|problem| wrong.push(problem));
                    }
                }
                None => {
                    let text = format!("there is no template `{}`", Excerpt::of(name));
                    wrong.push(at.value.problem(text).help("its name is what `@id` says above it"));
                }
            }
        }
        match (id, template) {
            (Some(id), Some(template)) => wrong.or(Self { id, template, fill, place }),
            _ => Err(wrong),
        }
    }
}

/// What the link at `place` puts for each slot of `template`, or what is wrong with it.
fn filled<'m, 's: 'm>(
    template: &Known,
    member: impl Fn(&str) -> Option<&'m Member<'s>>,
    place: Located<'s>,
    schema: &PolicySchema,
) -> Vec<Result<(&'static str, EntityUid), Problem>> {
    let agent = template.agent.as_ref();
    let slots = [("principal", template.principal), ("resource", template.resource), ("agent", agent.is_some())];
    let mut filled = Vec::new();
    for (name, is_open) in slots {
        filled.push(match (is_open, member(name), agent) {
            (false, None, _) => continue,
            (false, Some(member), _) => Err(member.key.problem(format!("the template has no `?{name}`"))),
            (true, None, _) => Err(place.problem(format!("the link does not say which {name} its template is for"))),
            (true, Some(member), Some(kind)) if name == "agent" => {
                agent_of(kind, member.value, schema).map(|entity| (AGENT, entity))
            }
            (true, Some(member), _) => {
                let slot = if name == "principal" { "?principal" } else { "?resource" };
                entity(name, member.value, schema).map(|entity| (slot, entity))
            }
        });
    }
    filled
}

/// What fills `slot`, as links write it: `{"Group": "clerks"}`.
fn entity(slot: &str, written: Located<'_>, schema: &PolicySchema) -> Result<EntityUid, Problem> {
    const FORM: &str = "one entity, such as {\"Group\": \"clerks\"}";
    let members = written.object(FORM)?;
    let [member] = members.as_slice() else { return Err(written.is_not(FORM)) };
    let kind = EntityTypeName::from_str(&member.name).ok().and_then(|kind| schema.entity(&kind));
    let unknown = || member.key.problem(format!("the schema has no entity type `{}`", Excerpt::of(&member.name)));
    let named = uid(&kind.ok_or_else(unknown)?.name, &closed(member.value)?);
    check_name(schema, &named).map_err(|text| member.value.problem(text))?;
    let of_actions = schema.actions.values().flat_map(|action| match slot {
        "principal" => &action.principals,
        _ => &action.resources,
    });
    let is_above = |kind: &EntityTypeName| {
        kind == named.type_name()
            || schema.cedar.ancestors(kind).is_some_and(|mut above| above.any(|one| one == named.type_name()))
    };
    // A policy that could never match is one that was meant to be another.
    if of_actions.collect::<HashSet<_>>().into_iter().any(is_above) {
        Ok(named)
    } else {
        Err(member.key.problem(format!("in the schema, no {slot} of an action is a `{}`, or in one", member.name)))
    }
}

/// An agent as links write it: its name, of which the template says the type.
fn agent_of(kind: &EntityTypeName, written: Located<'_>, schema: &PolicySchema) -> Result<EntityUid, Problem> {
    let name = closed(written)?;
    if *kind == schema.types.spiffe_path && name.parse::<SpiffeId>().is_err() {
        return Err(written.problem(format!("`{}` is no SPIFFE ID", Excerpt::of(&name))));
    }
    let named = uid(kind, &name);
    check_name(schema, &named).map_err(|text| written.problem(text))?;
    Ok(named)
}

fn text_of(written: Located<'_>) -> Result<String, Problem> {
    written.string().ok_or_else(|| written.is_not("a string"))
}

/// A name that is not itself to be filled in.
fn closed(written: Located<'_>) -> Result<String, Problem> {
    let name = text_of(written)?;
    if name.starts_with(OPEN) {
        Err(written.problem("it should be a name: links fill in what is open"))
    } else {
        Ok(name)
    }
}
