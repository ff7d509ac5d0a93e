//! The arguments of an action, in one canonical spelling (RFC 8785) that everything is bound to.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::Value;

use super::finite::is_finite;
use crate::jose::JsonError;
use crate::jose::json;
use crate::random::hex;

/// Arguments larger than this belong in a file that the arguments name.
pub const MAX_ARGUMENT_BYTES: usize = 64 * 1024;

/// Deeper than a tool's arguments are.
const MAX_DEPTH: usize = 32;

/// The integers that every JSON implementation reads alike (RFC 7493 §2.2).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The arguments of one action: what policy compares, what the record names by its digest, what the tool runs on.
#[derive(Clone, PartialEq)]
pub struct Arguments {
    value: Value,
    digest: [u8; 32],
}

/// Why arguments were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentsError {
    /// The value cannot be written as JSON, or is not an object.
    #[error("arguments must be a JSON object; this value is not one")]
    NotAnObject,
    /// The text is not strict JSON: malformed, or with a member twice.
    #[error("the arguments are refused: {0}")]
    Json(JsonError),
    /// Longer than 64 KiB in canonical form.
    #[error("the arguments are longer than 65536 bytes")]
    Oversize,
    /// Nested deeper than 32 levels.
    #[error("the arguments are nested deeper than 32 levels")]
    TooDeep,
    /// A number that JSON implementations read differently, or cannot write: an integer beyond 2^53 - 1, a NaN, an
    /// infinity.
    #[error("a number is beyond 2^53 - 1, where JSON implementations differ, or not finite; pass it as a string")]
    NumberRange,
}

impl ArgumentsError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "arguments_not_an_object",
            Self::Json(error) => error.code(),
            Self::Oversize => "arguments_oversize",
            Self::TooDeep => "arguments_too_deep",
            Self::NumberRange => "arguments_number_range",
        }
    }
}

impl Arguments {
    /// The arguments that `value` serialises to. `()` and other units mean no arguments.
    ///
    /// # Errors
    /// Each rule has its own [`ArgumentsError`].
    pub fn of(value: &impl Serialize) -> Result<Self, ArgumentsError> {
        if !is_finite(value) {
            return Err(ArgumentsError::NumberRange);
        }
        match serde_json::to_value(value).map_err(|_| ArgumentsError::NotAnObject)? {
            Value::Null => Self::from_value(Value::Object(serde_json::Map::new())),
            object @ Value::Object(_) => Self::from_value(object),
            _ => Err(ArgumentsError::NotAnObject),
        }
    }

    /// Reads arguments from JSON text, as a tool call carries them.
    ///
    /// # Errors
    /// Each rule has its own [`ArgumentsError`]; a member that stands twice is refused, since the tool might take
    /// the other one.
    pub fn from_json(text: &[u8]) -> Result<Self, ArgumentsError> {
        if text.len() > MAX_ARGUMENT_BYTES {
            return Err(ArgumentsError::Oversize);
        }
        json::check(text).map_err(ArgumentsError::Json)?;
        match serde_json::from_slice(text) {
            Ok(object @ Value::Object(_)) => Self::from_value(object),
            Ok(_) => Err(ArgumentsError::NotAnObject),
            Err(_) => Err(ArgumentsError::Json(JsonError::Syntax)),
        }
    }

    /// The SHA-256 of the canonical form (RFC 8785), as lower-case hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> Box<str> {
        hex(&self.digest)
    }

    /// The argument `name`, if it is there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.value.get(name)
    }

    /// The arguments as a JSON object.
    #[must_use]
    pub const fn as_json(&self) -> &Value {
        &self.value
    }

    /// The arguments as a JSON object of its own.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.value.clone()
    }

    /// The canonical form (RFC 8785), which the digest is of.
    pub(crate) fn canonical(&self) -> Result<String, ArgumentsError> {
        let mut canonical = String::new();
        write_canonical(&self.value, MAX_DEPTH, &mut canonical)?;
        Ok(canonical)
    }

    /// The names of the arguments.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.value.as_object().into_iter().flat_map(|members| members.keys().map(String::as_str))
    }

    /// No arguments at all.
    pub(crate) fn none() -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, b"{}").as_ref());
        Self { value: Value::Object(serde_json::Map::new()), digest: hash }
    }

    fn from_value(value: Value) -> Result<Self, ArgumentsError> {
        let mut arguments = Self { value, digest: [0; 32] };
        let canonical = arguments.canonical()?;
        arguments.digest.copy_from_slice(digest(&SHA256, canonical.as_bytes()).as_ref());
        Ok(arguments)
    }
}

