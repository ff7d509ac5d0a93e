//! The caller's certificate as a proxy has passed it on.

use super::SpiffeId;
use super::svid::X509Svid;

/// The agent whose certificate a trusted proxy has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedPeer {
    id: SpiffeId,
    thumbprint: Option<[u8; 32]>,
    svid: Option<X509Svid>,
}

impl ForwardedPeer {
    /// Its SPIFFE ID.
    #[must_use]
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// The SHA-256 of its certificate's DER bytes, if the proxy says it (RFC 8705 §3.1).
    #[must_use]
    pub const fn thumbprint(&self) -> Option<&[u8; 32]> {
        self.thumbprint.as_ref()
    }

    /// The certificate as it was verified here, if it was passed on and verified here.
    #[must_use]
    pub const fn svid(&self) -> Option<&X509Svid> {
        self.svid.as_ref()
    }
}
