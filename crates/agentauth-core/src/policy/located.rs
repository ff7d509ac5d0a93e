//! JSON in files that people write: each value knows where it stands, and no member counts twice.
//!
//! A text is checked as a whole when it is [read](Located::read), and its values are looked into when they are asked for, one
//! level at a time: nothing here recurses, and whoever goes down says how deep.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::suggest::meant;
use super::{Problem, Problems};
use crate::text::Excerpt;

/// The codes of what may be wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Codes {
    /// It is not JSON.
    pub syntax: &'static str,
    /// A member stands twice in one object.
    pub repeated: &'static str,
    /// A member is none of those that may stand there.
    pub unknown: &'static str,
    /// A value is not what has to stand there.
    pub malformed: &'static str,
}

impl Codes {
    /// One for all of it.
    #[must_use]
    pub const fn all(code: &'static str) -> Self {
        Self { syntax: code, repeated: code, unknown: code, malformed: code }
    }
}

/// A JSON value in a file, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Located<'t> {
    file: &'t str,
    source: &'t str,
    /// A part of `source`.
    raw: &'t str,
    codes: &'static Codes,
}

/// A member of an object.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Member<'t> {
    /// Its name.
    pub name: String,
    /// Its name, where it stands.
    pub key: Located<'t>,
    /// Its value.
    pub value: Located<'t>,
}

impl<'t> Located<'t> {
    /// The one value that the text `source` of `file` is. What is wrong with it has these `codes`.
    ///
    /// # Errors
    /// The first [`Problem`] for which the text is not JSON.
    pub fn read(file: &'t str, source: &'t str, codes: &'static Codes) -> Result<Self, Problem> {
        Self::parse(file, source, codes)
            .map_err(|(at, text)| Problem::new(codes.syntax, file, text).at(source, at, at.saturating_add(1)))
    }

    /// The same; the error is the byte at which the text is not JSON, and why.
    pub(crate) fn parse(file: &'t str, source: &'t str, codes: &'static Codes) -> Result<Self, (usize, String)> {
        let raw: &'t RawValue = serde_json::from_str(source).map_err(|error| {
            // Columns are counted in bytes.
            let lines = source.split_inclusive('\n').take(error.line().saturating_sub(1));
            let at = lines.map(str::len).sum::<usize>().saturating_add(error.column().saturating_sub(1));
            let told = error.to_string();
            let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(told, _)| told);
            (at.min(source.len()), format!("this is not JSON: {told}"))
        })?;
        match half_character(source) {
            Some(at) => Err((at, "this is not JSON: a character is half of one".into())),
            None => Ok(Self { file, source, raw: raw.get(), codes }),
        }
    }

    /// As it is written.
    #[must_use]
    pub const fn text(self) -> &'t str {
        self.raw
    }

    /// Where it stands, in bytes.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        let start = self.raw.as_ptr().addr().saturating_sub(self.source.as_ptr().addr());
        start..start.saturating_add(self.raw.len())
    }

    /// Something that is wrong with it.
    #[must_use]
    pub fn problem(self, text: impl Into<Box<str>>) -> Problem {
        self.coded(self.codes.malformed, text)
    }

    /// The same, with a code of its own.
    #[must_use]
    pub fn coded(self, code: &'static str, text: impl Into<Box<str>>) -> Problem {
        let Range { start, end } = self.range();
        Problem::new(code, self.file, text).at(self.source, start, end)
    }

    /// That it is not `expected`, such as "a list".
    #[must_use]
    pub fn is_not(self, expected: &str) -> Problem {
        self.problem(format!("this is not {expected}"))
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.raw == "null"
    }

    /// The string that it is.
    #[must_use]
    pub fn string(self) -> Option<String> {
        serde_json::from_str(self.raw).ok()
    }

    /// The whole number that it is, if it has neither a sign nor an exponent.
    #[must_use]
    pub fn integer(self) -> Option<u64> {
        self.raw.parse().ok()
    }

    /// The items of the list that it is.
    #[must_use]
    pub fn items(self) -> Option<Vec<Self>> {
        let items: Vec<&'t RawValue> = serde_json::from_str(self.raw).ok()?;
        Some(items.into_iter().map(|item| Self { raw: item.get(), ..self }).collect())
    }

    /// The members of the object that it is, each once. What is wrong with them is added to `problems`.
    #[must_use]
    pub fn members(self, problems: &mut Problems) -> Vec<Member<'t>> {
        self.each_once(|twice| problems.push(twice.is_repeated())).unwrap_or_else(|| {
            problems.push(self.is_not("an object"));
            Vec::new()
        })
    }

    /// The members of the object that it is, which is called `what`.
    ///
    /// # Errors
    /// The first [`Problem`]: it is something else, or a member stands twice.
    pub fn object(self, what: &str) -> Result<Vec<Member<'t>>, Problem> {
        let mut repeated = None;
        let members = self.each_once(|twice| repeated = repeated.take().or(Some(twice)));
        match repeated {
            Some(twice) => Err(twice.is_repeated()),
            None => members.ok_or_else(|| self.is_not(what)),
        }
    }

    /// The members of the object that it is; those whose names have been there are given to `twice`.
    pub(crate) fn each_once(self, mut twice: impl FnMut(Member<'t>)) -> Option<Vec<Member<'t>>> {
        let entries = serde_json::Deserializer::from_str(self.raw).deserialize_map(Entries).ok()?;
        let (mut members, mut names) = (Vec::with_capacity(entries.len()), HashSet::new());
        for (key, value) in entries {
            let key = Self { raw: key.get(), ..self };
            let member = Member { name: key.string()?, key, value: Self { raw: value.get(), ..self } };
            if names.insert(member.name.clone()) {
                members.push(member);
            } else {
                twice(member);
            }
        }
        Some(members)
    }
}

impl Member<'_> {
    /// That it is none of `known`, which may stand here.
    #[must_use]
    pub fn is_unknown(&self, known: &[&str]) -> Problem {
        let text = format!("`{}` is not known here", Excerpt::of(&self.name));
        self.key.coded(self.key.codes.unknown, text).help(meant(&self.name, known))
    }

    fn is_repeated(&self) -> Problem {
        self.key.coded(self.key.codes.repeated, format!("`{}` stands twice", Excerpt::of(&self.name)))
    }
}

