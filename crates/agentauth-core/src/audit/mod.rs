//! What happened? Records, and the sinks that keep them.
//!
//! A decision is recorded before its action starts, and an action whose decision cannot be recorded is refused.

mod bound;
mod hop;
mod json_lines;
mod key;
mod parts;
mod personal;
mod record;
mod recorded;
mod shown;
mod sink;

pub(crate) use bound::{mask, name_to_mask};
pub use hop::{HopKey, HopProof, HopRecord};
pub use json_lines::JsonLinesFile;
pub use key::AuditKey;
pub use parts::{
    ActionRecord, ApprovalRecord, ClientRecord, DelegationRecord, IssuedRecord, PolicyReloadRecord, QuestionRecord,
    RevocationRecord,
};
pub use personal::join_personal;
pub use record::{RECORD_VERSION, Record, RecordKind};
pub use recorded::{MAX_RECORD_BYTES, RecordError, RecordedDecision, RecordedLine};
pub(crate) use shown::ShownArguments;
pub use shown::{MAX_SHOWN_BYTES, MAX_SHOWN_VALUE_BYTES};
pub use sink::{Acknowledgement, Append, AuditError, AuditSink, TracingSink};
