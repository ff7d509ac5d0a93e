use std::io;

use agentauth_core::RandomUnavailable;

use crate::checkpoint::CheckpointError;

/// The log cannot be opened. Nothing was written, unless it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The files cannot be read or written.
    #[error("the audit log cannot be opened: {0}")]
    Io(#[from] io::Error),
    /// Another writer has it.
    #[error("another process writes this audit log; give each process a directory of its own")]
    Locked,
    /// It is damaged where no crash can have damaged it.
    #[error(
        "the audit log is damaged in {segment} at byte {offset}, and not as a crash would; \
         see what is left with `agentauth audit verify`, and move the directory away to begin a new log"
    )]
    Damaged {
        /// The file.
        segment: String,
        /// Where the first bad byte is, or the frame that has it begins.
        offset: u64,
    },
    /// An anchor knows of entries that are not here: the end was cut off, an old copy was put back, or all of it was replaced.
    #[error(
        "{anchor} knows the audit log with {known} entries, and those are not here, where there are {entries}; \
         find them, or acknowledge the loss (`acknowledge_loss`), which is recorded"
    )]
    RolledBack {
        /// What the anchor is called.
        anchor: String,
        /// How many entries it knows of.
        known: u64,
        /// How many there are.
        entries: u64,
    },
    /// It is called otherwise.
    #[error("the audit log calls itself {here}, not {asked}: checkpoints of one log have one name")]
    Origin {
        /// As its first segment says.
        here: String,
        /// As the settings say.
        asked: String,
    },
    /// It cannot be called so.
    #[error("{0}")]
    Name(CheckpointError),
    /// There is no room for what is kept free for the end.
    #[error("there is no room on the disk for the reserve of the audit log ({bytes} bytes): {source}")]
    Reserve {
        /// How much it would be.
        bytes: u64,
        /// What the disk says.
        source: io::Error,
    },
    /// There is no randomness for the name of a new log.
    #[error("a new audit log cannot be named: {0}")]
    Random(#[from] RandomUnavailable),
}

impl OpenError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "log_io",
            Self::Locked => "log_locked",
            Self::Damaged { .. } => "log_damaged",
            Self::RolledBack { .. } => "log_rolled_back",
            Self::Origin { .. } => "log_origin",
            Self::Name(_) => "log_name",
            Self::Reserve { .. } => "log_reserve",
            Self::Random(_) => "log_random",
        }
    }
}
