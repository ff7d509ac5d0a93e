use http::Uri;

use super::OutboundError;
use super::cache::{Parts, append};
use super::reach::check_target;
use crate::identity::ResourceId;
use crate::scope::Authority;
use crate::token::TransactionToken;

/// One next server, and what is to be delegated to it.
#[derive(Debug, Clone)]
pub struct NextHop {
    audience: ResourceId,
    authority: Authority,
    trust_domain: Option<Box<str>>,
    /// Both, as a key of the cache has them.
    pub(super) mark: Box<[u8]>,
}

impl NextHop {
    /// `authority`, at `audience` and nowhere else.
    ///
    /// # Errors
    /// [`OutboundError::NoScopes`] if nothing is named: a token service would take that for all (RFC 6749 §3.3).
    pub fn new(audience: ResourceId, authority: Authority) -> Result<Self, OutboundError> {
        if authority.is_empty() {
            return Err(OutboundError::NoScopes);
        }
        let (scopes, details) = (authority.scopes().to_string(), authority.to_details().to_string());
        let mut mark = Parts::new();
        for part in [audience.as_str(), &scopes, &details] {
            append(&mut mark, part.as_bytes());
        }
        Ok(Self { audience, authority, trust_domain: None, mark: mark.as_slice().into() })
    }

    /// The server is in `trust_domain`: the transaction token of a caller, if it counts there, goes on to it as it came. To
    /// any other server none is sent.
    #[must_use]
    pub fn within_trust_domain(mut self, trust_domain: &str) -> Self {
        self.trust_domain = Some(trust_domain.into());
        self
    }

    /// `transaction`, if it counts where the server is.
    pub(crate) fn transaction_of(&self, transaction: Option<&TransactionToken>) -> Option<TransactionToken> {
        transaction.filter(|transaction| self.trust_domain.as_deref() == Some(transaction.trust_domain())).cloned()
    }

    /// The one server.
    #[must_use]
    pub const fn audience(&self) -> &ResourceId {
        &self.audience
    }

    /// What is to be delegated.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What of it scopes cannot say, if there is anything.
    pub(super) fn details(&self) -> Option<Authority> {
        self.authority.has_details().then(|| self.authority.clone().without_scopes())
    }

    /// Whether a request to `uri` reaches the server: its origin, byte for byte, and a path at or below its own.
    ///
    /// # Errors
    /// [`OutboundError::WrongAudience`].
    pub fn check_target(&self, uri: &Uri) -> Result<(), OutboundError> {
        check_target(uri, &self.audience)
    }
}
