//! A token endpoint, and this client at it: who it is, and which key it has tokens bound to.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;

use agentauth_core::binding::dpop::{DPOP, DpopKey};
use agentauth_core::delegation::AnswerError;
use agentauth_core::delegation::outbound::{ClientAuth, Holder, OutboundError};
use agentauth_core::identity::svid::IdentitySource;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tower_service::Service;

use super::FetchError;

#[derive(Debug, Clone)]
pub(super) struct TokenEndpoint<C> {
    pub(super) client: C,
    pub(super) uri: Uri,
    pub(super) auth: ClientAuth,
    pub(super) held: Held,
}

/// What this client holds tokens by.
#[derive(Debug, Clone)]
pub(super) enum Held {
    Unknown,
    Certificate(Arc<dyn IdentitySource>),
    Dpop(Arc<DpopKey>),
}

/// What a token endpoint has answered.
pub(super) struct Answered {
    uri: Uri,
    status: StatusCode,
    body: Bytes,
}

impl Answered {
    /// Reads the body. Tokens come with 200 (RFC 6749 §5.1); errors with any status, and are read by their body.
    pub(super) fn read<T>(&self, read: impl FnOnce(&[u8]) -> Result<T, AnswerError>) -> Result<T, OutboundError> {
        let issued = read(&self.body)?;
        match self.status {
            StatusCode::OK => Ok(issued),
            status => Err(OutboundError::unreachable(FetchError::Status { uri: self.uri.clone(), status })),
        }
    }

    /// Whether the request was refused only for want of a nonce in its proof (RFC 9449 §8).
    fn wants_nonce(&self) -> bool {
        let error = agentauth_core::delegation::outbound::refusal_in(&self.body);
        self.status.is_client_error() && error.as_deref() == Some("use_dpop_nonce")
    }
}

impl<C> TokenEndpoint<C> {
    pub(super) fn holder(&self) -> Result<Holder, OutboundError> {
        match &self.held {
            Held::Unknown => Ok(Holder::Unknown),
            Held::Certificate(identity) => Holder::of(&**identity),
            Held::Dpop(key) => Ok(Holder::Dpop(Arc::clone(key))),
        }
    }
}

impl<C> TokenEndpoint<C>
where
    C: Service<Request<Full<Bytes>>, Response = Response<Bytes>> + Clone,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Posts `form`; and once more, if the endpoint wants a nonce that it has just given.
    pub(super) async fn ask(&self, form: &str) -> Result<Answered, OutboundError> {
        let (answered, has_new_nonce) = self.post(form).await?;
        if has_new_nonce && answered.wants_nonce() { Ok(self.post(form).await?.0) } else { Ok(answered) }
    }

    async fn post(&self, form: &str) -> Result<(Answered, bool), OutboundError> {
        let mut form = form.to_owned();
        let mut post = Request::new(Full::default());
        *post.method_mut() = Method::POST;
        post.uri_mut().clone_from(&self.uri);
        let headers = post.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Held::Dpop(key) = &self.held {
            headers.insert(DPOP, key.prove(&Method::POST, &self.uri, None)?);
        }
        self.auth.authenticate(&mut form, headers).await?;
        *post.body_mut() = Full::from(form);
        let mut client = self.client.clone();
        poll_fn(|context| client.poll_ready(context)).await.map_err(OutboundError::unreachable)?;
        let response = client.call(post).await.map_err(OutboundError::unreachable)?;
        let has_new_nonce = match &self.held {
            Held::Dpop(key) => key.keep_nonce(&self.uri, response.headers()),
            _ => false,
        };
        let status = response.status();
        Ok((Answered { uri: self.uri.clone(), status, body: response.into_body() }, has_new_nonce))
    }
}
