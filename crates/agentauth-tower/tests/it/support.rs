//! A small court: an issuer's key, a certificate authority, a clock that stands still, and clerks who write down
//! everything, nothing, or later.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use agentauth_core::audit::{Append, AuditError, AuditKey, AuditSink, Record};
use agentauth_core::delegation::{Client, Consent};
use agentauth_core::identity::svid::{TrustBundles, X509Svid};
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::{
    AgentAuth, AgentAuthBuilder, AgentTrust, Caller, Evidence, Issuer, ManualClock, Random, RandomUnavailable,
    ResourceId, SpiffeId, SubjectToken, Timestamp, TokenService, TrustedIssuer,
};
use http::request::Parts;
use http::{Request, Response};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tower::Service;

/// The moment at which everything happens.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) const TOOLS: &str = "https://tools.example";
pub(crate) const RECORDS: &str = "https://records.example/api";
pub(crate) const STS: &str = "https://sts.court.example";
pub(crate) const LAWYER: &str = "spiffe://court.example/agent/lawyer";
pub(crate) const TOOL_SERVER: &str = "spiffe://court.example/server/tools";
pub(crate) const SCOPES: &str = "motions:file records:read";

pub(crate) struct Court {
    pkcs8: Vec<u8>,
    ca: rcgen::Issuer<'static, KeyPair>,
    trust: AgentTrust,
    pub(crate) records: Memory,
}

impl Court {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        let bundles = TrustBundles::new().with_der("court.example".parse().unwrap(), &[root]).unwrap();
        Self {
            pkcs8: SigningKey::generate(Algorithm::EdDsa).unwrap().to_pkcs8().unwrap(),
            ca: rcgen::Issuer::new(params, key),
            trust: AgentTrust::spiffe(bundles),
            records: Memory::default(),
        }
    }

    pub(crate) fn key(&self) -> SigningKey {
        SigningKey::from_pkcs8(Algorithm::EdDsa, &self.pkcs8).unwrap()
    }

    /// The engine of the server `resource`, without a sink: identifiers are 1, 2, 3 and so on.
    pub(crate) fn silent_engine(&self, resource: &str) -> AgentAuthBuilder {
        AgentAuth::builder(resource)
            .issuer(TrustedIssuer::rfc8693(STS, self.key().public_key_set().unwrap()))
            .agents(self.trust.clone())
            .clock(clock())
            .random(Counter::up_to(u64::MAX))
            .audit_key(AuditKey::new(&[7; 32]))
    }

    pub(crate) fn auth(&self, resource: &str) -> AgentAuth {
        self.silent_engine(resource).audit(self.records.clone()).build().unwrap()
    }

    /// An issuer for [`TOOLS`], which the agent [`TOOL_SERVER`] runs, and for [`RECORDS`].
    pub(crate) fn issuer(&self) -> Issuer {
        Issuer::builder(STS, self.key())
            .agents(self.trust.clone())
            .clock(clock())
            .resource_operated_by(TOOLS, SCOPES, TOOL_SERVER.parse::<SpiffeId>().unwrap())
            .resource(RECORDS, "records:read records:seal")
            .build()
            .unwrap()
    }

    pub(crate) fn service(&self) -> TokenService {
        TokenService::new(self.issuer(), self.records.clone()).unwrap()
    }

    /// A token with these claims, in good form.
    pub(crate) fn mint(&self, claims: &Value) -> String {
        self.key().sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap()
    }

    /// `principal` lets the lawyer act.
    pub(crate) fn consent(&self, principal: &str) -> SubjectToken {
        let consent = Consent::new(principal, LAWYER.parse::<agentauth_core::SpiffeId>().unwrap(), scopes(SCOPES));
        SubjectToken::new(at_once(self.issuer().consent(&consent)).unwrap().token())
    }

    /// A token that lets `lawyer` act for alice at [`TOOLS`], bound to the lawyer's certificate.
    pub(crate) fn bound_token(&self, lawyer: &X509Svid) -> String {
        let request = agentauth_core::delegation::ExchangeRequest::new(self.consent("alice"), resource(TOOLS));
        at_once(self.issuer().exchange(&Client::from(lawyer), &request)).unwrap().token().to_owned()
    }

    /// A new certificate of the agent `id`, in DER.
    pub(crate) fn leaf(&self, id: &str) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 1, 1));
        params.signed_by(&KeyPair::generate().unwrap(), &self.ca).unwrap().der().to_vec()
    }

    /// The agent `id`, proven by a new certificate.
    pub(crate) fn peer(&self, id: &str) -> Arc<X509Svid> {
        Arc::new(self.trust.verify(&[self.leaf(id).into()], Timestamp::from_secs(NOW)).unwrap())
    }

    pub(crate) fn trust(&self) -> AgentTrust {
        self.trust.clone()
    }

    /// The lawyer, acting for alice, as [`TOOLS`] has verified it.
    pub(crate) async fn caller(&self) -> Caller {
        let lawyer = self.peer(LAWYER);
        let evidence = Evidence::bearer(&self.bound_token(&lawyer)).with_peer(Some(lawyer));
        let caller = self.auth(TOOLS).authenticate(evidence).await.unwrap();
        self.records.take();
        caller
    }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_secs(NOW)))
}

