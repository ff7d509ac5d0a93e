//! What TOML and JSON have in common, with its places.

use super::fault::{Fault, Faults, Span};

/// Deeper than a rule goes.
pub(super) const MAX_DEPTH: usize = 16;

/// A value, and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Span,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Text(Box<str>),
    Integer(i64),
    Flag(bool),
    /// What no rule has, as a person calls it.
    Other(&'static str),
    List(Vec<Node>),
    Table(Vec<Member>),
}

/// A key and its value. No two of a table have one key.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Box<str>,
    pub(super) at: Span,
    pub(super) node: Node,
}

impl Node {
    const fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Flag(_) => "a truth value",
            Value::Other(kind) => kind,
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// Says that `what` is something else than it must be.
    pub(super) fn is_not<T>(&self, what: &str, expected: &str, faults: &mut Faults) -> Option<T> {
        faults.add(Fault::WrongType, self.at, format!("{what} is {}", self.kind()), format!("write {expected}"));
        None
    }

    pub(super) fn text(&self, what: &str, faults: &mut Faults) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => self.is_not(what, "a string", faults),
        }
    }

    pub(super) fn list(&self, what: &str, of: &str, faults: &mut Faults) -> Option<&[Self]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => self.is_not(what, &format!("a list of {of}"), faults),
        }
    }

    pub(super) fn table(&self, what: &str, faults: &mut Faults) -> Option<&[Member]> {
        match &self.value {
            Value::Table(members) => Some(members),
            _ => self.is_not(what, "a table", faults),
        }
    }

    /// Every string of a list, or none of them.
    pub(super) fn texts(&self, what: &str, of: &str, faults: &mut Faults) -> Option<Vec<(Span, &str)>> {
        let list = self.list(what, of, faults)?;
        let texts: Vec<_> = list.iter().map(|node| Some((node.at, node.text(what, faults)?))).collect();
        texts.into_iter().collect()
    }
}
