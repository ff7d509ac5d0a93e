//! Through whom an authority came, one after the other.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::delegation::Delegation;
use crate::identity::{AgentId, Peer, PeerProof};
use crate::jose::base64url;
use crate::scope::ScopeSet;
use crate::token::Confirmation;

/// One agent of a chain, and how it is known that it was one.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct HopRecord {
    /// Which agent.
    pub agent: AgentId,
    /// The key that it held, where the token or the link says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<HopKey>,
    /// How its name was proven.
    pub proof: HopProof,
    /// The scopes that it held, where those of the chain are known one by one (feature `unstable-chain`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<ScopeSet>,
}

/// A key, by its thumbprint: written `jkt:` or `x5t#S256:` and the base64url of the SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HopKey {
    /// A public key (RFC 7638).
    Key([u8; 32]),
    /// A certificate (RFC 8705 §3.1).
    Certificate([u8; 32]),
}

/// How the name of one agent in a chain is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HopProof {
    /// By the issuer's word, in the token.
    Token,
    /// By the word of the holder before, in a link that it signed offline.
    OfflineLink,
    /// By mutual TLS with this server, and by the token or the link.
    MutualTls,
    /// By the word of a trusted proxy, and by the token or the link.
    Forwarded,
    /// By the certificate that a trusted proxy passed on, and by the token or the link.
    ForwardedCertificate,
}

impl HopRecord {
    /// The chain of `delegation`, whose actor is known by `proof`.
    pub(super) fn all(delegation: &Delegation, proof: HopProof) -> Vec<Self> {
        let token = delegation.token();
        let key = match token.confirmation {
            Confirmation::Bearer => None,
            Confirmation::Key(thumbprint) => Some(HopKey::Key(thumbprint)),
            Confirmation::Certificate(thumbprint) => Some(HopKey::Certificate(thumbprint)),
        };
        let held = token.narrowing.as_ref().map_or(&[][..], |narrowing| &narrowing.held);
        let authority = (!held.is_empty()).then(|| delegation.authority().scopes().clone());
        let actor = Self { agent: delegation.actor().clone(), key, proof, authority };
        // The first of those who passed it on was named by the issuer.
        let links = held.len().saturating_sub(1);
        let earlier = delegation.earlier_actors().iter().enumerate().map(|(at, agent)| {
            let held = held.get(at);
            Self {
                agent: agent.clone(),
                key: held.map(|(key, _)| HopKey::Key(*key)),
                proof: if at < links { HopProof::OfflineLink } else { HopProof::Token },
                authority: held.map(|(_, scopes)| scopes.clone()),
            }
        });
        std::iter::once(actor).chain(earlier).collect()
    }
}

impl HopProof {
    /// How it is known who the actor of `delegation` is, where it came from `peer`.
    pub(super) fn of(delegation: &Delegation, peer: Option<&Peer>) -> Self {
        match peer.filter(|peer| delegation.actor().spiffe_id() == Some(peer.id())).map(Peer::proof) {
            Some(PeerProof::MutualTls) => Self::MutualTls,
            Some(PeerProof::Forwarded) => Self::Forwarded,
            Some(PeerProof::ForwardedCertificate) => Self::ForwardedCertificate,
            None if delegation.token().narrowing.is_some() => Self::OfflineLink,
            None => Self::Token,
        }
    }
}

impl fmt::Display for HopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, thumbprint) = match self {
            Self::Key(thumbprint) => ("jkt", thumbprint),
            Self::Certificate(thumbprint) => ("x5t#S256", thumbprint),
        };
        write!(f, "{kind}:{}", base64url::encode(thumbprint))
    }
}

impl Serialize for HopKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
