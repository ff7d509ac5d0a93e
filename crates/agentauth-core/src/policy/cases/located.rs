//! JSON whose values know where they stand.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Fault;
use crate::policy::Problem;

/// More than any object here may have. Names are compared pairwise.
const MAX_MEMBERS: usize = 64;

/// A file, as it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

/// A value of a file: well-formed, and not yet looked into.
#[derive(Clone, Copy)]
pub(super) struct Json<'a> {
    source: Source<'a>,
    raw: &'a RawValue,
}

/// One member of an object.
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    key: Json<'a>,
    pub(super) value: Json<'a>,
}

impl<'a> Source<'a> {
    /// The one value that the file is.
    pub(super) fn root(self) -> Result<Json<'a>, Problem> {
        serde_json::from_str(self.text).map(|raw| Json { source: self, raw }).map_err(|error| {
            let problem = Problem::new(Fault::Syntax.code(), self.name, "this is not well-formed JSON");
            let before = self.text.lines().take(error.line().saturating_sub(1));
            // Lines may end in two characters: what is before one is found by where it begins.
            let start = before.last().map_or(0, |line| self.offset(line).saturating_add(line.len()).saturating_add(1));
            let at = start.saturating_add(error.column().saturating_sub(1));
            problem.at(self.text, at, at.saturating_add(1)).help(without_place(&error))
        })
    }

    /// Where `part` of this file begins.
    fn offset(self, part: &str) -> usize {
        part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr())
    }
}

/// What a parser says, without the place that is shown anyway.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.clone(), |(said, _)| said.to_owned())
}

impl<'a> Json<'a> {
    /// What is wrong here.
    pub(super) fn problem(self, fault: Fault, text: impl Into<Box<str>>) -> Problem {
        let Range { start, end } = self.range();
        Problem::new(fault.code(), self.source.name, text).at(self.source.text, start, end)
    }

    /// Where it stands, in bytes.
    pub(super) fn range(self) -> Range<usize> {
        let start = self.source.offset(self.raw.get());
        start..start.saturating_add(self.raw.get().len())
    }

    /// That this is not `expected`.
    pub(super) fn is_not(self, expected: &str) -> Problem {
        self.problem(Fault::Malformed, format!("this is not {expected}"))
    }

    pub(super) fn text(self) -> &'a str {
        self.raw.get()
    }

    pub(super) fn is_null(self) -> bool {
        self.text() == "null"
    }

    pub(super) fn string(self) -> Option<String> {
        serde_json::from_str(self.text()).ok()
    }

    pub(super) fn integer(self) -> Option<u64> {
        serde_json::from_str(self.text()).ok()
    }

    pub(super) fn array(self) -> Option<Vec<Self>> {
        let items: Vec<&'a RawValue> = serde_json::from_str(self.text()).ok()?;
        Some(items.into_iter().map(|raw| Json { raw, ..self }).collect())
    }

    /// The members of this object, which is `what`. None stands twice.
    pub(super) fn object(self, what: &str) -> Result<Vec<Member<'a>>, Problem> {
        let mut json = serde_json::Deserializer::from_str(self.text());
        let members = json.deserialize_map(Entries(self)).map_err(|_| self.is_not(what))?;
        for (index, member) in members.iter().enumerate() {
            if members.iter().take(index).any(|earlier| earlier.name == member.name) {
                return Err(member.key.problem(Fault::Repeated, format!("`{}` stands twice", member.name)));
            }
        }
        Ok(members)
    }
}

impl Member<'_> {
    /// That nobody knows this member, while `known` are.
    pub(super) fn is_unknown(&self, known: &[&str]) -> Problem {
        let text = format!("`{}` is not known here", self.name);
        self.key.problem(Fault::Unknown, text).help(format!("known are {}", known.join(", ")))
    }
}

struct Entries<'a>(Json<'a>);

impl<'a> Visitor<'a> for Entries<'a> {
    type Value = Vec<Member<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<&'a RawValue, &'a RawValue>()? {
            let key = Json { raw: key, ..self.0 };
            let name = key.string().unwrap_or_default().into();
            if members.len() >= MAX_MEMBERS {
                return Err(serde::de::Error::custom("too many members"));
            }
            members.push(Member { name, key, value: Json { raw: value, ..self.0 } });
        }
        Ok(members)
    }
}
