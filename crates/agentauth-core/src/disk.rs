//! What it takes for a file to survive a crash.

use std::fs::File;
use std::io;
use std::path::Path;

/// A file that is new, or has a new name, is only safe once its directory entry is.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}
