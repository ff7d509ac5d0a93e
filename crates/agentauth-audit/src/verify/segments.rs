use std::io;

use crate::disk::Directory;
use crate::format::{CHECKPOINT_FILE, HeaderError, SegmentHeader, is_beside, segment_name, segment_of};
use crate::read::SegmentReader;

/// The files of a log.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// The segments by the names of their files, in order.
    pub(super) firsts: Vec<u64>,
    /// The others that belong to it.
    pub(super) has_checkpoint: bool,
    /// What else there is.
    pub(super) foreign: Vec<String>,
}

impl Segments {
    pub(super) fn of(directory: &dyn Directory) -> io::Result<Self> {
        let mut segments = Self::default();
        for name in directory.list()? {
            match segment_of(&name) {
                Some(first) => segments.firsts.push(first),
                None if name == CHECKPOINT_FILE => segments.has_checkpoint = true,
                // The last, while it is put in the place of the one before.
                None if is_beside(&name) => (),
                None => segments.foreign.push(name),
            }
        }
        segments.firsts.sort_unstable();
        segments.foreign.sort_unstable();
        Ok(segments)
    }

    pub(super) fn name(&self, index: usize) -> Option<String> {
        self.firsts.get(index).map(|&first| segment_name(first))
    }

    /// What segment `index` says of itself, if there is one.
    pub(super) fn header(
        &self,
        directory: &dyn Directory,
        index: usize,
    ) -> io::Result<Option<Result<SegmentHeader, HeaderError>>> {
        let Some(name) = self.name(index) else { return Ok(None) };
        let reader = SegmentReader::new(directory.open_to_read(&name)?)?;
        Ok(Some(reader.map(|reader| reader.header().clone())))
    }
}
