use std::path::PathBuf;

use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::policy::{CaseOutcome, CaseReport, Cases, Problems};
use clap::Args;
use serde::Serialize;
use tokio::runtime::Builder;

use super::server::ServerArgs;
use super::sources::lines;
use crate::input::quoted;
use crate::look::Mark;
use crate::text::{counted, pretty_json};
use crate::{CliError, Exit, Look, Terminal};

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The directory with the policies (`*.cedar`), their schema (`*.cedarschema`) and their cases (`*.cases.json`).
    #[arg(value_name = "DIR")]
    policies: PathBuf,

    /// Where the cases are, if they are not beside the policies.
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,

    #[command(flatten)]
    server: ServerArgs,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is written.
#[derive(Serialize)]
struct Report<'a> {
    passed: usize,
    failed: usize,
    cases: Vec<Case<'a>>,
}

#[derive(Serialize)]
struct Case<'a> {
    name: &'a str,
    file: &'a str,
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    differences: Vec<Difference<'a>>,
}

#[derive(Serialize)]
struct Difference<'a> {
    what: &'static str,
    expected: &'a str,
    actual: &'a str,
}

pub(crate) fn run(args: &TestArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let place = args.cases.as_ref().unwrap_or(&args.policies);
    let policies = match Sources::read(&args.policies) {
        Ok(sources) => CedarPolicies::new(&args.server.told(sources)?),
        Err(problems) => Err(problems),
    };
    let (policies, cases) = match (policies, Cases::read(place)) {
        (Ok(policies), Ok(cases)) => (policies, cases),
        (policies, cases) => {
            let mut problems = Problems::none();
            [policies.err(), cases.err()].into_iter().flatten().for_each(|more| problems.extend(more));
            return refused(&problems, terminal);
        }
    };
    if cases.is_empty() {
        return Err(CliError::NoCases(quoted(place)));
    }
    let policies = args.server.asked(policies);
    let runtime = Builder::new_current_thread().build().map_err(CliError::NoRuntime)?;
    let report = runtime.block_on(tested(&policies, &cases, args.json, terminal))?;
    Ok(if report.failed() == 0 { Exit::Good } else { Exit::Refused })
}

/// Runs `cases`, and shows each outcome as it comes.
async fn tested(
    policies: &CedarPolicies,
    cases: &Cases,
    as_json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<CaseReport, CliError> {
    let look = terminal.look();
    let mut written = Ok(());
    if !as_json {
        terminal.write(format!("running {}\n\n", counted(cases.len(), "case", "cases")).as_bytes())?;
    }
    let each = |outcome: &CaseOutcome| {
        if !as_json && written.is_ok() {
            written = terminal.write(line(outcome, look).as_bytes());
        }
    };
    let report = cases.run_each(policies, each).await;
    written?;
    let summary = if as_json {
        format!("{}\n", pretty_json(&Report::of(&report)))
    } else {
        format!("\n{}\n", lines(&report.summary().to_string()))
    };
    terminal.write(summary.as_bytes())?;
    Ok(report)
}

fn line(outcome: &CaseOutcome, look: Look) -> String {
    let (mark, word) = if outcome.has_passed() { (Mark::Passed, "ok") } else { (Mark::Failed, "FAILED") };
    format!("test {} ... {}\n", lines(&outcome.name), look.coloured(mark, word))
}

/// Shows why nothing can be asked of the policies.
pub(super) fn refused(problems: &Problems, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let count = counted(problems.iter().count(), "problem", "problems");
    terminal
        .write(format!("{}\n\n{count}; the policies were asked nothing\n", lines(&problems.to_string())).as_bytes())?;
    Ok(Exit::Problem)
}

impl<'a> Report<'a> {
    fn of(report: &'a CaseReport) -> Self {
        let case = |outcome: &'a CaseOutcome| Case {
            name: &outcome.name,
            file: &outcome.file,
            passed: outcome.has_passed(),
            line: outcome.place.as_ref().map(|place| place.line),
            differences: outcome
                .differences
                .iter()
                .map(|one| Difference { what: one.what, expected: &one.expected, actual: &one.actual })
                .collect(),
        };
        Self { passed: report.passed(), failed: report.failed(), cases: report.iter().map(case).collect() }
    }
}
