//! Reading a log, while it is written or afterwards.

mod segment;

pub use segment::{Entry, SegmentEnd, SegmentReader};
