//! Records read back: what was decided, to be decided again.

use serde_json::Value;

use super::RECORD_VERSION;
use crate::delegation::Mode;
use crate::identity::{AgentId, IssuerId, PrincipalId, ResourceId, WrittenAgent, WrittenPrincipal};
use crate::jose::{JsonError, json};
use crate::policy::{Arguments, Effect, Scenario};
use crate::scope::{Authority, DetailTypes, ScopeSet};
use crate::time::Timestamp;

/// No record is longer: its parts are bounded each.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The nesting of a record: authorization details, and the arguments that it shows.
const MAX_DEPTH: u8 = 32;

/// The nesting of a value that it shows, which stands in an object, in the action, in the record.
pub(super) const MAX_SHOWN_DEPTH: u8 = MAX_DEPTH - 3;

/// One line of a record, as far as it can be decided again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RecordedLine {
    /// A decision that the policy was asked for.
    Decision(Box<RecordedDecision>),
    /// A decision that was made before the policy was asked: the caller, or what was delegated, was refused.
    BeforePolicy,
    /// A decision that cannot be decided again: what was personal in it is erased, or parts of it were too long and cut.
    Incomplete,
    /// Something else.
    Other,
}

/// A decision that the policy was asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecordedDecision {
    /// Under which it stands in the record.
    pub evaluation_id: Box<str>,
    /// What was asked. Of the authority, details of types that are not built in are left out.
    pub scenario: Scenario,
    /// Whether the arguments of [`RecordedDecision::scenario`] are those that were decided on: there were none, or the record
    /// shows all of them, and they have the digest that is on record.
    pub has_arguments: bool,
    /// What the policy answered. (The action may have been refused all the same: for want of an approval, for instance.)
    pub effect: Effect,
    /// With which code the decision ended.
    pub code: Box<str>,
    /// The obligations of the answer, as they are on record.
    pub obligations: Vec<Value>,
    /// Which version of the policies answered.
    pub policy_version: Box<str>,
}

/// A line that is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not one JSON object, or longer than [`MAX_RECORD_BYTES`].
    #[error("this is not a record: {0}")]
    Json(#[from] JsonError),
    /// Of another version.
    #[error(
        "this record is not of version {RECORD_VERSION}, which is all that is read here; use the tool of its own version"
    )]
    Version,
    /// A member is missing, or is not what a record has there.
    #[error("this is not a record: its `{0}` is missing, or cannot be read")]
    Member(&'static str),
}

impl RecordError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.code(),
            Self::Version => "record_version",
            Self::Member(_) => "record_malformed",
        }
    }
}

impl RecordedLine {
    /// Reads one line, without its end.
    ///
    /// # Errors
    /// [`RecordError`] if it is no record. Members that are not known here are passed over.
    pub fn read(line: &[u8]) -> Result<Self, RecordError> {
        let record = json::tree(line, MAX_RECORD_BYTES, MAX_DEPTH)?;
        let record = Reading { value: &record, name: "version" };
        if record.get("version")?.as_u64() != Some(u64::from(RECORD_VERSION)) {
            return Err(RecordError::Version);
        }
        if record.text("kind")? != "decision" {
            return Ok(Self::Other);
        }
        // Without a digest of arguments, no question was put.
        let is_asked = record.optional("action").is_some_and(|action| action.get("arguments").is_some());
        match record.optional_text("policy_version")?.filter(|_| is_asked) {
            None => Ok(Self::BeforePolicy),
            Some(_) if record.optional("personal").is_none() || record.optional("truncated").is_some() => {
                Ok(Self::Incomplete)
            }
            Some(version) => Ok(Self::Decision(Box::new(RecordedDecision::read(record, version)?))),
        }
    }
}

impl RecordedDecision {
    fn read(record: Reading<'_>, policy_version: &str) -> Result<Self, RecordError> {
        let (scenario, has_arguments) = scenario(record)?;
        let obligations = match record.optional("obligations") {
            None => Vec::new(),
            Some(Value::Array(obligations)) => obligations.clone(),
            Some(_) => return Err(RecordError::Member("obligations")),
        };
        Ok(Self {
            evaluation_id: record.text("evaluation_id")?.into(),
            scenario,
            has_arguments,
            effect: effect(record)?,
            code: record.text("code")?.into(),
            obligations,
            policy_version: policy_version.into(),
        })
    }
}

/// What the policy answered. Where it allowed and the action was refused all the same, the refusal stands behind its reasons.
fn effect(record: Reading<'_>) -> Result<Effect, RecordError> {
    let reasons = record.get("reasons")?.as_array().ok_or(RecordError::Member("reasons"))?;
    let last = reasons.last().and_then(|reason| reason.get("kind")?.as_str());
    match record.text("effect")? {
        "allow" => Ok(Effect::Allow),
        "deny" if last == Some("refused") => Ok(Effect::Allow),
        "deny" => Ok(Effect::Deny),
        _ => Err(RecordError::Member("effect")),
    }
}

