use clap::{Args, ValueEnum};

use super::asked::{Answer, FilterArgs, LogArgs};
use super::{line, ocsf};
use crate::text::{counted, json};
use crate::{CliError, Exit, Terminal};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    log: LogArgs,

    /// In which form.
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Format,

    #[command(flatten)]
    filters: FilterArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// The records as they were written, one a line.
    Jsonl,
    /// Events of the Open Cybersecurity Schema Framework, one a line.
    Ocsf,
}

pub(crate) fn run(args: &ExportArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let log = args.log.open()?;
    let filter = args.filters.filter(terminal.time(None));
    let mut answer = Answer::new(terminal);
    let mut left_out = 0_usize;
    for read in log.oldest_first(&filter) {
        let Some(record) = answer.read_record(read)? else { continue };
        let written = match args.format {
            Format::Jsonl => line::raw(&record),
            Format::Ocsf => ocsf::event(&record).map(|event| json(&event)),
        };
        match written {
            Some(written) => answer.line(&written)?,
            None => left_out = left_out.saturating_add(1),
        }
        if answer.is_over() {
            break;
        }
    }
    if left_out > 0 {
        answer.remark(&format!("left out: {} that cannot be read here", counted(left_out, "record", "records")));
    }
    answer.end()
}
