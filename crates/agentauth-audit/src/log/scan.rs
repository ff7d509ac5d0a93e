//! The end of the log, as the writer before has left it.

use std::io;

use super::queue::GROUP_BYTES;
use super::tape::Position;
use crate::disk::{Directory, LogFile, read_full};
use crate::format::{
    Body, EntryKind, FRAME_HEAD_BYTES, Frame, FrameError, FrameHead, HEAD_BYTES, HeaderError, MAX_BODY_BYTES,
    MAX_SIDE_BYTES,
};
use crate::read::{SegmentEnd, SegmentReader};
use crate::tree::Hash;

/// No write is longer: a group with its last record, and what the log says beside it. So no crash tears more than this.
pub(crate) const MAX_WRITE_BYTES: u64 = (GROUP_BYTES + 2 * (MAX_BODY_BYTES + MAX_SIDE_BYTES)) as u64;

/// The last segment, read to its end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) at: Position,
    /// Where the last good frame ends.
    pub(super) length: u64,
    /// What comes after it, torn by a crash.
    pub(super) torn: Vec<u8>,
    /// What kind the last entry is of; none if the segment is empty.
    pub(super) last: Option<EntryKind>,
}

/// Why a segment cannot be gone on with.
#[derive(Debug)]
pub(super) enum ScanError {
    Io(io::Error),
    /// Damaged at this offset, and not by a crash.
    Damaged(u64),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads on to the end of a segment. Tells `heads` how large the tree is with each entry, and what its root is.
pub(super) fn to_end(
    reader: &mut SegmentReader,
    file: &dyn LogFile,
    mut heads: impl FnMut(&Position),
) -> Result<End, ScanError> {
    let header = reader.header();
    let mut at = Position { tree: header.tree(), previous: header.previous, micros: 0 };
    let mut last = None;
    heads(&at);
    loop {
        let offset = reader.offset();
        let entry = match reader.next_entry() {
            Ok(entry) => entry,
            Err(SegmentEnd::Whole) => return Ok(End { at, length: offset, torn: Vec::new(), last }),
            Err(SegmentEnd::Failed(error)) => return Err(error.into()),
            Err(SegmentEnd::Damaged(error)) => {
                let torn = torn_tail(file, offset, error, &at)?;
                return Ok(End { at, length: offset, torn, last });
            }
        };
        // A whole frame that does not belong here was put here.
        let body = entry.read().map_err(|_| ScanError::Damaged(offset))?;
        if body.number != at.tree.size() || body.previous != at.previous {
            return Err(ScanError::Damaged(offset));
        }
        let leaf = entry.leaf(&body).ok_or(ScanError::Damaged(offset))?;
        (last, at.micros, at.previous) = (Some(body.kind), body.micros, leaf);
        at.tree.push(at.previous);
        heads(&at);
    }
}

/// The bytes from `offset` on, if a crash can have torn them.
fn torn_tail(file: &dyn LogFile, offset: u64, error: FrameError, at: &Position) -> Result<Vec<u8>, ScanError> {
    let left = file.length()?.saturating_sub(offset);
    if left > MAX_WRITE_BYTES {
        return Err(ScanError::Damaged(offset));
    }
    let tail = read_all(file, offset, left)?;
    // What is personal is written with its entry, and only an erasure touches it later.
    if is_torn(&tail, at.tree.size(), at.previous) { Ok(tail) } else { Err(ScanError::Damaged(offset)) }.inspect_err(
        |_| {
            tracing::error!(target: "agentauth::audit", code = error.code(), offset, "the audit log is damaged");
        },
    )
}

/// Whether one write that was not finished can have left `tail`, where the entry `next` should be, which follows the leaf
/// hash `previous`.
///
/// Pages of such a write may be on the disk in any order, so whole frames may follow the bad place; but they are all of
/// one write, and have its one time. A frame of another time shows that a later write was begun, that is, that the
/// bad place had been on the disk.
pub(crate) fn is_torn(tail: &[u8], next: u64, previous: Hash) -> bool {
    let mut time = time_of_damaged(tail, previous);
    let mut at = 1;
    let mut guesses = Guesses::of(tail.len() as u64);
    while let Some(rest) = tail.get(at..).filter(|rest| rest.len() >= FRAME_HEAD_BYTES + HEAD_BYTES) {
        let frame = head_of(rest).filter(|head| is_soon(head, next));
        match frame.map(|head| (head.micros, guesses.read(rest))) {
            Some((_, Guess::TooMany)) => return false,
            Some((micros, Guess::Frame(_))) if *time.get_or_insert(micros) != micros => return false,
            Some((_, Guess::Frame(length))) => at += length,
            Some((_, Guess::None)) | None => at += 1,
        }
    }
    true
}

/// How much is read of what looks like frames and is none.
///
/// Frames that are torn or damaged stand beside each other, and so are no longer than all they are in; somebody else's bytes can
/// look like a long one at every place, and would be read as often.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Guesses {
    left: u64,
}

