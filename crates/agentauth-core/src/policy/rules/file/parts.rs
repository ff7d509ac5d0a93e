//! Whom and what a rule is for, as files say it.

use super::fault::{Fault, Faults, Span};
use super::tree::{Member, Node, Value};
use crate::identity::{AgentId, IssuerId, PrincipalId, SpiffeId, SpiffePattern};
use crate::policy::suggest::meant;
use crate::policy::{Agents, Principals, Resource, Resources};
use crate::scope::Scope;
use crate::text::Excerpt;

/// The word for all of them.
pub(super) const ANY: &str = "any";

const AGENTS: &str = "a SPIFFE ID, a pattern such as spiffe://court.example/agent/**, a list of them, \"any\", or a table with \
                      iss and sub";

const PRINCIPALS: &str = "\"any\", \"itself\", or a table with iss and sub";

const RESOURCES: &str = "\"any\", or a table with kind and perhaps id";

pub(super) fn agents(node: &Node, faults: &mut Faults) -> Option<Agents> {
    match &node.value {
        Value::Text(text) if **text == *ANY => Some(Agents::any()),
        Value::Text(text) if !text.contains('*') => match text.parse::<SpiffeId>() {
            Ok(id) => Some(Agents::exactly(id)),
            Err(error) => {
                let help = if meant(text, &[ANY]).starts_with("did") {
                    meant(text, &[ANY])
                } else {
                    format!("write {AGENTS}")
                };
                faults.add(Fault::WrongValue, node.at, error.to_string(), help);
                None
            }
        },
        Value::Text(text) => pattern(text, node.at, faults).map(Agents::matching),
        Value::List(list) if list.is_empty() => {
            faults.add(Fault::WrongValue, node.at, "`agents` is for none", format!("write {AGENTS}"));
            None
        }
        Value::List(_) => {
            let texts = node.texts("an agent of the list", "SPIFFE IDs and patterns", faults)?;
            let patterns: Vec<_> = texts.into_iter().map(|(at, text)| pattern(text, at, faults)).collect();
            patterns.into_iter().collect::<Option<Vec<_>>>().map(Agents::matching_any)
        }
        Value::Table(members) => {
            let fields = Fields::of(members, node.at, "an agent", &["iss", "sub"], &[], faults)?;
            let (issuer, name) = (fields.issuer(faults), fields.name("sub", faults));
            Some(Agents::exactly(AgentId::named_by(&issuer?, name?)))
        }
        _ => node.is_not("`agents`", AGENTS, faults),
    }
}

fn pattern(text: &str, at: Span, faults: &mut Faults) -> Option<SpiffePattern> {
    let help = "* is one whole segment of the path, and ** at the end is any path of one or more";
    text.parse()
        .map_err(|error: crate::SpiffePatternError| faults.add(Fault::WrongValue, at, error.to_string(), help))
        .ok()
}

pub(super) fn principals(node: &Node, faults: &mut Faults) -> Option<Principals> {
    match &node.value {
        Value::Text(text) => match &**text {
            ANY => Some(Principals::any()),
            "itself" => Some(Principals::itself()),
            other => {
                let text = format!("`{}` alone names no principal", Excerpt::of(other));
                faults.add(Fault::WrongValue, node.at, text, format!("write {PRINCIPALS}"));
                None
            }
        },
        Value::Table(members) => {
            let fields = Fields::of(members, node.at, "a principal", &["iss", "sub"], &["tenant", "kind"], faults)?;
            let (issuer, subject) = (fields.issuer(faults), fields.name("sub", faults));
            let tenant = fields.has("tenant").then(|| fields.name("tenant", faults));
            let kind: fn(IssuerId, &str) -> PrincipalId = match fields.get("kind") {
                None => PrincipalId::new,
                Some(node) => match node.text("`kind`", faults)? {
                    "subject" => PrincipalId::new,
                    "client" => PrincipalId::client,
                    "agent_account" => PrincipalId::agent_account,
                    other => {
                        let text = format!("`{}` is no kind of principal", Excerpt::of(other));
                        faults.add(
                            Fault::WrongValue,
                            node.at,
                            text,
                            meant(other, &["subject", "client", "agent_account"]),
                        );
                        return None;
                    }
                },
            };
            let principal = kind(issuer?, subject?);
            Some(Principals::from(match tenant {
                Some(tenant) => principal.in_tenant(tenant?),
                None => principal,
            }))
        }
        _ => node.is_not("`principals`", PRINCIPALS, faults),
    }
}

