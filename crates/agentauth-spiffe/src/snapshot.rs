//! What a source knows at one moment, and how it changes.

use std::sync::Arc;

use agentauth_core::identity::svid::{BundleSource, IdentitySource, IdentityUnavailable, TrustBundles, X509Identity};
use tokio::sync::watch;

/// What a source knows at one moment. It never changes; a newer one takes its place. By itself it is a source whose platform
/// never rotates anything, for tests and tools.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// Who this workload is.
    pub identity: Result<Arc<X509Identity>, IdentityUnavailable>,
    /// Whom it believes.
    pub bundles: TrustBundles,
}

impl Snapshot {
    /// Nothing has come yet: no identity, and nobody is believed.
    #[must_use]
    pub fn empty() -> Self {
        Self { identity: Err(IdentityUnavailable::NotYet), bundles: TrustBundles::new() }
    }

    /// A snapshot of both.
    #[must_use]
    pub const fn new(identity: Result<Arc<X509Identity>, IdentityUnavailable>, bundles: TrustBundles) -> Self {
        Self { identity, bundles }
    }
}

impl IdentitySource for Snapshot {
    fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
        self.identity.clone()
    }
}

impl BundleSource for Snapshot {
    fn bundles(&self) -> TrustBundles {
        self.bundles.clone()
    }
}

/// The snapshots of a source as they come. Whoever is slow sees the newest, and not each one between.
#[derive(Debug, Clone)]
pub struct Changes(pub(crate) watch::Receiver<Arc<Snapshot>>);

impl Changes {
    /// The present snapshot. It counts as seen.
    pub fn current(&mut self) -> Arc<Snapshot> {
        Arc::clone(&self.0.borrow_and_update())
    }

    /// Waits for the next snapshot that has not been seen. `None` once the source is gone.
    pub async fn next(&mut self) -> Option<Arc<Snapshot>> {
        self.0.changed().await.ok()?;
        Some(self.current())
    }
}
