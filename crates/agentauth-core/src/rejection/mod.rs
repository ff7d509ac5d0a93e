//! The one place that maps a refusal to a status, a challenge and a public code.

mod refusal;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

pub use refusal::Refusal;

use crate::binding::dpop::DPOP_NONCE;
use crate::identity::ResourceId;

const MICROS_PER_SECOND: u128 = 1_000_000;

/// A refusal, ready to be answered: what the operator may know, and what the caller may.
///
/// The caller learns a status, one OAuth error word and the `evaluation_id` under which the operator finds the
/// rest in the record; where a human must approve, the request to show to one; and what the policy itself has to say to callers.
#[derive(Clone)]
pub struct Rejection {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    refusal: Refusal,
    evaluation_id: Arc<str>,
    metadata_url: Box<str>,
    dpop: Option<DpopChallenge>,
}

/// What a caller must know to make a DPoP proof (RFC 9449 §7.1, §9).
#[derive(Clone)]
pub(crate) struct DpopChallenge {
    /// `algs`.
    pub(crate) algorithms: Box<str>,
    /// `DPoP-Nonce`.
    pub(crate) nonce: Option<String>,
}

impl Rejection {
    pub(crate) fn new(
        refusal: Refusal,
        evaluation_id: Arc<str>,
        metadata_url: &str,
        dpop: Option<DpopChallenge>,
    ) -> Self {
        let inner = Inner { refusal, evaluation_id, metadata_url: metadata_url.into(), dpop };
        Self { inner: Box::new(inner) }
    }

    /// The typed reason.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        &self.inner.refusal
    }

    /// The stable machine code, such as `token_expired`. For operators: the public answer does not have it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.inner.refusal.code()
    }

    /// The id under which this refusal stands in the record.
    #[must_use]
    pub fn evaluation_id(&self) -> &str {
        &self.inner.evaluation_id
    }

    /// The request for a human's approval that this is about, which the caller may show to one:
    /// see [`approval`](crate::approval).
    #[must_use]
    pub fn approval_id(&self) -> Option<&str> {
        match &self.inner.refusal {
            Refusal::Approval(refusal) => refusal.id(),
            _ => None,
        }
    }

    /// After which time it is worth asking again, where a limit refuses that leaves room then. `Retry-After` says so in whole seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.inner.refusal {
            Refusal::Limit(refusal) => refusal.retry_after(),
            _ => None,
        }
    }

    /// What the policy that denies says to callers, if it does ([`Reason::telling`](crate::policy::Reason::telling)).
    #[must_use]
    pub fn public_text(&self) -> Option<&str> {
        match &self.inner.refusal {
            Refusal::Policy { public, .. } => public.as_deref(),
            _ => None,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.inner.refusal.answer().0
    }

    /// The one word that the caller is told.
    #[must_use]
    pub fn public_error(&self) -> &'static str {
        self.inner.refusal.answer().1
    }

    /// The `WWW-Authenticate` values (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1), one for each scheme, where a better
    /// token or proof could help.
    #[must_use]
    pub fn challenges(&self) -> Vec<HeaderValue> {
        let parameters = match (&self.inner.refusal, self.status()) {
            (Refusal::NoCredentials, _) => String::new(),
            // The grammar of scopes has no character that a quoted string would need to escape.
            (Refusal::Scope { needed }, _) => format!(", error=\"insufficient_scope\", scope=\"{needed}\""),
            (Refusal::Limits { scope, .. } | Refusal::UsesExhausted { scope }, _) => {
                format!(", error=\"insufficient_scope\", scope=\"{scope}\"")
            }
            (_, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) => format!(", error=\"{}\"", self.public_error()),
            _ => return Vec::new(),
        };
        let metadata = &self.inner.metadata_url;
        let bearer = format!("Bearer resource_metadata=\"{metadata}\"{parameters}");
        let dpop = self.inner.dpop.as_ref().map(|DpopChallenge { algorithms, .. }| {
            format!("DPoP algs=\"{algorithms}\", resource_metadata=\"{metadata}\"{parameters}")
        });
        // What is wrong with a proof is no matter of the other scheme.
        let bearer = Some(bearer).filter(|_| dpop.is_none() || !self.inner.refusal.wants_nonce());
        bearer.into_iter().chain(dpop).filter_map(|challenge| HeaderValue::try_from(challenge).ok()).collect()
    }

    /// The headers of the answer.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for challenge in self.challenges() {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
        let nonce = self.inner.dpop.as_ref().and_then(|dpop| dpop.nonce.as_deref());
        if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
            headers.insert(DPOP_NONCE, nonce);
        }
        if let Some(wait) = self.retry_after() {
            let seconds = wait.as_micros().div_ceil(MICROS_PER_SECOND).max(1);
            headers.insert(RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)));
        }
        headers
    }

    /// The body of the answer: the public word, the evaluation id and, if there is one, the id of the request for approval or
    /// what the policy says to callers, as JSON.
    #[must_use]
    pub fn body(&self) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            error_description: Option<&'a str>,
            evaluation_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            approval_id: Option<&'a str>,
        }
        let body = Body {
            error: self.public_error(),
            error_description: self.public_text(),
            evaluation_id: &self.inner.evaluation_id,
            approval_id: self.approval_id(),
        };
        serde_json::to_string(&body).unwrap_or_default()
    }
}

