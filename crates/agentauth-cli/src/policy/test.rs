use std::path::PathBuf;

use clap::Args;

use crate::{CliError, Exit, Terminal};

/// Which policies and cases.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The directory with the policies.
    policies: PathBuf,
}

pub(crate) fn run(args: &TestArgs, _: &mut Terminal<'_>) -> Result<Exit, CliError> {
    Err(CliError::Setting { option: "policies", problem: format!("{}: not built yet", args.policies.display()) })
}
