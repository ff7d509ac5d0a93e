//! What happened? Records, and the sinks that keep them.
//!
//! A decision is recorded before its action starts, and an action whose decision cannot be recorded is refused.

mod json_lines;
mod record;
mod recorded;
mod shown;
mod sink;

pub use json_lines::JsonLinesFile;
pub use record::{
    ActionRecord, ApprovalRecord, AuditKey, ClientRecord, DelegationRecord, IssuedRecord, PolicyReloadRecord,
    QuestionRecord, RECORD_VERSION, Record, RecordKind, RevocationRecord,
};
pub use recorded::{MAX_RECORD_BYTES, RecordError, RecordedDecision, RecordedLine};
pub(crate) use shown::ShownArguments;
pub use shown::{MAX_SHOWN_BYTES, MAX_SHOWN_VALUE_BYTES};
pub use sink::{Append, AuditError, AuditSink, TracingSink};
