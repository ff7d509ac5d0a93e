use agentauth_core::AgentAuth;
use agentauth_tower::TrustedProxy;
use agentauth_tower::inbound::AgentAuthService;
use axum::extract::OriginalUri;
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
        Self(layer.sent_uri(|extensions| extensions.get().map(|OriginalUri(uri)| uri)))
    }

    /// Lets requests without any credentials pass, without a caller. Credentials that are shown must still be good.
    #[must_use]
    pub fn optional(self) -> Self {
        Self(self.0.optional())
    }

    /// Takes the client certificate from the `Client-Cert` header of requests that `proxy` sends (RFC 9440): see
    /// [`agentauth_tower::AgentAuthLayer::client_certificate_from`]. A proxy that is known by its address is seen where the
    /// application is served by [`serve`](crate::serve), or a middleware sets
    /// [`ConnectionAddress`](agentauth_tower::ConnectionAddress).
    #[must_use]
    pub fn client_certificate_from(self, proxy: TrustedProxy) -> Self {
        Self(self.0.client_certificate_from(proxy))
    }
}

impl<S> Layer<S> for AgentAuthLayer {
    type Service = AgentAuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(inner)
    }
}
