//! The kinds of entries, and what those that the log itself writes say.

use serde::{Deserialize, Serialize};

/// In front of what is personal, so that its commitment tells nobody who guesses.
pub const SALT_BYTES: usize = 32;

/// What kind of entry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[non_exhaustive]
pub enum EntryKind {
    /// A [`Record`](agentauth_core::audit::Record) of what was asked and answered.
    Record = 1,
    /// [`Opened`]: a writer begins.
    Opened = 2,
    /// [`Closed`]: it has ended in order.
    Closed = 3,
    /// [`Checkpoint`] of all entries before it.
    Checkpoint = 4,
    /// [`Recovered`]: the end of the log was damaged by a crash, or a write had failed.
    Recovered = 5,
    /// [`Gap`]: records that were not kept.
    Gap = 6,
    /// [`Refused`]: records that are here although their actions were refused.
    Refused = 7,
    /// [`RetiredSegments`]: the content of old entries was given up, and their hashes stay.
    RetiredSegments = 8,
    /// [`Erased`]: what was personal is gone from entries.
    Erased = 9,
    /// Where an entry's content was given up: its leaf hash, in place of the payload.
    Retired = 10,
}

impl EntryKind {
    /// As it is written in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Checkpoint => "checkpoint",
            Self::Recovered => "recovered",
            Self::Gap => "gap",
            Self::Refused => "refused",
            Self::RetiredSegments => "retired_segments",
            Self::Erased => "erased",
            Self::Retired => "retired",
        }
    }

    /// The kind with this number.
    #[must_use]
    pub const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Record,
            2 => Self::Opened,
            3 => Self::Closed,
            4 => Self::Checkpoint,
            5 => Self::Recovered,
            6 => Self::Gap,
            7 => Self::Refused,
            8 => Self::RetiredSegments,
            9 => Self::Erased,
            10 => Self::Retired,
            _ => return None,
        })
    }
}

/// A writer begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Opened {
    /// The version of this crate.
    pub sdk: String,
    /// The process.
    pub process: u32,
    /// Whether the writer before it has ended in order. Absent in a new log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<bool>,
    /// The verifier key (C2SP signed-note) of the checkpoints to come, if they are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier_key: Option<String>,
    /// An operator has acknowledged that entries are gone which an anchor knows of: so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_loss: Option<u64>,
}

/// A writer has ended in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Closed {
    /// How many records it has written.
    pub records: u64,
}

/// The tree head of all entries before this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The note (C2SP tlog-checkpoint): origin, size and root, and signatures if there is a key.
    pub note: String,
}

/// The end of the log was damaged by a crash, or a write had failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recovered {
    /// How many bytes were taken off the end; or, after a write that failed, how many may be left of it at the end of the
    /// segment before.
    pub bytes: u64,
    /// Their SHA-256 in hexadecimal. Absent if they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The file in the log's directory in which they are kept. Absent if they could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_in: Option<String>,
    /// `crash`; or the failure of the write: `disk_full`, `write_failed`, `sync_failed`, `file_gone`, `file_changed`.
    pub after: String,
}

/// Records that were not kept: of class [`BestEffort`](crate::WriteClass::BestEffort), or while nothing could be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Gap {
    /// How many.
    pub dropped: u64,
    /// The evaluation ids of the first and the last.
    pub first: String,
    /// See `first`.
    pub last: String,
    /// `queue_full`, `stalled` or `write_failed`.
    pub why: String,
}

/// Records that are in the log although their actions were refused, because they were written too late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refused {
    /// The numbers of their entries.
    pub entries: Vec<u64>,
}

/// The content of old entries was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetiredSegments {
    /// Entries before this one have their hashes left, and nothing else.
    pub before: u64,
}

/// What was personal is gone from entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Erased {
    /// The numbers of the entries.
    pub entries: Vec<u64>,
    /// On whose request or by which rule, as the operator has put it.
    pub reason: String,
}
