//! The writer: what it promises, on a disk that does what it is told.

mod disk;
mod support;

mod writing;
