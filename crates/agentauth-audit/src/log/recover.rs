//! After a failure: what is refused, and how the log goes on.

use std::time::Instant;

use agentauth_core::audit::AuditError;

use super::gaps::Gaps;
use super::queue::Item;
use super::tape::Failure;
use super::trouble::Trouble;
use super::writer::Writer;
use crate::format::{EntryKind, Recovered, Refused};

impl Writer {
    /// A write has failed: its group is refused.
    pub(super) fn fail(&mut self, failure: &Failure, group: &[Item], gaps: Gaps) {
        self.break_off(failure);
        self.queue.failed(group, gaps, &self.error, self.next_try);
        if failure.trouble == Trouble::DiskFull && !self.is_full {
            self.is_full = true;
            self.reserve.give_up();
            // In the room that this has made, the log says that it has stopped.
            let _ = self.go_on();
        }
    }

    /// The segment is not written to any more.
    fn break_off(&mut self, failure: &Failure) {
        let Failure { trouble, error, bytes } = failure;
        tracing::error!(target: "agentauth::audit", %error, code = trouble.word(),
            "the audit log cannot be written: what must be recorded is refused until it can");
        self.queue.counters.failed(*trouble);
        // Several failures in a row leave only one segment behind that was written to.
        let before = self.broken.map_or(0, |(_, bytes)| bytes);
        self.broken = Some((*trouble, before.max(*bytes)));
        self.error = AuditError::Write(error.to_string().into());
    }

    /// Before a write: sees that the log can be written, or tries to go on after a failure.
    pub(super) fn look_after(&mut self, at_once: bool) -> Result<(), AuditError> {
        if self.broken.is_none() && !self.is_full {
            match self.tape.look() {
                Ok(()) => return Ok(()),
                Err(failure) => self.break_off(&failure),
            }
        }
        let now = Instant::now();
        if now < self.next_try && !at_once {
            return Err(self.error.clone());
        }
        self.next_try = now + self.rhythm.retry;
        // The end is told in what room there is.
        if self.is_full && !self.is_ending {
            self.reserve.make().map_err(|error| AuditError::Write(error.to_string().into()))?;
            self.is_full = false;
        }
        self.go_on()
    }

    /// Goes on in a new segment, if the last one has failed.
    fn go_on(&mut self) -> Result<(), AuditError> {
        let Some((trouble, bytes)) = self.broken else { return Ok(()) };
        self.tape.begin();
        let after = trouble.word().into();
        self.tape.add_own(EntryKind::Recovered, &Recovered { bytes, sha256: None, kept_in: None, after });
        if !self.refused.is_empty() {
            self.tape.add_own(EntryKind::Refused, &Refused { entries: self.refused.clone() });
        }
        let gaps = self.queue.take_gaps();
        for gap in gaps.entries() {
            self.tape.add_own(EntryKind::Gap, &gap);
        }
        if let Err(failure) = self.tape.start_segment() {
            self.queue.counters.failed(failure.trouble);
            self.queue.put_back(gaps);
            self.is_full |= failure.trouble == Trouble::DiskFull;
            return Err(AuditError::Write(failure.error.to_string().into()));
        }
        self.broken = None;
        self.refused.clear();
        self.has_written(0, None);
        Ok(())
    }
}
