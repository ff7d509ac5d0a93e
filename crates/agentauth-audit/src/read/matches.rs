//! Several logs as one, by time.

use super::backward::Backward;
use super::forward::Forward;
use super::{LogRecord, ReadError};

/// What a log has of what was asked for.
///
/// An error is told where it is met; what comes behind it is what can still be read.
#[derive(Debug)]
pub struct Matches {
    sources: Vec<Waiting>,
    is_newest_first: bool,
}

#[derive(Debug)]
enum Source {
    Forward(Forward),
    Backward(Backward),
}

/// A log, and the first that is to come of it.
#[derive(Debug)]
struct Waiting {
    /// None at its end.
    source: Option<Source>,
    first: Option<LogRecord>,
}

impl Matches {
    pub(super) fn oldest_first(logs: impl Iterator<Item = Forward>) -> Self {
        Self { sources: logs.map(|log| Waiting::of(Source::Forward(log))).collect(), is_newest_first: false }
    }

    pub(super) fn newest_first(logs: impl Iterator<Item = Backward>) -> Self {
        Self { sources: logs.map(|log| Waiting::of(Source::Backward(log))).collect(), is_newest_first: true }
    }
}

impl Iterator for Matches {
    type Item = Result<LogRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        for waiting in &mut self.sources {
            let Waiting { source: Some(source), first: first @ None } = waiting else { continue };
            let next = match source {
                Source::Forward(log) => log.next_match(),
                Source::Backward(log) => log.next_match(),
            };
            match next {
                Some(Ok(record)) => *first = Some(record),
                Some(Err(error)) => return Some(Err(error)),
                None => waiting.source = None,
            }
        }
        let order = |waiting: &&mut Waiting| waiting.first.as_ref().map(LogRecord::order);
        let ready = self.sources.iter_mut().filter(|waiting| waiting.first.is_some());
        let next = if self.is_newest_first { ready.max_by_key(order) } else { ready.min_by_key(order) };
        next.and_then(|waiting| waiting.first.take()).map(Ok)
    }
}

impl Waiting {
    const fn of(source: Source) -> Self {
        Self { source: Some(source), first: None }
    }
}
