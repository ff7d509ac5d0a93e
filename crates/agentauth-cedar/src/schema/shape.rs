//! The type of a value, as the schema says it; and how JSON becomes a value of that type, or is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr as _;

use cedar_policy::{Context, EntityTypeName, EntityUid, RestrictedExpression};
use serde_json::{Number, Value};

use super::merge::full_name;
use crate::names::uid;

/// Types nested deeper than this are not taken from a schema: no arguments are (they end at 32 levels).
const MAX_DEPTH: usize = 32;

/// Decimals, addresses and times in one value. Cedar reads each from a text, which takes it far longer than to take a number.
const MAX_READ: usize = 4096;

/// What Cedar's decimals have after the point.
const DECIMAL_DIGITS: usize = 4;

/// The type of an argument, or of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    Boolean,
    Long,
    String,
    Decimal,
    Ip,
    Datetime,
    Duration,
    /// The name of an entity of this type. No argument is.
    Entity(EntityTypeName),
    Set(Box<Self>),
    Record(BTreeMap<Box<str>, Member>),
}

/// What a type is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Arguments,
    Entities,
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arguments => "arguments",
            Self::Entities => "attributes",
        })
    }
}

/// A member of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) shape: Shape,
    pub(crate) required: bool,
}

/// Why a value is not of its type: where, and what it should be. The value itself is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) String);

impl Shape {
    /// Reads the type of an argument from Cedar's JSON schema, in `namespace` of `schema`.
    pub(crate) fn read(kind: &Value, schema: &Value, namespace: &str) -> Result<Self, String> {
        Self::read_at(kind, schema, namespace, Of::Arguments, MAX_DEPTH)
    }

    /// Reads the type of an entity's attributes.
    pub(crate) fn read_attributes(kind: &Value, schema: &Value, namespace: &str) -> Result<Self, String> {
        Self::read_at(kind, schema, namespace, Of::Entities, MAX_DEPTH)
    }

    fn read_at(kind: &Value, schema: &Value, namespace: &str, of: Of, depth: usize) -> Result<Self, String> {
        let depth = depth.checked_sub(1).ok_or_else(|| format!("its {of} are nested too deep, or in themselves"))?;
        let text = |member| kind.get(member).and_then(Value::as_str);
        match text("type").unwrap_or_default() {
            "Record" => {
                if kind.get("additionalAttributes").and_then(Value::as_bool) == Some(true) {
                    return Err(format!("its {of} are open: state each of them"));
                }
                let mut members = BTreeMap::new();
                for (name, member) in kind.get("attributes").and_then(Value::as_object).into_iter().flatten() {
                    let shape = Self::read_at(member, schema, namespace, of, depth)?;
                    let required = member.get("required").and_then(Value::as_bool).unwrap_or(true);
                    members.insert(name.as_str().into(), Member { shape, required });
                }
                Ok(Self::Record(members))
            }
            "Set" => {
                let element = kind.get("element").ok_or("a set has no type of element")?;
                Ok(Self::Set(Box::new(Self::read_at(element, schema, namespace, of, depth)?)))
            }
            "Boolean" => Ok(Self::Boolean),
            "Long" => Ok(Self::Long),
            "String" => Ok(Self::String),
            "EntityOrCommon" | "Extension" => match text("name").unwrap_or_default() {
                "Bool" | "Boolean" | "__cedar::Bool" => Ok(Self::Boolean),
                "Long" | "__cedar::Long" => Ok(Self::Long),
                "String" | "__cedar::String" => Ok(Self::String),
                "decimal" | "__cedar::decimal" => Ok(Self::Decimal),
                "ipaddr" | "__cedar::ipaddr" => Ok(Self::Ip),
                "datetime" | "__cedar::datetime" => Ok(Self::Datetime),
                "duration" | "__cedar::duration" => Ok(Self::Duration),
                common => {
                    let (space, name) = common.rsplit_once("::").unwrap_or((namespace, common));
                    let declared = schema.get(space).and_then(|space| space.get("commonTypes")?.get(name));
                    let outside = || schema.get("").and_then(|space| space.get("commonTypes")?.get(name));
                    match declared.or_else(outside) {
                        Some(declared) => Self::read_at(declared, schema, space, of, depth),
                        None => Self::entity(common, schema, namespace, of),
                    }
                }
            },
            "Entity" => Self::entity(text("name").unwrap_or_default(), schema, namespace, of),
            other => Err(format!("its {of} cannot be of the type `{other}`")),
        }
    }

    fn entity(name: &str, schema: &Value, namespace: &str, of: Of) -> Result<Self, String> {
        if of == Of::Arguments {
            return Err(format!(
                "`{name}` cannot be an argument; take its name as a String, and let policies compare that"
            ));
        }
        let (space, own) = name.rsplit_once("::").unwrap_or((namespace, name));
        let is_in =
            |space: &&str| schema.get(space).is_some_and(|all| all.pointer(&format!("/entityTypes/{own}")).is_some());
        let found = [space, ""].into_iter().find(is_in).ok_or_else(|| format!("`{name}` is no type"))?;
        EntityTypeName::from_str(&full_name(found, own)).map(Self::Entity).map_err(|error| error.to_string())
    }

    /// Whether this is a record that has no members.
    pub(crate) fn is_empty_record(&self) -> bool {
        matches!(self, Self::Record(members) if members.is_empty())
    }

