use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::{Clock, SystemClock, SystemRandom};
use tokio::runtime::Handle;

use super::backoff::Backoff;
use super::endpoint::Endpoint;
use super::follow::follow;
use super::rpc::Rpc;
use super::state::{JwtFeed, Shared, X509Feed};
use super::{Running, WorkloadApi, WorkloadApiError};

/// SPIFFE_Workload_API.md §5.2.1.
const MAX_HINT_BYTES: usize = 1024;

/// An agent that has just been started, on a host that has, needs some of this; a forgotten entry should be noticed.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Settings of a [`WorkloadApi`], which [`WorkloadApiBuilder::connect`] or [`WorkloadApiBuilder::start`] start.
#[must_use = "nothing is asked before connect() or start()"]
pub struct WorkloadApiBuilder {
    endpoint: Option<String>,
    hint: Option<String>,
    ready_within: Duration,
    clock: Arc<dyn Clock>,
}

impl WorkloadApiBuilder {
    pub(super) fn new() -> Self {
        Self { endpoint: None, hint: None, ready_within: READY_WITHIN, clock: Arc::new(SystemClock) }
    }

    /// Where the Workload API is, such as `unix:///run/spire/agent.sock` or `tcp://127.0.0.1:8000`. The environment variable
    /// `SPIFFE_ENDPOINT_SOCKET` says so unless set.
    pub fn endpoint(mut self, uri: impl Into<String>) -> Self {
        self.endpoint = Some(uri.into());
        self
    }

    /// The identity with this hint, of those that this workload has: the first of them unless set. If two have it, the first
    /// of these counts; if none has it any more, the identity is withdrawn.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// How long [`WorkloadApiBuilder::connect`] waits for the first identity: 30 s unless set.
    pub const fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }

    /// The clock: the system's unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Starts, and waits until there is an identity.
    ///
    /// # Errors
    /// As [`WorkloadApiBuilder::start`] and [`WorkloadApi::wait_ready`].
    pub async fn connect(self) -> Result<WorkloadApi, WorkloadApiError> {
        let within = self.ready_within;
        let api = self.start()?;
        api.wait_ready(within).await?;
        Ok(api)
    }

    /// Starts, and waits for nothing: there is no identity yet, and nobody is believed. The Workload API need not be there.
    ///
    /// # Errors
    /// [`WorkloadApiError::NoEndpoint`], [`WorkloadApiError::Endpoint`], [`WorkloadApiError::Hint`],
    /// [`WorkloadApiError::NoRuntime`].
    pub fn start(self) -> Result<WorkloadApi, WorkloadApiError> {
        let endpoint = match &self.endpoint {
            Some(uri) => uri.parse()?,
            None => Endpoint::from_environment()?,
        };
        if self.hint.as_ref().is_some_and(|hint| !(1..=MAX_HINT_BYTES).contains(&hint.len())) {
            return Err(WorkloadApiError::Hint);
        }
        let runtime = Handle::try_current().map_err(|_| WorkloadApiError::NoRuntime)?;
        if let Endpoint::Tcp(address) = &endpoint
            && !address.ip().is_loopback()
        {
            tracing::warn!("{endpoint} is not on this host: private keys and tokens travel in the clear");
        }
        let _guard = runtime.enter();
        let rpc = Rpc::new(&endpoint)?;
        let endpoint = rpc.endpoint();
        let shared = Arc::new(Shared::new(self.clock, self.hint, rpc.clone()));
        let backoff = Backoff::new(Arc::new(SystemRandom));
        let x509 = follow(rpc.clone(), X509Feed(Arc::clone(&shared)), backoff.clone());
        let jwt = follow(rpc, JwtFeed { shared: Arc::clone(&shared), reported: None }, backoff);
        let tasks = [runtime.spawn(x509).abort_handle(), runtime.spawn(jwt).abort_handle()];
        Ok(WorkloadApi(Arc::new(Running { endpoint, shared, tasks })))
    }
}

impl fmt::Debug for WorkloadApiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkloadApiBuilder")
            .field("endpoint", &self.endpoint)
            .field("hint", &self.hint)
            .field("ready_within", &self.ready_within)
            .finish_non_exhaustive()
    }
}
