//! The segments of a log that is not written.

use super::EraseError;
use crate::disk::Directory;
use crate::format::SegmentHeader;
use crate::read::{Counted, Entry, Segment, SegmentEnd};

impl Segment {
    pub(super) fn damaged(self, offset: u64) -> EraseError {
        EraseError::Damaged { segment: self.name(), offset }
    }

    pub(super) fn read(self, directory: &dyn Directory) -> Result<Reader, EraseError> {
        let entries = self.open(directory)?.map_err(|_| self.damaged(0))?;
        Ok(Reader { segment: self, entries })
    }
}

/// The entries of a segment, none of which may be damaged.
#[derive(Debug)]
pub(super) struct Reader {
    segment: Segment,
    entries: Counted,
}

impl Reader {
    pub(super) const fn header(&self) -> &SegmentHeader {
        self.entries.header()
    }

    /// Where the next entry begins, in bytes.
    pub(super) const fn offset(&self) -> u64 {
        self.entries.offset()
    }

    pub(super) fn next(&mut self) -> Result<Option<Entry<'_>>, EraseError> {
        let offset = self.entries.offset();
        self.entries.next().map_err(|end| match end {
            SegmentEnd::Failed(error) => error.into(),
            SegmentEnd::Whole | SegmentEnd::Damaged(_) => self.segment.damaged(offset),
        })
    }
}
