//! Following a log that nobody writes from its first entry to its last, and going on where it ends.

use std::fmt;
use std::io;

use agentauth_core::Timestamp;
use serde::Serialize;

use super::EraseError;
use super::rewrite::{Change, rewrite};
use crate::disk::{Directory, LogFile};
use crate::format::{Body, EntryKind, append_frame, commitment, is_erased};
use crate::read::{Entry, Segment};
use crate::tree::{Frontier, Hash, leaf_hash};

/// The lock of the one writer.
pub(super) fn lock(directory: &dyn Directory) -> Result<Box<dyn fmt::Debug + Send>, EraseError> {
    directory.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => EraseError::InUse,
        _ => EraseError::Io(error),
    })
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
    /// Where a failed write has left something behind the entries that count.
    left_over: Vec<Segment>,
}

impl Walk {
    /// Follows all entries of the log, and shows each to `visit`. Says which is the last segment.
    pub(super) fn through(
        directory: &dyn Directory,
        mut visit: impl FnMut(Segment, &Body<'_>, &Entry<'_>),
    ) -> Result<(Self, Segment), EraseError> {
        let segments = Segment::all(directory)?;
        let &last = segments.last().ok_or(EraseError::NoLog)?;
        let mut walk = Self::default();
        for segment in segments {
            walk.segment(directory, segment, &mut visit)?;
        }
        Ok((walk, last))
    }

    fn segment(
        &mut self,
        directory: &dyn Directory,
        segment: Segment,
        visit: &mut impl FnMut(Segment, &Body<'_>, &Entry<'_>),
    ) -> Result<(), EraseError> {
        let mut reader = segment.read(directory)?;
        let header = reader.header();
        let chain = self.chain.get_or_insert_with(|| header.chain.clone());
        let goes_on = (header.first, segment.first) == (self.tree.size(), self.tree.size())
            && header.chain == *chain
            && header.previous == self.previous
            && header.frontier == self.tree.roots();
        if !goes_on {
            return Err(segment.damaged(0));
        }
        while let Some(entry) = reader.next()? {
            let wrong = || segment.damaged(entry.offset);
            let body = entry.read().map_err(|_| wrong())?;
            let links = body.number == self.tree.size() && body.previous == self.previous;
            if !links || !(is_erased(entry.side) || commitment(entry.side) == body.commitment) {
                return Err(wrong());
            }
            self.pass(&body, entry.leaf(&body).ok_or_else(wrong)?);
            visit(segment, &body, &entry);
        }
        if directory.open(&segment.name())?.length()? > reader.offset() {
            self.left_over.push(segment);
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

    /// Segments in which a failed write has left something behind the entries that count.
    pub(super) fn left_over(&self) -> &[Segment] {
        &self.left_over
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
    /// Behind the last entry, which `walk` has come to in the segment `last`. That is copied before: pages
    /// that a failed write has lost are still shown, and nothing else brings them to the disk.
    pub(super) fn new(directory: &dyn Directory, walk: Walk, last: Segment) -> Result<Self, EraseError> {
        rewrite(directory, last, |_, _| Change::Keep)?;
        Ok(Self { walk, file: directory.open(&last.name())? })
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
            // Each write has a time of its own: so whoever opens the log knows what a crash has torn.
            micros: if now.micros() == self.walk.micros { now.micros() + 1 } else { now.micros() },
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