fn scenario(record: Reading<'_>) -> Result<(Scenario, bool), RecordError> {
    // Where another server has asked, it is its question that was decided.
    let is_question = record.optional("question").is_some();
    let facts = record.within(if is_question { "question" } else { "delegation" })?;
    let agent = agent(facts.get("agent")?).ok_or(RecordError::Member("agent"))?;
    let personal = record.within("personal")?;
    let principal = personal.get(if is_question { "question_principal" } else { "principal" })?;
    let principal = principal_of(principal).ok_or(RecordError::Member("principal"))?;
    let server = if is_question { facts } else { record }.text("server")?;
    let server = ResourceId::new(server).map_err(|_| RecordError::Member("server"))?;
    let action = record.within("action")?;
    let mut scenario = Scenario::new(server, agent, principal, action.text("name")?);
    scenario.issuer = IssuerId::new(facts.text("issuer")?).map_err(|_| RecordError::Member("issuer"))?;
    scenario.mode = mode(facts.text("mode")?).ok_or(RecordError::Member("mode"))?;
    scenario.depth = facts.number("depth")?;
    if is_question {
        scenario.holders = stated_holders(facts)?;
    } else {
        scenario.holders = holders(facts)?;
        scenario.authority = authority(facts)?;
    }
    scenario.now = Timestamp::from_rfc3339(record.text("time")?).ok_or(RecordError::Member("time"))?;
    if action.optional("resource").is_some() {
        let resource = action.within("resource")?;
        scenario = scenario.on(resource.text("kind")?, resource.text("id")?);
    }
    let shown = personal.optional("shown").map(Arguments::of);
    let arguments = shown.transpose().map_err(|_| RecordError::Member("shown"))?.unwrap_or_else(Arguments::none);
    let has_arguments = *arguments.digest() == *action.text("arguments")?;
    if has_arguments {
        scenario = scenario.with(arguments);
    }
    Ok((scenario, has_arguments))
}

fn agent(value: &Value) -> Option<AgentId> {
    serde_json::from_value::<WrittenAgent>(value.clone()).ok()?.read()
}

fn principal_of(value: &Value) -> Option<PrincipalId> {
    serde_json::from_value::<WrittenPrincipal>(value.clone()).ok()?.read()
}

fn mode(text: &str) -> Option<Mode> {
    Some(match text {
        "autonomous" => Mode::Autonomous,
        "on_behalf_of" => Mode::OnBehalfOf,
        "impersonation" => Mode::Impersonation,
        "agent_account" => Mode::AgentAccount,
        "client_only" => Mode::ClientOnly,
        _ => return None,
    })
}

/// Those who have passed the authority on offline: the first of the earlier actors.
fn holders(delegation: Reading<'_>) -> Result<Vec<AgentId>, RecordError> {
    if delegation.optional("passed_on_offline").is_none() {
        return Ok(Vec::new());
    }
    let wrong = || RecordError::Member("chain");
    // Behind the current actor.
    let (_, earlier) = delegation.get("chain")?.as_array().and_then(|chain| chain.split_first()).ok_or_else(wrong)?;
    let holders = earlier.get(..delegation.number("passed_on_offline")?).ok_or_else(wrong)?;
    holders.iter().map(|holder| holder.get("agent").and_then(agent).ok_or_else(wrong)).collect()
}

/// The same, as another server has stated them.
fn stated_holders(question: Reading<'_>) -> Result<Vec<AgentId>, RecordError> {
    let wrong = || RecordError::Member("holders");
    match question.optional("holders") {
        None => Ok(Vec::new()),
        Some(Value::Array(holders)) => holders.iter().map(|holder| agent(holder).ok_or_else(wrong)).collect(),
        Some(_) => Err(wrong()),
    }
}

fn authority(delegation: Reading<'_>) -> Result<Authority, RecordError> {
    let scopes: ScopeSet = delegation.text("scopes")?.parse().map_err(|_| RecordError::Member("scopes"))?;
    let details = delegation.optional("authorization_details").map(|details| DetailTypes::new().read(details));
    Ok(details.unwrap_or_default().and(&Authority::of_scopes(scopes)))
}

/// An object of the record, and what it is called there.
#[derive(Clone, Copy)]
struct Reading<'r> {
    value: &'r Value,
    name: &'static str,
}

impl<'r> Reading<'r> {
    fn optional(self, name: &str) -> Option<&'r Value> {
        self.value.get(name)
    }

    fn get(self, name: &'static str) -> Result<&'r Value, RecordError> {
        let found = self.value.as_object().ok_or(RecordError::Member(self.name))?.get(name);
        found.ok_or(RecordError::Member(name))
    }

    fn within(self, name: &'static str) -> Result<Self, RecordError> {
        Ok(Self { value: self.get(name)?, name })
    }

    fn text(self, name: &'static str) -> Result<&'r str, RecordError> {
        self.get(name)?.as_str().ok_or(RecordError::Member(name))
    }

    fn optional_text(self, name: &'static str) -> Result<Option<&'r str>, RecordError> {
        self.optional(name).map(|text| text.as_str().ok_or(RecordError::Member(name))).transpose()
    }

    fn number(self, name: &'static str) -> Result<usize, RecordError> {
        self.get(name)?.as_u64().and_then(|number| number.try_into().ok()).ok_or(RecordError::Member(name))
    }
}
