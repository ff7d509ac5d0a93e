use std::error::Error;
use std::fmt;
use std::sync::Arc;

use agentauth_core::binding::dpop::DpopKey;
use agentauth_core::delegation::outbound::{ClientAuth, Holder, OutboundError, StsProfile, TokenExchanger};
use agentauth_core::delegation::{ExchangeRequest, IssuedToken};
use agentauth_core::identity::svid::IdentitySource;
use agentauth_core::scope::DetailTypes;
use agentauth_core::{Clock, ResourceId, SystemClock};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use tower_service::Service;

use super::HttpsClient;
use super::token_endpoint::{Held, TokenEndpoint};

/// A token service elsewhere. Unless told otherwise, it speaks RFC 8693, and the client authenticates by the certificate of
/// its TLS configuration (RFC 8705 §2).
#[derive(Debug, Clone)]
pub struct HttpExchanger<C = HttpsClient> {
    endpoint: TokenEndpoint<C>,
    profile: Arc<StsProfile>,
    clock: Arc<dyn Clock>,
}

impl<C> HttpExchanger<C> {
    /// Exchanges at the token endpoint `endpoint`, by an [`HttpsClient`] or what else answers requests as it does: whole,
    /// bounded in size and in time.
    #[must_use]
    pub fn new(client: C, endpoint: Uri) -> Self {
        let endpoint = TokenEndpoint { client, uri: endpoint, auth: ClientAuth::certificate(), held: Held::Unknown };
        Self { endpoint, profile: Arc::default(), clock: Arc::new(SystemClock) }
    }

    /// How the service wants to be asked: by RFC 8693 unless set.
    #[must_use]
    pub fn profile(mut self, profile: StsProfile) -> Self {
        self.profile = Arc::new(profile);
        self
    }

    /// How this client authenticates: by its certificate unless set.
    #[must_use]
    pub fn client_auth(mut self, auth: ClientAuth) -> Self {
        self.endpoint.auth = auth;
        self
    }

    /// Says that the client connects with the certificate of this identity, there and at the next servers: tokens that are
    /// bound to another one are refused, and those that are bound to it can be kept until it is renewed.
    #[must_use]
    pub fn identity(mut self, identity: impl IdentitySource + 'static) -> Self {
        self.endpoint.held = Held::Certificate(Arc::new(identity));
        self
    }

    /// Has tokens bound to this key (RFC 9449 §5), and proves it with each request: tokens that are not are refused.
    #[must_use]
    pub fn dpop(mut self, key: Arc<DpopKey>) -> Self {
        self.endpoint.held = Held::Dpop(key);
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
impl<C> TokenExchanger for HttpExchanger<C>
where
    C: Service<Request<Full<Bytes>>, Response = Response<Bytes>> + Clone + fmt::Debug + Send + Sync + 'static,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    C::Future: Send,
{
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError> {
        // The holder as it is asked with; the delegator compares what comes back with the one that it is by then.
        let holder = self.endpoint.holder()?;
        let asked = self.clock.now();
        let answer = self.endpoint.ask(&self.profile.form(request)).await?;
        answer.read(|body| self.profile.read_answer(request, &holder, body, asked))
    }

    fn holder(&self) -> Result<Holder, OutboundError> {
        self.endpoint.holder()
    }

    fn audience_name<'a>(&'a self, audience: &'a ResourceId) -> &'a str {
        self.profile.name_of(audience)
    }

    fn detail_types(&self) -> DetailTypes {
        self.profile.detail_types().clone()
    }
}
