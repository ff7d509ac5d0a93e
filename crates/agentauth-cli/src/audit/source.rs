//! Where a log is, and whose checkpoints are believed.

use std::path::{Path, PathBuf};

use agentauth_audit::checkpoint::CheckpointVerifier;
use agentauth_audit::disk::{Directory as _, RealDirectory};
use agentauth_audit::format::segments_of;

use crate::CliError;
use crate::input::quoted;

pub(super) fn open(dir: &Path) -> Result<RealDirectory, CliError> {
    RealDirectory::existing(dir).map_err(unreadable(dir))
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
    let place = quoted(path);
    move |source| CliError::Unreadable { place, source }
}

/// The log in `dir`; or, if there is none, those in the directories below it, in the order of their names.
pub(super) fn logs(dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    if is_log(dir)? {
        return Ok(vec![dir.to_owned()]);
    }
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable(dir))? {
        let path = entry.map_err(unreadable(dir))?.path();
        if path.is_dir() && is_log(&path)? {
            logs.push(path);
        }
    }
    logs.sort_unstable();
    Ok(if logs.is_empty() { vec![dir.to_owned()] } else { logs })
}

fn is_log(dir: &Path) -> Result<bool, CliError> {
    let names = open(dir)?.list().map_err(unreadable(dir))?;
    Ok(!segments_of(names).is_empty())
}

/// The verifier keys that `given` is, or that stand in the file of that name.
pub(super) fn key(given: &str) -> Result<CheckpointVerifier, CliError> {
    let path = Path::new(given);
    let read = if given.contains('+') && !path.exists() {
        CheckpointVerifier::new([given])
    } else {
        CheckpointVerifier::from_file(path)
    };
    read.map_err(|error| CliError::Setting { option: "key", problem: error.to_string() })
}
