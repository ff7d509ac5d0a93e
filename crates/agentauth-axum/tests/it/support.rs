//! A small court: an issuer's key, certificate authorities, a clock that stands still, and a clerk who writes down
//! everything or nothing.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use agentauth_axum::ServerIdentity;
use agentauth_core::audit::{Append, AuditError, AuditSink, Record};
use agentauth_core::delegation::{Client, Consent, ExchangeRequest, IssuerBuilder};
use agentauth_core::identity::svid::{TrustBundles, X509Svid};
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::{
    AgentAuth, AgentAuthBuilder, AgentTrust, Issuer, ManualClock, ResourceId, SpiffeId, SubjectToken, Timestamp,
    TrustedIssuer,
};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// The moment at which everything happens, but for TLS handshakes: certificates are good from 2020 to 2049.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) const TOOLS: &str = "https://tools.example";
pub(crate) const STS: &str = "https://sts.court.example";
pub(crate) const LAWYER: &str = "spiffe://court.example/agent/lawyer";
pub(crate) const SCOPES: &str = "motions:file records:read";

/// The certificate authority of a trust domain.
pub(crate) struct Ca {
    pub(crate) root: Certificate,
    issuer: rcgen::Issuer<'static, KeyPair>,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self { root: params.self_signed(&key).unwrap(), issuer: rcgen::Issuer::new(params, key) }
    }

    /// A certificate with these names, made as SVIDs are but for what `change` does to it, and its key.
    pub(crate) fn certify(&self, names: Vec<SanType>, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 1, 1));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate, key }
    }

    pub(crate) fn mint(&self, id: &str) -> Identity {
        self.certify(vec![uri(id), SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into())], |_| {})
    }
}

pub(crate) fn uri(id: &str) -> SanType {
    SanType::URI(id.try_into().unwrap())
}

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: Certificate,
    pub(crate) key: KeyPair,
}

impl Identity {
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    pub(crate) fn server(&self) -> ServerIdentity {
        ServerIdentity::new(self.chain(), self.key())
    }
}

pub(crate) struct Court {
    pkcs8: Vec<u8>,
    pub(crate) ca: Ca,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) records: Memory,
}

impl Court {
    pub(crate) fn new() -> Self {
        Self {
            pkcs8: SigningKey::generate(Algorithm::EdDsa).unwrap().to_pkcs8().unwrap(),
            ca: Ca::new(),
            clock: Arc::new(ManualClock::at(Timestamp::from_secs(NOW))),
            records: Memory::default(),
        }
    }

    fn key(&self) -> SigningKey {
        SigningKey::from_pkcs8(Algorithm::EdDsa, &self.pkcs8).unwrap()
    }

    pub(crate) fn trust(&self) -> AgentTrust {
        let root = self.ca.root.der().clone();
        AgentTrust::spiffe(TrustBundles::new().with_der("court.example".parse().unwrap(), &[root]).unwrap())
    }

    pub(crate) fn engine(&self, resource: &str) -> AgentAuthBuilder {
        AgentAuth::builder(resource)
            .issuer(TrustedIssuer::rfc8693(STS, self.key().public_key_set().unwrap()))
            .agents(self.trust())
            .clock(self.clock.clone())
            .audit(self.records.clone())
    }

    pub(crate) fn auth(&self) -> AgentAuth {
        self.engine(TOOLS).build().unwrap()
    }

    pub(crate) fn issuer(&self, id: &str) -> IssuerBuilder {
        Issuer::builder(id, self.key()).agents(self.trust()).clock(self.clock.clone()).resource(TOOLS, SCOPES)
    }

    /// A token with these claims, in good form.
    pub(crate) fn mint(&self, claims: &Value) -> String {
        self.key().sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap()
    }

    /// Alice lets the lawyer act.
    pub(crate) fn consent(&self) -> SubjectToken {
        let consent = Consent::new("alice", LAWYER.parse::<SpiffeId>().unwrap(), SCOPES.parse().unwrap());
        SubjectToken::new(at_once(self.issuer(STS).build().unwrap().consent(&consent)).unwrap().token())
    }

    /// A token that lets `lawyer` act for alice at [`TOOLS`], bound to its certificate.
    pub(crate) fn bound_token(&self, lawyer: &Identity) -> String {
        let request = ExchangeRequest::new(self.consent(), ResourceId::new(TOOLS).unwrap());
        let issuer = self.issuer(STS).build().unwrap();
        at_once(issuer.exchange(&Client::from(&*self.verified(lawyer)), &request)).unwrap().token().to_owned()
    }

    pub(crate) fn verified(&self, identity: &Identity) -> Arc<X509Svid> {
        Arc::new(self.trust().verify(&identity.chain(), Timestamp::from_secs(NOW)).unwrap())
    }
}

/// The claims of a good token that is bound to no certificate: the lawyer acts for alice.
pub(crate) fn claims() -> Value {
    json!({
        "iss": STS, "sub": "alice", "aud": TOOLS, "client_id": LAWYER, "jti": "jti-1",
        "iat": NOW, "exp": NOW + 300, "scope": SCOPES, "act": {"sub": LAWYER},
    })
}

/// The good claims, with `name` set to `value`.
pub(crate) fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// The code of the rejection that the answer carries for layers further out.
    pub(crate) code: Option<&'static str>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) async fn send(app: &Router, request: Request<Body>) -> Answer {
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.into()).unwrap(),
        code: head.extensions.get::<agentauth_core::Rejection>().map(agentauth_core::Rejection::code),
    }
}

pub(crate) fn get(uri: &str, token: Option<&str>) -> Request<Body> {
    let mut request = Request::get(uri);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::empty()).unwrap()
}

pub(crate) async fn fetch(app: &Router, uri: &str) -> Answer {
    send(app, get(uri, None)).await
}

/// Keeps records in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<Arc<Record>>>>);

impl AuditSink for Memory {
    fn append(&self, record: Arc<Record>) -> Append {
        self.0.lock().unwrap().push(record);
        Append::done(Ok(()))
    }
}

impl Memory {
    /// The records so far; afterwards there are none.
    pub(crate) fn take(&self) -> Vec<Arc<Record>> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The codes of the records so far; afterwards there are none.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.take().iter().map(|record| record.code).collect()
    }

    /// The one record there is; afterwards there is none.
    pub(crate) fn only(&self) -> Arc<Record> {
        let records = self.take();
        assert_eq!(records.len(), 1, "{records:?}");
        records[0].clone()
    }
}

/// Takes no record.
#[derive(Debug, Clone)]
pub(crate) struct Failing;

impl AuditSink for Failing {
    fn append(&self, _: Arc<Record>) -> Append {
        Append::done(Err(AuditError::Full))
    }
}

/// The answer of a `future` that does not have to wait.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it must not wait"),
    }
}
