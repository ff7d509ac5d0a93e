//! A chain at the engine: who it says is calling, and who must prove what.

use std::cell::Cell;
use std::slice;

use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::chain::{ChainSettings, ancestors_of};
use agentauth_core::jose::TokenType;
use agentauth_core::policy::{Obligation, Reason, ReasonKind};
use agentauth_core::state::{MemoryLimits, MemoryRevocations, MemoryUseStore, Revocation};
use agentauth_core::{
    Action, ActorBinding, AgentAuth, AgentAuthBuilder, AgentId, Binding, Decision, Evidence, IssuerId, Mode,
    PrincipalId, Timestamp, TrustDomain, TrustedIssuer,
};
use http::{HeaderMap, HeaderName, Method, Uri};
use serde_json::{Value, json};

use super::forge::{Cast, presented};
use crate::support::certs::NOW;
use crate::support::court::{
    ACCEPTED, CLERK, Court, JUDGE, LAWYER, Oracle, RESOURCE, STS, authenticate, code_of, wait,
};

pub(super) struct Bench {
    pub(super) court: Court,
    pub(super) cast: Cast,
    proofs: Cell<u64>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { court: Court::new(), cast: Cast::new(), proofs: Cell::new(0) }
    }

    pub(super) fn with(&self, chains: ChainSettings) -> AgentAuthBuilder {
        self.court
            .bare_engine()
            .issuer(TrustedIssuer::rfc8693(STS, self.cast.issuer.key().public_key_set().unwrap()))
            .dpop(Dpop::new(RESOURCE))
            .policy(Oracle::permitting())
            .chains(chains)
    }

    pub(super) fn auth(&self) -> AgentAuth {
        self.with(ChainSettings::new()).build().unwrap()
    }

    /// A chain of one link, in which the delegate is called `name`.
    pub(super) fn chain_for(&self, name: &str) -> Vec<String> {
        let root = self.cast.root();
        let link = self.cast.link_but(&root, 1, |claims| claims["client_id"] = json!(name));
        vec![root, link]
    }

    pub(super) fn code(&self, auth: &AgentAuth, tokens: &[String]) -> &'static str {
        code_of(&authenticate(auth, self.evidence(auth, tokens)))
    }

    /// `GET /x` with a chain, and the proof of the agent that its last link is for.
    pub(super) fn evidence(&self, auth: &AgentAuth, tokens: &[String]) -> Evidence {
        auth.evidence(&Method::GET, &Uri::from_static("/x"), &self.headers(tokens, "agent-delegation"))
    }

    pub(super) fn headers(&self, tokens: &[String], name: &str) -> HeaderMap {
        let (ancestors, leaf) = presented(tokens);
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("DPoP {leaf}").parse().unwrap());
        let holder = &self.cast.agents[tokens.len() - 1];
        self.proofs.set(self.proofs.get() + 1);
        headers.insert("dpop", holder.proof(&leaf, &self.proofs.get().to_string()).parse().unwrap());
        if !ancestors.is_empty() {
            headers.insert(name.parse::<HeaderName>().unwrap(), ancestors.parse().unwrap());
        }
        headers
    }
}

#[test]
fn a_chain_acts_for_the_roots_principal_with_what_is_left() {
    let bench = Bench::new();
    let auth = bench.auth();
    let tokens = bench.cast.chain(3);
    let caller = authenticate(&auth, bench.evidence(&auth, &tokens)).unwrap();
    assert_eq!((caller.principal().subject(), caller.principal().issuer().as_str()), ("alice", STS));
    assert_eq!((caller.agent().name(), caller.mode()), ("copyist", Mode::OnBehalfOf));
    assert_eq!(caller.scopes().to_string(), "records:read");
    let delegation = caller.delegation();
    assert_eq!((delegation.binding(), delegation.depth()), (Binding::Dpop, 4));
    assert_eq!((delegation.expires().secs(), delegation.audience().as_str()), (NOW + 270, RESOURCE));
    let record = bench.court.records.only().delegation.clone().unwrap();
    let earlier: Vec<&str> = record.earlier_actors().map(AgentId::name).collect();
    assert_eq!(earlier, ["archivist", "clerk", LAWYER]);

    assert!(wait(caller.authorize(Action::new("records:read").unwrap())).is_ok());
    let refused = wait(caller.authorize(Action::new("motions:file").unwrap()));
    assert_eq!(code_of(&refused), "insufficient_scope");
    // A caller does not outlive the shortest of its links.
    bench.court.at(NOW + 300);
    let refused = wait(caller.authorize(Action::new("records:read").unwrap()));
    assert_eq!(code_of(&refused), "delegation_expired");
}

