//! Who acts for whom, who holds the token, and for how long: the rules between a verified token and a caller.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::identity::svid::X509Svid;
use agentauth_core::policy::{Agents, Principals, Resources, Rule, Rules};
use agentauth_core::{Action, Binding, Evidence, Mode, SpiffeId, Timestamp, TrustedIssuer};
use serde_json::{Value, json};

use crate::support::certs::{self, Ca, NOW};
use crate::support::court::{
    ACCEPTED, CLERK, Court, JUDGE, LAWYER, Oracle, STS, authenticate, bound_to, caller, chain, claims, code, code_of,
    code_over, encode, wait, with, without,
};

/// The good claims with these parties; `act` is left out if it is null.
fn parties(sub: &str, client_id: &str, act: Value) -> Value {
    let mut claims = claims();
    (claims["sub"], claims["client_id"]) = (json!(sub), json!(client_id));
    match act {
        Value::Null => _ = claims.as_object_mut().unwrap().remove("act"),
        act => claims["act"] = act,
    }
    claims
}

#[test]
fn the_mode_says_in_what_capacity_an_agent_acts() {
    let court = Court::new();
    let auth = court.auth();
    let web = format!("web (at {STS})");
    let alice = format!("alice (at {STS})");
    for (sub, client_id, act, agent, mode, depth) in [
        ("alice", LAWYER, chain(&[LAWYER]), LAWYER, Mode::OnBehalfOf, 1),
        ("alice", "web", chain(&[LAWYER]), LAWYER, Mode::OnBehalfOf, 1),
        ("alice", CLERK, chain(&[CLERK, LAWYER]), CLERK, Mode::OnBehalfOf, 2),
        ("alice", CLERK, chain(&[CLERK, CLERK, LAWYER, CLERK]), CLERK, Mode::OnBehalfOf, 4),
        // An actor that is the subject is no delegation (OAuth actor profile).
        (LAWYER, LAWYER, chain(&[LAWYER]), LAWYER, Mode::Autonomous, 0),
        ("alice", "web", json!({"sub": "alice"}), &alice, Mode::Autonomous, 0),
        ("alice", "web", json!({"sub": "alice", "iss": STS}), &alice, Mode::Autonomous, 0),
        // The same name in another namespace is someone else.
        (
            "alice",
            "web",
            json!({"sub": "alice", "iss": "https://b.example"}),
            "alice (at https://b.example)",
            Mode::OnBehalfOf,
            1,
        ),
        (LAWYER, LAWYER, Value::Null, LAWYER, Mode::Autonomous, 0),
        ("web", "web", Value::Null, &web, Mode::Autonomous, 0),
        // That a client acts for the subject must not be inferred from client_id.
        ("alice", LAWYER, Value::Null, LAWYER, Mode::ClientOnly, 0),
        ("alice", "web", Value::Null, &web, Mode::ClientOnly, 0),
    ] {
        let claims = parties(sub, client_id, act);
        let caller = caller(&auth, &court.key.mint(&claims));
        let delegation = caller.delegation();
        assert_eq!((&*caller.agent().to_string(), caller.mode(), delegation.depth()), (agent, mode, depth), "{claims}");
        assert_eq!(caller.principal().subject(), sub);
        assert_eq!((caller.principal().issuer().as_str(), delegation.issuer().as_str()), (STS, STS));
        assert_eq!((delegation.binding(), delegation.expires()), (Binding::Bearer, Timestamp::from_secs(NOW + 300)));
    }
}

