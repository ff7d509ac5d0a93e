//! Keys, trees and small logs, for checkpoints and anchors.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use agentauth_audit::anchor::{AnchorError, ConsistencyProofs};
use agentauth_audit::checkpoint::{CheckpointKey, Head};
use agentauth_audit::disk::{Directory as _, RealDirectory};
use agentauth_audit::format::{Body, EntryKind, SegmentHeader, append_frame, segment_name};
use agentauth_audit::tree::{Frontier, Hash, leaf_hash};
use agentauth_core::SystemRandom;

/// What the log of these tests is called.
pub(crate) const ORIGIN: &str = "log.example/tools";

/// A directory that is gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("agentauth-audit-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        allow(&path, 0o600);
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn allow(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn key(origin: &str) -> CheckpointKey {
    CheckpointKey::generate(origin, &SystemRandom).unwrap()
}

/// The leaves of the log of these tests.
pub(crate) fn leaf(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

/// The tree of its first `size` entries.
pub(crate) fn tree(size: u64) -> Frontier {
    let mut tree = Frontier::default();
    (0..size).for_each(|number| tree.push(leaf_hash(&leaf(number))));
    tree
}

pub(crate) fn head(origin: &str, size: u64) -> Head {
    Head::new(origin, &tree(size))
}

/// For anchors that ask for no proof.
#[derive(Debug)]
pub(crate) struct NoProofs;

impl ConsistencyProofs for NoProofs {
    fn prove(&self, old: u64, new: u64) -> Result<Vec<Hash>, AnchorError> {
        panic!("a proof from {old} to {new} was asked for")
    }
}

/// Writes a log of `size` entries with the payload `payload`, in segments of `each`. Entries before `retired` are given up.
/// Says what its tree was at each size, and its leaf hashes.
pub(crate) fn write_log(
    directory: &RealDirectory,
    size: u64,
    each: u64,
    retired: u64,
    payload: &str,
) -> (Vec<Frontier>, Vec<Hash>) {
    let (mut trees, mut leaves, mut previous) = (vec![Frontier::default()], Vec::new(), Hash::default());
    for number in 0..size {
        let before = trees.last().unwrap();
        if number.is_multiple_of(each) {
            let header = SegmentHeader::new("chain", ORIGIN, previous, before);
            directory.create(&segment_name(number)).unwrap().append(&header.to_bytes()).unwrap();
        }
        let body = |kind, payload: &[u8]| {
            let mut bytes = Vec::new();
            let commitment = Hash::default();
            Body { kind, number, micros: number, previous, commitment, payload }.write(&mut bytes);
            bytes
        };
        let whole = body(EntryKind::Record, payload.as_bytes());
        let hash = leaf_hash(&whole);
        let written = if number < retired { body(EntryKind::Retired, &hash.0) } else { whole };
        let mut frame = Vec::new();
        append_frame(&mut frame, &written, &[]);
        directory.open(&segment_name(number - number % each)).unwrap().append(&frame).unwrap();
        let mut tree = before.clone();
        tree.push(hash);
        previous = hash;
        trees.push(tree);
        leaves.push(hash);
    }
    (trees, leaves)
}
