use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{AnchorError, AnchorSink, ConsistencyProofs, check_growth};
use crate::checkpoint::{Head, MAX_NOTE_BYTES};

/// What of the end of the file is read, in bytes: room for the longest note, and for some thousands that are usual.
const WINDOW: usize = 8 * MAX_NOTE_BYTES;

/// What each note is preceded by: this, its length and its CRC-32C in hexadecimal, and a line feed. No line of a
/// checkpoint of ours begins like this, because no origin has a space.
const MARK: &str = "note ";

/// The longest line before a note, in bytes.
const MAX_MARK_BYTES: usize = 32;

/// An anchor in a file, on another mount at best: the notes of one log, one after the other, each of which is on the disk
/// before it counts.
///
/// Whoever can write to the file can take its memory: it helps against those who can write to the log's files and not to this
/// one.
#[derive(Debug)]
pub struct FileAnchor {
    name: String,
    path: PathBuf,
}

impl FileAnchor {
    /// The file at `path`, which is created for its owner alone if it is not there.
    ///
    /// A mount that is missing looks like a file that is: where that can be, create the file once and use
    /// [`FileAnchor::existing`].
    ///
    /// # Errors
    /// [`AnchorError::Unavailable`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AnchorError> {
        let path = path.as_ref();
        match OpenOptions::new().append(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => file.sync_all().and_then(|()| sync_parent(path)).map_err(|error| failed(path, &error))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(path, &error)),
        }
        Self::existing(path)
    }

    /// The file at `path`, which must be there.
    ///
    /// # Errors
    /// [`AnchorError::Unavailable`].
    pub fn existing(path: impl AsRef<Path>) -> Result<Self, AnchorError> {
        let path = path.as_ref().to_owned();
        File::open(&path).map_err(|error| failed(&path, &error))?;
        Ok(Self { name: format!("the file `{}`", path.display()), path })
    }

    /// The end of the file: its whole notes, and where they end.
    fn read(&self, file: &File) -> Result<(Vec<String>, u64), AnchorError> {
        let length = file.metadata().map_err(|error| failed(&self.path, &error))?.len();
        let begin = length.saturating_sub(WINDOW as u64);
        let mut bytes = vec![0; usize::try_from(length - begin).unwrap_or(WINDOW)];
        file.read_exact_at(&mut bytes, begin).map_err(|error| failed(&self.path, &error))?;
        let whole = Notes::read(&bytes, begin > 0).ok_or_else(|| {
            AnchorError::Damaged(format!("{} has something else between its notes", self.name).into())
        })?;
        Ok((whole.notes, begin + whole.end as u64))
    }

    fn anchor_locked(&self, file: &mut File, next: &Head, note: &str) -> Result<(), AnchorError> {
        let (notes, end) = self.read(file)?;
        if let Some(last) = notes.last() {
            let known = head(last)?;
            if known.origin != next.origin {
                return Err(AnchorError::Refused("the file remembers another log; each log has its own".into()));
            }
            check_growth(&known, next)?;
            if last == note {
                return Ok(());
            }
        }
        append(file, end, note).map_err(|error| failed(&self.path, &error))
    }
}

impl AnchorSink for FileAnchor {
    fn name(&self) -> &str {
        &self.name
    }

    fn anchor(&self, note: &str, _: &dyn ConsistencyProofs) -> Result<(), AnchorError> {
        let next = head(note)?;
        let options = OpenOptions::new().read(true).append(true).open(&self.path);
        let mut file = options.map_err(|error| failed(&self.path, &error))?;
        file.try_lock().map_err(|_| AnchorError::Unavailable("another process writes to the file".into()))?;
        let anchored = self.anchor_locked(&mut file, &next, note);
        // Closing it would do, but for a process that is being started meanwhile, which has it open until then.
        let _ = file.unlock();
        anchored
    }