    /// Adds to `into` the entities that `value` names, which has been found to be of this type.
    pub(crate) fn named(&self, value: &Value, into: &mut Vec<EntityUid>) {
        match (self, value) {
            (Self::Entity(kind), Value::String(id)) => into.push(uid(kind, id)),
            (Self::Set(element), Value::Array(items)) => items.iter().for_each(|item| element.named(item, into)),
            (Self::Record(members), Value::Object(given)) => {
                let known = given.iter().filter_map(|(name, value)| Some((members.get(name.as_str())?, value)));
                known.for_each(|(member, value)| member.shape.named(value, into));
            }
            _ => {}
        }
    }

    /// `value` as a value of this type. `path` is where it stands.
    ///
    /// # Errors
    /// [`Refused`]: nothing is converted that is not exactly of the type.
    pub(crate) fn value(&self, value: &Value, path: &str) -> Result<RestrictedExpression, Refused> {
        let mut left = MAX_READ;
        self.value_at(value, path, &mut left)
    }

    /// `left` is how many more are read from texts.
    fn value_at(&self, value: &Value, path: &str, left: &mut usize) -> Result<RestrictedExpression, Refused> {
        let refused = |what: &str| Refused(format!("`{path}` is not {what}"));
        match (self, value) {
            (Self::Boolean, Value::Bool(flag)) => Ok(RestrictedExpression::new_bool(*flag)),
            (Self::Long, Value::Number(number)) => {
                number.as_i64().map(RestrictedExpression::new_long).ok_or_else(|| refused("an integer"))
            }
            (Self::String, Value::String(text)) => Ok(RestrictedExpression::new_string(text.clone())),
            (Self::Decimal, Value::Number(number)) => {
                let exact = decimal(number).ok_or_else(|| refused(self.describe()))?;
                self.read_by_cedar(RestrictedExpression::new_decimal(exact), path, left)
            }
            (Self::Ip, Value::String(text)) => self.read_by_cedar(RestrictedExpression::new_ip(text), path, left),
            (Self::Datetime, Value::String(text)) => {
                self.read_by_cedar(RestrictedExpression::new_datetime(text), path, left)
            }
            (Self::Duration, Value::String(text)) => {
                self.read_by_cedar(RestrictedExpression::new_duration(text), path, left)
            }
            (Self::Entity(kind), Value::String(id)) => Ok(RestrictedExpression::new_entity_uid(uid(kind, id))),
            (Self::Set(element), Value::Array(items)) => {
                let item = |(index, item)| element.value_at(item, &format!("{path}[{index}]"), left);
                let items = items.iter().enumerate().map(item).collect::<Result<Vec<_>, _>>()?;
                Ok(RestrictedExpression::new_set(items))
            }
            (Self::Record(members), Value::Object(given)) => {
                if let Some(unknown) = given.keys().find(|name| !members.contains_key(name.as_str())) {
                    let unknown = agentauth_core::Excerpt::of(unknown);
                    return Err(Refused(format!("`{path}` has no member `{unknown}` in the schema")));
                }
                let mut pairs = Vec::with_capacity(given.len());
                for (name, member) in members {
                    match given.get(&**name) {
                        Some(value) => {
                            let typed = member.shape.value_at(value, &format!("{path}.{name}"), left)?;
                            pairs.push((String::from(&**name), typed));
                        }
                        None if member.required => return Err(Refused(format!("`{path}.{name}` is missing"))),
                        None => {}
                    }
                }
                RestrictedExpression::new_record(pairs).map_err(|_| refused("a record"))
            }
            (shape, _) => Err(refused(shape.describe())),
        }
    }

    /// `expression`, if it has a value: a text that is read may be none.
    fn read_by_cedar(
        &self,
        expression: RestrictedExpression,
        path: &str,
        left: &mut usize,
    ) -> Result<RestrictedExpression, Refused> {
        let too_many =
            || Refused(format!("`{path}` is behind {MAX_READ} decimals, addresses and times, and no more are taken"));
        *left = left.checked_sub(1).ok_or_else(too_many)?;
        let has_value = Context::from_pairs([(String::new(), expression.clone())]).is_ok();
        has_value.then_some(expression).ok_or_else(|| Refused(format!("`{path}` is not {}", self.describe())))
    }

    const fn describe(&self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Long => "an integer",
            Self::String => "a string",
            Self::Decimal => "a decimal with at most four digits after the point",
            Self::Ip => "an IP address or range",
            Self::Datetime => "a date and time such as 2026-11-28T09:00:00Z",
            Self::Duration => "a duration such as 1h30m",
            Self::Entity(_) => "the name of an entity",
            Self::Set(_) => "a list",
            Self::Record(_) => "an object",
        }
    }
}

/// A JSON number as Cedar's decimal, if it is exactly one.
fn decimal(number: &Number) -> Option<String> {
    if let Some(integer) = number.as_i64() {
        return Some(format!("{integer}.0"));
    }
    let float = number.as_f64()?;
    // The shortest text that is read back as this number: never with an exponent, and with a point only if it needs one.
    let text = float.to_string();
    match text.split_once('.') {
        None => Some(format!("{text}.0")),
        Some((_, fraction)) => (fraction.len() <= DECIMAL_DIGITS).then_some(text),
    }
}
