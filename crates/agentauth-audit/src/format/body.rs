use agentauth_core::Timestamp;
use aws_lc_rs::digest;

use super::{EntryKind, SALT_BYTES};
use crate::tree::Hash;

/// Before each payload: kind, number, time, link and commitment.
pub const HEAD_BYTES: usize = 1 + 8 + 8 + 32 + 32;

/// The body of an entry: what its leaf hash is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body<'b> {
    /// What kind of entry it is.
    pub kind: EntryKind,
    /// Which of the log's entries it is, from 0.
    pub number: u64,
    /// When it was written down, in microseconds since 1970.
    pub micros: u64,
    /// The leaf hash of the entry before; zeros before the first.
    pub previous: Hash,
    /// [`commitment`] of the side.
    pub commitment: Hash,
    /// JSON. Of a retired entry, its leaf hash.
    pub payload: &'b [u8],
}

/// Bytes that are no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Too short for its head.
    #[error("the entry is too short")]
    Short,
    /// Of a kind that is not known here.
    #[error("the entry is of a kind that is not known here; use the tool of its own version")]
    Kind,
}

impl BodyError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Short => "entry_short",
            Self::Kind => "entry_kind",
        }
    }
}

impl<'b> Body<'b> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn read(bytes: &'b [u8]) -> Result<Self, BodyError> {
        let (&[kind], rest) = bytes.split_first_chunk::<1>().ok_or(BodyError::Short)?;
        let (number, rest) = rest.split_first_chunk::<8>().ok_or(BodyError::Short)?;
        let (micros, rest) = rest.split_first_chunk::<8>().ok_or(BodyError::Short)?;
        let (previous, rest) = rest.split_first_chunk::<32>().ok_or(BodyError::Short)?;
        let (commitment, payload) = rest.split_first_chunk::<32>().ok_or(BodyError::Short)?;
        Ok(Self {
            kind: EntryKind::of(kind).ok_or(BodyError::Kind)?,
            number: u64::from_le_bytes(*number),
            micros: u64::from_le_bytes(*micros),
            previous: Hash(*previous),
            commitment: Hash(*commitment),
            payload,
        })
    }

    /// Appends it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(HEAD_BYTES + self.payload.len());
        out.push(self.kind as u8);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.micros.to_le_bytes());
        out.extend_from_slice(&self.previous.0);
        out.extend_from_slice(&self.commitment.0);
        out.extend_from_slice(self.payload);
    }

    /// When it was written down.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        Timestamp::from_secs(0).plus(std::time::Duration::from_micros(self.micros))
    }
}

/// What a body says of its side: the SHA-256 of all of it, or zeros of nothing.
#[must_use]
pub fn commitment(side: &[u8]) -> Hash {
    let mut hash = [0; 32];
    if !side.is_empty() {
        hash.copy_from_slice(digest::digest(&digest::SHA256, side).as_ref());
    }
    Hash(hash)
}

/// Whether what was personal in a side has been erased: its salt is random, so all of it is zeros only then.
#[must_use]
pub fn is_erased(side: &[u8]) -> bool {
    !side.is_empty() && side.iter().all(|&byte| byte == 0)
}

/// What is personal in a side, as JSON. Nothing if there is nothing, or it was erased.
#[must_use]
pub fn personal(side: &[u8]) -> &[u8] {
    side.get(SALT_BYTES..).filter(|_| !is_erased(side)).unwrap_or_default()
}
