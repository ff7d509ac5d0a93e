//! What is written: entries put one after the other, in segments.

use std::io;
use std::sync::Arc;

use agentauth_core::Clock;
use serde::Serialize;

use super::trouble::Trouble;
use crate::checkpoint::Head;
use crate::disk::{Directory, FileIdentity, LogFile};
use crate::erase::{EraseError, Retention, Retirement};
use crate::format::{Body, EntryKind, SegmentHeader, UNFINISHED, append_frame, segment_name};
use crate::tree::{Frontier, Hash, leaf_hash};

/// How far the log is: what the next entry follows.
#[derive(Debug, Clone, Default)]
pub(super) struct Position {
    /// The tree of all entries.
    pub(super) tree: Frontier,
    /// The leaf hash of the last.
    pub(super) previous: Hash,
    /// When it was written, in microseconds since 1970.
    pub(super) micros: u64,
}

/// The end of the log, and the write that is being put together.
#[derive(Debug)]
pub(super) struct Tape {
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    chain: String,
    origin: String,
    /// Absent after a failure: what has failed is never written again.
    segment: Option<Segment>,
    /// What is on the disk.
    at: Position,
    /// And with the frames in `buffer`.
    next: Position,
    buffer: Vec<u8>,
    body: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    name: String,
    file: Box<dyn LogFile>,
    identity: FileIdentity,
    /// What of it is on the disk.
    length: u64,
}

/// A write has failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) trouble: Trouble,
    pub(super) error: io::Error,
    /// How many bytes of it may be there nonetheless.
    pub(super) bytes: u64,
}

impl Tape {
    pub(super) fn new(
        directory: Arc<dyn Directory>,
        clock: Arc<dyn Clock>,
        chain: String,
        origin: String,
        at: Position,
    ) -> Self {
        let (next, buffer, body) = (at.clone(), Vec::new(), Vec::new());
        Self { directory, clock, chain, origin, segment: None, at, next, buffer, body }
    }

    /// Goes on in `file`, which ends where the log does.
    pub(super) fn go_on(&mut self, name: String, file: Box<dyn LogFile>) -> io::Result<()> {
        let (length, identity) = (file.length()?, file.identity()?);
        self.segment = Some(Segment { name, file, identity, length });
        Ok(())
    }

    /// Which segments' content is due to be given up.
    pub(super) fn due(&self, retention: &Retention, proven: u64) -> Result<Option<Retirement>, EraseError> {
        Retirement::due(&*self.directory, retention, proven, self.clock.now())
    }

    /// How many entries are on the disk.
    pub(super) const fn size(&self) -> u64 {
        self.at.tree.size()
    }

    /// How long the segment is; none if the next write needs a new one.
    pub(super) fn length(&self) -> Option<u64> {
        self.segment.as_ref().map(|segment| segment.length)
    }

    /// Begins a write.
    pub(super) fn begin(&mut self) {
        self.buffer.clear();
        self.next.clone_from(&self.at);
        // One time for all of a write, and another for the next: so a reader knows what a crash has torn.
        let now = self.clock.now().micros();
        self.next.micros = if now == self.at.micros { now + 1 } else { now };
    }

    /// Adds an entry to the write, and says its number.
    pub(super) fn add(&mut self, kind: EntryKind, payload: &[u8], commitment: Hash, side: &[u8]) -> u64 {
        let Position { tree, previous, micros } = &mut self.next;
        let number = tree.size();
        self.body.clear();
        Body { kind, number, micros: *micros, previous: *previous, commitment, payload }.write(&mut self.body);
        append_frame(&mut self.buffer, &self.body, side);
        *previous = leaf_hash(&self.body);
        tree.push(*previous);
        number
    }

    /// Adds an entry that says what `content` says.
    pub(super) fn add_own(&mut self, kind: EntryKind, content: &impl Serialize) -> u64 {
        // Strings, numbers and lists always serialise.
        let payload = serde_json::to_vec(content).unwrap_or_default();
        self.add(kind, &payload, Hash::default(), &[])
    }

