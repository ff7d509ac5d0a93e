//! The one place that maps a refusal to a status, a challenge and a public code.

use std::fmt;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::approval::ApprovalRefusal;
use crate::audit::AuditError;
use crate::binding::BindingError;
use crate::binding::dpop::{DPOP_NONCE, DpopError};
use crate::delegation::DelegationError;
#[cfg(feature = "unstable-chain")]
use crate::delegation::chain::ChainError;
use crate::evidence::RequestError;
use crate::identity::ResourceId;
use crate::identity::forwarded::ForwardedError;
use crate::identity::svid::SvidError;
use crate::policy::{Decision, ReasonKind};
use crate::scope::{NotDelegated, Scope, ScopeSet};
use crate::state::revocation::Revoked;
use crate::text::Excerpt;
use crate::token::{TokenError, TransactionTokenError};

/// Why a request was refused: the typed reason, for programs and operators. Callers are not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing was shown.
    #[error("the request carries no credentials")]
    NoCredentials,
    /// The credentials cannot be read.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The connection's identity is no longer good.
    #[error("the connection's identity is refused: {0}")]
    Identity(#[from] SvidError),
    /// The token is refused.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Something that the caller depends on has been revoked, or that cannot be told.
    #[error(transparent)]
    Revoked(#[from] Revoked),
    /// The presenter does not hold the key that the token is bound to.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// The token is no delegation that is accepted here.
    #[error(transparent)]
    Delegation(#[from] DelegationError),
    /// The transaction token is refused, or missing.
    #[error(transparent)]
    Transaction(#[from] TransactionTokenError),
    /// The chain by which the token was narrowed is refused.
    #[cfg(feature = "unstable-chain")]
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The action names a resource whose name could not be stored and shown.
    #[error("the name of the action's resource is empty, longer than 2048 bytes, or has control characters")]
    Resource,
    /// The delegation does not hold the scope.
    #[error("the delegation does not include scope `{needed}`")]
    Scope {
        /// All that the operation needs.
        needed: ScopeSet,
    },
    /// The action was delegated within limits, and this is outside of them.
    #[error("{why} (scope `{scope}`)")]
    Limits {
        /// The scope of the action, without limits.
        scope: Scope,
        /// Which limit.
        why: NotDelegated,
    },
    /// The action was done as often as was delegated.
    #[error("scope `{scope}` was used as often as it may be")]
    UsesExhausted {
        /// The scope of the action, without limits.
        scope: Scope,
    },
    /// It could not be counted how often the action was done.
    #[error(
        "the action is delegated for a number of uses, and they cannot be counted: configure .uses(...), or see its store"
    )]
    UsesUnavailable,
    /// The policy does not permit the action.
    #[error("{text}")]
    Policy {
        /// What kind of ground decided.
        kind: ReasonKind,
        /// The sentence for the operator.
        text: Box<str>,
    },
    /// The policy permits the action with a human's approval, which it does not have.
    #[error(transparent)]
    Approval(#[from] ApprovalRefusal),
    /// The policy permits the action on a condition that is not known here.
    #[error("the policy permits it on condition of `{0}`, which is not known here")]
    Obligation(Excerpt),
    /// The caller hung up before it was verified.
    #[error("the caller hung up before it was known whether its token is good")]
    CallerGone,
    /// The record could not be kept.
    #[error("the decision could not be recorded: {0}")]
    Audit(#[from] AuditError),
    /// No identifier could be made.
    #[error("the random source is unavailable")]
    Random,
}

impl Refusal {
    pub(crate) fn of_decision(decision: &Decision) -> Self {
        let text = decision.reasons().first().map_or("the policy gave no reason", crate::policy::Reason::text);
        Self::Policy { kind: decision.ground_of_denial(), text: text.into() }
    }

    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::Request(error) => error.code(),
            Self::Identity(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::Revoked(revoked) => revoked.code(),
            Self::Binding(error) => error.code(),
            Self::Delegation(error) => error.code(),
            Self::Transaction(error) => error.code(),
            #[cfg(feature = "unstable-chain")]
            Self::Chain(error) => error.code(),
            Self::Resource => "resource_malformed",
            Self::Scope { .. } => "insufficient_scope",
            Self::Limits { why, .. } => why.code(),
            Self::UsesExhausted { .. } => "uses_exhausted",
            Self::UsesUnavailable => "uses_unavailable",
            Self::Policy { kind, .. } => kind.code(),
            Self::Approval(refusal) => refusal.code(),
            Self::Obligation(_) => "obligation_unknown",
            Self::CallerGone => "caller_gone",
            Self::Audit(_) => "audit_unavailable",
            Self::Random => "random_unavailable",
        }
    }

    /// Whether the answer should tell a nonce, without which no proof would do (RFC 9449 §9).
    pub(crate) const fn wants_nonce(&self) -> bool {
        matches!(self, Self::Binding(BindingError::Dpop(_) | BindingError::Required))
    }

    /// The answer: a status, and the `error` of the challenge and the body (RFC 6750 §3.1, OAuth actor profile).
    fn answer(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Binding(BindingError::Dpop(error)) if matches!(error, DpopError::ReplayUnavailable) => {
                (StatusCode::SERVICE_UNAVAILABLE, error.oauth_error())
            }
            Self::Binding(BindingError::Dpop(error)) => (StatusCode::UNAUTHORIZED, error.oauth_error()),
            // The request is in order; whose it is has not been proven.
            Self::Request(RequestError::Forwarded(ForwardedError::Svid(_))) => {
                (StatusCode::UNAUTHORIZED, "invalid_token")
            }
            #[cfg(feature = "unstable-chain")]
            Self::Chain(error) if error.is_of_request() => (StatusCode::BAD_REQUEST, "invalid_request"),
            #[cfg(feature = "unstable-chain")]
            Self::Chain(_) => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::Transaction(error) if error.is_of_the_moment() => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            // Another access token would not help: the request is not what it must be.
            Self::Request(_) | Self::Resource | Self::Transaction(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::NoCredentials => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::Token(
                TokenError::KeysUnavailable(_)
                | TokenError::IntrospectionUnavailable(_)
                | TokenError::StatusList(_)
                | TokenError::TooManyWaiting,
            )
            | Self::Revoked(Revoked::Unavailable)
            | Self::CallerGone
            | Self::UsesUnavailable
            | Self::Audit(_)
            | Self::Random
            | Self::Policy { kind: ReasonKind::PolicyFailed, .. }
            | Self::Approval(ApprovalRefusal::TooMany | ApprovalRefusal::Full | ApprovalRefusal::Unavailable) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            Self::Identity(_) | Self::Token(_) | Self::Revoked(_) | Self::Binding(_) | Self::Delegation(_) => {
                (StatusCode::UNAUTHORIZED, "invalid_token")
            }
            Self::Scope { .. } | Self::Limits { .. } | Self::UsesExhausted { .. } => {
                (StatusCode::FORBIDDEN, "insufficient_scope")
            }
            Self::Policy { kind: ReasonKind::ActorNotAuthorized, .. } => (StatusCode::FORBIDDEN, "actor_unauthorized"),
            // A request waits, whatever has become of the one before.
            Self::Approval(
                ApprovalRefusal::Required { .. }
                | ApprovalRefusal::Expired { .. }
                | ApprovalRefusal::StalePolicy { .. },
            ) => (StatusCode::FORBIDDEN, "approval_required"),
            Self::Approval(ApprovalRefusal::Denied { .. }) => (StatusCode::FORBIDDEN, "approval_denied"),
            Self::Approval(ApprovalRefusal::Used { .. }) => (StatusCode::FORBIDDEN, "approval_used"),
            Self::Policy { .. } | Self::Approval(_) | Self::Obligation(_) => (StatusCode::FORBIDDEN, "access_denied"),
        }
    }
}

/// A refusal, ready to be answered: what the operator may know, and what the caller may.
///
/// The caller learns a status, one OAuth error word and the `evaluation_id` under which the operator finds the
/// rest in the record; and where a human must approve, the request to show to one.
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
        headers
    }

    /// The body of the answer: the public word, the evaluation id and, if there is one, the id of the request for approval,
    /// as JSON.
    #[must_use]
    pub fn body(&self) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
            evaluation_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            approval_id: Option<&'a str>,
        }
        let body = Body {
            error: self.public_error(),
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
    fn a_refusal_tells_the_caller_one_word() {
        let policy = |kind| Refusal::Policy { kind, text: "secret grounds".into() };
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
