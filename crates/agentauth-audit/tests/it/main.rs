//! The audit log from outside.

mod checkpoint;
mod read;
mod support;
