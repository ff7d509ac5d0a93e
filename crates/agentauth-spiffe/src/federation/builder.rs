use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::identity::svid::BundleSource;
use agentauth_core::{Clock, SystemClock};
use agentauth_tower::client::HttpsClientBuilder;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::endpoint::{FederationEndpoint, Profile};
use super::fetch::{Fetch, HttpEndpoint};
use super::schedule::{KEEP, MIN_KEEP};
use super::shared::{SelfServing, Shared};
use super::store::Store;
use super::task::{Follower, Progress};
use super::{FederatedBundles, FederationError, FederationStatus, Followed, Running};
use crate::tls::{Servers, anonymous};

/// A URL that was moved and moved again is still found; one that leads around in circles is not.
const MAX_REDIRECTS: usize = 3;

/// Those who wish for an attempt at once. More of them wait until there is room.
const MAX_WISHES: usize = 16;

/// Which endpoints [`FederatedBundles`] follow.
#[must_use = "nothing is asked before start()"]
pub struct FederationBuilder {
    client: HttpsClientBuilder,
    endpoints: Vec<FederationEndpoint>,
    store: Option<PathBuf>,
    keep: Duration,
    max_redirects: usize,
    clock: Arc<dyn Clock>,
}

impl FederationBuilder {
    pub(super) fn new(client: HttpsClientBuilder) -> Self {
        Self {
            client,
            endpoints: Vec::new(),
            store: None,
            keep: KEEP,
            max_redirects: MAX_REDIRECTS,
            clock: Arc::new(SystemClock),
        }
    }

    /// One more endpoint.
    pub fn endpoint(mut self, endpoint: FederationEndpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// Keeps each bundle in a file in `directory`, which must be there, and begins with those that are kept there.
    /// Whoever can write to it can make this process believe anyone. One that was last confirmed too long ago proves
    /// the server of its own endpoint, and nobody else.
    pub fn store(mut self, directory: impl Into<PathBuf>) -> Self {
        self.store = Some(directory.into());
        self
    }

    /// How long a bundle counts after it was last confirmed, while its endpoint fails: 24 h unless set, at least a
    /// minute. After that nobody of the trust domain is believed. Bundles are asked for after half of this time at
    /// the latest.
    pub fn keep_for(mut self, keep: Duration) -> Self {
        self.keep = keep.max(MIN_KEEP);
        self
    }

    /// Follows no redirects. Otherwise up to three are followed, to servers that prove themselves as the endpoint does.
    pub const fn no_redirects(mut self) -> Self {
        self.max_redirects = 0;
        self
    }

    /// The clock: the system's unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Starts to follow the endpoints. Nothing waits here, and endpoints may be down: until a bundle has come, nobody
    /// of its trust domain is believed.
    ///
    /// # Errors
    /// [`FederationError::Nothing`], [`FederationError::Repeated`], [`FederationError::Url`],
    /// [`FederationError::Tls`], [`FederationError::Fetch`] if the client cannot be built,
    /// [`FederationError::NoRuntime`] outside of a tokio runtime.
    pub fn start(self) -> Result<FederatedBundles, FederationError> {
        let runtime = Handle::try_current().map_err(|_| FederationError::NoRuntime)?;
        let shared = Arc::new(Shared::new(Arc::clone(&self.clock), self.keep));
        let mut named = BTreeSet::new();
        if let Some(endpoint) = self.endpoints.iter().find(|endpoint| !named.insert(&endpoint.domain)) {
            return Err(FederationError::Repeated(endpoint.domain.clone()));
        }
        if self.endpoints.is_empty() {
            return Err(FederationError::Nothing);
        }
        // All are good, or none is asked.
        let fetches = self.endpoints.iter().map(|endpoint| self.fetch(endpoint, &shared));
        let fetches = fetches.collect::<Result<Vec<_>, _>>()?;
        let followed = self.endpoints.iter().zip(fetches).map(|(endpoint, fetch)| {
            let store = self.store.as_ref().map(|store| Store::new(store, &endpoint.domain));
            follow(endpoint, fetch, store, &shared, &runtime)
        });
        let followed = followed.collect();
        Ok(FederatedBundles(Arc::new(Running { shared, followed })))
    }

    fn fetch(&self, endpoint: &FederationEndpoint, shared: &Arc<Shared>) -> Result<HttpEndpoint, FederationError> {
        let uri = endpoint.uri()?;
        let client = match &endpoint.profile {
            Profile::Web => self.client.clone(),
            Profile::Spiffe { server, bundles } => {
                let is_self_serving = server.trust_domain() == endpoint.domain;
                let bundles: Arc<dyn BundleSource> = if is_self_serving {
                    let (domain, shared) = (endpoint.domain.clone(), Arc::clone(shared));
                    Arc::new(SelfServing { domain, shared, first: Arc::clone(bundles) })
                } else {
                    Arc::clone(bundles)
                };
                let servers = Servers::exactly(server.clone());
                self.client.clone().tls(anonymous(bundles, servers, Arc::clone(&self.clock))?)
            }
        };
        Ok(HttpEndpoint { client: client.build()?, uri, max_redirects: self.max_redirects })
    }
}

pub(super) fn follow<F: Fetch>(
    endpoint: &FederationEndpoint,
    fetch: F,
    store: Option<Store>,
    shared: &Arc<Shared>,
    runtime: &Handle,
) -> Followed {
    let (status, statuses) = watch::channel(FederationStatus::of(endpoint.domain.clone()));
    let (wish, wishes) = mpsc::channel(MAX_WISHES);
    let (domain, shared) = (endpoint.domain.clone(), Arc::clone(shared));
    let follower = Follower { domain, fetch, shared, store, status, wishes, progress: Progress::default() };
    Followed { status: statuses, wish, task: runtime.spawn(follower.run()).abort_handle() }
}

impl fmt::Debug for FederationBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FederationBuilder")
            .field("keep_for", &self.keep)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
