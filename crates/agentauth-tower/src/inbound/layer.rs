use std::mem;
use std::task::{Context, Poll};

use agentauth_core::{AgentAuth, Caller, Evidence};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::future::Gate;
use super::{ConnectionPeer, ResponseFuture};

/// Verifies the caller of every request. See the [module](crate::inbound).
#[derive(Debug, Clone)]
pub struct AgentAuthLayer {
    auth: AgentAuth,
    optional: bool,
}

impl AgentAuthLayer {
    /// Refuses every request whose caller is not verified by `auth`.
    #[must_use]
    pub const fn new(auth: AgentAuth) -> Self {
        Self { auth, optional: false }
    }

    /// Lets requests without any credentials pass, without a caller. Credentials that are shown must still be good.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

impl<S> Layer<S> for AgentAuthLayer {
    type Service = AgentAuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AgentAuthService { inner, auth: self.auth.clone(), optional: self.optional }
    }
}

/// The service that [`AgentAuthLayer`] makes.
#[derive(Debug, Clone)]
pub struct AgentAuthService<S> {
    inner: S,
    auth: AgentAuth,
    optional: bool,
}

impl<S, B, R> Service<Request<B>> for AgentAuthService<S>
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The clone has not been polled to readiness; the one that has been must serve this request.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);

        let peer = request.extensions().get::<ConnectionPeer>().map(|ConnectionPeer(svid)| svid.clone());
        let evidence = Evidence::from_http(request.headers(), request.uri()).with_peer(peer);
        request.extensions_mut().insert(self.auth.clone());
        // A caller that another engine verified, further out, is no caller here.
        request.extensions_mut().remove::<Caller>();
        if self.optional && evidence.is_empty() {
            return ResponseFuture::serving(inner.call(request));
        }
        ResponseFuture::behind(Gate::Caller { verification: self.auth.authenticate(evidence) }, inner, request)
    }
}
