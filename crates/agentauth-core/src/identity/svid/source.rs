//! Where identities and bundles come from while a program runs.
//!
//! What a source gives out is a snapshot: whole, unchanging, and replaced as a whole when the platform rotates keys.
//! Whoever uses it asks again for each connection, and sees either the old or the new, never half of each.

use std::fmt;
use std::sync::Arc;

use super::{TrustBundles, X509Identity};

/// Who is believed when they name a workload: the bundles of trust domains, as they are now.
///
/// Asked for every request, so it must answer at once: a pointer is copied. A trust domain that is withdrawn is gone from
/// the next answer on.
pub trait BundleSource: Send + Sync + fmt::Debug {
    /// The bundles as they are now. None at all, where nothing is known yet: nobody is trusted then.
    fn bundles(&self) -> TrustBundles;
}

/// Who this workload is: its own identity, as it is now.
pub trait IdentitySource: Send + Sync + fmt::Debug {
    /// The identity as it is now. It may have ended since it came: [`X509Identity::check_validity`] tells.
    ///
    /// # Errors
    /// [`IdentityUnavailable`].
    fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable>;
}

/// Why a workload has no identity to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityUnavailable {
    /// None has come yet.
    #[error("no identity has come yet from the platform")]
    NotYet,
    /// The platform says that this workload has none, or no longer.
    #[error("the platform says that this workload has no identity")]
    Withdrawn,
    /// The last one has ended, and no newer one has come.
    #[error("the last identity has expired, and no newer one has come")]
    Expired,
}

impl IdentityUnavailable {
    /// The stable machine code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotYet => "identity_not_yet",
            Self::Withdrawn => "identity_withdrawn",
            Self::Expired => "identity_expired",
        }
    }
}

impl BundleSource for TrustBundles {
    fn bundles(&self) -> TrustBundles {
        self.clone()
    }
}

impl<S: BundleSource + ?Sized> BundleSource for Arc<S> {
    fn bundles(&self) -> TrustBundles {
        (**self).bundles()
    }
}

/// An identity that never changes: for tests and tools.
impl IdentitySource for Arc<X509Identity> {
    fn identity(&self) -> Result<Self, IdentityUnavailable> {
        Ok(self.clone())
    }
}

impl<S: IdentitySource + ?Sized> IdentitySource for Arc<S> {
    fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
        (**self).identity()
    }
}
