//! The entries of one segment, one after the other, in a buffer of bounded size.

use std::io;

use crate::disk::LogFile;
use crate::format::{
    Body, BodyError, EntryKind, FRAME_HEAD_BYTES, Frame, FrameError, FrameHead, HeaderError, MAGIC, MAX_BODY_BYTES,
    MAX_HEADER_BYTES, MAX_SIDE_BYTES, SegmentHeader,
};
use crate::tree::{Hash, leaf_hash};

/// Read from the disk at once: large enough that its speed is that of the disk. It grows to the longest frame if that is longer.
const CHUNK: usize = 256 * 1024;

/// One entry, where it is.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'b> {
    /// Where its frame begins in the segment, in bytes.
    pub offset: u64,
    /// What is hashed, as it is written.
    pub body: &'b [u8],
    /// What the body only commits to.
    pub side: &'b [u8],
}

impl<'b> Entry<'b> {
    /// The body, read.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn read(&self) -> Result<Body<'b>, BodyError> {
        Body::read(self.body)
    }

    /// Its leaf hash. Of an entry whose content was given up, that is all that is left; none if it is not: `body`, which is
    /// this entry's, then is not what [`Retention`](crate::erase::Retention) leaves.
    #[must_use]
    pub fn leaf(&self, body: &Body<'_>) -> Option<Hash> {
        if body.kind != EntryKind::Retired {
            return Some(leaf_hash(self.body));
        }
        let is_bare = self.side.is_empty() && body.commitment == Hash::default();
        body.payload.try_into().ok().filter(|_| is_bare).map(Hash)
    }
}

/// Why a segment ends.
#[derive(Debug)]
#[non_exhaustive]
pub enum SegmentEnd {
    /// After a whole frame.
    Whole,
    /// With bytes that are no frame.
    Damaged(FrameError),
    /// The file cannot be read.
    Failed(io::Error),
}

/// Reads a segment from its beginning, in memory of bounded size.
#[derive(Debug)]
pub struct SegmentReader {
    file: Box<dyn LogFile>,
    header: SegmentHeader,
    buffer: Vec<u8>,
    /// What of the buffer is filled, and what of that is read.
    filled: usize,
    read: usize,
    /// Where the buffer begins in the file.
    offset: u64,
}

impl SegmentReader {
    /// Reads the header.
    ///
    /// # Errors
    /// The inner [`HeaderError`] if it is damaged; the outer error if the file cannot be read.
    pub fn new(file: Box<dyn LogFile>) -> io::Result<Result<Self, HeaderError>> {
        let mut reader =
            Self { file, header: SegmentHeader::nowhere(), buffer: vec![0; CHUNK], filled: 0, read: 0, offset: 0 };
        reader.fill(MAGIC.len() + FRAME_HEAD_BYTES + MAX_HEADER_BYTES)?;
        Ok(SegmentHeader::read(reader.rest()).map(|(header, length)| {
            reader.header = header;
            reader.read = length;
            reader
        }))
    }

    /// What the segment says of itself.
    #[must_use]
    pub const fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Where the next frame begins in the file, in bytes.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset + self.read as u64
    }

    /// Goes on at `offset`, where a frame begins.
    pub fn seek(&mut self, offset: u64) {
        (self.offset, self.filled, self.read) = (offset, 0, 0);
    }

    /// The next entry. A file that is being written may have more when it is asked again.
    ///
    /// # Errors
    /// [`SegmentEnd`], at the end.
    pub fn next_entry(&mut self) -> Result<Entry<'_>, SegmentEnd> {
        self.fill(FRAME_HEAD_BYTES).map_err(SegmentEnd::Failed)?;
        if self.rest().is_empty() {
            return Err(SegmentEnd::Whole);
        }
        let head = FrameHead::read(self.rest()).map_err(SegmentEnd::Damaged)?;
        let length = FRAME_HEAD_BYTES + head.rest();
        self.fill(length).map_err(SegmentEnd::Failed)?;
        let (offset, start) = (self.offset(), self.read + FRAME_HEAD_BYTES);
        let rest = self.buffer.get(start..self.filled).unwrap_or_default();
        let Frame { body, side } = head.frame(rest).map_err(SegmentEnd::Damaged)?;
        self.read += length;
        Ok(Entry { offset, body, side })
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.read..self.filled).unwrap_or_default()
    }

    /// Has `length` bytes of the file in [`SegmentReader::rest`], or all there are.
    fn fill(&mut self, length: usize) -> io::Result<()> {
        debug_assert!(length <= FRAME_HEAD_BYTES + MAX_BODY_BYTES + MAX_SIDE_BYTES, "bounded by what a frame may be");
        if self.filled - self.read >= length {
            return Ok(());
        }
        self.buffer.copy_within(self.read..self.filled, 0);
        self.offset += self.read as u64;
        self.filled -= self.read;
        self.read = 0;
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        while self.filled < length {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match self.file.read_at(room, self.offset + self.filled as u64)? {
                0 => break,
                read => self.filled += read,
            }
        }
        Ok(())
    }
}