#[test]
fn the_presenter_must_hold_the_key_of_the_leaf() {
    let bench = Bench::new();
    let auth = bench.auth();
    let tokens = bench.cast.chain(2);
    let (_, leaf) = presented(&tokens);
    let says = |change: &dyn Fn(&mut HeaderMap)| {
        let mut headers = bench.headers(&tokens, "agent-delegation");
        change(&mut headers);
        code_of(&authenticate(&auth, auth.evidence(&Method::GET, &Uri::from_static("/x"), &headers)))
    };
    let proof = |holder: usize, token: &str| bench.cast.agents[holder].proof(token, "another");
    // Whoever passed it on cannot present it: the key is the next agent's.
    assert_eq!(says(&|headers| _ = headers.insert("dpop", proof(1, &leaf).parse().unwrap())), "dpop_key_mismatch");
    assert_eq!(says(&|headers| _ = headers.insert("dpop", proof(2, &tokens[0]).parse().unwrap())), "dpop_ath_mismatch");
    assert_eq!(says(&|headers| _ = headers.remove("dpop")), "dpop_proof_missing");
    let bearer = |headers: &mut HeaderMap| {
        headers.insert("authorization", format!("Bearer {leaf}").parse().unwrap());
        headers.remove("dpop");
    };
    assert_eq!(says(&bearer), "dpop_bound_token_as_bearer");
    let evidence = bench.evidence(&auth, &tokens);
    assert_eq!(code_of(&authenticate(&auth, evidence.clone())), ACCEPTED);
    assert_eq!(code_of(&authenticate(&auth, evidence)), "dpop_replayed");
}

#[test]
fn a_request_has_one_chain_or_none() {
    let bench = Bench::new();
    let auth = bench.auth();
    let tokens = bench.cast.chain(1);
    let name = HeaderName::from_static("agent-delegation");
    let mut headers = bench.headers(&tokens, "agent-delegation");
    let again = headers[&name].clone();
    let refused = |headers: &HeaderMap| {
        let evidence = auth.evidence(&Method::GET, &Uri::from_static("/x"), headers);
        let rejection = authenticate(&auth, evidence).unwrap_err();
        (rejection.status().as_u16(), rejection.public_error(), rejection.code())
    };
    headers.append(&name, again.clone());
    assert_eq!(refused(&headers), (400, "invalid_request", "chain_header_repeated"));
    let joined = format!("{0}, {0}", again.to_str().unwrap());
    headers.insert(&name, joined.parse().unwrap());
    assert_eq!(refused(&headers), (400, "invalid_request", "chain_header_repeated"));
    headers.insert(&name, "\u{e9}".parse().unwrap());
    assert_eq!(refused(&headers), (400, "invalid_request", "chain_header_malformed"));
    headers.insert(&name, "A".repeat(32 * 1024 + 1).parse().unwrap());
    assert_eq!(refused(&headers), (400, "invalid_request", "chain_oversize"));
    headers.insert(&name, tokens[1].parse().unwrap());
    assert_eq!(refused(&headers), (401, "invalid_token", "typ_wrong"));
    // Without its ancestors, a link is no token.
    headers.remove(&name);
    assert_eq!(refused(&headers), (401, "invalid_token", "typ_wrong"));
    assert_eq!(ancestors_of(&headers, &name), Ok(None));

    // A good token beside a chain that it is not the leaf of.
    let root = bench.cast.root();
    assert_eq!(bench.code(&auth, slice::from_ref(&root)), ACCEPTED);
    let mut headers = bench.headers(slice::from_ref(&root), "agent-delegation");
    headers.insert(&name, root.parse().unwrap());
    assert_eq!(refused(&headers), (401, "invalid_token", "chain_key_missing"));
}

#[test]
fn where_no_chains_are_followed_the_header_means_nothing_and_a_link_is_no_token() {
    let bench = Bench::new();
    let without = bench
        .court
        .bare_engine()
        .issuer(TrustedIssuer::rfc8693(STS, bench.cast.issuer.key().public_key_set().unwrap()))
        .dpop(Dpop::new(RESOURCE))
        .build()
        .unwrap();
    assert_eq!(bench.code(&without, &bench.cast.chain(1)), "typ_wrong");
    let root = bench.cast.root();
    let mut headers = bench.headers(slice::from_ref(&root), "agent-delegation");
    headers.insert("agent-delegation", "x, y".parse().unwrap());
    let evidence = without.evidence(&Method::GET, &Uri::from_static("/x"), &headers);
    assert_eq!(code_of(&authenticate(&without, evidence)), ACCEPTED);

    let unproven = bench.court.engine().chains(ChainSettings::new()).build();
    assert!(unproven.unwrap_err().to_string().contains(".dpop(..)"));
}