impl fmt::Display for Rejection {
    /// The sentence for the operator.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.inner.refusal, self.code())
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("refusal", &self.inner.refusal)
            .field("evaluation_id", &self.inner.evaluation_id)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Rejection {}

/// Where the metadata of `resource` is found: the well-known name goes between host and path (RFC 9728 §3.1).
pub(crate) fn metadata_url(resource: &ResourceId) -> Box<str> {
    const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
    let text = resource.as_str();
    let authority_start = text.find("://").map_or(0, |at| at.saturating_add(3));
    let path_start = text
        .get(authority_start..)
        .and_then(|rest| rest.find(['/', '?']))
        .map_or(text.len(), |at| authority_start.saturating_add(at));
    let (origin, path) = text.split_at_checked(path_start).unwrap_or((text, ""));
    let path = if path == "/" { "" } else { path };
    format!("{origin}{WELL_KNOWN}{path}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::AuditError;
    use crate::binding::BindingError;
    use crate::delegation::DelegationError;
    use crate::evidence::RequestError;
    use crate::identity::svid::SvidError;
    use crate::policy::ReasonKind;
    use crate::token::{TokenError, TransactionTokenError};

    #[test]
    fn the_well_known_name_goes_between_host_and_path() {
        for (resource, expected) in [
            ("https://a.example", "https://a.example/.well-known/oauth-protected-resource"),
            ("https://a.example/", "https://a.example/.well-known/oauth-protected-resource"),
            ("https://a.example:8443/mcp/x", "https://a.example:8443/.well-known/oauth-protected-resource/mcp/x"),
            ("https://a.example/mcp?k=v", "https://a.example/.well-known/oauth-protected-resource/mcp?k=v"),
            ("https://a.example?k=v", "https://a.example/.well-known/oauth-protected-resource?k=v"),
        ] {
            assert_eq!(&*metadata_url(&ResourceId::new(resource).unwrap()), expected);
        }
    }

    #[test]
    fn a_policy_may_tell_the_caller_a_sentence() {
        let public = Some("Ask the clerk.".into());
        let refusal = Refusal::Policy { kind: ReasonKind::Forbidden, text: "secret grounds".into(), public };
        let body = Rejection::new(refusal, "id-1".into(), "u", None).body();
        let expected = r#"{"error":"access_denied","error_description":"Ask the clerk.","evaluation_id":"id-1"}"#;
        assert_eq!(body, expected);
    }

    #[test]
    fn a_refusal_tells_the_caller_one_word() {
        let policy = |kind| Refusal::Policy { kind, text: "secret grounds".into(), public: None };
        for (refusal, status, error, challenge) in [
            (Refusal::NoCredentials, 401, "unauthenticated", Some("Bearer resource_metadata=\"u\"")),
            (
                RequestError::TokenInQuery.into(),
                400,
                "invalid_request",
                Some("Bearer resource_metadata=\"u\", error=\"invalid_request\""),
            ),
            (
                TokenError::Expired(5).into(),
                401,
                "invalid_token",
                Some("Bearer resource_metadata=\"u\", error=\"invalid_token\""),
            ),
            (
                BindingError::CertificateMissing.into(),
                401,
                "invalid_token",
                Some("Bearer resource_metadata=\"u\", error=\"invalid_token\""),
            ),
            (
                SvidError::Expired.into(),
                401,
                "invalid_token",
                Some("Bearer resource_metadata=\"u\", error=\"invalid_token\""),
            ),
            (
                DelegationError::Expired.into(),
                401,
                "invalid_token",
                Some("Bearer resource_metadata=\"u\", error=\"invalid_token\""),
            ),
            (TokenError::KeysUnavailable(crate::Excerpt::of("x")).into(), 503, "temporarily_unavailable", None),
            (
                TransactionTokenError::Refused(TokenError::Expired(5)).into(),
                400,
                "invalid_request",
                Some("Bearer resource_metadata=\"u\", error=\"invalid_request\""),
            ),
            (TransactionTokenError::Refused(TokenError::TooManyWaiting).into(), 503, "temporarily_unavailable", None),
            (
                Refusal::Scope { needed: "a b".parse().unwrap() },
                403,
                "insufficient_scope",
                Some("Bearer resource_metadata=\"u\", error=\"insufficient_scope\", scope=\"a b\""),
            ),
            (policy(ReasonKind::ActorNotAuthorized), 403, "actor_unauthorized", None),
            (policy(ReasonKind::Forbidden), 403, "access_denied", None),
            (policy(ReasonKind::PolicyFailed), 503, "temporarily_unavailable", None),
            (AuditError::Full.into(), 503, "temporarily_unavailable", None),
            (Refusal::Random, 503, "temporarily_unavailable", None),
        ] {
            let rejection = Rejection::new(refusal, "id-1".into(), "u", None);
            assert_eq!(rejection.status().as_u16(), status, "{rejection}");
            assert_eq!(rejection.body(), format!(r#"{{"error":"{error}","evaluation_id":"id-1"}}"#));
            assert_eq!(rejection.challenges(), challenge.as_slice(), "{rejection}");
        }
    }
}
