//! Records as lists show them, and one with all that belongs to it.

use agentauth_audit::format::{EntryKind, is_erased, personal};
use agentauth_audit::tree::leaf_hash;
use agentauth_core::audit::join_personal;
use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::index::{Index, Place, Row};
use super::source::Source;

/// A page of a list has no more records.
const MAX_PAGE: usize = 500;

/// A list is no longer: what is older is found by its time.
pub(super) const MAX_LIST: usize = 300_000;

/// Records that belong to one, at most: its outcome, its authentication, and what shares its id.
const MAX_RELATED: usize = 8;

/// Which part of the list is asked for.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct Page {
    offset: usize,
    limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { offset: 0, limit: 100 }
    }
}

/// The newest first.
#[derive(Debug, Serialize)]
pub(super) struct List<'i> {
    /// How many match, whatever page this is.
    matches: usize,
    /// How many of them a list reaches.
    reachable: usize,
    records: Vec<Brief<'i>>,
}

/// A record in a list.
#[derive(Debug, Serialize)]
struct Brief<'i> {
    number: u64,
    micros: u64,
    kind: &'i str,
    effect: &'i str,
    code: &'i str,
    why: &'i str,
    action: &'i str,
    resource: &'i str,
    principal: &'i str,
    /// The current actor.
    agent: &'i str,
    /// How many agents there are.
    depth: usize,
    outcome: &'i str,
    is_late: bool,
}

impl<'i> List<'i> {
    pub(super) fn of(index: &'i Index, filter: &Filter, page: &Page) -> Self {
        let mut list = Self { matches: 0, reachable: 0, records: Vec::new() };
        let Some(chosen) = filter.look_up(index) else { return list };
        let (start, end) = (page.offset, page.offset.saturating_add(page.limit.min(MAX_PAGE)).min(MAX_LIST));
        for row in chosen.rows() {
            if (start..end).contains(&list.matches) {
                list.records.push(Brief::of(index, row));
            }
            list.matches += 1;
        }
        list.reachable = list.matches.min(MAX_LIST);
        list
    }
}

impl<'i> Brief<'i> {
    fn of(index: &'i Index, row: &Row) -> Self {
        let text = |name| index.names.text(name);
        let chain = index.chain(row);
        Self {
            number: row.number,
            micros: row.micros,
            kind: text(row.kind),
            effect: text(row.effect),
            code: text(row.code),
            why: text(row.why),
            action: text(row.action),
            resource: text(row.resource),
            principal: text(row.principal),
            agent: chain.first().map_or("", |&agent| text(agent)),
            depth: chain.len(),
            outcome: text(row.outcome),
            is_late: row.is_late,
        }
    }
}

/// A record, whole, and what belongs to it.
#[derive(Debug, Serialize)]
pub(super) struct Opened {
    #[serde(flatten)]
    record: Whole,
    is_late: bool,
    /// How the action ended; the decision, where this is an outcome.
    related: Vec<Whole>,
    /// How the caller was verified.
    authentication: Option<Whole>,
}

/// An entry with a record, as it stands in the log.
#[derive(Debug, Serialize)]
struct Whole {
    number: u64,
    micros: u64,
    leaf: String,
    /// Whether what was personal is gone.
    is_erased: bool,
    /// As it is written, with what is personal joined to it.
    record: String,
}

#[derive(Deserialize)]
struct Ids<'r> {
    #[serde(borrow)]
    evaluation_id: std::borrow::Cow<'r, str>,
    #[serde(borrow)]
    authentication_id: Option<std::borrow::Cow<'r, str>>,
}

/// Where a record is, and where what belongs to it may be.
#[derive(Debug)]
pub(super) struct Found {
    number: u64,
    place: Place,
    is_late: bool,
}

impl Found {
    /// The record that is this entry.
    pub(super) fn by_number(index: &Index, number: u64) -> Option<Self> {
        index.row(number).map(|row| Self { number: row.number, place: row.place, is_late: row.is_late })
    }

    /// The record of this event: the decision, before its outcome.
    pub(super) fn by_evaluation(index: &Index, id: &str) -> Option<Self> {
        index.of_evaluation(id).next().map(|row| Self { number: row.number, place: row.place, is_late: row.is_late })
    }
}

impl Opened {
    /// Reads it from the log. Nothing, if it is not there any more. `index` is asked for what belongs to it.
    pub(super) fn read(source: &Source, found: &Found, index: impl Fn(&str) -> Vec<Place>) -> Option<Self> {
        // Once a segment's content has been given up, something else may stand there.
        let record = Whole::read(source, found.place).filter(|record| record.number == found.number)?;
        let ids: Ids<'_> = serde_json::from_str(&record.record).ok()?;
        let all = |id: &str| -> Vec<Whole> {
            let places = index(id).into_iter().take(MAX_RELATED);
            places.filter_map(|place| Whole::read(source, place)).filter(|whole| whole.is_of(id)).collect()
        };
        let mut related = all(&ids.evaluation_id);
        related.retain(|other| other.number != record.number);
        let authentication = ids.authentication_id.as_ref().and_then(|id| all(id).into_iter().next());
        Some(Self { is_late: found.is_late, related, authentication, record })
    }
}

impl Whole {
    fn read(source: &Source, place: Place) -> Option<Self> {
        source.read(place, |body, leaf, side| {
            let line = join_personal(body.payload, personal(side));
            let record = (body.kind == EntryKind::Record).then(|| String::from_utf8(line).ok())??;
            Some(Self {
                number: body.number,
                micros: body.micros,
                leaf: leaf_hash(leaf).to_string(),
                is_erased: is_erased(side),
                record,
            })
        })?
    }

    /// Ids are looked up by their hashes.
    fn is_of(&self, id: &str) -> bool {
        serde_json::from_str::<Ids<'_>>(&self.record).is_ok_and(|ids| ids.evaluation_id == id)
    }
}
