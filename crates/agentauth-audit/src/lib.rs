#![doc = include_str!("lib.md")]

pub mod anchor;
pub mod checkpoint;
pub mod disk;
pub mod erase;
pub mod format;
mod log;
pub mod read;
pub mod tree;
pub mod verify;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/audit.md")]
struct Guide;

pub use log::{
    AuditLog, AuditLogBuilder, CHECKPOINT_RECORDS, CHECKPOINT_TIME, HEARTBEAT, Health, MAX_WAIT, OpenError,
    QUEUE_BYTES, QUEUE_RECORDS, RESERVE_BYTES, RETRY, SEGMENT_BYTES, WriteClass, WriteClasses,
};
