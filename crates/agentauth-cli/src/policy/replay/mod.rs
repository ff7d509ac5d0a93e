mod change;
mod log;
mod report;

use std::path::PathBuf;

use agentauth_core::audit::{RecordError, RecordedLine};
use agentauth_core::jose::JsonError;
use clap::Args;

use super::server::ServerArgs;
use super::sources::{checked, read};
use crate::text::pretty_json;
use crate::{CliError, Exit, Terminal};
use log::Log;
use report::Report;

/// Torn lines that are told one by one.
const MAX_REMARKS: usize = 5;

/// Which record, and which policies.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The record: the directory of an audit log, or a file of JSON lines.
    #[arg(long, value_name = "LOG")]
    log: PathBuf,

    /// The directory with the policies to try on it.
    #[arg(long, value_name = "DIR")]
    candidate: PathBuf,

    #[command(flatten)]
    server: ServerArgs,

    /// Show every change, not only the first 20.
    #[arg(long)]
    all: bool,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ReplayArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let sources = args.server.told(read(&args.candidate)?)?;
    let policies = args.server.asked(checked(&args.candidate, &sources)?);
    let mut report = Report::new(args.all);
    let mut log = Log::open(&args.log)?;
    while let Some((number, line)) = log.next_line()? {
        match RecordedLine::read(line) {
            Ok(RecordedLine::Decision(decision)) => report.add(&decision, change::of(&policies, &decision)),
            Ok(RecordedLine::BeforePolicy) => report.before_policy(),
            Ok(RecordedLine::Incomplete) => report.incomplete(),
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
