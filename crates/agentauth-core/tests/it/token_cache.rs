//! Tokens that were verified before: a signature is checked once, everything that can change each time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use agentauth_core::jose::Algorithm;
use agentauth_core::token::TokenVerifier;
use agentauth_core::{AgentAuth, Evidence, ResourceId, Timestamp, TrustedIssuer};
use http::{HeaderMap, Method, Uri};
use serde_json::json;

use crate::support::certs::NOW;
use crate::support::court::{
    ACCEPTED, Court, Key, LAWYER, RESOURCE, STS, authenticate, bound_to, claims, code, code_of, code_over, key_set,
    with,
};
use crate::support::doubles::KeyCabinet;
use crate::support::dpop_client::DpopClient;

/// An engine, and the keys of its issuer, which are looked at once for each signature that is checked.
fn engine(court: &Court) -> (AgentAuth, KeyCabinet) {
    let keys = KeyCabinet::fixed(Some(court.key.key_set()));
    (court.bare_engine().issuer(TrustedIssuer::rfc8693(STS, &keys)).build().unwrap(), keys)
}

#[test]
fn a_signature_is_checked_once_and_each_use_is_recorded() {
    let court = Court::new();
    let (auth, keys) = engine(&court);
    let token = court.key.mint(&claims());
    let callers = [(); 3].map(|()| authenticate(&auth, Evidence::bearer(&token)).unwrap());
    assert_eq!(keys.looked(), 1);
    let shown = callers.each_ref().map(|caller| format!("{caller:?}"));
    assert!(shown.iter().all(|caller| *caller == shown[0]), "{shown:?}");
    let records = court.records.take();
    assert_eq!(records.iter().map(|record| record.code).collect::<Vec<_>>(), ["allowed"; 3]);
    assert!(records.iter().zip(&callers).all(|(record, caller)| *record.evaluation_id == *caller.evaluation_id()));
}

#[test]
fn an_engine_that_remembers_none_checks_each_time() {
    let court = Court::new();
    let keys = KeyCabinet::fixed(Some(court.key.key_set()));
    let auth = court.bare_engine().issuer(TrustedIssuer::rfc8693(STS, &keys)).cached_tokens(0).build().unwrap();
    let token = court.key.mint(&claims());
    assert_eq!([(); 3].map(|()| code(&auth, &token)), [ACCEPTED; 3]);
    auth.forget_tokens();
    assert_eq!(keys.looked(), 3);
}

/// In whole seconds, with the leeway of 30 s at both ends.
#[test]
fn a_remembered_token_counts_only_in_its_time() {
    let court = Court::new();
    let (auth, keys) = engine(&court);
    for (claims, last, after, before) in [
        (claims(), NOW + 329, "token_expired", "token_issued_in_future"),
        (with("nbf", NOW), NOW + 329, "token_expired", "token_not_yet_valid"),
        (with("nbf", 1), NOW + 329, "token_expired", "token_issued_in_future"),
        (with("exp", NOW + 5), NOW + 34, "token_expired", "token_issued_in_future"),
    ] {
        let token = court.key.mint(&claims);
        let looked = keys.looked();
        for time in [NOW, last, NOW - 30, NOW] {
            court.at(time);
            assert_eq!(code(&auth, &token), ACCEPTED, "{time}");
        }
        assert_eq!(keys.looked(), looked + 1, "remembered to its end, and from its beginning");
        for (time, expected) in [(last + 1, after), (NOW - 31, before)] {
            court.at(time);
            assert_eq!(code(&auth, &token), expected, "{time}");
            assert_eq!(code(&auth, &token), expected, "{time}");
            court.at(NOW);
            assert_eq!(code(&auth, &token), ACCEPTED);
        }
    }
}

