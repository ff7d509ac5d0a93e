//! Who vouches for which entries.

use agentauth_core::Timestamp;

use super::fault::FaultKind;
use super::report::{MAX_FOREIGN, Range, Ranges};
use super::walk::Walk;
use crate::format::{Body, EntryKind};

/// How far something reaches.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    pub(super) entries: u64,
    records: u64,
    /// When the last entry of it was written, and the first after it.
    last: Option<u64>,
    next: Option<u64>,
}

impl Mark {
    pub(super) fn pass(&mut self, body: &Body<'_>) {
        if self.entries == body.number {
            self.next = Some(body.micros);
        }
    }

    /// From here to `until`, which is not before it.
    fn to(&self, until: &Self) -> Range {
        let is_empty = self.entries >= until.entries;
        let time = |micros: u64| Timestamp::from_secs(0).plus(std::time::Duration::from_micros(micros));
        Range {
            from: self.entries,
            until: until.entries.max(self.entries),
            records: until.records.saturating_sub(self.records),
            first: self.next.filter(|_| !is_empty).map(time),
            last: until.last.filter(|_| !is_empty).map(time),
        }
    }

    fn or_later(self, other: Self) -> Self {
        if other.entries > self.entries { other } else { self }
    }
}

impl Walk<'_, '_> {
    /// All entries up to here.
    pub(super) fn mark_here(&self) -> Mark {
        let entries = self.at.next.unwrap_or_default();
        Mark {
            entries,
            records: self.report.records + self.report.retired,
            last: (entries > 0).then_some(self.at.micros),
            next: None,
        }
    }

    pub(super) fn mark(&mut self, body: &Body<'_>) {
        self.start.pass(body);
        self.anchored.pass(body);
        self.signed.pass(body);
    }

    /// Compares the tree with what is known of it elsewhere.
    pub(super) fn compare_known(&mut self) {
        let Some(tree) = &self.at.tree else { return };
        let (size, mut root) = (tree.size(), None);
        let (mut forked, mut is_anchored) = (Vec::new(), false);
        while let Some(known) = self.known.up_to(size) {
            // Smaller ones stand where damage is, which is told already.
            if known.size < size {
                continue;
            }
            if *root.get_or_insert_with(|| tree.root()) != known.root {
                forked.push(known.anchor);
            } else {
                is_anchored |= known.anchor.is_some();
            }
        }
        if is_anchored && self.is_sound {
            self.anchored = self.mark_here();
            self.vouch();
        }
        for anchor in forked {
            if self.is_acknowledged(size) {
                self.tell_loss(anchor, size);
            } else {
                self.is_sound = false;
                let anchor = self.anchor_name(anchor);
                self.log_fault(Some(size), FaultKind::Forked { anchor, size });
            }
        }
    }

    /// Somebody vouches for what the log has said of itself so far.
    pub(super) fn vouch(&mut self) {
        (self.retired_proven, self.erased_unproven) = (self.retired_before, None);
    }

    /// An anchor knows what is gone, and the log says that this was acknowledged: which is no better known than the log.
    fn tell_loss(&mut self, anchor: Option<usize>, size: u64) {
        if anchor.is_some() {
            let anchor = self.anchor_name(anchor);
            self.log_fault(None, FaultKind::LossAcknowledged { anchor, size });
        }
    }

    /// What is gone although somebody vouches for it, by the word of entries that nobody does: whoever can write the files can
    /// have written these.
    fn tell_unproven(&mut self) {
        if self.verifier.key.is_none() && self.verifier.anchors.is_empty() {
            return;
        }
        if let Some((number, place)) = self.erased_unproven {
            self.fault(place, Some(number), FaultKind::ErasedUnproven);
        }
        if self.last_stub.is_some_and(|last| (self.retired_proven..self.retired_before).contains(&last)) {
            let unproven = self.stubs.iter().find(|(number, _)| *number >= self.retired_proven);
            if let Some(&(number, place)) = unproven.or_else(|| self.stubs.last()) {
                self.fault(place, Some(number), FaultKind::RetiredUnproven);
            }
        }
    }

    /// Whether an operator has acknowledged that the entry before `size` is gone.
    fn is_acknowledged(&self, size: u64) -> bool {
        self.losses.iter().any(|&(from, lost)| size > from && size <= from.saturating_add(lost))
    }

    fn anchor_name(&self, anchor: Option<usize>) -> String {
        let anchor = anchor.and_then(|index| self.verifier.anchors.get(index));
        anchor.map_or_else(|| "the file `checkpoint` beside the segments".into(), |anchor| anchor.name().into())
    }

    /// What can only be said at the end.
    pub(super) fn finish(&mut self) {
        let gone: Vec<_> = self.erasures.rest().collect();
        for (number, place) in gone {
            self.fault(place, Some(number), FaultKind::Unannounced);
        }
        if self.last_stub.is_some_and(|last| last >= self.retired_before) {
            let unannounced = self.stubs.iter().find(|(number, _)| *number >= self.retired_before);
            // Whole segments are given up: else the last of them tells where.
            if let Some(&(number, place)) = unannounced.or_else(|| self.stubs.last()) {
                self.fault(place, Some(number), FaultKind::Retired);
            }
        }
        self.tell_unproven();
        if let Some(left) = self.leftover.take() {
            self.fault(left.place, None, FaultKind::Leftover { bytes: left.bytes });
        }
        if let Some(entries) = self.at.next {
            while let Some((size, anchor)) = self.known.up_to(u64::MAX).map(|known| (known.size, known.anchor)) {
                if size <= entries {
                    continue;
                }
                if self.is_acknowledged(size) {
                    self.tell_loss(anchor, size);
                } else {
                    let anchor = self.anchor_name(anchor);
                    self.log_fault(Some(entries), FaultKind::RolledBack { anchor, size, entries });
                }
            }
        }
        if self.verifier.key.is_some() && self.report.signed_checkpoints == 0 {
            self.log_fault(None, FaultKind::NothingSigned);
        }
        self.report.is_closed = self.at.kind == Some(EntryKind::Closed) && self.report.torn.is_none();
        self.report.acknowledged_loss = self.losses.iter().map(|(_, lost)| lost).fold(0, |a, b| a.saturating_add(*b));
        self.report.foreign = std::mem::take(&mut self.segments.foreign);
        self.report.foreign.truncate(MAX_FOREIGN);
        let signed = self.anchored.or_later(self.signed);
        self.report.ranges = Ranges {
            anchored: self.start.to(&self.anchored),
            signed: self.anchored.to(&signed),
            unanchored: signed.to(&self.sound.or_later(signed)),
        };
    }
}
