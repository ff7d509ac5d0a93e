use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use agentauth_audit::disk::{Directory, FileIdentity, LogFile};

/// A directory in memory. Its calls fail or hang as they are told, and a crash takes what was not synchronised.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, u64>,
    files: BTreeMap<u64, File>,
    next: u64,
    is_locked: bool,
    /// Synchronisations of segments wait while this is so.
    hangs: bool,
    /// How many wait, or have waited.
    hanging: usize,
    /// Synchronisations of segments so far.
    syncs: usize,
    /// The next so many writes and synchronisations of segments fail.
    failing_writes: usize,
    failing_syncs: usize,
    failing_cuts: bool,
    /// How many bytes all files may have together.
    room: Option<usize>,
}

#[derive(Debug, Default, Clone)]
struct File {
    bytes: Vec<u8>,
    synced: usize,
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.changed.notify_all();
    }

    /// From now on, synchronisations of segments hang.
    pub(crate) fn hang(&self) {
        self.change(|state| (state.hangs, state.hanging) = (true, 0));
    }

    /// Waits until one hangs.
    pub(crate) fn until_it_hangs(&self) {
        drop(self.0.changed.wait_while(self.state(), |state| state.hanging == 0).unwrap());
    }

    pub(crate) fn go_on(&self) {
        self.change(|state| state.hangs = false);
    }

    pub(crate) fn fail_writes(&self, count: usize) {
        self.change(|state| state.failing_writes = count);
    }

    pub(crate) fn fail_syncs(&self, count: usize) {
        self.change(|state| state.failing_syncs = count);
    }

    pub(crate) fn fail_cuts(&self, fails: bool) {
        self.change(|state| state.failing_cuts = fails);
    }

    /// All files may have `bytes` more than they have, and no more.
    pub(crate) fn leave_room(&self, bytes: usize) {
        self.change(|state| state.room = Some(bytes + state.used()));
    }

    pub(crate) fn make_room(&self) {
        self.change(|state| state.room = None);
    }

    /// Synchronisations of segments so far.
    pub(crate) fn syncs(&self) -> usize {
        self.state().syncs
    }

    /// Waits until the disk is in a state.
    pub(crate) fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let mut state = self.state();
        loop {
            drop(state);
            if is_so(self) {
                return;
            }
            state = self.state();
            (state, _) = self.0.changed.wait_timeout(state, std::time::Duration::from_millis(5)).unwrap();
        }
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[&state.names[name]].bytes.clone()
    }

    pub(crate) fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let synced = bytes.len();
        state.names.insert(name.into(), number);
        state.files.insert(number, File { bytes, synced });
    }

    /// What would be left of it after a crash: what was synchronised, and of the rest the first `kept` bytes of each file.
    pub(crate) fn crashed(&self, kept: usize) -> Self {
        let state = self.state();
        let after = Self::default();
        for (name, number) in &state.names {
            let file = &state.files[number];
            let length = file.bytes.len().min(file.synced + kept);
            after.put(name, file.bytes[..length].to_vec());
        }
        after
    }

    pub(crate) fn remove_file(&self, name: &str) {
        self.state().names.remove(name).unwrap();
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.state().names.contains_key(name)
    }
}

impl State {
    fn used(&self) -> usize {
        self.names.values().map(|number| self.files[number].bytes.len()).sum()
    }
}

impl Directory for Disk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        if self.has(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.put(name, Vec::new());
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let number = *self.state().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Handle { disk: self.clone(), number, is_segment: name.contains(".log") }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let number = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.into(), number);
        drop(state);
        self.0.changed.notify_all();
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state().names.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn identity(&self, name: &str) -> io::Result<Option<FileIdentity>> {
        Ok(self.state().names.get(name).map(|number| FileIdentity { device: 1, number: *number }))
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn fmt::Debug + Send>> {
        let mut state = self.state();
        if state.is_locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.is_locked = true;
        Ok(Box::new(Locked(self.clone())))
    }
}

#[derive(Debug)]
struct Locked(Disk);

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.change(|state| state.is_locked = false);
    }
}

#[derive(Debug)]
struct Handle {
    disk: Disk,
    number: u64,
    is_segment: bool,
}

impl LogFile for Handle {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[&self.number].bytes.len() as u64)
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        Ok(FileIdentity { device: 1, number: self.number })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let rest = state.files[&self.number].bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let fails = self.is_segment && state.failing_writes > 0;
        let left = state.room.map_or(usize::MAX, |room| room.saturating_sub(state.used()));
        let taken = if fails { bytes.len() / 2 } else { bytes.len().min(left) };
        state.files.get_mut(&self.number).unwrap().bytes.extend_from_slice(&bytes[..taken]);
        if fails {
            state.failing_writes -= 1;
            return Err(io::Error::other("broken"));
        }
        if taken < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.failing_cuts {
            return Err(io::Error::other("broken"));
        }
        let file = state.files.get_mut(&self.number).unwrap();
        file.bytes.resize(usize::try_from(length).unwrap(), 0);
        file.synced = file.synced.min(file.bytes.len());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        if self.is_segment {
            if state.hangs {
                state.hanging += 1;
                self.disk.0.changed.notify_all();
            }
            state = self.disk.0.changed.wait_while(state, |state| state.hangs).unwrap();
            if state.failing_syncs > 0 {
                state.failing_syncs -= 1;
                return Err(io::Error::other("broken"));
            }
            state.syncs += 1;
        }
        let file = state.files.get_mut(&self.number).unwrap();
        file.synced = file.bytes.len();
        drop(state);
        self.disk.0.changed.notify_all();
        Ok(())
    }
}
