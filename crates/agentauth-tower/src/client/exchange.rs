use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use agentauth_core::delegation::{ExchangeRequest, IssuedToken};
use agentauth_core::{Clock, SystemClock};
use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tower_service::Service;

use super::{FetchError, HttpsClient};
use crate::outbound::{OutboundError, TokenExchanger};

/// A token service elsewhere. The client authenticates by the certificate of its TLS configuration (RFC 8705 §2).
#[derive(Debug, Clone)]
pub struct HttpExchanger<C = HttpsClient> {
    client: C,
    endpoint: Uri,
    clock: Arc<dyn Clock>,
}

impl<C> HttpExchanger<C> {
    /// Exchanges at the token endpoint `endpoint`, by an [`HttpsClient`] or what else answers requests as it does: whole,
    /// bounded in size and in time.
    #[must_use]
    pub fn new(client: C, endpoint: Uri) -> Self {
        Self { client, endpoint, clock: Arc::new(SystemClock) }
    }
}

#[async_trait]
impl<C> TokenExchanger for HttpExchanger<C>
where
    C: Service<Request<Full<Bytes>>, Response = Response<Bytes>> + Clone + fmt::Debug + Send + Sync + 'static,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    C::Future: Send,
{
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError> {
        let mut post = Request::new(Full::from(request.to_form()));
        *post.method_mut() = Method::POST;
        post.uri_mut().clone_from(&self.endpoint);
        let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
        post.headers_mut().insert(CONTENT_TYPE, form);
        let mut client = self.client.clone();
        let unreachable = |error: C::Error| OutboundError::Unreachable(error.into());
        poll_fn(|context| client.poll_ready(context)).await.map_err(unreachable)?;
        let response = client.call(post).await.map_err(unreachable)?;
        let issued = request.read_answer(response.body(), self.clock.now())?;
        // RFC 8693 §2.2.1: tokens come with 200. Errors come with any status, and are read by their body.
        match response.status() {
            StatusCode::OK => Ok(issued),
            status => Err(OutboundError::Unreachable(FetchError::Status { uri: self.endpoint.clone(), status }.into())),
        }
    }
}
