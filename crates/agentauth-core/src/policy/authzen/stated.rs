//! What someone else asks, as policies here are asked it.

use serde_json::Value;

use super::members::{self, Members, is_name};
use super::question::{NAMED, SERVER, SPIFFE, mode, principal_kind};
use super::{AuthzenError, EvaluationRequest};
use crate::delegation::Mode;
use crate::identity::{AgentId, IssuerId, PrincipalId, PrincipalKind, ResourceId};
use crate::policy::{Arguments, Reason, ReasonKind, Resource, Scenario};
use crate::scope::{Authority, DetailTypes, ScopeSet};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// Agents that have passed an authority on: as many as a chain has.
const MAX_HOLDERS: usize = 16;

/// What is meant where a request does not say it. What is not set here must be said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unstated {
    /// Who acts, where nobody is said to: it is then nothing but the subject's client ([`Mode::ClientOnly`]).
    pub agent: AgentId,
    /// Whose subjects are meant.
    pub issuer: Option<IssuerId>,
    /// Which server the action is done at.
    pub server: Option<ResourceId>,
    /// Whether policies are given what is stated of the subject and the resource beside their names: as the arguments `subject`
    /// and `resource`.
    pub properties_as_arguments: bool,
}

impl Unstated {
    /// Only who acts is known.
    #[must_use]
    pub const fn by(agent: AgentId) -> Self {
        Self { agent, issuer: None, server: None, properties_as_arguments: false }
    }
}

/// Why a question cannot be put to policies.
fn unknown(text: impl Into<Box<str>>) -> Reason {
    Reason::new(ReasonKind::NotInSchema, text)
}

fn refused(error: &AuthzenError) -> Reason {
    unknown(error.to_string())
}

impl EvaluationRequest {
    /// The question as policies are asked it at `now`: the reverse of [`EvaluationRequest::of`]. It is a scenario, by whose
    /// answer nothing is permitted here: all of it is somebody's word.
    ///
    /// Where no agent is said to act, none does by delegation. One that is a string is a name at the issuer of the subject.
    ///
    /// # Errors
    /// The [`Reason`] for which it is denied: something of it is not known here, malformed, or not said.
    pub fn scenario(&self, unstated: &Unstated, now: Timestamp) -> Result<Scenario, Reason> {
        let mut context = (*self.context).clone();
        let principal = self.principal(unstated)?;
        let server = server(&mut context, unstated)?;
        let agent = context.remove("agent").filter(|agent| !agent.is_null());
        let delegation = members::object(&mut context, "delegation").map_err(|error| refused(&error))?;
        let issuer = principal.issuer().clone();
        let mut scenario = match (agent, delegation) {
            (None, Some(_)) => return Err(unknown("a delegation is stated, and no agent")),
            (None, None) => by_client(server, unstated.agent.clone(), principal),
            (Some(agent), None) => by_client(server, read_agent(agent, &issuer)?, principal),
            (Some(agent), Some(delegation)) => {
                delegated(Scenario::new(server, read_agent(agent, &issuer)?, principal, ""), delegation)?
            }
        };
        scenario.holders = holders(&mut context, &issuer)?;
        if !is_name(&self.action.name) {
            return Err(unknown(format!("`{}` cannot be the name of an action", Excerpt::of(&self.action.name))));
        }
        scenario.action = self.action.name.clone();
        scenario.resource = self.on(&scenario.server)?;
        scenario.arguments = self.arguments(unstated)?;
        scenario.now = now;
        Ok(scenario)
    }

    fn principal(&self, unstated: &Unstated) -> Result<PrincipalId, Reason> {
        let kind = principal_kind(&self.subject.kind).ok_or_else(|| {
            let found = Excerpt::of(&self.subject.kind);
            unknown(format!("`{found}` is no type of subject that is known here: user, client or account"))
        })?;
        let id = &*self.subject.id;
        if !is_name(id) {
            return Err(unknown(format!("`{}` cannot be the id of a subject", Excerpt::of(id))));
        }
        let said = |name: &str| match self.subject.properties.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if is_name(text) => Ok(Some(&**text)),
            Some(_) => Err(unknown(format!("the subject's `{name}` cannot be one"))),
        };
        let issuer = match said("issuer")? {
            Some(issuer) => IssuerId::new(issuer).map_err(|error| unknown(error.to_string()))?,
            None => unstated.issuer.clone().ok_or_else(|| unknown("whose subject it is, `issuer`, is not said"))?,
        };
        let principal = match kind {
            PrincipalKind::Subject => PrincipalId::new(issuer, id),
            PrincipalKind::Client => PrincipalId::client(issuer, id),
            PrincipalKind::AgentAccount => PrincipalId::agent_account(issuer, id),
        };
        Ok(match said("tenant")? {
            Some(tenant) => principal.in_tenant(tenant),
            None => principal,
        })
    }

    fn on(&self, server: &ResourceId) -> Result<Option<Resource>, Reason> {
        if (&*self.resource.kind, &*self.resource.id) == (SERVER, server.as_str()) {
            return Ok(None);
        }
        let resource = Resource { kind: self.resource.kind.clone(), id: self.resource.id.clone() };
        if resource.is_well_formed() {
            Ok(Some(resource))
        } else {
            Err(unknown("the resource has no name that can be one"))
        }
    }

    fn arguments(&self, unstated: &Unstated) -> Result<Arguments, Reason> {
        let refused = |text: String| Reason::new(ReasonKind::ArgumentRefused, text);
        let mut arguments = self.action.properties.clone();
        if unstated.properties_as_arguments {
            let mut subject = self.subject.properties.clone();
            subject.retain(|name, _| name != "issuer" && name != "tenant");
            for (name, properties) in [("subject", subject), ("resource", self.resource.properties.clone())] {
                // Also where nothing is stated: arguments may be the word of somebody else.
                if arguments.contains_key(name) {
                    return Err(refused(format!("the argument `{name}` would be what is stated of the {name}")));
                }
                if !properties.is_empty() {
                    arguments.insert(name.into(), Value::Object(properties));
                }
            }
        }
        Arguments::of(&Value::Object(arguments)).map_err(|error| refused(error.to_string()))
    }
}

