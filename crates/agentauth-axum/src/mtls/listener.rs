use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use agentauth_core::identity::svid::X509Svid;
use agentauth_core::{AgentTrust, Clock};
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::config::{ClientCertificate, ServerIdentity, TlsConfigError, server_config, system_clock};

/// A peer that has not finished its handshake by then does not want to.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes under way at once: about 40 KiB each, and each costs a signature.
const MAX_HANDSHAKES: usize = 1024;

/// Connections that have finished their handshake and wait to be served.
const READY_QUEUE: usize = 64;

/// How long to wait after the operating system has refused a connection, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener for [`serve`](super::serve) or `axum::serve` whose connections are TLS, and whose peers are verified
/// agents.
#[derive(Debug)]
pub struct MtlsListener {
    ready: mpsc::Receiver<(TlsStream, SocketAddr)>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl MtlsListener {
    /// Listens with `listener`; every client must show an SVID that `trust` verifies.
    ///
    /// # Errors
    /// [`TlsConfigError`] if `identity` cannot be used.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(listener: TcpListener, identity: ServerIdentity, trust: AgentTrust) -> Result<Self, TlsConfigError> {
        Self::start(listener, identity, trust, ClientCertificate::Required)
    }

    /// As [`MtlsListener::new`], for clients with or without a certificate. One that is shown must still be good.
    /// A client without one is no agent by its connection: tokens that are bound to a certificate are refused.
    ///
    /// # Errors
    /// [`TlsConfigError`] if `identity` cannot be used.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn with_optional_clients(
        listener: TcpListener,
        identity: ServerIdentity,
        trust: AgentTrust,
    ) -> Result<Self, TlsConfigError> {
        Self::start(listener, identity, trust, ClientCertificate::Optional)
    }

    fn start(
        listener: TcpListener,
        identity: ServerIdentity,
        trust: AgentTrust,
        client: ClientCertificate,
    ) -> Result<Self, TlsConfigError> {
        let address = listener.local_addr().map_err(|error| rustls::Error::General(error.to_string()))?;
        let config = server_config(identity, trust.clone(), client)?;
        let (sender, ready) = mpsc::channel(READY_QUEUE);
        let handshakes = Handshakes {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            trust,
            clock: system_clock(),
            limit: Arc::new(Semaphore::new(MAX_HANDSHAKES)),
            ready: sender,
        };
        Ok(Self { ready, address, accepting: tokio::spawn(handshakes.accept_from(listener)) })
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
            Some(connection) => connection,
            // The accepting task only ends with the runtime.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

#[derive(Clone)]
struct Handshakes {
    acceptor: TlsAcceptor,
    trust: AgentTrust,
    clock: Arc<dyn Clock>,
    limit: Arc<Semaphore>,
    ready: mpsc::Sender<(TlsStream, SocketAddr)>,
}

impl Handshakes {
    async fn accept_from(self, listener: TcpListener) {
        // The semaphore is never closed, so a permit always comes.
        while let Ok(permit) = Arc::clone(&self.limit).acquire_owned().await {
            let (stream, address) = match listener.accept().await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let handshakes = self.clone();
            tokio::spawn(async move {
                let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshakes.shake(stream)).await;
                match shaken {
                    // If the server is gone, so is the need for this connection.
                    Ok(Ok(stream)) => _ = handshakes.ready.send((stream, address)).await,
                    Ok(Err(error)) => tracing::debug!(%error, %address, "a TLS handshake failed"),
                    Err(_) => tracing::debug!(%address, "a TLS handshake took longer than 10 s"),
                }
                // Held until the server has taken the connection: what waits to be served is bounded too.
                drop(permit);
            });
        }
    }

    async fn shake(&self, stream: TcpStream) -> io::Result<TlsStream> {
        stream.set_nodelay(true)?;
        let stream = self.acceptor.accept(stream).await?;
        let peer = match stream.get_ref().1.peer_certificates() {
            None => None,
            Some(chain) => {
                // The handshake has verified the chain; this names the agent, once for the whole connection.
                let svid = self.trust.verify(chain, self.clock.now());
                Some(Arc::new(svid.map_err(io::Error::other)?))
            }
        };
        Ok(TlsStream { stream: Box::new(stream), peer })
    }
}

/// A TLS connection, and the agent at its other end.
pub struct TlsStream {
    stream: Box<tokio_rustls::server::TlsStream<TcpStream>>,
    peer: Option<Arc<X509Svid>>,
}

impl TlsStream {
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
