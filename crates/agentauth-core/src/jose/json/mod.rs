//! Strict JSON objects: no duplicate member at any level, bounded depth, bounded width, exact types.
//!
//! serde_json does the parsing; this adds what a security token needs and a general parser leaves open.
//! A type that is read from JSON implements [`Members`] and is handed each member once.

mod guard;
mod seeds;
mod tree;

use std::borrow::Cow;
use std::cell::Cell;

use serde::de::{DeserializeSeed as _, MapAccess};

use self::guard::Guard;
use self::seeds::{Anything, Keep, Number, NumberSeed, Object, ObjectIfAny, Objects, Text, TextSeed, TextsSeed};
use self::tree::Tree;
use crate::text::Excerpt;

/// Deeper than any real claims set, far below what recursion could hurt.
pub(crate) const MAX_DEPTH: u8 = 32;

/// Names are compared pairwise; this bounds that work for one object.
const MAX_MEMBERS: usize = 256;

/// The latest second that a NumericDate may name (the end of the year 9999).
const MAX_NUMERIC_DATE: u64 = 253_402_300_799;

/// Why a JSON object was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON, not UTF-8, not one object, or followed by something else.
    #[error("not one well-formed UTF-8 JSON object")]
    Syntax,
    /// A member name stands twice in one object: parsers disagree on which counts (RFC 8725bis, RFC 8259 §4).
    #[error("member `{0}` stands twice in one object")]
    DuplicateMember(Excerpt),
    /// Objects and arrays are nested deeper than 32 levels, or than 8 in `authorization_details`.
    #[error("nested too deep: 32 levels are taken, 8 in authorization_details")]
    TooDeep,
    /// One object has more than 256 members.
    #[error("one object has more than 256 members")]
    TooManyMembers,
    /// `authorization_details` are longer than 8 KiB.
    #[error("authorization_details are longer than 8192 bytes")]
    Oversize,
    /// A member has another type, or lies outside the range, than its definition says.
    #[error("member `{0}` has the wrong type or range")]
    WrongType(Excerpt),
}

impl JsonError {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Syntax => "json_malformed",
            Self::DuplicateMember(_) => "json_duplicate_member",
            Self::TooDeep => "json_too_deep",
            Self::TooManyMembers => "json_too_many_members",
            Self::Oversize => "json_oversize",
            Self::WrongType(_) => "json_wrong_type",
        }
    }
}

/// Something that is built from the members of one JSON object.
pub(crate) trait Members<'de> {
    /// Takes the member `name`. Must consume `value`: unknown members are passed to [`Value::skip`].
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error>;
}

/// Reads one object, and nothing after it, from `bytes`.
#[inline]
pub(crate) fn read<'de, T: Members<'de> + Default>(bytes: &'de [u8]) -> Result<T, JsonError> {
    let mut target = T::default();
    read_into(bytes, &mut target).map(|()| target)
}

/// Like [`read`], into `target`: large targets are not moved about.
#[inline]
pub(crate) fn read_into<'de, T: Members<'de>>(bytes: &'de [u8], target: &mut T) -> Result<(), JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Syntax)?;
    let guard = Guard::default();
    let mut json = serde_json::Deserializer::from_str(text);
    Object { guard: &guard, target }
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|error| guard.blame(&error))
}

/// Checks `bytes` as strict JSON of any type, without keeping it.
pub(crate) fn check(bytes: &[u8]) -> Result<(), JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Syntax)?;
    let guard = Guard::default();
    let mut json = serde_json::Deserializer::from_str(text);
    Anything { guard: &guard }.deserialize(&mut json).and_then(|_| json.end()).map_err(|error| guard.blame(&error))
}

/// Reads strict JSON of any type, of at most so many bytes and levels.
pub(crate) fn tree(bytes: &[u8], most: usize, levels: u8) -> Result<serde_json::Value, JsonError> {
    if bytes.len() > most {
        return Err(JsonError::Oversize);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Syntax)?;
    let (guard, left) = (Guard::default(), Cell::new(usize::MAX));
    let mut json = serde_json::Deserializer::from_str(text);
    Tree { guard: &guard, bytes: &left, levels }
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value))
        .map_err(|error| guard.blame(&error))
}

