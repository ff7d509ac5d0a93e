use agentauth_core::Timestamp;
use serde::Serialize;

use super::Fault;

/// Faults that are told one by one; the others are counted.
pub(super) const MAX_FAULTS: usize = 16;

/// Foreign files that are named.
pub(super) const MAX_FOREIGN: usize = 16;

/// What a log is. The later, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Whole, and as it was written, as far as it is vouched for: see [`Ranges`].
    Whole,
    /// Whole but for its last bytes, which are no entry: a write that is under way, or that a crash has cut off. The next
    /// writer sets them aside, and says so in the log.
    TornTail,
    /// Whole as it stands; but the key or the anchor that was given vouches for nothing of it, or not for what the log says
    /// of entries that are gone.
    Unproven,
    /// Not what was written.
    Damaged,
}

/// What a verifier has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// What it comes to.
    pub(super) verdict: Verdict,
    /// The random name of the log. Empty if no segment can be read.
    pub chain: String,
    /// What its checkpoints call it.
    pub origin: String,
    /// How many files it has.
    pub segments: u64,
    /// How many entries could be read.
    pub entries: u64,
    /// How many of them are records.
    pub records: u64,
    /// The length of all segments.
    pub bytes: u64,
    /// Who vouches for which entries.
    pub ranges: Ranges,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// How many of them are signed by the key that was given.
    pub signed_checkpoints: u64,
    /// What the anchors know.
    pub anchors: Vec<Anchored>,
    /// Whether the last writer has ended in order: false of a log that is being written, too.
    pub is_closed: bool,
    /// Entries from which what is personal was erased.
    pub erased: u64,
    /// Records whose content was given up; the oldest ones.
    pub retired: u64,
    /// How often a writer has set a damaged end aside.
    pub recovered: u64,
    /// How many bytes that were.
    pub recovered_bytes: u64,
    /// Records that were not kept, by what the log says of them.
    pub dropped: u64,
    /// Records whose actions were refused because they were written too late.
    pub refused: u64,
    /// Entries that an operator has acknowledged as lost.
    pub acknowledged_loss: u64,
    /// What is no entry at the end.
    pub torn: Option<Torn>,
    /// What is wrong, the first place first; the first few.
    pub faults: Vec<Fault>,
    /// How many more there are.
    pub more_faults: u64,
    /// Files in the directory that are none of the log's; the first few.
    pub foreign: Vec<String>,
}

/// The end of a log that is no entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Torn {
    /// The file.
    pub segment: String,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// What one anchor knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Anchored {
    /// What it is called.
    pub name: String,
    /// How many checkpoints of this log it has.
    pub checkpoints: usize,
    /// Of how many entries the latest is.
    pub latest: u64,
}

/// Who vouches for which entries, up to the first fault. Together they are all entries up to there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ranges {
    /// Known to an anchor: can neither be cut off nor rewritten.
    pub anchored: Range,
    /// Signed by the key that was given, and not anchored: can be cut off, but not rewritten without the key.
    pub signed: Range,
    /// Neither: whoever can write the files can change them.
    pub unanchored: Range,
}

/// Entries one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Range {
    /// The first.
    pub from: u64,
    /// The one after the last.
    pub until: u64,
    /// How many of them are records.
    pub records: u64,
    /// When the first was written.
    pub first: Option<Timestamp>,
    /// When the last was written.
    pub last: Option<Timestamp>,
}

impl Range {
    /// How many entries these are.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.until.saturating_sub(self.from)
    }
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            verdict: Verdict::Whole,
            chain: String::new(),
            origin: String::new(),
            segments: 0,
            entries: 0,
            records: 0,
            bytes: 0,
            ranges: Ranges::default(),
            checkpoints: 0,
            signed_checkpoints: 0,
            anchors: Vec::new(),
            is_closed: false,
            erased: 0,
            retired: 0,
            recovered: 0,
            recovered_bytes: 0,
            dropped: 0,
            refused: 0,
            acknowledged_loss: 0,
            torn: None,
            faults: Vec::new(),
            more_faults: 0,
            foreign: Vec::new(),
        }
    }

    /// What it comes to.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The first bad place.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.faults.first()
    }

    pub(super) fn add(&mut self, fault: Fault) {
        self.verdict = self.verdict.max(fault.kind.verdict());
        // What has a place comes first, in the order of the log; then what is about the log as a whole, as it was found.
        let place = |fault: &Fault| (fault.segment.is_none(), fault.segment.clone(), fault.offset);
        let at = self.faults.partition_point(|known| place(known) <= place(&fault));
        self.faults.insert(at, fault);
        if self.faults.len() > MAX_FAULTS {
            self.faults.pop();
            self.more_faults = self.more_faults.saturating_add(1);
        }
    }
}
