use std::sync::Arc;

use agentauth_core::identity::svid::BundleSource;
use agentauth_core::{SpiffeId, TrustDomain};
use http::Uri;
use http::uri::Scheme;

use super::FederationError;

/// Where a trust domain publishes its bundle, and by what its server is known. Nothing of it is ever found out: who
/// configures it has agreed it with the owner of the trust domain (SPIFFE_Federation.md §7.2).
#[derive(Debug, Clone)]
pub struct FederationEndpoint {
    pub(super) domain: TrustDomain,
    pub(super) url: String,
    pub(super) profile: Profile,
}

#[derive(Debug, Clone)]
pub(super) enum Profile {
    Web,
    Spiffe { server: SpiffeId, bundles: Arc<dyn BundleSource> },
}

impl FederationEndpoint {
    /// An endpoint whose server has a certificate of the Web PKI for the host in `url` (profile `https_web`,
    /// SPIFFE_Federation.md §5.2.1).
    pub fn https_web(domain: TrustDomain, url: impl Into<String>) -> Self {
        Self { domain, url: url.into(), profile: Profile::Web }
    }

    /// An endpoint whose server is the workload `server` and shows an X.509-SVID (profile `https_spiffe`,
    /// SPIFFE_Federation.md §5.2.2). The host in `url` is not compared with its certificate.
    ///
    /// `bundles` proves the server. If it belongs to `domain` itself, that is the bundle that you were given to begin
    /// with: once one has been retrieved, the latest one proves the server, and `bundles` is not asked any more. If
    /// the server belongs to another trust domain, it is a source of that one's bundle, and asked each time.
    pub fn https_spiffe(
        domain: TrustDomain,
        url: impl Into<String>,
        server: SpiffeId,
        bundles: impl BundleSource + 'static,
    ) -> Self {
        Self { domain, url: url.into(), profile: Profile::Spiffe { server, bundles: Arc::new(bundles) } }
    }

    pub(super) fn uri(&self) -> Result<Uri, FederationError> {
        let uri = self.url.parse().ok().filter(is_endpoint);
        uri.ok_or_else(|| FederationError::Url(self.domain.clone()))
    }
}

/// Whether it is an https URL without user information (SPIFFE_Federation.md §5.1).
pub(super) fn is_endpoint(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS) && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
}
