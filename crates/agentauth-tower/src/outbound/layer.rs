use std::error::Error;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use agentauth_core::binding::dpop::DPOP;
use agentauth_core::delegation::{AGENT_DELEGATION, AnswerError, ExchangeRequest};
use agentauth_core::identity::forwarded::XFCC;
use agentauth_core::identity::forwarded::client_certificate::{CLIENT_CERT, CLIENT_CERT_CHAIN};
use agentauth_core::{Caller, ResourceId, ScopeSet, SubjectToken};
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Request, Uri};
use tower_layer::Layer;
use tower_service::Service;

use super::{OutboundError, TokenExchanger};

/// Attaches a delegation for exactly one audience to every request. See the [module](crate::outbound).
///
/// Each request exchanges anew, so a consent that was withdrawn is noticed at the next one.
#[derive(Debug, Clone)]
pub struct DelegationLayer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    exchanger: Arc<dyn TokenExchanger>,
    audience: ResourceId,
    scopes: ScopeSet,
    subject: Option<SubjectToken>,
}

impl DelegationLayer {
    /// Delegates `scopes`, and nothing else, to requests for `audience`.
    #[must_use]
    pub fn new(exchanger: impl TokenExchanger + 'static, audience: ResourceId, scopes: ScopeSet) -> Self {
        Self { shared: Arc::new(Shared { exchanger: Arc::new(exchanger), audience, scopes, subject: None }) }
    }

    /// Uses `subject` for requests that have no [`Caller`] among their extensions: a consent that this agent holds.
    #[must_use]
    pub fn subject(self, subject: SubjectToken) -> Self {
        let Shared { exchanger, audience, scopes, .. } = &*self.shared;
        let (exchanger, audience, scopes) = (Arc::clone(exchanger), audience.clone(), scopes.clone());
        Self { shared: Arc::new(Shared { exchanger, audience, scopes, subject: Some(subject) }) }
    }
}

impl<S> Layer<S> for DelegationLayer {
    type Service = DelegationService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DelegationService { inner, shared: Arc::clone(&self.shared) }
    }
}

/// The service that [`DelegationLayer`] makes.
#[derive(Debug, Clone)]
pub struct DelegationService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B> Service<Request<B>> for DelegationService<S>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, OutboundError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        self.inner.poll_ready(context).map_err(|error| OutboundError::Inner(error.into()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let shared = Arc::clone(&self.shared);
        let exchange = shared.exchange_for(&request);
        Box::pin(async move {
            let issued = shared.exchanger.exchange(&exchange?).await?;
            let mut value = HeaderValue::try_from(format!("Bearer {}", issued.token()))
                .map_err(|_| OutboundError::Answer(AnswerError::WrongKind))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
            // The client sets it from the URI, which has been checked; a copied one could name another server.
            request.headers_mut().remove(HOST);
            // Copied ones are for the inbound token: a proof is of no use to the next server, and it may believe us when
            // we say whose certificate we have seen (RFC 9440 §4).
            for name in [DPOP, AGENT_DELEGATION, CLIENT_CERT, CLIENT_CERT_CHAIN, XFCC] {
                request.headers_mut().remove(name);
            }
            request.extensions_mut().remove::<Caller>();
            inner.call(request).await.map_err(|error| OutboundError::Inner(error.into()))
        })
    }
}

impl Shared {
    fn exchange_for<B>(&self, request: &Request<B>) -> Result<ExchangeRequest, OutboundError> {
        if !is_for(request.uri(), &self.audience) {
            let (uri, audience) = (request.uri().clone(), self.audience.clone());
            return Err(OutboundError::WrongAudience { uri, audience });
        }
        if self.scopes.is_empty() {
            // Asking for no scope means asking for all of them (RFC 6749 §3.3).
            return Err(OutboundError::NoScopes);
        }
        let caller = request.extensions().get::<Caller>();
        let subject = caller.and_then(Caller::subject_token).or_else(|| self.subject.clone());
        let subject = subject.ok_or(OutboundError::NoSubject)?;
        Ok(ExchangeRequest::new(subject, self.audience.clone()).scopes(self.scopes.clone()))
    }
}

/// Whether a request to `uri` reaches `audience`: the same scheme and authority, byte for byte, and a path at or
/// below the audience's by whole segments.
fn is_for(uri: &Uri, audience: &ResourceId) -> bool {
    let Ok(base) = audience.as_str().parse::<Uri>() else { return false };
    let same_origin = uri.scheme() == base.scheme() && uri.authority() == base.authority();
    let base_path = base.path().trim_end_matches('/');
    let below = uri.path().strip_prefix(base_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    same_origin && below && !climbs(uri.path())
}

/// Whether some server might read `path` as one that leaves the path it begins with. Servers differ in what they
/// decode, how often, and where a segment ends for them; so nothing that matters there may be encoded at all.
fn climbs(path: &str) -> bool {
    let mut encoded =
        path.split('%').skip(1).map(|rest| rest.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()));
    let matters = |byte| byte < 0x20 || matches!(byte, b'%' | b'.' | b'/' | b';' | b'\\' | 0x7f | 0xc0 | 0xc1);
    let hidden = encoded.any(|byte| byte.is_none_or(matters));
    let dots = |segment: &str| matches!(segment.split(';').next(), Some(".." | "."));
    hidden || path.split(['/', '\\']).any(dots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delegation_goes_to_its_audience_only() {
        for (audience, uri, expected) in [
            ("https://a.example", "https://a.example/x?y", true),
            ("https://a.example", "https://a.example", true),
            ("https://a.example/mcp", "https://a.example/mcp/tools", true),
            ("https://a.example/mcp", "https://a.example/mcpx", false),
            ("https://a.example/mcp", "https://a.example/mcp/../admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/%2E%2e/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/x%2F..%2Fadmin", false),
            ("https://a.example/mcp", "https://a.example/mcp/..;x/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/%252e%252e/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/..%3b/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/..%00/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/%c0%ae%c0%ae/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/%zz", false),
            ("https://a.example/mcp", "https://a.example/mcp/a..b/caf%C3%A9%20x", true),
            ("https://a.example/mcp", "https://a.example/", false),
            ("https://a.example", "http://a.example/", false),
            ("https://a.example", "https://a.example.evil/", false),
            ("https://a.example", "https://a.example:8443/", false),
            ("https://a.example", "https://user@a.example/", false),
            ("https://a.example", "/x", false),
        ] {
            let audience = ResourceId::new(audience).unwrap();
            assert_eq!(is_for(&uri.parse().unwrap(), &audience), expected, "{uri} for {audience}");
        }
    }
}
