//! Token status lists (draft-ietf-oauth-status-list): the issuer says of many tokens at once whether they count still.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use agentauth_core::token::{StatusListError, StatusLists, TokenError, TokenVerifier};
use agentauth_core::{Action, AgentAuth, Evidence, ResourceId, Timestamp, TrustedIssuer};
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{
    ACCEPTED, Court, Key, Oracle, RESOURCE, STS, authenticate, caller, claims, code, code_of, key_set, wait, with,
};
use crate::support::doubles::KeyCabinet;
use crate::support::statuses::{Host, LIST, list_claims, lst, signed_list};

/// A server that looks statuses up at a host, which has a list.
struct Desk {
    court: Court,
    host: Host,
    auth: AgentAuth,
}

impl Desk {
    fn new() -> Self {
        Self::with(|lists| lists)
    }

    fn with(settings: impl FnOnce(StatusLists) -> StatusLists) -> Self {
        let (court, host) = (Court::new(), Host::new());
        let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set());
        let issuer = issuer.status_lists(settings(StatusLists::new(host.clone())));
        let auth = court.bare_engine().policy(Oracle::permitting()).issuer(issuer).build().unwrap();
        let desk = Self { court, host, auth };
        desk.publish(&list_claims(&[0, 0]));
        desk
    }

    fn publish(&self, claims: &Value) {
        self.host.says(signed_list(&self.court.key, claims));
    }

    /// A token with this place in a list.
    fn token_at(&self, uri: &str, idx: u64) -> String {
        self.court.key.mint(&with("status", json!({"status_list": {"idx": idx, "uri": uri}})))
    }

    fn code(&self, token: &str) -> &'static str {
        code(&self.auth, token)
    }
}

fn list_with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = list_claims(&[0, 0]);
    claims[name] = value.into();
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[test]
fn a_token_counts_while_its_status_is_valid() {
    for (bits, bytes, expected) in [
        (1, [0b1111_0111, 0], ACCEPTED),
        (1, [0b0000_1000, 0], "status_invalid"),
        (2, [0b0011_1111, 0], ACCEPTED),
        (2, [0b0100_0000, 0], "status_invalid"),
        (2, [0b1000_0000, 0], "status_suspended"),
        (2, [0b1100_0000, 0], "status_unknown"),
        (4, [0, 0b0010_0000], "status_suspended"),
        (4, [0, 0b1100_0000], "status_unknown"),
        (4, [0xff, 0x0f], ACCEPTED),
    ] {
        let desk = Desk::new();
        let mut claims = list_claims(&[]);
        claims["status_list"] = json!({"bits": bits, "lst": lst(&bytes)});
        desk.publish(&claims);
        let answer = authenticate(&desk.auth, Evidence::bearer(&desk.token_at(LIST, 3)));
        assert_eq!(code_of(&answer), expected, "{bits} bits {bytes:?}");
        if let Err(rejection) = answer {
            assert_eq!((rejection.status().as_u16(), rejection.public_error()), (401, "invalid_token"));
        }
        assert_eq!(desk.host.asked(), [LIST]);
    }
}

#[test]
fn a_token_without_a_place_in_its_list_is_refused() {
    let desk = Desk::new();
    for (idx, expected) in
        [(0, ACCEPTED), (15, ACCEPTED), (16, "status_index_out_of_range"), (u64::MAX, "status_index_out_of_range")]
    {
        assert_eq!(desk.code(&desk.token_at(LIST, idx)), expected, "{idx}");
    }
    assert_eq!(desk.host.asked().len(), 1, "one list for all");
}

/// The token itself comes first: no list is fetched for one that is refused anyway.
#[test]
fn only_a_good_token_has_a_list_fetched() {
    let desk = Desk::new();
    let place = json!({"status_list": {"idx": 0, "uri": LIST}});
    for (name, value, expected) in [
        ("exp", json!(NOW - 60), "token_expired"),
        ("aud", json!("https://other.example"), "audience_wrong"),
        ("iss", json!("https://other.example"), "issuer_untrusted"),
    ] {
        let mut claims = with(name, value);
        claims["status"] = place.clone();
        assert_eq!(desk.code(&desk.court.key.mint(&claims)), expected);
    }
    let forged = Key::new().mint(&with("status", place));
    assert_eq!(desk.code(&forged), "key_unknown");
    assert_eq!(desk.host.asked(), [""; 0]);
}

