//! The built-in type of authorization details: grants as JSON.

use serde_json::{Map, Value, json};

use super::constraint::Constraint;
use super::details::DetailError;
use super::error::GrantError;
use super::grant::Grant;
use super::reach::Reach;
use crate::identity::ResourceId;
use crate::text::Excerpt;
use crate::time::Timestamp;

/// The `type` of authorization details that this crate reads and writes itself. All members but `type` and `actions` may be
/// absent, which is no limit; none may be `null` or empty, and no others may be there.
///
/// | member | value |
/// |---|---|
/// | `actions` | one or more scopes; each is a grant with all the limits below |
/// | `locations` | the servers at which it counts |
/// | `resource` | `{"kind": k}`, `{"kind": k, "id": i}`, or `{"kind": k, "below": prefix}` |
/// | `arguments` | for each argument, one of `{"one_of": [...]}`, `{"integer": {"min": a, "max": b}}`, `{"number": {"min": a, "max": b}}`, `{"text": {"below": prefix, "min_length": a, "max_length": b}}` (none of them required), `{"subset_of": [...]}` |
/// | `other_arguments` | `false`: no other arguments than these |
/// | `not_before`, `expires` | seconds since 1970; from the one up to, and not including, the other |
/// | `max_depth` | how many more times it may be passed on |
/// | `max_uses` | how many times it may be used |
pub const AGENT_ACTION: &str = "agent_action";

/// The latest second that a time may name (the end of the year 9999).
const MAX_SECONDS: u64 = 253_402_300_799;

impl Grant {
    /// This grant as one authorization detail.
    pub(super) fn to_detail(&self) -> Value {
        let mut detail = Map::new();
        detail.insert("type".into(), AGENT_ACTION.into());
        detail.insert("actions".into(), json!([self.action.as_str()]));
        if let Some(audiences) = &self.audiences {
            let names: Vec<&str> = audiences.iter().map(ResourceId::as_str).collect();
            detail.insert("locations".into(), json!(names));
        }
        match &self.reach {
            Reach::Anything => None,
            Reach::Kind(kind) => Some(json!({"kind": kind})),
            Reach::Below { kind, prefix } => Some(json!({"kind": kind, "below": prefix.as_str()})),
            Reach::Exactly { kind, id } => Some(json!({"kind": kind, "id": id})),
        }
        .and_then(|resource| detail.insert("resource".into(), resource));
        if !self.arguments.is_empty() {
            let arguments = self.arguments.iter().map(|(name, constraint)| (name.to_string(), constraint.to_json()));
            detail.insert("arguments".into(), Value::Object(arguments.collect()));
        }
        if self.closed {
            detail.insert("other_arguments".into(), Value::Bool(false));
        }
        if self.not_before > Timestamp::from_secs(0) {
            detail.insert("not_before".into(), self.not_before.secs().into());
        }
        for (name, limit) in [
            ("expires", self.expires.map(Timestamp::secs)),
            ("max_depth", self.depth.map(u64::from)),
            ("max_uses", self.uses.map(u64::from)),
        ] {
            limit.and_then(|limit| detail.insert(name.into(), limit.into()));
        }
        Value::Object(detail)
    }

    /// The grants of one detail of the built-in type, one for each action.
    pub(super) fn of_detail(detail: &Map<String, Value>) -> Result<Vec<Self>, DetailError> {
        let actions: Vec<&str> = texts("actions", detail.get("actions").unwrap_or(&Value::Null))?;
        let mut grant = Self::new(actions.first().ok_or_else(|| malformed("actions"))?)?;
        for (name, value) in detail {
            grant = grant.with_member(name, value)?;
        }
        if !grant.is_satisfiable() {
            return Err(GrantError::Unsatisfiable.into());
        }
        let with_action =
            |action: &&str| Ok(Self { action: action.parse().map_err(GrantError::Action)?, ..grant.clone() });
        actions.iter().map(with_action).collect()
    }

    fn with_member(mut self, name: &str, value: &Value) -> Result<Self, DetailError> {
        match name {
            "type" | "actions" => {}
            "locations" => {
                let audiences = texts(name, value)?.into_iter().map(ResourceId::new);
                let audiences: Vec<_> = audiences.collect::<Result<_, _>>().map_err(|_| malformed(name))?;
                return Ok(self.audiences(audiences)?);
            }
            "resource" => self.reach = reach(value)?,
            "arguments" => {
                let arguments =
                    value.as_object().filter(|members| !members.is_empty()).ok_or_else(|| malformed(name))?;
                for (name, constraint) in arguments {
                    let constraint = Constraint::of_json(constraint).ok_or_else(|| malformed(name))??;
                    self = self.argument(name, constraint)?;
                }
            }
            "other_arguments" if *value == Value::Bool(false) => self.closed = true,
            "not_before" => self.not_before = seconds(name, value)?,
            "expires" => self.expires = Some(seconds(name, value)?),
            "max_depth" => self.depth = Some(count(name, value)?),
            "max_uses" => self.uses = Some(count(name, value)?),
            "other_arguments" => return Err(malformed(name)),
            _ => return Err(DetailError::UnknownMember(Excerpt::of(name))),
        }
        Ok(self)
    }
}

fn reach(value: &Value) -> Result<Reach, DetailError> {
    let members = value.as_object().ok_or_else(|| malformed("resource"))?;
    let text = |name| members.get(name).and_then(Value::as_str);
    let reach = match (text("kind"), text("id"), text("below"), members.len()) {
        (Some(kind), None, None, 1) => Reach::of_kind(kind),
        (Some(kind), Some(id), None, 2) => Reach::exactly(kind, id),
        (Some(kind), None, Some(prefix), 2) => Reach::below(kind, prefix),
        _ => return Err(malformed("resource")),
    };
    Ok(reach?)
}

/// A list of texts that is not empty: "none" is not "all".
fn texts<'v>(name: &str, value: &'v Value) -> Result<Vec<&'v str>, DetailError> {
    let texts: Option<Vec<&str>> = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
    texts.filter(|texts| !texts.is_empty()).ok_or_else(|| malformed(name))
}

fn seconds(name: &str, value: &Value) -> Result<Timestamp, DetailError> {
    let secs = value.as_u64().filter(|secs| *secs <= MAX_SECONDS).ok_or_else(|| malformed(name))?;
    Ok(Timestamp::from_secs(secs))
}

fn count(name: &str, value: &Value) -> Result<u32, DetailError> {
    value.as_u64().and_then(|count| u32::try_from(count).ok()).ok_or_else(|| malformed(name))
}

fn malformed(name: &str) -> DetailError {
    DetailError::MalformedMember(Excerpt::of(name))
}