/// Where `json`, which is well-formed, has an escape of half a character. serde_json says so only once that string is asked for.
fn half_character(json: &str) -> Option<usize> {
    let unit = |rest: &str| rest.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let mut at = 0_usize;
    while let Some(rest) = json.get(at..) {
        let start = at.saturating_add(rest.find('\\')?);
        let escape = json.get(start..)?;
        at = start.saturating_add(match escape.strip_prefix("\\u").and_then(unit) {
            None => 2,
            Some(0xdc00..0xe000) => return Some(start),
            Some(0xd800..0xdc00) => {
                let low = escape.get(6..).and_then(|rest| unit(rest.strip_prefix("\\u")?));
                if !low.is_some_and(|low| (0xdc00..0xe000).contains(&low)) {
                    return Some(start);
                }
                12
            }
            Some(_) => 6,
        });
    }
    None
}

struct Entries;

impl<'t> Visitor<'t> for Entries {
    type Value = Vec<(&'t RawValue, &'t RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        std::iter::from_fn(|| map.next_entry().transpose()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODES: Codes = Codes { syntax: "syntax", repeated: "repeated", unknown: "unknown", malformed: "malformed" };

    fn read(text: &str) -> Result<Located<'_>, Problem> {
        Located::read("a.json", text, &CODES)
    }

    fn place(problem: &Problem) -> (&'static str, usize, usize, usize) {
        let place = problem.place.as_ref().unwrap();
        (problem.code, place.line, place.column, place.length)
    }

    #[test]
    fn each_part_knows_its_place() {
        let text = "{\r\n  \"a\" : [7, -7, \"é\\u00e9\", null],\r\n  \"\\u0061\": {}\r\n}";
        let root = read(text).unwrap();
        let mut problems = Problems::none();
        let members = root.members(&mut problems);
        assert_eq!(problems.iter().map(place).collect::<Vec<_>>(), [("repeated", 3, 3, 8)]);
        assert_eq!(place(&root.object("it").unwrap_err()), ("repeated", 3, 3, 8));
        let [a] = members.as_slice() else { panic!("{members:?}") };
        assert_eq!(place(&a.is_unknown(&["b"])), ("unknown", 2, 3, 3));
        let items = a.value.items().unwrap();
        assert_eq!(items.iter().map(|item| item.integer()).collect::<Vec<_>>(), [Some(7), None, None, None]);
        assert_eq!(items.iter().filter_map(|item| item.string()).collect::<Vec<_>>(), ["éé"]);
        assert_eq!(items.iter().map(|item| item.is_null()).collect::<Vec<_>>(), [false, false, false, true]);
        for (item, column) in items.iter().zip([10, 13, 17, 28]) {
            let problem = item.object("an object").unwrap_err();
            assert_eq!((place(&problem).0, place(&problem).2), ("malformed", column));
            assert!(item.items().is_none() && text.get(item.range()) == Some(item.text()));
        }
    }

    #[test]
    fn what_is_no_json_is_told_at_its_place() {
        for (text, line, column) in [
            ("", 1, 1),
            ("{\"a\": 1,\r\n ]", 2, 2),
            ("{} {}", 1, 4),
            (r#"["\\ud800", "\ud800"]"#, 1, 14),
            (r#"["\udc00\ud800"]"#, 1, 3),
            (r#"["\ud83d\u0041"]"#, 1, 3),
            (r#"{"\ud83d": 1}"#, 1, 3),
        ] {
            assert_eq!(place(&read(text).unwrap_err()), ("syntax", line, column, 1), "{text}");
        }
        assert_eq!(read(r#""\ud83d\ude00""#).unwrap().string().as_deref(), Some("😀"));
        assert!(read(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).unwrap().items().is_some());
    }

    proptest! {
        #[test]
        fn every_string_of_what_is_read_can_be_read(text in r#"(\\u(d[89cdf]|00)[0-9a-f]{2}|\\\\|\\n|u|é){0,6}"#) {
            let json = format!("\"{text}\"");
            prop_assert_eq!(read(&json).is_ok(), serde_json::from_str::<String>(&json).is_ok());
        }
    }
}