#[test]
fn the_header_has_the_name_that_is_set() {
    let bench = Bench::new();
    let auth = bench.with(ChainSettings::new().header(HeaderName::from_static("x-chain"))).build().unwrap();
    let tokens = bench.cast.chain(1);
    let says = |name: &str| {
        let evidence = auth.evidence(&Method::GET, &Uri::from_static("/x"), &bench.headers(&tokens, name));
        code_of(&authenticate(&auth, evidence))
    };
    assert_eq!((says("agent-delegation"), says("x-chain")), ("typ_wrong", ACCEPTED));
}

#[test]
fn a_name_in_a_link_is_its_makers_word() {
    let bench = Bench::new();
    let auth = bench.auth();
    let agent = |auth: &AgentAuth, name: &str| {
        authenticate(auth, bench.evidence(auth, &bench.chain_for(name))).map(|caller| caller.agent().clone())
    };
    let namer = bench.cast.agents[0].uri();
    // Neither a client of the issuer nor a workload, whatever the lawyer calls it.
    for name in ["clerk", JUDGE, "spiffe://elsewhere.example/x"] {
        let AgentId::Named { issuer, name: named } = agent(&auth, name).unwrap() else { panic!("{name} is believed") };
        assert_eq!((issuer.as_str(), &*named), (namer.as_str(), name));
    }
    // The connection proves it.
    let over = |auth: &AgentAuth, name: &str, peer: &str| {
        authenticate(auth, bench.evidence(auth, &bench.chain_for(name)).with_peer(Some(bench.court.peer(peer))))
    };
    assert_eq!(over(&auth, CLERK, CLERK).unwrap().agent(), &AgentId::Spiffe(CLERK.parse().unwrap()));
    assert_eq!(code_of(&over(&auth, JUDGE, CLERK)), "actor_is_not_peer");
    assert_eq!(code_of(&over(&auth, "clerk", CLERK)), "actor_is_not_peer");
    // The server takes holders' word for agents of this domain, and of no other.
    let domain: TrustDomain = "court.example".parse().unwrap();
    let trusting = bench.with(ChainSettings::new().delegates_named_in([domain])).build().unwrap();
    assert_eq!(agent(&trusting, CLERK).unwrap(), AgentId::Spiffe(CLERK.parse().unwrap()));
    assert!(agent(&trusting, "spiffe://elsewhere.example/x").unwrap().spiffe_id().is_none());
    let strict = bench.with(ChainSettings::new()).actor_binding(ActorBinding::Peer).build().unwrap();
    assert_eq!(bench.code(&strict, &bench.chain_for(CLERK)), "peer_missing");
}

#[test]
fn a_chain_is_no_way_around_who_is_believed_here() {
    let bench = Bench::new();
    let below =
        |auth: &AgentAuth, claims: &Value| bench.code(auth, &bench.cast.chain_below(bench.cast.root_of(claims), 1));
    let root_by = |agent: &str| {
        let mut claims = bench.cast.root_claims();
        claims["act"] = json!({"sub": agent});
        claims
    };
    // The agent of the root, of a trust domain that is not trusted here.
    assert_eq!(below(&bench.auth(), &root_by("spiffe://evil.example/agent")), "agent_untrusted");
    // And one that its issuer may not name.
    let issuer = TrustedIssuer::rfc8693(STS, bench.cast.issuer.key().public_key_set().unwrap());
    let auth = bench
        .court
        .bare_engine()
        .issuer(issuer.agents_of(["other.example".parse().unwrap()]))
        .dpop(Dpop::new(RESOURCE))
        .chains(ChainSettings::new())
        .build()
        .unwrap();
    assert_eq!(below(&auth, &root_by(LAWYER)), "chain_root_agent_untrusted");
    assert_eq!(below(&auth, &root_by("lawyer")), ACCEPTED);
    // An agent in the middle, which the server would take the lawyer's word for.
    let domains = ["court.example", "evil.example"].map(|domain| domain.parse::<TrustDomain>().unwrap());
    let auth = bench.with(ChainSettings::new().delegates_named_in(domains)).build().unwrap();
    let mut tokens = bench.chain_for("spiffe://evil.example/agent");
    tokens.push(bench.cast.link_but(&tokens[1], 2, |_| {}));
    assert_eq!(bench.code(&auth, &tokens), "agent_untrusted");
    // Where it would not, that is only what the lawyer calls it.
    for chains in [ChainSettings::new(), ChainSettings::new().delegates_named_in(["court.example".parse().unwrap()])] {
        let auth = bench.with(chains).build().unwrap();
        bench.court.records.take();
        assert_eq!(bench.code(&auth, &tokens), ACCEPTED);
        let record = bench.court.records.only().delegation.clone().unwrap();
        let Some(AgentId::Named { issuer, .. }) = record.earlier_actors().next() else { panic!("{:?}", record.chain) };
        assert_eq!(issuer.as_str(), bench.cast.agents[0].uri());
    }
}

