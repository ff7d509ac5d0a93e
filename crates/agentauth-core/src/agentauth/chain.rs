//! Where a token was narrowed by its holders: the root is verified like every token, and then each link below it.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};

use super::AgentAuth;
use crate::evidence::{Credentials, Evidence};
use crate::rejection::Refusal;
use crate::time::Timestamp;
use crate::token::VerifiedToken;

impl AgentAuth {
    /// What an HTTP request shows in its head, as [`Evidence::from_http`] reads it; and where this engine follows chains,
    /// the ancestors of the token from the header that it is told.
    #[must_use]
    pub fn evidence(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Evidence {
        let evidence = Evidence::from_http(method, uri, headers);
        #[cfg(feature = "unstable-chain")]
        if let Some(chains) = &self.inner.chains {
            return evidence.with_ancestors_from(headers, chains.settings().header_name());
        }
        evidence
    }

    /// The token that an issuer has signed: the root of a chain, or the one that is presented.
    #[cfg(feature = "unstable-chain")]
    pub(super) fn issued_of<'e>(&self, shown: &'e Credentials, evidence: &'e Evidence) -> Result<&'e str, Refusal> {
        let leaf = shown.token.reveal();
        // Where no chains are followed, the header means nothing.
        let Some(chains) = &self.inner.chains else { return Ok(leaf) };
        match evidence.ancestors.as_ref().map_err(Clone::clone)? {
            Some(ancestors) => Ok(chains.take_apart(ancestors.reveal(), leaf)?.root),
            None => Ok(leaf),
        }
    }

    /// What is left of `issued` at the end of the chain, if there is one.
    #[cfg(feature = "unstable-chain")]
    pub(super) fn narrowed(
        &self,
        issued: Arc<VerifiedToken>,
        shown: &Credentials,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Arc<VerifiedToken>, Refusal> {
        let Some(chains) = &self.inner.chains else { return Ok(issued) };
        let Some(ancestors) = evidence.ancestors.as_ref().map_err(Clone::clone)? else { return Ok(issued) };
        let presented = chains.take_apart(ancestors.reveal(), shown.token.reveal())?;
        Ok(Arc::new(chains.follow(&self.inner.tokens, &issued, &presented, now)?.into_token()))
    }

    /// The token that is presented.
    #[cfg(not(feature = "unstable-chain"))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as where chains are followed")]
    pub(super) fn issued_of<'e>(&self, shown: &'e Credentials, _: &'e Evidence) -> Result<&'e str, Refusal> {
        Ok(shown.token.reveal())
    }

    /// The token as it is.
    #[cfg(not(feature = "unstable-chain"))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as where chains are followed")]
    pub(super) fn narrowed(
        &self,
        issued: Arc<VerifiedToken>,
        _: &Credentials,
        _: &Evidence,
        _: Timestamp,
    ) -> Result<Arc<VerifiedToken>, Refusal> {
        Ok(issued)
    }
}
