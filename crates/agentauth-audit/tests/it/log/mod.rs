//! The writer: what it promises, on a disk that does what it is told.

mod disk;
pub(crate) mod support;

mod writing;
