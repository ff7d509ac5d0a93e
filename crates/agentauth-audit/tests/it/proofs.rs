//! Proofs that a log has only grown, from its segments.

use std::fs;

use agentauth_audit::anchor::{ConsistencyProofs as _, MAX_PROOF_HASHES, SegmentProofs, is_consistent};
use agentauth_audit::disk::RealDirectory;
use agentauth_audit::format::segment_name;
use agentauth_audit::tree::Hash;
use tlog_tiles::{HashReader, prove_tree, stored_hashes_for_record_hash};

use crate::support::trees::{Folder, write_log};

const SIZE: u64 = 34;

/// All hashes of a tree, as another implementation keeps them.
struct Stored(Vec<tlog_tiles::Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|&index| self.0[usize::try_from(index).unwrap()]).collect())
    }
}

fn theirs(leaves: &[Hash]) -> Stored {
    let mut stored = Stored(Vec::new());
    for (number, leaf) in (0..).zip(leaves) {
        let more = stored_hashes_for_record_hash(number, tlog_tiles::Hash(leaf.0), &stored).unwrap();
        stored.0.extend(more);
    }
    stored
}

#[test]
fn proofs_are_those_of_another_implementation() {
    for (each, retired) in [(1, 0), (8, 0), (13, 20), (100, 34)] {
        let folder = Folder::new();
        let directory = RealDirectory::create(folder.path("log")).unwrap();
        let (trees, leaves) = write_log(&directory, SIZE, each, retired, "{}");
        let stored = theirs(&leaves);
        for new in 0..=SIZE {
            for old in 0..=new {
                let proof = SegmentProofs::new(&directory).prove(old, new).unwrap();
                assert!(proof.len() <= MAX_PROOF_HASHES);
                if old > 0 {
                    let expected = prove_tree(new, old, &stored).unwrap();
                    assert_eq!(proof, expected.iter().map(|hash| Hash(hash.0)).collect::<Vec<_>>(), "{old} {new}");
                }
                let root = |size: u64| trees[usize::try_from(size).unwrap()].root();
                assert!(is_consistent(&proof, new, root(new), old, root(old)), "{old} {new}");
            }
        }
    }
}

#[test]
fn a_proof_of_another_tree_is_none() {
    let (folder, other) = (Folder::new(), Folder::new());
    let directory = RealDirectory::create(folder.path("log")).unwrap();
    let (trees, _) = write_log(&directory, 20, 7, 0, "{}");
    let (rewritten, _) = write_log(&RealDirectory::create(other.path("log")).unwrap(), 20, 7, 0, "{\"\":0}");
    let proof = SegmentProofs::new(&directory).prove(11, 20).unwrap();
    assert!(is_consistent(&proof, 20, trees[20].root(), 11, trees[11].root()));
    assert!(!is_consistent(&proof, 20, rewritten[20].root(), 11, trees[11].root()));
    assert!(!is_consistent(&proof, 20, trees[20].root(), 11, rewritten[11].root()));
    assert!(!is_consistent(&proof, 20, trees[20].root(), 12, trees[12].root()));
    assert!(!is_consistent(&proof[1..], 20, trees[20].root(), 11, trees[11].root()));
    assert!(!is_consistent(&proof, 20, trees[20].root(), 0, trees[0].root()));
    assert!(!is_consistent(&[], 20, trees[20].root(), 0, trees[1].root()));
    assert!(!is_consistent(&[], 11, trees[11].root(), 20, trees[20].root()));
}

#[test]
fn a_log_that_lacks_something_proves_nothing() {
    let code = |directory: &RealDirectory, old, new| SegmentProofs::new(directory).prove(old, new).unwrap_err().code();
    let folder = Folder::new();
    let directory = RealDirectory::create(folder.path("log")).unwrap();
    write_log(&directory, 20, 7, 0, "{}");
    let segment = |first| folder.path("log").join(segment_name(first));
    assert_eq!(code(&directory, 12, 21), "anchor_proof");
    assert_eq!(code(&directory, 12, 11), "anchor_proof");
    let whole = fs::read(segment(14)).unwrap();
    fs::write(segment(14), &whole[..whole.len() - 1]).unwrap();
    assert_eq!(code(&directory, 12, 20), "anchor_proof");
    assert!(SegmentProofs::new(&directory).prove(12, 19).is_ok(), "what is not read does not matter");
    fs::remove_file(segment(7)).unwrap();
    assert_eq!(code(&directory, 12, 19), "anchor_proof");
    assert_eq!(code(&directory, 5, 19), "anchor_proof");
    fs::write(segment(7), &whole).unwrap();
    assert_eq!(code(&directory, 12, 19), "anchor_proof");
    fs::write(segment(7), b"AGAUDIT1").unwrap();
    assert_eq!(code(&directory, 12, 19), "anchor_proof");
    fs::remove_file(segment(0)).unwrap();
    assert_eq!(code(&directory, 3, 5), "anchor_proof");
}