#[test]
fn a_spiffe_id_names_itself_and_any_other_name_belongs_to_a_namespace() {
    let court = Court::new();
    let auth = court.auth();
    for (act, agent) in [
        (json!({"sub": LAWYER}), LAWYER),
        (json!({"sub": LAWYER, "iss": "https://b.example"}), LAWYER),
        (json!({"sub": "bot"}), "bot (at https://sts.court.example)"),
        (json!({"sub": "bot", "iss": STS}), "bot (at https://sts.court.example)"),
        (json!({"sub": "bot", "iss": "https://b.example"}), "bot (at https://b.example)"),
        (json!({"sub": "bot", "iss": "https://b.example/"}), "bot (at https://b.example/)"),
        (json!({"sub": "spiffe://Court.example/x"}), "spiffe://Court.example/x (at https://sts.court.example)"),
        // Only what identifies an actor counts (RFC 8693 §4.1).
        (json!({"sub": "bot", "exp": 1, "aud": "x", "client_id": JUDGE}), "bot (at https://sts.court.example)"),
    ] {
        let caller = caller(&auth, &court.key.mint(&with("act", act.clone())));
        assert_eq!(caller.agent().to_string(), agent, "{act}");
    }
}

#[test]
fn a_bound_token_is_good_only_on_its_holders_connection() {
    let court = Court::new();
    let auth = court.auth();
    let lawyer = court.peer(LAWYER);
    let renewed = court.peer(LAWYER);
    let clerk = court.peer(CLERK);
    let x5t = encode(lawyer.thumbprint());
    let bound = bound_to(&lawyer);
    let cnf = |cnf: Value| with("cnf", cnf);
    for (claims, peer, expected) in [
        (&bound, Some(&lawyer), ACCEPTED),
        (&bound, None, "binding_certificate_missing"),
        (&bound, Some(&clerk), "binding_certificate_mismatch"),
        (&bound, Some(&renewed), "binding_certificate_mismatch"),
        (&cnf(json!({"jkt": x5t})), Some(&lawyer), "binding_method_unsupported"),
        (&cnf(json!({"jkt": x5t})), None, "binding_method_unsupported"),
        (&cnf(json!({"x5t#S256": x5t, "jkt": x5t})), Some(&lawyer), "confirmation_unsupported"),
        (&cnf(json!({"x5t#S256": x5t, "unknown": true})), Some(&lawyer), "confirmation_unsupported"),
        (&cnf(json!({"X5T#S256": x5t})), Some(&lawyer), "confirmation_unsupported"),
        (&cnf(json!({})), Some(&lawyer), "confirmation_unsupported"),
        (&claims(), Some(&lawyer), ACCEPTED),
    ] {
        let evidence = Evidence::bearer(&court.key.mint(claims)).with_peer(peer.cloned());
        let answer = authenticate(&auth, evidence);
        assert_eq!(code_of(&answer), expected, "{} on {:?}", claims["cnf"], peer.map(|peer| peer.id()));
        if let Ok(caller) = answer {
            let expected = if claims.get("cnf").is_some() { Binding::MutualTls } else { Binding::Bearer };
            assert_eq!(caller.delegation().binding(), expected);
        }
    }
}

#[test]
fn the_agent_in_the_token_is_the_agent_on_the_connection() {
    let court = Court::new();
    let auth = court.auth();
    let clerk = court.peer(CLERK);
    let bound = |mut claims: Value| {
        claims["cnf"] = bound_to(&clerk)["cnf"].clone();
        claims
    };
    for (claims, expected) in [
        (with("act", chain(&[CLERK])), ACCEPTED),
        (with("act", chain(&[LAWYER])), "actor_is_not_peer"),
        // Having acted earlier does not make the clerk the actor.
        (with("act", chain(&[LAWYER, CLERK])), "actor_is_not_peer"),
        (with("act", chain(&["spiffe://court.example/agent"])), "actor_is_not_peer"),
        (with("act", chain(&["spiffe://court.example/agent/clerk/7"])), "actor_is_not_peer"),
        (parties("alice", CLERK, Value::Null), ACCEPTED),
        (parties("alice", LAWYER, Value::Null), "actor_is_not_peer"),
        (parties(LAWYER, LAWYER, Value::Null), "actor_is_not_peer"),
        // The token is the clerk's to hold, and still speaks of the lawyer.
        (bound(with("act", chain(&[LAWYER]))), "actor_is_not_peer"),
        // A name that means nothing outside of its issuer is joined to the connection by the binding alone.
        (with("act", chain(&["bot"])), "actor_is_not_peer"),
        (bound(with("act", chain(&["bot"]))), ACCEPTED),
    ] {
        assert_eq!(code_over(&auth, &court.key.mint(&claims), &clerk), expected, "{claims}");
    }
}

