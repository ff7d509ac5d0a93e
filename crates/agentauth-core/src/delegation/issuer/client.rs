//! Who comes to the issuer, how that was proven, and which key the tokens it is given are bound to.

use crate::identity::AgentId;
use crate::identity::svid::X509Svid;
use crate::time::Timestamp;

/// A client of the issuer that has proven who it is: by the SVID of its TLS connection, or by what
/// [`Issuer::authenticate`](super::Issuer::authenticate) has verified.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) agent: AgentId,
    pub(super) holder: Holder,
    /// The SVID by which it has proven itself, which is looked at again when it is used.
    pub(super) svid: Option<Box<X509Svid>>,
    /// When what it has proven itself with ends.
    pub(super) proven_until: Timestamp,
}

/// Which key the client has shown to hold: what it is given will count in that key's hands only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// That of a TLS certificate with this SHA-256 (RFC 8705 §3.1).
    Certificate([u8; 32]),
    /// One with this RFC 7638 thumbprint, by a DPoP proof (RFC 9449 §5).
    Key([u8; 32]),
}

impl Client {
    /// Which agent it is.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    pub(crate) fn svid(&self) -> Option<&X509Svid> {
        self.svid.as_deref()
    }
}

impl From<&X509Svid> for Client {
    /// The peer of a mutual-TLS connection. The issuer checks again whether it trusts the roots of the SVID.
    fn from(svid: &X509Svid) -> Self {
        Self {
            agent: svid.id().clone().into(),
            holder: Holder::Certificate(*svid.thumbprint()),
            proven_until: svid.not_after(),
            svid: Some(Box::new(svid.clone())),
        }
    }
}
