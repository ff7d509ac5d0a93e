//! The entries of one log, newest first: a segment is read once to see where its entries are, and then from its end, piece by piece.

use super::error::DamageKind;
use super::forward::read;
use super::log::{Part, segments};
use super::refused::Refusals;
use super::segment::{SegmentEnd, SegmentReader};
use super::{Filter, LogRecord, ReadError};
use crate::format::{FrameError, HeaderError, segment_name};

/// As much is held in memory at once, and a frame more.
const PIECE: u64 = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Backward {
    part: Part,
    /// Those that are left. None before they are listed.
    segments: Option<Vec<u64>>,
    current: Option<Current>,
    /// The segment that was opened last.
    behind: Option<u64>,
    /// What was found in a piece, the newest last.
    found: Vec<LogRecord>,
    /// Told before what is in front of it.
    error: Option<ReadError>,
    filter: Filter,
    refusals: Refusals,
}

#[derive(Debug)]
struct Current {
    reader: SegmentReader,
    /// Where the pieces that are left begin.
    pieces: Vec<u64>,
    /// Where the last of them ends.
    end: u64,
}

impl Backward {
    pub(super) fn new(part: &Part, filter: &Filter) -> Self {
        Self {
            part: part.clone(),
            segments: None,
            current: None,
            behind: None,
            found: Vec::new(),
            error: None,
            filter: filter.clone(),
            refusals: Refusals::default(),
        }
    }

    pub(super) fn next_match(&mut self) -> Option<Result<LogRecord, ReadError>> {
        loop {
            if let Some(error) = self.error.take() {
                return Some(Err(error));
            }
            if let Some(record) = self.found.pop() {
                return Some(Ok(record));
            }
            match self.current.as_mut().and_then(|current| Some((current.pieces.pop()?, current))) {
                Some((start, current)) => {
                    let end = std::mem::replace(&mut current.end, start);
                    current.reader.seek(start);
                    while current.reader.offset() < end
                        && let Ok(entry) = current.reader.next_entry()
                    {
                        let Ok(seen) = read(&entry, None) else { break };
                        if self.filter.finds(&seen) {
                            let mut record = LogRecord::of(&self.part.name, &seen);
                            record.is_refused_late = self.refusals.contains(seen.number);
                            self.found.push(record);
                        }
                    }
                }
                None => match self.open() {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(error) => {
                        self.segments = Some(Vec::new());
                        return Some(Err(error));
                    }
                },
            }
        }
    }

    /// Reads through the segment before. False if there is none that has what is asked for.
    fn open(&mut self) -> Result<bool, ReadError> {
        let (since, until) = self.filter.times();
        let left = match &mut self.segments {
            Some(left) => left,
            none => {
                let mut all = segments(&*self.part.directory)?;
                if let Some(until) = until {
                    all.truncate(all.partition_point(|&first| !self.part.is_all_after(first, until)));
                }
                none.insert(all)
            }
        };
        self.current = None;
        let behind = self.behind;
        let is_last = behind.is_none();
        if let (Some(since), Some(first)) = (since, behind)
            && self.part.is_all_before(first, since)
        {
            return Ok(false);
        }
        let Some(first) = left.pop() else { return Ok(false) };
        self.behind = Some(first);
        let name = segment_name(first);
        let damaged = |offset, entry, kind| ReadError::Damaged {
            log: (*self.part.name).into(),
            segment: name.as_str().into(),
            offset,
            entry,
            kind,
        };
        let mut reader = match SegmentReader::new(self.part.directory.open_to_read(&name)?)? {
            Ok(reader) if reader.header().first == first => reader,
            Ok(_) => {
                self.error = Some(damaged(0, first, HeaderError::Malformed.into()));
                return Ok(true);
            }
            Err(error) => {
                let is_new = is_last && error == FrameError::CutOff.into();
                self.error = (!is_new).then(|| damaged(0, first, error.into()));
                return Ok(true);
            }
        };
        let (mut next, mut pieces) = (first, Vec::<u64>::new());
        let (end, damage): (u64, Option<DamageKind>) = loop {
            let offset = reader.offset();
            // What a failed write has left behind the last entry that counts is none.
            if behind == Some(next) {
                break (offset, None);
            }
            match reader.next_entry() {
                Ok(entry) => {
                    if let Err(kind) = read(&entry, Some(next)) {
                        break (offset, Some(kind));
                    }
                    self.refusals.note(&entry);
                    next = next.saturating_add(1);
                    if pieces.last().is_none_or(|&piece| offset.saturating_sub(piece) >= PIECE) {
                        pieces.push(offset);
                    }
                }
                Err(SegmentEnd::Failed(error)) => return Err(error.into()),
                Err(SegmentEnd::Whole) => {
                    let is_whole = is_last || behind.is_none_or(|behind| behind == next);
                    break (offset, (!is_whole).then_some(DamageKind::Order));
                }
                Err(SegmentEnd::Damaged(FrameError::CutOff)) if is_last => break (offset, None),
                Err(SegmentEnd::Damaged(error)) => break (offset, Some(error.into())),
            }
        };
        self.error = damage.map(|kind| damaged(end, next, kind));
        if left.is_empty() && first > 0 && self.error.is_none() {
            self.error = Some(damaged(0, 0, DamageKind::Order));
        }
        self.current = Some(Current { reader, pieces, end });
        Ok(true)
    }
}
