use std::error::Error;
use std::fmt;
use std::sync::Arc;

use agentauth_core::ResourceId;
use agentauth_core::TokenService;
use agentauth_core::delegation::{AnswerError, Client, ExchangeRequest, IssuedToken};
use agentauth_core::identity::svid::X509Svid;
use async_trait::async_trait;
use http::Uri;

/// Exchanges tokens: in process, or at a token service elsewhere.
#[async_trait]
pub trait TokenExchanger: Send + Sync + fmt::Debug {
    /// Exchanges a token as `request` asks.
    ///
    /// # Errors
    /// [`OutboundError`].
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError>;
}

/// Why an outbound request was not sent, or its token not had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The request goes to another server, or another part of it, than the token is for.
    #[error("the request to {uri} was not sent: its delegation is for {audience} only")]
    WrongAudience {
        /// Where the request was to go.
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
    /// The token service refused, or its answer cannot be used.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The token service in this process refused.
    #[error(transparent)]
    Refused(#[from] agentauth_core::TokenRefusal),
    /// The token service cannot be reached.
    #[error("the token service could not be reached: {0}")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The request itself failed.
    #[error("the request failed: {0}")]
    Inner(#[source] Box<dyn Error + Send + Sync>),
}

impl OutboundError {
    /// The stable machine code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongAudience { .. } => "outbound_wrong_audience",
            Self::NoSubject => "outbound_no_subject",
            Self::NoScopes => "outbound_no_scopes",
            Self::Answer(error) => error.code(),
            Self::Refused(refusal) => refusal.error.code(),
            Self::Unreachable(_) => "outbound_unreachable",
            Self::Inner(_) => "outbound_failed",
        }
    }
}

/// A token service in this process, used by the agent with this SVID.
#[derive(Debug, Clone)]
pub struct InProcess {
    service: TokenService,
    client: Arc<X509Svid>,
}

impl InProcess {
    /// Exchanges at `service` as `client`.
    #[must_use]
    pub const fn new(service: TokenService, client: Arc<X509Svid>) -> Self {
        Self { service, client }
    }
}

#[async_trait]
impl TokenExchanger for InProcess {
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError> {
        Ok(self.service.exchange(&Client::from(&*self.client), request).await?)
    }
}
