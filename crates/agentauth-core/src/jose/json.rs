//! Strict JSON objects: no duplicate member at any level, bounded depth, bounded width, exact types.
//!
//! serde_json does the parsing; this file adds what a security token needs and a general parser leaves open.
//! A type that is read from JSON implements [`Members`] and is handed each member once.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;

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
    /// Objects and arrays are nested deeper than 32 levels.
    #[error("nested deeper than 32 levels")]
    TooDeep,
    /// One object has more than 256 members.
    #[error("one object has more than 256 members")]
    TooManyMembers,
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
pub(crate) fn read<'de, T: Members<'de> + Default>(bytes: &'de [u8]) -> Result<T, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Syntax)?;
    let guard = Guard::default();
    let mut json = serde_json::Deserializer::from_str(text);
    Object { guard: &guard, target: T::default() }
        .deserialize(&mut json)
        .and_then(|target| json.end().map(|()| target))
        .map_err(|error| guard.blame(&error))
}

/// Checks `bytes` as strict JSON of any type, without keeping it.
pub(crate) fn check(bytes: &[u8]) -> Result<(), JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Syntax)?;
    let guard = Guard::default();
    let mut json = serde_json::Deserializer::from_str(text);
    Anything { guard: &guard }.deserialize(&mut json).and_then(|_| json.end()).map_err(|error| guard.blame(&error))
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

/// The value of one member, not yet read.
pub(crate) struct Value<'a, 'de, A> {
    map: &'a mut A,
    guard: &'a Guard,
    name: &'a str,
    marker: std::marker::PhantomData<&'de ()>,
}

impl<'de, A: MapAccess<'de>> Value<'_, 'de, A> {
    /// Checks the value and drops it.
    pub(crate) fn skip(self) -> Result<(), A::Error> {
        self.scalar().map(|_| ())
    }

    /// Whatever it is.
    pub(crate) fn scalar(self) -> Result<Scalar<'de>, A::Error> {
        self.map.next_value_seed(Anything { guard: self.guard })
    }

    /// A string.
    pub(crate) fn text(self) -> Result<Cow<'de, str>, A::Error> {
        let (guard, name) = (self.guard, self.name);
        match self.scalar()? {
            Scalar::Text(text) => Ok(text),
            _ => Err(guard.wrong_type(name)),
        }
    }

    /// A NumericDate (RFC 7519 §2) between 1970 and 9999, rounded down to whole seconds.
    pub(crate) fn seconds(self) -> Result<u64, A::Error> {
        let (guard, name) = (self.guard, self.name);
        match self.scalar()? {
            Scalar::Unsigned(secs) if secs <= MAX_NUMERIC_DATE => Ok(secs),
            Scalar::Float(secs) if (0.0..=MAX_NUMERIC_DATE as f64).contains(&secs) => Ok(secs as u64),
            _ => Err(guard.wrong_type(name)),
        }
    }

    /// A string, or an array of strings.
    pub(crate) fn texts(self) -> Result<SmallVec<[Cow<'de, str>; 2]>, A::Error> {
        let (guard, name) = (self.guard, self.name);
        self.map.next_value_seed(Texts { guard }).map_err(|error| guard.presume_type(name, error))
    }

    /// An object.
    pub(crate) fn object<T: Members<'de> + Default>(self) -> Result<T, A::Error> {
        let (guard, name) = (self.guard, self.name);
        self.map
            .next_value_seed(Object { guard, target: T::default() })
            .map_err(|error| guard.presume_type(name, error))
    }

    /// An array of at most `limit` objects.
    pub(crate) fn objects<T: Members<'de> + Default>(self, limit: usize) -> Result<Vec<T>, A::Error> {
        let (guard, name) = (self.guard, self.name);
        let seed = Objects { guard, name, limit, marker: std::marker::PhantomData };
        self.map.next_value_seed(seed).map_err(|error| guard.presume_type(name, error))
    }
}

/// What one reading shares among its visitors: how deep it is, and the first thing that was wrong.
#[derive(Default)]
struct Guard {
    depth: Cell<u8>,
    fault: RefCell<Option<JsonError>>,
}

impl Guard {
    fn fail<E: serde::de::Error>(&self, fault: JsonError) -> E {
        self.fault.borrow_mut().get_or_insert(fault);
        E::custom("refused")
    }