    fn anchored(&self, origin: &str) -> Result<Vec<String>, AnchorError> {
        let file = File::open(&self.path).map_err(|error| failed(&self.path, &error))?;
        let (notes, _) = self.read(&file)?;
        match notes.last().map(|note| head(note)).transpose()? {
            Some(head) if head.origin != origin => {
                let why = "it remembers another log; each log has its own file";
                Err(AnchorError::Damaged(format!("{}: {why}", self.name).into()))
            }
            _ => Ok(notes),
        }
    }
}

fn append(file: &mut File, end: u64, note: &str) -> io::Result<()> {
    if file.metadata()?.len() > end {
        // A crash has left half a note, for which nobody was told that it counts.
        file.set_len(end)?;
        file.sync_data()?;
    }
    let mark = format!("{MARK}{} {:08x}\n", note.len(), crc32c::crc32c(note.as_bytes()));
    file.write_all(format!("{mark}{note}").as_bytes())?;
    file.sync_data()
}

fn head(note: &str) -> Result<Head, AnchorError> {
    Head::read(note)
        .ok()
        .filter(|head| note.len() <= MAX_NOTE_BYTES && !head.origin.contains(' '))
        .ok_or_else(|| AnchorError::Refused("it is no checkpoint".into()))
}

/// The notes of the end of a file.
struct Notes {
    notes: Vec<String>,
    /// Where the last one ends.
    end: usize,
}

impl Notes {
    /// Reads them. If `is_cut`, the bytes begin anywhere. `None` if there is something else between them.
    fn read(bytes: &[u8], is_cut: bool) -> Option<Self> {
        let mut end = if is_cut { Self::next(bytes, 0)? } else { 0 };
        let mut notes = Vec::new();
        while let Some((note, length)) = Self::whole(bytes.get(end..)?) {
            notes.push(note.to_owned());
            end += length;
        }
        // What is left is the beginning of a note that a crash has cut off, or nothing. Anything else is damage, or the
        // file is not ours to cut.
        let is_ours = bytes.get(end..).is_some_and(Self::is_begun) && Self::next(bytes, end).is_none();
        if !is_ours {
            return None;
        }
        Some(Self { notes, end })
    }

    /// Where the first whole note begins, from `from`.
    fn next(bytes: &[u8], from: usize) -> Option<usize> {
        let mut places = memchr::memmem::find_iter(bytes.get(from..)?, MARK).map(|place| from + place);
        places.find(|&place| bytes.get(place..).and_then(Self::whole).is_some())
    }

    /// Whether `rest` is what a crash leaves of a note, whose file may have grown before it was written to.
    fn is_begun(rest: &[u8]) -> bool {
        let written = rest.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let (zeros, rest) = (rest.len() - written, rest.get(..written).unwrap_or_default());
        match Self::mark(rest) {
            Some((mark, length, _)) => rest.len() <= mark + length,
            None => {
                let is_begun = MARK.as_bytes().starts_with(rest) || rest.starts_with(MARK.as_bytes());
                is_begun && rest.len() < MAX_MARK_BYTES && !rest.contains(&b'\n') && zeros <= MAX_NOTE_BYTES
            }
        }
    }

    /// The note that `bytes` begin with, and how long it is with its mark.
    fn whole(bytes: &[u8]) -> Option<(&str, usize)> {
        let (mark, length, sum) = Self::mark(bytes)?;
        let note = bytes.get(mark..)?.get(..length)?;
        let is_right = format!("{:08x}", crc32c::crc32c(note)) == sum;
        is_right.then_some((std::str::from_utf8(note).ok()?, mark + length))
    }

    /// How long the mark is that `bytes` begin with, and what it says.
    fn mark(bytes: &[u8]) -> Option<(usize, usize, &str)> {
        let line = bytes.get(..bytes.len().min(MAX_MARK_BYTES))?;
        let line = line.get(..memchr::memchr(b'\n', line)?)?;
        let (length, sum) = std::str::from_utf8(line).ok()?.strip_prefix(MARK)?.split_once(' ')?;
        let length = length.parse().ok().filter(|&length| length <= MAX_NOTE_BYTES)?;
        Some((line.len() + 1, length, sum))
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn failed(path: &Path, error: &io::Error) -> AnchorError {
    AnchorError::Unavailable(format!("`{}`: {error}", path.display()).into())
}
