use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use agentauth_core::binding::dpop::DPOP_NONCE;
use agentauth_core::{AgentAuth, Authentication, Caller, Evidence, Recorded, TraceContext};
use http::{HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::response::{misconfigured, refuse};

/// What must be answered, and on record, before a request may pass.
pub(super) enum Gate {
    /// Who is calling? The answer goes into the request.
    Caller { verification: Authentication },
    /// May the caller enter the route?
    Route { check: Recorded<()> },
    /// Nobody is calling: the refusal of that, on its way into the record.
    Nobody { refusal: Authentication },
    /// The layer that verifies callers is missing.
    Misconfigured,
}

impl Gate {
    /// The gate of a route whose callers must pass `check`.
    pub(super) fn of_route<B>(request: &Request<B>, check: impl FnOnce(&Caller) -> Recorded<()>) -> Self {
        let nobody = || Evidence::none().with_trace(TraceContext::from_headers(request.headers()));
        match (request.extensions().get::<Caller>(), request.extensions().get::<AgentAuth>()) {
            (Some(caller), _) => Self::Route { check: check(caller) },
            (None, Some(auth)) => Self::Nobody { refusal: auth.authenticate(nobody()) },
            (None, None) => Self::Misconfigured,
        }
    }

    /// The caller to put into the request, if it is this gate that found out; or the answer to give instead.
    fn poll<R: From<String>>(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Caller>, Response<R>>> {
        Poll::Ready(match self {
            Self::Caller { verification } => ready!(Pin::new(verification).poll(context)).map(Some).map_err(refuse),
            Self::Route { check } => ready!(Pin::new(check).poll(context)).map(|()| None).map_err(refuse),
            Self::Nobody { refusal } => match ready!(Pin::new(refusal).poll(context)) {
                Err(rejection) => Err(refuse(rejection)),
                Ok(_) => Err(misconfigured()),
            },
            Self::Misconfigured => Err(misconfigured()),
        })
    }
}

pin_project! {
    /// The answer of a guarded service: a refusal, or the inner service's.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, F> {
        Waiting { gate: Gate, request: Option<(S, Request<B>)> },
        Serving { #[pin] future: F, nonce: Option<HeaderValue> },
    }
}

impl<S: Service<Request<B>>, B> ResponseFuture<S, B> {
    pub(super) const fn behind(gate: Gate, inner: S, request: Request<B>) -> Self {
        Self { state: State::Waiting { gate, request: Some((inner, request)) } }
    }

    pub(super) const fn serving(future: S::Future) -> Self {
        Self { state: State::Serving { future, nonce: None } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<String>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Serving { future, nonce } => {
                    let mut answer = ready!(future.poll(context));
                    if let (Ok(response), Some(nonce)) = (&mut answer, nonce.take()) {
                        response.headers_mut().insert(DPOP_NONCE, nonce);
                    }
                    return Poll::Ready(answer);
                }
                StateProjection::Waiting { gate, request } => {
                    let caller = match ready!(gate.poll(context)) {
                        Ok(caller) => caller,
                        Err(response) => return Poll::Ready(Ok(response)),
                    };
                    // A future that is polled after it has answered stays silent.
                    let Some((mut inner, mut request)) = request.take() else { return Poll::Pending };
                    let mut nonce = None;
                    if let Some(caller) = caller {
                        nonce = caller.dpop_nonce().and_then(|nonce| HeaderValue::from_str(nonce).ok());
                        request.extensions_mut().insert(caller);
                    }
                    let future = inner.call(request);
                    state.set(State::Serving { future, nonce });
                }
            }
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if matches!(self.state, State::Waiting { .. }) { "waiting" } else { "serving" };
        f.debug_tuple("ResponseFuture").field(&state).finish()
    }
}
