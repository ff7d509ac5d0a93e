//! What happened? Records, and the sinks that keep them.
//!
//! A decision is recorded before its action starts, and an action whose decision cannot be recorded is refused.

mod json_lines;
mod record;
mod sink;

pub use json_lines::JsonLinesFile;
pub use record::{
    ActionRecord, ApprovalRecord, AuditKey, ClientRecord, DelegationRecord, IssuedRecord, PolicyReloadRecord,
    QuestionRecord, RECORD_VERSION, Record, RecordKind, RevocationRecord,
};
pub use sink::{Append, AuditError, AuditSink, TracingSink};
