//! A small court: an issuer's key, a tool server's engine, a clock that stands still, and clerks who write down
//! everything or nothing.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use agentauth_core::audit::{Append, AuditError, AuditSink, Record};
use agentauth_core::delegation::IssuerBuilder;
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::jose::{Algorithm, KeySet, SigningKey};
use agentauth_core::policy::{PolicyError, Reason, ReasonKind};
use agentauth_core::{
    AgentAuth, AuthzRequest, Caller, Decision, Evidence, Issuer, ManualClock, PolicyEngine, Random, RandomUnavailable,
    Rejection, Timestamp, TrustedIssuer,
};
use async_trait::async_trait;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::certs::{Ca, NOW};

pub(crate) const RESOURCE: &str = "https://tools.example";
pub(crate) const STS: &str = "https://sts.court.example";
pub(crate) const LAWYER: &str = "spiffe://court.example/agent/lawyer";
pub(crate) const CLERK: &str = "spiffe://court.example/agent/clerk";
pub(crate) const JUDGE: &str = "spiffe://court.example/agent/judge";

/// What a code helper says when nothing was refused.
pub(crate) const ACCEPTED: &str = "accepted";

/// Everything a test needs to be heard: the issuer's key, a certificate authority, a clock at [`NOW`], and records.
pub(crate) struct Court {
    pub(crate) key: Key,
    pub(crate) ca: Ca,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) records: Memory,
}

impl Court {
    pub(crate) fn new() -> Self {
        Self { key: Key::new(), ca: Ca::new("court.example"), clock: clock(), records: Memory::default() }
    }

    /// An engine's builder with clock, records and agents, trusting no issuer yet.
    pub(crate) fn bare_engine(&self) -> agentauth_core::AgentAuthBuilder {
        AgentAuth::builder(RESOURCE).clock(self.clock.clone()).audit(self.records.clone()).agents(self.ca.trust())
    }

    /// An engine's builder that trusts [`STS`] to delegate.
    pub(crate) fn engine(&self) -> agentauth_core::AgentAuthBuilder {
        self.bare_engine().issuer(TrustedIssuer::rfc8693(STS, self.key.key_set()))
    }

    pub(crate) fn auth(&self) -> AgentAuth {
        self.engine().build().unwrap()
    }

    /// The issuer [`STS`], with the same key as the tokens that [`Key::mint`] makes.
    pub(crate) fn issuer(&self) -> IssuerBuilder {
        Issuer::builder(STS, self.key.signing_key()).agents(self.ca.trust()).clock(self.clock.clone())
    }

    pub(crate) fn peer(&self, id: &str) -> Arc<X509Svid> {
        self.ca.peer(id.strip_prefix("spiffe://court.example").unwrap())
    }

    pub(crate) fn at(&self, secs: u64) {
        self.clock.set(Timestamp::from_secs(secs));
    }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_secs(NOW)))
}

/// A key that signs whatever it is given: good tokens and every kind of bad one.
pub(crate) struct Key {
    pair: Ed25519KeyPair,
    pkcs8: Vec<u8>,
    pub(crate) id: String,
    pub(crate) jwk: Value,
}

impl Key {
    pub(crate) fn new() -> Self {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let pkcs8 = key.to_pkcs8().unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap();
        Self { pair, pkcs8, id: key.key_id().into(), jwk: serde_json::from_str(key.public_jwk()).unwrap() }
    }

    pub(crate) fn signing_key(&self) -> SigningKey {
        SigningKey::from_pkcs8(Algorithm::EdDsa, &self.pkcs8).unwrap()
    }

    pub(crate) fn key_set(&self) -> KeySet {
        key_set(&[&self.jwk])
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.id})
    }

    /// A token with these claims, in good form.
    pub(crate) fn mint(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), claims.to_string())
    }

    /// A token with this text as header and these bytes as payload, whatever they are; the signature is good.
    pub(crate) fn sign(&self, header: &str, payload: impl AsRef<[u8]>) -> String {
        self.sign_parts(&encode(header), &encode(payload))
    }

    pub(crate) fn sign_parts(&self, header: &str, payload: &str) -> String {
        let input = format!("{header}.{payload}");
        let signature = encode(self.pair.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }
}

pub(crate) fn key_set(jwks: &[&Value]) -> KeySet {
    KeySet::from_jwks(json!({ "keys": jwks }).to_string().as_bytes()).unwrap()
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The claims of a token: the payload, unverified.
pub(crate) fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&decode(token.split('.').nth(1).unwrap())).unwrap()
}