#[test]
fn a_list_is_fetched_from_the_issuers_places_only() {
    let desk = Desk::with(|lists| lists.at_origin("https://status.example:8443").at_origin("http://127.0.0.1:1"));
    for (uri, expected) in [
        (LIST, "status_list_mismatch"),
        ("https://sts.court.example:443/x", "status_list_mismatch"),
        ("https://STS.court.example/x?y", "status_list_mismatch"),
        ("https://status.example:8443/x", "status_list_mismatch"),
        ("http://127.0.0.1:1/x", "status_list_mismatch"),
        ("http://sts.court.example/x", "status_uri_refused"),
        ("https://sts.court.example:444/x", "status_uri_refused"),
        ("https://sts.court.example.evil/x", "status_uri_refused"),
        ("https://sts.court.example@evil.example/x", "status_uri_refused"),
        ("https://evil.example/https://sts.court.example/x", "status_uri_refused"),
        ("https://status.example/x", "status_uri_refused"),
        ("https://sts.court.example/x#y", "status_uri_refused"),
        ("https://sts.court.example/x y", "status_uri_refused"),
        ("file:///etc/passwd", "status_uri_refused"),
        ("/x", "status_uri_refused"),
        ("", "status_uri_refused"),
    ] {
        desk.publish(&list_with("sub", "another"));
        assert_eq!(desk.code(&desk.token_at(uri, 0)), expected, "{uri}");
        assert_eq!(desk.host.asked().len(), usize::from(expected == "status_list_mismatch"), "{uri}");
    }
    for bad in ["status.example", "https://status.example/lists", "ftp://status.example", "https://u@status.example"] {
        let lists = StatusLists::new(Host::new()).at_origin(bad);
        let issuer = TrustedIssuer::rfc8693(STS, desk.court.key.key_set()).status_lists(lists);
        let error = TokenVerifier::new(ResourceId::new(RESOURCE).unwrap(), vec![issuer]).unwrap_err();
        assert!(error.to_string().contains(bad), "{error}");
    }
}

#[test]
fn a_status_that_cannot_be_looked_up_is_refused() {
    let desk = Desk::new();
    let place = json!({"idx": 0, "uri": LIST});
    for (status, expected) in [
        (json!({"status_list": place}), ACCEPTED),
        (json!({"status_list": place, "other": 1}), ACCEPTED),
        (json!({}), "status_unsupported"),
        (json!({"identifier_list": {}}), "status_unsupported"),
        (json!({"status_list": {"idx": 0}}), "status_unsupported"),
        (json!({"status_list": {"uri": LIST}}), "status_unsupported"),
        (json!("active"), "status_unsupported"),
        (json!(1), "status_unsupported"),
        (json!(null), "status_unsupported"),
        (json!([{}]), "status_unsupported"),
        (json!({"status_list": {"idx": -1, "uri": LIST}}), "json_wrong_type"),
        (json!({"status_list": {"idx": 0.0, "uri": LIST}}), "json_wrong_type"),
        (json!({"status_list": {"idx": "0", "uri": LIST}}), "json_wrong_type"),
        (json!({"status_list": []}), "json_wrong_type"),
    ] {
        assert_eq!(desk.code(&desk.court.key.mint(&with("status", status.clone()))), expected, "{status}");
    }
    let twice = r#"{"iss":"x","status":{"status_list":{}},"status":{}}"#;
    assert_eq!(desk.code(&desk.court.key.sign(&desk.court.key.header().to_string(), twice)), "json_duplicate_member");
}

#[test]
fn where_no_lists_are_configured_a_token_with_a_status_is_refused() {
    let court = Court::new();
    let token = court.key.mint(&with("status", json!({"status_list": {"idx": 0, "uri": LIST}})));
    let odd = court.key.mint(&with("status", "active"));
    assert_eq!([&token, &odd].map(|token| code(&court.auth(), token)), ["status_not_configured"; 2]);
    let error = TokenError::StatusNotConfigured(agentauth_core::Excerpt::of(STS));
    assert!(error.to_string().ends_with("call .status_lists(...)"), "{error}");
    // An issuer that means something else by it, by name.
    let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set()).dangerous().ignore_status();
    let auth = court.bare_engine().issuer(issuer).build().unwrap();
    assert_eq!([&token, &odd].map(|token| code(&auth, token)), [ACCEPTED; 2]);
}

