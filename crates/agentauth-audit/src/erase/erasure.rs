use std::borrow::Cow;
use std::collections::BTreeSet;
use std::{fmt, io};

use agentauth_core::Timestamp;
use agentauth_core::identity::PrincipalId;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::EraseError;
use super::rewrite::{Change, is_unfinished, rewrite, settle};
use super::walk::{Tail, Walk, lock};
use crate::disk::Directory;
use crate::format::{Body, Closed, EntryKind, Erased, is_beside, is_erased, personal, segment_of};
use crate::read::Segment;

/// No reason is longer.
pub const MAX_REASON_BYTES: usize = 1024;

/// So many numbers are named in one entry, which must not be longer than the longest record: each has 20 digits at most.
const MAX_NAMED: usize = 20_000;

/// Tells by the payload of an entry and by what is personal of it whether that is to be erased.
type Choice = Box<dyn Fn(&[u8], &[u8]) -> bool + Send + Sync>;

/// What is personal of some entries is to be erased: the sides of their frames become zeros of the same length.
///
/// Nothing that is hashed changes: every link, tree head, checkpoint and proof stays as it is. The log itself names the entries and the
/// reason, before anything is gone. The old segments are replaced, not overwritten: copies, snapshots and the blocks of
/// the disk are beyond it, and so are files in which the writer keeps what it has taken off a damaged end
/// ([`ErasureReport::kept_elsewhere`]).
pub struct Erasure {
    reason: String,
    entries: BTreeSet<u64>,
    choices: Vec<Choice>,
}

/// What was erased, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ErasureReport {
    /// How many entries.
    pub erased: u64,
    /// How many of the chosen ones had nothing personal, or nothing any more.
    pub nothing_left: u64,
    /// In how many segments.
    pub segments: u64,
    /// Files of the directory that are no segments and may hold the same: see to them by hand.
    pub kept_elsewhere: Vec<String>,
}

impl Erasure {
    /// Of nothing yet. The reason stands in the log for good, and must not be personal itself.
    ///
    /// # Errors
    /// [`EraseError::Reason`] if it is empty, too long, or not one line.
    pub fn new(reason: &str) -> Result<Self, EraseError> {
        if reason.trim().is_empty() || reason.len() > MAX_REASON_BYTES || reason.contains(char::is_control) {
            return Err(EraseError::Reason);
        }
        Ok(Self { reason: reason.into(), entries: BTreeSet::new(), choices: Vec::new() })
    }

    /// Of this entry too.
    #[must_use]
    pub fn entry(mut self, number: u64) -> Self {
        self.entries.insert(number);
        self
    }

    /// Of each entry too whose personal part names `principal`, in whatever role; in any of its tenants, if none is said.
    /// What people have written, such as the reason of a revocation, is not searched for names.
    #[must_use]
    pub fn principal(mut self, principal: &PrincipalId) -> Self {
        let principal = principal.clone();
        self.choices.push(Box::new(move |payload, personal| {
            serde_json::from_slice(personal)
                .is_ok_and(|value: Value| names(&value, &principal) || is_issued_to(payload, &value, &principal))
        }));
        self
    }

    /// Of each entry too whose personal part (JSON, as it is written) satisfies `choice`.
    #[must_use]
    pub fn matching(mut self, choice: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        self.choices.push(Box::new(move |_, personal| choice(personal)));
        self
    }

    /// What [`Erasure::run`] would erase.
    ///
    /// # Errors
    /// [`EraseError`].
    pub fn look(&self, directory: &dyn Directory) -> Result<ErasureReport, EraseError> {
        let _lock = lock(directory)?;
        Ok(self.find(directory)?.1)
    }

    /// Erases, in a log that no writer has open. In memory of bounded size; the disk needs room for one more segment.
    ///
    /// # Errors
    /// [`EraseError`]. After [`EraseError::Io`] some may be erased and others not: the log is good all the same.
    pub fn run(&self, directory: &dyn Directory, now: Timestamp) -> Result<ErasureReport, EraseError> {
        let _lock = lock(directory)?;
        let (found, report) = self.find(directory)?;
        settle(directory)?;
        if found.segments.is_empty() {
            return Ok(report);
        }
        let was_closed = found.walk.is_closed();
        let mut tail = Tail::new(directory, found.walk, found.last)?;
        let mut segments = found.segments.into_iter().peekable();
        while let Some(segment) = segments.next() {
            let chosen = self.chosen(directory, segment)?;
            // Also if an earlier entry names them: it may not have come to the disk.
            for some in chosen.chunks(MAX_NAMED) {
                let erased = Erased { entries: some.to_vec(), reason: self.reason.clone() };
                tail.append(EntryKind::Erased, &erased, now)?;
            }
            // Before the last segment is replaced, and its file with it.
            if was_closed && segments.peek().is_none() {
                tail.append(EntryKind::Closed, &Closed { records: 0 }, now)?;
            }
            rewrite(directory, segment, |body, _| match chosen.binary_search(&body.number) {
                Ok(_) => Change::EraseSide,
                Err(_) => Change::Keep,
            })?;
        }
        Ok(report)
    }

