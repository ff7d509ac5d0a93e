//! What is wrong with a policy file: every problem at once, each with its place and a fix.

use std::fmt;

/// More problems than anybody reads at once are counted, not kept.
pub const MAX_PROBLEMS: usize = 100;

/// Of a longer line, the part around the place is shown.
const MAX_SHOWN_CHARS: usize = 240;

/// One thing that is wrong in one place of a policy file.
///
/// [`Display`](fmt::Display) shows it with the line it is in, and points at it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The stable machine code.
    pub code: &'static str,
    /// The file, as it was named when it was read.
    pub file: Box<str>,
    /// Where in it, if it is in one place.
    pub place: Option<Place>,
    /// What is wrong: one sentence.
    pub text: Box<str>,
    /// What to do about it.
    pub help: Option<Box<str>>,
}

/// A place in a file, and the line it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of that line it is, at least one.
    pub length: usize,
    /// The line itself, without its end; of a long one, a part. What could drive a terminal or turn the order of reading is a `?`.
    pub source: Box<str>,
    /// How many characters of the line stand before `source`.
    pub skipped: usize,
}

impl Problem {
    /// A problem of `file` as a whole.
    #[must_use]
    pub fn new(code: &'static str, file: &str, text: impl Into<Box<str>>) -> Self {
        Self { code, file: file.into(), place: None, text: text.into(), help: None }
    }

    /// It is at the bytes from `start` up to `end` of `source`.
    #[must_use]
    pub fn at(mut self, source: &str, start: usize, end: usize) -> Self {
        self.place = Some(Place::of(source, start, end));
        self
    }

    /// The file, the place and what is wrong, without the line that it is in: for a line of a log.
    #[must_use]
    pub fn in_brief(&self) -> String {
        self.head().replace('\n', " ")
    }

