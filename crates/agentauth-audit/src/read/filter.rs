use agentauth_core::Timestamp;
use agentauth_core::policy::Effect;
use serde_json::Value;

use super::entry::Seen;
use super::needle::{Bytes, Pattern};
use super::{LogRecord, View};
use crate::format::EntryKind;

/// Which entries are asked for. Empty: all.
///
/// Conditions of different kinds must all be met; of those of one kind, any. A text with `*` at its end stands for all that begin
/// so. All but [`Filter::kind`], [`Filter::text`] and the times are met by records only, and only by those that can be read.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Filter {
    conditions: Vec<Condition>,
    kinds: Vec<Pattern>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Condition {
    of: Part,
    patterns: Vec<Pattern>,
}

/// What of a record a condition is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Agent,
    Chain,
    Principal,
    Action,
    Effect,
    Code,
    Policy,
    Evaluation,
    Text,
}

impl Filter {
    /// All entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this agent, as [`View::agent`] names it.
    pub fn agent(self, agent: &str) -> Self {
        self.with(Part::Agent, Pattern::of(agent))
    }

    /// This agent is among the actors that the authority has passed through, the current one included.
    pub fn in_chain(self, agent: &str) -> Self {
        self.with(Part::Chain, Pattern::of(agent))
    }

    /// On behalf of this principal: as [`View::principal`] names it, or its subject alone, or its hash.
    pub fn principal(self, principal: &str) -> Self {
        self.with(Part::Principal, Pattern::of(principal))
    }

    /// About this action, such as a tool's.
    pub fn action(self, action: &str) -> Self {
        self.with(Part::Action, Pattern::of(action))
    }

    /// Allowed, or denied.
    pub fn effect(self, effect: Effect) -> Self {
        self.with(Part::Effect, Pattern::of(effect_name(effect)))
    }

    /// With this machine code, or a reason of this kind.
    pub fn code(self, code: &str) -> Self {
        self.with(Part::Code, Pattern::of(code))
    }

    /// Decided by this policy.
    pub fn policy(self, policy: &str) -> Self {
        self.with(Part::Policy, Pattern::of(policy))
    }

    /// With this evaluation id: a decision and its outcome.
    pub fn evaluation(self, id: &str) -> Self {
        self.with(Part::Evaluation, Pattern::of(id))
    }

    /// With this text in any of its values. Large and small letters differ.
    pub fn text(self, text: &str) -> Self {
        self.with(Part::Text, Pattern::within(text))
    }

    /// Records about this kind of event (`decision`, `authentication` and so on), or entries of this kind ([`EntryKind::name`]).
    pub fn kind(mut self, kind: &str) -> Self {
        self.kinds.push(Pattern::of(kind));
        self
    }

    /// Written at this time or later.
    pub const fn since(mut self, time: Timestamp) -> Self {
        self.since = Some(time);
        self
    }

    /// Written before this time.
    pub const fn until(mut self, time: Timestamp) -> Self {
        self.until = Some(time);
        self
    }

    fn with(mut self, of: Part, pattern: Pattern) -> Self {
        match self.conditions.iter_mut().find(|condition| condition.of == of) {
            Some(condition) => condition.patterns.push(pattern),
            None => self.conditions.push(Condition { of, patterns: vec![pattern] }),
        }
        self
    }

    /// Whether it is asked for. This reads the record; [`Log`](super::Log) reads only those that it may be.
    #[must_use]
    pub fn matches(&self, record: &LogRecord) -> bool {
        self.is_met(&record.seen())
    }

    pub(super) const fn times(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.since, self.until)
    }

    /// The same as [`Filter::is_met`], and faster where it is not.
    pub(super) fn finds(&self, seen: &Seen<'_>) -> bool {
        let bytes = Bytes::of(seen.payload, seen.personal);
        let is_kind = self.kinds.is_empty() || seen.kind != EntryKind::Record || {
            self.kinds.iter().any(|kind| kind.is(EntryKind::Record.name())) || bytes.may_hold(&self.kinds)
        };
        self.is_in_time(seen)
            && is_kind
            && self.conditions.iter().all(|condition| bytes.may_hold(&condition.patterns))
            && self.is_met(seen)
    }

    fn is_in_time(&self, seen: &Seen<'_>) -> bool {
        let is_after = self.since.is_none_or(|since| seen.micros >= since.micros());
        is_after && self.until.is_none_or(|until| seen.micros < until.micros())
    }

    fn is_met(&self, seen: &Seen<'_>) -> bool {
        if !self.is_in_time(seen) {
            return false;
        }
        let is_kind = |name: &str| self.kinds.iter().any(|kind| kind.is(name));
        let is_kind_met = self.kinds.is_empty() || is_kind(seen.kind.name());
        if is_kind_met && self.conditions.is_empty() {
            return true;
        }
        let view = seen.view();
        (is_kind_met || view.as_ref().is_some_and(|view| is_kind(view.kind())))
            && self.conditions.iter().all(|condition| condition.is_met(seen, view.as_ref()))
    }
}

impl Condition {
    fn is_met(&self, seen: &Seen<'_>, view: Option<&View<'_>>) -> bool {
        let is = |value: &str| self.patterns.iter().any(|pattern| pattern.is(value));
        if self.of == Part::Text {
            let halves = [seen.payload, seen.personal].map(|half| serde_json::from_slice::<Value>(half).ok());
            return halves.iter().flatten().any(|half| holds(half, &self.patterns));
        }
        let Some(view) = view else { return false };
        match self.of {
            Part::Agent => view.agent().is_some_and(|agent| is(&agent)),
            Part::Chain => view.agent().is_some_and(|agent| is(&agent)) || view.chain().any(|hop| is(&hop.agent)),
            Part::Principal => {
                view.written_principal().is_some_and(|one| is(&one.subject))
                    || view.principal().is_some_and(|one| is(&one))
                    || view.principal_hash().is_some_and(is)
            }
            Part::Action => view.action().is_some_and(is),
            Part::Effect => is(effect_name(view.effect())),
            Part::Code => is(view.code()) || view.reasons().iter().any(|reason| is(&reason.kind)),
            Part::Policy => view.reasons().iter().any(|reason| reason.policy.as_deref().is_some_and(is)),
            Part::Evaluation => is(view.evaluation_id()),
            Part::Text => false,
        }
    }
}

/// Whether any text in `value` has any of `patterns` in it. As deep as JSON is read at all.
fn holds(value: &Value, patterns: &[Pattern]) -> bool {
    match value {
        Value::String(text) => patterns.iter().any(|pattern| text.contains(pattern.text())),
        Value::Array(values) => values.iter().any(|value| holds(value, patterns)),
        Value::Object(members) => members.values().any(|value| holds(value, patterns)),
        _ => false,
    }
}

const fn effect_name(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    }
}