    fn wrong_type<E: serde::de::Error>(&self, name: &str) -> E {
        self.fail(JsonError::WrongType(Excerpt::of(name)))
    }

    /// Takes `error` for a type mismatch at `name`, unless something inside has said more already.
    fn presume_type<E>(&self, name: &str, error: E) -> E {
        self.fault.borrow_mut().get_or_insert_with(|| JsonError::WrongType(Excerpt::of(name)));
        error
    }

    /// The fault behind a failed reading: what a visitor recorded, if it was not the syntax that failed.
    fn blame(&self, error: &serde_json::Error) -> JsonError {
        self.fault.take().filter(|_| error.is_data()).unwrap_or(JsonError::Syntax)
    }

    fn nested<R, E: serde::de::Error>(&self, inside: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        let depth = self.depth.get();
        if depth >= MAX_DEPTH {
            return Err(self.fail(JsonError::TooDeep));
        }
        self.depth.set(depth + 1);
        let result = inside();
        self.depth.set(depth);
        result
    }

    fn members<'de, A: MapAccess<'de>, T: Members<'de>>(&self, mut map: A, target: &mut T) -> Result<(), A::Error> {
        self.nested(|| {
            let mut seen: SmallVec<[Cow<'de, str>; 16]> = SmallVec::new();
            while let Some(Name(name)) = map.next_key_seed(NameSeed)? {
                if seen.contains(&name) {
                    return Err(self.fail(JsonError::DuplicateMember(Excerpt::of(&name))));
                }
                if seen.len() >= MAX_MEMBERS {
                    return Err(self.fail(JsonError::TooManyMembers));
                }
                let marker = std::marker::PhantomData;
                target.member(&name, Value { map: &mut map, guard: self, name: &name, marker })?;
                seen.push(name);
            }
            Ok(())
        })
    }
}

/// An object of which nothing is kept.
struct Unread;

impl<'de> Members<'de> for Unread {
    fn member<A: MapAccess<'de>>(&mut self, _: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        value.skip()
    }
}

struct Name<'de>(Cow<'de, str>);

struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Name<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

struct Anything<'g> {
    guard: &'g Guard,
}

impl<'de> DeserializeSeed<'de> for Anything<'_> {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Anything<'_> {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Unsigned(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar<'de>, A::Error> {
        self.guard.nested(|| {
            while items.next_element_seed(Anything { guard: self.guard })?.is_some() {}
            Ok(Scalar::Other)
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar<'de>, A::Error> {
        self.guard.members(map, &mut Unread).map(|()| Scalar::Other)
    }
}

struct Object<'g, T> {
    guard: &'g Guard,
    target: T,
}

impl<'de, T: Members<'de>> DeserializeSeed<'de> for Object<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Members<'de>> Visitor<'de> for Object<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<T, A::Error> {
        self.guard.members(map, &mut self.target)?;
        Ok(self.target)
    }
}

struct Objects<'g, T> {
    guard: &'g Guard,
    name: &'g str,
    limit: usize,
    marker: std::marker::PhantomData<T>,
}

impl<'de, T: Members<'de> + Default> DeserializeSeed<'de> for Objects<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Members<'de> + Default> Visitor<'de> for Objects<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        self.guard.nested(|| {
            let mut objects = Vec::new();
            while let Some(object) = items.next_element_seed(Object { guard: self.guard, target: T::default() })? {
                if objects.len() >= self.limit {
                    return Err(self.guard.wrong_type(self.name));
                }
                objects.push(object);
            }
            Ok(objects)
        })
    }
}

struct Texts<'g> {
    guard: &'g Guard,
}

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = SmallVec<[Cow<'de, str>; 2]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Texts<'_> {
    type Value = SmallVec<[Cow<'de, str>; 2]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(std::iter::once(Cow::Borrowed(text)).collect())
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(std::iter::once(Cow::Owned(text.to_owned())).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        self.guard.nested(|| {
            let mut texts = SmallVec::new();
            while let Some(item) = items.next_element_seed(Anything { guard: self.guard })? {
                match item {
                    Scalar::Text(text) => texts.push(text),
                    _ => return Err(A::Error::custom("not a string")),
                }
            }
            Ok(texts)
        })
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
                "list" => self.list = value.texts()?.into_iter().map(Cow::into_owned).collect(),
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
