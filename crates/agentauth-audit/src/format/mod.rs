//! What stands in a log, byte by byte.
//!
//! A log is a directory of segments, `00000000000000000000.log` and so on, each named after the number of its first
//! entry. A segment is [`MAGIC`], a frame with its [`SegmentHeader`], and a frame for each entry:
//!
//! ```text
//! frame   length of the body, length of the side (u32 each, little-endian)
//!         CRC-32C of the two lengths and the body, CRC-32C of the side (u32 each)
//!         body, side
//! body    kind (u8), number, time in microseconds since 1970 (u64 each)
//!         leaf hash of the entry before, commitment to the side (32 bytes each)
//!         payload: JSON
//! side    nothing, or a random salt (32 bytes) and JSON with what is personal; zeros once it is erased
//! ```
//!
//! The body is a leaf of the tree (RFC 6962 §2.1), as it is written; its side is not, but the body commits to it: SHA-256 of the side,
//! or zeros where there is none. So what is personal can be erased, and all hashes stay as they were.
//!
//! All entries of one write have one time, and those of the next have another. So a reader knows what a crash can have torn: the pages
//! of the last write may be on the disk in any order, but what a later write follows was there.
//!
//! After a write has failed, the log goes on in a new segment, whose first entry is a [`Recovered`]. What the segment before has after
//! the entry that the new one's [`SegmentHeader::first`] follows is what the failed write has left: no entries, and at most
//! [`Recovered::bytes`] bytes.

mod body;
mod entry;
mod files;
mod frame;
mod header;

pub use body::{Body, BodyError, HEAD_BYTES, commitment, is_erased, personal};
pub use entry::{Checkpoint, Closed, EntryKind, Erased, Gap, Opened, Recovered, Refused, RetiredSegments, SALT_BYTES};
pub(crate) use files::{CHECKPOINT_FILE, LOCK_FILE, RESERVE_FILE, UNFINISHED, is_beside};
pub use files::{segment_name, segment_of, segments_of};
pub(crate) use frame::FrameHead;
pub use frame::{FRAME_HEAD_BYTES, Frame, FrameError, MAX_BODY_BYTES, MAX_SIDE_BYTES, append_frame};
pub use header::{HeaderError, MAGIC, MAX_HEADER_BYTES, SegmentHeader};
