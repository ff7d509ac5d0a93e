use agentauth_core::Rejection;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

/// The HTTP answer to a refusal: status, challenge, and a body that tells the caller one word and the evaluation id.
/// The rejection itself goes into the response's extensions.
#[must_use]
pub fn refuse<R: From<String>>(rejection: Rejection) -> Response<R> {
    let mut response = Response::new(R::from(rejection.body()));
    *response.status_mut() = rejection.status();
    *response.headers_mut() = rejection.headers();
    response.extensions_mut().insert(rejection);
    response
}

/// The server's own mistake: the layer that verifies callers is missing.
pub(super) fn misconfigured<R: From<String>>() -> Response<R> {
    let mut response = Response::new(R::from(String::from(r#"{"error":"server_error"}"#)));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
