//! Following a log that nobody writes from its first entry to its last, and going on where it ends.

use std::fmt;
use std::io;

use agentauth_core::Timestamp;
use serde::Serialize;

use super::EraseError;
use crate::disk::{Directory, LogFile};
use crate::format::{Body, EntryKind, append_frame, commitment, segment_name, segment_of};
use crate::read::{Entry, SegmentEnd, SegmentReader};
use crate::tree::{Frontier, Hash, leaf_hash};

/// The lock of the one writer.
pub(super) fn lock(directory: &dyn Directory) -> Result<Box<dyn fmt::Debug + Send>, EraseError> {
    directory.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => EraseError::InUse,
        _ => EraseError::Io(error),
    })
}

/// The first entries of all segments, in order.
pub(super) fn segments(directory: &dyn Directory) -> io::Result<Vec<u64>> {
    let mut firsts: Vec<u64> = directory.list()?.iter().filter_map(|name| segment_of(name)).collect();
    firsts.sort_unstable();
    Ok(firsts)
}

pub(super) fn damaged(first: u64, offset: u64) -> EraseError {
    EraseError::Damaged { segment: segment_name(first), offset }
}

/// A segment, opened to be read.
pub(super) fn reader(directory: &dyn Directory, first: u64) -> Result<SegmentReader, EraseError> {
    let reader = SegmentReader::new(directory.open(&segment_name(first))?)?;
    reader.map_err(|_| damaged(first, 0))
}

/// The next entry of the segment that begins with `first`, if there is one more.
pub(super) fn next(reader: &mut SegmentReader, first: u64) -> Result<Option<Entry<'_>>, EraseError> {
    let offset = reader.offset();
    match reader.next_entry() {
        Ok(entry) => Ok(Some(entry)),
        Err(SegmentEnd::Whole) => Ok(None),
        Err(SegmentEnd::Damaged(_)) => Err(damaged(first, offset)),
        Err(SegmentEnd::Failed(error)) => Err(error.into()),
    }
}

/// Whether it has a side, all of which was erased.
pub(super) fn is_erased(side: &[u8]) -> bool {
    !side.is_empty() && side.iter().all(|&byte| byte == 0)
}

/// How far the log is followed.
#[derive(Debug, Default)]
pub(super) struct Walk {
    chain: Option<String>,
    tree: Frontier,
    previous: Hash,
    micros: u64,
    /// The kind of the latest entry.
    latest: Option<EntryKind>,
}

impl Walk {
    /// Follows all entries of the log, and shows each to `visit`, with the first entry of its segment. Says which is the
    /// first of the last segment.
    pub(super) fn through(
        directory: &dyn Directory,
        mut visit: impl FnMut(u64, &Body<'_>, &Entry<'_>),
    ) -> Result<(Self, u64), EraseError> {
        let firsts = segments(directory)?;
        let &last = firsts.last().ok_or(EraseError::NoLog)?;
        let mut walk = Self::default();
        for first in firsts {
            walk.segment(directory, first, &mut visit)?;
        }
        Ok((walk, last))
    }

    fn segment(
        &mut self,
        directory: &dyn Directory,
        first: u64,
        visit: &mut impl FnMut(u64, &Body<'_>, &Entry<'_>),
    ) -> Result<(), EraseError> {
        let mut reader = reader(directory, first)?;
        let header = reader.header();
        let chain = self.chain.get_or_insert_with(|| header.chain.clone());
        let goes_on = header.first == self.tree.size()
            && first == header.first
            && header.chain == *chain
            && header.previous == self.previous
            && header.frontier == self.tree.roots();
        if !goes_on {
            return Err(damaged(first, 0));
        }
        while let Some(entry) = next(&mut reader, first)? {
            let wrong = || damaged(first, entry.offset);
            let body = entry.read().map_err(|_| wrong())?;
            let links = body.number == self.tree.size() && body.previous == self.previous;
            if !links || !(is_erased(entry.side) || commitment(entry.side) == body.commitment) {
                return Err(wrong());
            }
            let leaf = match body.kind {
                EntryKind::Retired => Hash(body.payload.try_into().map_err(|_| wrong())?),
                _ => leaf_hash(entry.body),
            };
            self.pass(&body, leaf);
            visit(first, &body, &entry);
        }
        Ok(())
    }

    fn pass(&mut self, body: &Body<'_>, leaf: Hash) {
        self.tree.push(leaf);
        self.previous = leaf;
        self.micros = body.micros;
        self.latest = Some(body.kind);
    }

    /// How many entries it has passed.
    pub(super) const fn entries(&self) -> u64 {
        self.tree.size()
    }

    /// Whether the latest entry says that a writer has ended in order.
    pub(super) fn is_closed(&self) -> bool {
        self.latest == Some(EntryKind::Closed)
    }
}

/// The end of a log, to which its entries are added that are not a writer's.
#[derive(Debug)]
pub(super) struct Tail {
    walk: Walk,
    file: Box<dyn LogFile>,
}

impl Tail {
    /// Behind the last entry, which `walk` has come to in the segment that begins with `first`.
    pub(super) fn new(directory: &dyn Directory, walk: Walk, first: u64) -> Result<Self, EraseError> {
        Ok(Self { walk, file: directory.open(&segment_name(first))? })
    }

    /// Adds an entry, and waits until it is on the disk.
    pub(super) fn append(
        &mut self,
        kind: EntryKind,
        payload: &impl Serialize,
        now: Timestamp,
    ) -> Result<(), EraseError> {
        let payload = serde_json::to_vec(payload).map_err(io::Error::from)?;
        let body = Body {
            kind,
            number: self.walk.entries(),
            micros: now.micros(),
            previous: self.walk.previous,
            commitment: commitment(&[]),
            payload: &payload,
        };
        let (mut bytes, mut frame) = (Vec::new(), Vec::new());
        body.write(&mut bytes);
        append_frame(&mut frame, &bytes, &[]);
        let length = self.file.length()?;
        if let Err(error) = self.file.append(&frame).and_then(|()| self.file.sync()) {
            // So that nothing stands behind half of a frame, or behind pages that the failure has lost.
            let _ = self.file.cut(length).and_then(|()| self.file.sync());
            return Err(error.into());
        }
        self.walk.pass(&body, leaf_hash(&bytes));
        Ok(())
    }
}
