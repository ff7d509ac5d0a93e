use std::path::PathBuf;

use crate::{CliError, Exit, Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The directory of the log.
    dir: PathBuf,
}

pub(crate) fn run(args: &ExportArgs, _terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let _ = &args.dir;
    Ok(Exit::Refused)
}
