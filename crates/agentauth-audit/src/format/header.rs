use serde::{Deserialize, Serialize};

use super::{Frame, FrameError, append_frame};
use crate::tree::{Frontier, Hash};

/// What each segment begins with: the name and the version of the format.
pub const MAGIC: [u8; 8] = *b"AGAUDIT1";

/// No header is longer: 64 hashes, and a few words.
pub const MAX_HEADER_BYTES: usize = 8 * 1024;

/// What a segment says of its place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SegmentHeader {
    /// The name of the log, random at its beginning (32 hexadecimal digits): segments of different logs are not mixed up.
    pub chain: String,
    /// What checkpoints call the log (C2SP tlog-checkpoint `origin`).
    pub origin: String,
    /// The number of the first entry.
    pub first: u64,
    /// The leaf hash of the entry before it.
    pub previous: Hash,
    /// The roots of the full subtrees of all entries before it, the largest first.
    pub frontier: Vec<Hash>,
}

/// Bytes that are no beginning of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// It does not begin with [`MAGIC`].
    #[error("the file does not begin as a segment of an audit log does")]
    Magic,
    /// The frame of the header is damaged.
    #[error("the header of the segment is damaged: {0}")]
    Frame(#[from] FrameError),
    /// The header is not what it should be.
    #[error("the header of the segment cannot be read")]
    Malformed,
}

impl HeaderError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Magic => "segment_magic",
            Self::Frame(error) => error.code(),
            Self::Malformed => "segment_header",
        }
    }
}

impl SegmentHeader {
    /// Of the segment that begins after the entries of `frontier`, the last of which has the leaf hash `previous`.
    #[must_use]
    pub fn new(chain: &str, origin: &str, previous: Hash, frontier: &Frontier) -> Self {
        Self {
            chain: chain.into(),
            origin: origin.into(),
            first: frontier.size(),
            previous,
            frontier: frontier.roots().to_vec(),
        }
    }

    /// Of no segment.
    pub(crate) const fn nowhere() -> Self {
        Self { chain: String::new(), origin: String::new(), first: 0, previous: Hash([0; 32]), frontier: Vec::new() }
    }

    /// What the segment begins with.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        // Strings, numbers and lists always serialise.
        append_frame(&mut out, &serde_json::to_vec(self).unwrap_or_default(), &[]);
        out
    }

    /// Reads the beginning of a segment, and says how long it is.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), HeaderError> {
        let Some((magic, rest)) = bytes.split_first_chunk::<8>() else {
            return Err(if MAGIC.starts_with(bytes) { FrameError::CutOff.into() } else { HeaderError::Magic });
        };
        if *magic != MAGIC {
            return Err(HeaderError::Magic);
        }
        let (frame, length) = Frame::read(rest)?;
        let header: Self = serde_json::from_slice(frame.body).map_err(|_| HeaderError::Malformed)?;
        let is_whole = header.frontier.len() == header.first.count_ones() as usize && frame.side.is_empty();
        if is_whole { Ok((header, MAGIC.len() + length)) } else { Err(HeaderError::Malformed) }
    }

    /// The tree of all entries before the segment.
    #[must_use]
    pub fn tree(&self) -> Frontier {
        Frontier::of(self.first, &self.frontier)
    }
}
