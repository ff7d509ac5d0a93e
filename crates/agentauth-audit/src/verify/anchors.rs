//! What is known of the log elsewhere.

use std::io;

use super::fault::FaultKind;
use super::report::Anchored;
use crate::anchor::AnchorSink;
use crate::checkpoint::{CheckpointError, CheckpointVerifier, Head, MAX_NOTE_BYTES, is_signed};
use crate::disk::{Directory, read_full};
use crate::format::CHECKPOINT_FILE;
use crate::tree::Hash;

/// A tree head that must be one of ours.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) size: u64,
    pub(super) root: Hash,
    /// Which anchor says so, counted from 0. None of the file beside the segments, which is as good as they are.
    pub(super) anchor: Option<usize>,
}

/// Tree heads that must be ours, the smallest first.
#[derive(Debug, Default)]
pub(super) struct KnownHeads {
    heads: Vec<Known>,
    next: usize,
}

impl KnownHeads {
    /// Asks all anchors for `origin`, and says what is wrong with the answers.
    pub(super) fn ask(
        &mut self,
        anchors: &[Box<dyn AnchorSink + '_>],
        origin: &str,
        key: Option<&CheckpointVerifier>,
        mut told: impl FnMut(FaultKind),
    ) -> Vec<Anchored> {
        let mut known = Vec::new();
        if origin.is_empty() {
            // Nothing is left that says which log it was.
            anchors.iter().for_each(|anchor| told(FaultKind::NothingAnchored { anchor: anchor.name().into() }));
            return known;
        }
        for (index, anchor) in anchors.iter().enumerate() {
            let name = || anchor.name().to_owned();
            let notes = match anchor.anchored(origin) {
                Ok(notes) => notes,
                Err(error) => {
                    told(FaultKind::Anchor { anchor: name(), error });
                    continue;
                }
            };
            if notes.is_empty() {
                told(FaultKind::NothingAnchored { anchor: name() });
            }
            let mut latest = 0;
            for note in &notes {
                match believed(note, origin, key) {
                    Ok(head) => {
                        latest = head.size.max(latest);
                        self.heads.push(Known { size: head.size, root: head.root, anchor: Some(index) });
                    }
                    Err(error) => told(FaultKind::AnchorNote { anchor: name(), error }),
                }
            }
            known.push(Anchored { name: name(), checkpoints: notes.len(), latest });
        }
        known
    }

    /// Reads the checkpoint that stands beside the segments. Unsigned it says as much as they do.
    pub(super) fn read_file(&mut self, directory: &dyn Directory) -> io::Result<Result<(), CheckpointError>> {
        let mut note = vec![0; MAX_NOTE_BYTES];
        let length = read_full(&*directory.open_to_read(CHECKPOINT_FILE)?, &mut note, 0)?;
        note.truncate(length);
        Ok(match String::from_utf8(note).map_err(|_| CheckpointError::Malformed).and_then(|note| Head::read(&note)) {
            Ok(head) => {
                self.heads.push(Known { size: head.size, root: head.root, anchor: None });
                Ok(())
            }
            Err(error) => Err(error),
        })
    }

    pub(super) fn sort(&mut self) {
        self.heads.sort_unstable_by_key(|known| known.size);
    }

    /// The next one that is of at most `size` entries.
    pub(super) fn up_to(&mut self, size: u64) -> Option<&Known> {
        let known = self.heads.get(self.next).filter(|known| known.size <= size)?;
        self.next += 1;
        Some(known)
    }
}

fn believed(note: &str, origin: &str, key: Option<&CheckpointVerifier>) -> Result<Head, CheckpointError> {
    let head = match key {
        Some(key) => signed_by(key, note)?,
        None => Head::read(note)?,
    };
    if head.origin == origin { Ok(head) } else { Err(CheckpointError::Origin) }
}

/// Of a checkpoint that nobody has signed, says just that.
pub(super) fn signed_by(key: &CheckpointVerifier, note: &str) -> Result<Head, CheckpointError> {
    match Head::read(note) {
        Ok(_) if !is_signed(note) => Err(CheckpointError::Unsigned),
        _ => key.verify(note),
    }
}
