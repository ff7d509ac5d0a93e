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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_cannot_be_watched_is_read_all_the_same_and_said() {
        let folder = std::env::temp_dir().join(format!("agentauth-reader-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("roots.pem");
        std::fs::write(&path, "roots").unwrap();
        let file = BundleFile { domain: "court.example".parse().unwrap(), path, allows_public_roots: false };
        for (watch, expected) in
            [(Watch::new(Arc::default()), &[][..]), (Watch::refused("no instances left"), &["files_unwatched"])]
        {
            let reader = Reader { svid: None, bundles: vec![file.clone()], watch: Mutex::new(Some(watch)) };
            // Once and again: it does not come right by itself.
            for _ in 0..2 {
                let (readings, warnings) = reader.read();
                assert_eq!(warnings.iter().map(FilesWarning::code).collect::<Vec<_>>(), expected);
                assert!(matches!(readings.bundles[0].files[0], crate::files::read::Found::File { .. }));
            }
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
