//! Places outside of the log, that remember how far it had come.

mod file;
#[cfg(feature = "object-store")]
mod object;
mod proofs;

use std::fmt;

pub use file::FileAnchor;
#[cfg(feature = "object-store")]
pub use object::ObjectStoreAnchor;
pub use proofs::{ConsistencyProofs, MAX_PROOF_HASHES, SegmentProofs, is_consistent};

use crate::checkpoint::Head;

/// Remembers checkpoints where the log's owner cannot reach, or not alone: what is anchored can neither be cut off nor
/// rewritten unseen.
///
/// Called from a thread of the log's own, never from a request; a call may take as long as it must, and bounds that itself.
pub trait AnchorSink: Send + Sync + fmt::Debug {
    /// What it is called in reports.
    fn name(&self) -> &str;

    /// Remembers the checkpoint `note` for good, or says why it could not.
    ///
    /// One that wants to see that the log has only grown since it was asked last finds the proof in `proofs`.
    ///
    /// # Errors
    /// [`AnchorError`].
    fn anchor(&self, note: &str, proofs: &dyn ConsistencyProofs) -> Result<(), AnchorError>;

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
    /// What it remembers is damaged, or is not what was given to it.
    #[error("what the anchor remembers is damaged: {0}; look who could write to it, then begin a new anchor")]
    Damaged(Box<str>),
    /// The log cannot show that it has only grown.
    #[error("the log cannot show that it has only grown since it was anchored: {0}; verify the log")]
    Proof(Box<str>),
}

impl AnchorError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "anchor_unavailable",
            Self::Refused(_) => "anchor_refused",
            Self::Damaged(_) => "anchor_damaged",
            Self::Proof(_) => "anchor_proof",
        }
    }
}

/// Whether an anchor that has seen `known` of the same log may remember `next`: it is no step back, and no other tree.
///
/// # Errors
/// [`AnchorError::Refused`].
pub fn check_growth(known: &Head, next: &Head) -> Result<(), AnchorError> {
    let (knows, has) = (known.size, next.size);
    if has < knows {
        let why = format!(
            "it knows of {knows} entries, and the log has {has} now; after a loss that was acknowledged, begin a new anchor"
        );
        return Err(AnchorError::Refused(why.into()));
    }
    if has == knows && known.root != next.root {
        return Err(AnchorError::Refused(
            format!("it knows of other entries than these {has}: the log was rewritten").into(),
        ));
    }
    Ok(())
}
