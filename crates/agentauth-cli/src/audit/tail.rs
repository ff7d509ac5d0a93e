use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use super::asked::{Answer, FilterArgs, LogArgs};
use super::line::{envelope, told};
use crate::{CliError, Exit, Terminal};

/// So often is looked whether something has come.
const LOOK: Duration = Duration::from_millis(250);

/// No more are held in memory to be turned round.
const MAX_LINES: usize = 100_000;

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    log: LogArgs,

    /// So many of the latest.
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20)]
    lines: usize,

    /// Go on with those that come.
    #[arg(short, long)]
    follow: bool,

    /// Write one JSON object for each entry, on a line of its own.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    filters: FilterArgs,
}

pub(crate) fn run(args: &TailArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let log = args.log.open()?;
    let (look, is_one_of_several) = (terminal.look(), log.names().count() > 1);
    let filter = args.filters.filter(terminal.time(None));
    let mut follow = args.follow.then(|| log.follow(&filter));
    let mut answer = Answer::new(terminal);
    let mut latest = Vec::new();
    let mut found = log.newest_first(&filter);
    while latest.len() < args.lines.min(MAX_LINES)
        && let Some(read) = found.next()
    {
        // What has come since is told by following.
        latest.extend(answer.read(read)?.filter(|record| follow.as_ref().is_none_or(|follow| follow.is_past(record))));
    }
    let line = |record: &_| if args.json { envelope(record) } else { told(record, look, is_one_of_several) };
    for record in latest.iter().rev() {
        answer.line(&line(record))?;
    }
    while let Some(follow) = &mut follow {
        answer.flush()?;
        if answer.is_over() {
            break;
        }
        match follow.poll() {
            Ok(come) if come.is_empty() => sleep(LOOK),
            Ok(come) => {
                for record in come {
                    if let Some(record) = answer.read(Ok(record))? {
                        answer.line(&line(&record))?;
                    }
                }
            }
            Err(error) => answer.told(error)?,
        }
    }
    answer.end()
}
