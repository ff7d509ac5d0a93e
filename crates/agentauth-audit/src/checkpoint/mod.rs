//! Tree heads, signed: C2SP tlog-checkpoint in C2SP signed-note.

mod key;

use std::fmt;

pub use key::{CheckpointKey, CheckpointVerifier};
use signed_note::Note;

use crate::tree::Hash;

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

/// A checkpoint that cannot be written or is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is no C2SP tlog-checkpoint.
    #[error("this is no checkpoint (C2SP tlog-checkpoint): an origin, a size and a root, and signatures")]
    Malformed,
    /// The name of a key or of a log cannot stand in a note.
    #[error("a log's name is not empty, and has no plus sign, space or control character")]
    Name,
    /// The key is none.
    #[error("this is no Ed25519 key for checkpoints: a line as `agentauth audit keygen` writes it")]
    Key,
    /// Nobody whose key is known has signed it.
    #[error("the checkpoint is not signed by a key that is known here")]
    Unsigned,
    /// A signature by a key that is known is false.
    #[error("the checkpoint's signature is false")]
    Signature,
    /// The signer did not sign.
    #[error("the signer has not signed: {0}")]
    Signer(Box<str>),
}

impl CheckpointError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "checkpoint_malformed",
            Self::Name => "checkpoint_name",
            Self::Key => "checkpoint_key",
            Self::Unsigned => "checkpoint_unsigned",
            Self::Signature => "checkpoint_signature",
            Self::Signer(_) => "checkpoint_signer",
        }
    }
}

impl Head {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        self.to_string()
    }

    /// Reads a checkpoint without looking at its signatures, if there are any.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`].
    pub fn read(note: &str) -> Result<Self, CheckpointError> {
        let text = match note.rsplit_once("\n\n") {
            Some(_) => Note::from_bytes(note.as_bytes()).map_err(|_| CheckpointError::Malformed)?.text().to_vec(),
            None => note.as_bytes().to_vec(),
        };
        let mut text = text;
        // The parser wants the blank line that ends a checkpoint within a note.
        text.push(b'\n');
        let read = tlog_tiles::Checkpoint::from_bytes(&text).map_err(|_| CheckpointError::Malformed)?;
        Ok(Self { origin: read.origin().trim_end().into(), size: read.size(), root: Hash(read.hash().0) })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, tlog_tiles::Hash(self.root.0))
    }
}
