//! What a process sees of a [`Disk`].

use std::fmt;
use std::io;

use agentauth_audit::disk::{Directory, FileIdentity, LogFile};

use super::{Change, Disk, File};

/// What a process has of the disk. Dead once it crashes.
#[derive(Debug, Clone)]
pub(crate) struct Mounted {
    disk: Disk,
    life: u64,
}

impl Disk {
    /// For a new process.
    pub(crate) fn mount(&self) -> Mounted {
        Mounted { disk: self.clone(), life: self.state().life }
    }
}

impl Directory for Mounted {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.disk.state();
        let rate = state.faults.read;
        state.ask(self.life, rate)?;
        Ok(state.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let mut state = self.disk.state();
        let rate = state.faults.create;
        state.change(self.life, rate)?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.push(File::default());
        let file = state.files.len() - 1;
        state.names.insert(name.into(), file);
        state.changes.push(Change::Named(name.into(), file));
        Ok(Box::new(Handle { disk: self.disk.clone(), life: self.life, file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let mut state = self.disk.state();
        let rate = state.faults.read;
        state.ask(self.life, rate)?;
        let file = state.file(name)?;
        Ok(Box::new(Handle { disk: self.disk.clone(), life: self.life, file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.disk.state();
        let rate = state.faults.rename;
        state.change(self.life, rate)?;
        let file = state.file(from)?;
        state.names.remove(from);
        state.names.insert(to.into(), file);
        state.changes.push(Change::Moved { from: from.into(), to: to.into(), file });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.disk.state();
        let rate = state.faults.rename;
        state.change(self.life, rate)?;
        state.file(name)?;
        state.names.remove(name);
        state.changes.push(Change::Removed(name.into()));
        Ok(())
    }

    fn identity(&self, name: &str) -> io::Result<Option<FileIdentity>> {
        let mut state = self.disk.state();
        let rate = state.faults.read;
        state.ask(self.life, rate)?;
        Ok(state.names.get(name).map(|&file| identity(file)))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let rate = state.faults.directory_sync;
        state.change(self.life, rate)?;
        state.changes.clear();
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn fmt::Debug + Send>> {
        let mut state = self.disk.state();
        state.ask(self.life, 0)?;
        if state.is_locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.is_locked = true;
        Ok(Box::new(Locked(self.clone())))
    }
}

#[derive(Debug)]
struct Locked(Mounted);

impl Drop for Locked {
    fn drop(&mut self) {
        let mut state = self.0.disk.state();
        if state.life == self.0.life {
            state.is_locked = false;
        }
    }
}

fn identity(file: usize) -> FileIdentity {
    FileIdentity { device: 1, number: file as u64 }
}

#[derive(Debug)]
struct Handle {
    disk: Disk,
    life: u64,
    file: usize,
}

impl LogFile for Handle {
    fn length(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        let rate = state.faults.read;
        state.ask(self.life, rate)?;
        Ok(state.files[self.file].cache.len() as u64)
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        let mut state = self.disk.state();
        let rate = state.faults.read;
        state.ask(self.life, rate)?;
        Ok(identity(self.file))
    }

    /// Fewer bytes than are asked for, now and then.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let rate = state.faults.read;
        state.ask(self.life, rate)?;
        let most = if state.chance(100) { 1 + state.below(buffer.len().max(1)) } else { buffer.len() };
        let content = &state.files[self.file].cache;
        let rest = content.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let length = rest.len().min(most).min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let rate = state.faults.append;
        let asked = state.change(self.life, rate);
        if state.life != self.life {
            return asked;
        }
        let room = state.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(state.used()));
        let written = match &asked {
            Ok(()) => bytes.len().min(room),
            Err(_) => state.below(bytes.len() + 1).min(room),
        };
        let file = &mut state.files[self.file];
        let start = file.cache.len();
        file.cache.extend_from_slice(&bytes[..written]);
        file.touch(start, start + written);
        asked?;
        if written < bytes.len() {
            state.failed += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let rate = state.faults.cut;
        state.change(self.life, rate)?;
        let length = usize::try_from(length).unwrap();
        let file = &mut state.files[self.file];
        let old = file.cache.len();
        file.cache.resize(length, 0);
        file.touch(length.min(old), length.max(old));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        let rate = state.faults.sync;
        let asked = state.change(self.life, rate);
        if state.life != self.life || state.is_dead() && asked.is_err() {
            return asked;
        }
        let mut file = std::mem::take(&mut state.files[self.file]);
        match asked {
            Ok(()) => file.sync(),
            Err(_) => file.fail_to_sync(&mut state),
        }
        state.files[self.file] = file;
        asked
    }
}
