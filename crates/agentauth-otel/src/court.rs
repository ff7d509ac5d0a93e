//! A small court for tests: an issuer's key, a clock that stands still, and a policy that does as the name of the action says.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use agentauth_core::audit::AuditSink;
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::policy::{ApprovalTerms, Effect, PolicyError, Reason, ReasonKind, WouldFlip};
use agentauth_core::state::MemoryApprovalStore;
use agentauth_core::{
    Action, AgentAuth, AuthzRequest, Caller, Decision, Evidence, ManualClock, PolicyEngine, Rejection, Timestamp,
    TrustedIssuer,
};
use async_trait::async_trait;
use serde_json::{Value, json};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const LAWYER: &str = "spiffe://court.example/agent/lawyer";
const STS: &str = "https://sts.court.example";
const TOOLS: &str = "https://tools.example";

pub(crate) struct Court {
    key: SigningKey,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) auth: AgentAuth,
}

impl Court {
    /// A court whose records go to `sinks`.
    pub(crate) fn new(sinks: impl IntoIterator<Item = Arc<dyn AuditSink>>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let mut builder = AgentAuth::builder(TOOLS)
            .issuer(TrustedIssuer::rfc8693(STS, key.public_key_set().unwrap()))
            .policy(Bench)
            .approvals(MemoryApprovalStore::new())
            .clock(clock.clone());
        for sink in sinks {
            builder = builder.audit(sink);
        }
        Self { key, clock, auth: builder.build().unwrap() }
    }

    /// A token of the lawyer, for alice, with the scopes of every action of [`Bench`].
    pub(crate) fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": STS, "sub": "alice-secret", "aud": TOOLS, "client_id": LAWYER, "jti": "jti-secret", "iat": NOW, "exp": NOW + 300,
            "scope": "permit forbid err flip ask", "act": {"sub": LAWYER},
        });
        change(&mut claims);
        self.key.sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap()
    }

    pub(crate) fn authenticate(&self, token: &str) -> Result<Caller, Rejection> {
        at_once(self.auth.authenticate(Evidence::bearer(token)))
    }

    pub(crate) fn lawyer(&self) -> Caller {
        self.authenticate(&self.token(|_| {})).unwrap()
    }
}

pub(crate) fn authorize(caller: &Caller, action: &str) -> Result<agentauth_core::Permit<Value>, Rejection> {
    at_once(caller.authorize(Action::new(action).unwrap().with(json!({"amount": "args-secret"})).unwrap()))
}

/// Runs a permitted action, which ends as `result` says.
pub(crate) fn run(caller: &Caller, result: Result<(), ()>) {
    let permit = authorize(caller, "permit").unwrap();
    assert_eq!(at_once(permit.run(async |_| result)).unwrap(), result);
}

pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it must not wait"),
    }
}

#[derive(Debug)]
struct Bench;

#[async_trait]
impl PolicyEngine for Bench {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        let permitted = || Decision::allow(Reason::new(ReasonKind::Permitted, "it is permitted"));
        Ok(match request.action() {
            "permit" => permitted(),
            "ask" => permitted().needing_approval(ApprovalTerms::within(Duration::from_secs(3600))),
            "flip" => permitted().with_flip(WouldFlip::new("stricter", Effect::Deny)),
            "err" => permitted().with_error(Some("fees"), "it is too late"),
            _ => Decision::deny(Reason::new(ReasonKind::Forbidden, "it is forbidden")),
        })
    }

    fn version(&self) -> Arc<str> {
        "v7".into()
    }
}
