//! One part of what a source knows, through good readings and bad ones.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::Timestamp;

use super::{FilesError, FilesFailure, FilesPart};

/// How long a file may be gone from a directory whose files change one by one, before it counts as taken away: who
/// replaces a file by deleting and writing it does so in less. It is also the longest time between two looks.
pub(super) const GONE_AFTER: Duration = Duration::from_secs(30);

/// What a reading says about a part.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    New(T),
    /// What is held.
    Same,
    /// Its file is gone: taken away, if `is_final`, or about to be replaced.
    Gone {
        error: FilesError,
        is_final: bool,
    },
    /// There is something that is no good.
    Broken(FilesError),
}

#[derive(Debug)]
pub(super) struct Part<T> {
    name: FilesPart,
    good: Option<T>,
    /// There was a good one once.
    was_there: bool,
    gone_since: Option<Timestamp>,
    failure: Option<FilesFailure>,
    /// The failure that was last reported: its code, and whether the last good one was kept.
    reported: Option<(&'static str, bool)>,
}

impl<T> Part<T> {
    pub(super) const fn new(name: FilesPart) -> Self {
        Self { name, good: None, was_there: false, gone_since: None, failure: None, reported: None }
    }

    pub(super) const fn good(&self) -> Option<&T> {
        self.good.as_ref()
    }

    /// Whether what was there has been taken away.
    pub(super) const fn is_withdrawn(&self) -> bool {
        self.was_there && self.good.is_none()
    }

    pub(super) const fn failure(&self) -> Option<&FilesFailure> {
        self.failure.as_ref()
    }

    /// In how long what is gone counts as taken away.
    pub(super) fn decided_in(&self, now: Timestamp) -> Option<Duration> {
        let since = self.gone_since.filter(|_| self.good.is_some())?;
        Some(GONE_AFTER.saturating_sub(now.since(since)))
    }

    /// Takes in a reading. Whether what is held has changed.
    pub(super) fn take(&mut self, outcome: Outcome<T>, now: Timestamp) -> bool {
        match outcome {
            Outcome::Same => {
                self.recover();
                false
            }
            Outcome::New(good) => {
                self.recover();
                self.was_there = true;
                self.good = Some(good);
                true
            }
            Outcome::Broken(error) => {
                self.fail(error, now);
                false
            }
            Outcome::Gone { error, is_final } => {
                let since = *self.gone_since.get_or_insert(now);
                // A clock that was put back must not prolong anything.
                let is_over = is_final || now < since || now.since(since) >= GONE_AFTER;
                let is_taken = is_over && self.good.take().is_some();
                self.fail(error, now);
                is_taken
            }
        }
    }

    fn recover(&mut self) {
        (self.gone_since, self.failure, self.reported) = (None, None, None);
    }

    /// Reports each kind of failure once, and once more when the last good one is given up.
    fn fail(&mut self, error: FilesError, now: Timestamp) {
        let (code, is_kept) = (error.code(), self.good.is_some());
        if self.reported.replace((code, is_kept)) != Some((code, is_kept)) {
            let name = &self.name;
            if is_kept {
                tracing::warn!(code, "{name} could not be renewed, and the last good one counts: {error}");
            } else {
                tracing::error!(code, "{name} cannot be had: {error}");
            }
        }
        let since = self.failure.as_ref().map_or(now, |failure| failure.since);
        self.failure = Some(FilesFailure { part: self.name.clone(), error: Arc::new(error), since, is_kept });
    }
}
