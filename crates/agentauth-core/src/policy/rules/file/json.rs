//! JSON, with its places. serde_json says whether it is JSON; here is only where its parts stand.

use std::collections::HashSet;

use serde::de::IgnoredAny;

use super::fault::{Fault, Faults, Span};
use super::tree::{MAX_DEPTH, Member, Node, Value};
use crate::text::Excerpt;

/// Reads `text`, unless something is wrong with it.
pub(super) fn tree(text: &str, faults: &mut Faults) -> Option<Node> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let at = offset(text, error.line(), error.column());
        let told = error.to_string();
        let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(told, _)| told);
        faults.add(
            Fault::Syntax,
            Span { start: at, end: at.saturating_add(1) },
            format!("this is not JSON: {told}"),
            "",
        );
        return None;
    }
    Finder { text, at: 0, faults }.node(MAX_DEPTH)
}

/// serde_json counts columns in bytes.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    before.saturating_add(column.saturating_sub(1)).min(text.len())
}

/// Goes through a text that is JSON.
struct Finder<'t, 'f> {
    text: &'t str,
    at: usize,
    faults: &'f mut Faults,
}

impl Finder<'_, '_> {
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let white = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at = self.at.saturating_add(white);
        rest.get(white).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// Reads over `byte`, if that is what stands here.
    fn skip(&mut self, byte: u8) -> bool {
        let is_here = self.peek() == Some(byte);
        if is_here {
            self.step();
        }
        is_here
    }

    fn node(&mut self, depth: usize) -> Option<Node> {
        let first = self.peek()?;
        let start = self.at;
        let Some(depth) = depth.checked_sub(1) else {
            let at = Span { start, end: start.saturating_add(1) };
            self.faults.add(Fault::TooDeep, at, format!("this is nested deeper than {MAX_DEPTH} levels"), "no rule is");
            return None;
        };
        let value = match first {
            b'{' => self.table(depth)?,
            b'[' => self.list(depth)?,
            b'"' => Value::Text(self.string()?.0),
            b't' => self.word(4, Value::Flag(true)),
            b'f' => self.word(5, Value::Flag(false)),
            b'n' => self.word(4, Value::Other("null")),
            _ => self.number()?,
        };
        Some(Node { at: Span { start, end: self.at }, value })
    }

    fn word(&mut self, bytes: usize, value: Value) -> Value {
        self.at = self.at.saturating_add(bytes);
        value
    }

    fn number(&mut self) -> Option<Value> {
        let rest = self.text.get(self.at..)?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
        let number = rest.get(..rest.find(|c| !is_part(c)).unwrap_or(rest.len()))?;
        self.at = self.at.saturating_add(number.len());
        Some(match number.parse() {
            Ok(integer) => Value::Integer(integer),
            Err(_) if number.contains(['.', 'e', 'E']) => Value::Other("a number that is no integer"),
            Err(_) => Value::Other("an integer beyond 64 bits"),
        })
    }

    /// A string, and where it stands.
    fn string(&mut self) -> Option<(Box<str>, Span)> {
        let start = self.at;
        self.step();
        let mut is_escaped = false;
        loop {
            let byte = self.text.as_bytes().get(self.at)?;
            self.step();
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => break,
                _ => {}
            }
        }
        let at = Span { start, end: self.at };
        match serde_json::from_str(self.text.get(start..self.at)?) {
            Ok(text) => Some((text, at)),
            Err(_) => {
                self.faults.add(Fault::Syntax, at, "this is not JSON: a character is half of one", "");
                None
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.step();
        let mut items = Vec::new();
        while !self.skip(b']') {
            items.push(self.node(depth)?);
            self.skip(b',');
        }
        Some(Value::List(items))
    }

    fn table(&mut self, depth: usize) -> Option<Value> {
        self.step();
        let (mut members, mut names) = (Vec::new(), HashSet::new());
        while !self.skip(b'}') {
            self.peek()?;
            let (name, at) = self.string()?;
            self.skip(b':');
            let node = self.node(depth)?;
            self.skip(b',');
            if names.insert(name.clone()) {
                members.push(Member { name, at, node });
            } else {
                let text = format!("`{}` stands twice in one object", Excerpt::of(&name));
                self.faults.add(Fault::KeyTwice, at, text, "readers differ on which of them counts; leave one out");
            }
        }
        Some(Value::Table(members))
    }
}
