//! Keys that are newer than the ones at hand: fetched once for a token that needs them, and never more than that.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use agentauth_core::audit::RecordKind;
use agentauth_core::jose::KeySet;
use agentauth_core::{AgentAuth, Evidence, TrustedIssuer};
use serde_json::json;

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, Court, Key, LAWYER, STS, authenticate, claims, code, code_of, key_set, with};
use crate::support::doubles::KeyCabinet;

const OTHER: &str = "https://sts.other.example";

fn engine(court: &Court, keys: &KeyCabinet) -> AgentAuth {
    court.bare_engine().issuer(TrustedIssuer::rfc8693(STS, keys)).build().unwrap()
}

/// The public half of `key`, published under the name of `other`.
fn named_like(key: &Key, other: &Key) -> KeySet {
    let mut jwk = key.jwk.clone();
    jwk["kid"] = json!(other.id);
    key_set(&[&jwk])
}

/// The codes of the records so far, all of them of authentications.
fn recorded(court: &Court) -> Vec<&'static str> {
    let records = court.records.take();
    assert!(records.iter().all(|record| record.kind == RecordKind::Authentication));
    records.iter().map(|record| record.code).collect()
}

/// Each case: the keys at hand, what a refresh brings (nothing, if there is no inner list), which generations it is
/// asked for, and the answer.
#[test]
fn a_key_that_is_not_known_is_looked_for_once() {
    let court = Court::new();
    let key = &court.key;
    let (old, none) = (Key::new(), Vec::new());
    let stranger = || Key::new().key_set();
    let both = || key_set(&[&old.jwk, &key.jwk]);
    for (what, cabinet, tried, expected) in [
        ("known", KeyCabinet::fresh(Some(key.key_set())), none.clone(), ACCEPTED),
        ("new name", KeyCabinet::fresh(Some(old.key_set())).bringing(both()), vec![Some(1)], ACCEPTED),
        (
            "new key, old name",
            KeyCabinet::fresh(Some(named_like(&old, key))).bringing(key.key_set()),
            vec![Some(1)],
            ACCEPTED,
        ),
        ("no keys yet", KeyCabinet::fresh(None).bringing(key.key_set()), vec![None], ACCEPTED),
        // What does not help is not tried twice, and changes nothing about the answer.
        ("nothing new", KeyCabinet::fresh(Some(old.key_set())), vec![Some(1)], "key_unknown"),
        (
            "nothing new for the name",
            KeyCabinet::fresh(Some(named_like(&old, key))),
            vec![Some(1)],
            "signature_invalid",
        ),
        (
            "others",
            KeyCabinet::fresh(Some(old.key_set())).bringing(stranger()).bringing(both()),
            vec![Some(1)],
            "key_unknown",
        ),
        ("still no keys", KeyCabinet::fresh(None), vec![None], "keys_unavailable"),
        // Where there is nothing to wait for, the answer is the first one.
        ("cannot refresh", KeyCabinet::fixed(Some(old.key_set())).bringing(both()), vec![Some(1)], "key_unknown"),
        ("cannot refresh, no keys", KeyCabinet::fixed(None).bringing(both()), vec![None], "keys_unavailable"),
    ] {
        let auth = engine(&court, &cabinet);
        assert_eq!(code(&auth, &key.mint(&claims())), expected, "{what}");
        assert_eq!(cabinet.tried(), tried, "{what}");
        let kept = if expected == ACCEPTED { "allowed" } else { expected };
        assert_eq!(recorded(&court), [kept], "{what}: one record");
    }
}

