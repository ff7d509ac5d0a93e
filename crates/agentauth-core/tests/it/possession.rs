//! Who holds it? A proof of possession is looked at after the token, and used up after everything else.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use agentauth_core::binding::dpop::Dpop;
use agentauth_core::identity::forwarded::client_certificate::ClientCertificate;
use agentauth_core::jose::Algorithm;
use agentauth_core::state::{MemoryReplayStore, ReplayAnswer, ReplayStore};
use agentauth_core::{Action, AgentAuth, Binding, Evidence, ScopeSet, TrustedIssuer};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, Method, Uri};
use serde_json::json;

use crate::support::certs::{NOW, at};
use crate::support::court::{
    ACCEPTED, CLERK, Court, LAWYER, Oracle, RESOURCE, STS, authenticate, bound_to, claims, code, code_of, code_over,
    encode, wait, with, without,
};
use crate::support::doubles::{KeyCabinet, Store};
use crate::support::dpop_client::DpopClient;

fn holder() -> DpopClient {
    DpopClient::new(Algorithm::EdDsa)
}

/// `GET /x` with a token in the DPoP scheme, and a proof.
fn dpop(token: &str, proof: &str) -> Evidence {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("DPoP {token}").parse().unwrap());
    headers.insert("dpop", proof.parse().unwrap());
    Evidence::from_http(&Method::GET, &Uri::from_static("/x"), &headers)
}

/// A new proof for `GET /x` at the resource.
fn proof(holder: &DpopClient, token: &str) -> String {
    holder.proof("GET", &format!("{RESOURCE}/x"), token, NOW)
}

fn engine(court: &Court, store: Arc<dyn ReplayStore>) -> AgentAuth {
    court.engine().dpop(Dpop::new(RESOURCE).replay_store(store)).build().unwrap()
}

