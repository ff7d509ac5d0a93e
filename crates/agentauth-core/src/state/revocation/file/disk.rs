//! The file itself: what is read of it, how a line is added, and how it is written anew without the lines that ended.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::super::RevocationKey;
use super::super::entries::{Entries, Span};
use super::line;
use crate::disk::sync_directory;

/// The largest file that is read: twice as many lines as a store has room for by default.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// How often a writer looks for the file under its name, when others write it anew meanwhile.
const MAX_ATTEMPTS: usize = 16;

/// Why the file says nothing that can be relied on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is no regular file")]
    NotRegular,
    #[error("line {0} is no revocation")]
    Malformed(u64),
    #[error("it is shorter than it was")]
    Shrunk,
    #[error("it does not have all revocations any more that it had, and that count still")]
    Forgetful,
    #[error("it is longer than 67108864 bytes")]
    Oversize,
}

impl Fault {
    /// Whether reading it again brings nothing else before it is written to.
    pub(super) const fn is_of_content(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::Forgetful | Self::Oversize)
    }
}

/// Which file is meant, wherever it is moved to.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = Option<SystemTime>;

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Identity {
    metadata.created().ok()
}

/// What tells that a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    identity: Identity,
    len: u64,
    modified: Option<SystemTime>,
}

/// The file under this name. A link is not followed: it could lead to a file that someone else may write.
pub(super) fn stamp(path: &Path) -> Result<Stamp, Fault> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Err(Fault::NotRegular);
    }
    Ok(Stamp { identity: identity(&metadata), len: metadata.len(), modified: metadata.modified().ok() })
}

/// What has been read of a file.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The file, when it was last looked at.
    seen: Option<Stamp>,
    /// The same file, open: as long as it is, no other one is given its number.
    held: Option<Arc<File>>,
    /// How much of it was read: up to the end of its last whole line.
    pub(super) bytes: u64,
    pub(super) lines: u64,
}

/// What came of a look at the file.
pub(super) enum Look {
    Unchanged,
    /// These were added.
    Added(Vec<(RevocationKey, Span)>),
    /// It is another file, or was changed elsewhere than at its end: this is all there is.
    Anew(Entries),
}

impl Progress {
    /// Looks at the file, and reads what is new. A last line without its end is being written, or was left by a crash: it
    /// is no line yet.
    pub(super) fn look(&mut self, path: &Path) -> Result<Look, Fault> {
        let found = stamp(path)?;
        let seen = self.seen.filter(|seen| seen.identity == found.identity);
        let Some((seen, file)) = seen.zip(self.held.clone()) else {
            return self.read_anew(path);
        };
        if found.len < self.bytes {
            return Err(Fault::Shrunk);
        }
        if seen == found {
            return Ok(Look::Unchanged);
        }
        if found.len == self.bytes && seen.len == self.bytes {
            // As long as it was, and written to.
            return self.read_anew(path);
        }
        (&*file).seek(SeekFrom::Start(self.bytes))?;
        let mut added = Vec::new();
        self.read_lines(&file, |key, span| added.push((key, span)))?;
        self.seen = Some(found);
        Ok(if added.is_empty() { Look::Unchanged } else { Look::Added(added) })
    }

    fn read_anew(&mut self, path: &Path) -> Result<Look, Fault> {
        let found = stamp(path)?;
        let file = open(path, &found)?;
        let (mut entries, mut progress) = (Entries::default(), Self { seen: Some(found), ..Self::default() });
        progress.read_lines(&file, |key, span| entries.insert(key, span))?;
        *self = Self { held: Some(file.into()), ..progress };
        Ok(Look::Anew(entries))
    }

    fn read_lines(&mut self, file: &File, mut take: impl FnMut(RevocationKey, Span)) -> Result<(), Fault> {
        let room = MAX_FILE_BYTES.saturating_sub(self.bytes);
        let mut text = Vec::new();
        if file.take(room.saturating_add(1)).read_to_end(&mut text)? as u64 > room {
            return Err(Fault::Oversize);
        }
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(whole) = line.strip_suffix(b"\n") else { break };
            let (key, span) = line::read(whole).ok_or(Fault::Malformed(self.lines + 1))?;
            take(key, span);
            self.bytes += line.len() as u64;
            self.lines += 1;
        }
        Ok(())
    }
}

/// Opens the file that was found under this name, and no other that has taken its place.
fn open(path: &Path, found: &Stamp) -> Result<File, Fault> {
    let file = File::open(path)?;
    if identity(&file.metadata()?) == found.identity {
        Ok(file)
    } else {
        Err(io::Error::from(io::ErrorKind::NotFound).into())
    }
}

/// Creates the file for its owner alone, if there is none.
pub(super) fn create(path: &Path) -> io::Result<()> {
    match new_file(path) {
        Ok(file) => {
            file.sync_all()?;
            sync_directory(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create_new(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The file while no other process, and no other thread, writes to it.
pub(super) struct Locked<'p> {
    file: File,
    path: &'p Path,
}

impl<'p> Locked<'p> {
    /// Waits for whoever writes.
    pub(super) fn wait_for(path: &'p Path) -> Result<Self, Fault> {
        for _ in 0..MAX_ATTEMPTS {
            let found = stamp(path)?;
            let file = OpenOptions::new().append(true).open(path)?;
            if identity(&file.metadata()?) != found.identity {
                continue;
            }
            file.lock()?;
            // Whoever held the lock may have put another file in its place.
            if stamp(path)?.identity == found.identity {
                return Ok(Self { file, path });
            }
        }
        Err(io::Error::from(io::ErrorKind::WouldBlock).into())
    }

    /// Adds a line behind the last whole one, and waits until it is on the disk.
    pub(super) fn append(&mut self, whole: u64, key: &RevocationKey, span: &Span) -> io::Result<()> {
        // Left by a crash: whoever wrote it was told nothing good.
        if self.file.metadata()?.len() > whole {
            self.file.set_len(whole)?;
        }
        self.file.write_all(&line::write(key, span))?;
        self.file.sync_data()
    }

    /// Puts a file with `entries` alone in its place. Who reads the old one meanwhile has read a whole file; who waits for
    /// the lock of the old one looks for the new one then.
    pub(super) fn replace(&self, entries: &Entries) -> io::Result<()> {
        let temporary = beside(self.path);
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = new_file(&temporary)?;
        let mut text = Vec::new();
        for (key, span) in entries.iter() {
            text.extend(line::write(key, span));
        }
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path)?;
        sync_directory(self.path)
    }
}

/// Where the new file is written before it takes the old one's place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
