//! Who may read: whoever has the token that was printed, from a page of this very server.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use super::refusal::Refusal;
use crate::CliError;

/// Cannot be guessed.
const TOKEN_BYTES: usize = 32;

/// Nothing but this server's own files, no frames, and no text that becomes markup: the records' texts are written by those whom
/// they are about.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The token is in the fragment of the URL, which no browser sends; the page sends it in a header. A cookie would go to every
/// server on this host, whatever its port.
#[derive(Clone)]
pub(super) struct Gate {
    address: SocketAddr,
    token: Arc<str>,
}

impl Gate {
    /// Of the server at `address`.
    pub(super) fn new(address: SocketAddr) -> Result<Self, CliError> {
        let mut token = [0; TOKEN_BYTES];
        rand::fill(&mut token).map_err(|_| CliError::Generate)?;
        Ok(Self { address, token: URL_SAFE_NO_PAD.encode(token).into() })
    }

    /// What is opened in the browser.
    pub(super) fn url(&self) -> String {
        format!("http://{}/#token={}", self.address, self.token)
    }

    /// A name that an attacker has made to lead here (DNS rebinding) is none of ours.
    fn is_our_name(&self, host: &str) -> bool {
        host == self.address.to_string() || host == format!("localhost:{}", self.address.port())
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        given.is_some_and(|given| verify_slices_are_equal(given, self.token.as_bytes()).is_ok())
    }

    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let is_ours = |host: &HeaderValue| host.to_str().is_ok_and(|host| self.is_our_name(host));
        if !hosts.next().is_some_and(is_ours) || hosts.next().is_some() || request.uri().authority().is_some() {
            return Err(Refusal::Host);
        }
        if request.method() != Method::GET {
            return Err(Refusal::Method);
        }
        let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
        if !matches!(site, None | Some(b"same-origin" | b"none")) {
            return Err(Refusal::Site);
        }
        if request.uri().path().starts_with("/api/") && !self.has_token(request.headers()) {
            return Err(Refusal::Token);
        }
        Ok(())
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Refuses what may not be asked, and says in each answer what a browser may do with it.
pub(super) async fn watch(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let mut response = match gate.check(&request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
