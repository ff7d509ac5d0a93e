//! The reception of an issuer: clients of every kind that come to it with a form.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use agentauth_core::binding::dpop::{Dpop, DpopVerifier, NonceKey};
use agentauth_core::delegation::{ClientSecret, Consent, IssuerBuilder, RegisteredClient, TokenRequest};
use agentauth_core::identity::svid::{TrustBundle, TrustBundles, X509Svid};
use agentauth_core::jose::Algorithm;
use agentauth_core::{AgentTrust, SystemRandom, TokenRefusal, TokenService};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use serde_json::{Value, json};

use super::certs::NOW;
use super::court::{ACCEPTED, CLERK, Court, Key, LAWYER, RESOURCE, STS, wait};
use super::dpop_client::DpopClient;
use super::office::{SCOPES, spiffe};
use super::svid_signer::SvidSigner;

pub(crate) const TYPE_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
pub(crate) const TYPE_JWT_SVID: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

/// A client that signs assertions, one that has a secret, one that may have bearer tokens, and the clerk's other name.
pub(crate) const APP: &str = "records-app";
pub(crate) const OLD: &str = "old:app+1%";
pub(crate) const LOOSE: &str = "loose-app";
pub(crate) const CLERKS: &str = "clerks-app";

const TOKEN_ENDPOINT: &str = "https://sts.court.example/token";

pub(crate) fn form_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers
}

/// The body of the answer to `form`, or why there is none.
pub(crate) fn answer(service: &TokenService, peer: Option<&X509Svid>, form: &str) -> Result<Value, TokenRefusal> {
    let headers = form_headers();
    let response = wait(service.answer(&TokenRequest::new(&headers, form.as_bytes()).with_peer(peer)));
    match response.extensions().get::<TokenRefusal>() {
        Some(refusal) => Err(refusal.clone()),
        None => Ok(serde_json::from_str(response.body()).unwrap()),
    }
}

pub(crate) struct Reception {
    pub(crate) court: Court,
    pub(crate) service: TokenService,
    pub(crate) key: Key,
    pub(crate) secret: ClientSecret,
    pub(crate) svids: SvidSigner,
    pub(crate) dpop: DpopClient,
    pub(crate) lawyer: Arc<X509Svid>,
    pub(crate) clerk: Arc<X509Svid>,
    next: AtomicU64,
}

impl Reception {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder.dpop(Dpop::new(STS)))
    }

    pub(crate) fn with_nonces() -> Self {
        let key = NonceKey::new(&[7; 32]);
        Self::with(|builder| builder.dpop(Dpop::new(STS).require_nonce(key)))
    }

    pub(crate) fn with(settings: impl FnOnce(IssuerBuilder) -> IssuerBuilder) -> Self {
        let court = Court::new();
        let key = Key::new();
        let secret = ClientSecret::generate(&SystemRandom).unwrap();
        let svids = SvidSigner::new(Algorithm::Es256, "today");
        let keys = || key.key_set();
        let builder = court
            .issuer()
            .agents(trust(&court, &svids))
            .resource(RESOURCE, SCOPES)
            .client(RegisteredClient::new(APP).keys(keys()))
            .client(RegisteredClient::new(LOOSE).keys(keys()).dangerous().allow_bearer_tokens())
            .client(RegisteredClient::new(CLERKS).keys(keys()).spiffe(spiffe(CLERK)));
        let builder = builder.client(RegisteredClient::new(OLD).secret(secret.hash()));
        let issuer = settings(builder).build().unwrap();
        let service = TokenService::new(issuer, court.records.clone()).unwrap();
        let (lawyer, clerk) = (court.peer(LAWYER), court.peer(CLERK));
        let dpop = DpopClient::new(Algorithm::EdDsa);
        Self { court, service, key, secret, svids, dpop, lawyer, clerk, next: AtomicU64::new(1) }
    }

    /// The claims of a good assertion of [`APP`], with a `jti` of its own.
    pub(crate) fn claims(&self) -> Value {
        let jti = format!("assertion-{}", self.next.fetch_add(1, Ordering::SeqCst));
        json!({"iss": APP, "sub": APP, "aud": STS, "iat": NOW, "nbf": NOW, "exp": NOW + 60, "jti": jti})
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(Some("client-authentication+jwt"), claims)
    }

    pub(crate) fn sign_as(&self, typ: Option<&str>, claims: &Value) -> String {
        let mut header = json!({"alg": "EdDSA", "kid": self.key.id});
        if let Some(typ) = typ {
            header["typ"] = typ.into();
        }
        self.key.sign(&header.to_string(), claims.to_string())
    }

    /// A request for the client's own token, which proves itself by a good assertion.
    pub(crate) fn asserted(&self) -> Letter {
        self.with_assertion(&self.sign(&self.claims()))
    }

    pub(crate) fn with_assertion(&self, assertion: &str) -> Letter {
        self.bare().field("client_assertion", assertion).field("client_assertion_type", TYPE_JWT).proven(self)
    }

    pub(crate) fn with_jwt_svid(&self, claims: &Value) -> Letter {
        let svid = self.svids.sign(&self.svids.header(), claims);
        self.bare().field("client_assertion", &svid).field("client_assertion_type", TYPE_JWT_SVID).proven(self)
    }

    pub(crate) fn with_secret(&self, client_id: &str, secret: &str) -> Letter {
        self.bare().field("client_id", client_id).field("client_secret", secret).proven(self)
    }

    /// A request for the client's own token, without any proof of who that is.
    pub(crate) fn bare(&self) -> Letter {
        let fields = vec![("grant_type".into(), "client_credentials".into()), ("resource".into(), RESOURCE.into())];
        Letter { fields, headers: form_headers(), peer: None }
    }

    pub(crate) fn send(&self, letter: &Letter) -> Response<String> {
        let body = letter.body();
        wait(self.service.answer(&letter.request(&body)))
    }

    /// What the record says of the answer.
    pub(crate) fn code(&self, letter: &Letter) -> &'static str {
        code_of(&self.send(letter))
    }

    /// Alice's consent that `agent` may act for her.
    pub(crate) fn consent(&self, agent: impl Into<agentauth_core::AgentId>) -> String {
        let consent = Consent::new("alice", agent, SCOPES.parse().unwrap());
        wait(self.service.consent(&consent)).unwrap().token().to_owned()
    }
}

