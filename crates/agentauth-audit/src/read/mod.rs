//! Reading a log, while it is written or afterwards: what happened, and to whom?
//!
//! [`Log`] reads entries oldest first, newest first, or as they come; a [`Filter`] says which. Nothing is locked, nothing is
//! written, and there is no index: an index would have to be believed, and the log is what convicts a forger.
//!
//! It is fast all the same. The bytes of an entry are searched for what the filter asks, and only those that have it are read as
//! JSON; segments outside of the times that are asked for are not opened beyond their first entry. A million records are a bit
//! more than a gigabyte, which is read in about a second.
//!
//! Here nothing is verified but checksums and numbers. What is damaged is said ([`ReadError::Damaged`]), and passed over up to
//! the next segment; whether a log is whole, and who says so, is for [`verify`](crate::verify).

mod backward;
mod counted;
mod entry;
mod error;
mod filter;
mod follow;
mod forward;
mod log;
mod matches;
mod names;
mod needle;
mod refused;
mod segment;
mod stats;
mod view;

pub(crate) use counted::{Counted, Segment};
pub use entry::LogRecord;
pub use error::{DamageKind, ReadError};
pub use filter::Filter;
pub use follow::Follow;
pub use log::{CheckpointSeen, Log};
pub use matches::Matches;
pub(crate) use refused::is_late;
pub use segment::{Entry, SegmentEnd, SegmentReader};
pub use stats::{Bucket, MAX_BUCKETS, MAX_NAMES, Names, OTHER, Stats, Tally};
pub use view::{Hop, ReasonView, View};
