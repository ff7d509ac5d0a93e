use std::ops::Deref;

use agentauth_core::AgentAuth;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use crate::Rejection;
use crate::rejection::no_credentials;

/// The verified caller of this request.
///
/// As an extractor, `Caller` refuses a request that shows no credentials, which only reaches it behind an
/// [optional](crate::AgentAuthLayer::optional) layer; `Option<Caller>` is then `None`. Credentials that are shown and
/// are not good never reach either: the layer has refused them. Without the layer, both answer 500.
#[derive(Debug, Clone)]
pub struct Caller(agentauth_core::Caller);

impl Deref for Caller {
    type Target = agentauth_core::Caller;

    fn deref(&self) -> &agentauth_core::Caller {
        &self.0
    }
}

impl From<Caller> for agentauth_core::Caller {
    fn from(caller: Caller) -> Self {
        caller.0
    }
}

fn found(parts: &Parts) -> Result<(Option<Caller>, &AgentAuth), Rejection> {
    let auth = parts.extensions.get::<AgentAuth>();
    let auth =
        auth.ok_or(Rejection::server("the route has no AgentAuthLayer: add .layer(AgentAuthLayer::new(auth))"))?;
    Ok((parts.extensions.get::<agentauth_core::Caller>().cloned().map(Caller), auth))
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        match found(parts)? {
            (Some(caller), _) => Ok(caller),
            (None, auth) => Err(no_credentials(auth, &parts.headers).await),
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        found(parts).map(|(caller, _)| caller)
    }
}
