//! What is wrong with a file of rules.

use crate::policy::suggest::meant;
use crate::policy::{MAX_PROBLEMS, Problem, Problems};
use crate::text::Excerpt;

/// The bytes of a file that something stands at: the first, and the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What kind of fault it is, beside those that rules of any source have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// There is no such file, or it is not text of a known kind.
    Unreadable,
    Oversize,
    /// No TOML, or no JSON.
    Syntax,
    /// A key that stands twice in one table.
    KeyTwice,
    TooDeep,
    UnknownKey,
    WrongType,
    /// Something that is not what has to stand there.
    WrongValue,
    Mode,
    /// A condition whose terms cannot be read.
    Condition,
}

impl Fault {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "rules_unreadable",
            Self::Oversize => "rules_oversize",
            Self::Syntax => "rules_syntax",
            Self::KeyTwice => "rules_key_twice",
            Self::TooDeep => "rules_too_deep",
            Self::UnknownKey => "rules_key_unknown",
            Self::WrongType => "rules_wrong_type",
            Self::WrongValue => "rules_wrong_value",
            Self::Mode => "rules_mode_unknown",
            Self::Condition => "rules_condition_malformed",
        }
    }
}

/// All that is found wrong in one file.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: Vec<(Span, &'static str, String, String)>,
    more: usize,
}

/// More are counted, and not even put in order.
const MAX_KEPT: usize = 10 * MAX_PROBLEMS;

impl Faults {
    pub(super) fn add(&mut self, fault: Fault, at: Span, text: impl Into<String>, help: impl Into<String>) {
        self.add_coded(fault.code(), at, text.into(), help.into());
    }

    pub(super) fn add_coded(&mut self, code: &'static str, at: Span, text: String, help: String) {
        if self.found.len() < MAX_KEPT {
            self.found.push((at, code, text, help));
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// `written` stands where one of `known` should.
    pub(super) fn unknown_key(&mut self, at: Span, written: &str, owner: &str, known: &[&str]) {
        let text = format!("{owner} has no `{}`", Excerpt::of(written));
        self.add(Fault::UnknownKey, at, text, meant(written, known));
    }

    pub(super) const fn count(&self) -> usize {
        self.found.len().saturating_add(self.more)
    }

    /// In the order in which they stand in `source`, which is the text of the file `name`.
    pub(super) fn into_problems(mut self, name: &str, source: &str) -> Problems {
        self.found.sort_by_key(|(at, ..)| at.start);
        let mut problems = Problems::none();
        let beyond = self.found.len().saturating_sub(MAX_PROBLEMS).saturating_add(self.more);
        for (at, code, text, help) in self.found.into_iter().take(MAX_PROBLEMS) {
            let problem = Problem::new(code, name, text).at(source, at.start, at.end);
            problems.push(if help.is_empty() { problem } else { problem.help(help) });
        }
        for _ in 0..beyond {
            problems.push(Problem::new("", name, ""));
        }
        problems
    }
}
