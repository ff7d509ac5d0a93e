use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::{Clock, SystemClock};
use http::Uri;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::error::LiveKeysError;
use super::fetch::Origin;
use super::metadata::Discovery;
use super::schedule::{MIN_KEEP, Schedule};
use super::shared::Shared;
use super::task::Refresher;
use super::{LiveKeys, Running};
use crate::client::{FetchError, HttpsClient, without_user};

/// Settings of [`LiveKeys`], which [`LiveKeysBuilder::discover`], [`LiveKeysBuilder::from_url`] or
/// [`LiveKeysBuilder::from_file`] start.
#[must_use = "nothing is fetched before discover(), from_url() or from_file()"]
pub struct LiveKeysBuilder {
    clock: Arc<dyn Clock>,
    min_interval: Option<Duration>,
    keep: Option<Duration>,
}

impl LiveKeysBuilder {
    pub(super) fn new() -> Self {
        Self { clock: Arc::new(SystemClock), min_interval: None, keep: None }
    }

    /// The clock: the system's unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How long after a fetch tokens cannot cause another: 60 s unless set, 1 s for a file. Anyone can send a token with
    /// an unknown key, so this is how often anyone can make this server ask the issuer.
    pub const fn min_interval(mut self, interval: Duration) -> Self {
        self.min_interval = Some(interval);
        self
    }

    /// How long keys count after they were last confirmed, while the source fails: 24 h unless set, at least 2 minutes. After that there are
    /// no keys, and tokens are refused. Fresh keys are fetched after half of this time at the latest.
    pub const fn keep_for(mut self, keep: Duration) -> Self {
        self.keep = Some(keep);
        self
    }

    /// As [`LiveKeys::discover`].
    ///
    /// # Errors
    /// As there.
    pub fn discover(self, client: HttpsClient, issuer: &str) -> Result<LiveKeys, LiveKeysError> {
        let issuer = Discovery::of(issuer)?;
        client.check(&issuer.oauth)?;
        self.start(Origin::Issuer { issuer, http: Box::new(client) }, Schedule::for_issuer())
    }

    /// As [`LiveKeys::from_url`].
    ///
    /// # Errors
    /// As there.
    pub fn from_url(self, client: HttpsClient, url: &str) -> Result<LiveKeys, LiveKeysError> {
        let uri: Uri = url.parse().map_err(|_| FetchError::Url(without_user(url)))?;
        client.check(&uri)?;
        self.start(Origin::Url { uri, http: Box::new(client) }, Schedule::for_issuer())
    }

    /// As [`LiveKeys::from_file`].
    ///
    /// # Errors
    /// As there.
    pub fn from_file(self, path: impl Into<PathBuf>) -> Result<LiveKeys, LiveKeysError> {
        self.start(Origin::File(path.into()), Schedule::for_file())
    }

    pub(super) fn start(self, origin: Origin, mut schedule: Schedule) -> Result<LiveKeys, LiveKeysError> {
        let runtime = Handle::try_current().map_err(|_| LiveKeysError::NoRuntime)?;
        schedule.min_interval = self.min_interval.unwrap_or(schedule.min_interval);
        schedule.keep = self.keep.unwrap_or(schedule.keep).max(MIN_KEEP);
        let (ended, endings) = watch::channel(0);
        let shared = Arc::new(Shared::new(origin.to_string(), self.clock, schedule, endings));
        let task = runtime.spawn(Refresher::new(origin, shared.clone(), ended).run()).abort_handle();
        Ok(LiveKeys(Arc::new(Running { shared, task })))
    }
}

impl fmt::Debug for LiveKeysBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveKeysBuilder")
            .field("min_interval", &self.min_interval)
            .field("keep_for", &self.keep)
            .finish_non_exhaustive()
    }
}