/// A value that is not an object, or is not looked into.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'de> {
    Text(Cow<'de, str>),
    Bool(bool),
    Unsigned(u64),
    Float(f64),
    /// Null, a negative number, an array or an object: checked, then dropped.
    Other,
}

/// A value that is kept for someone who knows its claim.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Loose<'de> {
    Text(Cow<'de, str>),
    Texts(Vec<Cow<'de, str>>),
    Flag(bool),
    /// There, checked, and of another type.
    Other,
}

/// A string, or several.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Texts<'de> {
    One(Cow<'de, str>),
    Many(Vec<Cow<'de, str>>),
}

impl Default for Texts<'_> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<'de> Texts<'de> {
    pub(crate) fn as_slice(&self) -> &[Cow<'de, str>] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

impl Scalar<'_> {
    /// A NumericDate (RFC 7519 §2) between 1970 and 9999, rounded down to whole seconds.
    pub(crate) fn seconds(&self) -> Option<u64> {
        match *self {
            Self::Unsigned(secs) if secs <= MAX_NUMERIC_DATE => Some(secs),
            Self::Float(secs) if (0.0..=MAX_NUMERIC_DATE as f64).contains(&secs) => Some(secs as u64),
            _ => None,
        }
    }
}

/// The value of one member, not yet read.
pub(crate) struct Value<'a, 'de, A> {
    map: &'a mut A,
    guard: &'a Guard,
    name: &'a str,
    marker: std::marker::PhantomData<&'de ()>,
}

impl<'de, A: MapAccess<'de>> Value<'_, 'de, A> {
    /// Checks the value and drops it.
    #[inline]
    pub(crate) fn skip(self) -> Result<(), A::Error> {
        self.scalar().map(|_| ())
    }

    /// Whatever it is.
    #[inline]
    pub(crate) fn scalar(self) -> Result<Scalar<'de>, A::Error> {
        self.map.next_value_seed(Anything { guard: self.guard })
    }

    /// A string.
    #[inline]
    pub(crate) fn text(self) -> Result<Cow<'de, str>, A::Error> {
        let (guard, name) = (self.guard, self.name);
        self.map.next_value_seed(TextSeed).map(|Text(text)| text).map_err(|error| guard.presume_type(name, error))
    }

    /// Whatever it is, with its strings.
    pub(crate) fn loose(self) -> Result<Loose<'de>, A::Error> {
        self.map.next_value_seed(Keep { guard: self.guard })
    }

    /// A NumericDate (RFC 7519 §2) between 1970 and 9999, rounded down to whole seconds.
    #[inline]
    pub(crate) fn seconds(self) -> Result<u64, A::Error> {
        let (guard, name) = (self.guard, self.name);
        match self.map.next_value_seed(NumberSeed) {
            Ok(Number(Some(secs))) => Ok(secs),
            Ok(Number(None)) => Err(guard.wrong_type(name)),
            Err(error) => Err(guard.presume_type(name, error)),
        }
    }

    /// A whole number from 0 to 2⁶⁴ - 1, written without fraction or exponent.
    pub(crate) fn integer(self) -> Result<u64, A::Error> {
        let (guard, name) = (self.guard, self.name);
        match self.scalar()? {
            Scalar::Unsigned(number) => Ok(number),
            _ => Err(guard.wrong_type(name)),
        }
    }

    /// A string, or an array of strings.
    #[inline]
    pub(crate) fn texts(self) -> Result<Texts<'de>, A::Error> {
        let (guard, name) = (self.guard, self.name);
        self.map.next_value_seed(TextsSeed { guard }).map_err(|error| guard.presume_type(name, error))
    }

    /// Whatever it is, kept whole, if it has at most about so many bytes, and so many levels.
    pub(crate) fn tree(self, most: usize, levels: u8) -> Result<serde_json::Value, A::Error> {
        let (guard, left) = (self.guard, Cell::new(most));
        self.map.next_value_seed(Tree { guard, bytes: &left, levels })
    }

    /// An object.
    #[inline]
    pub(crate) fn object<T: Members<'de> + Default>(self) -> Result<T, A::Error> {
        let mut target = T::default();
        self.object_into(&mut target).map(|()| target)
    }

    /// An object, read into `target`.
    #[inline]
    pub(crate) fn object_into<T: Members<'de>>(self, target: &mut T) -> Result<(), A::Error> {
        let (guard, name) = (self.guard, self.name);
        self.map.next_value_seed(Object { guard, target }).map_err(|error| guard.presume_type(name, error))
    }

    /// An object, read into `target`; anything else is checked, then dropped.
    pub(crate) fn object_if_any<T: Members<'de>>(self, target: &mut T) -> Result<(), A::Error> {
        self.map.next_value_seed(ObjectIfAny { guard: self.guard, target })
    }

    /// An array of at most `limit` objects.
    pub(crate) fn objects<T: Members<'de> + Default>(self, limit: usize) -> Result<Vec<T>, A::Error> {
        let (guard, name) = (self.guard, self.name);
        let seed = Objects { guard, name, limit, marker: std::marker::PhantomData };
        self.map.next_value_seed(seed).map_err(|error| guard.presume_type(name, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Sample<'de> {
        text: Option<Cow<'de, str>>,
        at: Option<u64>,
        list: Vec<String>,
        inner: Option<Box<Self>>,
    }

    impl<'de> Members<'de> for Sample<'de> {
        fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
            match name {
                "text" => self.text = Some(value.text()?),
                "at" => self.at = Some(value.seconds()?),
                "list" => self.list = value.texts()?.as_slice().iter().map(|text| text.clone().into_owned()).collect(),
                "inner" => self.inner = Some(Box::new(value.object()?)),
                _ => value.skip()?,
            }
            Ok(())
        }
    }

    fn code(json: &str) -> &'static str {
        read::<Sample<'_>>(json.as_bytes()).map_or_else(|e| e.code(), |_| "accepted")
    }

    #[test]
    fn an_object_is_read_once_and_whole() {
        let json = r#"{"text":"a","at":17.9,"list":["x","y"],"inner":{"list":"z"},"other":[{"a":null}]}"#;
        let sample: Sample<'_> = read(json.as_bytes()).unwrap();
        assert_eq!(sample.text.as_deref(), Some("a"));
        assert_eq!(sample.at, Some(17));
        assert_eq!(sample.list, ["x", "y"]);
        assert_eq!(sample.inner.unwrap().list, ["z"]);
    }

    #[test]
    fn each_fault_has_its_code() {
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        let wide = format!("{{{}}}", (0..300).map(|i| format!("\"m{i}\":1")).collect::<Vec<_>>().join(","));
        for (json, expected) in [
            ("", "json_malformed"),
            ("[]", "json_malformed"),
            ("{} x", "json_malformed"),
            (r#"{"text":"a"} {}"#, "json_malformed"),
            (r#"{"text":"a","text":"b"}"#, "json_duplicate_member"),
            (r#"{"text":"a","te\u0078t":"b"}"#, "json_duplicate_member"),
            (r#"{"x":{"y":1,"y":2}}"#, "json_duplicate_member"),
            (r#"{"x":[{"y":1,"y":2}]}"#, "json_duplicate_member"),
            (r#"{"inner":{"z":1,"z":1}}"#, "json_duplicate_member"),
            (deep.as_str(), "json_too_deep"),
            (wide.as_str(), "json_too_many_members"),
            (r#"{"text":1}"#, "json_wrong_type"),
            (r#"{"text":null}"#, "json_wrong_type"),
            (r#"{"at":"1"}"#, "json_wrong_type"),
            (r#"{"at":-1}"#, "json_wrong_type"),
            (r#"{"at":1e300}"#, "json_wrong_type"),
            (r#"{"list":[1]}"#, "json_wrong_type"),
            (r#"{"list":{}}"#, "json_wrong_type"),
            (r#"{"list":["a",["b"]]}"#, "json_wrong_type"),
            (r#"{"inner":"z"}"#, "json_wrong_type"),
            (r#"{"inner":{"text":}}"#, "json_malformed"),
        ] {
            assert_eq!(code(json), expected, "{json:.60}");
        }
    }

    #[test]
    fn invalid_utf_8_is_malformed() {
        assert_eq!(read::<Sample<'_>>(b"{\"text\":\"\xff\"}"), Err(JsonError::Syntax));
        assert_eq!(check(b"[1,{\"a\":1,\"a\":2}]").map_err(|e| e.code()), Err("json_duplicate_member"));
    }
}
