//! What is held in memory of the records of a log: what lists, counts and filters need, and where the rest is.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use agentauth_audit::format::EntryKind;
use agentauth_audit::read::View;
use agentauth_core::policy::Effect;
use serde::Serialize;

use super::names::{Name, Names};

/// So many records are held, the newest: with what is held beside them, about 150 MB.
pub(super) const MAX_HELD_RECORDS: usize = 1_000_000;

/// So many of the log's own entries are shown, the newest: each start of a server writes two.
const MAX_LOG_EVENTS: usize = 200;

/// There was no room for it: chains stay when their records go.
const NO_CHAIN: u32 = u32::MAX;

/// A record, as far as it is held.
#[derive(Debug)]
pub(super) struct Row {
    /// Which entry of the log it is.
    pub(super) number: u64,
    pub(super) micros: u64,
    pub(super) place: Place,
    pub(super) kind: Name,
    pub(super) effect: Name,
    pub(super) code: Name,
    pub(super) why: Name,
    pub(super) action: Name,
    pub(super) resource: Name,
    pub(super) principal: Name,
    /// In [`Index::chain`].
    pub(super) chain: u32,
    evaluation: u64,
    /// How the action ended, by the code of its outcome.
    pub(super) outcome: Name,
    /// Refused all the same, because it was written too late, or could not be kept everywhere.
    pub(super) is_late: bool,
}

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The first entry of its segment.
    pub(super) segment: u64,
    /// In it, in bytes.
    pub(super) offset: u64,
}

/// An entry that the log has written of itself.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LogEvent {
    number: u64,
    micros: u64,
    kind: EntryKind,
    payload: serde_json::Value,
}

/// The records of a log.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) names: Names,
    rows: VecDeque<Row>,
    /// Who acts, the current actor first. Each once.
    chains: Vec<Box<[Name]>>,
    chain_numbers: HashMap<Box<[Name]>, u32>,
    /// The entry of each decision, by the hash of its id: to be joined to its outcome.
    decisions: HashMap<u64, u64>,
    hasher: RandomState,
    events: VecDeque<LogEvent>,
    room: usize,
    /// How many records there are, with those that are no more held, and those that could not be read.
    pub(super) records: u64,
    pub(super) unreadable: u64,
    pub(super) entries: u64,
    pub(super) last_checkpoint: Option<(u64, u64)>,
    /// Chosen by the kind of record, whose names are always there.
    pub(super) words: Words,
}

/// Names that are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub(super) allow: Name,
    pub(super) deny: Name,
    pub(super) decision: Name,
    pub(super) outcome: Name,
    pub(super) authentication: Name,
}

impl Index {
    /// Holds as many as `room` records.
    pub(super) fn new(room: usize) -> Self {
        let mut names = Names::new();
        let words = Words {
            allow: names.hold("allow"),
            deny: names.hold("deny"),
            decision: names.hold("decision"),
            outcome: names.hold("outcome"),
            authentication: names.hold("authentication"),
        };
        Self {
            names,
            rows: VecDeque::new(),
            chains: Vec::new(),
            chain_numbers: HashMap::new(),
            decisions: HashMap::new(),
            hasher: RandomState::new(),
            events: VecDeque::new(),
            room,
            records: 0,
            unreadable: 0,
            entries: 0,
            last_checkpoint: None,
            words,
        }
    }

    /// Adds a record. Nothing, if it cannot be read.
    pub(super) fn push(&mut self, number: u64, micros: u64, place: Place, record: Option<&View<'_>>) {
        self.records += 1;
        let Some(record) = record else {
            self.unreadable += 1;
            return;
        };
        let (names, evaluation) = (&mut self.names, self.hasher.hash_one(record.evaluation_id()));
        let mut held = |text: Option<&str>| text.map_or(Name::NONE, |text| names.hold(text));
        let row = Row {
            number,
            micros,
            place,
            kind: held(Some(record.kind())),
            effect: if record.effect() == Effect::Allow { self.words.allow } else { self.words.deny },
            code: held(Some(record.code())),
            why: held(why(record).as_deref()),
            action: held(record.action()),
            resource: held(record.resource().map(|(kind, id)| format!("{kind} {id}")).as_deref()),
            principal: held(principal(record).as_deref()),
            chain: 0,
            evaluation,
            outcome: Name::NONE,
            is_late: false,
        };
        let chain: Box<[Name]> = agents(record).iter().map(|agent| held(Some(agent))).collect();
        let chain = self.hold_chain(chain);
        if row.kind == self.words.decision {
            // A second one puts the first right.
            if let Some(first) = self.decisions.insert(evaluation, number)
                && row.effect == self.words.deny
            {
                let allow = self.words.allow;
                self.change(first, |first| first.is_late = first.effect == allow);
            }
        } else if row.kind == self.words.outcome
            && let Some(&decision) = self.decisions.get(&evaluation)
        {
            let code = row.code;
            self.change(decision, |decision| decision.outcome = code);
        }
        self.rows.push_back(Row { chain, ..row });
        if self.rows.len() > self.room
            && let Some(oldest) = self.rows.pop_front()
            && self.decisions.get(&oldest.evaluation) == Some(&oldest.number)
        {
            self.decisions.remove(&oldest.evaluation);
        }
    }