#[test]
fn a_link_makes_nothing_of_a_token_that_its_issuer_did_not_say() {
    let bench = Bench::new();
    let plain = TrustedIssuer::rfc9068(STS, bench.cast.issuer.key().public_key_set().unwrap());
    let engine =
        || bench.court.bare_engine().issuer(plain.clone()).dpop(Dpop::new(RESOURCE)).chains(ChainSettings::new());
    let below = |auth: &AgentAuth, subject: &str, client: &str| {
        let mut claims = bench.cast.root_claims();
        claims.as_object_mut().unwrap().remove("act");
        (claims["sub"], claims["client_id"]) = (json!(subject), json!(client));
        let root = bench.cast.issuer.key().sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap();
        let link = bench.cast.link_but(&root, 1, |claims| claims["sub"] = json!(subject));
        authenticate(auth, bench.evidence(auth, &[root, link]))
    };
    // A user's token in a client's hands: nobody has delegated to the client, so it cannot either.
    let auth = engine().build().unwrap();
    let caller = below(&auth, "alice", "app").unwrap();
    assert_eq!((caller.mode(), caller.delegation().depth()), (Mode::ClientOnly, 2));
    let strict = engine().require_delegation().build().unwrap();
    assert_eq!(code_of(&below(&strict, "alice", "app")), "delegation_required");
    // A client's own authority is its own to pass on, and does not become anybody else's. What it calls itself is not
    // believed because of that.
    assert_eq!(code_of(&below(&strict, LAWYER, LAWYER)), "delegation_required");
    let caller = below(&auth, LAWYER, LAWYER).unwrap();
    assert_eq!((caller.mode(), caller.delegation().depth()), (Mode::OnBehalfOf, 2));
    bench.court.records.take();
    below(&auth, LAWYER, LAWYER).unwrap();
    let record = bench.court.records.only().delegation.clone().unwrap();
    assert!(
        matches!(&record.earlier_actors().collect::<Vec<_>>()[..], [AgentId::Named { issuer, .. }] if issuer.as_str() == STS)
    );
}

#[test]
fn a_root_that_is_known_is_still_looked_at_each_time() {
    let bench = Bench::new();
    let auth = bench.auth();
    let tokens = bench.cast.chain(1);
    assert_eq!(bench.code(&auth, &tokens[..1]), ACCEPTED);
    let mut forged = tokens.clone();
    forged[1] = bench.cast.mallory.link(&bench.cast.link_claims(&tokens[0], 1));
    assert_eq!(bench.code(&auth, &forged), "chain_key_borrowed");
    assert_eq!(bench.code(&auth, &tokens), ACCEPTED);
    bench.court.at(NOW + 330);
    assert_eq!(bench.code(&auth, &tokens), "token_expired");
}

/// Two delegates of one holder: what may be done twice may not be done twice by each.
#[test]
fn uses_are_counted_under_the_root() {
    let bench = Bench::new();
    let auth = bench.with(ChainSettings::new()).uses(MemoryUseStore::new()).build().unwrap();
    let detail = json!([{"type": "agent_action", "actions": ["fees:pay"], "max_uses": 2}]);
    let mut claims = bench.cast.root_claims();
    claims["authorization_details"] = detail.clone();
    let root = bench.cast.root_of(&claims);
    let pay = |jti: &str| {
        let link = bench.cast.link_but(&root, 1, |claims| {
            claims["jti"] = json!(jti);
            claims["authorization_details"] = detail.clone();
        });
        let caller = authenticate(&auth, bench.evidence(&auth, &[root.clone(), link])).unwrap();
        code_of(&wait(caller.authorize(Action::new("fees:pay").unwrap())))
    };
    assert_eq!(["1", "2", "3"].map(pay), [ACCEPTED, ACCEPTED, "uses_exhausted"]);
}

