//! What it takes for a file to survive a crash, and to read one that somebody else may have put there.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// A file that is new, or has a new name, is only safe once its directory entry is.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Opens the file at `path`, if it is one: a device may never end, and a pipe never begin.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("it is not a file")) }
}
