use smallvec::SmallVec;

use super::{Hash, node_hash};

/// A tree that only grows: its size, and the roots of its full subtrees, the largest first. That is all it takes to
/// go on, and to say the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: SmallVec<[Hash; 32]>,
}

impl Frontier {
    /// Of a tree with `size` leaves, by the roots of its full subtrees, as many as `size` has bits that are set.
    pub(crate) fn of(size: u64, roots: &[Hash]) -> Self {
        Self { size, roots: SmallVec::from_slice(roots) }
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the full subtrees, the largest first.
    #[must_use]
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Adds the leaf with this hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(&left, &hash);
        }
        self.roots.push(hash);
        // No log comes to the end of all numbers; one that says so is damaged, and told as that.
        self.size = self.size.saturating_add(1);
    }

    /// The root of the tree (RFC 6962 §2.1). Of the empty tree, the SHA-256 of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(&last) = roots.next() else {
            return super::finished(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256));
        };
        roots.fold(last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use tlog_tiles::{HashReader, record_hash, stored_hashes, tree_hash};

    use super::super::leaf_hash;
    use super::*;

    struct Stored(Vec<tlog_tiles::Hash>);

    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|&index| self.0[usize::try_from(index).unwrap()]).collect())
        }
    }

    #[test]
    fn the_root_is_that_of_another_implementation_at_each_size() {
        let (mut ours, mut theirs) = (Frontier::default(), Stored(Vec::new()));
        for number in 0..300_u64 {
            assert_eq!(ours.root().0, tree_hash(number, &theirs).unwrap().0, "{number}");
            assert_eq!(ours.roots().len(), number.count_ones() as usize);
            let leaf = number.to_be_bytes();
            assert_eq!(leaf_hash(&leaf).0, record_hash(&leaf).0);
            ours.push(leaf_hash(&leaf));
            let more = stored_hashes(number, &leaf, &theirs).unwrap();
            theirs.0.extend(more);
        }
    }
}