fn server(context: &mut Members, unstated: &Unstated) -> Result<ResourceId, Reason> {
    match members::text(context, "server").map_err(|error| refused(&error))? {
        Some(server) => ResourceId::new(&server).map_err(|error| unknown(error.to_string())),
        None => unstated.server.clone().ok_or_else(|| unknown("at which server, `context.server`, is not said")),
    }
}

fn by_client(server: ResourceId, client: AgentId, principal: PrincipalId) -> Scenario {
    Scenario::new(server, client, principal, "").in_mode(Mode::ClientOnly)
}

fn delegated(mut scenario: Scenario, mut said: Members) -> Result<Scenario, Reason> {
    let text = |said: &mut Members, name: &str| members::text(said, name).map_err(|error| refused(&error));
    let name = text(&mut said, "mode")?.ok_or_else(|| unknown("in what `mode` the agent acts is not said"))?;
    scenario.mode = mode(&name).ok_or_else(|| unknown(format!("`{}` is no known mode", Excerpt::of(&name))))?;
    if let Some(issuer) = text(&mut said, "issuer")? {
        scenario.issuer = IssuerId::new(&issuer).map_err(|error| unknown(error.to_string()))?;
    }
    let depth = said.remove("depth").as_ref().and_then(Value::as_u64).and_then(|depth| usize::try_from(depth).ok());
    scenario.depth = depth.ok_or_else(|| unknown("at what `depth` the agent acts is not said, or is no number"))?;
    let scopes: ScopeSet = match text(&mut said, "scope")? {
        Some(scopes) => scopes.parse().map_err(|_| unknown("the `scope` of the delegation cannot be one"))?,
        None => ScopeSet::none(),
    };
    let details = said.remove("authorization_details").unwrap_or_default();
    scenario.authority = Authority::of_scopes(scopes).and(&DetailTypes::new().read(&details));
    Ok(scenario)
}

fn holders(context: &mut Members, issuer: &IssuerId) -> Result<Vec<AgentId>, Reason> {
    let holders = members::array(context, "holders").map_err(|error| refused(&error))?.unwrap_or_default();
    if holders.len() > MAX_HOLDERS {
        return Err(unknown("more than 16 holders"));
    }
    holders.into_iter().map(|holder| read_agent(holder, issuer)).collect()
}

fn read_agent(agent: Value, issuer: &IssuerId) -> Result<AgentId, Reason> {
    let malformed = || unknown("an agent is none: `type` and `id`, and `properties.issuer` for one that is `named`");
    let mut agent = match agent {
        // Whoever writes so has proven no SPIFFE ID.
        Value::String(name) if is_name(&name) => {
            return Ok(AgentId::Named { issuer: issuer.clone(), name: name.into() });
        }
        Value::Object(agent) => agent,
        _ => return Err(malformed()),
    };
    let mut text = |name: &str| members::text(&mut agent, name).ok().flatten().ok_or_else(malformed);
    let (kind, id) = (text("type")?, text("id")?);
    match &*kind {
        SPIFFE => Ok(AgentId::Spiffe(id.parse().map_err(|_| malformed())?)),
        NAMED if is_name(&id) => {
            let mut properties = members::object(&mut agent, "properties").ok().flatten().unwrap_or_default();
            let issuer = members::text(&mut properties, "issuer").ok().flatten().ok_or_else(malformed)?;
            Ok(AgentId::Named { issuer: IssuerId::new(&issuer).map_err(|_| malformed())?, name: id.into() })
        }
        _ => Err(malformed()),
    }
}
