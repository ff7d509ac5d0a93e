use agentauth_core::audit::MAX_RECORD_BYTES;

use super::HEAD_BYTES;

/// Before each body: two lengths and two checksums.
pub const FRAME_HEAD_BYTES: usize = 16;

/// No body is longer: that is its head and the longest record.
pub const MAX_BODY_BYTES: usize = HEAD_BYTES + MAX_RECORD_BYTES;

/// No side is longer: the salt, and names and shown arguments, which are bounded each.
pub const MAX_SIDE_BYTES: usize = 64 * 1024;

/// One frame, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'b> {
    /// What is hashed.
    pub body: &'b [u8],
    /// What the body only commits to.
    pub side: &'b [u8],
}

/// Bytes that are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The bytes end before the frame does.
    #[error("the frame is cut off")]
    CutOff,
    /// A length that no frame has.
    #[error("the frame says that it is longer than any may be, or shorter")]
    Length,
    /// The body is not what was written.
    #[error("the frame does not have the checksum that was written with it")]
    Checksum,
    /// The side is not what was written.
    #[error("what is personal does not have the checksum that was written with it")]
    SideChecksum,
}

impl FrameError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CutOff => "frame_cut_off",
            Self::Length => "frame_length",
            Self::Checksum => "frame_checksum",
            Self::SideChecksum => "frame_side_checksum",
        }
    }
}

/// How long the body and the side are, by the head of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameHead {
    pub(crate) body: usize,
    pub(crate) side: usize,
    body_sum: u32,
    side_sum: u32,
}

impl FrameHead {
    /// Reads the head. Its lengths are within bounds.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let (words, _) = bytes.as_chunks::<4>();
        let &[body, side, body_sum, side_sum, ..] = words else { return Err(FrameError::CutOff) };
        let (body, side) = (u32::from_le_bytes(body) as usize, u32::from_le_bytes(side) as usize);
        if body == 0 || body > MAX_BODY_BYTES || side > MAX_SIDE_BYTES {
            return Err(FrameError::Length);
        }
        Ok(Self { body, side, body_sum: u32::from_le_bytes(body_sum), side_sum: u32::from_le_bytes(side_sum) })
    }

    /// Of the body and the side together.
    pub(crate) const fn rest(&self) -> usize {
        self.body + self.side
    }

    /// Reads the rest of the frame, which `rest` begins with.
    pub(crate) fn frame<'b>(&self, rest: &'b [u8]) -> Result<Frame<'b>, FrameError> {
        let (body, rest) = rest.split_at_checked(self.body).ok_or(FrameError::CutOff)?;
        let side = rest.get(..self.side).ok_or(FrameError::CutOff)?;
        if body_sum(body, side.len()) != self.body_sum {
            return Err(FrameError::Checksum);
        }
        if crc32c::crc32c(side) != self.side_sum {
            return Err(FrameError::SideChecksum);
        }
        Ok(Frame { body, side })
    }
}

impl<'b> Frame<'b> {
    /// Reads the frame that `bytes` begin with, and says how long it is.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn read(bytes: &'b [u8]) -> Result<(Self, usize), FrameError> {
        let head = FrameHead::read(bytes)?;
        let rest = bytes.get(FRAME_HEAD_BYTES..).ok_or(FrameError::CutOff)?;
        Ok((head.frame(rest)?, FRAME_HEAD_BYTES + head.rest()))
    }
}

fn body_sum(body: &[u8], side_length: usize) -> u32 {
    let lengths = [length(body.len()), length(side_length)].concat();
    crc32c::crc32c_append(crc32c::crc32c(&lengths), body)
}

/// Bounded by [`MAX_BODY_BYTES`] and [`MAX_SIDE_BYTES`]; a longer one is written as one that no reader takes.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// Appends the frame of `body` and `side` to `out`.
pub fn append_frame(out: &mut Vec<u8>, body: &[u8], side: &[u8]) {
    out.reserve(FRAME_HEAD_BYTES + body.len() + side.len());
    out.extend_from_slice(&length(body.len()));
    out.extend_from_slice(&length(side.len()));
    out.extend_from_slice(&body_sum(body, side.len()).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(side).to_le_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(side);
}