/// RFC 9449 §11.1: whoever could use up a proof that is refused could use up other people's.
#[test]
fn a_proof_is_used_up_last() {
    let court = Court::new();
    let (holder, thief) = (holder(), holder());
    let (store, _answer) = Store::held();
    let auth =
        court.engine().dpop(Dpop::new(RESOURCE).replay_store(store.clone())).require_delegation().build().unwrap();
    let bound = |mut claims: serde_json::Value| {
        claims["cnf"] = holder.cnf();
        court.key.mint(&claims)
    };
    let good = bound(claims());
    let expired = bound(with("exp", 1));
    let clients_own = bound(without("act"));
    let strange = bound(with("act", json!({"sub": "spiffe://evil.example/agent"})));
    let elsewhere = holder.proof("GET", &format!("{RESOURCE}/y"), &good, NOW);
    for (token, proof, expected) in [
        (&good, proof(&thief, &good), "dpop_key_mismatch"),
        (&good, elsewhere, "dpop_htu_mismatch"),
        (&good, proof(&holder, &expired), "dpop_ath_mismatch"),
        (&expired, proof(&holder, &expired), "token_expired"),
        (&clients_own, proof(&holder, &clients_own), "delegation_required"),
        (&strange, proof(&holder, &strange), "agent_untrusted"),
        (&court.key.mint(&claims()), proof(&holder, &court.key.mint(&claims())), "dpop_token_not_bound"),
    ] {
        assert_eq!(code_of(&authenticate(&auth, dpop(token, &proof))), expected);
        assert_eq!(store.asked.load(Ordering::SeqCst), 0, "{expected}");
    }
    let clerk = dpop(&good, &proof(&holder, &good)).with_peer(Some(court.peer(CLERK)));
    assert_eq!(code_of(&authenticate(&auth, clerk)), "actor_is_not_peer");
    assert_eq!(store.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_bad_request_does_not_use_up_the_proof_of_a_good_one() {
    let court = Court::new();
    let holder = holder();
    let auth = engine(&court, Arc::new(MemoryReplayStore::new()));
    let token = court.key.mint(&with("cnf", holder.cnf()));
    let claims = holder.claims("GET", &format!("{RESOURCE}/x"), &token, NOW);
    // The same `jti` in proofs for something else, and the same proof beside another token.
    for (name, value) in [("htu", json!("https://evil.example/x")), ("htm", json!("POST")), ("iat", json!(1))] {
        let mut bad = claims.clone();
        bad[name] = value;
        assert_ne!(code_of(&authenticate(&auth, dpop(&token, &holder.prove(&bad)))), ACCEPTED);
    }
    let good = holder.prove(&claims);
    let other = court.key.mint(&with("jti", "another"));
    assert_eq!(code_of(&authenticate(&auth, dpop(&other, &good))), "dpop_token_not_bound");
    assert_eq!(code_of(&authenticate(&auth, dpop(&token, &good))), ACCEPTED);
    assert_eq!(code_of(&authenticate(&auth, dpop(&token, &good))), "dpop_replayed");
    // Another client's proof may have the same `jti`.
    let neighbour = DpopClient::new(Algorithm::Es256);
    let theirs = court.key.mint(&with("cnf", neighbour.cnf()));
    assert_eq!(code_of(&authenticate(&auth, dpop(&theirs, &proof(&neighbour, &theirs)))), ACCEPTED);
}

/// A store that is elsewhere takes its time; nobody is let in, and nothing is recorded, before it has said so.
#[test]
fn the_answer_and_its_record_wait_for_the_replay_store() {
    let court = Court::new();
    let holder = holder();
    let token = court.key.mint(&with("cnf", holder.cnf()));
    let mut context = Context::from_waker(Waker::noop());
    for (said, expected, status) in [
        (Some(ReplayAnswer::Fresh), ACCEPTED, 200),
        (Some(ReplayAnswer::Replayed), "dpop_replayed", 401),
        (Some(ReplayAnswer::Unavailable), "dpop_replay_unavailable", 503),
        (None, "dpop_replay_unavailable", 503),
    ] {
        let (store, say) = Store::held();
        let auth = engine(&court, store.clone());
        let mut answer = pin!(auth.authenticate(dpop(&token, &proof(&holder, &token))));
        for _ in 0..2 {
            assert!(answer.as_mut().poll(&mut context).is_pending());
            assert_eq!((court.records.take().len(), store.asked.load(Ordering::SeqCst)), (0, 1));
        }
        match said {
            Some(said) => say.send(said).unwrap(),
            None => drop(say),
        }
        let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still waiting") };
        assert_eq!(code_of(&answer), expected);
        assert_eq!(answer.as_ref().map_or_else(|rejection| rejection.status().as_u16(), |_| 200), status);
        let record = court.records.only();
        assert_eq!(record.code, if expected == ACCEPTED { "allowed" } else { expected });
        assert_eq!(record.delegation.is_some(), answer.is_ok());
        assert_eq!(store.asked.load(Ordering::SeqCst), 1);
        // A store that is asked again, and has no answer.
        let answer = authenticate(&auth, dpop(&token, &proof(&holder, &token)));
        assert_eq!(code_of(&answer), "dpop_replay_unavailable");
        let rejection = answer.unwrap_err();
        assert_eq!((rejection.status().as_u16(), rejection.public_error()), (503, "temporarily_unavailable"));
        assert_eq!(rejection.challenges(), Vec::<http::HeaderValue>::new());
        court.records.only();
    }
}

/// Keys, then the proof, then the store: each wait after the other.
#[test]
fn the_waits_come_one_after_the_other() {
    let court = Court::new();
    let holder = holder();
    let token = court.key.mint(&with("cnf", holder.cnf()));
    let keys = KeyCabinet::fresh(None).bringing(court.key.key_set());
    let (store, say) = Store::held();
    let auth = court
        .bare_engine()
        .issuer(TrustedIssuer::rfc8693(STS, &keys))
        .dpop(Dpop::new(RESOURCE).replay_store(store.clone()))
        .build()
        .unwrap();
    let release = keys.hold();
    let mut context = Context::from_waker(Waker::noop());
    let mut answer = pin!(auth.authenticate(dpop(&token, &proof(&holder, &token))));
    assert!(answer.as_mut().poll(&mut context).is_pending());
    assert_eq!(store.asked.load(Ordering::SeqCst), 0);
    release.send(()).unwrap();
    assert!(answer.as_mut().poll(&mut context).is_pending());
    assert_eq!((store.asked.load(Ordering::SeqCst), court.records.take().len()), (1, 0));
    say.send(ReplayAnswer::Fresh).unwrap();
    let Poll::Ready(Ok(caller)) = answer.as_mut().poll(&mut context) else { panic!("no caller") };
    assert_eq!(caller.delegation().binding(), Binding::Dpop);
    assert_eq!(court.records.only().code, "allowed");

    // A proof that has grown too old while the keys were fetched.
    let keys = KeyCabinet::fresh(None).bringing(court.key.key_set());
    let issuer = TrustedIssuer::rfc8693(STS, &keys);
    let auth = court.bare_engine().issuer(issuer).dpop(Dpop::new(RESOURCE)).build().unwrap();
    let release = keys.hold();
    let mut answer = pin!(auth.authenticate(dpop(&token, &proof(&holder, &token))));
    assert!(answer.as_mut().poll(&mut context).is_pending());
    court.at(NOW + 61);
    drop(release);
    let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still waiting") };
    assert_eq!(code_of(&answer), "dpop_iat_too_old");
}

/// RFC 9449 §7.2: where DPoP is not known, its scheme is no credentials, and its tokens are no bearer tokens.
#[test]
fn an_engine_without_dpop_takes_no_part_of_it() {
    let court = Court::new();
    let holder = holder();
    let auth = court.auth();
    let (plain, bound) = (court.key.mint(&claims()), court.key.mint(&with("cnf", holder.cnf())));
    for token in [&plain, &bound] {
        let answer = authenticate(&auth, dpop(token, &proof(&holder, token)));
        assert_eq!(code_of(&answer), "no_credentials");
        let challenges = answer.unwrap_err().challenges();
        assert!(challenges.len() == 1 && challenges[0].to_str().unwrap().starts_with("Bearer "), "{challenges:?}");
    }
    assert_eq!(code(&auth, &bound), "binding_method_unsupported");
    assert_eq!(code_over(&auth, &bound, &court.peer(LAWYER)), "binding_method_unsupported");
}

#[test]
fn a_binding_can_be_required_of_all_or_of_one_route() {
    let court = Court::new();
    let (holder, lawyer) = (holder(), court.peer(LAWYER));
    let strict = |auth: agentauth_core::AgentAuthBuilder| auth.require_binding().build().unwrap();
    let without = strict(court.engine());
    let auth = strict(court.engine().dpop(Dpop::new(RESOURCE)));
    let plain = court.key.mint(&claims());
    let to_certificate = court.key.mint(&bound_to(&lawyer));
    let to_key = court.key.mint(&with("cnf", holder.cnf()));
    for auth in [&without, &auth] {
        assert_eq!(code(auth, &plain), "binding_required");
        assert_eq!(code_over(auth, &plain, &lawyer), "binding_required", "a certificate binds only what names it");
        assert_eq!(code_over(auth, &to_certificate, &lawyer), ACCEPTED);
        assert_eq!(court.records.take().last().unwrap().code, "allowed");
    }
    assert_eq!(code_of(&authenticate(&auth, dpop(&to_key, &proof(&holder, &to_key)))), ACCEPTED);
    // The challenge names what would do, if the server knows.
    let schemes = |auth| {
        let rejection = authenticate(auth, Evidence::bearer(&plain)).unwrap_err();
        assert_eq!((rejection.status().as_u16(), rejection.public_error()), (401, "invalid_token"));
        let challenges = rejection.challenges();
        challenges.iter().map(|value| value.to_str().unwrap().split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((schemes(&without), schemes(&auth)), (vec!["Bearer".to_owned()], vec!["DPoP".to_owned()]));

    // Of one route, each answer with its record.
    let auth = court.engine().dpop(Dpop::new(RESOURCE)).build().unwrap();
    for (evidence, expected) in [
        (Evidence::bearer(&plain), "binding_required"),
        (Evidence::bearer(&plain).with_peer(Some(lawyer.clone())), "binding_required"),
        (Evidence::bearer(&to_certificate).with_peer(Some(lawyer.clone())), ACCEPTED),
        (dpop(&to_key, &proof(&holder, &to_key)), ACCEPTED),
    ] {
        let caller = authenticate(&auth, evidence).unwrap();
        court.records.take();
        assert_eq!(code_of(&wait(caller.require_binding())), expected);
        let record = court.records.only();
        assert_eq!(record.code, if expected == ACCEPTED { "allowed" } else { expected });
        assert_eq!(&*record.action.as_ref().unwrap().name, "require binding");
        assert_eq!(record.authentication_id.as_deref(), Some(caller.evaluation_id()));
        court.at(NOW + 330);
        assert_eq!(code_of(&wait(caller.require_binding())), "delegation_expired");
        court.at(NOW);
    }
}

/// A certificate that a trusted proxy has passed on: valid from an hour before to `end`.
fn forwarded(court: &Court, end: u64) -> ClientCertificate {
    let mut params = court.ca.leaf("/agent/lawyer");
    (params.not_before, params.not_after) = (at(NOW - 3600), at(end));
    ClientCertificate::parse(format!(":{}:", BASE64_STANDARD.encode(court.ca.sign(&params))).as_bytes()).unwrap()
}

#[test]
fn a_certificate_that_was_passed_on_counts_in_its_time_and_for_its_token() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).build().unwrap();
    let (certificate, other) = (forwarded(&court, NOW + 60), forwarded(&court, NOW + 60));
    let token = court.key.mint(&with("cnf", json!({"x5t#S256": encode(certificate.thumbprint())})));
    let shown = |certificate: &ClientCertificate| {
        Evidence::bearer(&token).with_peer(Some(court.peer(CLERK))).with_client_certificate(certificate.clone())
    };
    let caller = authenticate(&auth, shown(&certificate)).unwrap();
    assert_eq!((caller.delegation().binding(), caller.peer()), (Binding::MutualTls, None), "the clerk is the proxy");
    assert_eq!(code_of(&authenticate(&auth, shown(&other))), "binding_certificate_mismatch");
    assert_eq!(code(&auth, &token), "binding_certificate_missing");
    // It proves no SPIFFE ID, to whomever it was given.
    let plain = Evidence::bearer(&court.key.mint(&claims())).with_client_certificate(certificate.clone());
    assert_eq!(authenticate(&auth, plain).unwrap().delegation().binding(), Binding::Bearer);

    let authorize = || code_of(&wait(caller.authorize(Action::new("motions:file").unwrap())));
    for (time, authenticated, authorized) in [
        (NOW + 60, ACCEPTED, ACCEPTED),
        (NOW + 61, "client_cert_expired", "client_cert_expired"),
        (NOW - 3601, "client_cert_not_yet_valid", "client_cert_not_yet_valid"),
    ] {
        court.at(time);
        assert_eq!(code_of(&authenticate(&auth, shown(&certificate))), authenticated, "{time}");
        assert_eq!(authorize(), authorized, "{time}: a caller may be kept for longer than its certificate lasts");
        assert_eq!(code_of(&wait(caller.require_scopes(&ScopeSet::none()))), authorized);
    }
}

#[test]
fn a_certificate_that_was_passed_on_may_expire_during_the_wait() {
    let court = Court::new();
    let mut context = Context::from_waker(Waker::noop());
    let certificate = forwarded(&court, NOW + 60);
    let token = court.key.mint(&with("cnf", json!({"x5t#S256": encode(certificate.thumbprint())})));
    for (over, expected) in [(NOW + 60, ACCEPTED), (NOW + 61, "client_cert_expired")] {
        court.at(NOW);
        let keys = KeyCabinet::fresh(None).bringing(court.key.key_set());
        let auth = court.bare_engine().issuer(TrustedIssuer::rfc8693(STS, &keys)).build().unwrap();
        let release = keys.hold();
        let evidence = Evidence::bearer(&token).with_client_certificate(certificate.clone());
        let mut answer = pin!(auth.authenticate(evidence));
        assert!(answer.as_mut().poll(&mut context).is_pending());
        court.at(over);
        drop(release);
        let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still waiting") };
        assert_eq!(code_of(&answer), expected);
    }
}
