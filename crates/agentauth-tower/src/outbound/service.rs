use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use agentauth_core::delegation::outbound::OutboundError;
use agentauth_core::{Binding, Caller};
use http::{Request, Response};
use tower_service::Service;

use super::layer::Shared;

/// A request is sent once.
#[derive(Debug, Clone, Copy)]
pub struct Once;

/// A request whose proof wants another nonce is sent once more.
#[derive(Debug, Clone, Copy)]
pub struct OnceMore;

/// The service that a [`DelegationLayer`](super::DelegationLayer) makes.
pub struct DelegationService<S, R = Once> {
    inner: S,
    shared: Arc<Shared>,
    retries: PhantomData<R>,
}

type Sending<T> = Pin<Box<dyn Future<Output = Result<T, OutboundError>> + Send>>;

impl<S, R> DelegationService<S, R> {
    pub(super) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared, retries: PhantomData }
    }
}

impl<S, B, A> Service<Request<B>> for DelegationService<S, Once>
where
    S: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Send + 'static,
    A: Send + 'static,
{
    type Response = Response<A>;
    type Error = OutboundError;
    type Future = Sending<Response<A>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        self.inner.poll_ready(context).map_err(OutboundError::inner)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.send(request, |_| None)
    }
}

impl<S, B, A> Service<Request<B>> for DelegationService<S, OnceMore>
where
    S: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Clone + Send + 'static,
    A: Send + 'static,
{
    type Response = Response<A>;
    type Error = OutboundError;
    type Future = Sending<Response<A>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        self.inner.poll_ready(context).map_err(OutboundError::inner)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.send(request, |request| Some(request.clone()))
    }
}

impl<S, R> DelegationService<S, R> {
    /// Sends `request` with a delegation; and once more what `copy` has kept of it, if only a nonce was missing.
    fn send<B, A>(
        &mut self,
        mut request: Request<B>,
        copy: impl FnOnce(&Request<B>) -> Option<Request<B>> + Send + 'static,
    ) -> Sending<Response<A>>
    where
        S: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Send + 'static,
        A: Send + 'static,
    {
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let shared = Arc::clone(&self.shared);
        let caller = shared.caller_of(&request);
        Box::pin(async move {
            let caller = caller?;
            let token = shared.delegate(caller.as_ref()).await?;
            request.extensions_mut().remove::<Caller>();
            if let Some(trace) = caller.as_ref().and_then(Caller::onward_trace) {
                trace.write_to(request.headers_mut());
            }
            token.authorize(&mut request)?;
            let uri = request.uri().clone();
            let again = if token.binding() == Binding::Dpop { copy(&request) } else { None };
            let answer = inner.call(request).await.map_err(OutboundError::inner)?;
            let wants_nonce = token.heed_nonce(&uri, answer.status(), answer.headers());
            let Some(mut request) = again.filter(|_| wants_nonce) else { return Ok(answer) };
            token.authorize(&mut request)?;
            poll_fn(|context| inner.poll_ready(context)).await.map_err(OutboundError::inner)?;
            let answer = inner.call(request).await.map_err(OutboundError::inner)?;
            token.heed_nonce(&uri, answer.status(), answer.headers());
            Ok(answer)
        })
    }
}

impl<S: Clone, R> Clone for DelegationService<S, R> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), Arc::clone(&self.shared))
    }
}

impl<S: fmt::Debug, R> fmt::Debug for DelegationService<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelegationService").field("inner", &self.inner).field("shared", &self.shared).finish()
    }
}
