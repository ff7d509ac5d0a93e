use std::collections::BTreeSet;

use serde_json::Value;

use super::super::error::GrantError;
use super::super::path::MAX_TEXT_BYTES;
use super::number::Number;
use crate::text::Excerpt;

/// More values than a person would read before consenting to them.
const MAX_VALUES: usize = 64;

/// A value without parts. There is no `null`: what is not given satisfies nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scalar {
    Flag(bool),
    Number(Number),
    Text(Box<str>),
}

impl Scalar {
    pub(super) fn read(value: &Value) -> Result<Self, GrantError> {
        match value {
            Value::Bool(flag) => Ok(Self::Flag(*flag)),
            Value::Number(_) => Number::of(value).map(Self::Number).ok_or(GrantError::NumberRange),
            Value::String(text) if text.len() > MAX_TEXT_BYTES => Err(GrantError::Name(Excerpt::of(text))),
            Value::String(text) => Ok(Self::Text(text.as_str().into())),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(GrantError::Unsatisfiable),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Number(number) => number.to_json(),
            Self::Text(text) => Value::from(&**text),
        }
    }

    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Flag(flag), Value::Bool(given)) => flag == given,
            (Self::Number(number), Value::Number(_)) => Number::of(value) == Some(*number),
            (Self::Text(text), Value::String(given)) => **text == *given,
            _ => false,
        }
    }
}

/// A finite set of values, never empty: sorted, without repetition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Values(Box<[Scalar]>);

impl Values {
    pub(super) fn new(values: impl IntoIterator<Item = Result<Scalar, GrantError>>) -> Result<Self, GrantError> {
        let mut set = BTreeSet::new();
        for value in values {
            set.insert(value?);
            if set.len() > MAX_VALUES {
                return Err(GrantError::TooMany);
            }
        }
        if set.is_empty() { Err(GrantError::Unsatisfiable) } else { Ok(Self(set.into_iter().collect())) }
    }

    pub(super) fn of_one(value: Scalar) -> Self {
        Self(Box::new([value]))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Scalar> {
        self.0.iter()
    }

    pub(super) fn contains(&self, value: &Value) -> bool {
        self.0.iter().any(|member| member.is(value))
    }

    pub(super) fn is_subset_of(&self, other: &Self) -> bool {
        self.0.iter().all(|member| other.has(member))
    }

    pub(super) fn has(&self, value: &Scalar) -> bool {
        self.0.binary_search(value).is_ok()
    }

    /// The values that satisfy `keep`, if there are any.
    pub(super) fn filter(&self, keep: impl Fn(&Scalar) -> bool) -> Option<Self> {
        let kept: Box<[Scalar]> = self.0.iter().filter(|value| keep(value)).cloned().collect();
        (!kept.is_empty()).then_some(Self(kept))
    }
}
