//! A workload's JWT-SVIDs as what it authenticates to a token service with.

use agentauth_core::delegation::outbound::{ClientAssertion, ClientAssertions, OutboundError};
use agentauth_core::{IssuerId, SpiffeId};
use async_trait::async_trait;

use super::WorkloadApi;

/// The JWT-SVIDs of a workload, for one token service: its client assertions (OAuth SPIFFE client authentication).
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use agentauth_core::IssuerId;
/// use agentauth_core::delegation::outbound::ClientAuth;
/// use agentauth_spiffe::{WorkloadApi, workload_api::JwtSvidAssertions};
///
/// let spire = WorkloadApi::connect().await?;
/// let sts = IssuerId::new("https://sts.example")?;
/// let auth = ClientAuth::assertions(JwtSvidAssertions::new(spire, sts)); // for HttpExchanger::client_auth
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct JwtSvidAssertions {
    api: WorkloadApi,
    token_service: IssuerId,
    id: Option<SpiffeId>,
}

impl JwtSvidAssertions {
    /// For the token service with this issuer identifier, which is their one audience.
    #[must_use]
    pub const fn new(api: WorkloadApi, token_service: IssuerId) -> Self {
        Self { api, token_service, id: None }
    }

    /// Of this identity, for a workload that has several; otherwise of the first.
    #[must_use]
    pub fn of(mut self, id: SpiffeId) -> Self {
        self.id = Some(id);
        self
    }
}

#[async_trait]
impl ClientAssertions for JwtSvidAssertions {
    /// The same one for half of its life: a JWT-SVID is not for one use.
    async fn assertion(&self) -> Result<ClientAssertion, OutboundError> {
        let audiences = [self.token_service.as_str()];
        let svid = match &self.id {
            Some(id) => self.api.jwt_svid_of(id, &audiences).await,
            None => self.api.jwt_svid(&audiences).await,
        };
        Ok(ClientAssertion::jwt_svid(svid.map_err(OutboundError::client_auth)?.token()))
    }
}
