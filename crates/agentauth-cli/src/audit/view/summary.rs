//! How many were allowed and denied, when, and why.

use std::collections::HashMap;
use std::hash::Hash;

use serde::Serialize;

use super::filter::{Chosen, Filter};
use super::index::Index;
use super::names::Name;

/// The timeline has no more bars.
const MAX_BUCKETS: u64 = 120;

/// A list of counts is no longer: the rest is one number.
const MAX_COUNTS: usize = 100;

/// How wide a bar is, in microseconds: the first of these that makes few enough of them.
const WIDTHS: [u64; 25] = {
    const SECOND: u64 = 1_000_000;
    const HOUR: u64 = 3600 * SECOND;
    const DAY: u64 = 24 * HOUR;
    [
        1_000,
        10_000,
        100_000,
        SECOND,
        2 * SECOND,
        5 * SECOND,
        10 * SECOND,
        15 * SECOND,
        30 * SECOND,
        60 * SECOND,
        120 * SECOND,
        300 * SECOND,
        600 * SECOND,
        900 * SECOND,
        1800 * SECOND,
        HOUR,
        2 * HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        DAY,
        2 * DAY,
        7 * DAY,
        30 * DAY,
        90 * DAY,
    ]
};

/// What is counted of the records that a filter means.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary<'i> {
    matches: u64,
    allowed: u64,
    denied: u64,
    reasons: Counts<'i>,
    agents: Counts<'i>,
    principals: Counts<'i>,
    actions: Counts<'i>,
    timeline: Timeline,
}

/// The most frequent first.
#[derive(Debug, Default, Serialize)]
struct Counts<'i> {
    list: Vec<(&'i str, u64)>,
    /// How many others there are, and what they make together.
    others: (usize, u64),
}

/// Bars of one width, the oldest first.
#[derive(Debug, Default, Serialize)]
struct Timeline {
    start: u64,
    width: u64,
    allowed: Vec<u64>,
    denied: Vec<u64>,
}

impl<'i> Summary<'i> {
    pub(super) fn of(index: &'i Index, filter: &Filter) -> Self {
        let Some(chosen) = filter.look_up(index) else { return Self::default() };
        let mut summary = Self { timeline: Timeline::of(index, &chosen, filter), ..Self::default() };
        let (mut reasons, mut agents, mut principals, mut actions) =
            (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        for row in chosen.rows() {
            summary.matches += 1;
            if row.effect == index.words.allow {
                summary.allowed += 1;
            } else {
                summary.denied += 1;
                count(&mut reasons, row.code);
            }
            index.chain(row).iter().for_each(|&agent| count(&mut agents, agent));
            count(&mut principals, row.principal);
            count(&mut actions, row.action);
        }
        summary.reasons = Counts::of(index, reasons);
        summary.agents = Counts::of(index, agents);
        summary.principals = Counts::of(index, principals);
        summary.actions = Counts::of(index, actions);
        summary
    }
}

fn count<K: Eq + Hash>(counts: &mut HashMap<K, u64>, of: K) {
    *counts.entry(of).or_default() += 1;
}

impl<'i> Counts<'i> {
    fn of(index: &'i Index, counts: HashMap<Name, u64>) -> Self {
        let named = counts.into_iter().filter(|&(name, _)| name != Name::NONE);
        let mut list: Vec<_> = named.map(|(name, count)| (index.names.text(name), count)).collect();
        list.sort_unstable_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then(a.cmp(b)));
        let others = list.split_off(list.len().min(MAX_COUNTS));
        Self { list, others: (others.len(), others.iter().map(|(_, count)| count).sum()) }
    }
}

impl Timeline {
    fn of(index: &Index, chosen: &Chosen<'_>, filter: &Filter) -> Self {
        let times = || chosen.rows().map(|row| row.micros);
        let (Some(oldest), Some(newest)) = (times().min(), times().max()) else { return Self::default() };
        let (since, until) = filter.span();
        let first = since.unwrap_or(oldest).min(oldest);
        let last = until.map_or(newest, |until| until.saturating_sub(1)).max(newest);
        let span = last.saturating_sub(first);
        // One bar more than the span is wide, since they begin at whole multiples of their width.
        let fits = |&width: &u64| span / width + 2 <= MAX_BUCKETS;
        let width = WIDTHS.into_iter().find(fits).unwrap_or_else(|| span / (MAX_BUCKETS - 2) + 1);
        let start = first - first % width;
        let length = usize::try_from((last - start) / width + 1).unwrap_or_default();
        let mut timeline = Self { start, width, allowed: vec![0; length], denied: vec![0; length] };
        for row in chosen.rows() {
            let bars = if row.effect == index.words.allow { &mut timeline.allowed } else { &mut timeline.denied };
            let at = usize::try_from((row.micros - start) / width).unwrap_or(usize::MAX);
            if let Some(bar) = bars.get_mut(at) {
                *bar += 1;
            }
        }
        timeline
    }
}

#[cfg(test)]
mod tests {
    use agentauth_audit::read::View;

    use super::*;

    #[test]
    fn bars_are_few_whatever_the_span() {
        for span in [0, 1, 999_999, 86_400_000_000, 10 * 365 * 86_400_000_000, u64::MAX - 2_000_000_000] {
            let mut index = Index::new(10);
            let line = br#"{"version":2,"kind":"decision","evaluation_id":"1","time":"","server":"","effect":"deny","code":"c"}"#;
            let record = View::read(line, b"");
            let place = super::super::index::Place { segment: 0, offset: 0 };
            for (number, micros) in [(0, 1_999_999_999), (1, 1_999_999_999 + span)] {
                index.push(number, micros, place, record.as_ref());
            }
            let summary = Summary::of(&index, &Filter::default());
            let Timeline { start, width, denied, .. } = summary.timeline;
            assert!(denied.len() as u64 <= MAX_BUCKETS && start % width == 0, "{span}: {} of {width}", denied.len());
            assert_eq!(denied.iter().sum::<u64>(), 2, "{span}");
            assert!(denied.first().is_some_and(|&first| first > 0) && denied.last().is_some_and(|&last| last > 0));
        }
    }
}
