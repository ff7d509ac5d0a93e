//! Does anybody know of more than is here?

use crate::anchor::AnchorSink;
use crate::checkpoint::{Head, MAX_NOTE_BYTES};
use crate::disk::Directory;
use crate::format::{CHECKPOINT_FILE, segment_name, segment_of};
use crate::read::SegmentReader;

use super::OpenError;
use super::scan::read_file;
use super::tape::Position;

/// What the anchors, and the file `checkpoint`, remember of a log. Signatures do not matter here: a false note makes
/// the log refuse, and nothing else.
#[derive(Debug, Default)]
pub(super) struct Known {
    heads: Vec<(String, Head, Seen)>,
    /// How far the file `checkpoint` is: it is written once that is on the disk.
    pub(super) written: u64,
    /// How far the farthest anchor is.
    pub(super) anchored: u64,
    /// Whether an anchor could not be asked.
    pub(super) is_partial: bool,
}

/// Whether the log is as a head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Not,
    Same,
    Other,
}

impl Known {
    /// Asks everybody about the log that is called `origin`: for the latest that each remembers.
    pub(super) fn ask(
        directory: &dyn Directory,
        names: &[String],
        anchors: &[Box<dyn AnchorSink>],
        origin: &str,
    ) -> Self {
        let mut known = Self::default();
        if names.iter().any(|name| name == CHECKPOINT_FILE) {
            let file = read_file(directory, CHECKPOINT_FILE, MAX_NOTE_BYTES as u64);
            let note = file.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            known.written = known.add(&format!("the file `{CHECKPOINT_FILE}`"), note.as_slice(), origin);
        }
        for anchor in anchors {
            match anchor.anchored(origin) {
                Ok(notes) => {
                    let latest = known.add(anchor.name(), &notes, origin);
                    known.anchored = known.anchored.max(latest);
                    // What cannot be read may be what it knows of.
                    if notes.iter().any(|note| Head::read(note).is_err()) {
                        known.is_partial = true;
                        tracing::warn!(target: "agentauth::audit", anchor = anchor.name(),
                            "an anchor remembers what is no checkpoint; verify the audit log with it");
                    }
                }
                Err(error) => {
                    known.is_partial = true;
                    tracing::warn!(target: "agentauth::audit", anchor = anchor.name(), code = error.code(), %error,
                        "an anchor cannot say whether entries of the audit log are missing");
                }
            }
        }
        known
    }

    fn add(&mut self, name: &str, notes: &[String], origin: &str) -> u64 {
        let heads = notes.iter().filter_map(|note| Head::read(note).ok()).filter(|head| head.origin == origin);
        let Some(latest) = heads.max_by_key(|head| head.size) else { return 0 };
        let size = latest.size;
        self.heads.push((name.into(), latest, Seen::Not));
        size
    }

    /// The log has this tree.
    pub(super) fn see(&mut self, at: &Position) {
        for (_, head, seen) in self.heads.iter_mut().filter(|(_, head, _)| head.size == at.tree.size()) {
            *seen = if head.root == at.tree.root() { Seen::Same } else { Seen::Other };
        }
    }

    /// Looks for the trees that are smaller than those of the last segment.
    pub(super) fn see_older(&mut self, directory: &dyn Directory, names: &[String]) {
        let older = self.heads.iter().filter(|(_, _, seen)| *seen == Seen::Not).map(|(_, head, _)| head.size);
        for size in older.collect::<Vec<_>>() {
            let firsts = names.iter().filter_map(|name| segment_of(name));
            if let Some(first) = firsts.filter(|first| *first <= size).max()
                && let Some(at) = position(directory, first, size)
            {
                self.see(&at);
            }
        }
    }

    /// Who knows of entries that are not among the `entries` that are here.
    pub(super) fn lost(&self, entries: u64) -> Option<OpenError> {
        let (anchor, head, _) = self.heads.iter().find(|(_, _, seen)| *seen != Seen::Same)?;
        Some(OpenError::RolledBack { anchor: anchor.clone(), known: head.size, entries })
    }

    /// How many entries are gone at least.
    pub(super) fn loss(&self, entries: u64) -> u64 {
        self.heads.iter().map(|(_, head, _)| head.size.saturating_sub(entries)).max().unwrap_or_default()
    }
}

/// The log with `size` entries, by the segment that begins with `first`. None if it is not there, or damaged.
fn position(directory: &dyn Directory, first: u64, size: u64) -> Option<Position> {
    let mut reader = SegmentReader::new(directory.open(&segment_name(first)).ok()?).ok()?.ok()?;
    let header = reader.header();
    let mut at = Position { tree: header.tree(), previous: header.previous, micros: 0 };
    while at.tree.size() < size {
        let entry = reader.next_entry().ok()?;
        at.tree.push(entry.leaf(&entry.read().ok()?)?);
    }
    (at.tree.size() == size).then_some(at)
}
