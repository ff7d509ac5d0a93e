//! What a caller may have passed on to the next server.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use super::Caller;
use crate::delegation::outbound::{Delegator, Inbound, NextHop, OutboundError, OutboundToken};
use crate::identity::ResourceId;
use crate::scope::{Authority, ScopeSet};

impl Caller {
    /// Passes on a part of what was delegated, to be used at `audience` and nowhere else: what is named with
    /// [`DelegateTo::scopes`] or [`DelegateTo::authority`]. Awaiting it exchanges the caller's token, by the delegator that
    /// the engine was built with ([`AgentAuthBuilder::delegate_through`](crate::AgentAuthBuilder::delegate_through)).
    ///
    /// It answers [`OutboundError`]: also if `audience` or the scopes are malformed, and if none are named.
    ///
    /// ```
    /// # async fn handle(caller: agentauth_core::Caller) -> Result<(), agentauth_core::OutboundError> {
    /// let records = caller.delegate_to("https://records.example.com").scopes("records:read").await?;
    /// let mut request = http::Request::get("https://records.example.com/cases/7").body(()).unwrap();
    /// records.authorize(&mut request)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn delegate_to(&self, audience: &str) -> DelegateTo<'_> {
        DelegateTo {
            caller: self,
            audience: ResourceId::new(audience).map_err(Into::into),
            authority: Ok(None),
            trust_domain: None,
        }
    }

    /// Passes on what `hop` says, by the delegator that the engine was built with: for what is asked for again and again.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn delegate(&self, hop: &NextHop) -> Result<OutboundToken, OutboundError> {
        let delegator = self.inner.auth.inner.delegator.as_ref().ok_or(OutboundError::NotConfigured)?;
        self.delegate_through(delegator, hop).await
    }

    /// Passes on what `hop` says, by this `delegator`: how a client layer does it.
    ///
    /// # Errors
    /// [`OutboundError`]; [`OutboundError::CallerEnded`] also where the caller's connection is no longer good, its
    /// transaction has ended, or something that it depends on was revoked.
    pub async fn delegate_through(&self, delegator: &Delegator, hop: &NextHop) -> Result<OutboundToken, OutboundError> {
        let inner = &*self.inner;
        let now = inner.auth.now();
        // What is kept for a caller is no longer its own once anything that it came from has been revoked.
        self.standing(now).await.map_err(|_| OutboundError::CallerEnded)?;
        self.check_standing(inner.auth.now()).map_err(|_| OutboundError::CallerEnded)?;
        let credentials = inner.evidence.credentials.as_ref().ok().and_then(Option::as_ref);
        let subject = &credentials.ok_or(OutboundError::NoSubject)?.token;
        let token = delegator.delegate_from(Inbound { subject, caller: Some(&inner.delegation) }, hop).await?;
        Ok(token.with_transaction(hop.transaction_of(self.transaction())))
    }
}

/// A delegation that is being put together. It is asked for when it is awaited.
#[derive(Debug)]
#[must_use = "nothing is delegated until it is awaited"]
pub struct DelegateTo<'c> {
    caller: &'c Caller,
    audience: Result<ResourceId, OutboundError>,
    authority: Result<Option<Authority>, OutboundError>,
    trust_domain: Option<Box<str>>,
}

impl DelegateTo<'_> {
    /// What the next server is to be told: these scopes, joined by spaces, and nothing else. At least one must be named.
    pub fn scopes(mut self, scopes: &str) -> Self {
        let scopes = scopes.parse::<ScopeSet>();
        self.authority = scopes.map(|scopes| Some(Authority::of_scopes(scopes))).map_err(Into::into);
        self
    }

    /// The next server is in `trust_domain`: see [`NextHop::within_trust_domain`].
    pub fn within_trust_domain(mut self, trust_domain: &str) -> Self {
        self.trust_domain = Some(trust_domain.into());
        self
    }

    /// What the next server is to be told, where it is at hand as an [`Authority`]: in place of scopes that were named before.
    pub fn authority(mut self, authority: Authority) -> Self {
        self.authority = Ok(Some(authority));
        self
    }
}

impl<'c> IntoFuture for DelegateTo<'c> {
    type Output = Result<OutboundToken, OutboundError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { caller, audience, authority, trust_domain } = self;
        Box::pin(async move {
            let hop = NextHop::new(audience?, authority?.ok_or(OutboundError::NoScopes)?)?;
            let hop = match trust_domain {
                Some(trust_domain) => hop.within_trust_domain(&trust_domain),
                None => hop,
            };
            caller.delegate(&hop).await
        })
    }
}
