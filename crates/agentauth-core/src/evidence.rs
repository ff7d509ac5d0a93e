//! What a caller shows.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "unstable-chain")]
use http::HeaderName;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Uri};

use crate::binding::dpop::{self, DpopError, Scheme};
#[cfg(feature = "unstable-chain")]
use crate::delegation::chain::{AGENT_DELEGATION, ChainError, ancestors_of};
use crate::identity::Peer;
use crate::identity::forwarded::client_certificate::{ClientCertificate, ClientCertificateError};
use crate::identity::forwarded::{ForwardedError, ForwardedPeer};
use crate::identity::svid::X509Svid;
use crate::jose::MAX_TOKEN_BYTES;
use crate::text::Secret;
use crate::token::{TXN_TOKEN, TransactionTokenError};
use crate::trace::TraceContext;

/// Everything a caller shows about itself: a token, a proof that it may hold it, and the identity that its connection
/// proved.
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
    pub(crate) credentials: Result<Option<Credentials>, RequestError>,
    pub(crate) peer: Option<Peer>,
    /// The certificate that a trusted proxy passed on.
    pub(crate) certificate: Option<Arc<ClientCertificate>>,
    /// What stands in the `Txn-Token` header.
    pub(crate) transaction: Result<Option<Secret>, TransactionTokenError>,
    /// The trace that it says it is a part of.
    pub(crate) trace: Option<TraceContext>,
    /// The tokens that the token was narrowed from, root first.
    #[cfg(feature = "unstable-chain")]
    pub(crate) ancestors: Result<Option<Secret>, ChainError>,
}

/// A token, and how it was sent.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) token: Secret,
    pub(crate) scheme: Scheme,
    /// A proof of possession, and the method and URI of the request that it must be for.
    pub(crate) proof: Result<Option<Proof>, DpopError>,
}

/// A DPoP proof, and the method and URI of the request it came with.
#[derive(Clone)]
pub(crate) struct Proof {
    pub(crate) jws: Secret,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
}

/// Why the credentials of a request cannot even be read (RFC 6750 §3.1 `invalid_request`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// More than one `Authorization` header: which one counts would be a guess.
    #[error("the request has more than one Authorization header")]
    CredentialsRepeated,
    /// The `Authorization` header is not a scheme, one space, and a token.
    #[error("the Authorization header is malformed")]
    CredentialsMalformed,
    /// The client certificate that a proxy passed on cannot be read, or did not come from a proxy that may pass one on.
    #[error("the client certificate that was passed on is refused: {0}")]
    ClientCertificate(ClientCertificateError),
    /// A `Client-Cert` header from someone who is not the proxy that may send one (RFC 9440 §4).
    #[error("the request has a Client-Cert header, and does not come from the trusted proxy")]
    ClientCertificateUntrusted,
    /// What a proxy says about its client is not believed.
    #[error("what the proxy says about its client is refused: {0}")]
    Forwarded(ForwardedError),
    /// An `x-forwarded-client-cert` header from someone who is not the proxy that may send one.
    #[error("the request has an x-forwarded-client-cert header, and does not come from the trusted proxy")]
    ForwardedUntrusted,
    /// A token in the query string ends up in logs and histories (RFC 9700 §4.3.2).
    #[error("the request carries a token in its query string; send it in the Authorization header")]
    TokenInQuery,
}

impl RequestError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CredentialsRepeated => "credentials_repeated",
            Self::CredentialsMalformed => "credentials_malformed",
            Self::TokenInQuery => "credentials_in_query",
            Self::ClientCertificate(error) => error.code(),
            Self::ClientCertificateUntrusted => "client_cert_untrusted",
            Self::Forwarded(error) => error.code(),
            Self::ForwardedUntrusted => "xfcc_untrusted",
        }
    }
}

