use std::collections::HashSet;

use super::segment::{Entry, SegmentReader};
use crate::disk::Directory;
use crate::format::{EntryKind, Refused, segment_name};

/// A record that was written too late is named within so many entries: more than any writer has waiting.
const LATE_WITHIN: u64 = 65_536;

/// So many are known at once: more than a writer refuses before somebody looks.
const MAX_KNOWN: usize = 1 << 20;

/// Whether the entry `by` can say that the record `number` was written too late.
pub(crate) const fn is_late(number: u64, by: u64) -> bool {
    number < by && by - number <= LATE_WITHIN
}

/// Which records are in the log although their actions were refused.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    entries: HashSet<u64>,
    /// The number of the first entry of the segment from which on nothing has been looked through.
    next: u64,
    /// The segment that was last looked ahead from.
    current: Option<u64>,
}

impl Refusals {
    pub(super) fn contains(&self, number: u64) -> bool {
        self.entries.contains(&number)
    }

    /// Takes note of `entry`, if it names such records.
    pub(super) fn note(&mut self, entry: &Entry<'_>) {
        if entry.body.first() != Some(&(EntryKind::Refused as u8)) {
            return;
        }
        let Ok(body) = entry.read() else { return };
        let named = serde_json::from_slice::<Refused>(body.payload).map(|refused| refused.entries).unwrap_or_default();
        for number in named.into_iter().filter(|&number| is_late(number, body.number)) {
            if self.entries.len() < MAX_KNOWN {
                self.entries.insert(number);
            }
        }
    }

    /// Looks through the segment `first` of `segments` and those after it that may name its records, each once.
    pub(super) fn look_ahead(&mut self, directory: &dyn Directory, segments: &[u64], first: u64) {
        if self.current == Some(first) {
            return;
        }
        self.current = Some(first);
        self.entries.retain(|&number| number >= first);
        let after = segments.iter().find(|&&next| next > first).copied().unwrap_or(first);
        for &next in segments {
            if next >= first.max(self.next) && next <= after.saturating_add(LATE_WITHIN) {
                let until = segments.iter().find(|&&behind| behind > next).copied();
                self.look_through(directory, next, until);
                self.next = next.saturating_add(1);
            }
        }
    }

    /// Up to the entry `until`, with which the next segment begins: what a failed write has left behind is none.
    fn look_through(&mut self, directory: &dyn Directory, first: u64, until: Option<u64>) {
        // What cannot be read is said where it is read for itself.
        let Ok(file) = directory.open_to_read(&segment_name(first)) else { return };
        let Ok(Ok(mut reader)) = SegmentReader::new(file) else { return };
        let mut next = first;
        while until != Some(next)
            && let Ok(entry) = reader.next_entry()
        {
            self.note(&entry);
            next = next.saturating_add(1);
        }
    }
}
