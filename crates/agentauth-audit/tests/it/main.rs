//! The audit log from outside.

mod checkpoint;
mod support;
