use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Directory, FileIdentity, LogFile};
use crate::format::LOCK_FILE;

/// A directory of the file system.
#[derive(Debug, Clone)]
pub struct RealDirectory {
    path: PathBuf,
}

impl RealDirectory {
    /// The directory at `path`, which is created for its owner alone if it is not there.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        if !path.is_dir() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                File::open(parent)?.sync_all()?;
            }
        }
        Self::existing(path)
    }

    /// The directory at `path`.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if it is not there; otherwise whatever the file system reports.
    pub fn existing(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        std::fs::read_dir(&path)?;
        Ok(Self { path })
    }

    fn file(&self, options: &mut OpenOptions, name: &str) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(RealFile(options.read(true).mode(0o600).open(self.path.join(name))?)))
    }
}

impl Directory for RealDirectory {
    fn list(&self) -> io::Result<Vec<String>> {
        // A name that is no UTF-8 is not one of ours.
        let names = std::fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(io::Result::transpose).collect()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.file(OpenOptions::new().append(true).create_new(true), name)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.file(OpenOptions::new().append(true), name)
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.file(&mut OpenOptions::new(), name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn identity(&self, name: &str) -> io::Result<Option<FileIdentity>> {
        // Of the name itself: a link to the file is not the file.
        match std::fs::symlink_metadata(self.path.join(name)) {
            Ok(metadata) => Ok(Some(identity(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn lock(&self) -> io::Result<Box<dyn fmt::Debug + Send>> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(self.path.join(LOCK_FILE))?;
        file.try_lock()?;
        Ok(Box::new(Locked(file)))
    }
}

fn identity(metadata: &Metadata) -> FileIdentity {
    FileIdentity { device: metadata.dev(), number: metadata.ino() }
}

#[derive(Debug)]
struct Locked(File);

impl Drop for Locked {
    /// Closing it would do, but for a process that is being started meanwhile, which has it open until then.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

#[derive(Debug)]
struct RealFile(File);

impl LogFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        Ok(identity(&self.0.metadata()?))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.seek(SeekFrom::End(0)).map(drop)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}
