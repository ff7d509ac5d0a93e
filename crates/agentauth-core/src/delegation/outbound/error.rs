use std::error::Error;
use std::sync::Arc;

use http::Uri;

use super::AnswerError;
use crate::binding::dpop::ProofFailed;
use crate::delegation::ExchangeError;
use crate::identity::svid::IdentityUnavailable;
use crate::identity::{NameError, ResourceId};
use crate::scope::ScopeError;

/// Why an outbound request was not sent, or its token not had.
///
/// Clones share their source: all that have waited for one exchange are told the same.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The request goes to another server, or another part of it, than the token is for.
    #[error("the request to {uri} was not sent: its delegation is for {audience} only")]
    WrongAudience {
        /// Where the request was to go, without user information and query.
        uri: Uri,
        /// What the delegation is for.
        audience: ResourceId,
    },
    /// Neither the request nor the layer has a token that could be exchanged.
    #[error("there is nothing to delegate: neither a caller nor a subject token was given")]
    NoSubject,
    /// No scope is to be delegated, which a token service would take for all.
    #[error("no scope is named to delegate: name at least one")]
    NoScopes,
    /// The engine was not told by whom to delegate.
    #[error("this engine has no token service to delegate through: call .delegate_through(..) when it is built")]
    NotConfigured,
    /// The next server's identifier is malformed.
    #[error("the next server's identifier is malformed: {0}")]
    Audience(#[from] NameError),
    /// The scopes to delegate are malformed.
    #[error("the scopes to delegate are malformed: {0}")]
    Scopes(#[from] ScopeError),
    /// What the caller came with has ended, or was revoked: its token, its certificate or the trust in it.
    #[error("the caller's own credentials are no longer good, so nothing of them can be passed on")]
    CallerEnded,
    /// This agent has no identity to authenticate with, or to have the token bound to.
    #[error("this agent has no identity of its own at the moment: {0}")]
    Identity(#[from] IdentityUnavailable),
    /// A proof of possession could not be made.
    #[error("no proof of possession could be made: {0}")]
    Proof(#[from] ProofFailed),
    /// The assertion that authenticates this client could not be made.
    #[error("this client could not be authenticated to the token service: {0}")]
    ClientAuth(#[source] Arc<dyn Error + Send + Sync>),
    /// Too many wait for exchanges already.
    #[error("too many requests wait for the token service already")]
    Busy,
    /// The token service refused, or its answer cannot be used.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The token service in this process refused.
    #[error("{error}")]
    Refused {
        /// The reason.
        error: ExchangeError,
        /// Where it stands in the record.
        evaluation_id: Arc<str>,
    },
    /// The token service cannot be reached.
    #[error("the token service could not be reached: {0}")]
    Unreachable(#[source] Arc<dyn Error + Send + Sync>),
    /// The request itself failed.
    #[error("the request failed: {0}")]
    Inner(#[source] Arc<dyn Error + Send + Sync>),
}

impl OutboundError {
    /// The token service cannot be reached, for this reason.
    pub fn unreachable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unreachable(Arc::from(source.into()))
    }

    /// The request itself failed, for this reason.
    pub fn inner(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Inner(Arc::from(source.into()))
    }

    /// This client could not be authenticated, for this reason.
    pub fn client_auth(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::ClientAuth(Arc::from(source.into()))
    }

    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WrongAudience { .. } => "outbound_wrong_audience",
            Self::NoSubject => "outbound_no_subject",
            Self::NoScopes => "outbound_no_scopes",
            Self::NotConfigured => "outbound_not_configured",
            Self::Audience(_) | Self::Scopes(_) => "outbound_malformed",
            Self::CallerEnded => "outbound_caller_ended",
            Self::Identity(error) => error.code(),
            Self::Proof(_) => "outbound_proof_failed",
            Self::ClientAuth(_) => "outbound_client_auth_failed",
            Self::Busy => "outbound_busy",
            Self::Answer(error) => error.code(),
            Self::Refused { error, .. } => error.code(),
            Self::Unreachable(_) => "outbound_unreachable",
            Self::Inner(_) => "outbound_failed",
        }
    }
}