#[test]
fn a_list_that_is_not_the_issuers_says_nothing() {
    let oversize = "A".repeat(1024 * 1024 + 1);
    let bomb = json!({"bits": 1, "lst": lst(&vec![0; 3 << 20])});
    let list = |name: &str, value: Value| json!({"bits": 1, "lst": lst(&[0]), name: value});
    for (claims, expected) in [
        (list_with("extra", "x"), ACCEPTED),
        (list_with("iss", Value::Null), ACCEPTED),
        (list_with("iss", "https://other.example"), "status_list_mismatch"),
        (list_with("sub", "https://sts.court.example/statuslists/2"), "status_list_mismatch"),
        (list_with("sub", Value::Null), "status_list_malformed"),
        (list_with("iat", Value::Null), "status_list_malformed"),
        (list_with("iat", NOW + 30), ACCEPTED),
        (list_with("iat", NOW + 31), "status_list_not_yet_valid"),
        (list_with("nbf", NOW + 31), "status_list_not_yet_valid"),
        (list_with("exp", NOW - 29), ACCEPTED),
        (list_with("exp", NOW - 30), "status_list_expired"),
        (list_with("ttl", 0), "status_list_malformed"),
        (list_with("ttl", -1), "status_list_malformed"),
        (list_with("ttl", "60"), "status_list_malformed"),
        (list_with("ttl", 0.5), ACCEPTED),
        (list_with("ttl", 1e300), ACCEPTED),
        (list_with("status_list", Value::Null), "status_list_malformed"),
        (list_with("status_list", json!({"bits": 1})), "status_list_malformed"),
        (list_with("status_list", json!({"lst": lst(&[0])})), "status_list_malformed"),
        (list_with("status_list", list("bits", json!(3))), "status_list_malformed"),
        (list_with("status_list", list("lst", json!("eNrbuRgAAhcBXQ=="))), "status_list_malformed"),
        (list_with("status_list", list("lst", json!("AAAAAAAAAAAA"))), "status_list_malformed"),
        (list_with("status_list", list("bits", json!("1"))), "status_list_unverified"),
        (list_with("status_list", bomb), "status_list_oversize"),
    ] {
        let desk = Desk::new();
        desk.publish(&claims);
        let answer = authenticate(&desk.auth, Evidence::bearer(&desk.token_at(LIST, 0)));
        assert_eq!(code_of(&answer), expected, "{claims}");
        if let Err(rejection) = answer {
            assert_eq!((rejection.status().as_u16(), rejection.public_error()), (503, "temporarily_unavailable"));
        }
    }
    let desk = Desk::new();
    let good = list_claims(&[0]);
    for (jwt, expected) in [
        (oversize, "status_list_oversize"),
        (signed_list(&Key::new(), &good), "status_list_unverified"),
        (desk.court.key.mint(&good), "status_list_unverified"),
        ("x".into(), "status_list_unverified"),
        (signed_list(&desk.court.key, &good).replace('.', ".A"), "status_list_unverified"),
    ] {
        desk.host.says(jwt);
        assert_eq!(desk.code(&desk.token_at(LIST, 0)), expected);
        desk.court.clock.advance(Duration::from_secs(5));
    }
}

/// A list without an end is believed for a day, so that nobody who hosts it can show it for ever.
#[test]
fn a_list_without_an_end_is_not_believed_for_ever() {
    let desk = Desk::new();
    for (iat, expected) in [(NOW - 86_429, ACCEPTED), (NOW - 86_430, "status_list_expired")] {
        let desk = Desk::new();
        let mut claims = list_with("exp", Value::Null);
        claims["iat"] = json!(iat);
        desk.publish(&claims);
        assert_eq!(desk.code(&desk.token_at(LIST, 0)), expected, "{iat}");
    }
    // And whoever hosts it cannot go back to an older one.
    let token = desk.token_at(LIST, 0);
    assert_eq!(desk.code(&token), ACCEPTED);
    desk.publish(&list_with("iat", NOW - 1));
    desk.court.clock.advance(Duration::from_secs(60));
    assert_eq!(desk.code(&token), "status_list_older");
    desk.publish(&list_with("iat", NOW));
    desk.court.clock.advance(Duration::from_secs(5));
    assert_eq!(desk.code(&token), ACCEPTED);
}

