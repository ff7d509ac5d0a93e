//! What it takes for a file to survive a crash, and to read one that somebody else may have put there.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// A file that is new, or has a new name, is only safe once its directory entry is.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Reads the file at `path`, if it is one (a device may never end, and a pipe never begin): at most one byte more than `limit`,
/// by which it is known to be too much.
pub(crate) fn read_at_most(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
