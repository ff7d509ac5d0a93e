//! TOML, with its places.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Faults, Span};
use super::tree::{MAX_DEPTH, Member, Node, Value};

/// Reads `text`, unless something is wrong with it.
pub(super) fn tree(text: &str, faults: &mut Faults) -> Option<Node> {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(Span { start: 0, end: 0 }, span);
        if error.message() == "duplicate key" {
            faults.add(Fault::KeyTwice, at, "this key stands twice in one table", "leave one out");
        } else {
            faults.add(Fault::Syntax, at, format!("this is not TOML: {}", error.message()), "");
        }
    }
    if !errors.is_empty() {
        return None;
    }
    let at = span(root.span());
    table(root.get_ref(), at, MAX_DEPTH, faults)
}

const fn span(range: Range<usize>) -> Span {
    Span { start: range.start, end: range.end }
}

fn table(table: &DeTable<'_>, at: Span, depth: usize, faults: &mut Faults) -> Option<Node> {
    let mut members = Vec::new();
    for (key, value) in table {
        let node = node(value, depth, faults)?;
        members.push(Member { name: key.get_ref().as_ref().into(), at: span(key.span()), node });
    }
    members.sort_by_key(|member| member.at.start);
    Some(Node { at, value: Value::Table(members) })
}

fn node(value: &Spanned<DeValue<'_>>, depth: usize, faults: &mut Faults) -> Option<Node> {
    let at = span(value.span());
    let Some(depth) = depth.checked_sub(1) else {
        faults.add(Fault::TooDeep, at, format!("this is nested deeper than {MAX_DEPTH} levels"), "no rule is");
        return None;
    };
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.as_ref().into()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => Value::Integer(integer),
            Err(_) => Value::Other("an integer beyond 64 bits"),
        },
        DeValue::Float(_) => Value::Other("a number that is no integer"),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Other("a time"),
        DeValue::Array(list) => {
            let nodes: Option<Vec<Node>> = list.iter().map(|item| node(item, depth, faults)).collect();
            Value::List(nodes?)
        }
        DeValue::Table(members) => return table(members, at, depth, faults),
    };
    Some(Node { at, value })
}
