//! Writing: the log as an [`AuditSink`].

mod builder;
mod classes;
mod due;
mod error;
mod gaps;
mod health;
mod open;
mod publish;
mod queue;
mod recover;
mod reserve;
mod rollback;
pub(crate) mod scan;
mod tape;
mod trouble;
mod watch;
mod writer;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use agentauth_core::audit::{Append, AuditError, AuditSink, MAX_RECORD_BYTES, Record};
use agentauth_core::{Random, RandomUnavailable};

pub use builder::{
    AuditLogBuilder, CHECKPOINT_RECORDS, CHECKPOINT_TIME, HEARTBEAT, MAX_WAIT, QUEUE_BYTES, QUEUE_RECORDS,
    RESERVE_BYTES, RETRY, SEGMENT_BYTES,
};
pub use classes::{WriteClass, WriteClasses};
pub use error::OpenError;
pub use health::Health;

use crate::disk::Directory;
use crate::format::{EntryKind, MAX_SIDE_BYTES, SALT_BYTES, commitment};
use crate::tree::Hash;
use publish::Publisher;
use queue::{Item, Queue};
use writer::{Ending, Writer};

/// How long closing waits for a disk that hangs, and for the anchors.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// The audit log: records in a directory, each on the disk before its action starts.
///
/// Clones write to the same log. When the last one is dropped, what was taken is written, and the log is closed; that
/// waits for the disk, 10 s at most.
#[derive(Clone)]
pub struct AuditLog(Arc<Open>);

struct Open {
    queue: Arc<Queue>,
    classes: WriteClasses,
    random: Arc<dyn Random>,
    running: Arc<Running>,
    ending: Ending,
}

/// How many threads there are still.
#[derive(Debug, Default)]
struct Running {
    threads: Mutex<usize>,
    fewer: Condvar,
}

impl AuditLog {
    /// Opens the log in the directory `path` with the settings that everything has by default, or begins it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::builder(path).open()
    }

    /// Settings of the log in the directory `path`, which is created for its owner alone if it is not there.
    pub fn builder(path: impl AsRef<Path>) -> AuditLogBuilder {
        AuditLogBuilder::at(path.as_ref())
    }

    /// Settings of the log in `directory`.
    pub fn builder_in(directory: impl Directory + 'static) -> AuditLogBuilder {
        AuditLogBuilder::in_directory(Ok(Arc::new(directory)))
    }

    /// How the log is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.queue.counters.read()
    }

    /// Closes the log, for all clones: writes what was taken, a checkpoint, and that it ended in order. Records that come
    /// later are refused with [`AuditError::Closed`].
    ///
    /// # Errors
    /// [`AuditError::Write`] if the disk has failed; [`AuditError::Late`] if it hangs, or an anchor does: threads go on
    /// waiting for it.
    pub fn close(self) -> Result<(), AuditError> {
        self.0.close()
    }

    fn start(
        queue: Arc<Queue>,
        writer: Writer,
        publisher: Publisher,
        classes: WriteClasses,
        random: Arc<dyn Random>,
        ending: Ending,
    ) -> io::Result<Self> {
        let running = Arc::new(Running::default());
        let watched = Arc::clone(&queue);
        running.spawn("agentauth-audit-watch", move || watched.watch())?;
        running.spawn("agentauth-audit-out", move || publisher.run())?;
        running.spawn("agentauth-audit", move || writer.run())?;
        Ok(Self(Arc::new(Open { queue, classes, random, running, ending })))
    }
}

impl AuditSink for AuditLog {
    fn append(&self, record: Arc<Record>) -> Append {
        let class = self.0.classes.of(&record);
        let item = match self.0.item(&record) {
            Ok(item) => item,
            Err(error) => {
                self.0.queue.lose(&record.evaluation_id);
                return Append::done(if class == WriteClass::BestEffort { Ok(()) } else { Err(error) });
            }
        };
        match class {
            WriteClass::Durable => {
                let (done, written) = Append::pending();
                match self.0.queue.push(item, Some(done)) {
                    Ok(()) => written,
                    Err(error) => Append::done(Err(error)),
                }
            }
            WriteClass::Buffered => Append::done(self.0.queue.push(item, None)),
            WriteClass::BestEffort => {
                // The log counts it.
                let _ = self.0.queue.push(item, None);
                Append::done(Ok(()))
            }
        }
    }
}

impl Open {
    /// All that can be done on the thread of whoever appends.
    fn item(&self, record: &Record) -> Result<Item, AuditError> {
        let failed = |why: &str| AuditError::Write(why.into());
        let (mut payload, mut side) = (Vec::with_capacity(1024), Vec::new());
        record.write(&mut payload, &mut side).map_err(|error| failed(&error.to_string()))?;
        if payload.len() > MAX_RECORD_BYTES || side.len() > MAX_SIDE_BYTES - SALT_BYTES {
            return Err(failed("it is longer than any record may be"));
        }
        if !side.is_empty() {
            let mut salt = [0; SALT_BYTES];
            self.random.fill(&mut salt).map_err(|error: RandomUnavailable| failed(&error.to_string()))?;
            side.splice(..0, salt);
        }
        let commitment = if side.is_empty() { Hash::default() } else { commitment(&side) };
        let evaluation_id = Arc::clone(&record.evaluation_id);
        Ok(Item { kind: EntryKind::Record, payload, side, commitment, evaluation_id })
    }

    fn close(&self) -> Result<(), AuditError> {
        self.queue.close();
        if self.running.wait(CLOSE_WAIT) {
            self.ending.lock().unwrap_or_else(PoisonError::into_inner).clone()
        } else {
            Err(AuditError::Late)
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        let _ = self.close();
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl Running {
    fn spawn(self: &Arc<Self>, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let one = One(Arc::clone(self));
        *self.threads.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let run = move || {
            let _one = one;
            run();
        };
        thread::Builder::new().name(name.into()).spawn(run).map(drop)
    }

    /// Waits until there is none; false if that takes too long.
    fn wait(&self, most: Duration) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.fewer.wait_timeout_while(threads, most, |threads| *threads > 0);
        let (threads, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *threads == 0
    }
}

/// One thread, while it runs.
struct One(Arc<Running>);

impl Drop for One {
    fn drop(&mut self) {
        *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.fewer.notify_all();
    }
}
