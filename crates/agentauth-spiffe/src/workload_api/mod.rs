//! The SPIFFE Workload API: SPIRE's agent, and others that speak it.
//! Needs the feature `workload-api`.
//!
//! ```no_run
//! use agentauth_core::identity::svid::{BundleSource, IdentitySource};
//! use agentauth_spiffe::WorkloadApi;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let api = WorkloadApi::connect().await?;
//! println!("this is {}", api.identity()?.id());
//! let token = api.jwt_svid(&["https://tools.example.com"]).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Two streams are followed: X.509-SVIDs with the bundles of trust domains, and the keys of JWT-SVIDs. Each message is the
//! whole state: what it does not mention is gone. What is lost is what the other side takes back (`PermissionDenied`), and
//! nothing else: while it is away, it is asked again ever more slowly, and the last good identity counts until it expires.
//!
//! An identity that is expired, is for another SPIFFE ID than its message says, does not verify against the bundle that
//! came with it, or does not have its own private key, is not taken; what is wrong is reported through `tracing`.

mod backoff;
mod builder;
mod client_assertions;
mod endpoint;
mod error;
mod follow;
mod jwt_svids;
mod rpc;
mod state;
mod x509;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::SpiffeId;
use agentauth_core::identity::svid::{BundleSource, IdentitySource, IdentityUnavailable, TrustBundles, X509Identity};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

pub use builder::WorkloadApiBuilder;
pub use client_assertions::JwtSvidAssertions;
pub use endpoint::SPIFFE_ENDPOINT_SOCKET;
pub use error::WorkloadApiError;
pub use jwt_svids::OwnJwtSvid;

use crate::Changes;
use state::Shared;

/// An identity may become valid without anything coming.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(1);

/// This workload's identity, and whom it believes, as a Workload API says. Clones share it, and it ends with the last of
/// them.
#[derive(Clone)]
pub struct WorkloadApi(Arc<Running>);

struct Running {
    endpoint: Arc<str>,
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl WorkloadApi {
    /// The Workload API that the environment variable `SPIFFE_ENDPOINT_SOCKET` names, once there is an identity.
    ///
    /// # Errors
    /// As [`WorkloadApiBuilder::connect`].
    pub async fn connect() -> Result<Self, WorkloadApiError> {
        Self::builder().connect().await
    }

    /// Begins one with settings of its own.
    pub fn builder() -> WorkloadApiBuilder {
        WorkloadApiBuilder::new()
    }

    /// Waits until there is an identity, for as long as `within`.
    ///
    /// # Errors
    /// At once what no waiting helps against: [`WorkloadApiError::InvalidArgument`], [`WorkloadApiError::Unimplemented`].
    /// After `within`, [`WorkloadApiError::GaveUp`] with what was wrong at last, or [`WorkloadApiError::TimedOut`] if nothing
    /// was.
    pub async fn wait_ready(&self, within: Duration) -> Result<Arc<X509Identity>, WorkloadApiError> {
        let end = Instant::now() + within;
        let (mut changes, mut problems) = (self.changes(), self.0.shared.problems());
        loop {
            changes.current();
            let problem = problems.borrow_and_update().clone();
            if let Ok(identity) = self.identity() {
                return Ok(identity);
            }
            let left = end.saturating_duration_since(Instant::now());
            match problem {
                Some(problem) if problem.is_final() => return Err(problem),
                Some(problem) if left.is_zero() => {
                    return Err(WorkloadApiError::GaveUp { within, problem: Box::new(problem) });
                }
                None if left.is_zero() => {
                    return Err(WorkloadApiError::TimedOut { endpoint: Arc::clone(&self.0.endpoint), within });
                }
                _ => {}
            }
            let news = async {
                tokio::select! {
                    _ = changes.next() => {}
                    _ = problems.changed() => {}
                }
            };
            _ = timeout(left.min(LOOK_AT_CLOCK), news).await;
        }
    }

    /// Who is asked, such as `unix:///run/spire/agent.sock`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// The snapshots as they come.
    #[must_use]
    pub fn changes(&self) -> Changes {
        self.0.shared.live.changes()
    }

    /// What is wrong with the identity at present: why none has come, or why a newer one was not taken.
    #[must_use]
    pub fn problem(&self) -> Option<WorkloadApiError> {
        self.0.shared.problems().borrow().clone()
    }

    /// A JWT-SVID of this workload for `audiences`, which should be one. It is kept for half of its life, and callers that
    /// come while it is on its way wait for the same. It is the first that this workload has, or the first with the hint.
    ///
    /// # Errors
    /// [`WorkloadApiError::Audience`], [`WorkloadApiError::Denied`], [`WorkloadApiError::TimedOut`] after 10 s, and
    /// whatever else the Workload API answers.
    pub async fn jwt_svid(&self, audiences: &[&str]) -> Result<Arc<OwnJwtSvid>, WorkloadApiError> {
        self.0.shared.jwt_svids.get(None, audiences).await
    }

    /// As [`WorkloadApi::jwt_svid`], of the workload's identity `id`.
    ///
    /// # Errors
    /// As there.
    pub async fn jwt_svid_of(&self, id: &SpiffeId, audiences: &[&str]) -> Result<Arc<OwnJwtSvid>, WorkloadApiError> {
        self.0.shared.jwt_svids.get(Some(id), audiences).await
    }

    /// Fetches the JWT-SVIDs of all identities of this workload, or of `id`, anew; none is kept.
    ///
    /// # Errors
    /// As [`WorkloadApi::jwt_svid`].
    pub async fn fetch_jwt_svids(
        &self,
        id: Option<&SpiffeId>,
        audiences: &[&str],
    ) -> Result<Vec<OwnJwtSvid>, WorkloadApiError> {
        self.0.shared.jwt_svids.fetch(id, audiences).await
    }
}

impl IdentitySource for WorkloadApi {
    fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
        self.0.shared.live.identity()
    }
}

impl BundleSource for WorkloadApi {
    fn bundles(&self) -> TrustBundles {
        self.0.shared.live.bundles()
    }
}

impl fmt::Debug for WorkloadApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkloadApi")
            .field("endpoint", &self.0.endpoint)
            .field("live", &self.0.shared.live)
            .finish_non_exhaustive()
    }
}
