//! Has a human agreed? To exactly this, once, and still under the same policies.

mod humans;
mod outcomes;
mod permits;
mod rules;
mod store;
mod unavailable;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agentauth_core::policy::{ApprovalTerms, Obligation, PolicyError, Reason, ReasonKind};
use agentauth_core::state::{ApprovalStore, MemoryApprovalStore};
use agentauth_core::{
    Action, AgentAuth, AgentAuthBuilder, Approvals, AuthzRequest, Caller, Decision, PolicyEngine, Rejection,
};
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::support::court::{Court, caller, claims, code_of, wait};

/// For how long requests, and approvals of them, count here.
const LIFETIME: u64 = 3600;

const DANA: &str = "dana@court.example";

/// A court whose policy wants a human for everything, until it is told otherwise.
struct Desk {
    court: Court,
    policy: Arc<Counsel>,
    store: Arc<MemoryApprovalStore>,
    auth: AgentAuth,
}

impl Desk {
    fn new() -> Self {
        Self::with_room(100, 100)
    }

    fn with_room(requests: usize, per_agent: usize) -> Self {
        let (court, policy) = (Court::new(), Arc::default());
        let store = Arc::new(MemoryApprovalStore::with_capacity(requests, per_agent));
        let auth = engine(&court, &policy, store.clone()).build().unwrap();
        court.records.take();
        Self { court, policy, store, auth }
    }

    fn approvals(&self) -> Approvals {
        self.auth.approvals().unwrap()
    }

    /// The lawyer, for alice.
    fn lawyer(&self) -> Caller {
        self.caller(&claims())
    }

    fn caller(&self, claims: &Value) -> Caller {
        let mut claims = claims.clone();
        // Callers outlive the requests here.
        claims["exp"] = json!(claims["iat"].as_u64().unwrap() + 3 * LIFETIME);
        caller(&self.auth, &self.court.key.mint(&claims))
    }

    /// What becomes of filing with `fee`.
    fn code(&self, caller: &Caller, fee: u32) -> &'static str {
        code_of(&wait(caller.authorize(file(fee))))
    }

    /// The request that filing with `fee` asks for.
    fn ask(&self, caller: &Caller, fee: u32) -> String {
        let rejection = wait(caller.authorize(file(fee))).unwrap_err();
        assert_eq!(rejection.code(), "approval_required");
        id_of(&rejection)
    }

    fn approve(&self, id: &str) {
        wait(self.approvals().approve(id, DANA)).unwrap();
    }

    fn at(&self, seconds_later: u64) {
        self.court.at(crate::support::certs::NOW + seconds_later);
    }
}

fn engine(court: &Court, policy: &Arc<Counsel>, store: impl ApprovalStore + 'static) -> AgentAuthBuilder {
    // A token may last as long as the caller that a test keeps.
    let issuer = agentauth_core::TrustedIssuer::rfc8693(crate::support::court::STS, court.key.key_set())
        .max_lifetime(Duration::from_secs(4 * LIFETIME));
    court.bare_engine().issuer(issuer).policy(Handle(policy.clone())).approvals(store)
}

fn file(fee: u32) -> Action<Value> {
    Action::new("motions:file").unwrap().on("case", "2026-17").with(json!({"fee": fee, "note": "s3cret"})).unwrap()
}

fn id_of(rejection: &Rejection) -> String {
    rejection.approval_id().unwrap().to_owned()
}

/// A policy that a test can change, even while it is asked.
#[derive(Debug, Default)]
struct Counsel {
    version: AtomicUsize,
    mood: AtomicUsize,
}

const ASKS: usize = 0;
const PERMITS: usize = 1;
const DENIES: usize = 2;
const ASKS_WHILE_IT_IS_REPLACED: usize = 3;
const ASKS_FOR_MORE: usize = 4;

impl Counsel {
    fn is(&self, mood: usize) {
        self.mood.store(mood, Ordering::SeqCst);
    }

    fn replace(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct Handle(Arc<Counsel>);

#[async_trait]
impl PolicyEngine for Handle {
    async fn decide(&self, _: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        let allow = Decision::allow(Reason::new(ReasonKind::Permitted, "counsel permits").of_policy("p-1"));
        let asks = |allow: Decision| {
            // The longer terms do not count beside the shorter.
            let longer = ApprovalTerms::within(Duration::from_secs(2 * LIFETIME));
            let terms = ApprovalTerms::within(Duration::from_secs(LIFETIME));
            allow.needing_approval(longer).needing_approval(terms)
        };
        Ok(match self.0.mood.load(Ordering::SeqCst) {
            ASKS => asks(allow),
            PERMITS => allow,
            DENIES => Decision::deny(Reason::new(ReasonKind::Forbidden, "counsel forbids"))
                .needing_approval(ApprovalTerms::within(Duration::from_secs(LIFETIME))),
            ASKS_WHILE_IT_IS_REPLACED => {
                self.0.replace();
                asks(allow)
            }
            _ => asks(allow.on_condition_of(Obligation::Unknown("notify-\u{1b}[2Jfinance".into()))),
        })
    }

    fn version(&self) -> Arc<str> {
        ["v0", "v1", "v2", "v3"][self.0.version.load(Ordering::SeqCst)].into()
    }
}
