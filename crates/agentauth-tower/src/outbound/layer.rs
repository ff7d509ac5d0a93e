use std::sync::Arc;

use agentauth_core::delegation::outbound::{Delegator, NextHop, OutboundError, OutboundToken, TokenExchanger};
use agentauth_core::{Authority, Caller, ResourceId, ScopeSet, SubjectToken};
use http::Request;
use tower_layer::Layer;

use super::{DelegationService, Once, OnceMore};

/// Attaches a delegation for exactly one audience to every request. See the [module](crate::outbound).
///
/// Clones share one [`Delegator`], and so what it keeps.
#[derive(Debug, Clone)]
pub struct DelegationLayer {
    pub(super) shared: Arc<Shared>,
}

/// A [`DelegationLayer`] that sends a request once more, where a server wants another nonce in its proof.
#[derive(Debug, Clone)]
pub struct RetryingDelegationLayer {
    shared: Arc<Shared>,
}

#[derive(Debug, Clone)]
pub(super) struct Shared {
    delegator: Delegator,
    /// Refused when it is used: a layer is made where nobody looks at errors.
    hop: Result<NextHop, OutboundError>,
    subject: Option<SubjectToken>,
}

impl DelegationLayer {
    /// Delegates `scopes`, and nothing else, to requests for `audience`, with a [`Delegator`] of its own.
    #[must_use]
    pub fn new(exchanger: impl TokenExchanger + 'static, audience: ResourceId, scopes: ScopeSet) -> Self {
        Self::of(Delegator::new(exchanger), NextHop::new(audience, Authority::of_scopes(scopes)))
    }

    /// Delegates what `hop` says, by `delegator`.
    #[must_use]
    pub fn through(delegator: Delegator, hop: NextHop) -> Self {
        Self::of(delegator, Ok(hop))
    }

    fn of(delegator: Delegator, hop: Result<NextHop, OutboundError>) -> Self {
        Self { shared: Arc::new(Shared { delegator, hop, subject: None }) }
    }

    /// Uses `subject` for requests that have no [`Caller`] among their extensions: a consent that this agent holds.
    #[must_use]
    pub fn subject(mut self, subject: SubjectToken) -> Self {
        Arc::make_mut(&mut self.shared).subject = Some(subject);
        self
    }

    /// Sends a request once more if the server refuses its DPoP proof for want of a nonce. The body must be one that can be
    /// cloned, such as `Full<Bytes>`.
    #[must_use]
    pub fn retrying(self) -> RetryingDelegationLayer {
        RetryingDelegationLayer { shared: self.shared }
    }
}

impl<S> Layer<S> for DelegationLayer {
    type Service = DelegationService<S, Once>;

    fn layer(&self, inner: S) -> Self::Service {
        DelegationService::new(inner, Arc::clone(&self.shared))
    }
}

impl<S> Layer<S> for RetryingDelegationLayer {
    type Service = DelegationService<S, OnceMore>;

    fn layer(&self, inner: S) -> Self::Service {
        DelegationService::new(inner, Arc::clone(&self.shared))
    }
}

impl Shared {
    /// Whose authority is to be passed on, if `request` may have it: found out before anything is asked or sent.
    pub(super) fn caller_of<B>(&self, request: &Request<B>) -> Result<Option<Caller>, OutboundError> {
        self.hop.as_ref().map_err(Clone::clone)?.check_target(request.uri())?;
        let caller = request.extensions().get::<Caller>().cloned();
        if caller.is_none() && self.subject.is_none() { Err(OutboundError::NoSubject) } else { Ok(caller) }
    }

    pub(super) async fn delegate(&self, caller: Option<&Caller>) -> Result<OutboundToken, OutboundError> {
        let hop = self.hop.as_ref().map_err(Clone::clone)?;
        match (caller, &self.subject) {
            (Some(caller), _) => caller.delegate_through(&self.delegator, hop).await,
            (None, Some(subject)) => self.delegator.delegate(subject, hop).await,
            (None, None) => Err(OutboundError::NoSubject),
        }
    }
}
