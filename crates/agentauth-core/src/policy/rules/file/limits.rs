//! What arguments a rule takes, as files say it.

use super::fault::{Fault, Faults};
use super::parts::ANY;
use super::tree::{Member, Node, Value};
use crate::policy::{Limit, Rule};
use crate::text::Excerpt;

const LIMIT: &str = "\"any\", true, false, or a table with one of between, max_length, one_of and exactly";

pub(super) fn arguments(rule: Rule, node: &Node, faults: &mut Faults) -> Rule {
    match &node.value {
        Value::Text(text) if **text == *ANY => rule.any_arguments(),
        Value::Table(members) => {
            members.iter().fold(rule, |rule, Member { name, node, .. }| match limit(name, node, faults) {
                Some(limit) => rule.argument(name, limit),
                None => rule,
            })
        }
        _ => node.is_not("`arguments`", "\"any\", or a table of arguments and their limits", faults).unwrap_or(rule),
    }
}

/// Arguments beside those that have limits.
pub(super) fn others(node: &Node, faults: &mut Faults) -> Option<()> {
    match node.text("`other_arguments`", faults)? {
        ANY => Some(()),
        _ => {
            let help = "write \"any\", or leave it out: then there are none";
            faults.add(Fault::WrongValue, node.at, "`other_arguments` can only be \"any\"", help);
            None
        }
    }
}

fn limit(argument: &str, node: &Node, faults: &mut Faults) -> Option<Limit> {
    let what = format!("the limit of `{}`", Excerpt::of(argument));
    match &node.value {
        Value::Text(text) if **text == *ANY => Some(Limit::any()),
        Value::Text(text) => {
            let wrong = format!("`{}` is no limit", Excerpt::of(text));
            faults.add(Fault::WrongValue, node.at, wrong, "for this very string, write a table with exactly");
            None
        }
        Value::Flag(flag) => Some(Limit::flag(*flag)),
        Value::Table(members) => match members.as_slice() {
            [member] => of_kind(&what, member, faults),
            _ => {
                faults.add(Fault::WrongValue, node.at, format!("{what} is not one limit"), format!("write {LIMIT}"));
                None
            }
        },
        _ => node.is_not(&what, LIMIT, faults),
    }
}

fn of_kind(what: &str, Member { name, at, node }: &Member, faults: &mut Faults) -> Option<Limit> {
    match &**name {
        "between" => match node.list(what, "the least and the most", faults)? {
            [Node { value: Value::Integer(least), .. }, Node { value: Value::Integer(most), .. }] if least <= most => {
                Some(Limit::between(*least, *most))
            }
            _ => {
                let text = format!("{what} has other bounds than two integers, the smaller one first");
                faults.add(Fault::WrongValue, node.at, text, "write the least and the most, such as [0, 500]");
                None
            }
        },
        "max_length" => match node.value {
            Value::Integer(bytes) if usize::try_from(bytes).is_ok() => {
                usize::try_from(bytes).ok().map(Limit::max_length)
            }
            _ => node.is_not(what, "a number of bytes", faults),
        },
        "one_of" => {
            let texts = node.texts(what, "strings", faults)?;
            if texts.is_empty() {
                faults.add(Fault::WrongValue, node.at, format!("{what} leaves nothing"), "write at least one string");
                return None;
            }
            Some(Limit::one_of(texts.into_iter().map(|(_, text)| text)))
        }
        "exactly" => node.text(what, faults).map(Limit::exactly),
        name => {
            faults.unknown_key(*at, name, what, &["between", "max_length", "one_of", "exactly"]);
            None
        }
    }
}