pub(super) fn resources(node: &Node, faults: &mut Faults) -> Option<Resources> {
    match &node.value {
        Value::Text(text) if **text == *ANY => Some(Resources::any()),
        Value::Text(text) => {
            let wrong = format!("`{}` alone names no resource", Excerpt::of(text));
            faults.add(Fault::WrongValue, node.at, wrong, format!("write {RESOURCES}"));
            None
        }
        Value::Table(members) => {
            let fields = Fields::of(members, node.at, "a resource", &["kind"], &["id"], faults)?;
            let kind = fields.name("kind", faults);
            if !fields.has("id") {
                return kind.map(Resources::of_kind);
            }
            let id = fields.name("id", faults);
            Some(Resources::exactly(kind?, id?))
        }
        _ => node.is_not("`resources`", RESOURCES, faults),
    }
}

pub(super) fn action<'n>(node: &'n Node, faults: &mut Faults) -> Option<&'n str> {
    let name = node.text("`action`", faults)?;
    exact_action(name, node.at, faults)
}

pub(super) fn actions<'n>(node: &'n Node, faults: &mut Faults) -> Option<Vec<&'n str>> {
    let texts = node.texts("an action of the list", "names of actions", faults)?;
    if texts.is_empty() {
        faults.add(Fault::WrongValue, node.at, "`actions` has none", "name the actions that the rule is for");
        return None;
    }
    let names: Vec<_> = texts.into_iter().map(|(at, name)| exact_action(name, at, faults)).collect();
    names.into_iter().collect()
}

/// What looks like a pattern would match nothing, and a rule that denies would deny nothing.
fn exact_action<'n>(name: &'n str, at: Span, faults: &mut Faults) -> Option<&'n str> {
    if name.contains('*') || name == ANY {
        let text = format!("`{}` is no action: there are no wildcards", Excerpt::of(name));
        faults.add(Fault::WrongValue, at, text, "write the name of one action, or a list of them as actions");
        return None;
    }
    match name.parse::<Scope>() {
        Ok(_) => Some(name),
        Err(error) => {
            faults.add(Fault::WrongValue, at, error.to_string(), "write the name of one action, such as motions:file");
            None
        }
    }
}

/// The members of a small table, none of which is unknown.
struct Fields<'n> {
    members: &'n [Member],
}

impl<'n> Fields<'n> {
    fn of(
        members: &'n [Member],
        at: Span,
        owner: &str,
        required: &[&str],
        optional: &[&str],
        faults: &mut Faults,
    ) -> Option<Self> {
        let known: Vec<&str> = required.iter().chain(optional).copied().collect();
        let before = faults.count();
        for member in members.iter().filter(|member| !known.contains(&&*member.name)) {
            faults.unknown_key(member.at, &member.name, owner, &known);
        }
        let fields = Self { members };
        // What is missing is perhaps what has another name.
        if faults.count() == before {
            for name in required.iter().filter(|name| !fields.has(name)) {
                faults.add(Fault::WrongValue, at, format!("{owner} lacks `{name}`"), format!("add {name}"));
            }
        }
        (faults.count() == before).then_some(fields)
    }

    fn get(&self, name: &str) -> Option<&'n Node> {
        self.members.iter().find(|member| *member.name == *name).map(|member| &member.node)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A name that the field `field` has.
    fn name(&self, field: &'static str, faults: &mut Faults) -> Option<&'n str> {
        let node = self.get(field)?;
        let name = node.text(&format!("`{field}`"), faults)?;
        let of_any_kind = Resource { kind: "name".into(), id: name.into() };
        if of_any_kind.is_well_formed() {
            return Some(name);
        }
        let text = format!("`{}` is no name", Excerpt::of(name));
        faults.add(Fault::WrongValue, node.at, text, "write 1 to 2048 bytes without control characters");
        None
    }

    fn issuer(&self, faults: &mut Faults) -> Option<IssuerId> {
        let node = self.get("iss")?;
        match IssuerId::new(node.text("`iss`", faults)?) {
            Ok(issuer) => Some(issuer),
            Err(error) => {
                faults.add(Fault::WrongValue, node.at, error.to_string(), "write it as it stands in tokens");
                None
            }
        }
    }
}
