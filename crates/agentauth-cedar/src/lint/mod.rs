//! What is suspicious about policies that are valid.

mod arithmetic;
mod budget;
mod cedar;
mod names;
mod phase;
mod range;
mod scope;

use std::fmt;

use agentauth_core::policy::{Problem, Problems};

use crate::entities::KnownEntities;
use crate::load::checked;
use crate::named::{Written, written};
use crate::schema::PolicySchema;
use crate::sources::Sources;
use crate::syntax::Span;

/// What a set of valid policies is remarkable for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lint {
    /// How many policies there are.
    pub policies: usize,
    /// In the order of their places.
    pub findings: Vec<Finding>,
}

/// One thing that is allowed, and hardly meant.
///
/// | code | what it finds |
/// |---|---|
/// | `lint_always_allow` | a permit of everything to everybody |
/// | `lint_any_agent` | a permit that neither names nor asks for an agent or a principal |
/// | `lint_never_matches` | a policy that no request can fit |
/// | `lint_overruled` | a permit of what a forbid without conditions covers |
/// | `lint_duplicate` | the same policy under two names |
/// | `lint_nothing_permitted` | a set of policies in which none in force permits |
/// | `lint_overflow` | arithmetic that the right argument makes overflow, which denies |
/// | `lint_far_entity` | an attribute of an entity that is reached through another, and may not be at hand, which denies |
/// | `lint_unknown_name` | the name of an agent, principal or issuer that none can have |
/// | `lint_unknown_argument` | a `@budget` of an argument that no action has, which denies |
/// | `lint_confusable` | letters that look like others, or that change the order of what is read |
/// | `lint_not_read` | policies that Cedar takes and that are not looked into here |
/// | `lint_unnamed` | a note: a policy without `@id`, whose name in the record changes with its place |
/// | `lint_undecided_in_lists` | a note: what depends on arguments is not known when tools are listed |
/// | `lint_needs_entity` | a note: attributes that somebody must provide with the resource |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What, where, and what to do about it.
    pub problem: Problem,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// It is as it should be, and worth knowing.
    Note,
    /// It is hardly what was meant.
    Warning,
}

impl Lint {
    /// How many of that severity there are.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut problem = self.problem.clone();
        problem.text = format!("{}: {}", self.severity, problem.text).into();
        problem.fmt(f)
    }
}

/// Checks `sources` as [`CedarPolicies::new`](crate::CedarPolicies::new) does, and looks for what is hardly meant.
///
/// # Errors
/// [`Problems`] that keep the policies from being used.
pub fn lint(sources: &Sources) -> Result<Lint, Problems> {
    let schema =
        PolicySchema::new(&sources.schemas).map_err(|problems| crate::load::with_policies(problems, sources))?;
    let read = match (checked(sources, &schema), KnownEntities::read(&sources.entities, &schema)) {
        (Ok(read), Ok(_)) => read,
        (read, known) => {
            let mut problems = read.err().unwrap_or_default();
            problems.extend(known.err().unwrap_or_default());
            return Err(problems);
        }
    };
    let policies = written(sources);
    let mut found = Findings::default();
    scope::find(&policies, sources, &schema, &mut found);
    if policies.len() < read.count() {
        found.not_read(sources, read.count().saturating_sub(policies.len()));
    }
    cedar::find(&policies, &read, &schema, &mut found);
    for policy in &policies {
        // What is open is judged as far as it is written.
        arithmetic::find(policy, &mut found);
        budget::find(policy, &schema, &mut found);
        names::find(policy, &mut found);
        phase::find(policy, &mut found);
    }
    let mut findings = found.0;
    let place = |one: &Finding| one.problem.place.as_ref().map(|place| (place.line, place.column));
    findings.sort_by(|a, b| (&a.problem.file, place(a)).cmp(&(&b.problem.file, place(b))));
    Ok(Lint { policies: sources.count(), findings })
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn not_read(&mut self, sources: &Sources, count: usize) {
        let file = sources.policies.first().map_or("policies", |source| &source.name);
        let problem = Problem::new("lint_not_read", file, format!("{count} of the policies are not looked into here"));
        let problem = problem.help("they are valid, and unusual: write them as others do");
        self.0.push(Finding { severity: Severity::Warning, problem });
    }

    fn warn(&mut self, code: &'static str, of: &Written<'_>, at: Span, text: impl Into<Box<str>>, help: &str) {
        self.add(Severity::Warning, code, of, at, text, help);
    }

    fn note(&mut self, code: &'static str, of: &Written<'_>, at: Span, text: impl Into<Box<str>>, help: &str) {
        self.add(Severity::Note, code, of, at, text, help);
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        of: &Written<'_>,
        at: Span,
        text: impl Into<Box<str>>,
        help: &str,
    ) {
        let problem = Problem::new(code, &of.source.name, text).at(&of.source.text, at.start, at.end).help(help);
        self.0.push(Finding { severity, problem });
    }
}
