//! An HTTPS client for token services and key documents: bounded in time and size, without redirects or cookies.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use agentauth_core::delegation::{ExchangeRequest, IssuedToken};
use agentauth_core::jose::{KeyError, KeySet, MAX_JWKS_BYTES};
use agentauth_core::{Clock, SystemClock};
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tower_service::Service;

use crate::outbound::{OutboundError, TokenExchanger};

/// A token service that takes longer is as good as absent.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes: what an API answers an agent with, and far more than a token needs.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// An HTTPS client. Plain HTTP is refused, except to loopback addresses.
#[derive(Clone)]
pub struct HttpsClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// Why a document or an answer could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Not an absolute `https` URL, nor an `http` URL of a loopback address.
    #[error("`{0}` is refused: an https URL is needed (http only for 127.0.0.1, [::1] and localhost)")]
    Url(String),
    /// The server's certificates could not be loaded from the platform.
    #[error("the platform's root certificates cannot be loaded: {0}")]
    Roots(#[source] std::io::Error),
    /// The connection or the transfer failed.
    #[error("`{uri}` could not be fetched: {source}")]
    Transfer {
        /// What was fetched.
        uri: Uri,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took longer than 10 s.
    #[error("`{0}` did not answer within 10 s")]
    Timeout(Uri),
    /// Another status than 200. Redirects are not followed: they could lead anywhere.
    #[error("`{uri}` answered with status {status}")]
    Status {
        /// What was fetched.
        uri: Uri,
        /// The answer.
        status: StatusCode,
    },
    /// The key document cannot be used.
    #[error("the keys at `{uri}` cannot be used: {source}")]
    Keys {
        /// What was fetched.
        uri: Uri,
        /// What is wrong with it.
        source: KeyError,
    },
}

impl HttpsClient {
    /// A client with this TLS configuration: its roots, and its own certificate if it has one.
    #[must_use]
    pub fn new(tls: ClientConfig) -> Self {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        Self { client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// A client that trusts the platform's root certificates.
    ///
    /// # Errors
    /// [`FetchError::Roots`].
    pub fn with_platform_roots() -> Result<Self, FetchError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(FetchError::Roots)?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Sends a request, and reads at most `limit` bytes of the answer.
    ///
    /// # Errors
    /// [`FetchError::Url`], [`FetchError::Transfer`], [`FetchError::Timeout`].
    pub async fn send(&self, request: Request<Full<Bytes>>, limit: usize) -> Result<Response<Bytes>, FetchError> {
        let uri = request.uri().clone();
        if !is_allowed(&uri) {
            return Err(FetchError::Url(uri.to_string()));
        }
        let failed = |source| FetchError::Transfer { uri: uri.clone(), source };
        let exchange = async {
            let (head, body) = self.client.request(request).await.map_err(|error| failed(error.into()))?.into_parts();
            let body = Limited::new(body, limit).collect().await.map_err(failed)?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or_else(|_| Err(FetchError::Timeout(uri.clone())))
    }

    /// Fetches a JWKS document, once.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch_keys(&self, url: &str) -> Result<KeySet, FetchError> {
        let uri: Uri = url.parse().map_err(|_| FetchError::Url(url.to_owned()))?;
        let mut request = Request::new(Full::default());
        request.uri_mut().clone_from(&uri);
        request.headers_mut().insert(ACCEPT, http::HeaderValue::from_static("application/json"));
        let response = self.send(request, MAX_JWKS_BYTES).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status { uri, status: response.status() });
        }
        KeySet::from_jwks(response.body()).map_err(|source| FetchError::Keys { uri, source })
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

fn is_allowed(uri: &Uri) -> bool {
    match uri.scheme_str() {
        Some("https") => uri.host().is_some(),
        Some("http") => matches!(uri.host(), Some("127.0.0.1" | "[::1]" | "localhost")),
        _ => false,
    }
}

/// A token service elsewhere. The client authenticates by the certificate of its TLS configuration (RFC 8705 §2).
#[derive(Debug, Clone)]
pub struct HttpExchanger {
    client: HttpsClient,
    endpoint: Uri,
    clock: Arc<dyn Clock>,
}

impl HttpExchanger {
    /// Exchanges at the token endpoint `endpoint`.
    #[must_use]
    pub fn new(client: HttpsClient, endpoint: Uri) -> Self {
        Self { client, endpoint, clock: Arc::new(SystemClock) }
    }
}

#[async_trait]
impl TokenExchanger for HttpExchanger {
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError> {
        let mut post = Request::new(Full::from(request.to_form()));
        *post.method_mut() = Method::POST;
        post.uri_mut().clone_from(&self.endpoint);
        let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
        post.headers_mut().insert(CONTENT_TYPE, form);
        let response = self.client.send(post, MAX_ANSWER_BYTES).await;
        let response = response.map_err(|error| OutboundError::Unreachable(error.into()))?;
        let issued = request.read_answer(response.body(), self.clock.now())?;
        // RFC 8693 §2.2.1: tokens come with 200. Errors come with any status, and are read by their body.
        match response.status() {
            StatusCode::OK => Ok(issued),
            status => Err(OutboundError::Unreachable(FetchError::Status { uri: self.endpoint.clone(), status }.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for (uri, allowed) in [
            ("https://a.example/jwks", true),
            ("http://127.0.0.1:8080/jwks", true),
            ("http://[::1]:8080/jwks", true),
            ("http://localhost/jwks", true),
            ("http://a.example/jwks", false),
            ("http://127.0.0.1.evil/jwks", false),
            ("ftp://127.0.0.1/jwks", false),
            ("/jwks", false),
        ] {
            assert_eq!(is_allowed(&uri.parse().unwrap()), allowed, "{uri}");
        }
    }
}
