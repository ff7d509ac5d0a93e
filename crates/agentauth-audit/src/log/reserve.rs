//! Room on the disk that is kept for the end: when the disk is full, it is given up, so that the log can still say so.

use std::io;
use std::sync::Arc;

use agentauth_core::Random;

use crate::disk::Directory;
use crate::format::{RESERVE_FILE, UNFINISHED};

/// Written at once.
const CHUNK: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Reserve {
    directory: Arc<dyn Directory>,
    random: Arc<dyn Random>,
    bytes: u64,
}

impl Reserve {
    pub(super) fn new(directory: Arc<dyn Directory>, random: Arc<dyn Random>, bytes: u64) -> Self {
        Self { directory, random, bytes }
    }

    /// Has it on the disk, whole: so there is room for it.
    pub(super) fn make(&self) -> io::Result<()> {
        if self.bytes == 0 || self.is_there()? {
            return Ok(());
        }
        let unfinished = format!("{RESERVE_FILE}{UNFINISHED}");
        let _ = self.directory.remove(&unfinished);
        self.write(&unfinished).inspect_err(|_| {
            let _ = self.directory.remove(&unfinished);
        })?;
        self.directory.rename(&unfinished, RESERVE_FILE)?;
        self.directory.sync()
    }

    /// Random bytes, which no file system takes for fewer than they are.
    fn write(&self, name: &str) -> io::Result<()> {
        let mut file = self.directory.create(name)?;
        let (mut chunk, mut left) = (vec![0; CHUNK], self.bytes);
        while left > 0 {
            chunk.truncate(usize::try_from(left).unwrap_or(CHUNK));
            self.random.fill(&mut chunk).map_err(io::Error::other)?;
            file.append(&chunk)?;
            left -= chunk.len() as u64;
        }
        file.sync()
    }

    fn is_there(&self) -> io::Result<bool> {
        if !self.directory.list()?.iter().any(|name| name == RESERVE_FILE) {
            return Ok(false);
        }
        Ok(self.directory.open(RESERVE_FILE)?.length()? == self.bytes)
    }

    /// Gives the room back.
    pub(super) fn give_up(&self) {
        if self.directory.remove(RESERVE_FILE).is_ok() {
            let _ = self.directory.sync();
        }
    }
}
