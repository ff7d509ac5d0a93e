use std::collections::BTreeMap;
use std::time::Duration;

use agentauth_core::Timestamp;
use agentauth_core::policy::Effect;
use serde::{Serialize, Serializer};

use super::entry::Seen;
use super::{Filter, Log, ReadError, View};
use crate::format::{EntryKind, Gap, Refused};

/// So many distinct names are counted one by one: more than anybody reads, and few enough that whoever invents names fills nothing.
pub const MAX_NAMES: usize = 1000;

/// The name of the rest.
pub const OTHER: &str = "_other";

/// So many pieces of time are told apart: as many as a wide screen has columns. Pieces get longer instead of more.
pub const MAX_BUCKETS: usize = 500;

/// Errors that are kept; the rest are like them.
const MAX_ERRORS: usize = 16;

/// What a log says, counted.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// All entries that were asked for.
    pub entries: u64,
    /// Those that are records.
    pub records: u64,
    /// Records that cannot be read here: of another version, or none.
    pub unreadable: u64,
    /// When the first was written down.
    pub first: Option<Timestamp>,
    /// When the last was.
    pub last: Option<Timestamp>,
    /// Records by what they are about.
    pub by_kind: Names,
    /// Decisions.
    pub decisions: Tally,
    /// What was denied, by its code; of whatever kind.
    pub denied_by_code: Names,
    /// How actions have ended, by the code of their outcomes.
    pub outcomes: Names,
    /// Decisions by the agent; with those callers that were refused before they could ask for anything.
    pub by_agent: Names,
    /// Decisions by the action.
    pub by_action: Names,
    /// Decisions and callers that were refused, by time.
    pub by_time: Vec<Bucket>,
    /// Records that are here although their actions were refused for being recorded too late.
    pub refused_late: u64,
    /// Records that were not kept, as the log says.
    pub dropped: u64,
    /// Where reading had to stop; the first of them.
    #[serde(skip)]
    pub errors: Vec<ReadError>,
}

/// How often something was allowed and denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Tally {
    /// Allowed.
    pub allowed: u64,
    /// Denied.
    pub denied: u64,
}

/// A piece of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Bucket {
    /// When it begins; a multiple of its length since 1970.
    pub begin: Timestamp,
    /// How long it is, in seconds.
    pub seconds: u64,
    /// What was allowed and denied in it.
    #[serde(flatten)]
    pub tally: Tally,
}

/// Tallies by name; behind [`MAX_NAMES`] of them, [`OTHER`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    tallies: BTreeMap<Box<str>, Tally>,
}

impl Log {
    /// Counts what `filter` asks for, with pieces of time of `bucket` or longer. All of it is read once.
    #[must_use]
    pub fn stats(&self, filter: &Filter, bucket: Duration) -> Stats {
        let mut counting =
            Counting { stats: Stats::default(), seconds: bucket.as_secs().max(1), buckets: BTreeMap::new() };
        for mut log in self.forward(filter) {
            while let Some(told) = log.find_map(|seen| {
                if filter.finds(seen) {
                    counting.add(seen);
                }
                None::<()>
            }) {
                if let Err(error) = told
                    && counting.stats.errors.len() < MAX_ERRORS
                {
                    counting.stats.errors.push(error);
                }
            }
        }
        counting.finish()
    }
}

struct Counting {
    stats: Stats,
    seconds: u64,
    /// By the number of the piece since 1970.
    buckets: BTreeMap<u64, Tally>,
}

impl Counting {
    fn add(&mut self, seen: &Seen<'_>) {
        let stats = &mut self.stats;
        let time = Timestamp::from_secs(0).plus(Duration::from_micros(seen.micros));
        stats.entries = stats.entries.saturating_add(1);
        stats.first = Some(stats.first.map_or(time, |first| first.min(time)));
        stats.last = stats.last.max(Some(time));
        match seen.kind {
            EntryKind::Record => {
                stats.records = stats.records.saturating_add(1);
                match seen.view() {
                    Some(view) => self.add_record(&view, time),
                    None => stats.unreadable = stats.unreadable.saturating_add(1),
                }
            }
            EntryKind::Refused => {
                let refused = serde_json::from_slice::<Refused>(seen.payload);
                let count = refused.map_or(0, |refused| refused.entries.len() as u64);
                stats.refused_late = stats.refused_late.saturating_add(count);
            }
            EntryKind::Gap => {
                let dropped = serde_json::from_slice::<Gap>(seen.payload).map_or(0, |gap| gap.dropped);
                stats.dropped = stats.dropped.saturating_add(dropped);
            }
            _ => {}
        }
    }

    fn add_record(&mut self, view: &View<'_>, time: Timestamp) {
        let (stats, effect) = (&mut self.stats, view.effect());
        stats.by_kind.add(view.kind(), effect);
        if view.kind() == "outcome" {
            stats.outcomes.add(view.code(), effect);
            return;
        }
        if effect == Effect::Deny {
            stats.denied_by_code.add(view.code(), effect);
        }
        let is_decision = view.kind() == "decision";
        if is_decision {
            stats.decisions.add(effect);
            stats.by_action.add(view.action().unwrap_or_default(), effect);
        }
        if is_decision || (view.kind() == "authentication" && effect == Effect::Deny) {
            stats.by_agent.add(&view.agent().unwrap_or_default(), effect);
            self.add_time(time, effect);
        }
    }

    fn add_time(&mut self, time: Timestamp, effect: Effect) {
        let piece = time.secs().checked_div(self.seconds).unwrap_or_default();
        self.buckets.entry(piece).or_default().add(effect);
        while self.buckets.len() > MAX_BUCKETS {
            // Two become one.
            self.seconds = self.seconds.saturating_mul(2);
            for (piece, tally) in std::mem::take(&mut self.buckets) {
                self.buckets.entry(piece / 2).or_default().join(tally);
            }
        }
    }

    fn finish(mut self) -> Stats {
        let seconds = self.seconds;
        let buckets = self.buckets.into_iter().map(|(piece, tally)| Bucket {
            begin: Timestamp::from_secs(piece.saturating_mul(seconds)),
            seconds,
            tally,
        });
        self.stats.by_time = buckets.collect();
        self.stats
    }
}

impl Tally {
    /// Of both kinds.
    #[must_use]
    pub const fn all(self) -> u64 {
        self.allowed.saturating_add(self.denied)
    }

    const fn add(&mut self, effect: Effect) {
        let count = match effect {
            Effect::Allow => &mut self.allowed,
            Effect::Deny => &mut self.denied,
        };
        *count = count.saturating_add(1);
    }

    const fn join(&mut self, other: Self) {
        self.allowed = self.allowed.saturating_add(other.allowed);
        self.denied = self.denied.saturating_add(other.denied);
    }
}

impl Names {
    /// The names and their tallies, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Tally)> {
        self.tallies.iter().map(|(name, tally)| (&**name, *tally))
    }

    /// The most frequent ones first.
    #[must_use]
    pub fn most_frequent(&self) -> Vec<(&str, Tally)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_by_key(|&(_, tally)| std::cmp::Reverse(tally.all()));
        all
    }

    fn add(&mut self, name: &str, effect: Effect) {
        if let Some(tally) = self.tallies.get_mut(name) {
            tally.add(effect);
        } else {
            let name = if self.tallies.len() < MAX_NAMES { name } else { OTHER };
            self.tallies.entry(name.into()).or_default().add(effect);
        }
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.tallies)
    }
}
