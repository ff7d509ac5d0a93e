use std::ops::Deref;
use std::sync::Arc;

use agentauth_core::identity::svid::{SvidError, X509Svid};
use agentauth_tower::ConnectionPeer;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::listener::ConnectionTrust;
use crate::Rejection;

/// The agent at the other end of the TLS connection, for handlers that ask for no token.
///
/// A connection can outlive what it was made with: the agent's certificate and root are checked again for this request,
/// as the engine does. As an extractor, `ConnectedAgent` refuses whoever is not good any more, and clients without a
/// certificate, with 401; `Option<ConnectedAgent>` is `None` for the latter. Where the application is not served by
/// [`serve`](crate::serve) or [`PeerService`](super::PeerService), both answer 500.
///
/// This is who has connected. Behind a proxy that ends the callers' connections, that is the proxy.
#[derive(Debug, Clone)]
pub struct ConnectedAgent(Arc<X509Svid>);

impl Deref for ConnectedAgent {
    type Target = X509Svid;

    fn deref(&self) -> &X509Svid {
        &self.0
    }
}

fn found(parts: &Parts) -> Result<Option<ConnectedAgent>, Rejection> {
    let trust = parts.extensions.get::<ConnectionTrust>();
    let ConnectionTrust(tls) =
        trust.ok_or(Rejection::server("the connection is not known: serve the app by agentauth_axum::serve"))?;
    let Some(ConnectionPeer(peer)) = parts.extensions.get::<ConnectionPeer>() else { return Ok(None) };
    tls.recheck(peer).map_err(Rejection::connection)?;
    Ok(Some(ConnectedAgent(Arc::clone(peer))))
}

impl<S: Send + Sync> FromRequestParts<S> for ConnectedAgent {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        found(parts)?.ok_or_else(|| Rejection::connection(SvidError::NoCertificate))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for ConnectedAgent {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        found(parts)
    }
}