#[test]
fn other_keys_are_another_look() {
    let court = Court::new();
    let (auth, keys) = engine(&court);
    let (token, new) = (court.key.mint(&claims()), Key::new());
    assert_eq!(code(&auth, &token), ACCEPTED);
    // The same key among others: verified again, once.
    keys.rotate(key_set(&[&new.jwk, &court.key.jwk]));
    assert_eq!([(); 2].map(|()| code(&auth, &token)), [ACCEPTED; 2]);
    assert_eq!(keys.looked(), 2);
    // The issuer has withdrawn the key.
    keys.rotate(new.key_set());
    assert_eq!([(); 2].map(|()| code(&auth, &token)), ["key_unknown"; 2]);
    // Another key took its name.
    let mut renamed = new.jwk.clone();
    renamed["kid"] = json!(court.key.id);
    keys.rotate(key_set(&[&renamed]));
    assert_eq!(code(&auth, &token), "signature_invalid");
    keys.rotate(court.key.key_set());
    assert_eq!(code(&auth, &token), ACCEPTED);
    keys.lose();
    assert_eq!(code(&auth, &token), "keys_unavailable", "what cannot be checked again is not believed");
}

#[test]
fn what_is_forgotten_is_verified_again() {
    let court = Court::new();
    let (auth, keys) = engine(&court);
    let tokens = ["a", "b", "c"].map(|jti| court.key.mint(&with("jti", jti)));
    for round in 1..=3 {
        for token in tokens.iter().chain(&tokens) {
            assert_eq!(code(&auth, token), ACCEPTED);
        }
        assert_eq!(keys.looked(), 3 * round);
        auth.clone().forget_tokens();
    }
}

#[test]
fn a_refusal_is_not_remembered() {
    let court = Court::new();
    let keys = KeyCabinet::fixed(Some(Key::new().key_set()));
    let auth = court.bare_engine().issuer(TrustedIssuer::rfc8693(STS, &keys)).build().unwrap();
    let token = court.key.mint(&claims());
    assert_eq!([(); 2].map(|()| code(&auth, &token)), ["key_unknown"; 2]);
    assert_eq!(keys.looked(), 2);
    keys.rotate(court.key.key_set());
    court.at(NOW + 400);
    assert_eq!(code(&auth, &token), "token_expired");
    court.at(NOW);
    assert_eq!(code(&auth, &token), ACCEPTED);
}

#[test]
fn a_token_with_one_other_byte_is_another_token() {
    let court = Court::new();
    let (auth, _) = engine(&court);
    let token = court.key.mint(&claims());
    assert_eq!(code(&auth, &token), ACCEPTED);
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert_ne!(code(&auth, std::str::from_utf8(&bytes).unwrap()), ACCEPTED, "byte {at}");
    }
    for longer in [format!("{token}A"), format!("{token}="), format!("{token} "), token[1..].to_owned()] {
        assert_ne!(code(&auth, &longer), ACCEPTED);
    }
    assert_eq!(code(&auth, &token), ACCEPTED);
}

/// Three times as many tokens as there is room for: never more are kept than that, and none is mistaken for another. The
/// room is rounded up by a thirtieth at most, however many processors there are.
#[test]
fn no_more_tokens_are_kept_than_there_is_room_for() {
    let court = Court::new();
    let now = Timestamp::from_secs(NOW);
    for capacity in [1, 2, 7, 64, 500] {
        let room = capacity + capacity / 30;
        let keys = KeyCabinet::fixed(Some(court.key.key_set()));
        let verifier = TokenVerifier::new(ResourceId::new(RESOURCE).unwrap(), vec![TrustedIssuer::rfc8693(STS, &keys)]);
        let verifier = verifier.unwrap().with_cache(capacity);
        let tokens: Vec<_> = (0..3 * capacity).map(|n| court.key.mint(&with("sub", format!("user-{n}")))).collect();
        for token in &tokens {
            verifier.verify_cached(token, now).unwrap();
            assert!(kept(&verifier) <= room, "{} of {capacity}", kept(&verifier));
        }
        assert!(kept(&verifier) > 0);
        // Tokens that are found again need no look at the keys: of all, at most so many as there is room for.
        let looked = keys.looked();
        for (n, token) in tokens.iter().enumerate() {
            let verified = verifier.verify_cached(token, now).unwrap();
            assert!(format!("{verified:?}").contains(&format!("user-{n}")), "{verified:?}");
        }
        assert!(keys.looked() - looked >= tokens.len() - room, "{} looks for {capacity}", keys.looked() - looked);
        verifier.forget();
        assert_eq!(kept(&verifier), 0);
    }
}

