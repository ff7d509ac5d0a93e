//! What came of running cases, shown as test runners do.

use std::fmt;

use super::expected::effect;
use crate::policy::{Decision, Place};

/// What came of running cases.
///
/// [`Display`](fmt::Display) shows a line for each, what is different about those that failed and why the engine decided so,
/// and the sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseReport {
    pub(super) outcomes: Vec<CaseOutcome>,
}

/// What came of one case.
///
/// [`Display`](fmt::Display) shows what is different about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaseOutcome {
    /// The case.
    pub name: Box<str>,
    /// The file that it stands in.
    pub file: Box<str>,
    /// Where in it, if it failed.
    pub place: Option<Place>,
    /// How the engine decided.
    pub decision: Decision,
    /// In what that is not as expected. It passed if there is nothing.
    pub differences: Vec<Difference>,
}

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The member of the case.
    pub what: &'static str,
    /// What it says.
    pub expected: Box<str>,
    /// What it would have to say.
    pub actual: Box<str>,
}

impl CaseOutcome {
    /// Whether all is as expected.
    #[must_use]
    pub const fn has_passed(&self) -> bool {
        self.differences.is_empty()
    }
}

impl CaseReport {
    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &CaseOutcome> {
        self.outcomes.iter()
    }

    /// Those that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CaseOutcome> {
        self.outcomes.iter().filter(|outcome| !outcome.has_passed())
    }

    /// How many passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.has_passed()).count()
    }

    /// How many failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failures().count()
    }

    /// What is different about those that failed, and the sum: the last part of the report.
    #[must_use]
    pub fn summary(&self) -> impl fmt::Display {
        Summary(self)
    }
}

struct Summary<'a>(&'a CaseReport);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, failed) = (self.0.passed(), self.0.failed());
        if failed > 0 {
            writeln!(f, "failures:\n")?;
            self.0.failures().try_for_each(|outcome| writeln!(f, "{outcome}\n"))?;
        }
        let result = if failed == 0 { "ok" } else { "FAILED" };
        write!(f, "test result: {result}. {passed} passed; {failed} failed")
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for outcome in &self.outcomes {
            let result = if outcome.has_passed() { "ok" } else { "FAILED" };
            writeln!(f, "test {} ... {result}", outcome.name)?;
        }
        write!(f, "\n{}", self.summary())
    }
}

impl fmt::Display for CaseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, file, place, decision, differences } = self;
        match place {
            Some(place) => write!(f, "---- {name} ({file}:{}:{})", place.line, place.column)?,
            None => write!(f, "---- {name} ({file})")?,
        }
        for Difference { what, expected, actual } in differences {
            write!(f, "\n  {what} is {}, and the answer was {}", plain(expected), plain(actual))?;
        }
        write!(f, "\n  why {}:", effect(decision.effect()))?;
        for reason in decision.reasons() {
            match reason.policy() {
                Some(policy) => write!(f, "\n    `{}`: {}", plain(policy), plain(reason.text()))?,
                None => write!(f, "\n    {}", plain(reason.text()))?,
            }
        }
        Ok(())
    }
}

/// What files and policies say, on one line: one with a line in it would look like one of the report.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
