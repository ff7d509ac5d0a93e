use std::path::PathBuf;

use clap::Args;

use crate::{CliError, Exit, Terminal};

/// Which policies, and what request.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The directory with the policies.
    policies: PathBuf,
}

pub(crate) fn run(args: &ExplainArgs, _: &mut Terminal<'_>) -> Result<Exit, CliError> {
    Err(CliError::Setting { option: "policies", problem: format!("{}: not built yet", args.policies.display()) })
}
