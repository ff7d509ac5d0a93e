use std::mem;
use std::task::{Context, Poll};

use agentauth_core::Caller;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::ResponseFuture;
use super::future::Gate;

/// Requires of the caller of a route that its token is bound to its key, by DPoP or mutual TLS: a stolen token is then
/// of no use there. [`AgentAuthLayer`](super::AgentAuthLayer) must be further out; without it, every request is answered
/// with 500.
///
/// A caller with a bearer token is answered with 401 and, where the server takes DPoP, a challenge for it.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RequireBindingLayer;

impl RequireBindingLayer {
    /// Requires a bound token.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for RequireBindingLayer {
    type Service = RequireBindingService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireBindingService { inner }
    }
}

/// The service that [`RequireBindingLayer`] makes.
#[derive(Debug, Clone)]
pub struct RequireBindingService<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for RequireBindingService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let gate = Gate::of_route(&request, Caller::require_binding);
        ResponseFuture::behind(gate, inner, request)
    }
}
