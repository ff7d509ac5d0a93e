//! A disk that fails as disks do: what is written is in a cache until it is synchronised, and a crash keeps of the rest what it will.

mod mounted;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

pub(crate) use mounted::Mounted;

/// What a disk writes at once, or does not.
const PAGE: usize = 4096;

/// What a torn page is torn along.
const SECTOR: usize = 512;

/// How often what fails, in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) append: u32,
    pub(crate) sync: u32,
    pub(crate) cut: u32,
    pub(crate) create: u32,
    pub(crate) rename: u32,
    pub(crate) directory_sync: u32,
    pub(crate) read: u32,
}

/// A disk with one directory. Its clones are the same disk.
#[derive(Clone)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    random: u64,
    files: Vec<File>,
    /// What processes see, and what a crash leaves.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// What has happened to the names since the directory was synchronised.
    changes: Vec<Change>,
    /// Counts crashes: what was opened before is of a process that is dead.
    life: u64,
    is_locked: bool,
    faults: Faults,
    /// How many bytes all files may have together.
    capacity: Option<usize>,
    /// Operations that change something, so far, and from which on none succeeds.
    operations: u64,
    dead_from: Option<u64>,
    failed: u64,
}

#[derive(Debug, Clone, Default)]
struct File {
    cache: Vec<u8>,
    durable: Vec<u8>,
    /// Pages of the cache that the disk does not have.
    dirty: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
enum Change {
    Named(String, usize),
    Moved { from: String, to: String, file: usize },
    Removed(String),
}

impl Disk {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { random: seed, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// From now on, these happen by chance.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// From now on, there is room for so many bytes more.
    pub(crate) fn set_room(&self, room: Option<usize>) {
        let mut state = self.state();
        state.capacity = room.map(|room| state.used() + room);
    }

    /// The power fails before the operation of this number from now on: nothing succeeds any more, until [`Disk::crash`].
    pub(crate) fn die_at(&self, operation: u64) {
        let mut state = self.state();
        state.dead_from = Some(state.operations + operation);
    }

    /// Whether that has come.
    pub(crate) fn is_dead(&self) -> bool {
        self.state().is_dead()
    }

    /// How many operations have failed so far.
    pub(crate) fn failed(&self) -> u64 {
        self.state().failed
    }

    /// The power fails and comes back. No fault is left.
    pub(crate) fn crash(&self) {
        self.state().crash();
    }

    /// The process is killed: what it has opened is closed, and the disk goes on as it is.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.life += 1;
        state.is_locked = false;
    }

    /// The disk as it is for whoever reads it now, apart from this one, and without faults.
    pub(crate) fn copy(&self) -> Self {
        let state = self.state();
        let files = state.files.clone();
        Self(Arc::new(Mutex::new(State { files, names: state.names.clone(), ..State::default() })))
    }

    /// The content of a file.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[name]].cache.clone()
    }

    /// Puts bytes in a file as if nothing had been written but them.
    pub(crate) fn put(&self, name: &str, content: &[u8]) {
        let mut state = self.state();
        let file = File { cache: content.to_vec(), durable: content.to_vec(), dirty: BTreeSet::new() };
        state.files.push(file);
        let number = state.files.len() - 1;
        state.names.insert(name.into(), number);
        state.durable_names.insert(name.into(), number);
    }
}

impl State {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn chance(&mut self, thousandths: u32) -> bool {
        self.below(1000) < thousandths as usize
    }

    fn is_dead(&self) -> bool {
        self.dead_from.is_some_and(|from| self.operations >= from)
    }

    fn used(&self) -> usize {
        self.names.values().map(|&file| self.files[file].cache.len()).sum()
    }

    /// An error of the device, if one is due; `life` is of the process that asks.
    fn ask(&mut self, life: u64, thousandths: u32) -> io::Result<()> {
        if life != self.life || self.is_dead() || self.chance(thousandths) {
            self.failed += 1;
            return Err(io::Error::other("the device does not work"));
        }
        Ok(())
    }

    /// The same of an operation that changes something.
    fn change(&mut self, life: u64, thousandths: u32) -> io::Result<()> {
        let asked = self.ask(life, thousandths);
        if life == self.life {
            self.operations += 1;
        }
        asked
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn crash(&mut self) {
        // A journal keeps the order of what happens to names; not every file system has one.
        let changes = std::mem::take(&mut self.changes);
        let in_order = self.chance(700);
        let kept = self.below(changes.len() + 1);
        for (at, change) in changes.into_iter().enumerate() {
            if if in_order { at < kept } else { self.chance(500) } {
                change.apply(&mut self.durable_names);
            }
        }
        self.names = self.durable_names.clone();
        for at in 0..self.files.len() {
            let mut file = std::mem::take(&mut self.files[at]);
            file.lose(self);
            self.files[at] = file;
        }
        self.life += 1;
        self.is_locked = false;
        self.faults = Faults::default();
        self.capacity = None;
        self.dead_from = None;
    }
}

impl Change {
    fn apply(self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Named(name, file) => {
                names.insert(name, file);
            }
            Self::Moved { from, to, file } => {
                if names.get(&from) == Some(&file) {
                    names.remove(&from);
                }
                names.insert(to, file);
            }
            Self::Removed(name) => {
                names.remove(&name);
            }
        }
    }
}

impl File {
    fn touch(&mut self, from: usize, to: usize) {
        self.dirty.extend(from / PAGE..to.div_ceil(PAGE));
    }

    /// Puts the cache's page on the disk, or only the first sectors of it.
    fn write_page(&mut self, page: usize, sectors: usize) {
        let start = page * PAGE;
        let end = (start + sectors * SECTOR).min(self.durable.len());
        for at in start..end {
            self.durable[at] = self.cache.get(at).copied().unwrap_or(0);
        }
    }

    /// All that is dirty is on the disk.
    fn sync(&mut self) {
        self.durable.resize(self.cache.len(), 0);
        for page in std::mem::take(&mut self.dirty) {
            self.write_page(page, PAGE / SECTOR);
        }
    }

    /// What a failed synchronisation does: some of it is on the disk, and of the rest nobody knows any more that it is not.
    fn fail_to_sync(&mut self, random: &mut State) {
        if random.chance(500) {
            self.durable.resize(self.cache.len(), 0);
        }
        for page in std::mem::take(&mut self.dirty) {
            if random.chance(500) {
                self.write_page(page, PAGE / SECTOR);
            }
        }
    }

    /// What a crash leaves of it: any length that it had, any of the pages that were written, torn or whole.
    fn lose(&mut self, random: &mut State) {
        let (old, new) = (self.durable.len(), self.cache.len());
        let length = match random.below(4) {
            0 => old,
            1 | 2 => new,
            _ => (old.min(new) + random.below(old.abs_diff(new) + 1)).next_multiple_of(PAGE).min(old.max(new)),
        };
        self.durable.resize(length, 0);
        let all = random.chance(300);
        for page in std::mem::take(&mut self.dirty) {
            if all || random.chance(500) {
                let torn = random.chance(300);
                let sectors = if torn { random.below(PAGE / SECTOR + 1) } else { PAGE / SECTOR };
                self.write_page(page, sectors);
            }
        }
        self.cache.clone_from(&self.durable);
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}
