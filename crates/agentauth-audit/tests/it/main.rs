//! The audit log from outside.

mod checkpoint;
mod log;
mod support;
