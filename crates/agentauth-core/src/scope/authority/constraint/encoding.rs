//! Constraints in `authorization_details`: an object with one member, whose name is the class.

use serde_json::{Map, Value, json};

use super::number::Number;
use super::scalar::Scalar;
use super::{Constraint, Kind, MAX_CHARS, Text, Values, read_all};
use crate::scope::authority::error::GrantError;
use crate::scope::authority::path::Prefix;

impl Constraint {
    pub(in crate::scope::authority) fn to_json(&self) -> Value {
        let values = |values: &Values| values.iter().map(Scalar::to_json).collect::<Vec<_>>();
        let range = |least: &Number, most: &Number| json!({"min": least.to_json(), "max": most.to_json()});
        match &self.0 {
            Kind::OneOf(members) => json!({"one_of": values(members)}),
            Kind::Integer(least, most) => json!({"integer": range(least, most)}),
            Kind::Decimal(least, most) => json!({"number": range(least, most)}),
            Kind::Text(text) => json!({"text": text.to_json()}),
            Kind::SubsetOf(members) => json!({"subset_of": values(members)}),
        }
    }

    /// `None` if `value` is no constraint that is known here.
    pub(in crate::scope::authority) fn of_json(value: &Value) -> Option<Result<Self, GrantError>> {
        let mut members = value.as_object()?.iter();
        let (Some((class, value)), None) = (members.next(), members.next()) else { return None };
        Some(match class.as_str() {
            "one_of" => read_all(value.as_array()?.iter().cloned()).map(Kind::OneOf).map(Self),
            "subset_of" => read_all(value.as_array()?.iter().cloned()).map(Kind::SubsetOf).map(Self),
            "integer" => range(value, Kind::Integer)?,
            "number" => range(value, Kind::Decimal)?,
            "text" => Text::of_json(value)?,
            _ => return None,
        })
    }
}

fn range(value: &Value, class: fn(Number, Number) -> Kind) -> Option<Result<Constraint, GrantError>> {
    let members = only(value, &["min", "max"])?;
    let (least, most) = (members.get("min")?, members.get("max")?);
    if !least.is_number() || !most.is_number() {
        return None;
    }
    let (Some(least), Some(most)) = (Number::of(least), Number::of(most)) else {
        return Some(Err(GrantError::NumberRange));
    };
    // Half a dollar is no bound for whole ones: whoever wrote it meant something else.
    if matches!(class(least, most), Kind::Integer(..)) && !(least.is_integer() && most.is_integer()) {
        return None;
    }
    Some(Constraint::range(least, most, class))
}

impl Text {
    fn to_json(&self) -> Value {
        let mut members = Map::new();
        if let Some(prefix) = &self.below {
            members.insert("below".into(), prefix.as_str().into());
        }
        if self.least > self.below.as_ref().map_or(0, Prefix::chars) {
            members.insert("min_length".into(), self.least.into());
        }
        if self.most < MAX_CHARS {
            members.insert("max_length".into(), self.most.into());
        }
        Value::Object(members)
    }

    fn of_json(value: &Value) -> Option<Result<Constraint, GrantError>> {
        let members = only(value, &["below", "min_length", "max_length"])?;
        let length = |name: &str, unless: usize| {
            members.get(name).map_or(Some(unless), |value| usize::try_from(value.as_u64()?).ok())
        };
        let (least, most) = (length("min_length", 0)?, length("max_length", MAX_CHARS)?);
        let below = match members.get("below") {
            None => None,
            Some(prefix) => match Prefix::new(prefix.as_str()?) {
                Ok(prefix) => Some(prefix),
                Err(error) => return Some(Err(error)),
            },
        };
        Some(Constraint::text(below, least..=most))
    }
}

/// The members of an object that has no others than these.
fn only<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Map<String, Value>> {
    value.as_object().filter(|members| members.keys().all(|name| names.contains(&name.as_str())))
}