#[test]
fn an_agent_of_a_strange_trust_domain_is_not_believed() {
    let court = Court::new();
    let auth = court.auth();
    let stranger = Ca::new("evil.example").peer("/agent/lawyer");
    let from_evil = |act: &[&str]| court.key.mint(&with("act", chain(act)));
    let theirs = "spiffe://evil.example/agent/lawyer";
    assert_eq!(code(&auth, &from_evil(&[theirs])), "agent_untrusted");
    assert_eq!(code(&auth, &from_evil(&["spiffe://sub.court.example/agent/lawyer"])), "agent_untrusted");
    assert_eq!(code(&auth, &court.key.mint(&parties("alice", theirs, Value::Null))), "agent_untrusted");
    // History is not a ground for a decision, in either direction.
    assert_eq!(code(&auth, &from_evil(&[LAWYER, theirs])), ACCEPTED);
    // A certificate is worth nothing outside of the trust domains that are configured here.
    assert_eq!(code_over(&auth, &from_evil(&[theirs]), &stranger), "svid_unknown_trust_domain");
    assert_eq!(code_over(&auth, &from_evil(&[LAWYER]), &stranger), "svid_unknown_trust_domain");

    let no_trust = agentauth_core::AgentAuth::builder(crate::support::court::RESOURCE)
        .clock(court.clock.clone())
        .audit(court.records.clone())
        .issuer(TrustedIssuer::rfc8693(STS, court.key.key_set()))
        .build()
        .unwrap();
    let lawyer = court.peer(LAWYER);
    assert_eq!(code_over(&no_trust, &court.key.mint(&claims()), &lawyer), "svid_unknown_trust_domain");
    assert_eq!(code(&no_trust, &court.key.mint(&bound_to(&lawyer))), "binding_certificate_missing");
}

/// Two issuers, one server: neither may speak of the other's agents.
#[test]
fn an_issuer_names_only_the_agents_it_may_name() {
    let court = Court::new();
    let (lawyer, clerk) = (court.peer(LAWYER), court.peer(CLERK));
    let engine = |domains: &[&str]| {
        let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set());
        let issuer = issuer.agents_of(domains.iter().map(|domain| domain.parse().unwrap()));
        court.bare_engine().issuer(issuer).build().unwrap()
    };
    let foreign = json!({"sub": "bot", "iss": "https://b.example"});
    for (domains, act, peer, expected) in [
        (&["court.example"][..], chain(&[LAWYER]), None, ACCEPTED),
        (&["b.example", "court.example"], chain(&[LAWYER]), None, ACCEPTED),
        (&["b.example"], chain(&[LAWYER]), None, "agent_untrusted"),
        (&["court.exampl"], chain(&[LAWYER]), None, "agent_untrusted"),
        (&["sub.court.example"], chain(&[LAWYER]), None, "agent_untrusted"),
        (&[], chain(&[LAWYER]), None, "agent_untrusted"),
        // Its own names it may always give, and those of others never.
        (&[], chain(&["bot"]), None, ACCEPTED),
        (&["court.example"], foreign, None, "agent_untrusted"),
        // The connection proves what the issuer may not say.
        (&[], chain(&[LAWYER]), Some(&lawyer), ACCEPTED),
        (&[], chain(&[LAWYER]), Some(&clerk), "agent_untrusted"),
        (&[], chain(&[CLERK, LAWYER]), Some(&clerk), ACCEPTED),
    ] {
        let evidence = Evidence::bearer(&court.key.mint(&with("act", act.clone()))).with_peer(peer.cloned());
        assert_eq!(code_of(&authenticate(&engine(domains), evidence)), expected, "{domains:?} {act}");
    }
}

