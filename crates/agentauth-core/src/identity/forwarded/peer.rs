use http::HeaderMap;

use super::client_certificate::{self, CLIENT_CERT, CLIENT_CERT_CHAIN};
use super::{ForwardedError, XFCC, Xfcc};
use crate::identity::SpiffeId;
use crate::identity::svid::{TrustBundles, X509Svid};
use crate::time::Timestamp;

/// In which header a proxy says who its client is, and how that is read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Forwarded {
    /// In `x-forwarded-client-cert`.
    Xfcc(Xfcc),
    /// By the client's certificate itself, in `Client-Cert` and `Client-Cert-Chain` (RFC 9440). It is verified as an
    /// X.509-SVID.
    ClientCert,
}

/// A client as a proxy has passed it on. Only [`Forwarded::read`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedPeer {
    pub(super) id: SpiffeId,
    pub(super) thumbprint: Option<[u8; 32]>,
    pub(super) svid: Option<X509Svid>,
}

impl Forwarded {
    /// Reads who the client is, from the headers of a request that the trusted proxy has sent. None if the proxy saw no
    /// certificate, or one without a URI name.
    ///
    /// `bundles` and `now` are what certificates are verified against, where they are.
    ///
    /// # Errors
    /// [`ForwardedError`]: the request must be refused.
    pub fn read(
        &self,
        headers: &HeaderMap,
        bundles: &TrustBundles,
        now: Timestamp,
    ) -> Result<Option<ForwardedPeer>, ForwardedError> {
        match self {
            Self::Xfcc(xfcc) => xfcc.read(headers, bundles, now),
            Self::ClientCert => client_certificate::verified_peer(headers, bundles, now),
        }
    }

    /// Whether `headers` has one that only the proxy may write.
    #[must_use]
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Xfcc(_) => headers.contains_key(XFCC),
            Self::ClientCert => headers.contains_key(CLIENT_CERT) || headers.contains_key(CLIENT_CERT_CHAIN),
        }
    }
}

impl From<Xfcc> for Forwarded {
    fn from(xfcc: Xfcc) -> Self {
        Self::Xfcc(xfcc)
    }
}

impl ForwardedPeer {
    /// The client's SPIFFE ID.
    #[must_use]
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// The SHA-256 of the client's certificate, if the proxy says it: what `cnf.x5t#S256` confirms (RFC 8705 §3.1).
    #[must_use]
    pub const fn thumbprint(&self) -> Option<&[u8; 32]> {
        self.thumbprint.as_ref()
    }

    /// The certificate, if it was passed on and has been verified here too.
    #[must_use]
    pub const fn svid(&self) -> Option<&X509Svid> {
        self.svid.as_ref()
    }
}
