//! Being told that something has changed in a directory.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use super::read::DATA_LINK;

/// Rings a bell when something changes in directories.
pub(super) struct Watch {
    watcher: Result<RecommendedWatcher, String>,
    /// What is watched, and which directory each path was then.
    watched: BTreeMap<PathBuf, Option<u64>>,
    refusal: Option<String>,
}

impl Watch {
    /// The system does not let anything be watched.
    #[cfg(test)]
    pub(super) fn refused(reason: &str) -> Self {
        Self { watcher: Err(reason.to_owned()), watched: BTreeMap::new(), refusal: None }
    }

    /// Watches nothing yet.
    pub(super) fn new(bell: Arc<Notify>) -> Self {
        let ring = move |event: notify::Result<Event>| {
            // Errors mean that something may have been missed.
            if event.is_ok_and(|event| !is_change(event.kind)) {
                return;
            }
            bell.notify_one();
        };
        let watcher = notify::recommended_watcher(ring).map_err(|error| error.to_string());
        Self { watcher, watched: BTreeMap::new(), refusal: None }
    }

    /// Watches `directories` from now on, and nothing else. Looks again at directories that were not there, and at
    /// those that another one has taken the place of.
    ///
    /// # Errors
    /// Why not all of them are watched, for people.
    pub(super) fn watch(&mut self, directories: impl Iterator<Item = PathBuf>) -> Result<(), String> {
        let wanted: BTreeMap<_, _> = directories.map(|path| (path.clone(), number(&path))).collect();
        if wanted == self.watched {
            return self.refusal.clone().map_or(Ok(()), Err);
        }
        let watcher = self.watcher.as_mut().map_err(|error| error.clone())?;
        for path in self.watched.keys() {
            // It may be gone, and its watch with it.
            _ = watcher.unwatch(path);
        }
        let mut watch = |path: &PathBuf| watcher.watch(path, RecursiveMode::NonRecursive);
        let there = wanted.iter().filter(|(_, number)| number.is_some());
        let failed = there.filter_map(|(path, _)| watch(path).err().map(|error| error.to_string()));
        self.refusal = failed.last();
        self.watched = wanted;
        self.refusal.clone().map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("watched", &self.watched).finish_non_exhaustive()
    }
}

/// Being read is no change: this very program reads.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(mode)) => mode == AccessMode::Write,
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// The directories in which something happens when `file` is replaced: the one it is in; the one above, if that one
/// is a link or not there; and the one that a link in its place leads to. The links of a Kubernetes volume stay as
/// they are.
pub(super) fn directories(file: &Path) -> impl Iterator<Item = PathBuf> {
    let dir = super::layout::split(file).0;
    let is_plain = fs::symlink_metadata(&dir).is_ok_and(|metadata| metadata.is_dir());
    let above = dir.parent().filter(|above| !is_plain && !above.as_os_str().is_empty()).map(PathBuf::from);
    let is_link = fs::symlink_metadata(file).is_ok_and(|metadata| metadata.is_symlink());
    let target = (is_link && !dir.join(DATA_LINK).exists()).then(|| fs::canonicalize(file).ok()).flatten();
    [Some(dir), above, target.and_then(|target| target.parent().map(PathBuf::from))].into_iter().flatten()
}

/// What tells a directory from another one at the same path.
#[cfg(unix)]
fn number(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).ok().map(|metadata| metadata.ino())
}

#[cfg(not(unix))]
fn number(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|_| 0)
}
