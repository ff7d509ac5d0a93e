//! The task that asks one endpoint.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::TrustBundle;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::fetch::Fetch;
use super::schedule::{after_failure, after_success};
use super::shared::Shared;
use super::store::Store;
use super::{FederationError, FederationFailure, FederationStatus};

/// Longer than one request may take, so that one redirect more does not make it fail.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) struct Follower<F> {
    pub(super) domain: TrustDomain,
    pub(super) fetch: F,
    pub(super) shared: Arc<Shared>,
    pub(super) store: Option<Store>,
    pub(super) status: watch::Sender<FederationStatus>,
    /// Who wants it asked now, and be told when it was.
    pub(super) wishes: mpsc::Receiver<oneshot::Sender<()>>,
    pub(super) progress: Progress,
}

/// What the task remembers from one attempt to the next.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The document behind the bundle that is held.
    document: Option<Bytes>,
    failures: u32,
    /// The failure that was reported last, by its code, and whether there was a bundle still; until there is a success.
    reported: Option<(&'static str, bool)>,
}

impl<F: Fetch> Follower<F> {
    /// Ends when nobody is left to wish for anything.
    pub(super) async fn run(mut self) {
        self.load().await;
        let mut waiting = Vec::new();
        loop {
            let pause = self.attempt().await;
            for wish in waiting.drain(..) {
                // Who does not wait any more need not be told.
                _ = oneshot::Sender::send(wish, ());
            }
            match timeout(pause, self.wishes.recv()).await {
                Ok(Some(wish)) => waiting.push(wish),
                Ok(None) => return,
                Err(_) => {}
            }
            // Whoever has wished by now is served by the attempt that begins now.
            while let Ok(wish) = self.wishes.try_recv() {
                waiting.push(wish);
            }
        }
    }

    /// Begins with what was kept by an earlier process.
    async fn load(&mut self) {
        let Some(store) = self.store.clone() else { return };
        let kept = blocking(move || store.load()).await;
        let kept = kept.and_then(|kept| {
            let Some((document, confirmed)) = kept else { return Ok(()) };
            let bundle = TrustBundle::from_spiffe(self.domain.clone(), &document)?;
            self.shared.hold(bundle, confirmed)?;
            self.progress.document = Some(document);
            Ok(())
        });
        if let Err(error) = kept {
            self.report_store(error);
        }
    }

    /// Asks once. The pause until it is time to ask again.
    async fn attempt(&mut self) -> Duration {
        let fetched = timeout(ATTEMPT_TIMEOUT, self.fetch.fetch()).await.unwrap_or(Err(FederationError::Timeout));
        match fetched.and_then(|document| self.accept(document)) {
            Ok(()) => {
                self.keep().await;
                (self.progress.failures, self.progress.reported) = (0, None);
                self.tell(None);
                let hint = self.shared.latest(&self.domain).and_then(|(bundle, _)| bundle.refresh_hint());
                after_success(hint, self.shared.keep)
            }
            Err(error) => {
                self.shared.miss(&self.domain);
                self.progress.failures = self.progress.failures.saturating_add(1);
                self.report(&error);
                self.tell(Some(error));
                after_failure(self.progress.failures)
            }
        }
    }

    /// A bundle takes the place of the one before, whole.
    fn accept(&mut self, document: Bytes) -> Result<(), FederationError> {
        if self.progress.document.as_ref() == Some(&document) {
            self.shared.confirm(&self.domain);
            return Ok(());
        }
        let bundle = TrustBundle::from_spiffe(self.domain.clone(), &document)?;
        let concerns = bundle.concerns();
        self.shared.hold(bundle, self.shared.now())?;
        for concern in concerns {
            tracing::warn!("the bundle of trust domain `{}` is taken; but {concern}", self.domain);
        }
        self.progress.document = Some(document);
        Ok(())
    }

    /// Keeps what was confirmed for later processes. Nothing depends on it in this one.
    async fn keep(&mut self) {
        let (Some(store), Some(document)) = (self.store.clone(), self.progress.document.clone()) else { return };
        let now = self.shared.now();
        match blocking(move || store.keep(&document, now)).await {
            Ok(()) => self.status.send_modify(|status| status.store_error = None),
            Err(error) => self.report_store(error),
        }
    }

    fn tell(&self, error: Option<FederationError>) {
        let (now, latest) = (self.shared.now(), self.shared.latest(&self.domain));
        self.status.send_modify(|status| {
            status.asked_at = Some(now);
            status.confirmed_at = latest.as_ref().map(|(_, confirmed)| *confirmed);
            status.sequence = latest.and_then(|(bundle, _)| bundle.sequence());
            let since = status.failure.as_ref().map_or(now, |failure| failure.since);
            status.failure = error.map(|error| FederationFailure { error: Arc::new(error), since });
        });
    }

    /// Once for each kind of failure, and once more when the last good bundle does not count any more.
    fn report(&mut self, error: &FederationError) {
        let (code, counts) = (error.code(), self.shared.believes(&self.domain));
        if self.progress.reported.replace((code, counts)) == Some((code, counts)) {
            return;
        }
        let domain = &self.domain;
        if counts {
            tracing::warn!(
                code,
                "the bundle of trust domain `{domain}` could not be renewed, and the last one counts: {error}"
            );
        } else {
            tracing::error!(
                code,
                "the bundle of trust domain `{domain}` cannot be had, so nobody of it is believed: {error}"
            );
        }
    }

    fn report_store(&self, error: FederationError) {
        let code = error.code();
        if self.status.borrow().store_error.as_ref().is_none_or(|known| known.code() != code) {
            tracing::warn!(code, "the bundle of trust domain `{}` is not kept for a restart: {error}", self.domain);
        }
        self.status.send_modify(|status| status.store_error = Some(Arc::new(error)));
    }
}

/// Does what may wait for a disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FederationError> + Send + 'static,
) -> Result<T, FederationError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(FederationError::Timeout))
}
