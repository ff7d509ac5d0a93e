//! From what stands in a file to rules.

use std::collections::HashSet;

use super::fault::{Fault, Faults, Span};
use super::tree::{Member, Node, Value};
use super::{limits, parts};
use crate::delegation::Mode;
use crate::policy::rules::complete::CompleteRule;
use crate::policy::suggest::{meant, nearest};
use crate::policy::{Effect, Obligation, Rule, RulesError};
use crate::text::Excerpt;

/// A name that a person reads in a record.
const MAX_ID_BYTES: usize = 128;

const PARTS: [&str; 11] = [
    "id",
    "agents",
    "principals",
    "action",
    "actions",
    "resources",
    "arguments",
    "other_arguments",
    "even",
    "mode",
    "message",
];

/// What a condition may be called; which of them there are, [`Obligation::read`] says.
const CONDITIONS: [&str; 4] = ["approval", "rate", "concurrency", "budget"];

const CAPACITIES: [(&str, Mode); 3] =
    [("client_only", Mode::ClientOnly), ("impersonation", Mode::Impersonation), ("agent_account", Mode::AgentAccount)];

/// The rules of a file, in their order, as far as nothing is wrong with them.
pub(super) fn rules(root: &Node, faults: &mut Faults) -> Vec<CompleteRule> {
    let mut entries: Vec<(Effect, &Node)> = Vec::new();
    for member in root.table("the file", faults).unwrap_or_default() {
        let effect = match &*member.name {
            "allow" => Effect::Allow,
            "deny" => Effect::Deny,
            name => {
                faults.unknown_key(member.at, name, "a file of rules", &["allow", "deny"]);
                continue;
            }
        };
        let of = format!("rules, in TOML by [[{}]]", member.name);
        let list = member.node.list(&format!("`{}`", member.name), &of, faults).unwrap_or_default();
        entries.extend(list.iter().map(|node| (effect, node)));
    }
    entries.sort_by_key(|(_, node)| node.at.start);

    let (mut complete, mut known) = (Vec::new(), HashSet::new());
    for (effect, node) in entries {
        let Some(members) = node.table("a rule", faults) else { continue };
        let before = faults.count();
        let id = id(node, members, faults);
        let rule = rule(effect, id, members, faults);
        let at = find(members, "id").map_or(node.at, |id| id.node.at);
        missing(&rule, members, at, faults);
        if !known.insert(id) && !id.is_empty() {
            wrong(&RulesError::Duplicate(id.into()), at, faults);
        }
        if faults.count() > before {
            continue;
        }
        match rule.complete() {
            Ok(rule) => complete.push(rule),
            Err(error) => wrong(&error, cause(&error, members).unwrap_or(at), faults),
        }
    }
    complete
}

fn find<'n>(members: &'n [Member], name: &str) -> Option<&'n Member> {
    members.iter().find(|member| *member.name == *name)
}

fn wrong(error: &RulesError, at: Span, faults: &mut Faults) {
    let (text, help) = error.in_a_file();
    faults.add_coded(error.code(), at, text, help);
}

/// Where in a rule it stands that the rule cannot be used.
fn cause(error: &RulesError, members: &[Member]) -> Option<Span> {
    let member = match error {
        RulesError::DenyWithArguments(_) => find(members, "arguments"),
        RulesError::Telling(_) => find(members, "message"),
        _ => members.iter().find(|member| CONDITIONS.contains(&&*member.name)),
    };
    member.map(|member| member.at)
}

fn id<'n>(node: &Node, members: &'n [Member], faults: &mut Faults) -> &'n str {
    let Some(member) = find(members, "id") else {
        let error = RulesError::Incomplete { rule: "".into(), part: "id" };
        faults.add_coded(
            error.code(),
            node.at,
            "a rule has no id".into(),
            "the record names rules by their ids".into(),
        );
        return "";
    };
    let Some(id) = member.node.text("`id`", faults) else { return "" };
    if id.is_empty() || id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
        let text = format!("`{}` cannot be an id", Excerpt::of(id));
        faults.add(Fault::WrongValue, member.node.at, text, "write 1 to 128 bytes without control characters");
    }
    id
}

