//! One question on the wire, and which answers are one.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use agentauth_core::Excerpt;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tower_service::Service;
use tracing::Instrument as _;

use super::{AuthzenEngine, MAX_QUESTIONS};
use crate::client::introspection::content_type;

const JSON: &str = "application/json";

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How this server proves itself to the decision point.
#[derive(Clone)]
pub(super) enum Token {
    /// By its certificate, or not at all.
    None,
    Fixed(Box<str>),
    From(Arc<dyn Fn() -> Result<String, String> + Send + Sync>),
}

/// Why there is no answer, for the operator.
pub(super) struct Unanswered(String);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn unanswered(why: impl fmt::Display) -> Unanswered {
    Unanswered(why.to_string())
}

impl<C> AuthzenEngine<C>
where
    C: Service<Request<Full<Bytes>>, Response = Response<Bytes>> + Clone,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Posts `body`, and has an answer of at most `most` bytes that claims to be one.
    pub(super) async fn ask(&self, endpoint: &Uri, body: String, most: usize) -> Result<Bytes, Unanswered> {
        let full = || unanswered(format_args!("{MAX_QUESTIONS} questions are open already"));
        let _open = self.open.try_acquire().map_err(|_| full())?;
        let id = self.request_id()?;
        let request = self.request(endpoint, body, &id)?;
        let mut client = self.client.clone();
        let exchange = async {
            poll_fn(|context| client.poll_ready(context)).await?;
            client.call(request).await
        };
        let exchange = exchange.instrument(tracing::debug_span!("agentauth.authorize", pdp = %self.identifier));
        let answer = tokio::time::timeout(self.timeout, exchange)
            .await
            .map_err(|_| unanswered(format_args!("`{endpoint}` did not answer within {:?}", self.timeout)))?
            .map_err(|error: C::Error| unanswered(error.into()))?;
        check(&answer, endpoint, &id, most)?;
        Ok(answer.into_body())
    }

    fn request(&self, endpoint: &Uri, body: String, id: &HeaderValue) -> Result<Request<Full<Bytes>>, Unanswered> {
        let mut post = Request::new(Full::from(body));
        *post.method_mut() = Method::POST;
        post.uri_mut().clone_from(endpoint);
        let headers = post.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(ACCEPT, HeaderValue::from_static(JSON));
        headers.insert(X_REQUEST_ID, id.clone());
        let bearer = match &self.token {
            Token::None => None,
            Token::Fixed(token) => Some(format!("Bearer {token}")),
            Token::From(source) => {
                let token = source().map_err(|why| unanswered(format_args!("there is no token to ask with: {why}")))?;
                Some(format!("Bearer {}", token.trim()))
            }
        };
        if let Some(bearer) = bearer {
            let malformed = |_| unanswered("the token to ask with cannot stand in a header");
            let mut bearer = HeaderValue::try_from(bearer).map_err(malformed)?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok(post)
    }

    /// 128 random bits.
    fn request_id(&self) -> Result<HeaderValue, Unanswered> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes).map_err(unanswered)?;
        HeaderValue::try_from(format!("{:032x}", u128::from_be_bytes(bytes))).map_err(unanswered)
    }
}

/// Whether `answer` is one, to the request `id` (§10.1, §10.1.3).
fn check(answer: &Response<Bytes>, endpoint: &Uri, id: &HeaderValue, most: usize) -> Result<(), Unanswered> {
    if answer.status() != StatusCode::OK {
        return Err(unanswered(format_args!("`{endpoint}` answered with status {}", answer.status())));
    }
    let found = content_type(answer);
    if found != JSON {
        let found = Excerpt::of(&found);
        return Err(unanswered(format_args!("`{endpoint}` answered with the type `{found}`, not {JSON}")));
    }
    if answer.headers().get_all(X_REQUEST_ID).iter().any(|other| other != id) {
        return Err(unanswered(format_args!("`{endpoint}` answered another request")));
    }
    if answer.body().len() > most {
        return Err(unanswered(format_args!("`{endpoint}` answered with more than {most} bytes")));
    }
    Ok(())
}