pub(crate) fn resource(id: &str) -> ResourceId {
    ResourceId::new(id).unwrap()
}

pub(crate) fn scopes(text: &str) -> agentauth_core::ScopeSet {
    text.parse().unwrap()
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

/// A request for `uri` with these header lines.
pub(crate) fn request(uri: &str, headers: &[(&str, &str)]) -> Request<String> {
    let request =
        headers.iter().fold(Request::builder().uri(uri), |request, (name, value)| request.header(*name, *value));
    request.body(String::from("the body")).unwrap()
}

pub(crate) fn bearer(token: &str) -> Request<String> {
    request("/", &[("authorization", &format!("Bearer {token}"))])
}

/// A service that remembers the heads of the requests it is called with, and answers `done`. As `tower` has it, it
/// must be ready before it is called, and a clone is not.
#[derive(Debug, Default)]
pub(crate) struct Tool {
    is_ready: bool,
    calls: Arc<Mutex<Vec<Parts>>>,
}

impl Clone for Tool {
    fn clone(&self) -> Self {
        Self { is_ready: false, calls: self.calls.clone() }
    }
}

impl Tool {
    /// The requests so far; afterwards there are none.
    pub(crate) fn calls(&self) -> Vec<Parts> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

impl<B> Service<Request<B>> for Tool {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been ready");
        self.calls.lock().unwrap().push(request.into_parts().0);
        ready(Ok(Response::new(String::from("done"))))
    }
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

/// Has each record wait until it is released.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held(Arc<Mutex<VecDeque<Release>>>);

type Release = oneshot::Sender<Result<(), AuditError>>;

impl AuditSink for Held {
    fn append(&self, _: Arc<Record>) -> Append {
        let (release, released) = oneshot::channel();
        self.0.lock().unwrap().push_back(release);
        Append::later(async move { released.await.unwrap_or(Err(AuditError::Closed)) })
    }
}

impl Held {
    /// How many records are waiting.
    pub(crate) fn waiting(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Lets the record that has waited longest be kept, or not.
    pub(crate) fn release(&self, result: Result<(), AuditError>) {
        self.0.lock().unwrap().pop_front().unwrap().send(result).unwrap();
    }
}

/// Hands out 1, 2, 3 and so on as identifiers, until it has handed out `last`.
#[derive(Debug)]
pub(crate) struct Counter {
    next: AtomicU64,
    last: u64,
}

impl Counter {
    pub(crate) fn up_to(last: u64) -> Arc<Self> {
        Arc::new(Self { next: AtomicU64::new(1), last })
    }
}

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        if number > self.last {
            return Err(RandomUnavailable);
        }
        bytes.fill(0);
        let at = bytes.len() - 8;
        bytes[at..].copy_from_slice(&number.to_be_bytes());
        Ok(())
    }
}

/// The answer of a `future` that does not have to wait.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it must not wait"),
    }
}
