//! What several tests need.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use agentauth_audit::checkpoint::{CheckpointKey, Head};
use agentauth_audit::tree::{Frontier, leaf_hash};
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
