//! The segments of a log, and which of their entries count.

use std::io;

use super::{Entry, SegmentEnd, SegmentReader};
use crate::disk::Directory;
use crate::format::{HeaderError, SegmentHeader, segment_name, segments_of};

/// Which entries a segment has, by its name and that of the next: from the first on, up to the one that the next segment begins
/// with. What a failed write has left behind these does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    /// Absent for the last segment, which has all that follow.
    pub(crate) next: Option<u64>,
}

impl Segment {
    /// All segments of the log in `directory`, the oldest first.
    pub(crate) fn all(directory: &dyn Directory) -> io::Result<Vec<Self>> {
        let firsts = segments_of(directory.list()?);
        let nexts = firsts.iter().copied().skip(1).map(Some).chain([None]);
        Ok(firsts.iter().zip(nexts).map(|(&first, next)| Self { first, next }).collect())
    }

    pub(crate) fn name(self) -> String {
        segment_name(self.first)
    }

    /// The entries that count. Whether the header agrees with the name is for whoever reads them.
    pub(crate) fn open(self, directory: &dyn Directory) -> io::Result<Result<Counted, HeaderError>> {
        let left = self.next.map(|next| next.saturating_sub(self.first));
        let reader = SegmentReader::new(directory.open_to_read(&self.name())?)?;
        Ok(reader.map(|reader| Counted { reader, left }))
    }
}

/// The entries of a segment that count, one after the other.
#[derive(Debug)]
pub(crate) struct Counted {
    reader: SegmentReader,
    /// How many are to come, where that is known.
    left: Option<u64>,
}

impl Counted {
    pub(crate) const fn header(&self) -> &SegmentHeader {
        self.reader.header()
    }

    /// Where the next entry begins, in bytes.
    pub(crate) const fn offset(&self) -> u64 {
        self.reader.offset()
    }

    /// The next entry; none behind the last.
    ///
    /// # Errors
    /// [`SegmentEnd`], `Whole` too, if it is not where the next segment says that the last entry is.
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'_>>, SegmentEnd> {
        if self.left == Some(0) {
            return Ok(None);
        }
        match self.reader.next_entry() {
            Ok(entry) => {
                self.left = self.left.map(|left| left - 1);
                Ok(Some(entry))
            }
            Err(SegmentEnd::Whole) if self.left.is_none() => Ok(None),
            Err(end) => Err(end),
        }
    }
}
