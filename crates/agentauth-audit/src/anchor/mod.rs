//! Places outside of the log, that remember how far it had come.

use std::fmt;

/// Remembers checkpoints where the log's owner cannot reach, or not alone: what is anchored can neither be cut off nor
/// rewritten unseen.
///
/// Called from a thread of the log's own, never from a request; a call may take as long as it must, and bounds that itself.
pub trait AnchorSink: Send + Sync + fmt::Debug {
    /// What it is called in reports.
    fn name(&self) -> &str;

    /// Remembers the checkpoint `note` for good, or says why it could not.
    ///
    /// # Errors
    /// [`AnchorError`].
    fn anchor(&self, note: &str) -> Result<(), AnchorError>;

    /// The notes that it remembers of the log that is called `origin`, or the latest of them at least.
    ///
    /// # Errors
    /// [`AnchorError`].
    fn anchored(&self, origin: &str) -> Result<Vec<String>, AnchorError>;
}

/// An anchor did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// It cannot be reached, or does not work.
    #[error("the anchor is not available: {0}")]
    Unavailable(Box<str>),
    /// It does not take the checkpoint.
    #[error("the anchor has refused the checkpoint: {0}")]
    Refused(Box<str>),
}

impl AnchorError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "anchor_unavailable",
            Self::Refused(_) => "anchor_refused",
        }
    }
}
