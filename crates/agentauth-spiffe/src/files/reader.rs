//! All files of a source, read in one go where it may block.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::FilesWarning;
use super::layout::{MAX_BUNDLE_BYTES, SvidFiles, split};
use super::mount::mounted_alone;
use super::read::{Reading, Wanted, read_together};
use super::state::{BundleFile, Readings};
use super::watch::{Watch, directories};

/// Which files there are.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) svid: Option<SvidFiles>,
    pub(super) bundles: Vec<BundleFile>,
    /// `None`: nothing is watched.
    pub(super) watch: Mutex<Option<Watch>>,
}

impl Reader {
    /// Reads everything, and what is wrong with how it is mounted or watched. Blocks.
    pub(super) fn read(&self) -> (Readings, Vec<FilesWarning>) {
        // First, so that nothing changes between the reading and the watching.
        let unwatched = self.watch().err().map(|reason| FilesWarning::Unwatched(reason.into()));
        let readings = Readings {
            svid: self.svid.as_ref().map(SvidFiles::read),
            bundles: self.bundles.iter().map(read_bundle).collect(),
        };
        let alone = mounted_alone(self.paths()).into_iter().map(FilesWarning::SubPath);
        (readings, alone.chain(unwatched).collect())
    }

    fn watch(&self) -> Result<(), String> {
        // Nothing panics while it has the lock; if it did, the next look would find out what is watched.
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let directories = self.paths().flat_map(|path| directories(&path).collect::<Vec<_>>());
        watch.as_mut().map_or(Ok(()), |watch| watch.watch(directories))
    }

    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let svid = self.svid.iter().flat_map(SvidFiles::paths);
        svid.chain(self.bundles.iter().map(|file| file.path.clone()))
    }
}

fn read_bundle(file: &BundleFile) -> Reading {
    let (dir, name) = split(&file.path);
    read_together(&dir, &[Wanted { names: vec![name], limit: MAX_BUNDLE_BYTES }])
}
