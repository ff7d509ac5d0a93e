use std::sync::Arc;

use agentauth_core::{Timestamp, TrustDomain};

use super::FederationError;

/// How it stands with the bundle of one trust domain, for programs: for a health check, or a metric.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FederationStatus {
    /// Whose bundle it is.
    pub domain: TrustDomain,
    /// When its endpoint was last asked.
    pub asked_at: Option<Timestamp>,
    /// When the bundle that is held was last confirmed, by this process or an earlier one.
    pub confirmed_at: Option<Timestamp>,
    /// Its sequence number.
    pub sequence: Option<u64>,
    /// What went wrong the last time. Nothing, if all is well.
    pub failure: Option<FederationFailure>,
    /// Why the bundle is not there after a restart. Nothing, if it is, or is not to be.
    pub store_error: Option<Arc<FederationError>>,
}

/// A bundle that cannot be had from its endpoint.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FederationFailure {
    /// What went wrong the last time.
    pub error: Arc<FederationError>,
    /// Since when nothing good has come.
    pub since: Timestamp,
}

impl FederationStatus {
    pub(super) const fn of(domain: TrustDomain) -> Self {
        Self { domain, asked_at: None, confirmed_at: None, sequence: None, failure: None, store_error: None }
    }
}
