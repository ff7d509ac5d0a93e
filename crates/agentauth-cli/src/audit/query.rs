use agentauth_audit::read::Matches;
use clap::Args;

use super::asked::{Answer, FilterArgs, LogArgs};
use super::line::{envelope, told};
use crate::{CliError, Exit, Terminal};

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    log: LogArgs,

    /// No more than so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// The latest first.
    #[arg(long)]
    newest_first: bool,

    /// Write only how many there are.
    #[arg(long)]
    count: bool,

    /// Write one JSON object for each entry, on a line of its own.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    filters: FilterArgs,
}

pub(crate) fn run(args: &QueryArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let log = args.log.open()?;
    let (look, is_one_of_several) = (terminal.look(), log.names().count() > 1);
    let filter = args.filters.filter(terminal.time(None));
    let mut found: Matches = if args.newest_first { log.newest_first(&filter) } else { log.oldest_first(&filter) };
    let mut answer = Answer::new(terminal);
    while args.limit.is_none_or(|limit| answer.found() < limit)
        && !answer.is_over()
        && let Some(read) = found.next()
    {
        if let Some(record) = answer.read(read)?.filter(|_| !args.count) {
            answer.line(&if args.json { envelope(&record) } else { told(&record, look, is_one_of_several) })?;
        }
    }
    if args.count {
        let count = answer.found();
        answer.line(&if args.json { format!(r#"{{"count":{count}}}"#) } else { count.to_string() })?;
    }
    answer.end()
}
