//! What is personal, taken out of a log that stays verifiable; and old content, given up.

mod erasure;
mod retention;
mod rewrite;
mod segment;
mod walk;

use std::io;

pub use erasure::{Erasure, ErasureReport, MAX_REASON_BYTES};
pub(crate) use retention::Retirement;
pub use retention::{Retention, Retired, retire};

/// Nothing was erased or given up; or, after an [`EraseError::Io`], not all of it: do it again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EraseError {
    /// A writer has the log open.
    #[error("a writer has the log open, and only one process may change it: stop the writer first")]
    InUse,
    /// There are no segments.
    #[error("there is no audit log in this directory: name the directory that holds the segments (*.log)")]
    NoLog,
    /// The log is not as it was written, or its writer has crashed.
    #[error(
        "{segment} is damaged at byte {offset}: `agentauth audit verify` says how; if the writer has crashed, start and \
         stop it once"
    )]
    Damaged {
        /// The file.
        segment: String,
        /// Where, in bytes.
        offset: u64,
    },
    /// An entry is asked for that the log does not have.
    #[error("the log has no entry {0}: its entries are counted from 0")]
    NoEntry(u64),
    /// The reason does not tell anything, or too much.
    #[error("an erasure needs a reason that can stand in the log: one line, at most {MAX_REASON_BYTES} bytes")]
    Reason,
    /// The files cannot be read or written.
    #[error(
        "the log cannot be read or written ({0}): when that is mended, do it again; what is done already stays done"
    )]
    Io(#[from] io::Error),
}

impl EraseError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InUse => "erase_in_use",
            Self::NoLog => "erase_no_log",
            Self::Damaged { .. } => "erase_damaged",
            Self::NoEntry(_) => "erase_no_entry",
            Self::Reason => "erase_reason",
            Self::Io(_) => "erase_io",
        }
    }
}
