//! From a URL to a connection: the name is resolved once, every address is checked, and one that was checked is dialled.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::TIMEOUT;
use super::guard::{Guard, Host, Refused, Target};

/// A host that is up answers sooner; one that is not leaves time for the next address.
const DIAL_TIMEOUT: Duration = Duration::from_secs(3);

/// More addresses would not be reached within the time that a request has.
const MAX_DIALS: usize = 4;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Finds the addresses of a host. Asked once for each connection; the answer is checked, then used as it is.
#[async_trait]
pub trait Resolver: Send + Sync + fmt::Debug {
    /// The addresses of `host`, a DNS name, in the order in which they are to be tried.
    ///
    /// # Errors
    /// Whatever keeps them from being found.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Opens TCP connections. It is given addresses that have been checked, and must connect to no other.
#[async_trait]
pub trait Dialer: Send + Sync + fmt::Debug {
    /// A connection to `address`.
    ///
    /// # Errors
    /// Whatever keeps it from being opened.
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// The resolver of the operating system.
#[derive(Debug)]
pub(super) struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Straight to the address.
#[derive(Debug)]
pub(super) struct DirectDialer;

#[async_trait]
impl Dialer for DirectDialer {
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        tokio::net::TcpStream::connect(address).await?.into_std()
    }
}

/// Connects to what the guard lets through. TLS, above it, checks the name.
#[derive(Clone)]
pub(super) struct GuardedConnector {
    pub(super) guard: Arc<Guard>,
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) dialer: Arc<dyn Dialer>,
}

impl GuardedConnector {
    async fn connect(&self, uri: &Uri) -> Result<TokioIo<tokio::net::TcpStream>, BoxError> {
        let Target { is_plain, host, port } = self.guard.check_url(uri)?;
        let addresses = match host {
            Host::Address(address) => vec![address],
            Host::Name(name) => self.resolver.resolve(name).await?,
        };
        self.guard.check_addresses(&addresses, is_plain)?;
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses.into_iter().take(MAX_DIALS) {
            match self.dial(SocketAddr::new(address, port)).await {
                Ok(stream) => return Ok(TokioIo::new(stream)),
                Err(error) => failure = error,
            }
        }
        Err(failure.into())
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<tokio::net::TcpStream> {
        let dialled = tokio::time::timeout(DIAL_TIMEOUT, self.dialer.dial(address)).await;
        let stream = dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        tokio::net::TcpStream::from_std(stream)
    }
}

impl Service<Uri> for GuardedConnector {
    type Response = TokioIo<tokio::net::TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await })
    }
}

/// Bounds the time until a connection is ready, handshake included: a connection can be made for a request that has
/// found another one meanwhile, and nobody waits for it then.
#[derive(Clone)]
pub(super) struct Bounded(pub(super) HttpsConnector<GuardedConnector>);

impl Service<Uri> for Bounded {
    type Response = MaybeHttpsStream<TokioIo<tokio::net::TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(TIMEOUT, self.0.call(uri));
        Box::pin(async move { connecting.await.unwrap_or_else(|late| Err(late.into())) })
    }
}

/// The guard's refusal among the causes of `error`, if it is one.
pub(super) fn refusal<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Refused> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}
