//! The writer: what it promises, on a disk that does what it is told.

mod disk;
pub(crate) mod support;

mod checkpoints;
mod failing;
mod opening;
mod rollback;
mod waiting;
mod writing;