impl fmt::Debug for Arguments {
    /// Shows the digest. The values may be anybody's secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arguments").field("digest", &self.digest()).finish_non_exhaustive()
    }
}

/// RFC 8785 §3.2: no white space, members sorted by UTF-16 code units, numbers as ECMAScript writes them.
fn write_canonical(value: &Value, depth_left: usize, out: &mut String) -> Result<(), ArgumentsError> {
    let inner_depth = depth_left.checked_sub(1).ok_or(ArgumentsError::TooDeep)?;
    if out.len() > MAX_ARGUMENT_BYTES {
        return Err(ArgumentsError::Oversize);
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_string(text, out)?,
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, inner_depth, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(name, out)?;
                out.push(':');
                write_canonical(member, inner_depth, out)?;
            }
            out.push('}');
        }
    }
    if out.len() > MAX_ARGUMENT_BYTES { Err(ArgumentsError::Oversize) } else { Ok(()) }
}

fn write_number(number: &serde_json::Number, out: &mut String) -> Result<(), ArgumentsError> {
    let written = if let Some(integer) = number.as_i64() {
        if integer.unsigned_abs() > MAX_SAFE_INTEGER {
            return Err(ArgumentsError::NumberRange);
        }
        write!(out, "{integer}")
    } else {
        let float = number.as_f64().filter(|_| !number.is_u64()).ok_or(ArgumentsError::NumberRange)?;
        if !float.is_finite() {
            return Err(ArgumentsError::NumberRange);
        }
        write!(out, "{}", ryu_js::Buffer::new().format_finite(float))
    };
    written.map_err(|_| ArgumentsError::NotAnObject)
}

/// serde_json escapes exactly what RFC 8785 §3.2.2.2 asks for, in the same spelling.
fn write_string(text: &str, out: &mut String) -> Result<(), ArgumentsError> {
    out.push_str(&serde_json::to_string(text).map_err(|_| ArgumentsError::NotAnObject)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn canonical(value: &Value) -> String {
        let mut out = String::new();
        write_canonical(value, MAX_DEPTH, &mut out).unwrap();
        out
    }

    fn code(text: &str) -> &'static str {
        Arguments::from_json(text.as_bytes()).map_or_else(|e| e.code(), |_| "accepted")
    }

    #[test]
    fn the_example_of_rfc_8785_comes_out_as_printed_there() {
        let text = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
            "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
        let expected = concat!(
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
            r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        assert_eq!(canonical(&serde_json::from_str(text).unwrap()), expected);
    }

    #[test]
    fn members_are_sorted_by_utf_16() {
        let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        let digits: String = canonical(&value).chars().filter(char::is_ascii_digit).collect();
        // The second digit is the name "1"; the others are the values, in the order of their names.
        assert_eq!(digits, "21467153");
    }

    #[test]
    fn each_rule_for_arguments_has_its_code() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(31), "]".repeat(31));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_ARGUMENT_BYTES));
        for (text, expected) in [
            (r#"{"amount":1,"note":"x"}"#, "accepted"),
            ("[1]", "arguments_not_an_object"),
            ("{", "json_malformed"),
            (r#"{"amount":1,"amount":999}"#, "json_duplicate_member"),
            (r#"{"a":9007199254740992}"#, "arguments_number_range"),
            (r#"{"a":-9007199254740992}"#, "arguments_number_range"),
            (r#"{"a":18446744073709551615}"#, "arguments_number_range"),
            (deep.as_str(), "arguments_too_deep"),
            (long.as_str(), "arguments_oversize"),
        ] {
            assert_eq!(code(text), expected, "{text:.60}");
        }
        assert_eq!(Arguments::of(&vec!["x"; 40_000]).unwrap_err().code(), "arguments_not_an_object");
        assert_eq!(Arguments::of(&json!({"a": "x".repeat(70_000)})).unwrap_err().code(), "arguments_oversize");
        assert_eq!(Arguments::of(&("a", f64::NAN)).unwrap_err().code(), "arguments_number_range");
        assert_eq!(Arguments::of(&()).unwrap().names().count(), 0);
    }

    proptest! {
        #[test]
        fn the_digest_depends_on_the_value_and_not_on_its_spelling(a in -9i64..9, b in "[a-z]{0,3}") {
            let one = Arguments::from_json(format!(r#"{{"a":{a},"b":"{b}"}}"#).as_bytes()).unwrap();
            let two = Arguments::from_json(format!("{{ \"b\" : \"{b}\",\n\"a\":{a} }}").as_bytes()).unwrap();
            let other = Arguments::of(&json!({"a": a + 1, "b": b})).unwrap();
            prop_assert_eq!(one.digest(), two.digest());
            prop_assert_ne!(one.digest(), other.digest());
        }
    }
}
