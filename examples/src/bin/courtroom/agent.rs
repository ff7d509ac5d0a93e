//! An agent: its own identity, its own connections.

use std::sync::Arc;

use agentauth_core::binding::dpop::{DPOP, DpopKey};
use agentauth_core::delegation::ExchangeRequest;
use agentauth_core::delegation::chain::{AGENT_DELEGATION, Chain};
use agentauth_core::identity::svid::{X509Identity, X509Svid};
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::{Clock as _, ResourceId, ScopeSet, SpiffeId, SubjectToken, SystemClock};
use agentauth_examples::ca::Ca;
use agentauth_spiffe::client::SvidClient;
use agentauth_spiffe::tls::Servers;
use agentauth_tower::DelegationLayer;
use agentauth_tower::client::HttpExchanger;
use agentauth_tower::outbound::DelegationService;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use serde_json::Value;
use tower::Layer as _;

use crate::Error;

/// An agent with an SVID of its own, which every connection it makes is proven with.
pub(crate) struct Agent {
    identity: Arc<X509Identity>,
    svid: Arc<X509Svid>,
    client: SvidClient,
    token_endpoint: Uri,
    /// What chains are bound to, and links are signed with.
    key: SigningKey,
    /// The same key, for proofs that it is held.
    proofs: DpopKey,
}

impl Agent {
    pub(crate) fn new(ca: &Ca, path: &str, sts: &ResourceId) -> Result<Self, Error> {
        let identity = ca.mint(path)?;
        let svid = Arc::new(ca.trust()?.verify(identity.chain(), SystemClock.now())?);
        let servers = Servers::below("spiffe://court.example/server".parse()?);
        let client = SvidClient::builder(identity.clone(), ca.bundles()?, servers).allow_loopback().build()?;
        let key = SigningKey::generate(Algorithm::EdDsa)?;
        let proofs = DpopKey::new(SigningKey::from_pkcs8(Algorithm::EdDsa, &key.to_pkcs8()?)?)?;
        Ok(Self { identity, svid, client, token_endpoint: format!("{sts}/token").parse()?, key, proofs })
    }

    pub(crate) fn id(&self) -> &SpiffeId {
        self.identity.id()
    }

    /// The last part of the agent's SPIFFE ID, to be shown.
    pub(crate) fn name(&self) -> &str {
        self.id().path().rsplit('/').next().unwrap_or_default()
    }

    pub(crate) const fn svid(&self) -> &Arc<X509Svid> {
        &self.svid
    }

    pub(crate) const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// An HTTP client whose requests carry a delegation of `scopes` for `audience`, exchanged from `subject`.
    pub(crate) fn delegated(
        &self,
        subject: &SubjectToken,
        audience: &ResourceId,
        scopes: &str,
    ) -> Result<DelegationService<SvidClient>, Error> {
        let exchanger =
            HttpExchanger::new(self.client.clone(), self.token_endpoint.clone()).identity(self.identity.clone());
        let scopes: ScopeSet = scopes.parse()?;
        let layer = DelegationLayer::new(exchanger, audience.clone(), scopes).subject(subject.clone());
        Ok(layer.layer(self.client.clone()))
    }

    /// Asks the token service for an exchange, and shows its whole answer.
    pub(crate) async fn ask_exchange(&self, request: &ExchangeRequest) -> Result<Response<Bytes>, Error> {
        self.ask_token_service(request.to_form()).await
    }

    /// A delegation from the token service, as text: for acts that use it in ways that no client of ours would.
    pub(crate) async fn exchange(&self, request: &ExchangeRequest) -> Result<String, Error> {
        token_in(&self.ask_exchange(request).await?)
    }

    /// A delegation that is bound to this agent's key, and not to its certificate: what can be narrowed offline.
    pub(crate) async fn exchange_for_key(&self, request: &ExchangeRequest) -> Result<String, Error> {
        let mut request = self.token_request(request.to_form());
        let proof = self.proofs.prove(request.method(), request.uri(), None)?;
        request.headers_mut().insert(DPOP, proof);
        token_in(&self.send(request, None).await?)
    }

    /// The agent's own token for `audience`, which speaks for no one else.
    pub(crate) async fn own_token(&self, audience: &ResourceId) -> Result<String, Error> {
        token_in(&self.ask_own_token(audience).await?)
    }

    /// Asks for such a token, and shows the whole answer.
    pub(crate) async fn ask_own_token(&self, audience: &ResourceId) -> Result<Response<Bytes>, Error> {
        self.ask_token_service(format!("grant_type=client_credentials&resource={audience}")).await
    }

    /// A request with a token as it is, or with none.
    pub(crate) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        token: Option<&str>,
    ) -> Result<Response<Bytes>, Error> {
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}"))?);
        }
        Ok(self.client.send(request, 64 * 1024).await?)
    }

    /// A request with a chain, and the proof that this agent holds the key that its last link is bound to.
    pub(crate) async fn present(&self, request: Request<Full<Bytes>>, chain: &Chain) -> Result<Response<Bytes>, Error> {
        self.present_under(request, chain, &[chain]).await
    }

    /// A request with the last link of `chain`, and the ancestors of all of `chains`.
    pub(crate) async fn present_under(
        &self,
        mut request: Request<Full<Bytes>>,
        chain: &Chain,
        chains: &[&Chain],
    ) -> Result<Response<Bytes>, Error> {
        let proof = self.proofs.prove(request.method(), request.uri(), Some(chain.leaf()))?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("DPoP {}", chain.leaf()))?);
        headers.insert(DPOP, proof);
        for ancestors in chains.iter().filter_map(|chain| chain.to_header()) {
            headers.append(AGENT_DELEGATION, ancestors);
        }
        self.send(request, None).await
    }

    async fn ask_token_service(&self, form: String) -> Result<Response<Bytes>, Error> {
        self.send(self.token_request(form), None).await
    }

    fn token_request(&self, form: String) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::from(form));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.token_endpoint);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        request
    }
}

/// The token in an answer of the token service.
pub(crate) fn token_in(answer: &Response<Bytes>) -> Result<String, Error> {
    let answer: Value = serde_json::from_slice(answer.body())?;
    let token = answer.get("access_token").and_then(Value::as_str);
    Ok(token.ok_or_else(|| format!("the token service refused: {answer}"))?.to_owned())
}
