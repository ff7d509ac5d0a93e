use std::net::{IpAddr, SocketAddr};

use agentauth_core::AgentAuth;
use agentauth_core::identity::forwarded::Forwarded;
use agentauth_tower::inbound::AgentAuthService;
use agentauth_tower::{ConnectionAddress, TrustedProxy};
use axum::extract::{ConnectInfo, OriginalUri};
use http::Extensions;
use tower_layer::Layer;

/// Verifies the caller of every request: [`agentauth_tower::AgentAuthLayer`], for routers that may be nested.
///
/// Inside of a nested router, a request's URI has lost the beginning of its path. A proof of possession is for the whole
/// of what the client sent, which axum keeps as [`OriginalUri`].
#[derive(Debug, Clone)]
pub struct AgentAuthLayer(agentauth_tower::AgentAuthLayer);

impl AgentAuthLayer {
    /// Refuses every request whose caller is not verified by `auth`.
    #[must_use]
    pub fn new(auth: AgentAuth) -> Self {
        let layer = agentauth_tower::AgentAuthLayer::new(auth);
        Self(layer.sent_uri(|extensions| extensions.get().map(|OriginalUri(uri)| uri)).sent_from(sent_from))
    }

    /// Lets requests without any credentials pass, without a caller. Credentials that are shown must still be good.
    #[must_use]
    pub fn optional(self) -> Self {
        Self(self.0.optional())
    }

    /// Takes the client certificate from the `Client-Cert` header of requests that `proxy` sends (RFC 9440): see
    /// [`agentauth_tower::AgentAuthLayer::client_certificate_from`]. A proxy that is known by its address is seen where the
    /// application is served by [`serve`](crate::serve), or with `into_make_service_with_connect_info::<SocketAddr>()`.
    #[must_use]
    pub fn client_certificate_from(self, proxy: TrustedProxy) -> Self {
        Self(self.0.client_certificate_from(proxy))
    }

    /// Takes the identity of the caller from what `proxy` says about its client: see
    /// [`agentauth_tower::AgentAuthLayer::forwarded_identity_from`]. A proxy that is known by its address is seen as with
    /// [`AgentAuthLayer::client_certificate_from`].
    #[must_use]
    pub fn forwarded_identity_from(self, proxy: TrustedProxy, forwarded: impl Into<Forwarded>) -> Self {
        Self(self.0.forwarded_identity_from(proxy, forwarded))
    }
}

/// Where the connection comes from: as our own listener says it, or axum's.
pub(crate) fn sent_from(extensions: &Extensions) -> Option<IpAddr> {
    let ours = extensions.get().map(|ConnectionAddress(address)| *address);
    ours.or_else(|| extensions.get().map(|ConnectInfo(address): &ConnectInfo<SocketAddr>| address.ip()))
}

impl<S> Layer<S> for AgentAuthLayer {
    type Service = AgentAuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(inner)
    }
}
