//! Which records are asked for.

use serde::Deserialize;

use super::index::{Index, Row};
use super::names::{Containing, Name};

/// Part of a query: nothing that is held is longer.
const MAX_FILTER_BYTES: usize = 1024;

/// As it stands in the query. Empty is the same as absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    agent: String,
    principal: String,
    action: String,
    /// `allow` or `deny`.
    verdict: String,
    /// The machine code of the answer.
    reason: String,
    /// A kind of record; `all`; or else, whatever answers somebody: no outcomes, and no verified caller.
    kind: String,
    /// The first microsecond since 1970.
    since: Option<u64>,
    /// The first that is not meant.
    until: Option<u64>,
    /// Stands in one of the texts, or is the id of the evaluation.
    text: String,
    /// Entries after this one are not meant: so that pages do not move while records are written.
    upto: Option<u64>,
}

/// A filter, looked up.
#[derive(Debug)]
pub(super) struct Chosen<'i> {
    index: &'i Index,
    agent: Option<Name>,
    principal: Option<Name>,
    action: Option<Name>,
    effect: Option<Name>,
    code: Option<Name>,
    kind: Kind,
    since: u64,
    until: u64,
    text: Option<(Containing, u64)>,
    upto: u64,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    All,
    Answers,
    One(Name),
}

impl Filter {
    /// Whether it is too long to be one.
    pub(super) fn is_oversize(&self) -> bool {
        let texts = [&self.agent, &self.principal, &self.action, &self.verdict, &self.reason, &self.kind, &self.text];
        texts.iter().any(|text| text.len() > MAX_FILTER_BYTES)
    }

    /// The span of time that is asked for.
    pub(super) const fn span(&self) -> (Option<u64>, Option<u64>) {
        (self.since, self.until)
    }

    /// Nothing, if no record that is held can be meant.
    pub(super) fn look_up<'i>(&self, index: &'i Index) -> Option<Chosen<'i>> {
        let find = |text: &str| if text.is_empty() { Some(None) } else { index.names.find(text).map(Some) };
        Some(Chosen {
            index,
            agent: find(&self.agent)?,
            principal: find(&self.principal)?,
            action: find(&self.action)?,
            effect: find(&self.verdict)?,
            code: find(&self.reason)?,
            kind: match &*self.kind {
                "all" => Kind::All,
                "" => Kind::Answers,
                kind => Kind::One(index.names.find(kind)?),
            },
            since: self.since.unwrap_or(0),
            until: self.until.unwrap_or(u64::MAX),
            text: (!self.text.is_empty())
                .then(|| (index.names.containing(&self.text), index.evaluation(self.text.trim()))),
            upto: self.upto.unwrap_or(u64::MAX),
        })
    }
}

impl<'i> Chosen<'i> {
    /// The records that are meant, the newest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'i Row> {
        let index = self.index;
        index.rows().iter().rev().filter(|row| self.means(row))
    }

    fn means(&self, row: &Row) -> bool {
        let words = &self.index.words;
        let is = |wanted: Option<Name>, name: Name| wanted.is_none_or(|wanted| wanted == name);
        row.number <= self.upto
            && row.micros >= self.since
            && row.micros < self.until
            && match self.kind {
                Kind::All => true,
                Kind::Answers => {
                    row.kind != words.outcome && (row.kind != words.authentication || row.effect == words.deny)
                }
                Kind::One(kind) => row.kind == kind,
            }
            && is(self.effect, row.effect)
            && is(self.code, row.code)
            && is(self.action, row.action)
            && is(self.principal, row.principal)
            && self.agent.is_none_or(|agent| self.index.chain(row).contains(&agent))
            && self.text.as_ref().is_none_or(|(containing, evaluation)| {
                let texts = [row.kind, row.code, row.why, row.action, row.resource, row.principal, row.outcome];
                row.is_of(*evaluation)
                    || texts.iter().any(|&name| containing.has(name))
                    || self.index.chain(row).iter().any(|&name| containing.has(name))
            })
    }
}
