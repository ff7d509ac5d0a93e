use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::Verdict;
use crate::anchor::AnchorError;
use crate::checkpoint::CheckpointError;
use crate::format::{BodyError, FrameError, HeaderError};

/// What is not as it was written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The file. None if it is about the log as a whole.
    pub segment: Option<String>,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// The number of the entry that stands there, or should.
    pub entry: Option<u64>,
    /// What it is.
    pub kind: FaultKind,
}

/// What is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// There is no segment.
    #[error("there is no segment of an audit log: name the directory of the log, or else the log has been removed")]
    Absent,
    /// A segment does not begin as one does.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A segment has the name of another.
    #[error("the segment begins with entry {says} by what it says itself: the file was renamed, swapped or copied")]
    SegmentName {
        /// The number of its first entry, by its header.
        says: u64,
    },
    /// A segment of another log.
    #[error("the segment belongs to another log (chain {chain:?})")]
    SegmentChain {
        /// Which one, by its header.
        chain: String,
    },
    /// A segment that calls the log otherwise than those before.
    #[error("the segment calls the log {origin:?}, and those before it do not")]
    SegmentOrigin {
        /// What it calls it.
        origin: String,
    },
    /// The log is not the one that was asked for.
    #[error("this is the log {origin:?}, and not the one that is expected here")]
    Origin {
        /// What it calls itself.
        origin: String,
    },
    /// Entries are missing.
    #[error("entries {from} to {last} are missing: a segment was removed, or one was cut off")]
    Missing {
        /// The first that is missing.
        from: u64,
        /// The last.
        last: u64,
    },
    /// A segment does not continue those before it.
    #[error("the segment does not continue the entry before it: that entry was changed, or this header")]
    SegmentLink,
    /// A segment has another tree than those before it.
    #[error(
        "the segment does not begin with the tree of the entries before it: one of them was changed, or this header"
    )]
    SegmentTree,
    /// A frame is damaged.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// An entry cannot be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// An entry is not the next one.
    #[error("entry {found} stands where entry {expected} should: entries were removed, added or reordered")]
    Number {
        /// Which one should be here.
        expected: u64,
        /// Which one is.
        found: u64,
    },
    /// An entry does not continue the one before it.
    #[error("the entry does not link to the one before it: that one was changed, or this one")]
    Link,
    /// What is personal was changed.
    #[error("what is personal in the entry is not what was written with it")]
    Side,
    /// What is personal was taken out.
    #[error("what is personal in the entry has been taken out, which no erasure does")]
    SideMissing,
    /// What is personal was overwritten without a word.
    #[error("what is personal in the entry is gone, and no later entry says that it was erased")]
    Unannounced,
    /// What is personal was overwritten, and nobody vouches for the entry that says so.
    #[error(
        "what is personal in the entry is gone by the word of a later entry that no checkpoint covers yet, of the key or of an \
         anchor that was given: who can write the files can have written it; if it was you, start and stop the writer"
    )]
    ErasedUnproven,
    /// More was erased than can be kept account of.
    #[error(
        "erased entries stand in more than {0} places before the first of them is named: they cannot all be followed"
    )]
    TooManyErased(usize),
    /// The content of an entry is gone without a word.
    #[error("the content of the entry is gone, and no later entry says that it was given up")]
    Retired,
    /// The content of an entry is gone, and nobody vouches for the entry that says so.
    #[error(
        "the content of the entry is gone by the word of a later entry that no checkpoint covers yet, of the key or of an anchor \
         that was given: who can write the files can have written it; if it was you, start and stop the writer"
    )]
    RetiredUnproven,
    /// The content of an entry is gone, and that of earlier ones is not.
    #[error("the content of the record is gone, although that of earlier ones is not: it is given up oldest first")]
    RetiredLate,
    /// An entry of the log's own is not what it should be.
    #[error("the entry, which the log itself has written, cannot be read")]
    Payload,
    /// A log begins and goes on only as a writer that was opened writes it.
    #[error("no writer begins or ends like this: {0}")]
    Order(&'static str),
    /// A checkpoint cannot be read or is not believed.
    #[error("{0}")]
    Checkpoint(CheckpointError),
    /// A checkpoint is of another number of entries than stand before it.
    #[error("the checkpoint is of {size} entries, and {entries} stand before it")]
    CheckpointSize {
        /// What it says.
        size: u64,
        /// How many there are.
        entries: u64,
    },
    /// A checkpoint is of other entries.
    #[error("the checkpoint is not of the entries that stand before it: one of them was changed, or the checkpoint")]
    CheckpointRoot,
    /// A checkpoint is of another log.
    #[error("the checkpoint is of another log ({origin:?})")]
    CheckpointOrigin {
        /// Of which.
        origin: String,
    },
    /// Bytes behind the last entry of a segment that is not the last one.
    #[error("{bytes} bytes stand behind the segment's last entry, and the segment after it does not speak of them")]
    Leftover {
        /// How many.
        bytes: u64,
    },
    /// Entries are gone that an anchor knows of.
    #[error("{anchor} knows of {size} entries, and {entries} are left: the end of the log was cut off")]
    RolledBack {
        /// Which anchor.
        anchor: String,
        /// How many it knows of.
        size: u64,
        /// How many there are.
        entries: u64,
    },
    /// Entries are gone or others, and the log says that an operator has acknowledged that.
    #[error(
        "{anchor} knows of {size} entries, some of which are gone, and the log says that an operator has acknowledged that: ask \
         them; the log needs another anchor from there on"
    )]
    LossAcknowledged {
        /// Which anchor.
        anchor: String,
        /// How many it knows of.
        size: u64,
    },
    /// Entries are others than those that an anchor knows of.
    #[error("{anchor} knows other entries than these, among the first {size}: the log was rewritten")]
    Forked {
        /// Which anchor.
        anchor: String,
        /// Of how many entries.
        size: u64,
    },
    /// An anchor has something that is no checkpoint of this log.
    #[error("{anchor} has a checkpoint that is not believed: {error}")]
    AnchorNote {
        /// Which anchor.
        anchor: String,
        /// Why.
        error: CheckpointError,
    },
    /// A key is given, and none of the checkpoints is signed by it.
    #[error("nothing in the log is signed by the key that was given: it is another's log, or it has no checkpoint yet")]
    NothingSigned,
    /// An anchor is given, and knows nothing of the log.
    #[error("{anchor} knows nothing of this log: it is another's anchor, or nothing was anchored yet")]
    NothingAnchored {
        /// Which anchor.
        anchor: String,
    },
    /// An anchor is given, and cannot be asked.
    #[error("{anchor} cannot be asked: {error}")]
    Anchor {
        /// Which anchor.
        anchor: String,
        /// Why not.
        error: AnchorError,
    },
}

