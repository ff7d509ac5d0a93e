//! The one task that fetches.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::jose::KeySet;
use bytes::Bytes;
use tokio::sync::watch;

use super::error::LiveKeysError;
use super::fetch::{Document, Fetched, Origin, Tag};
use super::schedule::Schedule;
use super::shared::{Outcome, Shared};

/// How long an attempt may take in all. Callers wait for it, with the request they came with.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) struct Refresher {
    origin: Origin,
    shared: Arc<Shared>,
    ended: watch::Sender<u64>,
    /// The document behind the set that is held.
    known: Option<(Bytes, Option<Tag>)>,
    failures: u32,
    /// The failure that was reported last, by its code, and whether keys were left; until there is a success.
    reported: Option<(&'static str, bool)>,
    /// Codes of unusable keys that were reported.
    unusable: Vec<&'static str>,
}

impl Refresher {
    pub(super) const fn new(origin: Origin, shared: Arc<Shared>, ended: watch::Sender<u64>) -> Self {
        Self { origin, shared, ended, known: None, failures: 0, reported: None, unusable: Vec::new() }
    }

    /// Never ends by itself.
    pub(super) async fn run(mut self) {
        loop {
            self.shared.next_attempt().await;
            self.attempt().await;
        }
    }

    async fn attempt(&mut self) {
        let tag = self.known.as_ref().and_then(|(_, tag)| tag.as_ref());
        let fetched = tokio::time::timeout(ATTEMPT_TIMEOUT, self.origin.fetch(tag)).await;
        let fetched = fetched.unwrap_or(Err(LiveKeysError::Timeout));
        let (outcome, pause) = match fetched.and_then(|fetched| self.accept(fetched)) {
            Ok((outcome, fresh)) => {
                (self.failures, self.reported) = (0, None);
                (outcome, self.shared.schedule.after_success(fresh))
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.report(&error);
                (Outcome::Failed, Schedule::after_failure(self.failures))
            }
        };
        self.shared.end_attempt(outcome, pause, &self.ended);
    }

    /// A document that makes a set replaces what is known, and its tag with it; another one leaves it all as it was.
    fn accept(&mut self, fetched: Fetched) -> Result<(Outcome, Option<Duration>), LiveKeysError> {
        let Some(Document { bytes, tag }) = fetched.document else { return Ok((Outcome::Same, fetched.fresh)) };
        if let Some((known, known_tag)) = &mut self.known
            && *known == bytes
        {
            *known_tag = tag;
            return Ok((Outcome::Same, fetched.fresh));
        }
        let keys = KeySet::from_jwks(&bytes)?;
        for error in keys.unusable() {
            if !self.unusable.contains(&error.code()) {
                self.unusable.push(error.code());
                tracing::warn!(code = error.code(), "a key of {} is left out: {error}", self.shared.name());
            }
        }
        self.known = Some((bytes, tag));
        Ok((Outcome::New(Arc::new(keys)), fetched.fresh))
    }

    /// Once for each kind of failure, and once more when the last good keys no longer count.
    fn report(&mut self, error: &LiveKeysError) {
        let (code, has_keys) = (error.code(), self.shared.generation().is_some());
        if self.reported.replace((code, has_keys)) == Some((code, has_keys)) {
            return;
        }
        let name = self.shared.name();
        if has_keys {
            tracing::warn!(code, "the keys of {name} could not be renewed, and the last good ones count: {error}");
        } else {
            tracing::error!(code, "the keys of {name} cannot be had, so its tokens are refused: {error}");
        }
    }
}
