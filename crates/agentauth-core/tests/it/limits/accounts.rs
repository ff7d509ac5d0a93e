//! Whose limit it is: that of the grant at the root, however many share it.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::identity::svid::X509Svid;
use agentauth_core::policy::{Obligation, Reason, ReasonKind};
use agentauth_core::state::MemoryLimits;
use agentauth_core::{Action, AgentAuth, Caller, Decision, Evidence, TrustedIssuer};
use serde_json::json;

use super::{auth, paid, policy, under};
use crate::support::court::{
    ACCEPTED, CLERK, Court, JUDGE, LAWYER, Oracle, RESOURCE, STS, authenticate, caller, claims, code_of, wait, with,
};
use crate::support::office::{Office, request, request_for};

/// One consent, three agents that it is passed on to, and the one that it was given to.
#[test]
fn sub_agents_share_the_limits_of_their_root() {
    for (limit, expected) in [
        (("rate", "5/1h"), "rate_exceeded"),
        (("budget", "amount 50/1h"), "budget_exceeded"),
        (("concurrency", "5"), "concurrency_exceeded"),
    ] {
        let office = Office::new();
        let server = AgentAuth::builder(RESOURCE)
            .clock(office.court.clock.clone())
            .audit(office.court.records.clone())
            .agents(office.court.ca.trust())
            .issuer(TrustedIssuer::rfc8693(STS, office.issuer.keys()))
            .policy(policy(&[limit]))
            .limits(MemoryLimits::new())
            .build()
            .unwrap();
        let of = |token: &str, peer: &Arc<X509Svid>| {
            authenticate(&server, Evidence::bearer(token).with_peer(Some(peer.clone()))).unwrap()
        };
        let crew = || -> Vec<Caller> {
            let consent = office.consent();
            let own = office.exchange(&office.lawyer, &request(&consent, RESOURCE)).unwrap();
            let delegable = office.exchange(&office.lawyer, &request(&consent, STS)).unwrap();
            let subs = [CLERK, JUDGE, "spiffe://court.example/agent/usher"].map(|id| {
                let peer = office.court.peer(id);
                let onward = request_for(delegable.token(), &office.own_token(&peer), RESOURCE);
                of(office.exchange(&office.lawyer, &onward).unwrap().token(), &peer)
            });
            [of(own.token(), &office.lawyer)].into_iter().chain(subs).collect()
        };
        let (first, second) = (crew(), crew());
        let mut permits = Vec::new();
        for round in 0..3 {
            for (index, agent) in first.iter().enumerate() {
                let asked = super::pay(agent, 10);
                let within = round * 4 + index < 5;
                assert_eq!(code_of(&asked), if within { ACCEPTED } else { expected }, "{round} {index}");
                permits.extend(asked);
            }
        }
        for (index, agent) in second.iter().enumerate() {
            assert_eq!(code_of(&super::pay(agent, 10)), ACCEPTED, "another root has its own: {index}");
        }
    }
}

/// Tokens that name no grant are the principal's: the next token is no new budget.
#[test]
fn without_a_grant_it_is_the_principals_account() {
    let court = Court::new();
    let auth = auth(&court, &[("rate", "2/1h")], MemoryLimits::new());
    let with_id = |id: &str, subject: &str| {
        let mut claims = with("jti", id);
        claims["sub"] = subject.into();
        caller(&auth, &court.key.mint(&claims))
    };
    assert_eq!(["1", "2", "3"].map(|id| paid(&with_id(id, "alice"), 1)), [ACCEPTED, ACCEPTED, "rate_exceeded"]);
    assert_eq!(paid(&with_id("4", "bob"), 1), ACCEPTED);
    assert_eq!(paid(&under(&auth, &court, "g"), 1), ACCEPTED, "a grant has its own");
    assert_eq!(paid(&under(&auth, &court, "alice"), 1), ACCEPTED, "whatever it is called");
}

#[test]
fn an_account_may_be_the_principals_across_grants() {
    let court = Court::new();
    let auth = auth(&court, &[("budget", "amount 20/1h per principal"), ("rate", "2/1h")], MemoryLimits::new());
    let of = |grant: &str, subject: &str| {
        let mut claims = with("grant_id", grant);
        claims["sub"] = subject.into();
        caller(&auth, &court.key.mint(&claims))
    };
    assert_eq!([paid(&of("g1", "alice"), 10), paid(&of("g2", "alice"), 10)], [ACCEPTED; 2]);
    assert_eq!(paid(&of("g3", "alice"), 1), "budget_exceeded");
    assert_eq!([paid(&of("g4", "bob"), 20), paid(&of("g4", "bob"), 0)], [ACCEPTED; 2]);
    assert_eq!(paid(&of("g4", "bob"), 0), "rate_exceeded");
}

