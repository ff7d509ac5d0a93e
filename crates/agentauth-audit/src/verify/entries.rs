//! What the log itself has written into it.

use serde::Deserialize;

use super::anchors::signed_by;
use super::erased::Place;
use super::fault::FaultKind;
use super::walk::Walk;
use crate::checkpoint::{CheckpointError, Head};
use crate::format::{Body, Checkpoint, EntryKind, Erased, Gap, Opened, Recovered, Refused, RetiredSegments};
use crate::read::is_late;

/// Losses that are acknowledged are few: each is an act of an operator.
const MAX_LOSSES: usize = 1024;

type Checked = Result<(), FaultKind>;

impl Walk<'_, '_> {
    /// Counts an entry, and checks what it says if it is one of the log's own.
    pub(super) fn account(&mut self, place: Place, body: &Body<'_>) {
        let checked = self.order(body).and_then(|()| match body.kind {
            EntryKind::Record => {
                self.report.records += 1;
                self.first_record.get_or_insert((place.segment, body.number));
                Ok(())
            }
            EntryKind::Retired => self.retired(place, body),
            EntryKind::Opened => self.opened(body),
            EntryKind::Closed => read::<crate::format::Closed>(body).map(drop),
            EntryKind::Checkpoint => self.checkpoint(body),
            EntryKind::Recovered => self.recovered(body),
            EntryKind::Gap => read::<Gap>(body).map(|gap| add(&mut self.report.dropped, gap.dropped)),
            EntryKind::Refused => self.refused(body),
            EntryKind::RetiredSegments => self.retired_segments(body),
            EntryKind::Erased => self.erased(body),
        });
        if let Err(kind) = checked {
            self.fault(place, Some(body.number), kind);
        }
    }

    /// A log begins as it is opened; and once it is closed, it is opened again before anything happens in it.
    fn order(&self, body: &Body<'_>) -> Checked {
        let happens = matches!(body.kind, EntryKind::Record | EntryKind::Gap | EntryKind::Refused);
        match self.at.kind {
            _ if body.number == 0 && body.kind != EntryKind::Opened => {
                Err(FaultKind::Order("the first entry says that a writer has opened the log"))
            }
            Some(EntryKind::Closed) if happens => {
                Err(FaultKind::Order("after a log is closed, a writer opens it before it goes on"))
            }
            _ => Ok(()),
        }
    }

    fn opened(&mut self, body: &Body<'_>) -> Checked {
        let opened: Opened = read(body)?;
        if let Some(lost) = opened.acknowledged_loss.filter(|_| self.losses.len() < MAX_LOSSES) {
            self.losses.push((body.number, lost));
        }
        match self.at.kind {
            Some(kind) if opened.clean == Some(true) && kind != EntryKind::Closed => {
                Err(FaultKind::Order("a writer says that the one before it has ended in order, and that has not"))
            }
            _ => Ok(()),
        }
    }

    fn checkpoint(&mut self, body: &Body<'_>) -> Checked {
        let Checkpoint { note } = read(body)?;
        let head = Head::read(&note).map_err(FaultKind::Checkpoint)?;
        self.report.checkpoints += 1;
        if head.size != body.number {
            return Err(FaultKind::CheckpointSize { size: head.size, entries: body.number });
        }
        if self.at.tree.as_ref().is_some_and(|tree| tree.root() != head.root) {
            return Err(FaultKind::CheckpointRoot);
        }
        if head.origin != self.report.origin {
            return Err(FaultKind::CheckpointOrigin { origin: head.origin });
        }
        let Some(key) = &self.verifier.key else { return Ok(()) };
        match signed_by(key, &note) {
            Ok(_) => {
                self.report.signed_checkpoints += 1;
                if self.is_sound {
                    self.signed = self.mark_here();
                    self.signed.pass(body);
                    self.vouch();
                }
                Ok(())
            }
            // Those before the first that is signed by this key are of another key or of none; what they say, that one says too.
            Err(CheckpointError::Unsigned) if self.report.signed_checkpoints == 0 => Ok(()),
            Err(error) => Err(FaultKind::Checkpoint(error)),
        }
    }

    /// A writer has found bytes at the end that are no entry, or has left them there: then it says only how many they are at most.
    fn recovered(&mut self, body: &Body<'_>) -> Checked {
        let recovered: Recovered = read(body)?;
        // Of a write that has failed, any part may be there.
        self.leftover.take_if(|left| match &recovered.sha256 {
            Some(sha256) => left.bytes == recovered.bytes && *sha256 == left.sha256,
            None => left.bytes <= recovered.bytes,
        });
        if let Some(kept_in) = &recovered.kept_in {
            self.segments.foreign.retain(|name| name != kept_in);
        }
        add(&mut self.report.recovered, 1);
        add(&mut self.report.recovered_bytes, recovered.bytes);
        Ok(())
    }

    /// A writer names what it has just written.
    fn refused(&mut self, body: &Body<'_>) -> Checked {
        let Refused { entries } = read(body)?;
        if !entries.iter().all(|&number| is_late(number, body.number)) {
            return Err(FaultKind::Payload);
        }
        add(&mut self.report.refused, entries.len() as u64);
        Ok(())
    }

    fn retired(&mut self, place: Place, body: &Body<'_>) -> Checked {
        self.report.retired += 1;
        self.last_stub = Some(body.number);
        if self.stubs.last().is_none_or(|(_, last)| last.segment != place.segment) {
            self.stubs.push((body.number, place));
        }
        match self.first_record {
            Some(_) if !self.is_late_told && self.is_retired_since() => self.first_record = None,
            Some(_) => {
                self.is_late_told = true;
                return Err(FaultKind::RetiredLate);
            }
            None => {}
        }
        Ok(())
    }

    fn retired_segments(&mut self, body: &Body<'_>) -> Checked {
        let RetiredSegments { before } = read(body)?;
        if before > body.number {
            return Err(FaultKind::Payload);
        }
        self.retired_before = self.retired_before.max(before);
        Ok(())
    }

    fn erased(&mut self, body: &Body<'_>) -> Checked {
        let Erased { entries, .. } = read(body)?;
        for number in entries {
            if number >= body.number {
                return Err(FaultKind::Payload);
            }
            if let Some(place) = self.erasures.named(number) {
                add(&mut self.report.erased, 1);
                self.erased_unproven.get_or_insert((number, place));
            }
        }
        Ok(())
    }
}

fn read<'b, T: Deserialize<'b>>(body: &Body<'b>) -> Result<T, FaultKind> {
    serde_json::from_slice(body.payload).map_err(|_| FaultKind::Payload)
}

const fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}
