//! An HTTPS client for token services, introspection, status lists and key documents: bounded in time and size, without redirects or
//! cookies, and closed to everything but the public Internet.
//!
//! Where a URL leads is often said by someone else: a metadata document names the key document, and the owner of a name
//! its addresses. So each connection is guarded (RFC 9728 §7.7, RFC 8725bis §3.10):
//!
//! 1. Only `https`. Plain `http` is for loopback addresses, where they are allowed.
//! 2. The host is a DNS name; a literal address counts only inside a network that is allowed.
//! 3. The name is resolved once, and *every* address it has must be public or allowed: no loopback, private, link-local,
//!    shared, multicast, documentation or reserved address, in no form, and no metadata service of a cloud.
//! 4. The connection is made to an address that was checked, while TLS checks the name: a name that leads elsewhere the
//!    next time leads nowhere.
//!
//! ```
//! use agentauth_tower::client::HttpsClient;
//!
//! # fn main() -> Result<(), agentauth_tower::client::FetchError> {
//! // The issuer runs in this company's own network.
//! let client = HttpsClient::builder().allow_network("10.20.0.0/16").build()?;
//! # Ok(())
//! # }
//! ```

mod address;
mod authzen;
mod builder;
mod connect;
mod document;
mod error;
mod exchange;
mod guard;
mod id_jag;
mod introspection;
mod status;
mod token_endpoint;
#[cfg(feature = "witness")]
mod witness;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use agentauth_core::jose::KeySet;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use rustls::ClientConfig;
use tower_service::Service;

pub use authzen::{AuthzenEngine, AuthzenEngineError};
pub use builder::HttpsClientBuilder;
pub use connect::{Dialer, Resolver};
pub(crate) use document::expect_json;
pub use error::FetchError;
pub(crate) use error::without_user;
pub use exchange::HttpExchanger;
pub use id_jag::IdJagExchanger;
pub use introspection::HttpIntrospector;
pub use status::HttpStatusLists;
#[cfg(feature = "witness")]
pub use witness::{HttpWitness, WitnessError};

use connect::{Bounded, refusal};
use guard::Guard;

/// A token service that takes longer is as good as absent.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes: what an API answers an agent with, and far more than a token needs.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// An HTTPS client. It reaches the public Internet only, unless [`HttpsClient::builder`] is told more.
#[derive(Clone)]
pub struct HttpsClient {
    client: Client<Bounded, Full<Bytes>>,
    guard: Arc<Guard>,
}

impl HttpsClient {
    /// Begins a client: with the platform's root certificates, and for the public Internet only.
    pub fn builder() -> HttpsClientBuilder {
        HttpsClientBuilder::new()
    }

    /// A client with this TLS configuration: its roots, and its own certificate if it has one. It offers HTTP/1.1,
    /// whatever `tls` says of protocols.
    #[must_use]
    pub fn new(tls: ClientConfig) -> Self {
        Self::builder().with_tls(tls)
    }

    /// A client that trusts the platform's root certificates.
    ///
    /// # Errors
    /// [`FetchError::Roots`].
    pub fn with_platform_roots() -> Result<Self, FetchError> {
        Self::builder().build()
    }

    /// Sends a request, and reads at most `limit` bytes of the answer.
    ///
    /// # Errors
    /// [`FetchError::Url`], [`FetchError::Host`], [`FetchError::Address`], [`FetchError::Transfer`],
    /// [`FetchError::Timeout`], [`FetchError::Oversize`].
    pub async fn send(&self, request: Request<Full<Bytes>>, limit: usize) -> Result<Response<Bytes>, FetchError> {
        let uri = request.uri().clone();
        self.check(&uri)?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| match refusal(&error) {
                Some(refused) => FetchError::refused(&uri, refused),
                None => FetchError::Transfer { uri: uri.clone(), source: error.into() },
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, limit).collect().await.map_err(|source| {
                if source.is::<LengthLimitError>() {
                    FetchError::Oversize { uri: uri.clone(), limit }
                } else {
                    FetchError::Transfer { uri: uri.clone(), source }
                }
            })?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or_else(|_| Err(FetchError::Timeout(uri.clone())))
    }

    /// Fetches a JWKS document, once. For keys that are kept up to date: [`LiveKeys`](crate::keys::LiveKeys).
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch_keys(&self, url: &str) -> Result<KeySet, FetchError> {
        let uri: Uri = url.parse().map_err(|_| FetchError::Url(without_user(url)))?;
        let response = self.get(&uri, None).await?;
        expect_json(&uri, &response)?;
        KeySet::from_jwks(response.body()).map_err(|source| FetchError::Keys { uri, source })
    }

    /// What can be said about a URL before its name is resolved.
    pub(crate) fn check(&self, uri: &Uri) -> Result<(), FetchError> {
        self.guard.check_url(uri).map(drop).map_err(|refused| FetchError::refused(uri, &refused))
    }
}

impl Service<Request<Full<Bytes>>> for HttpsClient {
    type Response = Response<Bytes>;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, FetchError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let client = self.clone();
        Box::pin(async move { client.send(request, MAX_ANSWER_BYTES).await })
    }
}

impl fmt::Debug for HttpsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsClient").finish_non_exhaustive()
    }
}
