use std::sync::Arc;

use agentauth_core::delegation::{ExchangeRequest, IssuedToken};
use agentauth_core::{Clock, SystemClock};
use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;

use super::{FetchError, HttpsClient, MAX_ANSWER_BYTES};
use crate::outbound::{OutboundError, TokenExchanger};

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
