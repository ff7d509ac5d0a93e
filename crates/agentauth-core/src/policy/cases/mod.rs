//! What policies are to decide, as files beside them.

mod document;
mod expected;
mod report;

use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

use self::expected::Expected;
pub use self::report::{CaseOutcome, CaseReport, Difference};
use super::located::Codes;
use super::{Decision, MAX_PROBLEMS, Place, PolicyEngine, Problem, Problems, Scenario};
use crate::disk::read_at_most;
use crate::random::hex;

/// The largest file of cases that is read, in bytes: thousands of cases.
pub const MAX_CASE_FILE_BYTES: usize = 4 * 1024 * 1024;

/// More cases than this are not run before policies are put into force: they would hold up what is urgent.
pub const MAX_CASES: usize = 10_000;

/// How the name of a file of cases ends.
pub const CASES_SUFFIX: &str = ".cases.json";

/// A directory with more entries than this is another directory.
const MAX_ENTRIES: usize = 10_000;

/// What policies are to decide: requests, and the answer that is expected to each.
///
/// They stand in files whose names end in `.cases.json`, beside the policies. What all cases of a file have in common stands
/// in its `defaults`:
///
/// ```
/// use agentauth_core::policy::Cases;
///
/// let cases = Cases::parse("court.cases.json", r#"{
///     "defaults": {
///         "server": "https://court.example",
///         "agent": "spiffe://court.example/agent/lawyer",
///         "principal": { "issuer": "https://sts.court.example", "subject": "alice" },
///         "action": "motions:file",
///         "resource": { "kind": "case", "id": "2026-17" }
///     },
///     "cases": [
///         { "name": "a small motion", "arguments": { "fee": 120 }, "expect": "allow", "policies": ["file"] },
///         { "name": "a dear one needs a human", "arguments": { "fee": 900 }, "expect": "allow",
///           "obligations": ["approval"] },
///         { "name": "sealed", "resource": { "kind": "case", "id": "2026-99" }, "arguments": { "fee": 1 },
///           "expect": "deny", "code": "policy_forbidden" }
///     ]
/// }"#)?;
/// assert_eq!(cases.len(), 3);
/// # Ok::<(), agentauth_core::policy::Problems>(())
/// ```
///
/// | member | what it is |
/// |---|---|
/// | `name` | required, and not twice |
/// | `server`, `agent`, `principal`, `action` | required, here or in `defaults`. An agent is a SPIFFE ID, or an object with `issuer` and `name`; a principal has `issuer`, `subject`, and perhaps `tenant` and `kind` (`subject`, `client` or `agent_account`) |
/// | `mode`, `depth`, `issuer`, `holders` | as the token would say it: `on_behalf_of`, 1, the principal's issuer and nobody, unless stated |
/// | `resource`, `arguments`, `at` | nothing, none, and the beginning of 1970, unless stated. `null` is no resource; a time is as RFC 3339 has it |
/// | `expect` | required: `allow` or `deny` |
/// | `code` | the code of the decisive reason. Required for a denial because policies could not be asked or evaluated: it would stand whatever they say |
/// | `policies` | the policies that decided, all of them, in any order |
/// | `obligations`, `would_flip` | the names of the conditions, and the policies in shadow mode that would have decided otherwise: all of them, in any order |
/// | `preview` | what the engine says before the arguments are known: `never`, `possibly` or `always` |
///
/// Anything else is refused.
#[derive(Debug, Clone, Default)]
pub struct Cases {
    cases: Vec<Case>,
    files: Vec<Arc<File>>,
}

/// A file of cases, as it was read.
#[derive(Debug)]
struct File {
    name: Box<str>,
    text: Box<str>,
}

/// One request, and the answer that is expected.
#[derive(Debug, Clone)]
pub struct Case {
    name: Box<str>,
    file: Arc<File>,
    /// Where it stands, in bytes.
    at: Range<usize>,
    scenario: Scenario,
    expected: Expected,
}

/// Why a file of cases is refused.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Unreadable,
    Oversize,
    Syntax,
    Unknown,
    Repeated,
    Missing,
    Malformed,
    NameTaken,
    TooMany,
}

impl Fault {
    const fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "case_unreadable",
            Self::Oversize => "case_oversize",
            Self::Syntax => "case_syntax",
            Self::Unknown => "case_member_unknown",
            Self::Repeated => "case_member_repeated",
            Self::Missing => "case_member_missing",
            Self::Malformed => "case_member_malformed",
            Self::NameTaken => "case_name_taken",
            Self::TooMany => "case_too_many",
        }
    }
}

/// Of what is wrong with the JSON.
const CODES: &Codes = &Codes {
    syntax: Fault::Syntax.code(),
    repeated: Fault::Repeated.code(),
    unknown: Fault::Unknown.code(),
    malformed: Fault::Malformed.code(),
};