    /// The head of all entries, with those that were added.
    pub(super) fn head(&self) -> Head {
        Head::new(&self.origin, &self.next.tree)
    }

    /// Writes what was added to the segment, waits for the disk, and sees that the segment is still there.
    pub(super) fn commit(&mut self) -> Result<(), Failure> {
        let bytes = self.buffer.len() as u64;
        let Some(segment) = &mut self.segment else {
            return Err(Failure { trouble: Trouble::WriteFailed, error: io::ErrorKind::NotConnected.into(), bytes: 0 });
        };
        let write = |error, otherwise| Failure { trouble: Trouble::of(&error, otherwise), error, bytes };
        let written = segment.file.append(&self.buffer).map_err(|error| write(error, Trouble::WriteFailed));
        let synced = written.and_then(|()| segment.file.sync().map_err(|error| write(error, Trouble::SyncFailed)));
        let there = synced.and_then(|()| {
            segment.look(&*self.directory, segment.length + bytes).map_err(|failure| Failure { bytes, ..failure })
        });
        match there {
            Ok(()) => {
                segment.length += bytes;
                std::mem::swap(&mut self.at, &mut self.next);
                Ok(())
            }
            Err(failure) => {
                // The actions will be refused, so the entries must not say that they were allowed.
                self.give_up_segment(failure.trouble);
                Err(failure)
            }
        }
    }

    /// Sees that the segment is still the file that has its name, and as long as it should be.
    pub(super) fn look(&mut self) -> Result<(), Failure> {
        let Some(segment) = &self.segment else { return Ok(()) };
        segment.look(&*self.directory, segment.length).inspect_err(|_| self.segment = None)
    }

    /// Puts what was added into a new segment, and waits until it is there. With nothing added, the segment is empty.
    pub(super) fn start_segment(&mut self) -> Result<(), Failure> {
        self.segment = None;
        match self.new_segment() {
            Ok(segment) => {
                self.segment = Some(segment);
                std::mem::swap(&mut self.at, &mut self.next);
                Ok(())
            }
            Err(error) => Err(Failure { trouble: Trouble::of(&error, Trouble::WriteFailed), error, bytes: 0 }),
        }
    }

    fn new_segment(&mut self) -> io::Result<Segment> {
        let name = segment_name(self.at.tree.size());
        let unfinished = format!("{name}{UNFINISHED}");
        // Of an earlier attempt.
        let _ = self.directory.remove(&unfinished);
        let header = SegmentHeader::new(&self.chain, &self.origin, self.at.previous, &self.at.tree).to_bytes();
        let mut file = self.directory.create(&unfinished)?;
        file.append(&header)?;
        if !self.buffer.is_empty() {
            file.append(&self.buffer)?;
        }
        file.sync()?;
        // A segment of the same name has no entry that counts: it is the one that could not be written.
        self.directory.rename(&unfinished, &name)?;
        self.directory.sync()?;
        let identity = file.identity()?;
        Ok(Segment { name, file, identity, length: (header.len() + self.buffer.len()) as u64 })
    }

    /// Cuts off what a failed write has left, if the disk can do that still, and never touches the file again.
    /// A file that somebody else has changed stays as it is: it is evidence.
    fn give_up_segment(&mut self, trouble: Trouble) {
        if let Some(Segment { mut file, length, .. }) = self.segment.take()
            && trouble != Trouble::FileChanged
            && file.length().is_ok_and(|now| now > length)
            && file.cut(length).is_ok()
        {
            let _ = file.sync();
        }
    }
}

impl Segment {
    fn look(&self, directory: &dyn Directory, length: u64) -> Result<(), Failure> {
        let failure = |trouble, error| Failure { trouble, error, bytes: 0 };
        let same = |error| failure(Trouble::of(&error, Trouble::WriteFailed), error);
        if directory.identity(&self.name).map_err(same)? != Some(self.identity) {
            return Err(failure(Trouble::FileGone, io::ErrorKind::NotFound.into()));
        }
        if self.file.length().map_err(same)? != length {
            return Err(failure(Trouble::FileChanged, io::ErrorKind::InvalidData.into()));
        }
        Ok(())
    }
}
