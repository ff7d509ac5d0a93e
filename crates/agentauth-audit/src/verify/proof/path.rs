use std::ops::Range;

use crate::tree::{Frontier, Hash};

/// The hashes from a leaf to the root (RFC 6962 §2.1.1), gathered while all leaves go by once.
pub(super) struct Path {
    /// The subtrees beside the way, that of the leaf's sibling first.
    beside: Vec<(Range<u64>, Frontier)>,
}

impl Path {
    /// Of the leaf `index` in a tree of `size` leaves, which it is one of.
    pub(super) fn new(index: u64, size: u64) -> Self {
        let (mut within, mut beside) = (0..size, Vec::new());
        while within.end - within.start > 1 {
            // The largest power of 2 that is smaller.
            let half = within.start + (1 << (within.end - within.start - 1).ilog2());
            let (left, right) = (within.start..half, half..within.end);
            let other;
            (within, other) = if index < half { (left, right) } else { (right, left) };
            beside.push((other, Frontier::default()));
        }
        beside.reverse();
        Self { beside }
    }

    /// The next leaf is the one with this number.
    pub(super) fn push(&mut self, number: u64, leaf: Hash) {
        if let Some((_, tree)) = self.beside.iter_mut().find(|(range, _)| range.contains(&number)) {
            tree.push(leaf);
        }
    }

    pub(super) fn hashes(&self) -> Vec<Hash> {
        self.beside.iter().map(|(_, tree)| tree.root()).collect()
    }
}

#[cfg(test)]
mod tests {
    use tlog_tiles::{HashReader, prove_record, stored_hashes};

    use super::*;
    use crate::tree::leaf_hash;

    struct Stored(Vec<tlog_tiles::Hash>);

    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|&index| self.0[usize::try_from(index).unwrap()]).collect())
        }
    }

    #[test]
    fn each_path_is_that_of_another_implementation() {
        let mut theirs = Stored(Vec::new());
        for size in 1..70_u64 {
            let more = stored_hashes(size - 1, &(size - 1).to_be_bytes(), &theirs).unwrap();
            theirs.0.extend(more);
            for index in 0..size {
                let mut path = Path::new(index, size);
                (0..size).for_each(|number| path.push(number, leaf_hash(&number.to_be_bytes())));
                let ours: Vec<[u8; 32]> = path.hashes().into_iter().map(|hash| hash.0).collect();
                let expected: Vec<_> =
                    prove_record(size, index, &theirs).unwrap().into_iter().map(|hash| hash.0).collect();
                assert_eq!(ours, expected, "{index} of {size}");
            }
        }
    }
}
