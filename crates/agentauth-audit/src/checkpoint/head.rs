use std::fmt;

use super::CheckpointError;
use super::note::{SignedText, is_signed};
use crate::tree::{Frontier, Hash};

/// A tree head: what a log has said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// What the log is called.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

impl Head {
    /// The head of `tree`, of the log that is called `origin`.
    #[must_use]
    pub fn new(origin: &str, tree: &Frontier) -> Self {
        Self { origin: origin.into(), size: tree.size(), root: tree.root() }
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        self.to_string()
    }

    /// Reads a checkpoint without looking at its signatures, if there are any.
    ///
    /// It has three lines, and each in the one form that [`Head::text`] gives it. Extension lines are refused: this log
    /// writes none, and what they say could not be checked (C2SP tlog-checkpoint advises against them).
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`].
    pub fn read(note: &str) -> Result<Self, CheckpointError> {
        match is_signed(note) {
            true => Self::read_text(SignedText::read(note)?.text()),
            false => Self::read_text(note),
        }
    }

    pub(super) fn read_text(text: &str) -> Result<Self, CheckpointError> {
        let read = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).map_err(|_| CheckpointError::Malformed)?;
        let head = Self { origin: read.origin().into(), size: read.size(), root: Hash(read.hash().0) };
        // Whatever the parser overlooks is not in what is written again.
        if head.origin.is_empty() || head.origin.contains(char::is_control) || head.text() != text {
            return Err(CheckpointError::Malformed);
        }
        Ok(head)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, tlog_tiles::Hash(self.root.0))
    }
}