impl FaultKind {
    /// The stable machine code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Absent => "log_absent",
            Self::Header(error) => error.code(),
            Self::SegmentName { .. } => "segment_name",
            Self::SegmentChain { .. } => "segment_chain",
            Self::SegmentOrigin { .. } => "segment_origin",
            Self::Origin { .. } => "log_origin",
            Self::Missing { .. } => "entries_missing",
            Self::SegmentLink => "segment_link",
            Self::SegmentTree => "segment_tree",
            Self::Frame(error) => error.code(),
            Self::Body(error) => error.code(),
            Self::Number { .. } => "entry_number",
            Self::Link => "entry_link",
            Self::Side => "side_changed",
            Self::SideMissing => "side_missing",
            Self::Unannounced => "side_erased",
            Self::ErasedUnproven => "side_erased_unproven",
            Self::TooManyErased(_) => "side_erased_many",
            Self::Retired => "retired_unannounced",
            Self::RetiredUnproven => "retired_unproven",
            Self::RetiredLate => "retired_late",
            Self::Payload => "entry_payload",
            Self::Order(_) => "entry_order",
            Self::Checkpoint(error) => error.code(),
            Self::CheckpointSize { .. } => "checkpoint_size",
            Self::CheckpointRoot => "checkpoint_root",
            Self::CheckpointOrigin { .. } => "checkpoint_origin",
            Self::Leftover { .. } => "segment_leftover",
            Self::RolledBack { .. } => "rolled_back",
            Self::LossAcknowledged { .. } => "loss_acknowledged",
            Self::Forked { .. } => "forked",
            Self::AnchorNote { .. } => "anchor_note",
            Self::NothingSigned => "nothing_signed",
            Self::NothingAnchored { .. } => "nothing_anchored",
            Self::Anchor { error, .. } => error.code(),
        }
    }

    /// What a log with this fault is.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::NothingSigned
            | Self::NothingAnchored { .. }
            | Self::Anchor { .. }
            | Self::ErasedUnproven
            | Self::RetiredUnproven
            | Self::LossAcknowledged { .. } => Verdict::Unproven,
            _ => Verdict::Damaged,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(segment) = &self.segment {
            write!(f, "{segment}, byte {}", self.offset)?;
            if let Some(entry) = self.entry {
                write!(f, ", entry {entry}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}", self.kind)
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fault = serializer.serialize_struct("Fault", 5)?;
        fault.serialize_field("code", self.kind.code())?;
        fault.serialize_field("segment", &self.segment)?;
        fault.serialize_field("offset", &self.segment.as_ref().map(|_| self.offset))?;
        fault.serialize_field("entry", &self.entry)?;
        fault.serialize_field("text", &self.kind.to_string())?;
        fault.end()
    }
}
