//! What a source knows, replaced as a whole.

use std::fmt;
use std::sync::Arc;

use agentauth_core::Clock;
use agentauth_core::identity::svid::{
    BundleSource, IdentitySource, IdentityUnavailable, SvidError, TrustBundles, X509Identity,
};
use arc_swap::ArcSwap;
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

/// The present snapshot of a source, shared by the source and everyone who uses it. Reading takes no lock.
#[derive(Clone)]
#[allow(dead_code, reason = "which methods are used depends on the sources that are built")]
pub(crate) struct Live(Arc<Inner>);

struct Inner {
    current: ArcSwap<Snapshot>,
    changes: watch::Sender<Arc<Snapshot>>,
    clock: Arc<dyn Clock>,
}

#[allow(dead_code, reason = "which methods are used depends on the sources that are built")]
impl Live {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let empty = Arc::new(Snapshot::empty());
        let (changes, _) = watch::channel(Arc::clone(&empty));
        Self(Arc::new(Inner { current: ArcSwap::new(empty), changes, clock }))
    }

    /// Puts `snapshot` in the place of the present one, in one step.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        let snapshot = Arc::new(snapshot);
        self.0.current.store(Arc::clone(&snapshot));
        self.0.changes.send_replace(snapshot);
    }

    pub(crate) fn current(&self) -> Arc<Snapshot> {
        self.0.current.load_full()
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(crate) fn changes(&self) -> Changes {
        Changes(self.0.changes.subscribe())
    }
}

impl IdentitySource for Live {
    fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
        let identity = self.0.current.load().identity.clone()?;
        match identity.check_validity(self.0.clock.now()) {
            Ok(()) => Ok(identity),
            Err(SvidError::NotYetValid) => Err(IdentityUnavailable::NotYet),
            Err(_) => Err(IdentityUnavailable::Expired),
        }
    }
}

impl BundleSource for Live {
    fn bundles(&self) -> TrustBundles {
        self.0.current.load().bundles.clone()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&**self.0.current.load()).finish()
    }
}

/// The snapshots of a source as they come. Whoever is slow sees the newest, and not each one between.
#[derive(Debug, Clone)]
pub struct Changes(watch::Receiver<Arc<Snapshot>>);

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