/// However many delegates a holder has, and whatever it calls them, they debit one account.
#[test]
fn limits_are_counted_under_the_root() {
    let bench = Bench::new();
    let limit = Obligation::read("rate", "4/1h").unwrap();
    let allow = Decision::allow(Reason::new(ReasonKind::Permitted, "four times an hour")).on_condition_of(limit);
    let auth = bench
        .with(ChainSettings::new())
        .policy(Oracle::answering(Ok(allow)))
        .limits(MemoryLimits::new())
        .build()
        .unwrap();
    let pay = |root: &String, jti: &str| {
        let link = bench.cast.link_but(root, 1, |claims| claims["jti"] = json!(jti));
        let caller = authenticate(&auth, bench.evidence(&auth, &[root.clone(), link])).unwrap();
        let asked = wait(caller.authorize(Action::new("records:read").unwrap()));
        let code = code_of(&asked);
        asked.into_iter().for_each(|permit| wait(permit.run(async |()| Ok::<_, ()>(()))).unwrap().unwrap());
        code
    };
    let root_under = |grant: &str| {
        let mut claims = bench.cast.root_claims();
        claims["grant_id"] = json!(grant);
        bench.cast.root_of(&claims)
    };
    let root = root_under("g1");
    let codes: Vec<_> = ["1", "2", "3", "1", "2", "3"].into_iter().map(|jti| pay(&root, jti)).collect();
    assert_eq!(codes, [ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED, "rate_exceeded", "rate_exceeded"]);
    assert_eq!(pay(&root_under("g2"), "1"), ACCEPTED, "another root has its own");
}

/// Of what it is made, by whom, and for whom: any of these takes the whole chain back.
#[test]
fn a_chain_is_taken_back_with_its_root_or_anyone_in_it() {
    let bench = Bench::new();
    let tokens = bench.cast.chain(2);
    let root: Value = crate::support::court::claims_of(&tokens[0]);
    let (sts, end) = (IssuerId::new(STS).unwrap(), Timestamp::from_secs(NOW + 4000));
    let first = AgentId::named_by(&sts, root["client_id"].as_str().unwrap());
    for (revocation, expected) in [
        (Revocation::token(sts.clone(), root["jti"].as_str().unwrap(), end), "token_revoked"),
        (Revocation::grant(sts.clone(), root["jti"].as_str().unwrap(), end), "grant_revoked"),
        (Revocation::agent(first), "agent_revoked"),
        (Revocation::principal(PrincipalId::new(sts.clone(), root["sub"].as_str().unwrap())), "principal_revoked"),
        (Revocation::issuer(sts), "issuer_revoked"),
    ] {
        let auth = bench.with(ChainSettings::new()).revocations(MemoryRevocations::new()).build().unwrap();
        assert_eq!(bench.code(&auth, &tokens), ACCEPTED);
        let kept = authenticate(&auth, bench.evidence(&auth, &tokens)).unwrap();
        wait(auth.revoke(&revocation)).unwrap();
        assert_eq!(bench.code(&auth, &tokens), expected);
        assert_eq!(code_of(&wait(kept.require_binding())), expected);
    }
}

/// What a holder calls its delegate makes no workload of it, and is enough to refuse it.
#[test]
fn a_workload_that_is_revoked_has_no_part_in_a_chain() {
    let bench = Bench::new();
    let mut tokens = bench.chain_for(CLERK);
    tokens.push(bench.cast.link_but(&tokens[1], 2, |_| {}));
    let workload = |id: &str| AgentId::Spiffe(id.parse().unwrap());
    let named = AgentId::Named { issuer: IssuerId::new(&bench.cast.agents[0].uri()).unwrap(), name: CLERK.into() };
    for (agent, expected) in [(workload(CLERK), "agent_revoked"), (named, "agent_revoked"), (workload(JUDGE), ACCEPTED)]
    {
        let auth = bench.with(ChainSettings::new()).revocations(MemoryRevocations::new()).build().unwrap();
        wait(auth.revoke(&Revocation::agent(agent))).unwrap();
        assert_eq!(bench.code(&auth, &tokens), expected);
    }
}
