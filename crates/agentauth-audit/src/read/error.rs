use std::io;

use crate::format::{BodyError, FrameError, HeaderError};

/// A log that cannot be read, or not all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The files cannot be read.
    #[error("the audit log cannot be read ({0}): check the path and its permissions")]
    Io(#[from] io::Error),
    /// No segment is there.
    #[error(
        "there is no audit log in {0}: name the directory with its segments (*.log), or one with such directories in it"
    )]
    NoLog(String),
    /// More logs than are read together.
    #[error("there are more than {0} logs in this directory: name one of them")]
    TooMany(usize),
    /// Reading had to stop, and goes on with the next segment.
    #[error(
        "{log}: reading stopped in {segment} at byte {offset}, before entry {entry}, and went on with the next segment: {kind}; \
         `agentauth audit verify` tells more"
    )]
    Damaged {
        /// The log.
        log: Box<str>,
        /// The file of the segment.
        segment: Box<str>,
        /// Where, in bytes.
        offset: u64,
        /// The number of the entry that should be there.
        entry: u64,
        /// What is wrong.
        kind: DamageKind,
    },
}

/// What is wrong where reading had to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DamageKind {
    /// The segment does not begin as one.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// Bytes that are no frame.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// A frame that holds no entry.
    #[error("{0}")]
    Body(#[from] BodyError),
    /// Another entry than the one that comes next: some are missing, or stand elsewhere.
    #[error("another entry stands there: some are missing, or out of their order")]
    Order,
}

impl ReadError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "log_unreadable",
            Self::NoLog(_) => "log_absent",
            Self::TooMany(_) => "log_too_many",
            Self::Damaged { kind, .. } => kind.code(),
        }
    }
}

impl DamageKind {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Header(error) => error.code(),
            Self::Frame(error) => error.code(),
            Self::Body(error) => error.code(),
            Self::Order => "log_entries_missing",
        }
    }
}
