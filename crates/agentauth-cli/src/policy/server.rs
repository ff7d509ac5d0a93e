//! What the server has that the policies are for, beside their directory.

use std::path::PathBuf;

use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::Mode;
use clap::{Args, ValueEnum};

use crate::CliError;
use crate::input::{quoted, read_file};

/// As much as is read of a file of policies.
const MAX_ENTITIES_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// What the server's provider would tell of entities: a file like `entities.json`, asked beside it.
    #[arg(long, value_name = "FILE")]
    entities: Option<PathBuf>,

    /// Let policies permit callers in this mode too, as `CedarPolicies::even_in` does. May be repeated.
    #[arg(long, value_name = "MODE", value_enum)]
    even_in: Vec<EvenIn>,
}

/// A mode in which policies permit nothing unless the server says so; written as policies write it.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum EvenIn {
    Impersonation,
    AgentAccount,
    ClientOnly,
}

impl ServerArgs {
    /// `sources` with the entities that the server is told of.
    pub(super) fn told(&self, sources: Sources) -> Result<Sources, CliError> {
        let Some(file) = &self.entities else { return Ok(sources) };
        let text = String::from_utf8(read_file(file, MAX_ENTITIES_BYTES)?).map_err(|_| CliError::Setting {
            option: "entities",
            problem: format!("{} is not UTF-8 text", quoted(file)),
        })?;
        Ok(sources.entities(&file.to_string_lossy(), &text))
    }

    /// `policies` in the modes in which the server asks them.
    pub(super) fn asked(&self, policies: CedarPolicies) -> CedarPolicies {
        self.even_in.iter().fold(policies, |policies, mode| policies.even_in(mode.mode()))
    }
}

impl EvenIn {
    const fn mode(self) -> Mode {
        match self {
            Self::Impersonation => Mode::Impersonation,
            Self::AgentAccount => Mode::AgentAccount,
            Self::ClientOnly => Mode::ClientOnly,
        }
    }
}
