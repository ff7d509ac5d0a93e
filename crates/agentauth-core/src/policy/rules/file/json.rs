//! JSON, with its places.

use super::fault::{Fault, Faults, Span};
use super::tree::{MAX_DEPTH, Member, Node, Value};
use crate::policy::located::{Codes, Located};
use crate::text::Excerpt;

/// Faults are put in order before they are told.
const CODES: &Codes = &Codes::all(Fault::Syntax.code());

/// Reads `text`, unless something is wrong with it.
pub(super) fn tree(text: &str, faults: &mut Faults) -> Option<Node> {
    match Located::parse("", text, CODES) {
        Ok(root) => node(root, MAX_DEPTH, faults),
        Err((at, told)) => {
            faults.add(Fault::Syntax, Span { start: at, end: at.saturating_add(1) }, told, "");
            None
        }
    }
}

fn span(json: Located<'_>) -> Span {
    let range = json.range();
    Span { start: range.start, end: range.end }
}

fn node(json: Located<'_>, depth: usize, faults: &mut Faults) -> Option<Node> {
    let at = span(json);
    let Some(depth) = depth.checked_sub(1) else {
        let at = Span { end: at.start.saturating_add(1), ..at };
        faults.add(Fault::TooDeep, at, format!("this is nested deeper than {MAX_DEPTH} levels"), "no rule is");
        return None;
    };
    let value = match json.text().as_bytes().first()? {
        b'{' => table(json, depth, faults)?,
        b'[' => Value::List(json.items()?.into_iter().map(|item| node(item, depth, faults)).collect::<Option<_>>()?),
        b'"' => Value::Text(json.string()?.into()),
        b't' => Value::Flag(true),
        b'f' => Value::Flag(false),
        b'n' => Value::Other("null"),
        _ => match json.text().parse() {
            Ok(integer) => Value::Integer(integer),
            Err(_) if json.text().contains(['.', 'e', 'E']) => Value::Other("a number that is no integer"),
            Err(_) => Value::Other("an integer beyond 64 bits"),
        },
    };
    Some(Node { at, value })
}

fn table(json: Located<'_>, depth: usize, faults: &mut Faults) -> Option<Value> {
    let members = json.each_once(|twice| {
        let text = format!("`{}` stands twice in one object", Excerpt::of(&twice.name));
        faults.add(Fault::KeyTwice, span(twice.key), text, "readers differ on which of them counts; leave one out");
    })?;
    let member = |member: crate::policy::located::Member<'_>| {
        let node = node(member.value, depth, faults)?;
        Some(Member { name: member.name.into(), at: span(member.key), node })
    };
    members.into_iter().map(member).collect::<Option<_>>().map(Value::Table)
}
