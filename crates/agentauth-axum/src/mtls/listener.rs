use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use agentauth_core::AgentTrust;
use agentauth_core::identity::svid::X509Svid;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::handshakes::accept;
use super::{ServerCredential, ServerHandshakes, ServerTls, TlsConfigError};

/// Connections that have finished their handshake and wait to be served.
const READY_QUEUE: usize = 64;

/// A listener for [`serve`](super::serve) or `axum::serve` whose connections are TLS, and whose peers are verified
/// agents.
#[derive(Debug)]
pub struct MtlsListener {
    ready: mpsc::Receiver<(TlsStream, SocketAddr)>,
    listener: Arc<TcpListener>,
    trust: ConnectionTrust,
    accepting: JoinHandle<()>,
}

impl MtlsListener {
    /// Listens with `listener`, and shows `identity`: a [`ServerIdentity`](super::ServerIdentity), or an
    /// [`IdentitySource`](agentauth_core::identity::svid::IdentitySource). Every client must show an SVID that `trust`
    /// verifies.
    ///
    /// # Errors
    /// [`TlsConfigError`] if a fixed `identity` cannot be used.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(
        listener: TcpListener,
        identity: impl Into<ServerCredential>,
        trust: AgentTrust,
    ) -> Result<Self, TlsConfigError> {
        Self::with_tls(listener, ServerTls::new(identity, trust))
    }

    /// As [`MtlsListener::new`], for clients with or without a certificate. One that is shown must still be good.
    /// A client without one is no agent by its connection: tokens that are bound to a certificate are refused.
    ///
    /// # Errors
    /// [`TlsConfigError`] if a fixed `identity` cannot be used.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn with_optional_clients(
        listener: TcpListener,
        identity: impl Into<ServerCredential>,
        trust: AgentTrust,
    ) -> Result<Self, TlsConfigError> {
        Self::with_tls(listener, ServerTls::new(identity, trust).optional_clients())
    }

    /// As [`MtlsListener::new`], with all that can be said of TLS.
    ///
    /// # Errors
    /// [`TlsConfigError`] if a fixed identity cannot be used.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn with_tls(listener: TcpListener, tls: ServerTls) -> Result<Self, TlsConfigError> {
        let handshakes = tls.handshakes()?;
        let listener = Arc::new(listener);
        let (sender, ready) = mpsc::channel(READY_QUEUE);
        let trust = ConnectionTrust(Arc::new(handshakes.clone()));
        let accepting = tokio::spawn(accept(Arc::clone(&listener), handshakes, sender));
        Ok(Self { ready, listener, trust, accepting })
    }
}

impl Drop for MtlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for MtlsListener {
    type Io = TlsStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TlsStream, SocketAddr) {
        match self.ready.recv().await {
            Some((mut stream, address)) => {
                stream.trust = Some(self.trust.clone());
                (stream, address)
            }
            // The accepting task only ends with the runtime.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A TLS connection, and the agent at its other end.
pub struct TlsStream {
    stream: Box<tokio_rustls::server::TlsStream<TcpStream>>,
    peer: Option<Arc<X509Svid>>,
    /// Set when the connection is handed out.
    pub(super) trust: Option<ConnectionTrust>,
}

/// By what the agent at the other end of a connection is checked again, as a request extension.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionTrust(pub(crate) Arc<ServerHandshakes>);

impl TlsStream {
    pub(super) fn new(stream: tokio_rustls::server::TlsStream<TcpStream>, peer: Option<Arc<X509Svid>>) -> Self {
        Self { stream: Box::new(stream), peer, trust: None }
    }

    /// The agent that the client's certificate proved, if it showed one.
    #[must_use]
    pub const fn peer(&self) -> Option<&Arc<X509Svid>> {
        self.peer.as_ref()
    }
}
impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