    /// Follows the whole log first, so that nothing is changed in one that is damaged.
    fn find(&self, directory: &dyn Directory) -> Result<(Found, ErasureReport), EraseError> {
        let mut report = ErasureReport::default();
        let mut segments: Vec<Segment> = Vec::new();
        let (walk, last) = Walk::through(directory, |segment, body, entry| {
            if self.is_chosen(body, entry.side) {
                report.erased += 1;
                if segments.last() != Some(&segment) {
                    segments.push(segment);
                }
            } else if self.entries.contains(&body.number) {
                report.nothing_left += 1;
            }
        })?;
        if let Some(&absent) = self.entries.range(walk.entries()..).next() {
            return Err(EraseError::NoEntry(absent));
        }
        // Nobody knows whose records these are, and they are none that count.
        segments.extend(walk.left_over());
        segments.sort_unstable();
        segments.dedup();
        report.segments = segments.len() as u64;
        report.kept_elsewhere = others(directory)?;
        Ok((Found { walk, last, segments }, report))
    }

    /// The numbers of the chosen entries in one segment.
    fn chosen(&self, directory: &dyn Directory, segment: Segment) -> Result<Vec<u64>, EraseError> {
        let mut reader = segment.read(directory)?;
        let mut chosen = Vec::new();
        while let Some(entry) = reader.next()? {
            let body = entry.read().map_err(|_| segment.damaged(entry.offset))?;
            if self.is_chosen(&body, entry.side) {
                chosen.push(body.number);
            }
        }
        Ok(chosen)
    }

    fn is_chosen(&self, body: &Body<'_>, side: &[u8]) -> bool {
        if side.is_empty() || is_erased(side) {
            return false;
        }
        self.entries.contains(&body.number) || self.choices.iter().any(|choice| choice(body.payload, personal(side)))
    }
}

impl fmt::Debug for Erasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Erasure").field("reason", &self.reason).field("entries", &self.entries).finish_non_exhaustive()
    }
}

/// Where there is something to erase, and where the log ends.
struct Found {
    walk: Walk,
    last: Segment,
    segments: Vec<Segment>,
}

/// What is neither a segment nor a file that cannot have anything personal: above all, what a writer has taken off a damaged end.
fn others(directory: &dyn Directory) -> io::Result<Vec<String>> {
    let mut names = directory.list()?;
    names.retain(|name| !is_beside(name) && segment_of(name).is_none() && !is_unfinished(name));
    names.sort_unstable();
    Ok(names)
}

/// Whether `value` has the principal in it, at any depth: as an object, or as its name in one string. The parser bounds the depth.
fn names(value: &Value, principal: &PrincipalId) -> bool {
    match value {
        Value::Object(members) => is_of(members, principal) || members.values().any(|value| names(value, principal)),
        Value::Array(values) => values.iter().any(|value| names(value, principal)),
        Value::String(text) => text.split_once('#') == Some((principal.issuer().as_str(), principal.subject())),
        _ => false,
    }
}

/// Whether a token was issued to the principal: whose subject it is, its issuer's record need not say twice.
fn is_issued_to(payload: &[u8], personal: &Value, principal: &PrincipalId) -> bool {
    #[derive(Deserialize)]
    struct Issuer<'p> {
        #[serde(borrow)]
        server: Cow<'p, str>,
    }
    personal.get("subject").and_then(Value::as_str) == Some(principal.subject())
        && serde_json::from_slice(payload).is_ok_and(|Issuer { server }| server == principal.issuer().as_str())
}

fn is_of(members: &Map<String, Value>, principal: &PrincipalId) -> bool {
    let says = |name: &str, what: &str| members.get(name).and_then(Value::as_str) == Some(what);
    says("issuer", principal.issuer().as_str())
        && says("subject", principal.subject())
        && principal.tenant().is_none_or(|tenant| says("tenant", tenant))
}
