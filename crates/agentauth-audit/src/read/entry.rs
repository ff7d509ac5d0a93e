use std::sync::Arc;
use std::time::Duration;

use agentauth_core::Timestamp;
use agentauth_core::audit::join_personal;
use serde_json::Value;

use super::View;
use crate::format::{Body, BodyError, EntryKind, is_erased, personal};
use crate::read::Entry;
use crate::tree::Hash;

/// One entry, where it stands in a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'b> {
    pub(super) kind: EntryKind,
    pub(super) number: u64,
    pub(super) micros: u64,
    pub(super) payload: &'b [u8],
    /// JSON, or nothing.
    pub(super) personal: &'b [u8],
    pub(super) is_erased: bool,
}

impl<'b> Seen<'b> {
    pub(super) fn of(entry: &Entry<'b>) -> Result<Self, BodyError> {
        let Body { kind, number, micros, payload, .. } = entry.read()?;
        let (personal, is_erased) = (personal(entry.side), is_erased(entry.side));
        Ok(Self { kind, number, micros, payload, personal, is_erased })
    }

    /// What it says, if it is a record that can be read.
    pub(super) fn view(&self) -> Option<View<'b>> {
        if self.kind == EntryKind::Record { View::read(self.payload, self.personal) } else { None }
    }
}

/// One entry of a log.
#[derive(Debug, Clone)]
pub struct LogRecord {
    log: Arc<str>,
    kind: EntryKind,
    number: u64,
    micros: u64,
    payload: Box<[u8]>,
    personal: Box<[u8]>,
    is_erased: bool,
    pub(super) is_refused_late: bool,
}

impl LogRecord {
    pub(super) fn of(log: &Arc<str>, seen: &Seen<'_>) -> Self {
        Self {
            log: Arc::clone(log),
            kind: seen.kind,
            number: seen.number,
            micros: seen.micros,
            payload: seen.payload.into(),
            personal: seen.personal.into(),
            is_erased: seen.is_erased,
            is_refused_late: false,
        }
    }

    /// The log that it is of: the name of its directory.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// What kind of entry it is.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        self.kind
    }

    /// Which of the log's entries it is, from 0.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// When it was written down. What it tells of can be somewhat older: see [`View::time`].
    #[must_use]
    pub fn time(&self) -> Timestamp {
        Timestamp::from_secs(0).plus(Duration::from_micros(self.micros))
    }

    /// Whether what was personal in it has been erased.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.is_erased
    }

    /// Whether its action was refused because it was written too late: an allow that stands here and was not answered.
    ///
    /// Entries of kind [`Refused`](crate::format::Refused) say so. They come later, so that this cannot be known yet of what
    /// [`Follow`](super::Follow) gives.
    #[must_use]
    pub const fn is_refused_late(&self) -> bool {
        self.is_refused_late
    }

    /// Its JSON, on one line: the record as a whole, with what is personal; of other entries, what they say.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        match (self.kind, <[u8; 32]>::try_from(&*self.payload)) {
            (EntryKind::Retired, Ok(leaf)) => format!(r#"{{"leaf_hash":"{}"}}"#, Hash(leaf)).into(),
            _ => join_personal(&self.payload, &self.personal),
        }
    }

    /// What it says, if it is a record that can be read.
    #[must_use]
    pub fn view(&self) -> Option<View<'_>> {
        if self.kind == EntryKind::Record { View::read(&self.payload, &self.personal) } else { None }
    }

    /// [`LogRecord::line`], read. None if it is no JSON.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        serde_json::from_slice(&self.line()).ok()
    }

    pub(super) fn seen(&self) -> Seen<'_> {
        let Self { kind, number, micros, is_erased, .. } = *self;
        Seen { kind, number, micros, payload: &self.payload, personal: &self.personal, is_erased }
    }

    pub(super) const fn order(&self) -> (u64, u64) {
        (self.micros, self.number)
    }
}
