use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use agentauth_cedar::{Finding, Severity, lint};
use agentauth_core::policy::{Problem, Problems, Rules};
use clap::Args;
use serde::Serialize;

use super::sources::{lines, read};
use crate::input::quoted;
use crate::look::Mark;
use crate::text::{counted, pretty_json};
use crate::{CliError, Exit, Look, Terminal};

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A file with built-in rules (`*.toml`, `*.json`), or the directory with the policies (`*.cedar`), their schema (`*.cedarschema`), `entities.json` and `links.json`.
    #[arg(value_name = "DIR")]
    policies: PathBuf,

    /// Have warnings end with status 1 too.
    #[arg(long)]
    deny_warnings: bool,

    /// Show what is worth knowing too, and no mistake.
    #[arg(long)]
    notes: bool,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is written.
#[derive(Serialize)]
struct Report {
    /// How many there are, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<usize>,
    errors: usize,
    warnings: usize,
    notes: usize,
    found: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    severity: &'static str,
    code: &'static str,
    file: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    text: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<Box<str>>,
    /// As people are shown it.
    #[serde(skip)]
    shown: String,
}

pub(crate) fn run(args: &CheckArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let kind = args.policies.extension().and_then(|extension| extension.to_str());
    let report =
        if matches!(kind, Some("toml" | "json")) { of_rules(&args.policies)? } else { of_policies(&args.policies)? };
    let out = if args.json { format!("{}\n", pretty_json(&report)) } else { report.text(args.notes, terminal.look()) };
    terminal.write(out.as_bytes())?;
    let is_good = report.errors == 0 && !(args.deny_warnings && report.warnings > 0);
    Ok(if is_good { Exit::Good } else { Exit::Refused })
}

fn of_policies(directory: &Path) -> Result<Report, CliError> {
    let sources = read(directory)?;
    Ok(match lint(&sources) {
        Ok(lint) => Report::of_findings(lint.policies, &lint.findings),
        Err(problems) => Report::of_problems(Some(sources.count()), &problems),
    })
}

fn of_rules(file: &Path) -> Result<Report, CliError> {
    File::open(file).map_err(|source| CliError::Unreadable { place: quoted(file), source })?;
    let problems = Rules::from_file(file).err().unwrap_or_default();
    Ok(Report::of_problems(None, &problems))
}

impl Report {
    fn of_problems(policies: Option<usize>, problems: &Problems) -> Self {
        let found = problems.iter().map(|problem| Found::of("error", problem, problem.to_string())).collect();
        Self { policies, errors: problems.count(), warnings: 0, notes: 0, found }
    }

    fn of_findings(policies: usize, findings: &[Finding]) -> Self {
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        let found = findings.iter().map(|finding| {
            let severity = if finding.severity == Severity::Warning { "warning" } else { "note" };
            Found::of(severity, &finding.problem, finding.to_string())
        });
        Self {
            policies: Some(policies),
            errors: 0,
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            found: found.collect(),
        }
    }

    fn text(&self, notes: bool, look: Look) -> String {
        let mut text = String::new();
        let found = self.found.iter().filter(|found| notes || found.severity != "note");
        let shown = found.map(|found| text.push_str(&format!("{}\n\n", lines(&found.shown)))).count();
        let told = self.found.iter().filter(|found| found.severity == "error").count();
        if self.errors > told {
            let _ = writeln!(text, "... and {} more\n", self.errors.saturating_sub(told));
        }
        let policies = self.policies.map_or_else(|| "the rules".into(), |count| counted(count, "policy", "policies"));
        // What is hardly meant is only looked for where nothing is wrong.
        let answer = match (self.errors, self.warnings) {
            (0, 0) => format!("{}: nothing is wrong with {policies}", look.coloured(Mark::Passed, "Good")),
            (0, warnings) => format!("{} in {policies}", look.warning(&counted(warnings, "warning", "warnings"))),
            (errors, _) => format!("{} in {policies}", look.failure(&counted(errors, "error", "errors"))),
        };
        let hidden = match self.found.len().saturating_sub(shown) {
            0 => String::new(),
            hidden => format!(" ({} with --notes)", counted(hidden, "note", "notes")),
        };
        let _ = writeln!(text, "{answer}{hidden}");
        text
    }
}

impl Found {
    fn of(severity: &'static str, problem: &Problem, shown: String) -> Self {
        Self {
            severity,
            code: problem.code,
            file: problem.file.clone(),
            line: problem.place.as_ref().map(|place| place.line),
            column: problem.place.as_ref().map(|place| place.column),
            text: problem.text.clone(),
            help: problem.help.clone(),
            shown,
        }
    }
}