impl Evidence {
    /// Nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self::of(Ok(None))
    }

    /// A token.
    #[must_use]
    pub fn bearer(token: &str) -> Self {
        Self::of(Ok(Some(Credentials { token: Secret::new(token), scheme: Scheme::Bearer, proof: Ok(None) })))
    }

    /// What an HTTP request shows in its head (RFC 6750 §2.1, RFC 9449 §7.1). `uri` is the one that the client sent: a
    /// proof of possession is compared with its path.
    ///
    /// A scheme other than `Bearer` and `DPoP` counts as no credentials. A request that is malformed is refused when it
    /// is authenticated, so that the refusal is recorded.
    #[must_use]
    pub fn from_http(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let evidence = Self {
            transaction: transaction(headers),
            trace: TraceContext::from_headers(headers),
            ..Self::of(credentials(method, uri, headers))
        };
        #[cfg(feature = "unstable-chain")]
        let evidence = evidence.with_ancestors_from(headers, &AGENT_DELEGATION);
        evidence
    }

    /// And a transaction token, which says what the token is used for. It counts where the engine takes them
    /// ([`AgentAuthBuilder::transaction_tokens`](crate::AgentAuthBuilder::transaction_tokens)).
    #[must_use]
    pub fn with_transaction_token(mut self, token: &str) -> Self {
        self.transaction = one_token(token.as_bytes()).map(Some);
        self
    }

    /// And the trace that the request is a part of, by its own word: it goes into the record, and nothing is decided by it.
    #[must_use]
    pub fn with_trace(mut self, trace: Option<TraceContext>) -> Self {
        self.trace = trace;
        self
    }

    /// The trace that the request says it is a part of.
    #[must_use]
    pub const fn trace(&self) -> Option<&TraceContext> {
        self.trace.as_ref()
    }

    /// And the ancestors of the token, in the header `name`, in place of those that were found before.
    #[cfg(feature = "unstable-chain")]
    pub(crate) fn with_ancestors_from(mut self, headers: &HeaderMap, name: &HeaderName) -> Self {
        self.ancestors = ancestors_of(headers, name).map(|found| found.map(Secret::new));
        self
    }

    /// And the agent that the TLS connection proved.
    #[must_use]
    pub fn with_peer(mut self, peer: Option<Arc<X509Svid>>) -> Self {
        self.peer = peer.map(Peer::Tls);
        self
    }

    /// And the agent that a proxy, which must be trusted to, has passed on; or that it has passed on none. The connection is
    /// then the proxy's, and says nothing about the caller.
    #[must_use]
    pub fn with_forwarded_peer(mut self, peer: Option<ForwardedPeer>) -> Self {
        self.peer = peer.map(|peer| Peer::Forwarded(Arc::new(peer)));
        self
    }

    /// And the client certificate that a proxy passed on, which must be trusted to (RFC 9440 §4). The connection is then
    /// the proxy's, and says nothing about the caller.
    #[must_use]
    pub fn with_client_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.certificate = Some(Arc::new(certificate));
        self.peer = None;
        self
    }

    /// Refused for `error`, as the caller will be told and the record will say.
    #[must_use]
    pub const fn refused(error: RequestError) -> Self {
        Self::of(Err(error))
    }

    /// Whether there is neither a token nor a malformed attempt at one.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.credentials, Ok(None))
    }

    pub(crate) const fn of(credentials: Result<Option<Credentials>, RequestError>) -> Self {
        Self {
            credentials,
            peer: None,
            certificate: None,
            transaction: Ok(None),
            trace: None,
            #[cfg(feature = "unstable-chain")]
            ancestors: Ok(None),
        }
    }

    /// The SHA-256 of the certificate that the caller holds the key of.
    pub(crate) fn certificate_thumbprint(&self) -> Option<&[u8; 32]> {
        match &self.certificate {
            Some(certificate) => Some(certificate.thumbprint()),
            None => self.peer.as_ref().and_then(Peer::thumbprint),
        }
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evidence").field("credentials", &self.credentials).field("peer", &self.peer).finish()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_proof = matches!(self.proof, Ok(Some(_)));
        f.debug_struct("Credentials")
            .field("token", &self.token)
            .field("scheme", &self.scheme)
            .field("has_proof", &has_proof)
            .finish()
    }
}

fn credentials(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Option<Credentials>, RequestError> {
    if uri.query().is_some_and(has_access_token) {
        return Err(RequestError::TokenInQuery);
    }
    let Some((scheme, token)) = authorization(headers)? else { return Ok(None) };
    let proof = dpop::proof_of(headers)
        .map(|proof| proof.map(|jws| Proof { jws: Secret::new(jws), method: method.clone(), uri: uri.clone() }));
    Ok(Some(Credentials { token: Secret::new(token), scheme, proof }))
}

/// The header has exactly one transaction token, and stands once.
fn transaction(headers: &HeaderMap) -> Result<Option<Secret>, TransactionTokenError> {
    let mut values = headers.get_all(TXN_TOKEN).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(TransactionTokenError::Repeated);
    }
    one_token(value.as_bytes()).map(Some)
}

