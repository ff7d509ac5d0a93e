//! The log on the disk: what is new in it, and single entries.

use std::collections::BTreeMap;
use std::io;

use agentauth_audit::disk::{Directory, RealDirectory};
use agentauth_audit::format::{Body, EntryKind, personal, segment_name, segments_of};
use agentauth_audit::read::{Entry, SegmentEnd, SegmentReader, View};
use serde::Serialize;

use super::index::{Index, MAX_HELD_RECORDS, Place};

/// The directory of a log.
#[derive(Debug)]
pub(super) struct Source(RealDirectory);

/// Reads a log from its beginning, or from where the records that are held begin, and goes on while it is written.
#[derive(Debug)]
pub(super) struct Follower {
    segments: Vec<u64>,
    /// In bytes.
    lengths: BTreeMap<u64, u64>,
    current: Option<(u64, SegmentReader)>,
    progress: Progress,
}

/// How far it is.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Progress {
    /// What the log calls itself.
    pub(super) origin: String,
    pub(super) read_bytes: u64,
    pub(super) total_bytes: u64,
    /// Everything that was there has been read.
    pub(super) is_up_to_date: bool,
    /// Where reading met something that is no entry, and why: the first such place.
    pub(super) damage: Option<Damage>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Damage {
    segment: String,
    offset: u64,
    code: &'static str,
    message: String,
    /// At the end of the log: an entry that is being written looks like that.
    is_at_the_end: bool,
}

impl Source {
    pub(super) const fn new(directory: RealDirectory) -> Self {
        Self(directory)
    }

    pub(super) fn segments(&self) -> io::Result<Vec<u64>> {
        Ok(segments_of(self.0.list()?))
    }

    /// The entry at `place`: its body, the same as it is hashed, and its side.
    pub(super) fn read<T>(&self, place: Place, read: impl FnOnce(&Body<'_>, &[u8], &[u8]) -> T) -> Option<T> {
        let mut reader = SegmentReader::new(self.0.open(&segment_name(place.segment)).ok()?).ok()?.ok()?;
        reader.seek(place.offset);
        let entry = reader.next_entry().ok()?;
        entry.read().ok().map(|body| read(&body, entry.body, entry.side))
    }
}

impl Follower {
    pub(super) fn new() -> Self {
        Self { segments: Vec::new(), lengths: BTreeMap::new(), current: None, progress: Progress::default() }
    }

    pub(super) const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Reads up to `entries` more into `index`.
    ///
    /// # Errors
    /// If the directory or a file cannot be read.
    pub(super) fn read(&mut self, source: &Source, entries: usize, index: &mut Index) -> io::Result<()> {
        self.progress.is_up_to_date = false;
        for _ in 0..entries {
            let Some((segment, reader)) = &mut self.current else {
                if self.open_next(source)? {
                    continue;
                }
                self.progress.is_up_to_date = true;
                break;
            };
            let segment = *segment;
            let end = match reader.next_entry() {
                Ok(entry) => {
                    take(index, segment, &entry);
                    continue;
                }
                Err(SegmentEnd::Failed(error)) => return Err(error),
                Err(SegmentEnd::Damaged(error)) => Some((error.code(), error.to_string())),
                Err(_) => None,
            };
            // What was read ahead of a frame that was being written is not what is there now.
            let offset = reader.offset();
            reader.seek(offset);
            let is_last = self.following(source, segment)?.is_none();
            if self.progress.damage.as_ref().is_none_or(|damage| damage.is_at_the_end) {
                let at_fault = |(code, message)| Damage {
                    segment: segment_name(segment),
                    offset,
                    code,
                    message,
                    is_at_the_end: is_last,
                };
                self.progress.damage = end.map(at_fault);
            }
            if is_last {
                self.progress.is_up_to_date = true;
                break;
            }
            // What is behind the damage is shown too: it may be what is looked for.
            if !self.open_next(source)? {
                self.progress.is_up_to_date = true;
                break;
            }
        }
        self.measure(source);
        Ok(())
    }

    /// The segment after this one, if there is one by now.
    fn following(&mut self, source: &Source, segment: u64) -> io::Result<Option<u64>> {
        if self.segments.last().is_none_or(|&last| last <= segment) {
            self.segments = source.segments()?;
        }
        Ok(self.segments.iter().copied().find(|&other| other > segment))
    }

    /// Opens the next segment that has a header. False if there is none: one that was just begun will have one.
    fn open_next(&mut self, source: &Source) -> io::Result<bool> {
        let mut next = match &self.current {
            Some((segment, _)) => {
                let segment = *segment;
                self.following(source, segment)?
            }
            None => {
                self.segments = source.segments()?;
                // Segments that end before the newest records begin need not be read.
                let newest = self.segments.last().copied().unwrap_or(0);
                let needed = newest.saturating_sub(MAX_HELD_RECORDS as u64);
                let skipped = self.segments.iter().copied().rfind(|&first| first <= needed);
                skipped.or_else(|| self.segments.first().copied())
            }
        };
        while let Some(segment) = next {
            let error = match SegmentReader::new(source.0.open(&segment_name(segment))?)? {
                Ok(reader) => {
                    self.progress.origin = reader.header().origin.clone();
                    self.current = Some((segment, reader));
                    return Ok(true);
                }
                Err(error) => error,
            };
            next = self.following(source, segment)?;
            if self.progress.damage.as_ref().is_none_or(|damage| damage.is_at_the_end) {
                self.progress.damage = Some(Damage {
                    segment: segment_name(segment),
                    offset: 0,
                    code: error.code(),
                    message: error.to_string(),
                    is_at_the_end: next.is_none(),
                });
            }
        }
        Ok(false)
    }

    fn measure(&mut self, source: &Source) {
        // Only the last one grows.
        let last = self.segments.last().copied().unwrap_or_default();
        for &segment in &self.segments {
            if segment == last || !self.lengths.contains_key(&segment) {
                let length = source.0.open(&segment_name(segment)).and_then(|file| file.length());
                self.lengths.insert(segment, length.unwrap_or(0));
            }
        }
        self.progress.total_bytes = self.lengths.values().sum();
        let (at, offset) = self.current.as_ref().map_or((0, 0), |(segment, reader)| (*segment, reader.offset()));
        self.progress.read_bytes = self.lengths.range(..at).map(|(_, length)| length).sum::<u64>() + offset;
    }
}

fn take(index: &mut Index, segment: u64, entry: &Entry<'_>) {
    index.entries += 1;
    let Ok(body) = entry.read() else {
        index.unreadable += 1;
        return;
    };
    let place = Place { segment, offset: entry.offset };
    match body.kind {
        EntryKind::Record => {
            let view = View::read(body.payload, personal(entry.side));
            index.push(body.number, body.micros, place, view.as_ref());
        }
        EntryKind::Retired => {}
        kind => index.note(body.number, body.micros, kind, body.payload),
    }
}
