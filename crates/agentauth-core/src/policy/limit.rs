use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

/// What one argument may be. Types are never converted: a number in a string is not a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Any,
    Between(i64, i64),
    OneOf(BTreeSet<Box<str>>),
    MaxLength(usize),
    Flag(bool),
}

impl Limit {
    /// Anything, as long as it is given.
    #[must_use]
    pub const fn any() -> Self {
        Self(Kind::Any)
    }

    /// An integer from `least` to `most`, both included.
    #[must_use]
    pub const fn between(least: i64, most: i64) -> Self {
        Self(Kind::Between(least, most))
    }

    /// One of these strings.
    #[must_use]
    pub fn one_of<'s>(texts: impl IntoIterator<Item = &'s str>) -> Self {
        Self(Kind::OneOf(texts.into_iter().map(Into::into).collect()))
    }

    /// Exactly this string.
    #[must_use]
    pub fn exactly(text: &str) -> Self {
        Self::one_of([text])
    }

    /// A string of at most `bytes` bytes in UTF-8.
    #[must_use]
    pub const fn max_length(bytes: usize) -> Self {
        Self(Kind::MaxLength(bytes))
    }

    /// Exactly this truth value.
    #[must_use]
    pub const fn flag(value: bool) -> Self {
        Self(Kind::Flag(value))
    }

    /// Whether there is a value within it.
    pub(super) fn can_hold(&self) -> bool {
        match &self.0 {
            Kind::Between(least, most) => least <= most,
            Kind::OneOf(texts) => !texts.is_empty(),
            Kind::Any | Kind::MaxLength(_) | Kind::Flag(_) => true,
        }
    }

    pub(super) fn contains(&self, value: &Value) -> bool {
        match (&self.0, value) {
            (Kind::Any, _) => true,
            (Kind::Between(least, most), Value::Number(number)) => {
                number.as_i64().is_some_and(|integer| (*least..=*most).contains(&integer))
            }
            (Kind::OneOf(texts), Value::String(text)) => texts.contains(text.as_str()),
            (Kind::MaxLength(bytes), Value::String(text)) => text.len() <= *bytes,
            (Kind::Flag(expected), Value::Bool(flag)) => expected == flag,
            _ => false,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Any => f.write_str("given"),
            Kind::Between(least, most) => write!(f, "an integer from {least} to {most}"),
            Kind::OneOf(texts) => write!(f, "one of {texts:?}"),
            Kind::MaxLength(bytes) => write!(f, "a string of at most {bytes} bytes"),
            Kind::Flag(value) => write!(f, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_hold_by_type_and_value() {
        for (limit, value, within) in [
            (Limit::between(0, 500), json!(500), true),
            (Limit::between(0, 500), json!(501), false),
            (Limit::between(0, 500), json!(-1), false),
            (Limit::between(0, 500), json!("5"), false),
            (Limit::between(0, 500), json!(5.0), false),
            (Limit::between(0, 500), json!(u64::MAX), false),
            (Limit::one_of(["a", "b"]), json!("b"), true),
            (Limit::one_of(["a", "b"]), json!("B"), false),
            (Limit::one_of([]), json!("a"), false),
            (Limit::exactly("a"), json!(["a"]), false),
            (Limit::max_length(2), json!("é"), true),
            (Limit::max_length(2), json!("éa"), false),
            (Limit::max_length(2), json!(1), false),
            (Limit::flag(false), json!(false), true),
            (Limit::flag(false), json!(0), false),
            (Limit::any(), json!(null), true),
        ] {
            assert_eq!(limit.contains(&value), within, "{value} is {limit}");
        }
    }
}
