//! The audit log from outside.

mod checkpoint;
mod log;
mod read;
mod support;
