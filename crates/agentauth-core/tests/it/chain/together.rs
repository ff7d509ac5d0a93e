//! Chains beside what else is decided by who calls: a holder can have as many names and keys as it likes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::chain::ChainSettings;
use agentauth_core::policy::{Agents, ApprovalTerms, Principals, Reason, ReasonKind, Resources, Rule, Rules};
use agentauth_core::state::{MemoryApprovalStore, Remember, ReplayAnswer, ReplayStore};
use agentauth_core::{Action, AgentAuth, Caller, Decision, ManualClock, SpiffeId, Timestamp};
use serde_json::json;

use super::presented::Bench;
use crate::support::court::{ACCEPTED, CLERK, LAWYER, Oracle, RESOURCE, authenticate, code_of, wait};

/// An engine whose policy wants a human for everything.
fn engine(bench: &Bench, store: MemoryApprovalStore) -> AgentAuth {
    let permits = Decision::allow(Reason::new(ReasonKind::Permitted, "with a human"));
    let asks = Ok(permits.needing_approval(ApprovalTerms::within(Duration::from_secs(60))));
    bench.with(ChainSettings::new()).policy(Oracle::answering(asks)).approvals(store).build().unwrap()
}

fn below(bench: &Bench, auth: &AgentAuth, name: &str) -> Caller {
    authenticate(auth, bench.evidence(auth, &bench.chain_for(name))).unwrap()
}

fn ask(caller: &Caller) -> &'static str {
    code_of(&wait(caller.authorize(Action::new("records:read").unwrap())))
}

/// The names in links are their makers': none of them has room of its own.
#[test]
fn a_holder_does_not_fill_the_store_under_other_names() {
    let bench = Bench::new();
    let auth = engine(&bench, MemoryApprovalStore::with_capacity(4, 2));
    let codes = ["a", "b", "c", "d"].map(|name| ask(&below(&bench, &auth, name)));
    assert_eq!(codes, ["approval_required", "approval_required", "approval_too_many", "approval_too_many"]);
    let root = bench.cast.root();
    assert_eq!(ask(&authenticate(&auth, bench.evidence(&auth, &[root])).unwrap()), "approval_too_many");
}

/// Whoever passed the authority on is no human either, and the human sees who it was.
#[test]
fn a_holder_does_not_approve_what_it_asks_for_under_another_name() {
    let bench = Bench::new();
    let auth = engine(&bench, MemoryApprovalStore::new());
    let mut claims = bench.cast.root_claims();
    (claims["client_id"], claims["act"]) = (json!("app"), json!({"sub": "app"}));
    let tokens = bench.cast.chain_below(bench.cast.root_of(&claims), 2);
    let caller = authenticate(&auth, bench.evidence(&auth, &tokens)).unwrap();
    let rejection = wait(caller.authorize(Action::new("records:read").unwrap())).unwrap_err();
    let (approvals, id) = (auth.approvals().unwrap(), rejection.approval_id().unwrap());
    for name in ["app", " APP ", "clerk", "archivist"] {
        assert_eq!(wait(approvals.approve(id, name)).unwrap_err().code(), "approver_is_agent", "{name}");
    }
    let request = wait(approvals.inspect(id)).unwrap();
    let holders: Vec<&str> = request.holders().iter().map(agentauth_core::AgentId::name).collect();
    assert_eq!((request.agent().name(), holders), ("archivist", vec!["clerk", "app"]));
    assert!(request.to_string().starts_with("archivist"), "{request}");
    assert!(request.to_string().contains("through clerk"), "{request}");
    wait(approvals.approve(id, "dana")).unwrap();
    assert_eq!(ask(&caller), ACCEPTED);
}

/// Nobody is told who it was that passed authority on, but for what denies: an agent does not slip past its name by passing
/// it on to itself.
#[test]
fn who_is_denied_is_denied_through_others_too() {
    let bench = Bench::new();
    let rule = |rule: Rule| rule.principals(Principals::any()).action("records:read").resources(Resources::any());
    let allow = || rule(Rule::allow("anybody").agents(Agents::any()));
    let denied = |agents: Agents| {
        let rules = Rules::new([allow(), rule(Rule::deny("not-them").agents(agents))]).unwrap();
        let auth = bench.with(ChainSettings::new()).policy(rules).build().unwrap();
        [0, 1, 3].map(|links| ask(&authenticate(&auth, bench.evidence(&auth, &bench.cast.chain(links))).unwrap()))
    };
    assert_eq!(denied(Agents::exactly(LAWYER.parse::<SpiffeId>().unwrap())), ["policy_forbidden"; 3]);
    assert_eq!(denied(Agents::below("spiffe://court.example/agent").unwrap()), ["policy_forbidden"; 3]);
    assert_eq!(denied(Agents::exactly(CLERK.parse::<SpiffeId>().unwrap())), [ACCEPTED; 3]);
    // It is no ground to allow anything.
    let lawyers = rule(Rule::allow("lawyers").agents(Agents::exactly(LAWYER.parse::<SpiffeId>().unwrap())));
    let auth = bench.with(ChainSettings::new()).policy(Rules::new([lawyers]).unwrap()).build().unwrap();
    let caller = authenticate(&auth, bench.evidence(&auth, &bench.cast.chain(1))).unwrap();
    assert_eq!(ask(&caller), "actor_unauthorized");
}

/// Says that it has not seen anything, an hour later.
#[derive(Debug)]
struct Slow(Arc<ManualClock>, Mutex<u64>);

impl ReplayStore for Slow {
    fn remember(&self, _: &[u8; 32], _: Timestamp, _: Timestamp) -> Remember {
        let (clock, by) = (self.0.clone(), *self.1.lock().unwrap());
        let mut is_first = true;
        Remember::later(std::future::poll_fn(move |context| {
            if std::mem::take(&mut is_first) {
                context.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            clock.advance(Duration::from_secs(by));
            std::task::Poll::Ready(ReplayAnswer::Fresh)
        }))
    }
}

#[test]
fn a_token_that_ends_while_its_proof_is_looked_up_is_over() {
    for (by, expected) in [(10, ACCEPTED), (3600, "delegation_expired")] {
        let bench = Bench::new();
        let slow = Arc::new(Slow(bench.court.clock.clone(), Mutex::new(by)));
        let auth = bench.with(ChainSettings::new()).dpop(Dpop::new(RESOURCE).replay_store(slow)).build().unwrap();
        assert_eq!(bench.code(&auth, &bench.cast.chain(1)), expected);
    }
}
