//! The files of a log. Behind traits, so that tests can have a disk that fails.

mod real;

use std::fmt;
use std::io;

pub use real::RealDirectory;

/// Which of the files of a disk it is, whatever it is called: its device and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "made by whoever implements a directory")]
pub struct FileIdentity {
    /// The device.
    pub device: u64,
    /// The number of the file on it.
    pub number: u64,
}

/// The directory that a log is in. Names are those of its entries, without a path.
pub trait Directory: Send + Sync + fmt::Debug {
    /// The names of its files, in any order.
    ///
    /// # Errors
    /// Whatever the file system reports; so for all that follow.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Creates a file that is not there yet, for its owner alone.
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>>;

    /// Opens a file that is there, for reading and writing.
    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>>;

    /// Opens a file that is there, for reading alone: whoever asks a log needs no right to write it.
    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.open(name)
    }

    /// Puts one file in the place of another, at once and for good once the directory is synchronised.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Which file has this name now, as its [`LogFile::identity`] says; none if there is no such file.
    ///
    /// A directory that does not tell files apart says of each that is there that it is the same.
    fn identity(&self, name: &str) -> io::Result<Option<FileIdentity>> {
        Ok(self.list()?.iter().any(|there| there == name).then(FileIdentity::default))
    }

    /// Waits until what was created, renamed and removed is on the disk.
    fn sync(&self) -> io::Result<()>;

    /// Takes the lock of the one writer, until what is returned is dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another has it.
    fn lock(&self) -> io::Result<Box<dyn fmt::Debug + Send>>;
}

/// A file of a log.
pub trait LogFile: Send + fmt::Debug {
    /// How long it is, in bytes.
    ///
    /// # Errors
    /// Whatever the file system reports; so for all that follow.
    fn length(&self) -> io::Result<u64>;

    /// Which file it is, even if its name is gone or another's.
    fn identity(&self) -> io::Result<FileIdentity> {
        Ok(FileIdentity::default())
    }

    /// Reads at `offset`. Fewer bytes than asked for are not the end; none are.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at the end. It may have written some of it when it fails.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts it off.
    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// Waits until its content is on the disk (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;
}

/// Reads until `buffer` is full, or the file ends; says how much.
pub(crate) fn read_full(file: &dyn LogFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read_at(room, offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

impl<D: Directory + ?Sized> Directory for std::sync::Arc<D> {
    fn list(&self) -> io::Result<Vec<String>> {
        (**self).list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        (**self).create(name)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        (**self).open(name)
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        (**self).open_to_read(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        (**self).rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        (**self).remove(name)
    }

    fn identity(&self, name: &str) -> io::Result<Option<FileIdentity>> {
        (**self).identity(name)
    }

    fn sync(&self) -> io::Result<()> {
        (**self).sync()
    }

    fn lock(&self) -> io::Result<Box<dyn fmt::Debug + Send>> {
        (**self).lock()
    }
}
