//! Calls from agent to agent: HTTP over mutual TLS, on connections that follow the identity of this side and the bundles.
//! Needs the feature `client`.
//!
//! ```no_run
//! use std::sync::Arc;
//! use agentauth_core::SpiffeId;
//! use agentauth_core::identity::svid::{BundleSource, IdentitySource};
//! use agentauth_spiffe::client::SvidClient;
//! use agentauth_spiffe::tls::Servers;
//!
//! # async fn call<S: IdentitySource + BundleSource + 'static>(source: Arc<S>, clerk: SpiffeId) -> Result<(), Box<dyn std::error::Error>> {
//! let client = SvidClient::builder(source.clone(), source, Servers::exactly(clerk)).allow_network("10.0.0.0/8").build()?;
//! let answer = client.send(http::Request::get("https://clerk.internal/records").body(Default::default())?, 64 * 1024).await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod connections;
mod error;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use agentauth_core::identity::svid::{BundleSource, IdentitySource};
use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::Full;
use tower_service::Service;

use crate::tls::{ClientTls, Servers};

pub use builder::SvidClientBuilder;
pub use error::SvidClientError;

use connections::Connections;

/// An HTTP client that shows this workload's identity, and is answered by the workloads that it expects.
///
/// It is an [`HttpsClient`](agentauth_tower::client::HttpsClient), with all its bounds, and can stand where one does: under
/// a [`DelegationLayer`](agentauth_tower::DelegationLayer), or in an
/// [`HttpExchanger`](agentauth_tower::client::HttpExchanger). In addition, a connection is used again only as long as what
/// it was made with holds: the identity of this side and the bundles are the same, and the certificates of the servers are
/// good. Otherwise new connections are made; requests that are under way are finished. Without an identity that is good
/// now, nothing is sent.
///
/// A client knows the servers that it may call, and not which of them is at which address: where that matters, have a
/// client for each.
#[derive(Clone)]
pub struct SvidClient {
    connections: Arc<Connections>,
}

impl SvidClient {
    /// Begins a client that shows `identity`, and calls `servers` whose SVID is good under `bundles`.
    pub fn builder(
        identity: impl IdentitySource + 'static,
        bundles: impl BundleSource + 'static,
        servers: Servers,
    ) -> SvidClientBuilder {
        SvidClientBuilder::new(ClientTls::new(identity, bundles, servers))
    }

    /// Sends a request, and reads at most `limit` bytes of the answer.
    ///
    /// # Errors
    /// [`SvidClientError`].
    pub async fn send(&self, request: Request<Full<Bytes>>, limit: usize) -> Result<Response<Bytes>, SvidClientError> {
        check_scheme(request.uri())?;
        let https = self.connections.https()?;
        https.send(request, limit).await.map_err(SvidClientError::of_fetch)
    }
}

impl Service<Request<Full<Bytes>>> for SvidClient {
    type Response = Response<Bytes>;
    type Error = SvidClientError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, SvidClientError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SvidClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let client = self.clone();
        Box::pin(async move {
            check_scheme(request.uri())?;
            let mut https = client.connections.https()?;
            https.call(request).await.map_err(SvidClientError::of_fetch)
        })
    }
}

/// What is allowed on loopback, plain HTTP too, proves nothing of anybody.
fn check_scheme(uri: &Uri) -> Result<(), SvidClientError> {
    if uri.scheme() == Some(&Scheme::HTTPS) { Ok(()) } else { Err(SvidClientError::NotHttps) }
}

impl fmt::Debug for SvidClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SvidClient").field(&self.connections).finish()
    }
}