impl Case {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The request.
    #[must_use]
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    async fn run(&self, engine: &impl PolicyEngine) -> CaseOutcome {
        let decision = engine.decide(&self.scenario.request()).await;
        let decision = decision.unwrap_or_else(|error| Decision::failed(&error));
        let differences = self.expected.differences(&decision, || engine.preview(&self.scenario.preview()));
        // To find the line takes a walk through the file.
        let place = (!differences.is_empty()).then(|| self.place());
        CaseOutcome { name: self.name.clone(), file: self.file.name.clone(), place, decision, differences }
    }

    fn place(&self) -> Place {
        Place::of(&self.file.text, self.at.start, self.at.end)
    }
}

impl Cases {
    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self { cases: Vec::new(), files: Vec::new() }
    }

    /// Reads the files of cases in the directory `path`, in the order of their names. There may be none.
    ///
    /// # Errors
    /// [`Problems`]: all of them, each with its place.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Problems> {
        let path = path.as_ref();
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
            let file = entry.map_err(|error| unreadable(path, &error))?.path();
            if file.to_str().is_some_and(|name| name.ends_with(CASES_SUFFIX)) {
                files.push(file);
            }
            if files.len() > MAX_ENTRIES {
                return Err(unreadable(path, &"it has more files than are read").into());
            }
        }
        files.sort();
        let (mut all, mut problems) = (Self::none(), Problems::none());
        for file in files {
            match read_file(&file) {
                Ok(text) => all.add_file(&file.to_string_lossy(), &text, &mut problems),
                Err(problem) => problems.push(problem),
            }
        }
        problems.or(all)
    }

    /// Reads the cases of `text`, which is called `file` in problems.
    ///
    /// # Errors
    /// [`Problems`]: all of them, each with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let mut cases = Self::none();
        cases.add(file, text).map(|()| cases)
    }

    /// Reads the cases of `text` too.
    ///
    /// # Errors
    /// [`Problems`]: all of them, each with its place.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), Problems> {
        let mut problems = Problems::none();
        self.add_file(file, text, &mut problems);
        problems.or(())
    }

    fn add_file(&mut self, file: &str, text: &str, problems: &mut Problems) {
        if text.len() > MAX_CASE_FILE_BYTES {
            problems.push(oversize(file));
            return;
        }
        let file = Arc::new(File { name: file.into(), text: text.into() });
        match document::read(&file) {
            Ok(cases) => self.extend(cases, problems),
            Err(more) => problems.extend(more),
        }
        self.files.push(file);
    }

    fn extend(&mut self, cases: Vec<Case>, problems: &mut Problems) {
        let mut names: HashSet<Box<str>> = self.cases.iter().map(|case| case.name.clone()).collect();
        for case in cases {
            let problem = |fault: Fault, text: String| {
                Problem::new(fault.code(), &case.file.name, text).at(&case.file.text, case.at.start, case.at.end)
            };
            if self.cases.len() >= MAX_CASES {
                problems.push(problem(Fault::TooMany, format!("there are more than {MAX_CASES} cases")));
                return;
            }
            if names.insert(case.name.clone()) {
                self.cases.push(case);
            } else if problems.iter().count() < MAX_PROBLEMS {
                problems.push(problem(Fault::NameTaken, format!("there is a case `{}` already", case.name)));
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter()
    }

    /// Asks `engine` all of them.
    pub async fn run(&self, engine: &impl PolicyEngine) -> CaseReport {
        self.run_each(engine, |_| {}).await
    }

    /// Asks `engine` all of them, and shows `each` outcome as it comes.
    pub async fn run_each(&self, engine: &impl PolicyEngine, mut each: impl FnMut(&CaseOutcome)) -> CaseReport {
        let mut outcomes = Vec::with_capacity(self.cases.len());
        for case in &self.cases {
            let outcome = case.run(engine).await;
            each(&outcome);
            outcomes.push(outcome);
        }
        CaseReport { outcomes }
    }

    /// The SHA-256 of what the files say, as hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> Box<str> {
        let mut context = Context::new(&SHA256);
        for File { text, .. } in self.files.iter().map(|file| &**file) {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        hex(context.finish().as_ref())
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(Fault::Unreadable.code(), &path.to_string_lossy(), format!("cannot be read: {error}"))
}

fn read_file(path: &Path) -> Result<String, Problem> {
    let bytes = read_at_most(path, MAX_CASE_FILE_BYTES).map_err(|error| unreadable(path, &error))?;
    if bytes.len() > MAX_CASE_FILE_BYTES {
        return Err(oversize(&path.to_string_lossy()));
    }
    String::from_utf8(bytes).map_err(|_| unreadable(path, &"it is not UTF-8"))
}

fn oversize(file: &str) -> Problem {
    Problem::new(Fault::Oversize.code(), file, "a file of cases has at most 4 MiB; split it")
}
