//! The typed reasons, and what each is answered with.

use http::StatusCode;

use crate::approval::ApprovalRefusal;
use crate::audit::AuditError;
use crate::binding::BindingError;
use crate::binding::dpop::DpopError;
use crate::delegation::DelegationError;
#[cfg(feature = "unstable-chain")]
use crate::delegation::chain::ChainError;
use crate::evidence::RequestError;
use crate::identity::forwarded::ForwardedError;
use crate::identity::svid::SvidError;
use crate::policy::{Decision, LimitRefusal, Reason, ReasonKind};
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
        /// The sentence for the caller, if the policy has one.
        public: Option<Box<str>>,
    },
    /// The policy permits the action with a human's approval, which it does not have.
    #[error(transparent)]
    Approval(#[from] ApprovalRefusal),
    /// The policy permits the action within a limit, which is reached or cannot be counted.
    #[error(transparent)]
    Limit(#[from] LimitRefusal),
    /// The policy permits the action on a condition that is not known here.
    #[error("the policy permits it on condition of `{0}`, which is not known here")]
    Obligation(Excerpt),
    /// The permit is too old to be run.
    #[error(
        "the permit has ended before its tool was run: it answers for now, so authorize right before the tool runs"
    )]
    PermitExpired,
    /// The caller hung up before there was an answer.
    #[error("the caller hung up before there was an answer")]
    CallerGone,
    /// Something panicked before there was an answer: a policy engine, a store, or what the application has put in.
    #[error("something panicked before there was an answer; see the log of the process for where")]
    Panicked,
    /// The record could not be kept.
    #[error("the decision could not be recorded: {0}")]
    Audit(#[from] AuditError),
    /// No identifier could be made.
    #[error("the random source is unavailable")]
    Random,
}

impl Refusal {
    pub(crate) fn of_decision(decision: &Decision) -> Self {
        let first = decision.reasons().first();
        let text = first.map_or("the policy gave no reason", Reason::text).into();
        let public = first.and_then(Reason::public_text).map(Into::into);
        Self::Policy { kind: decision.ground_of_denial(), text, public }
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
            Self::Limit(refusal) => refusal.code(),
            Self::Obligation(_) => "obligation_unknown",
            Self::PermitExpired => "permit_expired",
            Self::CallerGone => "caller_gone",
            Self::Panicked => "panicked",
            Self::Audit(_) => "audit_unavailable",
            Self::Random => "random_unavailable",
        }
    }

    /// Whether the answer should tell a nonce, without which no proof would do (RFC 9449 §9).
    pub(crate) const fn wants_nonce(&self) -> bool {
        matches!(self, Self::Binding(BindingError::Dpop(_) | BindingError::Required))
    }

    /// The answer: a status, and the `error` of the challenge and the body (RFC 6750 §3.1, OAuth actor profile).
    pub(super) fn answer(&self) -> (StatusCode, &'static str) {
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
            | Self::Panicked
            | Self::UsesUnavailable
            | Self::Limit(LimitRefusal::Unavailable)
            | Self::PermitExpired
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
            Self::Limit(LimitRefusal::Rate { .. } | LimitRefusal::Concurrency { .. }) => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many_requests")
            }
            Self::Limit(LimitRefusal::Budget { .. }) => (StatusCode::FORBIDDEN, "budget_exceeded"),
            Self::Policy { kind: ReasonKind::ActorNotAuthorized, .. } => (StatusCode::FORBIDDEN, "actor_unauthorized"),
            // A request waits, whatever has become of the one before.
            Self::Approval(
                ApprovalRefusal::Required { .. }
                | ApprovalRefusal::Expired { .. }
                | ApprovalRefusal::StalePolicy { .. },
            ) => (StatusCode::FORBIDDEN, "approval_required"),
            Self::Approval(ApprovalRefusal::Denied { .. }) => (StatusCode::FORBIDDEN, "approval_denied"),
            Self::Approval(ApprovalRefusal::Used { .. }) => (StatusCode::FORBIDDEN, "approval_used"),
            Self::Policy { .. } | Self::Approval(_) | Self::Limit(_) | Self::Obligation(_) => {
                (StatusCode::FORBIDDEN, "access_denied")
            }
        }
    }
}
