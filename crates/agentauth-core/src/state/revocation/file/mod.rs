//! Revocations in a file that processes on one machine share.

mod disk;
mod line;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, TryLockError};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;

use self::disk::{Fault, Locked, Look, Progress, Stamp};
use super::Wait;
use super::entries::{Entries, Span};
use super::memory::DEFAULT_CAPACITY;
use super::{Revocation, RevocationAnswer, RevocationStore, RevokeError, Subjects};
use crate::time::Timestamp;

/// Within what time a revocation by one process counts in the others, unless set otherwise.
pub const DEFAULT_NOTICED_WITHIN: Duration = Duration::from_secs(1);

/// The shortest such time: each look at the file costs the request that happens to take it some microseconds.
const MIN_NOTICED_WITHIN: Duration = Duration::from_millis(10);

/// A file is written anew when it has more lines than this, and twice as many as count.
const MIN_LINES_TO_COMPACT: u64 = 1024;

/// In place of an epoch while nothing can be told.
const UNAVAILABLE: u64 = u64::MAX;

/// Remembers what is revoked in a file that several processes of one machine have open, one JSON object a line. Clones
/// share one store.
///
/// A revocation is on the disk before [`RevocationStore::revoke`] answers. It counts at once in the process that made it,
/// and within [`DEFAULT_NOTICED_WITHIN`] of the clock in the others. They look at the file's metadata twice in that time
/// at most, when a request asks, and read what was added.
///
/// Where the file is gone, cannot be read, is shorter than it was, has a line that is no revocation, or has lost what it
/// had, nothing can be told, and everybody is refused until it is whole again. A last line without its end is none yet.
///
/// The file is made for its owner alone, names nobody, and must not be on a network. Who can write to it can revoke
/// anybody, and undo that by putting it back while no process has it open.
#[derive(Clone)]
pub struct FileRevocations {
    shared: Arc<Shared>,
    bound: u64,
}

struct Shared {
    path: PathBuf,
    capacity: usize,
    /// Held while the file is looked at.
    reader: Mutex<Reader>,
    entries: RwLock<Entries>,
    /// [`RevocationStore::epoch`], or [`UNAVAILABLE`].
    epoch: AtomicU64,
    /// When the file was last looked at, in microseconds.
    looked: AtomicU64,
}

#[derive(Default)]
struct Reader {
    progress: Progress,
    /// The file as it was when it was no good: it is not read again before it has changed.
    bad: Option<Stamp>,
    /// The last epoch that was handed out.
    epoch: u64,
}

impl FileRevocations {
    /// Opens the file at `path`, or creates it.
    ///
    /// # Errors
    /// Whatever creating or reading it reports; [`io::ErrorKind::InvalidData`] if it is no file of revocations.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::with_capacity(path, DEFAULT_CAPACITY)
    }

    /// Like [`FileRevocations::open`], for `entries` revocations, at least 1, in place of 262144.
    ///
    /// # Errors
    /// As [`FileRevocations::open`].
    pub fn with_capacity(path: impl AsRef<Path>, entries: usize) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        disk::create(&path)?;
        let shared = Shared {
            path,
            capacity: entries.max(1),
            reader: Mutex::default(),
            entries: RwLock::default(),
            epoch: AtomicU64::new(UNAVAILABLE),
            looked: AtomicU64::new(0),
        };
        let mut reader = Reader::default();
        shared.follow(&mut reader, Timestamp::from_secs(0)).map_err(|fault| match fault {
            Fault::Io(error) => error,
            fault => io::Error::new(io::ErrorKind::InvalidData, fault.to_string()),
        })?;
        let shared = Shared { reader: Mutex::new(reader), ..shared };
        Ok(Self { shared: Arc::new(shared), bound: micros(DEFAULT_NOTICED_WITHIN) })
    }

    /// Within what time of the clock a revocation by another process counts in this one: 1 s unless set, at least 10 ms.
    #[must_use]
    pub fn noticed_within(mut self, bound: Duration) -> Self {
        self.bound = micros(bound.max(MIN_NOTICED_WITHIN));
        self
    }

    /// Sees to it that what is known is not older than the bound, and says which epoch it is of.
    fn look(&self, now: Timestamp) -> Option<u64> {
        let age = |shared: &Shared| now.micros().checked_sub(shared.looked.load(Ordering::Acquire));
        let is_recent = |age: Option<u64>| age.is_some_and(|age| age < self.bound / 2);
        let shared = &*self.shared;
        if !is_recent(age(shared)) {
            match shared.reader.try_lock() {
                // Someone may have looked since.
                Ok(_) if is_recent(age(shared)) => {}
                Ok(mut reader) => shared.follow_or_fail(&mut reader, now),
                // Someone is looking, but a disk that hangs must not make old news good for longer than the bound.
                Err(TryLockError::WouldBlock) if age(shared).is_some_and(|age| age < self.bound) => {}
                Err(_) => return None,
            }
        }
        Some(shared.epoch.load(Ordering::Acquire)).filter(|epoch| *epoch != UNAVAILABLE)
    }
}

impl Shared {
    fn follow_or_fail(&self, reader: &mut Reader, now: Timestamp) {
        let was_good = self.epoch.load(Ordering::Acquire) != UNAVAILABLE;
        match self.follow(reader, now) {
            Ok(()) => {}
            Err(error) if was_good => {
                tracing::error!(path = %self.path.display(), %error, "the file of revocations is no good: everybody is refused");
            }
            Err(_) => {}
        }
    }

