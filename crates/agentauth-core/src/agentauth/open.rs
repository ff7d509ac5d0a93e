//! The record of what is not answered yet.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::thread;

use super::{Recording, deny};
use crate::audit::{AuditSink, Record};
use crate::policy::{Reason, ReasonKind};
use crate::rejection::Refusal;
use crate::time::Clock;

/// All sinks of an engine.
pub(crate) type Sinks = Arc<[Arc<dyn AuditSink>]>;

/// A record that is written once, however its question ends. Dropped before it is closed, it says that whoever asked has gone, or
/// that something has panicked.
#[must_use]
pub(crate) struct OpenRecord {
    record: Record,
    is_open: bool,
    sinks: Sinks,
    clock: Arc<dyn Clock>,
}

impl OpenRecord {
    pub(crate) const fn new(record: Record, sinks: Sinks, clock: Arc<dyn Clock>) -> Self {
        Self { record, is_open: true, sinks, clock }
    }

    /// The record, which whoever closes it writes.
    pub(crate) fn close(mut self) -> Record {
        self.take()
    }

    /// Nothing is recorded: what was answered leaves no record of its own.
    pub(crate) fn forget(mut self) {
        self.is_open = false;
    }

    fn take(&mut self) -> Record {
        self.is_open = false;
        let Record { kind, code, evaluation_id, time, server, .. } = &self.record;
        let nothing = Record::of_allowed(*kind, code, evaluation_id, *time, Arc::clone(server));
        std::mem::replace(&mut self.record, nothing)
    }
}

impl Deref for OpenRecord {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl DerefMut for OpenRecord {
    fn deref_mut(&mut self) -> &mut Record {
        &mut self.record
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        if self.is_open {
            let mut record = self.take();
            let refusal = if thread::panicking() { Refusal::Panicked } else { Refusal::CallerGone };
            // What the policy may have answered already did not count.
            record.reasons.push(Reason::new(ReasonKind::Refused, refusal.to_string()));
            deny(&mut record, &refusal);
            record.took_until(self.clock.now());
            // Not waited for: there is nobody left to be told.
            drop(Recording::begin(&self.sinks, &record.kept()));
        }
    }
}

impl fmt::Debug for OpenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenRecord").field("evaluation_id", &self.record.evaluation_id).finish_non_exhaustive()
    }
}