/// Two principals of one name are two, and so are two servers.
#[test]
fn nobody_debits_the_account_of_another() {
    let court = Court::new();
    let store = Arc::new(MemoryLimits::new());
    let limits = [("rate", "1/1h per principal")];
    let tools = auth(&court, &limits, store.clone());
    let records = AgentAuth::builder("https://records.example")
        .clock(court.clock.clone())
        .audit(court.records.clone())
        .issuer(TrustedIssuer::rfc8693(STS, court.key.key_set()))
        .policy(policy(&limits))
        .limits(store.clone())
        .build()
        .unwrap();
    let alice = caller(&tools, &court.key.mint(&claims()));
    // The client that is called alice, and acts for itself.
    let mut client = claims();
    client.as_object_mut().unwrap().remove("act");
    (client["sub"], client["client_id"]) = ("alice".into(), "alice".into());
    let client = caller(&tools, &court.key.mint(&client));
    let elsewhere = caller(&records, &court.key.mint(&with("aud", "https://records.example")));
    for caller in [&alice, &client, &elsewhere] {
        assert_eq!([paid(caller, 1), paid(caller, 1)], [ACCEPTED, "rate_exceeded"]);
    }
    // Replicas share one.
    let replica = auth(&court, &limits, store);
    assert_eq!(paid(&caller(&replica, &court.key.mint(&claims())), 1), "rate_exceeded");
}

/// Without a name, a limit is the action's; with one, it is that of all that name it.
#[test]
fn limits_of_one_name_share_a_counter() {
    let court = Court::new();
    let lawyer = |store: &Arc<MemoryLimits>, limits: &[(&str, &str)]| {
        let auth = auth(&court, limits, store.clone());
        under(&auth, &court, "g")
    };
    let ask = |caller: &Caller, action: &str| {
        let action = Action::new(action).unwrap().with(json!({"amount": 10, "fee": 5})).unwrap();
        let asked = wait(caller.authorize(action));
        let code = code_of(&asked);
        asked.into_iter().for_each(super::run);
        code
    };
    let store = Arc::new(MemoryLimits::new());
    let plain = lawyer(&store, &[("rate", "1/1h")]);
    assert_eq!(
        ["motions:file", "records:read", "motions:file"].map(|name| ask(&plain, name)),
        [ACCEPTED, ACCEPTED, "rate_exceeded"]
    );
    let named = lawyer(&store, &[("rate", "all: 2/1h")]);
    assert_eq!(
        ["motions:file", "records:read", "motions:file"].map(|name| ask(&named, name)),
        [ACCEPTED, ACCEPTED, "rate_exceeded"]
    );
    // Another number changes the limit and not what was counted; another period is another counter.
    assert_eq!(ask(&lawyer(&store, &[("rate", "all: 3/1h")]), "records:read"), ACCEPTED);
    assert_eq!(ask(&lawyer(&store, &[("rate", "all: 3/2h")]), "records:read"), ACCEPTED);
    // Of two for one counter the narrower counts, once.
    let twice = lawyer(&store, &[("rate", "x: 3/1h"), ("rate", "x: 2/1h")]);
    assert_eq!([(); 3].map(|()| ask(&twice, "records:read")), [ACCEPTED, ACCEPTED, "rate_exceeded"]);
    let held = lawyer(&store, &[("concurrency", "x: 3"), ("concurrency", "x: 2")]);
    let permits: Vec<_> = (0..3).map(|_| super::pay(&held, 1)).collect();
    assert_eq!(permits.iter().map(code_of).collect::<Vec<_>>(), [ACCEPTED, ACCEPTED, "concurrency_exceeded"]);
    // And it is held for as long as the wider says: one that is given away sooner would be one more of that.
    let longer = lawyer(&Arc::default(), &[("concurrency", "x: 2 for 30m"), ("concurrency", "x: 1 for 1s")]);
    let first = super::pay(&longer, 1).unwrap();
    court.clock.advance(Duration::from_secs(2));
    assert_eq!(code_of(&super::pay(&longer, 1)), "concurrency_exceeded");
    super::run(first);
    // Two arguments of one budget add up.
    let spend = lawyer(&store, &[("budget", "spend: amount 40/1h"), ("budget", "spend: fee 40/1h")]);
    assert_eq!([(); 3].map(|()| ask(&spend, "records:read")), [ACCEPTED, ACCEPTED, "budget_exceeded"]);
    let fees = lawyer(&store, &[("budget", "spend: fee 35/1h")]);
    assert_eq!([(); 2].map(|()| ask(&fees, "records:read")), [ACCEPTED, "budget_exceeded"]);
}

/// What a policy in force denies is not counted, nor is what no delegation covers.
#[test]
fn what_is_denied_is_not_counted() {
    let court = Court::new();
    let store = Arc::new(MemoryLimits::new());
    let limit = Obligation::read("rate", "1/1h").unwrap();
    let denies = Decision::deny(Reason::new(ReasonKind::Forbidden, "no")).on_condition_of(limit);
    let denying = court.engine().policy(Oracle::answering(Ok(denies))).limits(store.clone()).build().unwrap();
    assert_eq!(paid(&under(&denying, &court, "g"), 1), "policy_forbidden");
    let auth = auth(&court, &[("rate", "1/1h")], store);
    let mut other = with("grant_id", "g");
    other["scope"] = "records:read".into();
    assert_eq!(paid(&caller(&auth, &court.key.mint(&other)), 1), "insufficient_scope");
    let lawyer = under(&auth, &court, "g");
    assert_eq!(lawyer.agent().name(), LAWYER);
    assert_eq!([paid(&lawyer, 1), paid(&lawyer, 1)], [ACCEPTED, "rate_exceeded"]);
}