/// What looks like a frame.
enum Guess {
    /// It is one, so long.
    Frame(usize),
    None,
    /// These bytes were made to be read for ever.
    TooMany,
}

impl Guesses {
    /// In `bytes` bytes.
    pub(crate) const fn of(bytes: u64) -> Self {
        Self { left: bytes.saturating_mul(2).saturating_add(MAX_WRITE_BYTES) }
    }

    /// Another one, that is so long, was none. False if that was one too many.
    pub(crate) fn missed(&mut self, length: usize) -> bool {
        let left = self.left.checked_sub(length as u64);
        self.left = left.unwrap_or_default();
        left.is_some()
    }

    fn read(&mut self, rest: &[u8]) -> Guess {
        let Ok(head) = FrameHead::read(rest) else { return Guess::None };
        match Frame::read(rest) {
            Ok((_, length)) => Guess::Frame(length),
            Err(_) if self.missed(head.rest()) => Guess::None,
            Err(_) => Guess::TooMany,
        }
    }
}

/// The time in a frame that is damaged, if it is there.
///
/// What a crash loses are whole sectors. Where both the checksum before the time and the link after it are there, the time between
/// them is: they are closer to each other than a sector is long. Of the link, some bytes may be what is damaged.
fn time_of_damaged(frame: &[u8], link: Hash) -> Option<u64> {
    let (micros, rest) = frame.get(FRAME_HEAD_BYTES + 9..)?.split_first_chunk::<8>()?;
    let same = rest.iter().zip(link.0).filter(|(here, should)| **here == *should).count();
    let has_checksum = frame.get(8..12)?.iter().any(|byte| *byte != 0);
    (has_checksum && same >= 24).then(|| u64::from_le_bytes(*micros))
}

/// The head of the body in the frame that `bytes` begin with, if they look like one: cheap, and so done at each byte.
fn head_of(bytes: &[u8]) -> Option<Body<'_>> {
    Body::read(bytes.get(FRAME_HEAD_BYTES..FRAME_HEAD_BYTES + HEAD_BYTES)?).ok()
}

/// Whether it can be in the write that begins with the entry `next`.
fn is_soon(head: &Body<'_>, next: u64) -> bool {
    (next..next.saturating_add(MAX_WRITE_BYTES)).contains(&head.number)
}

/// The bytes of a segment whose header is damaged, if a crash can have torn it; it should begin with the entry `first`.
pub(super) fn torn_segment(file: &dyn LogFile, first: u64, error: HeaderError) -> Result<Vec<u8>, ScanError> {
    let length = file.length()?;
    if length > MAX_WRITE_BYTES {
        return Err(ScanError::Damaged(0));
    }
    let all = read_all(file, 0, length)?;
    // A segment is written whole before it has its name.
    let mut guesses = Guesses::of(length);
    let has_entries = (1..all.len()).any(|at| {
        let rest = all.get(at..).unwrap_or_default();
        head_of(rest).is_some_and(|head| is_soon(&head, first)) && !matches!(guesses.read(rest), Guess::None)
    });
    if has_entries || matches!(error, HeaderError::Malformed) {
        return Err(ScanError::Damaged(0));
    }
    Ok(all)
}

fn read_all(file: &dyn LogFile, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let filled = read_full(file, &mut bytes, offset)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// A small file, whole; what is longer than `most` is cut off.
pub(super) fn read_file(directory: &dyn Directory, name: &str, most: u64) -> io::Result<Vec<u8>> {
    let file = directory.open(name)?;
    let length = file.length()?.min(most);
    read_all(&*file, 0, length)
}
