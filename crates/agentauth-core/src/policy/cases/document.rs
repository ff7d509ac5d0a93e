//! A file of cases, read strictly: every problem at once, each with its place.

use std::sync::Arc;

use super::expected::{self, Expected};
use super::{CODES, Case, Fault, File, MAX_CASES};
use crate::delegation::Mode;
use crate::identity::{AgentId, IssuerId, PrincipalId, ResourceId};
use crate::policy::located::{Located, Member};
use crate::policy::{Arguments, MAX_PROBLEMS, Problem, Problems, Resource, Scenario};
use crate::time::Timestamp;

/// What `defaults` may have, and every case.
const FACTS: [&str; 11] =
    ["server", "agent", "principal", "mode", "depth", "issuer", "action", "resource", "arguments", "at", "holders"];

/// A name is for one line of a report.
const MAX_NAME_BYTES: usize = 200;

/// As many as have passed anything on, and more.
const MAX_HOLDERS: usize = 32;

pub(super) fn read(file: &Arc<File>) -> Result<Vec<Case>, Problems> {
    let mut reading = Reading { defaults: Vec::new(), problems: Problems::none() };
    let mut cases = Vec::new();
    let root = Located::read(&file.name, &file.text, CODES);
    match root.and_then(|root| Ok((root, root.object("an object with `cases`")?))) {
        Err(problem) => reading.note(problem),
        Ok((root, members)) => {
            let mut listed = None;
            for member in members {
                match member.name.as_str() {
                    "defaults" => reading.defaults = reading.defaults(member.value),
                    "cases" => listed = Some(member.value),
                    _ => reading.note(member.is_unknown(&["defaults", "cases"])),
                }
            }
            let listed = listed.ok_or_else(|| root.coded(Fault::Missing.code(), "there are no `cases` in this file"));
            let listed = listed.and_then(|listed| {
                let items = listed.items().ok_or_else(|| listed.is_not("a list of cases"))?;
                let text = || format!("there are more than {MAX_CASES} cases");
                if items.len() > MAX_CASES { Err(listed.coded(Fault::TooMany.code(), text())) } else { Ok(items) }
            });
            match listed {
                Err(problem) => reading.note(problem),
                Ok(items) => {
                    for item in items {
                        // Nobody reads more, and each takes a walk through the file.
                        if reading.problems.iter().count() >= MAX_PROBLEMS {
                            break;
                        }
                        cases.extend(reading.case(file, item));
                    }
                }
            }
        }
    }
    reading.problems.or(cases)
}

pub(super) struct Reading<'a> {
    defaults: Vec<Member<'a>>,
    problems: Problems,
}

/// The members of one case, and those that it has from the defaults.
pub(super) struct Members<'a, 'r> {
    of: Located<'a>,
    own: Vec<Member<'a>>,
    reading: &'r mut Reading<'a>,
}

impl<'a> Reading<'a> {
    /// What is wrong in the defaults is wrong in every case, and said once.
    fn note(&mut self, problem: Problem) {
        if !self.problems.iter().any(|known| *known == problem) {
            self.problems.push(problem);
        }
    }

    fn defaults(&mut self, json: Located<'a>) -> Vec<Member<'a>> {
        let members = json.object("an object with what all cases have in common").unwrap_or_else(|problem| {
            self.note(problem);
            Vec::new()
        });
        for member in members.iter().filter(|member| !FACTS.contains(&member.name.as_str())) {
            self.note(member.is_unknown(&FACTS));
        }
        members
    }

    fn case(&mut self, file: &Arc<File>, json: Located<'a>) -> Option<Case> {
        let own = match json.object("a case, which is an object") {
            Ok(own) => own,
            Err(problem) => {
                self.note(problem);
                return None;
            }
        };
        let mut members = Members { of: json, own, reading: self };
        let name = members.required("name", |json| {
            let name = json.string().filter(|name| !name.trim().is_empty() && name.len() <= MAX_NAME_BYTES);
            let name = name.filter(|name| !name.chars().any(char::is_control));
            name.ok_or_else(|| json.is_not("a name of 1 to 200 bytes on one line"))
        });
        let expected = Expected::read(&mut members);
        let scenario = members.scenario();
        members.finish();
        let at = json.range();
        Some(Case { name: name?.into(), file: Arc::clone(file), at, scenario: scenario?, expected: expected? })
    }
}

impl<'a> Members<'a, '_> {
    /// The member `name` of the case, or else of the defaults.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Located<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        let value = match self.own.iter().position(|member| member.name == name) {
            Some(at) => self.own.swap_remove(at).value,
            None => self.reading.defaults.iter().find(|member| member.name == name)?.value,
        };
        read(value).map_err(|problem| self.reading.note(problem)).ok()
    }

    /// The same, which must be there.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Located<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        let defaults = FACTS.contains(&name).then_some(&self.reading.defaults);
        let is_there = self.own.iter().chain(defaults.into_iter().flatten()).any(|member| member.name == name);
        if !is_there {
            let problem = self.of.coded(Fault::Missing.code(), format!("this case has no `{name}`"));
            self.reading.note(problem);
            return None;
        }
        self.optional(name, read)
    }

    fn scenario(&mut self) -> Option<Scenario> {
        let server = self.required("server", |json| named(json, "the server's identifier", ResourceId::new));
        let agent = self.required("agent", agent);
        let principal = self.required("principal", principal);
        let action = self.required("action", |json| text(json, "the name of an action"));
        let issuer = self.optional("issuer", |json| named(json, "an issuer's identifier", IssuerId::new));
        let mode = self.optional("mode", mode);
        let depth = self.optional("depth", |json| {
            let depth = json.integer().and_then(|depth| u8::try_from(depth).ok());
            depth.map(usize::from).ok_or_else(|| json.is_not("a number of agents from 0 to 255"))
        });
        let resource = self.optional("resource", resource);
        let arguments = self.optional("arguments", |json| {
            Arguments::from_json(json.text().as_bytes()).map_err(|error| json.problem(error.to_string()))
        });
        let at = self.optional("at", |json| {
            let moment = json.string().and_then(|text| Timestamp::from_rfc3339(&text));
            moment.ok_or_else(|| json.is_not("a time such as 2027-01-01T09:00:00Z"))
        });
        let holders = self.optional("holders", |json| {
            let holders = json.items().filter(|holders| holders.len() <= MAX_HOLDERS);
            let holders = holders.ok_or_else(|| json.is_not("a list of at most 32 agents"))?;
            holders.into_iter().map(self::agent).collect()
        });
        let mut scenario = Scenario::new(server?, agent?, principal?, &action?);
        scenario.issuer = issuer.unwrap_or(scenario.issuer);
        scenario.mode = mode.unwrap_or(scenario.mode);
        scenario.depth = depth.unwrap_or(scenario.depth);
        scenario.resource = resource.flatten();
        scenario.arguments = arguments.unwrap_or(scenario.arguments);
        scenario.now = at.unwrap_or(scenario.now);
        scenario.holders = holders.unwrap_or_default();
        Some(scenario)
    }

    /// Whatever has not been asked for is not known.
    fn finish(self) {
        let known: Vec<&str> = ["name"].into_iter().chain(FACTS).chain(expected::MEMBERS).collect();
        for member in &self.own {
            self.reading.note(member.is_unknown(&known));
        }
    }
}