/// Revoked at the issuer, and refused here as soon as the list is not believed any more: the stated bound.
#[test]
fn a_revocation_counts_when_the_lists_ttl_ends() {
    let hour = Value::from(100_000);
    for (ttl, longest, bound) in [
        (Value::from(60), None, 60),
        (Value::from(60), Some(30), 30),
        (Value::Null, None, 300),
        (Value::Null, Some(20), 20),
        (hour.clone(), None, 3600),
        (hour, Some(1_000_000), 86_400),
    ] {
        let desk = Desk::with(|lists| match longest {
            Some(secs) => lists.believe_for(Duration::from_secs(secs)),
            None => lists,
        });
        let published = |bytes: &[u8], iat: u64| {
            let mut claims = list_claims(bytes);
            (claims["ttl"], claims["iat"], claims["exp"]) = (ttl.clone(), json!(iat), json!(NOW + 200_000));
            claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            claims
        };
        desk.publish(&published(&[0], NOW));
        let mut long = with("status", json!({"status_list": {"idx": 0, "uri": LIST}}));
        (long["iat"], long["exp"]) = (json!(NOW + 3600), json!(NOW + 3600 + 86_400));
        long["iat"] = json!(NOW + 20);
        long["exp"] = json!(NOW + 20 + 86_400);
        let token = desk.court.key.mint(&long);
        let kept = caller(&desk.auth, &token);
        desk.publish(&published(&[1], NOW + 1));
        let authorized = || code_of(&wait(kept.authorize(Action::new("records:read").unwrap())));
        let required = || code_of(&wait(kept.require_scopes(&"records:read".parse().unwrap())));
        desk.court.at(NOW + bound - 1);
        assert_eq!((desk.code(&token), authorized(), required()), (ACCEPTED, ACCEPTED, ACCEPTED), "{ttl} {longest:?}");
        assert_eq!(desk.host.asked().len(), 1);
        desk.court.at(NOW + bound);
        let expected = "status_invalid";
        assert_eq!((authorized(), desk.code(&token), required()), (expected, expected, expected), "{ttl} {longest:?}");
        assert_eq!(desk.host.asked().len(), 1, "fetched once more, for all");
    }
}

#[test]
fn a_list_that_cannot_be_had_refuses_and_is_not_asked_for_without_end() {
    let desk = Desk::new();
    let token = desk.token_at(LIST, 0);
    assert_eq!(desk.code(&token), ACCEPTED);
    desk.host.fails();
    desk.court.clock.advance(Duration::from_secs(59));
    assert_eq!(desk.code(&token), ACCEPTED);
    desk.court.clock.advance(Duration::from_secs(1));
    assert_eq!([(); 3].map(|()| desk.code(&token)), ["status_unavailable"; 3]);
    assert_eq!(desk.host.asked().len(), 2);
    desk.publish(&list_claims(&[0]));
    desk.court.clock.advance(Duration::from_secs(4));
    assert_eq!(desk.code(&token), "status_unavailable");
    desk.court.clock.advance(Duration::from_secs(1));
    assert_eq!(desk.code(&token), ACCEPTED);
    assert_eq!(desk.host.asked().len(), 1);
}

#[test]
fn many_that_need_a_list_cause_one_fetch() {
    let desk = Desk::new();
    let release = desk.host.hold();
    let tokens: Vec<String> = (0..8).map(|idx| desk.token_at(LIST, idx)).collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting: Vec<_> =
        tokens.iter().map(|token| Box::pin(desk.auth.authenticate(Evidence::bearer(token)))).collect();
    for _ in 0..2 {
        assert!(waiting.iter_mut().all(|answer| answer.as_mut().poll(&mut context).is_pending()));
    }
    release.send(()).unwrap();
    for mut answer in waiting {
        let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still waiting") };
        assert_eq!(code_of(&answer), ACCEPTED);
    }
    assert_eq!(desk.host.asked().len(), 1);
}

