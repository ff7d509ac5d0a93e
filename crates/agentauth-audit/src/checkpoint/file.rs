//! Files with keys.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::CheckpointError;

/// A file of keys is not longer, in bytes: a private key is one line, and public keys are as many as there were rotations.
const MAX_BYTES: u64 = 64 * 1024;

/// What of a file's mode is others' than its owner's.
const OTHERS: u32 = 0o077;

/// Reads the file of a private key, which nobody but its owner may read or write.
pub(super) fn private(path: &Path) -> Result<String, CheckpointError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mode = file.metadata().map_err(|error| unreadable(path, &error))?.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(CheckpointError::Exposed(place(path)));
    }
    read(file, path)
}

pub(super) fn public(path: &Path) -> Result<String, CheckpointError> {
    read(File::open(path).map_err(|error| unreadable(path, &error))?, path)
}

fn read(file: File, path: &Path) -> Result<String, CheckpointError> {
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| unreadable(path, &error))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(CheckpointError::File {
            place: place(path),
            why: format!("it is longer than {MAX_BYTES} bytes").into(),
        });
    }
    Ok(text)
}

fn unreadable(path: &Path, error: &io::Error) -> CheckpointError {
    CheckpointError::File { place: place(path), why: error.to_string().into() }
}

fn place(path: &Path) -> Box<str> {
    format!("`{}`", path.display()).into()
}
