//! The entries of one log, oldest first.

use std::sync::Arc;

use super::entry::Seen;
use super::error::DamageKind;
use super::log::{Part, segments};
use super::refused::Refusals;
use super::segment::{Entry, SegmentEnd, SegmentReader};
use super::{Filter, LogRecord, ReadError};
use crate::format::{FrameError, HeaderError, segment_name};

/// At the end of what is there, it ends; asked again later, it goes on with what has come since.
#[derive(Debug)]
pub(super) struct Forward {
    part: Part,
    segments: Vec<u64>,
    /// Which of the segments is read.
    at: usize,
    reader: Option<SegmentReader>,
    /// The number of the next entry. None behind what could not be read.
    next: Option<u64>,
    /// The same, before which nothing is asked for.
    from: u64,
    filter: Arc<Filter>,
    refusals: Option<Refusals>,
    /// An error is told once, and is the end if there is nothing behind it.
    is_over: bool,
}

impl Forward {
    /// What `filter` asks for is not looked for here, but segments without it are passed over.
    pub(super) fn new(part: &Part, filter: &Filter) -> Self {
        Self {
            part: part.clone(),
            segments: Vec::new(),
            at: 0,
            reader: None,
            next: None,
            from: 0,
            filter: Arc::new(filter.clone()),
            refusals: None,
            is_over: false,
        }
    }

    /// From the segment on that has the entry `number`.
    pub(super) fn from_entry(part: &Part, number: u64) -> Self {
        Self { from: number, ..Self::new(part, &Filter::new()) }
    }

    /// What comes from now on.
    pub(super) fn at_end(part: &Part, filter: &Filter) -> Self {
        let mut log = Self { from: u64::MAX, ..Self::new(part, filter) };
        // What is damaged before the end is not what is asked about.
        while log.find_map(|_| None::<()>).is_some() {}
        log
    }

    /// Knows of each record whether its action was refused for being late.
    pub(super) fn looking_ahead(mut self) -> Self {
        self.refusals = Some(Refusals::default());
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.part.name
    }

    /// The number of the entry to come.
    pub(super) const fn next(&self) -> Option<u64> {
        self.next
    }

    /// The next entry that the filter asks for.
    pub(super) fn next_match(&mut self) -> Option<Result<LogRecord, ReadError>> {
        let (filter, name) = (Arc::clone(&self.filter), Arc::clone(&self.part.name));
        let found = self.find_map(|seen| filter.finds(seen).then(|| LogRecord::of(&name, seen)))?;
        Some(found.map(|mut record| {
            if let (Some(refusals), Some(&first)) = (&mut self.refusals, self.segments.get(self.at)) {
                refusals.look_ahead(&*self.part.directory, &self.segments, first);
                record.is_refused_late = refusals.contains(record.number());
            }
            record
        }))
    }

