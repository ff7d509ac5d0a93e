//! Proofs that one entry is in a log, for somebody who has nothing else of it.

mod make;
mod path;
mod text;

use std::io;

use agentauth_core::Timestamp;
use agentauth_core::audit::join_personal;
use tlog_tiles::check_record;

pub use make::{Proved, Which, prove};

use crate::checkpoint::{CheckpointError, CheckpointVerifier, Head};
use crate::format::{Body, EntryKind, Frame, SALT_BYTES, commitment};
use crate::tree::{Hash, leaf_hash};

/// No proof is longer: the longest entry in base64, 64 hashes and a checkpoint.
pub const MAX_PROOF_BYTES: usize = 2 * 1024 * 1024;

/// That one entry is in a log, by a checkpoint of that log: C2SP tlog-proof, with the entry in its `extra` line.
///
/// The entry stands there as a frame of the log, so that it says what it is the proof of; what is personal is left out of
/// it unless it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    frame: Vec<u8>,
    index: u64,
    path: Vec<Hash>,
    note: String,
}

/// What a proof has proven: the entry is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckedRecord {
    /// Which of the log's entries it is, from 0.
    pub number: u64,
    /// What kind of entry.
    pub kind: EntryKind,
    /// When it was written down.
    pub time: Timestamp,
    /// The tree head that it is proven by.
    pub head: Head,
    /// Whether it has something personal, which is not in this proof.
    pub is_without_personal: bool,
    line: Vec<u8>,
}

impl CheckedRecord {
    /// What the entry says: JSON, with what is personal if that is in the proof.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.line
    }
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// It is longer than any.
    #[error("the proof is longer than {MAX_PROOF_BYTES} bytes, and can be none")]
    Oversize,
    /// It is no C2SP tlog-proof.
    #[error("this is no proof (C2SP tlog-proof): a line `c2sp.org/tlog-proof@v1`, an index, hashes, and a checkpoint")]
    Malformed,
    /// It does not have the entry in it.
    #[error("the proof does not have the entry in it, as those of `agentauth audit prove` do")]
    Entry,
    /// The entry has another number than the proof.
    #[error("the proof is of entry {index}, and the entry in it says that it is {number}")]
    Index {
        /// By the proof.
        index: u64,
        /// By the entry.
        number: u64,
    },
    /// What is personal is not what the entry was written with.
    #[error("what is personal in the proof is not what was written with the entry")]
    Side,
    /// The checkpoint is not believed.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead from the entry to the checkpoint.
    #[error(
        "the entry is not in the log of the checkpoint: the entry was changed, or the hashes, or it never was there"
    )]
    Path,
}

impl ProofError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Oversize => "proof_oversize",
            Self::Malformed => "proof_malformed",
            Self::Entry => "proof_entry",
            Self::Index { .. } => "proof_index",
            Self::Side => "proof_side",
            Self::Checkpoint(error) => error.code(),
            Self::Path => "proof_path",
        }
    }
}

/// Why an entry cannot be proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// There is none.
    #[error("there is no such entry in the log: entries are counted from 0, and evaluation ids are 32 digits")]
    Absent,
    /// No checkpoint speaks of it.
    #[error("no signed checkpoint covers entry {0} yet: give the log a key, or wait for the next checkpoint")]
    Unsigned(u64),
    /// Its content was given up.
    #[error("the content of entry {0} was given up, so that there is nothing left to prove")]
    Retired(u64),
    /// What is personal was erased.
    #[error("what is personal in entry {0} was erased: prove it without")]
    Erased(u64),
    /// The log is not as it was written.
    #[error("{segment} is damaged at byte {offset}: `agentauth audit verify` says how")]
    Damaged {
        /// The file.
        segment: String,
        /// Where, in bytes.
        offset: u64,
    },
    /// The entries are not those of the checkpoint.
    #[error("the entries are not those of the checkpoint: `agentauth audit verify` says where they were changed")]
    Changed,
    /// The files cannot be read.
    #[error("the log cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl ProveError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Absent => "prove_absent",
            Self::Unsigned(_) => "prove_unsigned",
            Self::Retired(_) => "prove_retired",
            Self::Erased(_) => "prove_erased",
            Self::Damaged { .. } => "prove_damaged",
            Self::Changed => "prove_changed",
            Self::Io(_) => "prove_io",
        }
    }
}

impl Proof {
    /// The number of the entry, by what the proof says.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint that it is proven by, with its signatures.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Checks that the entry is in a log whose checkpoint is signed by `key`.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn check(&self, key: &CheckpointVerifier) -> Result<CheckedRecord, ProofError> {
        let (frame, length) = Frame::read(&self.frame).map_err(|_| ProofError::Entry)?;
        let body = Body::read(frame.body).map_err(|_| ProofError::Entry)?;
        if length != self.frame.len() || body.kind == EntryKind::Retired {
            return Err(ProofError::Entry);
        }
        if body.number != self.index {
            return Err(ProofError::Index { index: self.index, number: body.number });
        }
        let has_personal = body.commitment != Hash::default();
        if !frame.side.is_empty() && commitment(frame.side) != body.commitment {
            return Err(ProofError::Side);
        }
        let head = key.verify(&self.note)?;
        self.lead(leaf_hash(frame.body), &head)?;
        let personal = frame.side.get(SALT_BYTES..).unwrap_or_default();
        Ok(CheckedRecord {
            number: body.number,
            kind: body.kind,
            time: body.time(),
            head,
            is_without_personal: has_personal && frame.side.is_empty(),
            line: join_personal(body.payload, personal),
        })
    }

    /// RFC 6962 §2.1.1: from the leaf to the root.
    fn lead(&self, leaf: Hash, head: &Head) -> Result<(), ProofError> {
        let hash = |hash: &Hash| tlog_tiles::Hash(hash.0);
        let path = self.path.iter().map(hash).collect();
        check_record(&path, head.size, hash(&head.root), self.index, hash(&leaf)).map_err(|_| ProofError::Path)
    }
}
