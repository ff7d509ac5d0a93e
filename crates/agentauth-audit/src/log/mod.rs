//! Writing: the log as an [`AuditSink`](agentauth_core::audit::AuditSink).

use std::path::Path;

/// How safe a record is made before its answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteClass {
    /// The answer waits until the record is on the disk.
    Durable,
    /// The answer waits until the record is in the queue: a crash may lose it.
    Buffered,
    /// Nobody waits, and where there is no room, it is counted only.
    BestEffort,
}

/// The audit log.
#[derive(Debug)]
pub struct AuditLog {}

/// Settings of an [`AuditLog`].
#[derive(Debug)]
#[must_use]
pub struct AuditLogBuilder {}

impl AuditLog {
    /// Settings of the log in the directory `path`.
    pub fn builder(_path: impl AsRef<Path>) -> AuditLogBuilder {
        AuditLogBuilder {}
    }
}

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The files cannot be read or written.
    #[error("the audit log cannot be opened: {0}")]
    Io(#[from] std::io::Error),
}