    /// Goes on until `visit` has found something, or there is something to be told.
    pub(super) fn find_map<R>(
        &mut self,
        mut visit: impl FnMut(&Seen<'_>) -> Option<R>,
    ) -> Option<Result<R, ReadError>> {
        loop {
            if self.is_over {
                return None;
            }
            // What a failed write has left behind the last entry that counts is none.
            if self.reader.is_some() && self.next.is_some_and(|next| self.following() == Some(next)) {
                self.pass();
                continue;
            }
            let Some(reader) = &mut self.reader else {
                match self.open() {
                    Ok(true) => continue,
                    Ok(false) => return None,
                    Err(error) => return Some(Err(error)),
                }
            };
            let offset = reader.offset();
            let damage = match reader.next_entry() {
                Ok(entry) => match read(&entry, self.next) {
                    Ok(seen) => {
                        self.next = seen.number.checked_add(1);
                        match visit(&seen) {
                            Some(found) => return Some(Ok(found)),
                            None => continue,
                        }
                    }
                    Err(kind) => kind,
                },
                Err(SegmentEnd::Failed(error)) => {
                    self.is_over = true;
                    return Some(Err(error.into()));
                }
                Err(end) => {
                    // Whether it is the last is asked again before its end is believed, and then its end once more.
                    if !self.has_more() {
                        match self.list() {
                            Err(error) => return Some(Err(error)),
                            Ok(()) if self.has_more() => {
                                self.again(offset);
                                continue;
                            }
                            Ok(()) => {}
                        }
                    }
                    match end {
                        SegmentEnd::Whole if self.has_more() => {
                            self.pass();
                            continue;
                        }
                        SegmentEnd::Damaged(error) if self.has_more() || error != FrameError::CutOff => error.into(),
                        // What is not whole yet is being written, or was when the writer died.
                        _ => {
                            self.again(offset);
                            return None;
                        }
                    }
                }
            };
            return Some(Err(self.stop(offset, damage)));
        }
    }

    /// Has a reader for the current segment. False if there is none, or not yet.
    fn open(&mut self) -> Result<bool, ReadError> {
        if self.segments.is_empty() {
            self.list()?;
            self.start();
        }
        let Some(&first) = self.segments.get(self.at) else { return Ok(false) };
        let read = self.part.directory.open_to_read(&segment_name(first)).and_then(SegmentReader::new);
        let header = match read {
            Err(error) => {
                self.is_over = true;
                return Err(error.into());
            }
            Ok(header) => header,
        };
        let expected = self.next;
        match header {
            Ok(reader) if reader.header().first == first => {
                self.next = Some(first);
                let offset = reader.offset();
                self.reader = Some(reader);
                // Between two segments, entries are missing.
                match expected {
                    Some(expected) if expected != first => {
                        Err(self.damaged(first, offset, expected, DamageKind::Order))
                    }
                    _ => Ok(true),
                }
            }
            Ok(_) => Err(self.stop(0, HeaderError::Malformed.into())),
            // It has been created this moment.
            Err(HeaderError::Frame(FrameError::CutOff)) if !self.has_more() => {
                self.list()?;
                if self.has_more() { Ok(true) } else { Ok(false) }
            }
            Err(error) => Err(self.stop(0, error.into())),
        }
    }

    /// Where to begin: at the last segment before which there is nothing that is asked for.
    fn start(&mut self) {
        let before = |&first: &u64| {
            let is_before = self.filter.times().0.is_some_and(|since| self.part.is_all_before(first, since));
            is_before || (self.from > 0 && first <= self.from)
        };
        self.at = self.segments.partition_point(before).saturating_sub(1);
        self.next = if self.at == 0 { Some(0) } else { None };
    }

    fn list(&mut self) -> Result<(), ReadError> {
        let current = self.segments.get(self.at).copied();
        self.segments = segments(&*self.part.directory)?;
        // Retention may have taken away what was before it.
        if let Some(current) = current {
            self.at = self.segments.partition_point(|&first| first < current);
        }
        Ok(())
    }

    fn has_more(&self) -> bool {
        self.at.saturating_add(1) < self.segments.len()
    }

    /// The first entry of the next segment.
    fn following(&self) -> Option<u64> {
        self.segments.get(self.at.saturating_add(1)).copied()
    }

    fn again(&mut self, offset: u64) {
        if let Some(reader) = &mut self.reader {
            reader.seek(offset);
        }
    }

    /// Goes on to the next segment, unless all from there on is later than is asked for.
    fn pass(&mut self) {
        self.reader = None;
        self.at = self.at.saturating_add(1);
        let is_after = |until| self.segments.get(self.at).is_some_and(|&first| self.part.is_all_after(first, until));
        self.is_over = self.filter.times().1.is_some_and(is_after);
    }

    fn stop(&mut self, offset: u64, kind: DamageKind) -> ReadError {
        let first = self.segments.get(self.at).copied().unwrap_or_default();
        let error = self.damaged(first, offset, self.next.unwrap_or(first), kind);
        self.next = None;
        if self.has_more() {
            self.pass();
        } else {
            self.is_over = true;
        }
        error
    }

    fn damaged(&self, first: u64, offset: u64, entry: u64, kind: DamageKind) -> ReadError {
        let segment = segment_name(first).into();
        ReadError::Damaged { log: (*self.part.name).into(), segment, offset, entry, kind }
    }
}

/// The entry, which is to have the number `next`.
pub(super) fn read<'b>(entry: &Entry<'b>, next: Option<u64>) -> Result<Seen<'b>, DamageKind> {
    let seen = Seen::of(entry)?;
    if next.is_none_or(|next| next == seen.number) { Ok(seen) } else { Err(DamageKind::Order) }
}