    /// Reads what is new in the file.
    fn follow(&self, reader: &mut Reader, now: Timestamp) -> Result<(), Fault> {
        let is_good = self.epoch.load(Ordering::Acquire) != UNAVAILABLE;
        let result = self.read(reader, now, is_good);
        match &result {
            Ok(has_changed) if *has_changed || !is_good => {
                let has_entries = self.entries.read().map_or(true, |entries| entries.len() > 0);
                // An epoch of 0 says that there is nothing.
                reader.epoch += u64::from(has_entries || reader.epoch > 0);
                self.epoch.store(reader.epoch, Ordering::Release);
                reader.bad = None;
            }
            Ok(_) => {}
            Err(fault) => {
                self.epoch.store(UNAVAILABLE, Ordering::Release);
                let bad = fault.is_of_content().then(|| disk::stamp(&self.path).ok()).flatten();
                (reader.progress, reader.bad) = (Progress::default(), bad);
            }
        }
        self.looked.store(now.micros(), Ordering::Release);
        result.map(drop)
    }

    /// Whether anything was new.
    fn read(&self, reader: &mut Reader, now: Timestamp, is_good: bool) -> Result<bool, Fault> {
        if !is_good && reader.bad.is_some() && reader.bad == Some(disk::stamp(&self.path)?) {
            return Err(Fault::Forgetful);
        }
        let broken = || Fault::Io(io::ErrorKind::Other.into());
        match reader.progress.look(&self.path)? {
            Look::Unchanged => Ok(false),
            Look::Added(added) => {
                let mut entries = self.entries.write().map_err(|_| broken())?;
                for (key, span) in added {
                    entries.insert(key, span);
                }
                Ok(true)
            }
            Look::Anew(found) => {
                let mut entries = self.entries.write().map_err(|_| broken())?;
                if entries.succeed(found, now) { Ok(true) } else { Err(Fault::Forgetful) }
            }
        }
    }

    fn reader(&self) -> Result<MutexGuard<'_, Reader>, RevokeError> {
        self.reader.lock().map_err(|_| RevokeError::Store("the store is broken".into()))
    }

    /// What is being written is read back, so that it counts here as it counts elsewhere.
    fn revoke(&self, revocation: &Revocation, now: Timestamp) -> Result<(), RevokeError> {
        let not_kept = |error: &dyn fmt::Display| RevokeError::Store(error.to_string().into());
        let mut locked = Locked::wait_for(&self.path).map_err(|fault| not_kept(&fault))?;
        let (key, span) = (revocation.key(), Span::of(revocation));
        let whole = {
            let mut reader = self.reader()?;
            self.follow(&mut reader, now).map_err(|fault| not_kept(&fault))?;
            let mut entries = self.entries.write().map_err(|_| RevokeError::Store("the store is broken".into()))?;
            if !entries.admit((&key, &span), now, self.capacity)? {
                return Ok(());
            }
            reader.progress.bytes
        };
        let written = locked.append(whole, &key, &span);
        let mut reader = self.reader()?;
        self.follow(&mut reader, now).map_err(|fault| not_kept(&fault))?;
        written.map_err(|error| not_kept(&error))?;
        if let Err(error) = self.compact(&locked, &mut reader, now) {
            tracing::warn!(path = %self.path.display(), %error, "the file of revocations could not be written anew");
        }
        Ok(())
    }

    /// Writes the file anew if most of it has ended. The lock is held, and everything in the file is known.
    fn compact(&self, locked: &Locked<'_>, reader: &mut Reader, now: Timestamp) -> Result<(), Fault> {
        if reader.progress.lines <= MIN_LINES_TO_COMPACT {
            return Ok(());
        }
        let mut lasting = match self.entries.read() {
            Ok(entries) => entries.clone(),
            Err(_) => return Ok(()),
        };
        lasting.drop_ended(now);
        if reader.progress.lines > 2 * lasting.len() as u64 {
            locked.replace(&lasting)?;
            self.follow(reader, now)?;
        }
        Ok(())
    }
}

impl RevocationStore for FileRevocations {
    fn check(&self, subjects: &Subjects, now: Timestamp) -> Wait<RevocationAnswer> {
        let answer = match (self.look(now), self.shared.entries.read()) {
            (Some(_), Ok(entries)) => entries.answer(subjects, now),
            _ => RevocationAnswer::Unavailable,
        };
        Wait::ready(answer)
    }

    /// The disk, and others that write, are waited for in a thread.
    fn revoke(&self, revocation: &Revocation, now: Timestamp) -> Wait<Result<(), RevokeError>> {
        let (done, answer) = oneshot::channel();
        let (shared, revocation) = (Arc::clone(&self.shared), revocation.clone());
        let spawned = thread::Builder::new().name("agentauth-revoke".into()).spawn(move || {
            // The one who waited may have gone away; what was revoked stays so.
            let _ = done.send(shared.revoke(&revocation, now));
        });
        match spawned {
            Ok(_) => Wait::later(async move {
                answer.await.unwrap_or_else(|_| Err(RevokeError::Store("the thread that writes has failed".into())))
            }),
            Err(error) => Wait::ready(Err(RevokeError::Store(error.to_string().into()))),
        }
    }

    fn epoch(&self, now: Timestamp) -> Option<u64> {
        self.look(now)
    }
}

impl fmt::Debug for FileRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileRevocations").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
