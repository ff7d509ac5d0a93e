use std::error::Error;
use std::fmt;
use std::sync::Arc;

use agentauth_core::delegation::outbound::{ClientAuth, Holder, OutboundError, TokenExchanger};
use agentauth_core::delegation::{ExchangeRequest, IssuedToken};
use agentauth_core::identity::svid::IdentitySource;
use agentauth_core::{Clock, IssuerId, ResourceId, SystemClock};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use tower_service::Service;

use super::HttpsClient;
use super::token_endpoint::{Held, TokenEndpoint};

/// Two token services, one after the other: the user's identity provider for an assertion (ID-JAG), and the authorization
/// server of another organisation for a token for it. This is how Okta's Cross App Access works.
///
/// The subject is an ID token that this agent was given at a login; what a [`Caller`](agentauth_core::Caller) came with is
/// none. The assertion goes to that one authorization server, once.
#[derive(Debug, Clone)]
pub struct IdJagExchanger<C = HttpsClient> {
    provider: TokenEndpoint<C>,
    server: TokenEndpoint<C>,
    issuer: IssuerId,
    names: Arc<[(ResourceId, Box<str>)]>,
    clock: Arc<dyn Clock>,
}

impl<C: Clone> IdJagExchanger<C> {
    /// Asks the identity provider at the token endpoint `provider` for an assertion for the authorization server `issuer`,
    /// and that at its token endpoint `server` for a token.
    #[must_use]
    pub fn new(client: C, provider: Uri, issuer: IssuerId, server: Uri) -> Self {
        let endpoint =
            |client, uri| TokenEndpoint { client, uri, auth: ClientAuth::certificate(), held: Held::Unknown };
        let provider = endpoint(client.clone(), provider);
        let server = endpoint(client, server);
        Self { provider, server, issuer, names: Arc::new([]), clock: Arc::new(SystemClock) }
    }

    /// How this client authenticates to the identity provider, and to the authorization server: by its certificate unless
    /// set.
    #[must_use]
    pub fn client_auth(mut self, provider: ClientAuth, server: ClientAuth) -> Self {
        (self.provider.auth, self.server.auth) = (provider, server);
        self
    }

    /// Says that the client connects with the certificate of this identity: see
    /// [`HttpExchanger::identity`](super::HttpExchanger::identity).
    #[must_use]
    pub fn identity(mut self, identity: impl IdentitySource + 'static) -> Self {
        self.server.held = Held::Certificate(Arc::new(identity));
        self
    }

    /// Says that the authorization server calls the server `audience` by `name` in `aud`.
    #[must_use]
    pub fn server(mut self, audience: ResourceId, name: &str) -> Self {
        let names = self.names.iter().cloned().chain([(audience, name.into())]);
        self.names = names.collect();
        self
    }

    /// The clock: the system's unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

#[async_trait]
impl<C> TokenExchanger for IdJagExchanger<C>
where
    C: Service<Request<Full<Bytes>>, Response = Response<Bytes>> + Clone + fmt::Debug + Send + Sync + 'static,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    C::Future: Send,
{
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError> {
        let step = request.id_jag_request(self.issuer.clone());
        let asked = self.clock.now();
        let answer = self.provider.ask(&step.to_form()).await?;
        let assertion = answer.read(|body| step.read_answer(body, asked))?;

        let step = request.jwt_bearer_request(assertion);
        let asked = self.clock.now();
        let answer = self.server.ask(&step.to_form()).await?;
        answer.read(|body| step.read_answer(body, asked))
    }

    fn holder(&self) -> Result<Holder, OutboundError> {
        self.server.holder()
    }

    fn audience_name<'a>(&'a self, audience: &'a ResourceId) -> &'a str {
        self.names.iter().find(|(server, _)| server == audience).map_or(audience.as_str(), |(_, name)| name)
    }
}