    /// Adds an entry of the log itself.
    pub(super) fn note(&mut self, number: u64, micros: u64, kind: EntryKind, payload: &[u8]) {
        if kind == EntryKind::Checkpoint {
            self.last_checkpoint = Some((number, micros));
            return;
        }
        let payload = serde_json::from_slice(payload).unwrap_or_default();
        let named = |payload: &serde_json::Value| -> Vec<u64> {
            let entries = payload.get("entries").and_then(serde_json::Value::as_array);
            entries.into_iter().flatten().filter_map(serde_json::Value::as_u64).collect()
        };
        match kind {
            EntryKind::Refused => named(&payload).into_iter().for_each(|n| self.change(n, |row| row.is_late = true)),
            // What is gone from the disk is gone from here.
            EntryKind::Erased => named(&payload).into_iter().for_each(|n| {
                self.change(n, |row| {
                    if row.principal != Name::NONE {
                        row.principal = Name::ERASED;
                    }
                });
            }),
            _ => {}
        }
        if self.events.len() == MAX_LOG_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(LogEvent { number, micros, kind, payload });
    }

    fn hold_chain(&mut self, chain: Box<[Name]>) -> u32 {
        if let Some(&number) = self.chain_numbers.get(&chain) {
            return number;
        }
        if self.chains.len() >= self.room {
            return NO_CHAIN;
        }
        let number = u32::try_from(self.chains.len()).unwrap_or(NO_CHAIN);
        self.chains.push(chain.clone());
        self.chain_numbers.insert(chain, number);
        number
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Row)) {
        if let Ok(at) = self.rows.binary_search_by_key(&number, |row| row.number)
            && let Some(row) = self.rows.get_mut(at)
        {
            change(row);
        }
    }

    /// Oldest first.
    pub(super) const fn rows(&self) -> &VecDeque<Row> {
        &self.rows
    }

    /// The log's own entries, the newest first.
    pub(super) fn events(&self) -> impl Iterator<Item = &LogEvent> {
        self.events.iter().rev()
    }

    /// The record that is this entry.
    pub(super) fn row(&self, number: u64) -> Option<&Row> {
        self.rows.binary_search_by_key(&number, |row| row.number).ok().and_then(|at| self.rows.get(at))
    }

    /// The records of the event with this id, oldest first.
    pub(super) fn of_evaluation(&self, id: &str) -> impl Iterator<Item = &Row> {
        let evaluation = self.evaluation(id);
        self.rows.iter().filter(move |row| row.evaluation == evaluation)
    }

    pub(super) fn evaluation(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    /// Who acts in `row`, the current actor first.
    pub(super) fn chain(&self, row: &Row) -> &[Name] {
        self.chains.get(row.chain as usize).map_or(&[], |chain| chain)
    }
}

impl Row {
    pub(super) const fn is_of(&self, evaluation: u64) -> bool {
        self.evaluation == evaluation
    }
}

/// Who acts, the current actor first. Of a question that another server asks, only the current one is told.
fn agents(record: &View<'_>) -> Vec<String> {
    let Some(agent) = record.agent() else { return Vec::new() };
    let chain: Vec<String> = record.chain().map(|hop| hop.agent.into_owned()).collect();
    if chain.first().is_some_and(|first| **first == *agent) { chain } else { vec![agent.into_owned()] }
}

/// On whose behalf. Of one that is erased, the hash that is left.
fn principal(record: &View<'_>) -> Option<String> {
    let name = record.principal().map(|name| name.to_string());
    name.or_else(|| record.principal_hash().map(|hash| format!("{hash} (erased)")))
}

/// The reason that has decided: of a refusal the last, which stands behind those that would have permitted it.
fn why(record: &View<'_>) -> Option<String> {
    let reasons = record.reasons();
    let reason = if record.effect() == Effect::Allow { reasons.first() } else { reasons.last() }?;
    Some(match &reason.policy {
        Some(policy) => format!("{policy}: {}", reason.text),
        None => reason.text.clone().into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_end_to_the_chains_that_are_held() {
        let mut index = Index::new(2);
        let names: Vec<Name> = ["a", "b", "c"].iter().map(|name| index.names.hold(name)).collect();
        let chains: Vec<u32> = names.iter().map(|&name| index.hold_chain([name].into())).collect();
        assert_eq!((chains, index.hold_chain([names[1]].into())), (vec![0, 1, NO_CHAIN], 1));
    }
}
