use std::path::PathBuf;

use clap::Args;

use super::sources::{checked, lines, read};
use crate::{CliError, Exit, Terminal};

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// The directory with the policies (`*.cedar`) and their schema (`*.cedarschema`).
    #[arg(value_name = "DIR")]
    policies: PathBuf,
}

pub(crate) fn run(args: &SchemaArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let mut sources = read(&args.policies)?;
    // What is wrong with policies is no reason to have no schema to write them by.
    sources.policies.clear();
    let schema = checked(&args.policies, &sources)?.schema_text();
    terminal.write(format!("{}\n", lines(schema.trim_end())).as_bytes())?;
    Ok(Exit::Good)
}
