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

pub use log::{AuditLog, AuditLogBuilder, OpenError, WriteClass};
