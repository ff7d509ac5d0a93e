use http::Uri;

use super::OutboundError;
use super::cache::{Parts, append};
use super::reach::check_target;
use crate::identity::ResourceId;
use crate::scope::Authority;

/// One next server, and what is to be delegated to it.
#[derive(Debug, Clone)]
pub struct NextHop {
    audience: ResourceId,
    authority: Authority,
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
        Ok(Self { audience, authority, mark: mark.as_slice().into() })
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
        let has_details = !self.authority.is_within(&Authority::of_scopes(self.authority.scopes().clone()));
        has_details.then(|| self.authority.clone())
    }

    /// Whether a request to `uri` reaches the server: its origin, byte for byte, and a path at or below its own.
    ///
    /// # Errors
    /// [`OutboundError::WrongAudience`].
    pub fn check_target(&self, uri: &Uri) -> Result<(), OutboundError> {
        check_target(uri, &self.audience)
    }
}
