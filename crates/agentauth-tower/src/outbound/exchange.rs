use std::sync::Arc;

use agentauth_core::TokenService;
use agentauth_core::delegation::outbound::{Holder, OutboundError, TokenExchanger};
use agentauth_core::delegation::{Client, ExchangeRequest, IssuedToken};
use agentauth_core::identity::svid::X509Svid;
use async_trait::async_trait;

/// A token service in this process, used by the agent with this SVID, to which its tokens are bound.
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
        let answer = self.service.exchange(&Client::from(&*self.client), request).await;
        answer.map_err(|refusal| OutboundError::Refused { error: refusal.error, evaluation_id: refusal.evaluation_id })
    }

    fn holder(&self) -> Result<Holder, OutboundError> {
        Ok(Holder::from(&*self.client))
    }
}