/// The one that fetches for all hangs up: the next one does.
#[test]
fn who_fetches_for_all_may_go_away() {
    let desk = Desk::new();
    let release = desk.host.hold();
    let token = desk.token_at(LIST, 0);
    let mut context = Context::from_waker(Waker::noop());
    let mut second = pin!(desk.auth.authenticate(Evidence::bearer(&token)));
    {
        let mut first = pin!(desk.auth.authenticate(Evidence::bearer(&token)));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
    }
    drop(release);
    let Poll::Ready(answer) = second.as_mut().poll(&mut context) else { panic!("still waiting") };
    assert_eq!(code_of(&answer), ACCEPTED);
    assert_eq!(desk.host.asked().len(), 2);
    let codes: Vec<_> = desk.court.records.take().iter().map(|record| record.code).collect();
    assert_eq!(codes, ["caller_gone", "allowed"]);
}

#[test]
fn a_list_is_verified_with_the_keys_that_the_issuer_has() {
    let (court, host, new) = (Court::new(), Host::new(), Key::new());
    let both = key_set(&[&court.key.jwk, &new.jwk]);
    let keys = KeyCabinet::fresh(Some(court.key.key_set())).bringing(both);
    let issuer = TrustedIssuer::rfc8693(STS, &keys).status_lists(StatusLists::new(host.clone()));
    let auth = court.bare_engine().issuer(issuer).build().unwrap();
    let token = court.key.mint(&with("status", json!({"status_list": {"idx": 0, "uri": LIST}})));
    // Signed with a key that is fetched for it.
    host.says(signed_list(&new, &list_claims(&[0])));
    assert_eq!(code(&auth, &token), ACCEPTED);
    assert_eq!(keys.tried(), [Some(1)]);
    // The issuer has withdrawn it: the list is nobody's any more.
    keys.rotate(court.key.key_set());
    assert_eq!(code(&auth, &token), "status_list_unverified");
    host.says(signed_list(&court.key, &list_claims(&[0])));
    court.clock.advance(Duration::from_secs(5));
    assert_eq!(code(&auth, &token), ACCEPTED);
    keys.lose();
    assert_eq!(code(&auth, &token), "keys_unavailable");
}

#[test]
fn a_verifier_that_cannot_wait_knows_only_lists_that_are_known() {
    let (court, host) = (Court::new(), Host::new());
    let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set()).status_lists(StatusLists::new(host));
    let verifier = TokenVerifier::new(ResourceId::new(RESOURCE).unwrap(), vec![issuer]).unwrap();
    let token = court.key.mint(&with("status", json!({"status_list": {"idx": 0, "uri": LIST}})));
    let now = Timestamp::from_secs(NOW);
    assert_eq!(verifier.verify(&token, now).unwrap_err().code(), "status_unavailable");
    assert!(verifier.verify(&court.key.mint(&claims()), now).is_ok());
    assert_eq!(StatusListError::NoKeys.code(), "status_unavailable");
}

/// So many that nothing may be dropped for one more.
#[test]
fn so_many_lists_are_known_and_no_more() {
    let desk = Desk::new();
    let uri = |number: usize| format!("https://sts.court.example/statuslists/{number}");
    let ask = |number: usize| {
        let mut claims = list_with("sub", uri(number));
        claims["ttl"] = json!(600 + number);
        desk.publish(&claims);
        desk.code(&desk.token_at(&uri(number), 0))
    };
    assert!((0..33).all(|number| ask(number) == ACCEPTED));
    assert_eq!(desk.host.asked().len(), 33);
    // The first had to go, and the last is there still.
    let mut claims = with("status", json!({"status_list": {"idx": 1, "uri": uri(32)}}));
    claims["jti"] = json!("other");
    assert_eq!(desk.code(&desk.court.key.mint(&claims)), ACCEPTED);
    assert_eq!(desk.host.asked().len(), 0);
    claims["status"]["status_list"]["uri"] = json!(uri(0));
    desk.publish(&list_with("sub", uri(0)));
    assert_eq!(desk.code(&desk.court.key.mint(&claims)), ACCEPTED);
    assert_eq!(desk.host.asked(), [uri(0)]);
}