/// The claims of a good token: the lawyer acts for alice.
pub(crate) fn claims() -> Value {
    json!({
        "iss": STS, "sub": "alice", "aud": RESOURCE, "client_id": LAWYER, "jti": "jti-1",
        "iat": NOW, "exp": NOW + 300, "scope": "motions:file records:read", "act": {"sub": LAWYER},
    })
}

/// The good claims, with `name` set to `value`.
pub(crate) fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

/// The good claims, without `name`.
pub(crate) fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}

/// The good claims, bound to `peer`'s certificate.
pub(crate) fn bound_to(peer: &X509Svid) -> Value {
    with("cnf", json!({"x5t#S256": encode(peer.thumbprint())}))
}

/// An `act` claim with these actors, the current one first.
pub(crate) fn chain(actors: &[&str]) -> Value {
    actors.iter().rev().fold(Value::Null, |inner, actor| match inner {
        Value::Null => json!({"sub": actor}),
        inner => json!({"sub": actor, "act": inner}),
    })
}

/// Runs `future` to its end on this thread; audit files answer from another one.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

pub(crate) fn authenticate(auth: &AgentAuth, evidence: Evidence) -> Result<Caller, Rejection> {
    wait(auth.authenticate(evidence))
}

pub(crate) fn caller(auth: &AgentAuth, token: &str) -> Caller {
    authenticate(auth, Evidence::bearer(token)).unwrap()
}

/// What the engine says to a token that comes without a certificate.
pub(crate) fn code(auth: &AgentAuth, token: &str) -> &'static str {
    code_of(&authenticate(auth, Evidence::bearer(token)))
}

pub(crate) fn code_over(auth: &AgentAuth, token: &str, peer: &Arc<X509Svid>) -> &'static str {
    code_of(&authenticate(auth, Evidence::bearer(token).with_peer(Some(peer.clone()))))
}

pub(crate) fn code_of<T>(answer: &Result<T, Rejection>) -> &'static str {
    answer.as_ref().map_or_else(Rejection::code, |_| ACCEPTED)
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

    /// The records so far, but for those of permits that the test has only looked at; afterwards there are none.
    pub(crate) fn take_but_not_run(&self) -> Vec<Arc<Record>> {
        let mut records = self.take();
        records.retain(|record| record.code != "not_run");
        records
    }

    /// The one record there is, but for those of permits that the test has only looked at; afterwards there is none.
    pub(crate) fn only(&self) -> Arc<Record> {
        let records = self.take_but_not_run();
        assert_eq!(records.len(), 1, "{records:?}");
        records[0].clone()
    }
}

/// Takes no record.
#[derive(Debug, Clone)]
pub(crate) struct Failing(pub(crate) AuditError);

impl AuditSink for Failing {
    fn append(&self, _: Arc<Record>) -> Append {
        Append::done(Err(self.0.clone()))
    }
}

/// Takes records until it is told not to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fickle(Arc<AtomicBool>);

impl Fickle {
    /// From now on, it takes none, or all again.
    pub(crate) fn refuse(&self, is_full: bool) {
        self.0.store(is_full, Ordering::SeqCst);
    }
}

impl AuditSink for Fickle {
    fn append(&self, _: Arc<Record>) -> Append {
        Append::done(if self.0.load(Ordering::SeqCst) { Err(AuditError::Full) } else { Ok(()) })
    }
}

/// Hands out 1, 2, 3 and so on as identifiers, until it has handed out `left` of them.
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

/// A policy engine that gives one answer, and remembers what it was asked as `Debug` shows it.
#[derive(Debug, Clone)]
pub(crate) struct Oracle {
    answer: Result<Decision, PolicyError>,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Oracle {
    pub(crate) fn answering(answer: Result<Decision, PolicyError>) -> Self {
        Self { answer, asked: Arc::default() }
    }

    pub(crate) fn permitting() -> Self {
        Self::answering(Ok(Decision::allow(Reason::new(ReasonKind::Permitted, "the oracle permits"))))
    }
}

#[async_trait]
impl PolicyEngine for Oracle {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        self.asked.lock().unwrap().push(format!("{request:?}"));
        self.answer.clone()
    }

    fn version(&self) -> std::sync::Arc<str> {
        "oracle-1".into()
    }
}
