//! The segments of a log that is not written, and the entries in each that count.

use std::io;

use super::EraseError;
use crate::disk::Directory;
use crate::format::{SegmentHeader, segment_name, segments_of};
use crate::read::{Entry, SegmentEnd, SegmentReader};

/// Which entries a segment has: from the first on, up to the one that the next segment begins with. What a failed write
/// has left behind these does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub(super) first: u64,
    /// Absent for the last segment, which has all that follow.
    pub(super) next: Option<u64>,
}

/// All segments, the oldest first.
pub(super) fn segments(directory: &dyn Directory) -> io::Result<Vec<Segment>> {
    let firsts = segments_of(directory.list()?);
    let nexts = firsts.iter().copied().skip(1).map(Some).chain([None]);
    Ok(firsts.iter().zip(nexts).map(|(&first, next)| Segment { first, next }).collect())
}

impl Segment {
    pub(super) fn name(self) -> String {
        segment_name(self.first)
    }

    pub(super) fn damaged(self, offset: u64) -> EraseError {
        EraseError::Damaged { segment: self.name(), offset }
    }

    pub(super) fn read(self, directory: &dyn Directory) -> Result<Reader, EraseError> {
        let reader = SegmentReader::new(directory.open(&self.name())?)?.map_err(|_| self.damaged(0))?;
        let left = self.next.map(|next| next.saturating_sub(self.first));
        Ok(Reader { segment: self, reader, left })
    }
}

/// The entries of a segment, one after the other.
#[derive(Debug)]
pub(super) struct Reader {
    segment: Segment,
    reader: SegmentReader,
    /// How many entries are to come, where that is known.
    left: Option<u64>,
}

impl Reader {
    pub(super) const fn header(&self) -> &SegmentHeader {
        self.reader.header()
    }

    /// Where the next entry begins, in bytes.
    pub(super) const fn offset(&self) -> u64 {
        self.reader.offset()
    }

    pub(super) fn next(&mut self) -> Result<Option<Entry<'_>>, EraseError> {
        if self.left == Some(0) {
            return Ok(None);
        }
        let offset = self.reader.offset();
        match self.reader.next_entry() {
            Ok(entry) => {
                self.left = self.left.map(|left| left - 1);
                Ok(Some(entry))
            }
            Err(SegmentEnd::Whole) if self.left.is_none() => Ok(None),
            Err(SegmentEnd::Whole | SegmentEnd::Damaged(_)) => Err(self.segment.damaged(offset)),
            Err(SegmentEnd::Failed(error)) => Err(error.into()),
        }
    }
}
