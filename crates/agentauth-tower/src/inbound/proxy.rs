use std::net::IpAddr;
use std::sync::Arc;

use agentauth_core::identity::forwarded::client_certificate::{CLIENT_CERT, ClientCertificate};
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::{Evidence, RequestError, SpiffeId, Timestamp};
use http::Request;

use super::ConnectionPeer;

/// Where the connection comes from, as a request extension. Only the listener should set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionAddress(pub IpAddr);

/// The proxy in front of this server that ends the clients' TLS connections, and passes their certificates on in the
/// `Client-Cert` header (RFC 9440).
///
/// It must remove that header from what it is sent (RFC 9440 §2.4); otherwise whoever talks to it can claim to hold any
/// certificate. The certificate counts for tokens that are bound to it (RFC 8705 §3), and for nothing else: it is not
/// checked against any root here.
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
struct ByAddress(Vec<IpAddr>);

impl Recognise for ByAddress {
    fn is_proxy(&self, _: Option<&X509Svid>, address: Option<IpAddr>) -> bool {
        address.is_some_and(|address| self.0.contains(&address.to_canonical()))
    }
}

impl TrustedProxy {
    /// The proxy proves itself by its own certificate, with one of these SPIFFE IDs ([`ConnectionPeer`]).
    #[must_use]
    pub fn agents(ids: impl IntoIterator<Item = SpiffeId>) -> Self {
        Self { recognised: Arc::new(ById(ids.into_iter().collect())) }
    }

    /// The proxy is known by its address ([`ConnectionAddress`]): safe only where nobody else can send from there.
    #[must_use]
    pub fn addresses(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let canonical = addresses.into_iter().map(|address| address.to_canonical()).collect();
        Self { recognised: Arc::new(ByAddress(canonical)) }
    }

    /// `evidence`, with the certificate that the proxy passed on in `request`.
    pub(super) fn forwarded<B>(&self, evidence: Evidence, request: &Request<B>, now: Timestamp) -> Evidence {
        let extensions = request.extensions();
        let connection = extensions.get::<ConnectionPeer>().map(|ConnectionPeer(peer)| peer);
        // The connection can outlive the proxy's own certificate.
        let peer = connection.map(|peer| &**peer).filter(|peer| is_valid(peer, now));
        let address = extensions.get::<ConnectionAddress>().map(|ConnectionAddress(address)| *address);
        match (self.recognised.is_proxy(peer, address), request.headers().contains_key(CLIENT_CERT)) {
            (true, _) => match ClientCertificate::from_headers(request.headers()) {
                Ok(Some(certificate)) => evidence.with_client_certificate(certificate),
                // The connection is the proxy's: it says nothing about the caller.
                Ok(None) => evidence.with_peer(None),
                Err(error) => Evidence::refused(RequestError::ClientCertificate(error)),
            },
            (false, true) => Evidence::refused(RequestError::ClientCertificateUntrusted).with_peer(connection.cloned()),
            (false, false) => evidence,
        }
    }
}

const fn is_valid(peer: &X509Svid, now: Timestamp) -> bool {
    now.secs() >= peer.not_before().secs() && now.secs() <= peer.not_after().secs()
}
