use std::mem;
use std::task::{Context, Poll};

use agentauth_core::{ScopeError, ScopeSet};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::ResponseFuture;
use super::future::Gate;

/// Requires scopes of the caller of a route, before the body is read. [`AgentAuthLayer`](super::AgentAuthLayer) must
/// be further out; without it, every request is answered with 500.
///
/// A caller that lacks a scope is answered with 403 and one challenge that names all scopes the route needs.
#[derive(Debug, Clone)]
pub struct RequireScopesLayer {
    needed: ScopeSet,
}

impl RequireScopesLayer {
    /// Requires `scopes`, joined by spaces.
    ///
    /// # Errors
    /// [`ScopeError`] if they are malformed, or none is named.
    pub fn new(scopes: &str) -> Result<Self, ScopeError> {
        let needed: ScopeSet = scopes.parse()?;
        if needed.is_empty() { Err(ScopeError::Empty) } else { Ok(Self { needed }) }
    }
}

impl<S> Layer<S> for RequireScopesLayer {
    type Service = RequireScopesService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireScopesService { inner, needed: self.needed.clone() }
    }
}

/// The service that [`RequireScopesLayer`] makes.
#[derive(Debug, Clone)]
pub struct RequireScopesService<S> {
    inner: S,
    needed: ScopeSet,
}

impl<S, B, R> Service<Request<B>> for RequireScopesService<S>
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
        let gate = Gate::of_route(&request, |caller| caller.require_scopes(&self.needed));
        ResponseFuture::behind(gate, inner, request)
    }
}