fn one_token(value: &[u8]) -> Result<Secret, TransactionTokenError> {
    let is_of_jws = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let text =
        std::str::from_utf8(value).ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| is_of_jws(&byte)));
    let text = text.ok_or(TransactionTokenError::Malformed)?;
    // As for access tokens: one that is too long is refused as such later on.
    Ok(Secret::new(text.get(..text.len().min(MAX_TOKEN_BYTES + 1)).unwrap_or(text)))
}

fn authorization(headers: &HeaderMap) -> Result<Option<(Scheme, &str)>, RequestError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(RequestError::CredentialsRepeated);
    }
    let (scheme, token) = at_first_space(value.as_bytes());
    let Some(scheme) = scheme_of(scheme) else {
        let value = value.to_str().map_err(|_| RequestError::CredentialsMalformed)?;
        // A comma would let a second credential hide behind a scheme that is not looked at.
        let lower = value.to_ascii_lowercase();
        return if value.contains(',') && (lower.contains("bearer ") || lower.contains("dpop ")) {
            Err(RequestError::CredentialsRepeated)
        } else {
            Ok(None)
        };
    };
    let is_token68 =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    // Without a way out on the way, the loop is vectorised.
    if token.is_empty() || !token.iter().fold(true, |good, byte| good & is_token68(*byte)) {
        return Err(RequestError::CredentialsMalformed);
    }
    let token = std::str::from_utf8(token).map_err(|_| RequestError::CredentialsMalformed)?;
    // A token that is too long is refused as such later on; there is no need to copy more of it than shows that.
    Ok(Some((scheme, token.get(..token.len().min(MAX_TOKEN_BYTES + 1)).unwrap_or(token))))
}

fn at_first_space(value: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = value.splitn(2, |byte| *byte == b' ');
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}

fn scheme_of(name: &[u8]) -> Option<Scheme> {
    [(b"Bearer".as_slice(), Scheme::Bearer), (b"DPoP", Scheme::Dpop)]
        .into_iter()
        .find_map(|(known, scheme)| known.eq_ignore_ascii_case(name).then_some(scheme))
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
        match credentials(&Method::GET, &uri.parse().unwrap(), &headers) {
            Ok(credentials) => Ok(credentials.map(|shown| format!("{:?} {}", shown.scheme, shown.token.reveal()))),
            Err(error) => Err(error.code()),
        }
    }

    #[test]
    fn credentials_are_one_header_or_none() {
        for (uri, authorization, expected) in [
            ("/", &[][..], Ok(None)),
            ("/", &["Bearer a.b.c"], Ok(Some("Bearer a.b.c"))),
            ("/", &["bearer a.b.c"], Ok(Some("Bearer a.b.c"))),
            ("/", &["DPoP a.b.c"], Ok(Some("Dpop a.b.c"))),
            ("/", &["Basic dTpw"], Ok(None)),
            ("/?x=access_token", &["Bearer a.b.c"], Ok(Some("Bearer a.b.c"))),
            ("/", &["Bearer"], Err("credentials_malformed")),
            ("/", &["Bearer "], Err("credentials_malformed")),
            ("/", &["Bearer  a"], Err("credentials_malformed")),
            ("/", &["Bearer a b"], Err("credentials_malformed")),
            ("/", &["Bearer a, Bearer b"], Err("credentials_malformed")),
            ("/", &["Bearer \u{e9}"], Err("credentials_malformed")),
            ("/", &["Bearer a", "Bearer b"], Err("credentials_repeated")),
            ("/", &["Bearer a", "Basic b"], Err("credentials_repeated")),
            ("/", &["Basic dTpw, Bearer a"], Err("credentials_repeated")),
            ("/", &["Basic dTpw, DPoP a"], Err("credentials_repeated")),
            ("/", &["DPoP a, Bearer b"], Err("credentials_malformed")),
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
