//! Policies from a directory, and how what is said of them is shown.

use std::path::Path;

use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::policy::{Problem, Problems};

use crate::CliError;
use crate::text::shown;

/// Reads the policies of `directory`.
pub(super) fn read(directory: &Path) -> Result<Sources, CliError> {
    let sources = Sources::read(directory).map_err(|problems| CliError::Policies(first(&problems)))?;
    if sources.policies.is_empty() && sources.schemas.is_empty() {
        return Err(CliError::NoPolicies(crate::input::quoted(directory)));
    }
    Ok(sources)
}

/// Puts `sources`, of `directory`, into force to ask them.
pub(super) fn checked(directory: &Path, sources: &Sources) -> Result<CedarPolicies, CliError> {
    CedarPolicies::new(sources).map_err(|problems| {
        let place = crate::input::quoted(directory);
        CliError::BrokenPolicies { place, count: problems.count(), first: first(&problems) }
    })
}

/// The first of them on one line.
fn first(problems: &Problems) -> String {
    problems.iter().next().map(Problem::in_brief).unwrap_or_default()
}

/// `text` of several lines, of which others wrote parts. Tabs stay, so that what points at a place points at it.
pub(super) fn lines(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(shown).collect::<Vec<_>>().join("\t");
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}
