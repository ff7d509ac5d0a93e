use std::time::Duration;

use agentauth_core::Timestamp;

use super::EraseError;
use super::rewrite::{Change, remove_unfinished, rewrite};
use super::walk::{Tail, Walk, damaged, lock, next, reader, segments};
use crate::disk::Directory;
use crate::format::{Closed, EntryKind, RetiredSegments, segment_name};

/// How much of a log keeps its content. Of older records the hashes stay, 129 bytes each, so that the tree, its
/// checkpoints and the proofs that were given out stay what they were; what the log says of itself stays whole.
///
/// Whole segments are given up, the oldest first, as soon as one of the limits says so: never the one that is being written,
/// and only what is below a checkpoint that is signed, and anchored where there are anchors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    segments: Option<u64>,
    age: Option<Duration>,
    bytes: Option<u64>,
}

impl Retention {
    /// Everything is kept.
    #[must_use]
    pub const fn forever() -> Self {
        Self { segments: None, age: None, bytes: None }
    }

    /// The newest `segments` are kept, the one that is being written among them.
    #[must_use]
    pub const fn keep_segments(mut self, segments: u64) -> Self {
        self.segments = Some(segments);
        self
    }

    /// Segments are kept until their last entry is older than `age`.
    #[must_use]
    pub const fn keep_for(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// The newest segments are kept that have no more than so many bytes together.
    #[must_use]
    pub const fn keep_bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }
}

/// What [`retire`] has given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Retired {
    /// Segments that had content, and have hashes now.
    pub segments: u64,
    /// Entries before this one have no content any more. 0 if none was given up.
    pub before: u64,
}

/// Gives up what `retention` does not keep, in a log that no writer has open; an open one does it by itself. All that is given up lies below
/// entry `proven`, the size of the newest checkpoint that is signed, and anchored where there are anchors.
///
/// # Errors
/// [`EraseError`]. After [`EraseError::Io`] some may be given up and others not: the log is good all the same.
pub fn retire(
    directory: &dyn Directory,
    retention: &Retention,
    proven: u64,
    now: Timestamp,
) -> Result<Retired, EraseError> {
    let _lock = lock(directory)?;
    let (walk, last) = Walk::through(directory, |_, _, _| ())?;
    remove_unfinished(directory)?;
    let Some(retirement) = Retirement::due(directory, retention, proven, now)? else { return Ok(Retired::default()) };
    let was_closed = walk.is_closed();
    let mut tail = Tail::new(directory, walk, last)?;
    tail.append(EntryKind::RetiredSegments, &retirement.entry(), now)?;
    if was_closed {
        tail.append(EntryKind::Closed, &Closed { records: 0 }, now)?;
    }
    retirement.carry_out(directory)?;
    Ok(Retired { segments: retirement.segments.len() as u64, before: retirement.before })
}

/// Segments whose content is to be given up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Retirement {
    before: u64,
    segments: Vec<u64>,
}

impl Retirement {
    /// What is due by `retention`, if anything is: see [`retire`].
    ///
    /// # Errors
    /// [`EraseError::Damaged`] if the beginning of a segment is; [`EraseError::Io`].
    pub(crate) fn due(
        directory: &dyn Directory,
        retention: &Retention,
        proven: u64,
        now: Timestamp,
    ) -> Result<Option<Self>, EraseError> {
        let firsts = segments(directory)?;
        let nexts = firsts.get(1..).unwrap_or_default();
        let may = nexts.partition_point(|&next| next <= proven);
        let retired = retired(directory, &firsts)?;
        let limits = [
            by_count(retention, &firsts),
            by_age(retention, directory, nexts, now)?,
            by_bytes(retention, directory, &firsts)?,
        ];
        let due = limits.into_iter().max().unwrap_or(0).min(may);
        let Some(&before) = due.checked_sub(1).and_then(|last| nexts.get(last)) else { return Ok(None) };
        let segments = firsts.get(retired..due).unwrap_or_default().to_vec();
        Ok((!segments.is_empty()).then_some(Self { before, segments }))
    }

    /// What the log says of it, which is on the disk before it is carried out.
    pub(crate) const fn entry(&self) -> RetiredSegments {
        RetiredSegments { before: self.before }
    }

    /// Writes the segments anew, the oldest first. A writer may be at work in later ones meanwhile.
    ///
    /// # Errors
    /// [`EraseError::Damaged`], [`EraseError::Io`].
    pub(crate) fn carry_out(&self, directory: &dyn Directory) -> Result<(), EraseError> {
        for &first in &self.segments {
            rewrite(directory, first, |body, _| match body.kind {
                EntryKind::Record => Change::Retire,
                _ => Change::Keep,
            })?;
        }
        Ok(())
    }
}

/// How many segments, of the oldest, are given up already. Segments are given up in order, and each at once: so the first record tells.
fn retired(directory: &dyn Directory, firsts: &[u64]) -> Result<usize, EraseError> {
    let (mut low, mut high) = (0, firsts.len());
    while low < high {
        let middle = low.midpoint(high);
        let Some(&first) = firsts.get(middle) else { break };
        if is_retired(directory, first)? { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

fn is_retired(directory: &dyn Directory, first: u64) -> Result<bool, EraseError> {
    let mut reader = reader(directory, first)?;
    while let Some(entry) = next(&mut reader, first)? {
        match entry.read().map_err(|_| damaged(first, entry.offset))?.kind {
            EntryKind::Record => return Ok(false),
            EntryKind::Retired => return Ok(true),
            _ => (),
        }
    }
    Ok(false)
}

fn by_count(retention: &Retention, firsts: &[u64]) -> usize {
    let keep = retention.segments.map_or(usize::MAX, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
    firsts.len().saturating_sub(keep)
}

/// The first entry of the next segment is not older than the last of this one, which would have to be looked for.
fn by_age(
    retention: &Retention,
    directory: &dyn Directory,
    nexts: &[u64],
    now: Timestamp,
) -> Result<usize, EraseError> {
    let Some(age) = retention.age else { return Ok(0) };
    let (mut low, mut high) = (0, nexts.len());
    while low < high {
        let middle = low.midpoint(high);
        let Some(&first) = nexts.get(middle) else { break };
        let is_old = match next(&mut reader(directory, first)?, first)? {
            Some(entry) => now.since(entry.read().map_err(|_| damaged(first, entry.offset))?.time()) > age,
            None => false,
        };
        if is_old { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

fn by_bytes(retention: &Retention, directory: &dyn Directory, firsts: &[u64]) -> Result<usize, EraseError> {
    let Some(mut left) = retention.bytes else { return Ok(0) };
    for (index, &first) in firsts.iter().enumerate().rev() {
        match left.checked_sub(directory.open(&segment_name(first))?.length()?) {
            Some(less) => left = less,
            None => return Ok(index + 1),
        }
    }
    Ok(0)
}
