use std::ops::ControlFlow;

use memchr::memmem::Finder;
use serde::Deserialize;

use super::path::Path;
use super::{Proof, ProofError, ProveError};
use crate::checkpoint::{Head, is_signed};
use crate::disk::Directory;
use crate::format::{Body, Checkpoint, EntryKind, append_frame, is_erased};
use crate::read::{Entry, Segment, SegmentEnd};

/// Numbers of entries with the same evaluation id that are named: a decision and its outcome, and whatever else.
const MAX_ALSO: usize = 8;

/// Which entry is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which<'w> {
    /// The entry with this number.
    Number(u64),
    /// The first record with this evaluation id: the decision.
    Evaluation(&'w str),
}

/// A proof, and what else there is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proved {
    /// The proof.
    pub proof: Proof,
    /// The numbers of other entries with the same evaluation id, such as the outcome; the first few.
    pub also: Vec<u64>,
}

/// Proves that an entry is in the log, by the latest signed checkpoint. Reads the log twice.
///
/// The signature is not checked: that is what whoever is given the proof does.
///
/// # Errors
/// [`ProveError`].
pub fn prove(directory: &dyn Directory, which: Which<'_>, with_personal: bool) -> Result<Proved, ProveError> {
    let Found { number, frame, note: (note, head), also } = find(directory, which, with_personal)?;
    let mut path = Path::new(number, head.size);
    let mut leaf = None;
    each(directory, |body, entry| {
        // A stub that is none leads nowhere.
        let hash = entry.leaf(body).ok_or(ProveError::Changed)?;
        if body.number == number {
            leaf = Some(hash);
        } else {
            path.push(body.number, hash);
        }
        Ok(if body.number + 1 < head.size { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    let proof = Proof::new(frame, number, path.hashes(), note);
    let leads = proof.lead(leaf.ok_or(ProveError::Absent)?, &head);
    leads.map_err(|_: ProofError| ProveError::Changed)?;
    Ok(Proved { proof, also })
}

struct Found {
    number: u64,
    frame: Vec<u8>,
    note: (String, Head),
    also: Vec<u64>,
}

fn find(directory: &dyn Directory, which: Which<'_>, with_personal: bool) -> Result<Found, ProveError> {
    let id = Finder::new(match which {
        Which::Evaluation(id) => id,
        Which::Number(_) => "",
    });
    let (mut found, mut note, mut also) = (None, None, Vec::new());
    each(directory, |body, entry| {
        let is_meant = match which {
            Which::Number(number) => body.number == number,
            Which::Evaluation(meant) => {
                body.kind == EntryKind::Record
                    && id.find(body.payload).is_some()
                    && evaluation_id(body.payload).is_some_and(|id| id == meant)
            }
        };
        if is_meant && found.is_none() {
            found = Some((body.number, framed(body, entry, with_personal)?));
        } else if is_meant && also.len() < MAX_ALSO {
            also.push(body.number);
        }
        if let Some(signed) = signed(body) {
            note = Some(signed);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let (number, frame) = found.ok_or(ProveError::Absent)?;
    let note = note.filter(|(_, head)| head.size > number).ok_or(ProveError::Unsigned(number))?;
    Ok(Found { number, frame, note, also })
}

fn framed(body: &Body<'_>, entry: &Entry<'_>, with_personal: bool) -> Result<Vec<u8>, ProveError> {
    if body.kind == EntryKind::Retired {
        return Err(ProveError::Retired(body.number));
    }
    let side = if with_personal { entry.side } else { &[] };
    if is_erased(side) {
        return Err(ProveError::Erased(body.number));
    }
    let mut frame = Vec::new();
    append_frame(&mut frame, entry.body, side);
    Ok(frame)
}

fn evaluation_id(record: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        evaluation_id: String,
    }
    serde_json::from_slice(record).ok().map(|named: Named| named.evaluation_id)
}

/// The checkpoint that an entry is, if it is a signed one.
fn signed(body: &Body<'_>) -> Option<(String, Head)> {
    if body.kind != EntryKind::Checkpoint {
        return None;
    }
    let Checkpoint { note } = serde_json::from_slice(body.payload).ok()?;
    let head = Head::read(&note).ok()?;
    (is_signed(&note) && head.size == body.number).then_some((note, head))
}

/// Shows each entry to `visit`, in order, until that has seen enough.
fn each(
    directory: &dyn Directory,
    mut visit: impl FnMut(&Body<'_>, &Entry<'_>) -> Result<ControlFlow<()>, ProveError>,
) -> Result<(), ProveError> {
    let mut number = 0;
    for segment in Segment::all(directory)? {
        let is_last = segment.next.is_none();
        let damaged = |offset| ProveError::Damaged { segment: segment.name(), offset };
        let mut entries = match segment.open(directory)? {
            Ok(entries) => entries,
            Err(_) if is_last => return Ok(()),
            Err(_) => return Err(damaged(0)),
        };
        if entries.header().first != segment.first || segment.first != number {
            return Err(damaged(0));
        }
        loop {
            let offset = entries.offset();
            let entry = match entries.next() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(SegmentEnd::Failed(error)) => return Err(error.into()),
                // The end of the log is torn.
                Err(_) if is_last => return Ok(()),
                Err(_) => return Err(damaged(offset)),
            };
            let body = entry.read().map_err(|_| damaged(offset))?;
            if body.number != number {
                return Err(damaged(offset));
            }
            if visit(&body, &entry)?.is_break() {
                return Ok(());
            }
            number += 1;
        }
    }
    Ok(())
}