/// Each part that is not stated, not even by another name.
fn missing(rule: &Rule, members: &[Member], at: Span, faults: &mut Faults) {
    for part in ["agents", "principals", "action", "resources"] {
        let means =
            |member: &Member| nearest(&member.name, PARTS).map(|name| if name == "actions" { "action" } else { name });
        if !members.iter().any(|member| means(member) == Some(part)) {
            wrong(&RulesError::Incomplete { rule: rule.id().into(), part }, at, faults);
        }
    }
}

fn rule(effect: Effect, id: &str, members: &[Member], faults: &mut Faults) -> Rule {
    let mut rule = match effect {
        Effect::Allow => Rule::allow(id),
        Effect::Deny => Rule::deny(id),
    };
    for Member { name, at, node } in members {
        rule = match &**name {
            "id" => rule,
            "agents" => with(rule, parts::agents(node, faults), Rule::agents),
            "principals" => with(rule, parts::principals(node, faults), Rule::principals),
            "action" => with(rule, parts::action(node, faults), Rule::action),
            "actions" if find(members, "action").is_some() => {
                faults.add(Fault::WrongValue, *at, "a rule has action or actions, not both", "leave one out");
                rule
            }
            "actions" => with(rule, parts::actions(node, faults), Rule::actions),
            "resources" => with(rule, parts::resources(node, faults), Rule::resources),
            "arguments" => limits::arguments(rule, node, faults),
            "other_arguments" => with(rule, limits::others(node, faults), |rule, ()| rule.any_arguments()),
            "even" => even(rule, node, faults),
            "mode" => with(rule, mode(node, faults), |rule, shadow| if shadow { rule.shadow() } else { rule }),
            "message" => with(rule, node.text("`message`", faults), Rule::telling),
            name => condition(rule, name, *at, node, faults),
        };
    }
    rule
}

fn with<T>(rule: Rule, part: Option<T>, add: impl FnOnce(Rule, T) -> Rule) -> Rule {
    match part {
        Some(part) => add(rule, part),
        None => rule,
    }
}

fn mode(node: &Node, faults: &mut Faults) -> Option<bool> {
    match node.text("`mode`", faults)? {
        "enforce" => Some(false),
        "shadow" => Some(true),
        other => {
            let text = format!("`{}` is no mode", Excerpt::of(other));
            faults.add(Fault::Mode, node.at, text, meant(other, &["enforce", "shadow"]));
            None
        }
    }
}

fn even(rule: Rule, node: &Node, faults: &mut Faults) -> Rule {
    let texts = node.texts("`even`", "strings", faults).unwrap_or_default();
    texts.into_iter().fold(rule, |rule, (at, text)| match CAPACITIES.iter().find(|(name, _)| *name == text) {
        Some((_, mode)) => rule.even_in(*mode),
        None => {
            let wrong = format!("`{}` is no capacity that a rule has to name", Excerpt::of(text));
            faults.add(Fault::WrongValue, at, wrong, meant(text, &CAPACITIES.map(|(name, _)| name)));
            rule
        }
    })
}

fn condition(rule: Rule, name: &str, at: Span, node: &Node, faults: &mut Faults) -> Rule {
    let is_known = |name: &str| !matches!(Obligation::read(name, ""), Ok(Obligation::Unknown(_)));
    if !is_known(name) {
        let conditions = CONDITIONS.into_iter().filter(|name| is_known(name));
        let known: Vec<&str> = PARTS.into_iter().chain(conditions).collect();
        faults.unknown_key(at, name, "a rule", &known);
        return rule;
    }
    let Value::Text(terms) = &node.value else {
        return node.is_not(&format!("`{name}`"), "a string", faults).unwrap_or(rule);
    };
    match Obligation::read(name, terms) {
        Ok(obligation) => rule.on_condition_of(obligation),
        Err(error) => {
            faults.add(Fault::Condition, node.at, error.to_string(), "");
            rule
        }
    }
}
