use std::fmt;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::identity::svid::X509Svid;
use crate::trace::TraceContext;

/// A request to an endpoint of an issuer, as it came: a `POST`, which whoever serves the endpoint makes sure of.
///
/// Nothing of its URI counts. The endpoints are where the issuer's identifier says, and a DPoP proof is for that URL.
#[derive(Clone, Copy)]
#[must_use]
pub struct TokenRequest<'r> {
    pub(in crate::delegation) headers: &'r HeaderMap,
    /// None if it could not be read to its end.
    pub(in crate::delegation) body: Option<&'r [u8]>,
    pub(in crate::delegation) peer: Option<&'r X509Svid>,
    pub(in crate::delegation) ignores_forwarded: bool,
}

impl<'r> TokenRequest<'r> {
    /// A request with this form, over a connection that proves nothing.
    pub const fn new(headers: &'r HeaderMap, body: &'r [u8]) -> Self {
        Self { headers, body: Some(body), peer: None, ignores_forwarded: false }
    }

    /// A request whose form is longer than [`MAX_FORM_BYTES`](crate::delegation::MAX_FORM_BYTES), or did not arrive
    /// whole: it is refused, and that is recorded.
    pub const fn unread(headers: &'r HeaderMap) -> Self {
        Self { headers, body: None, peer: None, ignores_forwarded: false }
    }

    /// And the agent at the other end of the mutual-TLS connection: the client itself, not a proxy in front.
    pub const fn with_peer(mut self, peer: Option<&'r X509Svid>) -> Self {
        self.peer = peer;
        self
    }

    /// It came from a proxy that is trusted, and what that says of its clients' certificates does not count here.
    /// Otherwise a request with a header of that kind is refused: the connection could be the proxy's own.
    pub const fn through_proxy(mut self) -> Self {
        self.ignores_forwarded = true;
        self.peer = None;
        self
    }

    /// The trace that it says it is a part of.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        TraceContext::from_headers(self.headers)
    }

    pub(in crate::delegation) fn is_form(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.and_then(|value| value.split(';').next());
        kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
    }

    /// Whether the client tried to prove itself by the `Authorization` header (RFC 6749 §5.2).
    pub(crate) fn has_authorization(&self) -> bool {
        self.headers.contains_key(http::header::AUTHORIZATION)
    }
}

impl fmt::Debug for TokenRequest<'_> {
    /// Shows whose connection it is, and nothing of the headers or the form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest").field("peer", &self.peer.map(X509Svid::id)).finish_non_exhaustive()
    }
}
