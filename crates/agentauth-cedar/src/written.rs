//! JSON as it stands in a file: strict, and each part with its place.

use std::collections::HashSet;
use std::fmt;

use agentauth_core::Excerpt;
use agentauth_core::policy::{Problem, Problems};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::sources::Source;

/// Values nested deeper than this are not taken.
const MAX_DEPTH: usize = 32;

/// A JSON value, where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'s> {
    source: &'s Source,
    raw: &'s str,
    code: &'static str,
}

/// A member of an object.
#[derive(Debug)]
pub(crate) struct Named<'s> {
    pub(crate) name: String,
    pub(crate) value: Written<'s>,
}

impl<'s> Written<'s> {
    /// Reads `source`. Whatever is wrong with it, its problems have this `code`.
    pub(crate) fn read(source: &'s Source, code: &'static str) -> Result<Self, Problem> {
        match serde_json::from_str::<&RawValue>(&source.text) {
            Ok(raw) => Ok(Self { source, raw: raw.get(), code }),
            Err(error) => {
                let lines = source.text.split_inclusive('\n').take(error.line().saturating_sub(1));
                let line: usize = lines.map(str::len).sum();
                let at = line.saturating_add(error.column().saturating_sub(1));
                let text = error.to_string();
                let text = text.split(" at line ").next().unwrap_or_default();
                let problem = Problem::new(code, &source.name, format!("it is no JSON: {text}"));
                Err(problem.at(&source.text, at, at.saturating_add(1)))
            }
        }
    }

    /// Something that is wrong with this value.
    pub(crate) fn problem(&self, text: impl Into<Box<str>>) -> Problem {
        let start = self.start();
        Problem::new(self.code, &self.source.name, text).at(
            &self.source.text,
            start,
            start.saturating_add(self.raw.len()),
        )
    }

    fn start(&self) -> usize {
        // It is a part of the source's text.
        (self.raw.as_ptr() as usize).saturating_sub(self.source.text.as_ptr() as usize)
    }

    /// The members of an object, each once. What is wrong with them is added to `problems`.
    pub(crate) fn object(&self, problems: &mut Problems) -> Vec<Named<'s>> {
        if !self.raw.starts_with('{') {
            problems.push(self.problem("it should be an object"));
            return Vec::new();
        }
        let members = match serde_json::from_str(self.raw) {
            Ok(Members(members)) => members,
            Err(error) => {
                problems.push(self.problem(error.to_string()));
                return Vec::new();
            }
        };
        let (mut named, mut seen) = (Vec::with_capacity(members.len()), HashSet::new());
        for (name, raw) in members {
            let member = Named { name, value: Self { raw: raw.get(), ..*self } };
            if seen.insert(member.name.clone()) {
                named.push(member);
            } else {
                problems.push(member.problem(format!("`{}` stands twice", Excerpt::of(&member.name))));
            }
        }
        named
    }

    /// The items of a list.
    pub(crate) fn list(&self) -> Result<Vec<Self>, Problem> {
        if !self.raw.starts_with('[') {
            return Err(self.problem("it should be a list"));
        }
        let items: Vec<&'s RawValue> =
            serde_json::from_str(self.raw).map_err(|error| self.problem(error.to_string()))?;
        Ok(items.into_iter().map(|raw| Self { raw: raw.get(), ..*self }).collect())
    }

    /// The strings of a list, each with its place. What is wrong with them is added to `problems`.
    pub(crate) fn texts(&self, problems: &mut Problems) -> Vec<(String, Self)> {
        let items = self.list().unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.text() {
                Ok(text) => texts.push((text, item)),
                Err(problem) => problems.push(problem),
            }
        }
        texts
    }

    /// A string.
    pub(crate) fn text(&self) -> Result<String, Problem> {
        serde_json::from_str(self.raw).map_err(|_| self.problem("it should be a string"))
    }

    /// Any value, in which no member stands twice.
    pub(crate) fn value(&self) -> Result<Value, Problem> {
        self.value_at(MAX_DEPTH)
    }

    fn value_at(&self, depth: usize) -> Result<Value, Problem> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.problem("it is nested too deep"))?;
        match self.raw.as_bytes().first() {
            Some(b'{') => {
                let mut problems = Problems::none();
                let members = self.object(&mut problems);
                if let Some(problem) = problems.iter().next() {
                    return Err(problem.clone());
                }
                let member = |member: Named<'s>| Ok((member.name, member.value.value_at(depth)?));
                members.into_iter().map(member).collect::<Result<_, _>>().map(Value::Object)
            }
            Some(b'[') => {
                self.list()?.iter().map(|item| item.value_at(depth)).collect::<Result<_, _>>().map(Value::Array)
            }
            _ => serde_json::from_str(self.raw).map_err(|error| self.problem(error.to_string())),
        }
    }
}

impl Named<'_> {
    /// Something that is wrong with the member's name.
    pub(crate) fn problem(&self, text: impl Into<Box<str>>) -> Problem {
        let Written { source, code, .. } = self.value;
        let before = source.text.get(..self.value.start()).unwrap_or_default();
        let before = before.trim_end().trim_end_matches(':').trim_end();
        let quoted = Value::from(&*self.name).to_string();
        match before.strip_suffix(quoted.as_str()) {
            Some(ahead) => Problem::new(code, &source.name, text).at(&source.text, ahead.len(), before.len()),
            // It is written with escapes.
            None => self.value.problem(text),
        }
    }

    /// It is none of those that may stand here.
    pub(crate) fn unknown(&self, known: &str) -> Problem {
        self.problem(format!("`{}` is not known here", Excerpt::of(&self.name))).help(format!("write one of {known}"))
    }
}

struct Members<'s>(Vec<(String, &'s RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsTheyStand;

        impl<'de> Visitor<'de> for AsTheyStand {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry().map_err(A::Error::custom)? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(AsTheyStand)
    }
}