#[test]
fn only_what_newer_keys_could_mend_asks_for_them() {
    let court = Court::new();
    let key = &court.key;
    let cabinet = KeyCabinet::fresh(Some(key.key_set()));
    let auth = engine(&court, &cabinet);
    let good = key.mint(&claims());
    for (token, expected) in [
        ("x".into(), "token_not_compact"),
        (key.mint(&with("exp", 1)), "token_expired"),
        (key.mint(&with("iss", OTHER)), "issuer_untrusted"),
        (key.mint(&with("aud", "https://elsewhere.example")), "audience_wrong"),
        (key.sign(r#"{"alg":"none","typ":"at+jwt"}"#, claims().to_string()), "alg_none"),
        (key.sign(r#"{"alg":"EdDSA","typ":"JWT"}"#, claims().to_string()), "typ_wrong"),
        (format!("{good}AAA"), "token_not_canonical"),
    ] {
        assert_eq!(code(&auth, &token), expected);
        assert_eq!(cabinet.tried(), [], "{expected}");
    }
    // And what they could mend, in each of its forms.
    let other = Key::new();
    for (token, expected) in [
        (other.mint(&claims()), "key_unknown"),
        (other.sign(r#"{"alg":"EdDSA","typ":"at+jwt"}"#, claims().to_string()), "signature_invalid"),
        (key.sign(r#"{"alg":"ES256","typ":"at+jwt"}"#, claims().to_string()), "key_not_named"),
        (
            key.sign(&json!({"alg": "ES256", "typ": "at+jwt", "kid": key.id}).to_string(), claims().to_string()),
            "alg_not_of_key",
        ),
    ] {
        assert_eq!(code(&auth, &token), expected);
        assert_eq!(cabinet.tried(), [Some(1)], "{expected}");
    }
}

#[test]
fn the_answer_and_its_record_wait_for_the_keys() {
    let court = Court::new();
    let mut context = Context::from_waker(Waker::noop());
    for (cabinet, expected, status) in [
        (KeyCabinet::fresh(None).bringing(court.key.key_set()), ACCEPTED, 200),
        (KeyCabinet::fresh(None), "keys_unavailable", 503),
        (KeyCabinet::fresh(Some(Key::new().key_set())), "key_unknown", 401),
    ] {
        let auth = engine(&court, &cabinet);
        let release = cabinet.hold();
        let mut answer = pin!(auth.authenticate(Evidence::bearer(&court.key.mint(&claims()))));
        for _ in 0..2 {
            assert!(answer.as_mut().poll(&mut context).is_pending());
            assert_eq!(recorded(&court), [""; 0], "nothing is on record that is not known");
        }
        release.send(()).unwrap();
        let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still waiting") };
        assert_eq!(code_of(&answer), expected);
        assert_eq!(answer.as_ref().map_or_else(|rejection| rejection.status().as_u16(), |_| 200), status);
        assert_eq!(recorded(&court).len(), 1, "{expected}");
        assert_eq!(cabinet.tried().len(), 1, "{expected}");
    }
}

#[test]
fn who_does_not_wait_for_the_keys_is_nobody() {
    let court = Court::new();
    let cabinet = KeyCabinet::fresh(None).bringing(court.key.key_set());
    let auth = engine(&court, &cabinet);
    let _release = cabinet.hold();
    let mut answer = Box::pin(auth.authenticate(Evidence::bearer(&court.key.mint(&claims()))));
    assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(answer);
    assert_eq!(recorded(&court), ["caller_gone"]);
    // Not even looked at: the same.
    drop(auth.authenticate(Evidence::bearer(&court.key.mint(&claims()))));
    assert_eq!(recorded(&court), ["caller_gone"]);
}

/// An answer that was given is not given again, and leaves no second record.
#[test]
fn an_answer_that_was_waited_for_is_given_once() {
    let court = Court::new();
    let cabinet = KeyCabinet::fresh(None).bringing(court.key.key_set());
    let mut answer = Box::pin(engine(&court, &cabinet).authenticate(Evidence::bearer(&court.key.mint(&claims()))));
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(answer.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
    assert!(answer.as_mut().poll(&mut context).is_pending());
    drop(answer);
    assert_eq!(recorded(&court), ["allowed"]);
}

/// Anyone can send a token that has to wait; what they can fill is bounded.
#[test]
fn only_so_many_wait_at_once() {
    let court = Court::new();
    let cabinet = KeyCabinet::fresh(None);
    let auth = engine(&court, &cabinet);
    let token = court.key.mint(&claims());
    let waiting: Vec<_> = (0..4096).map(|_| auth.authenticate(Evidence::bearer(&token))).collect();
    assert_eq!(court.records.take().len(), 0);
    assert_eq!(code(&auth, &token), "too_many_waiting", "refused at once");
    assert_eq!(cabinet.tried().len(), 4097);
    drop(waiting);
    cabinet.rotate(court.key.key_set());
    assert_eq!(code(&auth, &token), ACCEPTED, "their places are free again");
}

/// Whatever has ended while the keys were on their way counts no more.
#[test]
fn what_ends_during_the_wait_has_ended() {
    let court = Court::new();
    let mut context = Context::from_waker(Waker::noop());
    let peer = court.peer(LAWYER);
    assert_eq!(peer.not_after().secs(), NOW + 3600);
    let lasting = with("exp", NOW + 80_000);
    for (claims, over, expected) in [
        (claims(), NOW + 329, ACCEPTED),
        (claims(), NOW + 330, "token_expired"),
        (lasting.clone(), NOW + 3600, ACCEPTED),
        (lasting, NOW + 3601, "svid_expired"),
    ] {
        court.at(NOW);
        let cabinet = KeyCabinet::fresh(None).bringing(court.key.key_set());
        let auth = engine(&court, &cabinet);
        let release = cabinet.hold();
        let evidence = Evidence::bearer(&court.key.mint(&claims)).with_peer(Some(peer.clone()));
        let mut answer = pin!(auth.authenticate(evidence));
        assert!(answer.as_mut().poll(&mut context).is_pending());
        court.at(over);
        release.send(()).unwrap();
        let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still waiting") };
        assert_eq!(code_of(&answer), expected);
        assert_eq!(court.records.only().time.secs(), over, "the record says when it was known");
    }
}

/// Two issuers with keys of one name: each is asked about its own tokens only.
#[test]
fn the_keys_of_issuers_never_mix() {
    let court = Court::new();
    let (key, rival) = (&court.key, Key::new());
    let ours = KeyCabinet::fresh(Some(key.key_set()));
    let theirs = KeyCabinet::fresh(Some(named_like(&rival, key)));
    let auth = court
        .bare_engine()
        .issuer(TrustedIssuer::rfc8693(STS, &ours))
        .issuer(TrustedIssuer::rfc8693(OTHER, &theirs))
        .build()
        .unwrap();
    let header = key.header().to_string();
    let mut tokens = Vec::new();
    for (signer, iss, expected, asked_ours, asked_theirs) in [
        (key, STS, ACCEPTED, 0, 0),
        (&rival, OTHER, ACCEPTED, 0, 0),
        (&rival, STS, "signature_invalid", 1, 0),
        (key, OTHER, "signature_invalid", 0, 1),
    ] {
        let token = signer.sign(&header, with("iss", iss).to_string());
        assert_eq!(code(&auth, &token), expected, "{iss}");
        assert_eq!((ours.tried().len(), theirs.tried().len()), (asked_ours, asked_theirs), "{iss}");
        tokens.push(token);
    }
    // Their rotation says nothing about our tokens, be they remembered or not.
    theirs.rotate(key.key_set());
    let before = ours.looked();
    assert_eq!(code(&auth, &tokens[0]), ACCEPTED);
    assert_eq!(ours.looked(), before, "remembered still");
    assert_eq!(code(&auth, &tokens[1]), "signature_invalid", "verified again, under the keys of today");
    assert_eq!(code(&auth, &tokens[3]), ACCEPTED);
}

/// RFC 6750 §3.1 has no word for this: the token may be as good as any.
#[test]
fn without_keys_after_a_wait_it_is_503_and_no_better_token_would_help() {
    let court = Court::new();
    let auth = engine(&court, &KeyCabinet::fresh(None));
    let rejection = authenticate(&auth, Evidence::bearer(&court.key.mint(&claims()))).unwrap_err();
    assert_eq!((rejection.code(), rejection.status().as_u16()), ("keys_unavailable", 503));
    assert_eq!((rejection.public_error(), rejection.challenges()), ("temporarily_unavailable", Vec::new()));
}