#[test]
fn a_client_that_is_called_like_a_workload_is_not_that_workload() {
    let court = Court::new();
    let token = court.key.mint(&without("act"));
    let plain = court.bare_engine().issuer(TrustedIssuer::rfc9068(STS, court.key.key_set())).build().unwrap();
    let limited = TrustedIssuer::rfc8693(STS, court.key.key_set()).agents_of([]);
    let limited = court.bare_engine().issuer(limited).build().unwrap();
    for auth in [&plain, &limited] {
        let claimed = caller(auth, &token);
        assert_eq!((claimed.agent().spiffe_id(), claimed.agent().name()), (None, LAWYER));
        let evidence = Evidence::bearer(&token).with_peer(Some(court.peer(LAWYER)));
        let proven = authenticate(auth, evidence).unwrap();
        assert_eq!(proven.agent().spiffe_id().map(SpiffeId::as_str), Some(LAWYER));
        let clerk = court.peer(CLERK);
        assert_eq!(code_over(auth, &token, &clerk), "actor_is_not_peer");
        let mut bound_to_the_clerk = bound_to(&clerk);
        bound_to_the_clerk.as_object_mut().unwrap().remove("act");
        assert_eq!(code_over(auth, &court.key.mint(&bound_to_the_clerk), &clerk), "actor_is_not_peer");
    }
}

#[test]
fn a_server_can_require_that_callers_represent_someone() {
    let court = Court::new();
    let auth = court.engine().require_delegation().build().unwrap();
    for (claims, expected) in [
        (claims(), ACCEPTED),
        (parties(LAWYER, LAWYER, Value::Null), "delegation_required"),
        (parties(LAWYER, LAWYER, chain(&[LAWYER])), "delegation_required"),
        (parties("alice", LAWYER, Value::Null), "delegation_required"),
        (parties("alice", "web", json!({"sub": "alice"})), "delegation_required"),
    ] {
        assert_eq!(code(&auth, &court.key.mint(&claims)), expected, "{claims}");
    }
}

#[test]
fn a_caller_does_not_outlive_its_delegation() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    let file = || Action::new("motions:file").unwrap();
    let scopes = "motions:file".parse().unwrap();
    // The leeway counts here as it does when the token is verified.
    for (now, expected) in [(NOW + 329, ACCEPTED), (NOW + 330, "delegation_expired"), (NOW + 900, "delegation_expired")]
    {
        court.at(now);
        let answer = wait(caller.authorize(file()));
        assert_eq!(code_of(&answer), expected, "{now}");
        assert_eq!(code_of(&wait(caller.require_scopes(&scopes))), expected, "{now}");
        if let Err(rejection) = answer {
            assert_eq!((rejection.status().as_u16(), rejection.public_error()), (401, "invalid_token"));
        }
    }
}

/// The lawyer's certificate, good for one more minute.
fn short_lived_lawyer(court: &Court) -> Arc<X509Svid> {
    let mut leaf = court.ca.leaf("/agent/lawyer");
    leaf.not_after = certs::at(NOW + 60);
    Arc::new(court.ca.trust().verify(&[court.ca.sign(&leaf)], Timestamp::from_secs(NOW)).unwrap())
}

#[test]
fn a_connection_does_not_outlive_its_certificate() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).build().unwrap();
    let lawyer = short_lived_lawyer(&court);
    for token in [court.key.mint(&bound_to(&lawyer)), court.key.mint(&claims())] {
        court.at(NOW);
        let evidence = Evidence::bearer(&token).with_peer(Some(lawyer.clone()));
        let caller = authenticate(&auth, evidence).unwrap();
        for (now, expected) in [(NOW + 60, ACCEPTED), (NOW + 61, "svid_expired")] {
            court.at(now);
            assert_eq!(code_over(&auth, &token, &lawyer), expected, "{now}");
            assert_eq!(code_of(&wait(caller.authorize(Action::new("motions:file").unwrap()))), expected, "{now}");
            assert_eq!(code_of(&wait(caller.require_scopes(&"motions:file".parse().unwrap()))), expected, "{now}");
        }
    }
    // A clock that is set back.
    court.at(lawyer.not_before().secs() - 1);
    assert_eq!(code_over(&auth, &court.key.mint(&claims()), &lawyer), "svid_not_yet_valid");
}

