use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::Timestamp;

use super::backward::Backward;
use super::entry::Seen;
use super::forward::Forward;
use super::segment::SegmentReader;
use super::{Filter, Follow, LogRecord, Matches, ReadError};
use crate::checkpoint::is_signed;
use crate::disk::{Directory, RealDirectory};
use crate::format::{Checkpoint, EntryKind, segment_name, segments_of};

/// As many logs are read together: one for each replica of a service.
const MAX_LOGS: usize = 256;

/// By so much a clock may have been set back while the log was written, and no entry is missed that was written at a time that is
/// asked for.
const CLOCK_SLACK: Duration = Duration::from_secs(600);

/// A log to be read, or several that are merged by time.
#[derive(Debug, Clone)]
pub struct Log {
    parts: Vec<Part>,
}

/// One log: one directory with segments.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) name: Arc<str>,
    pub(super) directory: Arc<dyn Directory>,
}

/// A checkpoint that covers an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointSeen {
    /// The number of its own entry: it covers all before that.
    pub number: u64,
    /// When it was written down.
    pub time: Timestamp,
    /// The note (C2SP tlog-checkpoint).
    pub note: String,
    /// Whether there is a signature. It has not been verified here.
    pub is_signed: bool,
}

impl Log {
    /// The log in the directory at `path`, or the logs in the directories in it.
    ///
    /// # Errors
    /// [`ReadError::NoLog`] if there is none, [`ReadError::TooMany`], and [`ReadError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let name =
            |path: &Path| path.file_name().map_or_else(|| ".".into(), |name| name.to_string_lossy().into_owned());
        let directory = RealDirectory::existing(path)?;
        if !segments(&directory)?.is_empty() {
            return Self::of(&name(path), directory);
        }
        let mut parts = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let path = entry?.path();
            if !path.is_dir() {
                continue;
            }
            let directory = RealDirectory::existing(&path)?;
            if !segments(&directory)?.is_empty() {
                parts.push(Part { name: name(&path).into(), directory: Arc::new(directory) });
            }
            if parts.len() > MAX_LOGS {
                return Err(ReadError::TooMany(MAX_LOGS));
            }
        }
        if parts.is_empty() {
            return Err(ReadError::NoLog(format!("`{}`", path.display())));
        }
        parts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { parts })
    }

    /// The log in `directory`, which is called `name`.
    ///
    /// # Errors
    /// [`ReadError::NoLog`] if there is none, and [`ReadError::Io`].
    pub fn of(name: &str, directory: impl Directory + 'static) -> Result<Self, ReadError> {
        if segments(&directory)?.is_empty() {
            return Err(ReadError::NoLog(format!("`{name}`")));
        }
        Ok(Self { parts: vec![Part { name: name.into(), directory: Arc::new(directory) }] })
    }

    /// What the logs are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| &*part.name)
    }

    /// The entries that `filter` asks for, in the order of their times. They end where the log ends now.
    #[must_use]
    pub fn oldest_first(&self, filter: &Filter) -> Matches {
        Matches::oldest_first(self.forward(filter).map(Forward::looking_ahead))
    }

    /// The entries that `filter` asks for, the latest first. No more of a log is read than it takes.
    #[must_use]
    pub fn newest_first(&self, filter: &Filter) -> Matches {
        Matches::newest_first(self.parts.iter().map(|part| Backward::new(part, filter)))
    }

    /// What comes from now on.
    #[must_use]
    pub fn follow(&self, filter: &Filter) -> Follow {
        Follow::of(self.parts.iter().map(|part| Forward::at_end(part, filter)).collect())
    }

    /// The records with this evaluation id: of a decision, and of its outcome.
    ///
    /// # Errors
    /// [`ReadError`], the first there is, after all is read.
    pub fn find(&self, evaluation_id: &str) -> Result<Vec<LogRecord>, ReadError> {
        self.oldest_first(&Filter::new().evaluation(evaluation_id)).take(MAX_FOUND).collect()
    }

    /// The first checkpoint of `log` that covers the entry `number`, a signed one if there is any.
    #[must_use]
    pub fn checkpoint_of(&self, log: &str, number: u64) -> Option<CheckpointSeen> {
        let part = self.parts.iter().find(|part| &*part.name == log)?;
        let mut forward = Forward::from_entry(part, number);
        let mut unsigned = None;
        while let Some(found) = forward.find_map(|seen| covering(seen, number)) {
            match found {
                Ok(checkpoint) if checkpoint.is_signed => return Some(checkpoint),
                Ok(checkpoint) => unsigned = unsigned.or(Some(checkpoint)),
                // The tree head behind a damage may cover it all the same; whether it does is not for here.
                Err(_) => break,
            }
        }
        unsigned
    }

    pub(super) fn forward(&self, filter: &Filter) -> impl Iterator<Item = Forward> {
        self.parts.iter().map(|part| Forward::new(part, filter))
    }
}

/// So many records have one evaluation id at the most that anybody needs to see: two, unless somebody has forged some.
const MAX_FOUND: usize = 64;

fn covering(seen: &Seen<'_>, number: u64) -> Option<CheckpointSeen> {
    if seen.kind != EntryKind::Checkpoint || seen.number <= number {
        return None;
    }
    let Checkpoint { note } = serde_json::from_slice(seen.payload).ok()?;
    let time = Timestamp::from_secs(0).plus(Duration::from_micros(seen.micros));
    Some(CheckpointSeen { number: seen.number, time, is_signed: is_signed(&note), note })
}

/// The numbers of the first entries of the segments in `directory`, in their order.
pub(super) fn segments(directory: &dyn Directory) -> Result<Vec<u64>, ReadError> {
    Ok(segments_of(directory.list()?))
}

impl Part {
    /// When the first entry of the segment `first` was written. None if it has none that can be read; or if its content was
    /// given up, since nothing vouches for the time that is left of it.
    fn begin(&self, first: u64) -> Option<Timestamp> {
        let file = self.directory.open_to_read(&segment_name(first)).ok()?;
        let mut reader = SegmentReader::new(file).ok()?.ok()?;
        let body = reader.next_entry().ok()?.read().ok()?;
        (body.kind != EntryKind::Retired).then(|| body.time())
    }

    /// Whether everything before the segment `first` was written before `time`, for certain.
    pub(super) fn is_all_before(&self, first: u64, time: Timestamp) -> bool {
        self.begin(first).is_some_and(|begin| begin.plus(CLOCK_SLACK) < time)
    }

    /// Whether everything from the segment `first` on was written at `time` or later, for certain.
    pub(super) fn is_all_after(&self, first: u64, time: Timestamp) -> bool {
        self.begin(first).is_some_and(|begin| begin >= time.plus(CLOCK_SLACK))
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("name", &self.name).finish_non_exhaustive()
    }
}