fn text(json: Located<'_>, expected: &str) -> Result<String, Problem> {
    json.string().filter(|text| !text.is_empty()).ok_or_else(|| json.is_not(expected))
}

fn named<T, E: std::fmt::Display>(json: Located<'_>, what: &str, read: fn(&str) -> Result<T, E>) -> Result<T, Problem> {
    let name = json.string().ok_or_else(|| json.is_not(what))?;
    read(&name).map_err(|error| json.is_not(what).help(error.to_string()))
}

fn mode(json: Located<'_>) -> Result<Mode, Problem> {
    Ok(match json.string().as_deref() {
        Some("autonomous") => Mode::Autonomous,
        Some("on_behalf_of") => Mode::OnBehalfOf,
        Some("impersonation") => Mode::Impersonation,
        Some("agent_account") => Mode::AgentAccount,
        Some("client_only") => Mode::ClientOnly,
        _ => {
            let modes = "autonomous, on_behalf_of, impersonation, agent_account or client_only";
            return Err(json.is_not("a mode").help(format!("write {modes}")));
        }
    })
}

fn agent(json: Located<'_>) -> Result<AgentId, Problem> {
    const WHAT: &str = "an agent: a SPIFFE ID, or an object with `issuer` and `name`";
    if let Some(id) = json.string() {
        let id = id.parse().map(AgentId::Spiffe);
        return id.map_err(|error: crate::identity::SpiffeIdError| json.is_not(WHAT).help(error.to_string()));
    }
    let [issuer, name] = pick(json, WHAT, ["issuer", "name"])?;
    let missing = || json.is_not(WHAT);
    let issuer = named(issuer.ok_or_else(missing)?, "an issuer's identifier", IssuerId::new)?;
    let name = text(name.ok_or_else(missing)?, "a name")?;
    Ok(AgentId::Named { issuer, name: name.into() })
}

fn principal(json: Located<'_>) -> Result<PrincipalId, Problem> {
    const WHAT: &str = "a principal: an object with `issuer` and `subject`";
    let [issuer, subject, tenant, kind] = pick(json, WHAT, ["issuer", "subject", "tenant", "kind"])?;
    let missing = || json.is_not(WHAT);
    let issuer = named(issuer.ok_or_else(missing)?, "an issuer's identifier", IssuerId::new)?;
    let subject = text(subject.ok_or_else(missing)?, "a subject")?;
    let principal = match kind.map(|kind| (kind, kind.string())) {
        None => PrincipalId::new(issuer, &subject),
        Some((kind, name)) => match name.as_deref() {
            Some("subject") => PrincipalId::new(issuer, &subject),
            Some("client") => PrincipalId::client(issuer, &subject),
            Some("agent_account") => PrincipalId::agent_account(issuer, &subject),
            _ => return Err(kind.is_not("a kind of principal").help("write subject, client or agent_account")),
        },
    };
    Ok(match tenant {
        Some(tenant) => principal.in_tenant(&text(tenant, "a tenant")?),
        None => principal,
    })
}

fn resource(json: Located<'_>) -> Result<Option<Resource>, Problem> {
    const WHAT: &str = "a resource: an object with `kind` and `id`, or null";
    if json.is_null() {
        return Ok(None);
    }
    let [kind, id] = pick(json, WHAT, ["kind", "id"])?;
    let part =
        |part: Option<Located<'_>>| part.and_then(Located::string).ok_or_else(|| json.is_not(WHAT)).map(Into::into);
    let resource = Resource { kind: part(kind)?, id: part(id)? };
    if resource.is_well_formed() { Ok(Some(resource)) } else { Err(json.is_not(WHAT)) }
}

/// The members `names` of an object that has no others.
fn pick<'a, const N: usize>(
    json: Located<'a>,
    what: &str,
    names: [&str; N],
) -> Result<[Option<Located<'a>>; N], Problem> {
    let members = json.object(what)?;
    match members.iter().find(|member| !names.contains(&member.name.as_str())) {
        Some(unknown) => Err(unknown.is_unknown(&names)),
        None => Ok(names.map(|name| members.iter().find(|member| member.name == name).map(|member| member.value))),
    }
}
