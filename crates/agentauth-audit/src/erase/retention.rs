use std::time::Duration;

use agentauth_core::Timestamp;

use super::EraseError;
use super::rewrite::{Change, rewrite, settle};
use super::walk::{Tail, Walk, lock};
use crate::disk::Directory;
use crate::format::{Closed, EntryKind, RetiredSegments};
use crate::read::Segment;

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
    settle(directory)?;
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
    segments: Vec<Segment>,
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
        let all = Segment::all(directory)?;
        let may = all.partition_point(|segment| segment.next.is_some_and(|next| next <= proven));
        let limits = [
            by_count(retention, &all),
            by_age(retention, directory, &all, now)?,
            by_bytes(retention, directory, &all)?,
        ];
        let due = limits.into_iter().max().unwrap_or(0).min(may);
        let retired = retired(directory, &all)?;
        let segments = all.get(retired..due).unwrap_or_default().to_vec();
        let before = segments.last().and_then(|segment| segment.next);
        Ok(before.map(|before| Self { before, segments }))
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
        for &segment in &self.segments {
            rewrite(directory, segment, |body, _| match body.kind {
                EntryKind::Record => Change::Retire,
                _ => Change::Keep,
            })?;
        }
        Ok(())
    }
}

/// How many segments, of the oldest, are given up already. Segments are given up in order, and each at once: so the first record tells.
fn retired(directory: &dyn Directory, all: &[Segment]) -> Result<usize, EraseError> {
    partition_point(all, |segment| {
        let mut reader = segment.read(directory)?;
        while let Some(entry) = reader.next()? {
            match entry.read().map_err(|_| segment.damaged(entry.offset))?.kind {
                EntryKind::Record => return Ok(false),
                EntryKind::Retired => return Ok(true),
                _ => (),
            }
        }
        Ok(false)
    })
}

fn by_count(retention: &Retention, all: &[Segment]) -> usize {
    let keep = retention.segments.map_or(usize::MAX, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
    all.len().saturating_sub(keep)
}

/// The first entry of a segment is not older than the last of the one before, which would have to be looked for.
fn by_age(
    retention: &Retention,
    directory: &dyn Directory,
    all: &[Segment],
    now: Timestamp,
) -> Result<usize, EraseError> {
    let Some(age) = retention.age else { return Ok(0) };
    partition_point(all.get(1..).unwrap_or_default(), |segment| match segment.read(directory)?.next()? {
        Some(entry) => Ok(now.since(entry.read().map_err(|_| segment.damaged(entry.offset))?.time()) > age),
        None => Ok(false),
    })
}

fn by_bytes(retention: &Retention, directory: &dyn Directory, all: &[Segment]) -> Result<usize, EraseError> {
    let Some(mut left) = retention.bytes else { return Ok(0) };
    for (index, segment) in all.iter().enumerate().rev() {
        match left.checked_sub(directory.open(&segment.name())?.length()?) {
            Some(less) => left = less,
            None => return Ok(index + 1),
        }
    }
    Ok(0)
}

/// How many of the first segments `is` true of, when it is true of none after one that it is false of.
fn partition_point(
    all: &[Segment],
    mut is: impl FnMut(Segment) -> Result<bool, EraseError>,
) -> Result<usize, EraseError> {
    let (mut low, mut high) = (0, all.len());
    while low < high {
        let middle = low.midpoint(high);
        let Some(&segment) = all.get(middle) else { break };
        if is(segment)? { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}
