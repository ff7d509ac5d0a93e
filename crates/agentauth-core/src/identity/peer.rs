//! Who is at the other end, and how is that known?

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::SpiffeId;
use super::forwarded::ForwardedPeer;
use super::svid::X509Svid;

/// The agent that the connection proved, or that a trusted proxy says it has seen at the other end of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// The TLS connection to this server proved it.
    Tls(Arc<X509Svid>),
    /// A proxy that ends the caller's TLS connection passed it on.
    Forwarded(Arc<ForwardedPeer>),
}

/// How the identity of a peer is known, as the record says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PeerProof {
    /// By mutual TLS with this server.
    MutualTls,
    /// By the word of a trusted proxy.
    Forwarded,
    /// By the certificate that a trusted proxy passed on, verified here. That the caller holds its key is the proxy's word.
    ForwardedCertificate,
}

impl Peer {
    /// Its SPIFFE ID.
    #[must_use]
    pub fn id(&self) -> &SpiffeId {
        match self {
            Self::Tls(svid) => svid.id(),
            Self::Forwarded(peer) => peer.id(),
        }
    }

    /// The SHA-256 of its certificate's DER bytes, if that is known (RFC 8705 §3.1).
    #[must_use]
    pub fn thumbprint(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Tls(svid) => Some(svid.thumbprint()),
            Self::Forwarded(peer) => peer.thumbprint(),
        }
    }

    /// Its certificate, if that was verified here.
    #[must_use]
    pub fn svid(&self) -> Option<&X509Svid> {
        match self {
            Self::Tls(svid) => Some(svid),
            Self::Forwarded(peer) => peer.svid(),
        }
    }

    /// How its identity is known.
    #[must_use]
    pub fn proof(&self) -> PeerProof {
        match self {
            Self::Tls(_) => PeerProof::MutualTls,
            Self::Forwarded(peer) if peer.svid().is_some() => PeerProof::ForwardedCertificate,
            Self::Forwarded(_) => PeerProof::Forwarded,
        }
    }
}

impl From<Arc<X509Svid>> for Peer {
    fn from(svid: Arc<X509Svid>) -> Self {
        Self::Tls(svid)
    }
}

impl fmt::Display for PeerProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MutualTls => "mutual_tls",
            Self::Forwarded => "forwarded",
            Self::ForwardedCertificate => "forwarded_certificate",
        })
    }
}
