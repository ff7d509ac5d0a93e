mod change;
mod log;
mod report;

use std::path::{Path, PathBuf};

use agentauth_cedar::CedarPolicies;
use agentauth_core::Mode;
use agentauth_core::audit::{RecordError, RecordedLine};
use agentauth_core::jose::JsonError;
use clap::{Args, ValueEnum};

use crate::input::quoted;
use crate::text::{counted, pretty_json};
use crate::{CliError, Exit, Terminal};
use log::Log;
use report::Report;

/// Torn lines that are told one by one.
const MAX_REMARKS: usize = 5;

/// Which record, and which policies.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The record: a file of JSON lines, as the audit sink writes it.
    #[arg(long, value_name = "FILE")]
    log: PathBuf,

    /// The directory with the policies to try on it.
    #[arg(long, value_name = "DIR")]
    candidate: PathBuf,

    /// A mode in which the server lets policies permit callers, beside autonomous and on-behalf-of. May be given several
    /// times.
    #[arg(long, value_name = "MODE")]
    even_in: Vec<EvenIn>,

    /// Show every change, not only the first 20.
    #[arg(long)]
    all: bool,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// A mode in which policies permit nothing unless the server says so.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum EvenIn {
    Impersonation,
    AgentAccount,
    ClientOnly,
}

impl From<EvenIn> for Mode {
    fn from(mode: EvenIn) -> Self {
        match mode {
            EvenIn::Impersonation => Self::Impersonation,
            EvenIn::AgentAccount => Self::AgentAccount,
            EvenIn::ClientOnly => Self::ClientOnly,
        }
    }
}

pub(crate) fn run(args: &ReplayArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let policies = args.even_in.iter().fold(candidate(&args.candidate)?, |all, mode| all.even_in((*mode).into()));
    let mut report = Report::new(args.all);
    let mut log = Log::open(&args.log)?;
    while let Some((number, line)) = log.next_line()? {
        match RecordedLine::read(line) {
            Ok(RecordedLine::Decision(decision)) => report.add(&decision, change::of(&policies, &decision)),
            Ok(RecordedLine::BeforePolicy) => report.before_policy(),
            Ok(_) => {}
            // What a crash has left of a line: the writer ends it, and goes on behind it.
            Err(RecordError::Json(JsonError::Syntax)) => {
                if report.torn() <= MAX_REMARKS {
                    terminal.remark(&format!("line {number} is torn, and left out"));
                }
            }
            Err(error) => return Err(log.refuse(number, &error)),
        }
    }
    let out = if args.json { format!("{}\n", pretty_json(&report)) } else { report.shown(terminal.look()) };
    terminal.write(out.as_bytes())?;
    Ok(if report.changes_something() { Exit::Refused } else { Exit::Good })
}

fn candidate(directory: &Path) -> Result<CedarPolicies, CliError> {
    CedarPolicies::from_dir(directory).map_err(|problems| {
        let count = counted(problems.iter().count(), "problem", "problems");
        let first = problems.iter().next().map(|first| {
            let place = first.place.as_ref().map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
            format!("{}{place}: {}", first.file, first.text)
        });
        let check = "`agentauth policy check` shows them all";
        let problem = format!("{}: {count}, the first {}; {check}", quoted(directory), first.unwrap_or_default());
        CliError::Setting { option: "candidate", problem }
    })
}
