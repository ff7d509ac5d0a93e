use std::fmt;

use agentauth_core::identity::svid::SvidError;
use agentauth_core::policy::ArgumentsError;
use agentauth_core::{Evidence, OutboundError, ScopeError, TraceContext};
use agentauth_tower::refuse;
use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

/// A refusal, as a handler's error: it answers with the status, challenge and body that the refusal asks for.
#[derive(Debug)]
pub struct Rejection(Kind);

#[derive(Debug)]
enum Kind {
    Refused(agentauth_core::Rejection),
    /// The arguments of the call cannot be authorised in any form.
    Arguments(ArgumentsError),
    /// The agent at the other end of the connection is not good any more, or shows no certificate.
    Connection(SvidError),
    /// Nothing could be passed on to the next server.
    Outbound(OutboundError),
    /// The server's own mistake.
    Server(&'static str),
}

impl Rejection {
    pub(crate) const fn server(text: &'static str) -> Self {
        Self(Kind::Server(text))
    }

    pub(crate) const fn connection(error: SvidError) -> Self {
        Self(Kind::Connection(error))
    }

    /// The stable machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match &self.0 {
            Kind::Refused(rejection) => rejection.code(),
            Kind::Arguments(error) => error.code(),
            Kind::Connection(error) => error.code(),
            Kind::Outbound(error) => error.code(),
            Kind::Server(_) => "server_error",
        }
    }

    /// The engine's refusal, if it was the engine that refused.
    #[must_use]
    pub const fn refusal(&self) -> Option<&agentauth_core::Rejection> {
        match &self.0 {
            Kind::Refused(rejection) => Some(rejection),
            _ => None,
        }
    }
}

impl From<agentauth_core::Rejection> for Rejection {
    fn from(rejection: agentauth_core::Rejection) -> Self {
        Self(Kind::Refused(rejection))
    }
}

impl From<ArgumentsError> for Rejection {
    fn from(error: ArgumentsError) -> Self {
        Self(Kind::Arguments(error))
    }
}

impl From<ScopeError> for Rejection {
    /// A handler named an action that no scope could name.
    fn from(_: ScopeError) -> Self {
        Self::server("the name of an action is not a scope: fix the handler")
    }
}

impl From<OutboundError> for Rejection {
    /// Nothing could be passed on. A caller whose credentials have ended meanwhile is answered 401; where the token service
    /// cannot answer at the moment, 503; where it or the next server has refused, 502; all else is this server's mistake.
    fn from(error: OutboundError) -> Self {
        Self(Kind::Outbound(error))
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Refused(rejection) => rejection.fmt(f),
            Kind::Arguments(error) => error.fmt(f),
            Kind::Connection(error) => error.fmt(f),
            Kind::Outbound(error) => error.fmt(f),
            Kind::Server(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Rejection {}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        match self.0 {
            Kind::Refused(rejection) => refuse::<Body>(rejection),
            Kind::Arguments(_) => json(StatusCode::BAD_REQUEST, r#"{"error":"invalid_request"}"#),
            Kind::Connection(error) => {
                tracing::debug!(code = error.code(), %error, "a connection is not its agent's any more");
                json(StatusCode::UNAUTHORIZED, r#"{"error":"unauthenticated"}"#)
            }
            Kind::Outbound(error) => {
                let (status, body) = outbound(&error);
                tracing::warn!(code = error.code(), %error, "nothing was passed on to the next server");
                json(status, body)
            }
            Kind::Server(text) => {
                tracing::error!("{text}");
                json(StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"server_error"}"#)
            }
        }
    }
}

/// What a caller is told: not which server was to be asked, nor what it has answered.
const fn outbound(error: &OutboundError) -> (StatusCode, &'static str) {
    match error {
        OutboundError::CallerEnded => (StatusCode::UNAUTHORIZED, r#"{"error":"unauthenticated"}"#),
        OutboundError::Busy | OutboundError::Unreachable(_) | OutboundError::Identity(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, r#"{"error":"temporarily_unavailable"}"#)
        }
        OutboundError::Answer(_) | OutboundError::Refused { .. } | OutboundError::Inner(_) => {
            (StatusCode::BAD_GATEWAY, r#"{"error":"bad_gateway"}"#)
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"server_error"}"#),
    }
}

fn json(status: StatusCode, body: &'static str) -> Response {
    (status, [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response()
}

/// The refusal of a request that shows nothing, recorded like every other.
pub(crate) async fn no_credentials(auth: &agentauth_core::AgentAuth, headers: &HeaderMap) -> Rejection {
    match auth.authenticate(Evidence::none().with_trace(TraceContext::from_headers(headers))).await {
        Err(rejection) => rejection.into(),
        Ok(_) => Rejection::server("a request without evidence was verified"),
    }
}
