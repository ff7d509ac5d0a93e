use std::io;

use super::AnchorError;
use crate::disk::Directory;
use crate::read::{Counted, Entry, Segment, SegmentEnd};
use crate::tree::{Frontier, Hash};

/// No proof is longer (C2SP tlog-witness).
pub const MAX_PROOF_HASHES: usize = 63;

/// Shows that a log has only grown.
pub trait ConsistencyProofs {
    /// The proof (RFC 6962 §2.1.2) that the tree of the first `new` entries begins with that of the first `old`. Empty if
    /// `old` is 0 or `new`.
    ///
    /// # Errors
    /// [`AnchorError::Proof`] if there is none.
    fn prove(&self, old: u64, new: u64) -> Result<Vec<Hash>, AnchorError>;
}

/// Whether `proof` shows that the tree with `new` entries and the root `new_root` begins with that of `old` and `old_root`.
#[must_use]
pub fn is_consistent(proof: &[Hash], new: u64, new_root: Hash, old: u64, old_root: Hash) -> bool {
    if old == 0 {
        return proof.is_empty() && old_root == Frontier::default().root();
    }
    let proof = proof.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect();
    let (new_root, old_root) = (tlog_tiles::Hash(new_root.0), tlog_tiles::Hash(old_root.0));
    tlog_tiles::check_tree(&proof, new, new_root, old, old_root).is_ok()
}

/// Proofs from the segments of a log.
///
/// They are read from the beginning of the segment that has the entry `old`, to the entry `new`: it takes time as the log
/// has grown since then, and memory that does not grow.
#[derive(Debug)]
pub struct SegmentProofs<'d> {
    directory: &'d dyn Directory,
}

impl<'d> SegmentProofs<'d> {
    /// Of the log in `directory`.
    #[must_use]
    pub const fn new(directory: &'d dyn Directory) -> Self {
        Self { directory }
    }

    /// Gives `each` the number and the leaf hash of the entries from `from` to before `to`. Says what the tree of those
    /// before them is.
    fn leaves(&self, from: u64, to: u64, each: &mut dyn FnMut(u64, Hash)) -> Result<Frontier, AnchorError> {
        let segments = Segment::all(self.directory).map_err(unreadable)?;
        let begin = segments.partition_point(|segment| segment.first <= from).saturating_sub(1);
        let mut segments = segments.into_iter().skip(begin);
        let first = segments.next().filter(|segment| segment.first <= from);
        let first = first.ok_or_else(|| proof("it lacks its beginning"))?;
        let mut entries = self.entries(first)?;
        let mut tree = entries.header().tree();
        let mut number = first.first;
        while number < to {
            let hash = match entries.next() {
                Ok(Some(entry)) => hash_of(&entry)?,
                Ok(None) => {
                    entries = self.entries(segments.next().ok_or_else(|| proof("entries are missing"))?)?;
                    continue;
                }
                Err(SegmentEnd::Whole) => return Err(proof("entries are missing")),
                Err(SegmentEnd::Damaged(error)) => return Err(proof(&error.to_string())),
                Err(SegmentEnd::Failed(error)) => return Err(unreadable(error)),
            };
            if number < from {
                tree.push(hash);
            } else {
                each(number, hash);
            }
            number += 1;
        }
        Ok(tree)
    }

    fn entries(&self, segment: Segment) -> Result<Counted, AnchorError> {
        let entries = segment.open(self.directory).map_err(unreadable)?.map_err(|error| proof(&error.to_string()))?;
        let is_named_so = entries.header().first == segment.first;
        if is_named_so { Ok(entries) } else { Err(proof("a segment has another's name")) }
    }
}

fn hash_of(entry: &Entry<'_>) -> Result<Hash, AnchorError> {
    let body = entry.read().map_err(|error| proof(&error.to_string()))?;
    entry.leaf(&body).ok_or_else(|| proof("a hash that was kept is damaged"))
}

impl ConsistencyProofs for SegmentProofs<'_> {
    fn prove(&self, old: u64, new: u64) -> Result<Vec<Hash>, AnchorError> {
        if old > new {
            return Err(proof("it has become shorter"));
        }
        if old == 0 || old == new {
            return Ok(Vec::new());
        }
        let steps = steps(old, new);
        // What lies right of the old tree is hashed as it is read; what lies left of its end is among its own roots.
        let mut right: Vec<(u64, u64, Frontier)> =
            steps.iter().filter(|step| step.0 >= old).map(|&(low, high)| (low, high, Frontier::default())).collect();
        let tree = self.leaves(old, new, &mut |number, hash| {
            if let Some((_, _, tree)) = right.iter_mut().find(|(low, high, _)| (*low..*high).contains(&number)) {
                tree.push(hash);
            }
        })?;
        let roots = ranges(tree.size()).zip(tree.roots().iter().copied());
        let known: Vec<((u64, u64), Hash)> =
            roots.chain(right.iter().map(|(low, high, tree)| ((*low, *high), tree.root()))).collect();
        let found = steps.iter().map(|step| known.iter().find(|(range, _)| range == step).map(|(_, root)| *root));
        found.collect::<Option<_>>().ok_or_else(|| proof("its tree is not what it should be"))
    }
}

/// The subtrees that a proof names, in its order: each from one entry to before another.
fn steps(old: u64, new: u64) -> Vec<(u64, u64)> {
    let (mut low, mut high) = (0, new);
    let mut steps = Vec::new();
    while old != high {
        let middle = low + split(high - low);
        if old <= middle {
            steps.push((middle, high));
            high = middle;
        } else {
            steps.push((low, middle));
            low = middle;
        }
    }
    if low > 0 {
        steps.push((low, high));
    }
    steps.reverse();
    steps
}

/// The largest power of two that is less than `size`, which is 2 or more.
const fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// What the roots of the full subtrees of `size` entries are of.
fn ranges(size: u64) -> impl Iterator<Item = (u64, u64)> {
    let bits = (0..u64::BITS).rev().map(|bit| 1 << bit).filter(move |bit| size & bit != 0);
    bits.scan(0, |low, length| {
        let range = (*low, *low + length);
        *low = range.1;
        Some(range)
    })
}

fn proof(why: &str) -> AnchorError {
    AnchorError::Proof(why.into())
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn unreadable(error: io::Error) -> AnchorError {
    AnchorError::Proof(format!("it cannot be read: {error}").into())
}