/// The court's roots, with a key for JWT-SVIDs.
fn trust(court: &Court, svids: &SvidSigner) -> AgentTrust {
    let keys = json!({ "keys": [svids.jwk()] }).to_string();
    let pem = court.ca.certificate.pem();
    let roots = TrustBundle::from_pem("court.example".parse().unwrap(), pem.as_bytes()).unwrap();
    let bundle = roots.with_jwt_keys_from_jwks(keys.as_bytes()).unwrap();
    AgentTrust::spiffe(TrustBundles::new().with_bundle(bundle).unwrap())
}

pub(crate) fn code_of(response: &Response<String>) -> &'static str {
    response.extensions().get().map_or(ACCEPTED, |refusal: &TokenRefusal| refusal.error.code())
}

pub(crate) fn json_of(response: &Response<String>) -> Value {
    serde_json::from_str(response.body()).unwrap()
}

/// A request that is being written.
#[derive(Clone)]
pub(crate) struct Letter {
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Option<Arc<X509Svid>>,
}

impl Letter {
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(given, _)| given != name);
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn basic(mut self, client_id: &str, secret: &str) -> Self {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret)));
        self.headers.append(AUTHORIZATION, format!("Basic {pair}").parse().unwrap());
        self
    }

    pub(crate) fn over(mut self, peer: &Arc<X509Svid>) -> Self {
        self.peer = Some(peer.clone());
        self
    }

    /// With a DPoP proof of the reception's client.
    pub(crate) fn proven(self, reception: &Reception) -> Self {
        self.header("dpop", &reception.dpop.prove(&proof_claims(&reception.dpop, None)))
    }

    pub(crate) fn unproven(mut self) -> Self {
        self.headers.remove("dpop");
        self
    }

    pub(crate) fn body(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.fields).finish()
    }

    pub(crate) fn request<'r>(&'r self, body: &'r str) -> TokenRequest<'r> {
        TokenRequest::new(&self.headers, body.as_bytes()).with_peer(self.peer.as_deref())
    }
}

/// What a good proof for the token endpoint says.
pub(crate) fn proof_claims(client: &DpopClient, nonce: Option<&str>) -> Value {
    let mut claims = client.claims("POST", TOKEN_ENDPOINT, "", NOW);
    claims.as_object_mut().unwrap().remove("ath");
    if let Some(nonce) = nonce {
        claims["nonce"] = nonce.into();
    }
    claims
}

/// A verifier of proofs for a resource server, for what the reception's client shows there.
pub(crate) fn verifier(origin: &str) -> DpopVerifier {
    Dpop::new(origin).build().unwrap()
}