    fn head(&self) -> String {
        let (file, text) = (shown(&self.file), shown(&self.text));
        match &self.place {
            Some(place) => format!("{file}:{}:{}: {text}", place.line, place.column),
            None => format!("{file}: {text}"),
        }
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<Box<str>>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Place {
    /// Where the bytes from `start` up to `end` of `source` are.
    #[must_use]
    pub fn of(source: &str, start: usize, end: usize) -> Self {
        let mut start = start.min(source.len());
        while !source.is_char_boundary(start) {
            start = start.saturating_sub(1);
        }
        let (before, rest) = source.split_at_checked(start).unwrap_or((source, ""));
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let line = source.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let length = end.saturating_sub(start);
        let on_line = rest.char_indices().take_while(|(at, c)| *at < length && *c != '\n' && *c != '\r').count();
        let before_it = before.get(line_start..).map_or(0, |text| text.chars().count());
        let is_long = line.chars().nth(MAX_SHOWN_CHARS).is_some();
        let skipped = if is_long { before_it.saturating_sub(MAX_SHOWN_CHARS / 4) } else { 0 };
        Self {
            line: before.matches('\n').count().saturating_add(1),
            column: before_it.saturating_add(1),
            length: on_line.clamp(1, MAX_SHOWN_CHARS / 2),
            source: line.chars().skip(skipped).take(MAX_SHOWN_CHARS).map(visible).collect(),
            skipped,
        }
    }
}

/// `c` as it can be shown to people, whoever wrote it. A tab stays.
fn visible(c: char) -> char {
    let turns = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if turns || (c.is_control() && c != '\t') { '?' } else { c }
}

/// `text` as it can be shown; on several lines, if it has several.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { visible(c) }).collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, help) = (&self.place, self.help.as_deref().map(shown));
        write!(f, "{} [{}]", self.head(), self.code)?;
        let gutter = match place {
            Some(place) => {
                let number = place.line.to_string();
                let blank = " ".repeat(number.len());
                writeln!(f, "\n{blank} |")?;
                writeln!(f, "{number} | {}", place.source)?;
                // A tab stays one, so that what is below it is below it.
                let indent = place.source.chars().take(place.column.saturating_sub(place.skipped).saturating_sub(1));
                let indent: String = indent.map(|c| if c == '\t' { c } else { ' ' }).collect();
                write!(f, "{blank} | {indent}{}", "^".repeat(place.length))?;
                blank
            }
            None => String::new(),
        };
        match help {
            Some(help) => write!(f, "\n{gutter} = help: {help}"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with a set of policy files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    found: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// None yet.
    #[must_use]
    pub const fn none() -> Self {
        Self { found: Vec::new(), more: 0 }
    }

    /// Adds one; beyond [`MAX_PROBLEMS`], it is only counted.
    pub fn push(&mut self, problem: Problem) {
        if self.found.len() < MAX_PROBLEMS {
            self.found.push(problem);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Adds those of `others`.
    pub fn extend(&mut self, others: Self) {
        others.found.into_iter().for_each(|problem| self.push(problem));
        self.more = self.more.saturating_add(others.more);
    }

    /// In the order of their files' names, of their places there, and of their codes. What has no place comes first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let place = |problem: &Problem| problem.place.as_ref().map(|place| (place.line, place.column, place.length));
        let order = |problem: &Problem| (place(problem), problem.code);
        self.found.sort_by(|a, b| (&a.file, order(a), &a.text).cmp(&(&b.file, order(b), &b.text)));
        self
    }

    /// How many there are, with those that were only counted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.found.len().saturating_add(self.more)
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.found.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `value`, unless there are problems.
    ///
    /// # Errors
    /// The problems, if there are any.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self { found: vec![problem], more: 0 }
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        let mut all = Self::none();
        problems.into_iter().for_each(|problem| all.push(problem));
        all
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.found.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{problem}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n\n... and {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_points_at_its_place() {
        let source = "permit (\n\tprincípal == x,\n);";
        let at = source.find("==").unwrap();
        let problem = Problem::new("example", "a.cedar", "what is this?").at(source, at, at + 2).help("say what it is");
        assert_eq!(
            problem.to_string(),
            "a.cedar:2:12: what is this? [example]\n  |\n2 | \tprincípal == x,\n  | \t          ^^\n  = help: say what it is"
        );
        assert_eq!(problem.in_brief(), "a.cedar:2:12: what is this?");
        let long = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let shown = Problem::new("example", "a", "x").at(&long, 5000, 10_000).to_string();
        assert!(shown.starts_with("a:1:5001: x") && shown.len() < 600, "{shown}");
        let (line, carets) = shown.split_once("1 | ").unwrap().1.split_once("\n  | ").unwrap();
        assert_eq!(line.find('X'), carets.find('^'));
        for (start, end) in [(0, 0), (source.len(), source.len() + 5), (13, 13), (usize::MAX, 0)] {
            assert!(Place::of(source, start, end).length >= 1);
        }
    }

    #[test]
    fn what_a_file_says_drives_no_terminal() {
        let source = "a \u{1b}[2J\u{202e}b\tc\r\u{9b} == x";
        let at = source.find("==").unwrap();
        let hostile = "x\u{1b}]0;\u{7}\u{2066}";
        let shown = Problem::new("example", hostile, hostile).at(source, at, at + 2).help(hostile).to_string();
        assert_eq!(
            shown,
            "x?]0;??:1:14: x?]0;?? [example]\n  |\n1 | a ?[2J?b\tc?? == x\n  |         \t    ^^\n  = help: x?]0;??"
        );
    }

    #[test]
    fn more_problems_than_one_reads_are_counted() {
        let all: Problems = (0..MAX_PROBLEMS + 7).map(|n| Problem::new("example", "a", n.to_string())).collect();
        assert_eq!(all.iter().count(), MAX_PROBLEMS);
        assert!(all.to_string().ends_with("... and 7 more"));
        assert_eq!(Problems::none().or(5), Ok(5));
        assert!(all.or(5).is_err());
    }
}
