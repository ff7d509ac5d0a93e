use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use agentauth_tower::{ConnectionAddress, ConnectionPeer};
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::IncomingStream;
use tower_service::Service;

use super::MtlsListener;
use super::listener::ConnectionTrust;

/// Serves `app` on `listener`, so that the layer sees the verified agent of each connection.
///
/// # Errors
/// As `axum::serve`, which does not end by itself.
pub async fn serve(listener: MtlsListener, app: Router) -> io::Result<()> {
    axum::serve(listener, PeerService::new(app)).await
}

/// What `axum::serve` asks for each new connection: the application, told who is at the other end. For servers that
/// want more of `axum::serve` than [`serve`] gives, such as graceful shutdown.
#[derive(Debug, Clone)]
pub struct PeerService {
    app: Router,
}

impl PeerService {
    /// Serves `app`.
    #[must_use]
    pub const fn new(app: Router) -> Self {
        Self { app }
    }
}

impl Service<IncomingStream<'_, MtlsListener>> for PeerService {
    type Response = ConnectionService;
    type Error = Infallible;
    type Future = Ready<Result<ConnectionService, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, connection: IncomingStream<'_, MtlsListener>) -> Self::Future {
        let peer = connection.io().peer().cloned().map(ConnectionPeer);
        let trust = connection.io().trust.clone();
        let address = ConnectionAddress(connection.remote_addr().ip());
        ready(Ok(ConnectionService { app: self.app.clone(), peer, trust, address }))
    }
}

/// The application as one connection sees it.
#[derive(Debug, Clone)]
pub struct ConnectionService {
    app: Router,
    peer: Option<ConnectionPeer>,
    trust: Option<ConnectionTrust>,
    address: ConnectionAddress,
}

impl Service<Request> for ConnectionService {
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as Service<Request>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.app, context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        request.extensions_mut().insert(self.address);
        if let Some(peer) = &self.peer {
            request.extensions_mut().insert(peer.clone());
        }
        if let Some(trust) = &self.trust {
            request.extensions_mut().insert(trust.clone());
        }
        self.app.call(request)
    }
}