/// How many tokens a verifier says it keeps.
fn kept(verifier: &TokenVerifier) -> usize {
    let shown = format!("{verifier:?}");
    let (_, rest) = shown.split_once("TokenCache { len: ").unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Threads that use, refuse and forget tokens at the same time get the answers that each would get alone.
#[test]
fn threads_do_not_get_each_others_answers() {
    const ROUNDS: usize = 60;
    let court = Court::new();
    let keys = KeyCabinet::fixed(Some(court.key.key_set()));
    // Few places, so that tokens push each other out.
    let auth = court.bare_engine().issuer(TrustedIssuer::rfc8693(STS, &keys)).cached_tokens(8).build().unwrap();
    let forger = Key::new();
    let cases: Vec<_> = (0..12)
        .flat_map(|n| {
            let name = format!("user-{n}");
            let claims = with("sub", name.as_str());
            let forged = forger.sign(&court.key.header().to_string(), claims.to_string());
            [(court.key.mint(&claims), Ok(name)), (forged, Err("signature_invalid"))]
        })
        .collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (auth, cases) = (&auth, &cases);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let (token, expected) = &cases[(round * 7 + worker * 5) % cases.len()];
                        let answer = authenticate(auth, Evidence::bearer(token));
                        let answer = answer.map(|caller| caller.principal().subject().to_owned());
                        assert_eq!(answer.map_err(|rejection| rejection.code()), *expected);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                auth.forget_tokens();
                keys.rotate(court.key.key_set());
                thread::yield_now();
            }
        });
        let ended: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok));
    });
    assert_eq!(court.records.take().len(), 4 * ROUNDS);
}

/// A token is remembered, what ties it to its holder is shown each time.
#[test]
fn a_remembered_token_needs_its_proof_on_each_request() {
    let court = Court::new();
    let keys = KeyCabinet::fixed(Some(court.key.key_set()));
    let dpop = agentauth_core::binding::dpop::Dpop::new(RESOURCE);
    let auth = court.bare_engine().issuer(TrustedIssuer::rfc8693(STS, &keys)).dpop(dpop).build().unwrap();
    let (holder, thief) = (DpopClient::new(Algorithm::Es256), DpopClient::new(Algorithm::Es256));
    let token = court.key.mint(&with("cnf", holder.cnf()));
    let uri = format!("{RESOURCE}/x");
    let proof = |prover: &DpopClient| prover.proof("GET", &uri, &token, NOW);
    let first = proof(&holder);
    for (proof, expected) in [
        (Some(first.clone()), ACCEPTED),
        (Some(first), "dpop_replayed"),
        (Some(proof(&holder)), ACCEPTED),
        (Some(proof(&thief)), "dpop_key_mismatch"),
        (None, "dpop_proof_missing"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("DPoP {token}").parse().unwrap());
        if let Some(proof) = proof {
            headers.insert("dpop", proof.parse().unwrap());
        }
        let evidence = Evidence::from_http(&Method::GET, &Uri::from_static("/x"), &headers);
        assert_eq!(code_of(&authenticate(&auth, evidence)), expected);
    }
    assert_eq!(code(&auth, &token), "dpop_bound_token_as_bearer");
    assert_eq!(keys.looked(), 1, "the token was remembered throughout");
}

#[test]
fn a_remembered_token_needs_its_certificate_on_each_connection() {
    let court = Court::new();
    let (auth, keys) = engine(&court);
    let (lawyer, renewed) = (court.peer(LAWYER), court.peer(LAWYER));
    let token = court.key.mint(&bound_to(&lawyer));
    for _ in 0..2 {
        assert_eq!(code_over(&auth, &token, &lawyer), ACCEPTED);
        assert_eq!(code_over(&auth, &token, &renewed), "binding_certificate_mismatch");
        assert_eq!(code(&auth, &token), "binding_certificate_missing");
    }
    assert_eq!(keys.looked(), 1, "the token was remembered throughout");
    court.at(NOW + 3601);
    assert_eq!(code_over(&auth, &token, &lawyer), "svid_expired");
}
