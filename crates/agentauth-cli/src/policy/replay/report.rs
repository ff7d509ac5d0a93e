//! What would change, as it is shown.

use std::collections::HashMap;
use std::fmt::Write as _;

use agentauth_core::audit::RecordedDecision;
use serde::Serialize;

use super::change::{Change, Outcome};
use crate::look::{Look, Mark};
use crate::text::{counted, number, shown};

/// Changes that are shown unless all are asked for: what a person looks through.
const FIRST: usize = 20;

/// Changes that differ in anything but their time are kept apart up to so many, which is more than anybody reads.
const MAX_KEPT: usize = 10_000;

#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    decisions: usize,
    same: usize,
    now_denied: usize,
    now_allowed: usize,
    other_conditions: usize,
    undetermined: usize,
    /// Decided without arguments, supposing that they are of the types in the schema.
    supposed: usize,
    /// Refused before the policy was asked, and left out.
    before_policy: usize,
    /// Not to be decided again, since what is personal in them is erased, or they were cut.
    incomplete: usize,
    torn: usize,
    changes: Vec<Changed>,
    /// More than are kept.
    more: usize,
    #[serde(skip)]
    known: HashMap<(Change, [Box<str>; 5]), usize>,
    #[serde(skip)]
    most: usize,
}

/// Decisions that change alike.
#[derive(Debug, Serialize)]
struct Changed {
    change: Change,
    agent: Box<str>,
    principal: Box<str>,
    action: Box<str>,
    resource: Box<str>,
    ground: Box<str>,
    times: usize,
    /// The first of them.
    evaluation_id: Box<str>,
}

impl Report {
    pub(super) fn new(all: bool) -> Self {
        Self { most: if all { MAX_KEPT } else { FIRST }, ..Self::default() }
    }

    pub(super) const fn before_policy(&mut self) {
        self.before_policy = self.before_policy.saturating_add(1);
    }

    pub(super) const fn incomplete(&mut self) {
        self.incomplete = self.incomplete.saturating_add(1);
    }

    /// Counts a torn line, and says how many there are.
    pub(super) const fn torn(&mut self) -> usize {
        self.torn = self.torn.saturating_add(1);
        self.torn
    }

    pub(super) const fn changes_something(&self) -> bool {
        self.now_denied > 0 || self.now_allowed > 0 || self.other_conditions > 0
    }

    pub(super) fn add(&mut self, decision: &RecordedDecision, outcome: Outcome) {
        self.decisions = self.decisions.saturating_add(1);
        self.supposed = self.supposed.saturating_add(usize::from(outcome.supposed));
        let count = match outcome.change {
            Change::Same => &mut self.same,
            Change::NowDenied => &mut self.now_denied,
            Change::NowAllowed => &mut self.now_allowed,
            Change::OtherConditions => &mut self.other_conditions,
            Change::Undetermined => &mut self.undetermined,
        };
        *count = count.saturating_add(1);
        if !matches!(outcome.change, Change::Same | Change::Undetermined) {
            self.keep(decision, outcome);
        }
    }

    fn keep(&mut self, decision: &RecordedDecision, outcome: Outcome) {
        let asked = &decision.scenario;
        let resource = asked.resource.as_ref().map(|on| format!("{} {}", on.kind(), on.id())).unwrap_or_default();
        let parts: [Box<str>; 5] = [
            asked.agent.to_string().into(),
            asked.principal.to_string().into(),
            asked.action.clone(),
            resource.into(),
            outcome.ground.into(),
        ];
        let key = (outcome.change, parts);
        if let Some(known) = self.known.get(&key).and_then(|at| self.changes.get_mut(*at)) {
            known.times = known.times.saturating_add(1);
            return;
        }
        if self.changes.len() >= self.most {
            self.more = self.more.saturating_add(1);
            return;
        }
        let [agent, principal, action, resource, ground] = key.1.clone();
        let evaluation_id = decision.evaluation_id.clone();
        self.known.insert(key, self.changes.len());
        self.changes.push(Changed {
            change: outcome.change,
            agent,
            principal,
            action,
            resource,
            ground,
            times: 1,
            evaluation_id,
        });
    }

    /// A table of the changes, and a summary.
    pub(super) fn shown(&self, look: Look) -> String {
        let mut out = String::new();
        for changed in &self.changes {
            changed.write(look, &mut out);
        }
        if self.more > 0 {
            let more = counted(self.more, "more decision changes", "more decisions change");
            let how = if self.most == MAX_KEPT { "" } else { " (--all shows them)" };
            let _ = writeln!(out, "... and {more}{how}");
        }
        if !self.changes.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", self.summary());
        for (count, what) in [
            (self.supposed, "decided without their arguments, supposing that these are of the types in the schema"),
            (self.undetermined, "undetermined: their arguments are not on record (`record_arguments` keeps them)"),
            (self.before_policy, "left out: refused before the policy was asked"),
            (self.incomplete, "left out: not whole, since what is personal is erased, or parts were too long"),
            (self.torn, "left out: torn lines"),
        ] {
            if count > 0 {
                let _ = writeln!(out, "{}", look.dim(&format!("{} {what}", number(count))));
            }
        }
        out
    }

    fn summary(&self) -> String {
        let conditions = match self.other_conditions {
            0 => String::new(),
            count => format!("{} on other conditions, ", number(count)),
        };
        format!(
            "{} {}: {} the same, {} now denied, {} now allowed, {conditions}{} undetermined",
            number(self.decisions),
            if self.decisions == 1 { "decision" } else { "decisions" },
            number(self.same),
            number(self.now_denied),
            number(self.now_allowed),
            number(self.undetermined),
        )
    }
}

impl Changed {
    fn write(&self, look: Look, out: &mut String) {
        let (mark, what) = match self.change {
            Change::NowDenied => (Mark::Failed, "now denied"),
            Change::NowAllowed => (Mark::Passed, "now allowed"),
            _ => (Mark::NotReached, "on other conditions"),
        };
        let on = if self.resource.is_empty() { String::new() } else { format!(" on {}", shown(&self.resource)) };
        let times = if self.times == 1 { String::new() } else { format!(", {} times", number(self.times)) };
        let ground = if self.ground.is_empty() { String::new() } else { format!(" ({})", shown(&self.ground)) };
        let _ = writeln!(out, "{} {what}: {}{on}{ground}{times}", look.mark(mark), shown(&self.action));
        let (agent, principal) = (shown(&self.agent), shown(&self.principal));
        let _ = writeln!(out, "  {agent} for {principal}, evaluation {}", shown(&self.evaluation_id));
    }
}