#[test]
fn policy_never_hears_of_earlier_actors() {
    let court = Court::new();
    let oracle = Oracle::permitting();
    let auth = court.engine().policy(oracle.clone()).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&with("act", chain(&[LAWYER, JUDGE]))));
    assert!(wait(caller.authorize(Action::new("motions:file").unwrap())).is_ok());

    let asked = oracle.asked.lock().unwrap();
    assert!(asked[0].contains(LAWYER) && !asked[0].contains("judge"), "{asked:?}");
    assert!(asked[0].contains("depth: 2"), "how long the chain is may be known: {asked:?}");
    assert!(!format!("{caller:?}").contains("judge"));
    // The record has the whole chain.
    for record in court.records.take_but_not_run() {
        let earlier: Vec<_> = record.delegation.as_ref().unwrap().earlier_actors().collect();
        assert_eq!(earlier.iter().map(ToString::to_string).collect::<Vec<_>>(), [JUDGE]);
    }
}

#[test]
fn a_privileged_agent_in_the_history_lends_no_privilege() {
    let court = Court::new();
    let judges = Rule::allow("judges-seal")
        .agents(Agents::exactly(JUDGE.parse::<SpiffeId>().unwrap()))
        .principals(Principals::any())
        .action("motions:file")
        .resources(Resources::any());
    let auth = court.engine().policy(Rules::new([judges]).unwrap()).build().unwrap();
    for (act, expected) in [
        (chain(&[JUDGE]), ACCEPTED),
        (chain(&[JUDGE, LAWYER]), ACCEPTED),
        (chain(&[LAWYER, JUDGE]), "actor_unauthorized"),
        (chain(&[LAWYER, CLERK, JUDGE]), "actor_unauthorized"),
    ] {
        let caller = caller(&auth, &court.key.mint(&with("act", act.clone())));
        let answer = wait(caller.authorize(Action::new("motions:file").unwrap()));
        assert_eq!(code_of(&answer), expected, "{act}");
        if let Err(rejection) = answer {
            // Never insufficient_scope: a broader token would not help (OAuth actor profile).
            assert_eq!((rejection.status().as_u16(), rejection.public_error()), (403, "actor_unauthorized"));
            assert_eq!(rejection.challenges(), [""; 0]);
        }
    }
}

#[test]
fn may_act_is_no_authority_at_a_resource_server() {
    let court = Court::new();
    let mut claims = parties("alice", "web", Value::Null);
    claims["may_act"] = json!({"sub": LAWYER});
    let caller = caller(&court.auth(), &court.key.mint(&claims));
    assert_eq!((caller.agent().name(), caller.mode()), ("web", Mode::ClientOnly));
}

#[test]
fn nothing_that_is_shown_of_a_caller_shows_its_token() {
    let court = Court::new();
    let auth = court.auth();
    let token = court.key.mint(&claims());
    let evidence = Evidence::bearer(&token);
    let signature = token.rsplit('.').next().unwrap();
    let caller = authenticate(&auth, evidence.clone()).unwrap();
    for shown in [format!("{evidence:?}"), format!("{caller:?}"), format!("{:?}", caller.subject_token().unwrap())] {
        assert!(!shown.contains(signature), "{shown}");
    }
    court.clock.advance(Duration::from_secs(3600));
    let rejection = authenticate(&auth, evidence).unwrap_err();
    for shown in [format!("{rejection:?}"), rejection.to_string(), rejection.body()] {
        assert!(!shown.contains(signature) && !shown.contains("alice"), "{shown}");
    }
}
