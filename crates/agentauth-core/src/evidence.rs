//! What a caller shows.

use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};

use crate::identity::svid::X509Svid;
use crate::jose::MAX_TOKEN_BYTES;
use crate::text::Secret;

/// Everything a caller shows about itself: a token, and the identity that its connection proved.
///
/// Showing something proves nothing yet; [`AgentAuth::authenticate`](crate::AgentAuth::authenticate) does. Without
/// HTTP, the same evidence comes from agent code:
///
/// ```
/// use agentauth_core::Evidence;
///
/// let evidence = Evidence::bearer("eyJ...");
/// ```
#[derive(Clone)]
pub struct Evidence {
    pub(crate) token: Result<Option<Secret>, RequestError>,
    pub(crate) peer: Option<Arc<X509Svid>>,
}

/// Why the credentials of a request cannot even be read (RFC 6750 §3.1 `invalid_request`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// More than one `Authorization` header: which one counts would be a guess.
    #[error("the request has more than one Authorization header")]
    CredentialsRepeated,
    /// The `Authorization` header is not `Bearer`, one space, and a token.
    #[error("the Authorization header is malformed")]
    CredentialsMalformed,
    /// A token in the query string ends up in logs and histories (RFC 9700 §4.3.2).
    #[error("the request carries a token in its query string; send it in the Authorization header")]
    TokenInQuery,
}

impl RequestError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::CredentialsRepeated => "credentials_repeated",
            Self::CredentialsMalformed => "credentials_malformed",
            Self::TokenInQuery => "credentials_in_query",
        }
    }
}

impl Evidence {
    /// Nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self { token: Ok(None), peer: None }
    }

    /// A token.
    #[must_use]
    pub fn bearer(token: &str) -> Self {
        Self { token: Ok(Some(Secret::new(token))), peer: None }
    }

    /// What an HTTP request shows in its head (RFC 6750 §2.1).
    ///
    /// A scheme other than `Bearer` counts as no credentials. A request that is malformed is refused when it is
    /// authenticated, so that the refusal is recorded.
    #[must_use]
    pub fn from_http(headers: &HeaderMap, uri: &Uri) -> Self {
        Self { token: bearer_token(headers, uri), peer: None }
    }

    /// And the agent that the TLS connection proved.
    #[must_use]
    pub fn with_peer(mut self, peer: Option<Arc<X509Svid>>) -> Self {
        self.peer = peer;
        self
    }

    /// Whether there is neither a token nor a malformed attempt at one.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.token, Ok(None))
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evidence").field("token", &self.token).field("peer", &self.peer).finish()
    }
}

fn bearer_token(headers: &HeaderMap, uri: &Uri) -> Result<Option<Secret>, RequestError> {
    const SCHEME: &str = "Bearer";
    if uri.query().is_some_and(has_access_token) {
        return Err(RequestError::TokenInQuery);
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(RequestError::CredentialsRepeated);
    }
    let value = value.to_str().map_err(|_| RequestError::CredentialsMalformed)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        // A comma would let a second credential hide behind a scheme that is not looked at.
        return if value.contains(',') && value.to_ascii_lowercase().contains("bearer ") {
            Err(RequestError::CredentialsRepeated)
        } else {
            Ok(None)
        };
    }
    let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(is_token68) {
        return Err(RequestError::CredentialsMalformed);
    }
    // A token that is too long is refused as such later on; there is no need to copy more of it than shows that.
    Ok(Some(Secret::new(token.get(..token.len().min(MAX_TOKEN_BYTES + 1)).unwrap_or(token))))
}

fn has_access_token(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("access_token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str, authorization: &[&str]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        match bearer_token(&headers, &uri.parse().unwrap()) {
            Ok(token) => Ok(token.map(|token| token.reveal().to_owned())),
            Err(error) => Err(error.code()),
        }
    }

    #[test]
    fn credentials_are_one_bearer_header_or_none() {
        for (uri, authorization, expected) in [
            ("/", &[][..], Ok(None)),
            ("/", &["Bearer a.b.c"], Ok(Some("a.b.c"))),
            ("/", &["bearer a.b.c"], Ok(Some("a.b.c"))),
            ("/", &["Basic dTpw"], Ok(None)),
            ("/?x=access_token", &["Bearer a.b.c"], Ok(Some("a.b.c"))),
            ("/", &["Bearer"], Err("credentials_malformed")),
            ("/", &["Bearer "], Err("credentials_malformed")),
            ("/", &["Bearer  a"], Err("credentials_malformed")),
            ("/", &["Bearer a b"], Err("credentials_malformed")),
            ("/", &["Bearer a, Bearer b"], Err("credentials_malformed")),
            ("/", &["Bearer \u{e9}"], Err("credentials_malformed")),
            ("/", &["Bearer a", "Bearer b"], Err("credentials_repeated")),
            ("/", &["Bearer a", "Basic b"], Err("credentials_repeated")),
            ("/", &["Basic dTpw, Bearer a"], Err("credentials_repeated")),
            ("/?access_token=a", &[], Err("credentials_in_query")),
            ("/?x=1&access_token=a", &["Bearer a"], Err("credentials_in_query")),
        ] {
            assert_eq!(
                read(uri, authorization),
                expected.map(|token: Option<&str>| token.map(str::to_owned)),
                "{uri} {authorization:?}"
            );
        }
    }
}
