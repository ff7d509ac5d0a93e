//! Bundles of other trust domains, from where they publish them (SPIFFE Federation).
//! Needs the feature `federation`.
//!
//! ```no_run
//! use agentauth_core::identity::svid::TrustBundles;
//! use agentauth_spiffe::federation::{FederatedBundles, FederationEndpoint};
//! use agentauth_tower::client::HttpsClient;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The bundle that the owners of bar.example have handed over, to know their server by.
//! let first = TrustBundles::new().with_pem("bar.example".parse()?, &std::fs::read("bar.example.pem")?)?;
//! let bundles = FederatedBundles::builder(HttpsClient::builder())
//!     .endpoint(FederationEndpoint::https_web("court.example".parse()?, "https://court.example/bundle.json"))
//!     .endpoint(FederationEndpoint::https_spiffe(
//!         "bar.example".parse()?,
//!         "https://spire.bar.example:8443/",
//!         "spiffe://bar.example/spire/server".parse()?,
//!         first,
//!     ))
//!     .store("/var/lib/agent/bundles")
//!     .start()?;
//! # Ok(())
//! # }
//! ```
//!
//! Each endpoint is asked again as often as its bundle suggests (`spiffe_refresh_hint`), which is between 30 s and an
//! hour, and every 5 minutes if it does not; and ever more slowly while it fails, once a minute in the end. A bundle
//! that has come takes the place of the one before, whole: bundles are never merged. One whose sequence number is
//! smaller than that of the one that is held is an old one, and not taken. While an endpoint cannot be asked, the
//! last bundle counts for 24 h; then nobody of the trust domain is believed. An empty bundle trusts nothing, at once.
//!
//! What goes wrong is reported through `tracing`, and can be read: [`FederatedBundles::status`].

mod builder;
mod endpoint;
mod error;
mod fetch;
mod schedule;
mod shared;
mod status;
mod store;
mod task;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use agentauth_core::identity::svid::{BundleSource, TrustBundles};
use agentauth_tower::client::HttpsClientBuilder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

pub use builder::FederationBuilder;
pub use endpoint::FederationEndpoint;
pub use error::FederationError;
pub use status::{FederationFailure, FederationStatus};

use crate::Changes;
use shared::Shared;

/// The bundles of other trust domains, each followed by a task. Clones share them, and they end with the last of them.
#[derive(Clone)]
pub struct FederatedBundles(Arc<Running>);

struct Running {
    shared: Arc<Shared>,
    followed: Vec<Followed>,
}

/// One endpoint.
struct Followed {
    status: watch::Receiver<FederationStatus>,
    wish: mpsc::Sender<oneshot::Sender<()>>,
    task: AbortHandle,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FederatedBundles {
    /// Begins with a client for all endpoints: which networks it reaches, and, for endpoints of the Web PKI, which
    /// roots it believes.
    pub fn builder(client: HttpsClientBuilder) -> FederationBuilder {
        FederationBuilder::new(client)
    }

    /// Waits until every endpoint has been asked for the first time.
    ///
    /// # Errors
    /// The failure of the first endpoint that failed. It is asked again nevertheless.
    pub async fn loaded(&self) -> Result<(), Arc<FederationError>> {
        for followed in &self.0.followed {
            let mut status = followed.status.clone();
            let first = status.wait_for(|status| status.asked_at.is_some()).await;
            // Without its runtime, nothing will come.
            let first = first.map_err(|_| Arc::new(FederationError::NoRuntime))?;
            if let Some(failure) = &first.failure {
                return Err(Arc::clone(&failure.error));
            }
        }
        Ok(())
    }

    /// Asks every endpoint now, and waits until all have been asked. For operators who know of a change; do not let
    /// strangers cause it.
    pub async fn refresh(&self) {
        let mut answers = Vec::new();
        for followed in &self.0.followed {
            let (done, answer) = oneshot::channel();
            // An error says that the task is gone, and then nothing will come of it.
            if followed.wish.send(done).await.is_ok() {
                answers.push(answer);
            }
        }
        for answer in answers {
            _ = answer.await;
        }
    }

    /// How it stands with each endpoint, in the order in which they were named.
    #[must_use]
    pub fn status(&self) -> Vec<FederationStatus> {
        self.0.followed.iter().map(|followed| followed.status.borrow().clone()).collect()
    }

    /// The snapshots from now on. They have no identity.
    #[must_use]
    pub fn changes(&self) -> Changes {
        self.0.shared.live.changes()
    }
}

impl BundleSource for FederatedBundles {
    fn bundles(&self) -> TrustBundles {
        self.0.shared.bundles()
    }
}

impl fmt::Debug for FederatedBundles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FederatedBundles").field("shared", &self.0.shared).finish_non_exhaustive()
    }
}
