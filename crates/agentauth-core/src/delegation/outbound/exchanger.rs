use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::OutboundError;
use crate::binding::dpop::DpopKey;
use crate::delegation::{ExchangeRequest, IssuedToken};
use crate::identity::ResourceId;
use crate::identity::svid::{IdentitySource, X509Svid};
use crate::scope::DetailTypes;
use crate::time::Timestamp;

/// Exchanges tokens: in process, or at a token service elsewhere.
///
/// Whoever implements it bounds how long an exchange takes, and how much of an answer is read. What it brings is checked by
/// the [`Delegator`](super::Delegator), whoever brings it.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot exchange tokens",
    label = "a token service is wanted here",
    note = "tokens are exchanged by `HttpExchanger` at a token service elsewhere, and by `InProcess` at one in this process"
)]
pub trait TokenExchanger: Send + Sync + fmt::Debug {
    /// Exchanges a token as `request` asks.
    ///
    /// # Errors
    /// [`OutboundError`].
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError>;

    /// Whose key the tokens are bound to that it brings now. It is asked for each request, so it must answer at once.
    ///
    /// # Errors
    /// [`OutboundError::Identity`] where this agent has no identity at the moment.
    fn holder(&self) -> Result<Holder, OutboundError> {
        Ok(Holder::Unknown)
    }

    /// What the token service calls `audience` in the tokens it issues, where that is not the server's identifier: a
    /// client id, for some.
    fn audience_name<'a>(&'a self, audience: &'a ResourceId) -> &'a str {
        audience.as_str()
    }

    /// The types of `authorization_details` that are understood in new tokens: the built-in one unless there are more.
    fn detail_types(&self) -> DetailTypes {
        DetailTypes::new()
    }
}

#[async_trait]
impl<T: TokenExchanger + ?Sized> TokenExchanger for Arc<T> {
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError> {
        (**self).exchange(request).await
    }

    fn holder(&self) -> Result<Holder, OutboundError> {
        (**self).holder()
    }

    fn audience_name<'a>(&'a self, audience: &'a ResourceId) -> &'a str {
        (**self).audience_name(audience)
    }

    fn detail_types(&self) -> DetailTypes {
        (**self).detail_types()
    }
}

/// Whose key a token must be bound to, to be of use to this agent.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Holder {
    /// It is not known here. A token that is bound to a certificate may be this connection's or not: it is sent, and not
    /// kept. One that is bound by DPoP is refused, as no key is held.
    #[default]
    Unknown,
    /// The certificate that this agent connects with (RFC 8705 §3).
    Certificate {
        /// Its SHA-256.
        thumbprint: [u8; 32],
        /// Its last second.
        not_after: Timestamp,
    },
    /// A key that each request proves (RFC 9449).
    Dpop(Arc<DpopKey>),
}

impl Holder {
    /// The certificate of this agent's identity as it is now.
    ///
    /// # Errors
    /// [`OutboundError::Identity`].
    pub fn of(identity: &dyn IdentitySource) -> Result<Self, OutboundError> {
        let identity = identity.identity()?;
        Ok(Self::Certificate { thumbprint: *identity.thumbprint(), not_after: identity.not_after() })
    }

    /// The last second at which a token of this holder is of use, if there is one.
    pub(super) const fn not_after(&self) -> Option<Timestamp> {
        match self {
            Self::Certificate { not_after, .. } => Some(*not_after),
            Self::Unknown | Self::Dpop(_) => None,
        }
    }

    /// What tells one holder from another.
    pub(super) fn mark(&self) -> (u8, &[u8]) {
        match self {
            Self::Unknown => (0, &[]),
            Self::Certificate { thumbprint, .. } => (1, thumbprint),
            Self::Dpop(key) => (2, key.thumbprint().as_bytes()),
        }
    }
}

impl From<&X509Svid> for Holder {
    fn from(svid: &X509Svid) -> Self {
        Self::Certificate { thumbprint: *svid.thumbprint(), not_after: svid.not_after() }
    }
}
