use std::path::{Path, PathBuf};

use agentauth_cedar::ToolActions;
use clap::Args;

use super::sources::{checked, lines, read};
use crate::input::{quoted, read_file, read_input};
use crate::{CliError, Exit, Terminal};

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// The directory with the policies (`*.cedar`) and their schema (`*.cedarschema`).
    #[arg(value_name = "DIR", required_unless_present = "tools")]
    policies: Option<PathBuf>,

    /// Write the actions of these tools instead: the answer of an MCP server to tools/list (`-` for standard input).
    #[arg(long, value_name = "FILE", conflicts_with = "policies")]
    tools: Option<PathBuf>,

    /// The entity types that tools act on: `Server` unless given. May be repeated.
    #[arg(long, value_name = "TYPE", requires = "tools")]
    resource: Vec<String>,
}

/// A list of tools is larger than a token, and smaller than this.
const MAX_TOOLS_BYTES: usize = 16 * 1024 * 1024;

pub(crate) fn run(args: &SchemaArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let Some(policies) = &args.policies else { return actions(args, terminal) };
    let mut sources = read(policies)?;
    // What is wrong with policies is no reason to have no schema to write them by.
    sources.policies.clear();
    sources.links.clear();
    sources.entities.clear();
    let schema = checked(policies, &sources)?.schema_text();
    terminal.write(format!("{}\n", lines(schema.trim_end())).as_bytes())?;
    Ok(Exit::Good)
}

/// Writes the actions of a list of tools; or what is wrong with it.
fn actions(args: &SchemaArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let (place, bytes) = match args.tools.as_deref() {
        Some(file) if file != Path::new("-") => (quoted(file), read_file(file, MAX_TOOLS_BYTES)?),
        _ => read_input(terminal, MAX_TOOLS_BYTES)?,
    };
    let tools = String::from_utf8(bytes)
        .map_err(|_| CliError::Setting { option: "tools", problem: format!("{place} is not UTF-8 text") })?;
    let mut settings = ToolActions::default();
    if !args.resource.is_empty() {
        settings.resources.clone_from(&args.resource);
    }
    let (text, exit) = match settings.write(&place, &tools) {
        Ok(schema) => (schema, Exit::Good),
        Err(problems) => (problems.to_string(), Exit::Refused),
    };
    terminal.write(format!("{}\n", lines(text.trim_end())).as_bytes())?;
    Ok(exit)
}
