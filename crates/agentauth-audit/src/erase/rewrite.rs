use std::io;

use super::EraseError;
use super::segment::Reader;
use crate::disk::{Directory, read_full};
use crate::format::{Body, EntryKind, UNFINISHED, append_frame, segment_of};
use crate::read::{Entry, Segment};
use crate::tree::{Hash, leaf_hash};

/// Written to the disk at once. It grows to the longest frame if that is longer.
const CHUNK: usize = 256 * 1024;

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It stays, byte for byte.
    Keep,
    /// Its side becomes zeros.
    EraseSide,
    /// Its leaf hash is all that stays.
    Retire,
}

/// Writes a segment anew, as `change` has it, and puts it in the place of the old one, at once. What does not count is left out.
pub(super) fn rewrite(
    directory: &dyn Directory,
    segment: Segment,
    change: impl FnMut(&Body<'_>, &Entry<'_>) -> Change,
) -> Result<(), EraseError> {
    let name = segment.name();
    let unfinished = format!("{name}{UNFINISHED}");
    // Of an earlier attempt.
    let _ = directory.remove(&unfinished);
    let written = write(directory, segment, &unfinished, change).and_then(|()| {
        directory.rename(&unfinished, &name)?;
        Ok(directory.sync()?)
    });
    if written.is_err() {
        // It would hold what is to be erased. Where this fails too, the next one removes it.
        let _ = directory.remove(&unfinished);
    }
    written
}

/// Ends what an interrupted [`rewrite`] has begun: what it has left may hold what was to be erased, and what it has put in
/// place may be seen and not be on the disk.
pub(super) fn settle(directory: &dyn Directory) -> io::Result<()> {
    for name in directory.list()?.iter().filter(|name| is_unfinished(name)) {
        directory.remove(name)?;
    }
    directory.sync()
}

/// Whether it is the name of a segment that is written anew.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(UNFINISHED).is_some_and(|segment| segment_of(segment).is_some())
}

fn write(
    directory: &dyn Directory,
    segment: Segment,
    unfinished: &str,
    mut change: impl FnMut(&Body<'_>, &Entry<'_>) -> Change,
) -> Result<(), EraseError> {
    let mut from = segment.read(directory)?;
    let mut to = directory.create(unfinished)?;
    let mut out = header(directory, segment, &from)?;
    let (mut stub, mut zeros) = (Vec::new(), Vec::new());
    while let Some(entry) = from.next()? {
        let body = entry.read().map_err(|_| segment.damaged(entry.offset))?;
        match change(&body, &entry) {
            Change::Keep => append_frame(&mut out, entry.body, entry.side),
            Change::EraseSide => {
                zeros.clear();
                zeros.resize(entry.side.len(), 0);
                append_frame(&mut out, entry.body, &zeros);
            }
            Change::Retire => {
                stub.clear();
                let leaf = leaf_hash(entry.body);
                let retired = Body { kind: EntryKind::Retired, commitment: Hash::default(), payload: &leaf.0, ..body };
                retired.write(&mut stub);
                append_frame(&mut out, &stub, &[]);
            }
        }
        if out.len() >= CHUNK {
            to.append(&out)?;
            out.clear();
        }
    }
    to.append(&out)?;
    Ok(to.sync()?)
}

/// The beginning of the segment, as it is written.
fn header(directory: &dyn Directory, segment: Segment, reader: &Reader) -> io::Result<Vec<u8>> {
    let file = directory.open(&segment.name())?;
    // Bounded by the longest header.
    let mut bytes = vec![0; usize::try_from(reader.offset()).map_err(io::Error::other)?];
    if read_full(&*file, &mut bytes, 0)? < bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}
