use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use agentauth_core::identity::forwarded::Forwarded;
use agentauth_core::identity::forwarded::client_certificate::{CLIENT_CERT, ClientCertificate};
use agentauth_core::identity::svid::{TrustBundles, X509Svid};
use agentauth_core::{AgentAuth, Evidence, Peer, RequestError, SpiffeId, Timestamp};
use http::{Extensions, HeaderMap};

use super::ConnectionPeer;
use crate::{Network, NetworkError};

/// Where the connection comes from, as a request extension. Only the listener should set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionAddress(pub IpAddr);

/// The proxy in front of this server that ends the clients' TLS connections, and says in a header whose they were.
///
/// It must not pass on that header as it was sent (RFC 9440 §2.4); otherwise whoever talks to it can claim to be, or to
/// hold the certificate of, anyone.
#[derive(Debug, Clone)]
pub struct TrustedProxy {
    recognised: Arc<dyn Recognise>,
}

trait Recognise: std::fmt::Debug + Send + Sync {
    fn is_proxy(&self, peer: Option<&X509Svid>, address: Option<IpAddr>) -> bool;
}

#[derive(Debug)]
struct ById(Vec<SpiffeId>);

impl Recognise for ById {
    fn is_proxy(&self, peer: Option<&X509Svid>, _: Option<IpAddr>) -> bool {
        peer.is_some_and(|peer| self.0.contains(peer.id()))
    }
}

#[derive(Debug)]
struct ByAddress(Vec<Network>);

impl Recognise for ByAddress {
    fn is_proxy(&self, _: Option<&X509Svid>, address: Option<IpAddr>) -> bool {
        address.is_some_and(|address| self.0.iter().any(|network| network.contains(address.to_canonical())))
    }
}

impl TrustedProxy {
    /// The proxy proves itself by its own certificate, with one of these SPIFFE IDs ([`ConnectionPeer`]). The engine
    /// must still believe that certificate ([`AgentAuth::recheck`]).
    #[must_use]
    pub fn agents(ids: impl IntoIterator<Item = SpiffeId>) -> Self {
        Self { recognised: Arc::new(ById(ids.into_iter().collect())) }
    }

    /// The proxy is known by its address ([`ConnectionAddress`]): safe only where nobody else can send from there.
    #[must_use]
    pub fn addresses(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self::in_networks(addresses.into_iter().map(|address| Network::one(address.to_canonical())))
    }

    /// The proxy is known by its network, such as `10.1.2.0/24`: safe only where nobody else can send from there.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn networks<'n>(networks: impl IntoIterator<Item = &'n str>) -> Result<Self, NetworkError> {
        let networks: Result<Vec<Network>, _> = networks.into_iter().map(str::parse).collect();
        networks.map(Self::in_networks)
    }

    /// The proxy is known by one of these networks: safe only where nobody else can send from there.
    #[must_use]
    pub fn in_networks(networks: impl IntoIterator<Item = Network>) -> Self {
        Self { recognised: Arc::new(ByAddress(networks.into_iter().collect())) }
    }

    /// The proxy runs beside this server: on a loopback address, or as an Istio sidecar, which connects from
    /// `127.0.0.6` or `::6`.
    ///
    /// All containers of a pod, and all processes of a host, share these addresses. Bind this server to `127.0.0.1`, so
    /// that nobody comes past the sidecar.
    #[must_use]
    pub fn loopback_and_sidecar() -> Self {
        let sidecar = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6);
        let [loopback, sidecar] = [Ipv6Addr::LOCALHOST, sidecar].map(|address| Network::one(address.into()));
        // Of which 127.0.0.6 is one.
        Self::in_networks([Network::v4([127, 0, 0, 0], 8), loopback, sidecar])
    }

    /// Whether the other end of a connection is this proxy: `peer` is who it has proven to be, and `address` where it comes
    /// from. That the proof is still good is for whoever asks to check.
    #[must_use]
    pub fn is_at(&self, peer: Option<&X509Svid>, address: Option<IpAddr>) -> bool {
        self.recognised.is_proxy(peer, address)
    }

    fn has_sent(&self, connection: &Connection<'_>, auth: &AgentAuth, now: Timestamp) -> bool {
        // The connection can outlive the proxy's own certificate, or its root.
        let is_good = |peer: &&Arc<X509Svid>| auth.recheck(&Peer::Tls(Arc::clone(peer)), now).is_ok();
        self.recognised.is_proxy(connection.peer.filter(is_good).map(|peer| &**peer), connection.address)
    }
}

/// The other end of a connection, as the listener saw it.
pub(super) struct Connection<'r> {
    peer: Option<&'r Arc<X509Svid>>,
    address: Option<IpAddr>,
}

impl<'r> Connection<'r> {
    pub(super) fn of(extensions: &'r Extensions, address: Option<IpAddr>) -> Self {
        let peer = extensions.get::<ConnectionPeer>().map(|ConnectionPeer(peer)| peer);
        Self { peer, address }
    }
}

/// The proxy that may say something about its clients, and the one thing that it may say.
#[derive(Debug, Clone)]
pub(super) enum Passing {
    /// Which certificate a client holds the key of: tokens may be bound to it.
    Certificate(TrustedProxy),
    /// Who a client is.
    Identity(TrustedProxy, Arc<Forwarded>),
}

impl Passing {
    /// `evidence`, with what the proxy says in `headers`, if it was the proxy that sent them.
    pub(super) fn add_to(
        &self,
        evidence: Evidence,
        headers: &HeaderMap,
        connection: &Connection<'_>,
        auth: &AgentAuth,
    ) -> Evidence {
        let now = auth.now();
        let (proxy, is_there) = match self {
            Self::Certificate(proxy) => (proxy, headers.contains_key(CLIENT_CERT)),
            Self::Identity(proxy, forwarded) => (proxy, forwarded.is_in(headers)),
        };
        if !proxy.has_sent(connection, auth, now) {
            return if is_there { self.untrusted().with_peer(connection.peer.cloned()) } else { evidence };
        }
        // The connection is the proxy's: without a word of it, nothing is known about the caller.
        match self {
            Self::Certificate(_) => match ClientCertificate::from_headers(headers) {
                Ok(Some(certificate)) => evidence.with_client_certificate(certificate),
                Ok(None) => evidence.with_peer(None),
                Err(error) => Evidence::refused(RequestError::ClientCertificate(error)),
            },
            Self::Identity(_, forwarded) => {
                let bundles = auth.agents().map_or_else(TrustBundles::new, |trust| trust.bundles().bundles());
                match forwarded.read(headers, &bundles, now) {
                    Ok(peer) => evidence.with_forwarded_peer(peer),
                    Err(error) => Evidence::refused(RequestError::Forwarded(error)),
                }
            }
        }
    }

    fn untrusted(&self) -> Evidence {
        Evidence::refused(match self {
            Self::Identity(_, forwarded) if matches!(**forwarded, Forwarded::Xfcc(_)) => {
                RequestError::ForwardedUntrusted
            }
            Self::Identity(..) | Self::Certificate(_) => RequestError::ClientCertificateUntrusted,
        })
    }
}
