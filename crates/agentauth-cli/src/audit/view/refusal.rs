//! Why nothing is answered.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

/// Why nothing is answered: one sentence, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this server is not the one that was asked for: open the URL that `agentauth audit view` has printed")]
    Host,
    #[error("here one can only read: ask with GET")]
    Method,
    #[error("another site has asked for this: open the URL that `agentauth audit view` has printed")]
    Site,
    #[error("there is no token, or another: open the URL that `agentauth audit view` has printed")]
    Token,
    #[error("this filter cannot be read, or is too long: clear it")]
    Filter,
    #[error("there is nothing of this name")]
    Path,
    #[error("this record is not among those that are held, or is not there any more")]
    Record,
}

impl Refusal {
    /// The stable machine code of this refusal.
    const fn code(self) -> &'static str {
        match self {
            Self::Host => "view_host",
            Self::Method => "view_method",
            Self::Site => "view_site",
            Self::Token => "view_token",
            Self::Filter => "view_filter",
            Self::Path => "view_path",
            Self::Record => "view_record",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Site => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Filter => StatusCode::BAD_REQUEST,
            Self::Path | Self::Record => StatusCode::NOT_FOUND,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), Json(json!({ "code": self.code(), "message": self.to_string() }))).into_response()
    }
}
