//! Opaque tokens: the issuer is asked, and its answer is checked like a token of which it is the only reader.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use agentauth_core::binding::dpop::Dpop;
use agentauth_core::jose::{Algorithm, MAX_TOKEN_BYTES};
use agentauth_core::token::profile::{Rfc8693, Rfc9068};
use agentauth_core::token::{Introspection, IntrospectionAnswer, IssuerConfigError, MAX_ANSWER_BYTES};
use agentauth_core::{AgentAuth, AgentAuthBuilder, Binding, ConfigError, Evidence, Mode, TrustedIssuer};
use http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{
    ACCEPTED, CLERK, Court, JUDGE, Key, LAWYER, RESOURCE, STS, authenticate, bound_to, chain, claims, code, code_of,
    code_over, with, without,
};
use crate::support::doubles::{Endpoint, KeyCabinet};
use crate::support::dpop_client::DpopClient;

const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";
const CLIENT: &str = "tools-at-the-sts";
const OTHER: &str = "https://sts.other.example";

/// The issuer's answer to the good claims.
fn active() -> Value {
    with("active", true)
}

fn active_with(name: &str, value: impl Into<Value>) -> Value {
    let mut answer = active();
    answer[name] = value.into();
    answer
}

fn active_without(name: &str) -> Value {
    let mut answer = without(name);
    answer["active"] = json!(true);
    answer
}

/// An engine's builder that asks `endpoint`, whose answers are read as those of an issuer that delegates.
fn asking(court: &Court, endpoint: &Endpoint) -> AgentAuthBuilder {
    asking_as(court, Introspection::new(endpoint.clone()).keep_for(Duration::ZERO))
}

fn asking_as(court: &Court, introspection: Introspection) -> AgentAuthBuilder {
    court.bare_engine().issuer(TrustedIssuer::introspected(STS, introspection, Rfc8693::default()))
}

#[test]
fn an_answer_makes_the_caller_that_a_token_with_these_claims_makes() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set()).introspection(Introspection::new(endpoint.clone()));
    let auth = court.bare_engine().issuer(issuer).build().unwrap();
    let with_chain = with("act", chain(&[LAWYER, CLERK]));
    for claims in [claims(), with_chain, without("scope"), with("sub", LAWYER), with("aud", json!([RESOURCE]))] {
        let mut answer = claims.clone();
        answer["active"] = json!(true);
        answer["token_type"] = json!("Bearer");
        answer["username"] = json!("alice@court.example");
        endpoint.says(&answer);
        auth.forget_tokens();
        let [token, opaque] = [court.key.mint(&claims), TOKEN.to_owned()].map(|token| {
            let caller = authenticate(&auth, Evidence::bearer(&token)).unwrap();
            let record = court.records.only();
            (format!("{caller:?}"), serde_json::to_value(record.delegation.as_ref().unwrap()).unwrap())
        });
        assert_eq!(token, opaque, "{claims}");
        assert_eq!(endpoint.asked(), [TOKEN], "and the JWT was shown to no one");
    }
}

/// What is known of a token's form decides who gets to see it.
#[test]
fn only_what_cannot_be_read_here_is_shown_to_the_issuer() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    endpoint.says(&active());
    let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set()).introspection(Introspection::new(endpoint.clone()));
    let auth = court.bare_engine().issuer(issuer).build().unwrap();
    for (token, expected) in [
        (court.key.mint(&claims()), ACCEPTED),
        (court.key.mint(&with("iss", OTHER)), "issuer_untrusted"),
        (Key::new().mint(&claims()), "key_unknown"),
        ("a.b.c".into(), "token_not_canonical"),
        ("..".into(), "json_malformed"),
        ("a.b.c.d.e".into(), "token_encrypted"),
        ("A".repeat(MAX_TOKEN_BYTES + 1), "token_oversize"),
        ("A.".repeat(MAX_TOKEN_BYTES), "token_oversize"),
    ] {
        assert_eq!(code(&auth, &token), expected, "{token:.40}");
        assert_eq!(endpoint.asked(), [""; 0], "{token:.40}");
    }
    for token in ["A".repeat(MAX_TOKEN_BYTES), "a.b".into(), "a.b.c.d".into(), TOKEN.into(), "A".into()] {
        assert_eq!(code(&auth, &token), ACCEPTED, "{token:.40}");
        assert_eq!(endpoint.asked(), [token]);
    }
    // Where nobody is asked, they are no tokens.
    assert_eq!(code(&court.auth(), TOKEN), "token_not_compact");
}

/// An issuer of opaque tokens alone has no keys, so a JWT in its name is none of its tokens.
#[test]
fn an_issuer_that_is_only_asked_signs_nothing() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    endpoint.says(&active());
    let auth = asking(&court, &endpoint).build().unwrap();
    assert_eq!(code(&auth, &court.key.mint(&claims())), "token_not_opaque");
    assert_eq!(endpoint.asked(), [""; 0]);
}

#[test]
fn each_fault_of_an_answer_has_its_code() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let auth = asking(&court, &endpoint).build().unwrap();
    let text = |from: &str, to: &str| {
        let text = active().to_string();
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1)
    };
    for (answer, expected) in [
        (active().to_string(), ACCEPTED),
        (active_without("iss").to_string(), ACCEPTED),
        (active_without("jti").to_string(), ACCEPTED),
        (active_without("iat").to_string(), ACCEPTED),
        (active_with("token_type", "bearer").to_string(), ACCEPTED),
        // A token that is said to be bound must say to what.
        (active_with("token_type", "DPOP").to_string(), "claim_missing"),
        // RFC 7662 §2.2: everything about an inactive token is unknown.
        (r#"{"active":false}"#.into(), "token_inactive"),
        ("{}".into(), "token_inactive"),
        (active_with("active", false).to_string(), "token_inactive"),
        (active_with("active", "true").to_string(), "token_inactive"),
        (active_with("active", 1).to_string(), "token_inactive"),
        (active_with("active", json!([true])).to_string(), "token_inactive"),
        (active_with("active", Value::Null).to_string(), "token_inactive"),
        (claims().to_string(), "token_inactive"),
        (active_with("Active", false).to_string(), ACCEPTED),
        // What a signed token would be refused for.
        (active_without("aud").to_string(), "claim_missing"),
        (active_with("aud", json!([])).to_string(), "claim_missing"),
        (active_with("aud", CLIENT).to_string(), "audience_wrong"),
        (active_with("aud", format!("{RESOURCE}/")).to_string(), "audience_wrong"),
        (active_with("aud", json!([RESOURCE, OTHER])).to_string(), "audience_shared"),
        (active_without("exp").to_string(), "claim_missing"),
        (active_with("exp", NOW - 29).to_string(), ACCEPTED),
        (active_with("exp", NOW - 30).to_string(), "token_expired"),
        (active_with("nbf", NOW + 30).to_string(), ACCEPTED),
        (active_with("nbf", NOW + 31).to_string(), "token_not_yet_valid"),
        (active_with("iat", NOW + 30).to_string(), ACCEPTED),
        (active_with("iat", NOW + 31).to_string(), "token_issued_in_future"),
        (active_with("iss", OTHER).to_string(), "issuer_untrusted"),
        (active_with("iss", format!("{STS}/")).to_string(), "issuer_untrusted"),
        (active_without("client_id").to_string(), "claim_missing"),
        (active_without("sub").to_string(), "claim_missing"),
        (active_with("sub", "").to_string(), "claim_malformed"),
        (active_with("sub", "a\u{7}").to_string(), "claim_malformed"),
        (active_with("scope", "a  b").to_string(), "scope_malformed"),
        (active_with("act", chain(&[LAWYER, CLERK, JUDGE, LAWYER, CLERK])).to_string(), "act_too_deep"),
        (active_with("cnf", json!({"jkt": "short"})).to_string(), "claim_malformed"),
        (active_with("cnf", json!({"jwk": {}})).to_string(), "confirmation_unsupported"),
        // RFC 7662 §2.2 `token_type`: a refresh token is active too.
        (active_with("token_type", "refresh_token").to_string(), "token_of_other_kind"),
        (active_with("token_type", "N_A").to_string(), "token_of_other_kind"),
        (active_with("token_type", "").to_string(), "token_of_other_kind"),
        (active_with("token_type", 1).to_string(), "json_wrong_type"),
        // Two readers would read two things.
        (text("{", r#"{"active":false,"#), "json_duplicate_member"),
        (text("{", r#"{"sub":"mallory","#), "json_duplicate_member"),
        (text("{", r#"{"unknown":[{"a":1,"a":2}],"#), "json_duplicate_member"),
        (text("{", r#"{"token_type":"Bearer","token_type":"Bearer","#), "json_duplicate_member"),
        (text("{", &format!("{{\"x\":{}{},", "[".repeat(32), "]".repeat(32))), "json_too_deep"),
        (active_with("exp", "never").to_string(), "json_wrong_type"),
        (active_with("sub", json!(["alice"])).to_string(), "json_wrong_type"),
        (format!("[{}]", active()), "json_malformed"),
        (format!("{}{}", active(), active()), "json_malformed"),
        ("<html>".into(), "json_malformed"),
        (String::new(), "json_malformed"),
    ] {
        endpoint.answers(Ok(IntrospectionAnswer::Json(answer.clone().into_bytes())));
        assert_eq!(code(&auth, TOKEN), expected, "{answer:.300}");
        assert_eq!(endpoint.asked(), [TOKEN], "asked once, whatever the answer");
        let kept = if expected == ACCEPTED { "allowed" } else { expected };
        assert_eq!(court.records.only().code, kept);
    }
    endpoint.answers(Ok(IntrospectionAnswer::Json(vec![b'{', 0xff, b'}'])));
    assert_eq!(code(&auth, TOKEN), "json_malformed");
    let padded = |bytes: usize| format!("{}{}", active(), " ".repeat(bytes - active().to_string().len()));
    for (bytes, expected) in [(MAX_ANSWER_BYTES, ACCEPTED), (MAX_ANSWER_BYTES + 1, "introspection_unavailable")] {
        endpoint.answers(Ok(IntrospectionAnswer::Json(padded(bytes).into_bytes())));
        assert_eq!(code(&auth, TOKEN), expected, "{bytes}");
    }
}

#[test]
fn no_answer_is_not_now_and_never_yes() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let auth = asking_as(&court, Introspection::new(endpoint.clone())).build().unwrap();
    endpoint.answers(Err("connection refused"));
    let rejection = authenticate(&auth, Evidence::bearer(TOKEN)).unwrap_err();
    assert_eq!((rejection.code(), rejection.status().as_u16()), ("introspection_unavailable", 503));
    assert_eq!((rejection.public_error(), rejection.challenges()), ("temporarily_unavailable", Vec::new()));
    assert!(!rejection.body().contains("refused"), "{}", rejection.body());
    endpoint.says(&json!({"active": false}));
    let rejection = authenticate(&auth, Evidence::bearer(TOKEN)).unwrap_err();
    assert_eq!((rejection.code(), rejection.status().as_u16()), ("token_inactive", 401));
    assert_eq!((rejection.public_error(), rejection.challenges().len()), ("invalid_token", 1));
    // Neither was remembered.
    endpoint.says(&active());
    assert_eq!(code(&auth, TOKEN), ACCEPTED);
    assert_eq!(endpoint.asked().len(), 3);
    // An issuer that has gone away does not shorten what it said.
    endpoint.answers(Err("connection refused"));
    assert_eq!(code(&auth, TOKEN), ACCEPTED);
    assert_eq!(code(&auth, "another"), "introspection_unavailable");
    assert_eq!(endpoint.asked(), ["another"]);
}

#[test]
fn the_profile_says_what_an_answer_may_say() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let plain = || Introspection::new(endpoint.clone()).keep_for(Duration::ZERO);
    let auth = |introspection| {
        court.bare_engine().issuer(TrustedIssuer::introspected(STS, introspection, Rfc9068::default())).build().unwrap()
    };
    endpoint.says(&active());
    assert_eq!(code(&auth(plain()), TOKEN), "act_untrusted");

    let mut of_client = active_without("sub");
    of_client.as_object_mut().unwrap().remove("act");
    endpoint.says(&of_client);
    assert_eq!(code(&auth(plain()), TOKEN), "claim_missing", "a user's token may lack `sub` too");
    let caller = authenticate(&auth(plain().client_if_no_subject()), Evidence::bearer(TOKEN)).unwrap();
    assert_eq!((caller.mode(), caller.principal().subject()), (Mode::Autonomous, LAWYER));

    // Whom an actor acts for is never guessed.
    endpoint.says(&active_without("sub"));
    let delegating = asking_as(&court, plain().client_if_no_subject()).build().unwrap();
    assert_eq!(code(&delegating, TOKEN), "claim_missing");
    endpoint.says(&active());
    let caller = authenticate(&delegating, Evidence::bearer(TOKEN)).unwrap();
    assert_eq!((caller.mode(), caller.principal().subject()), (Mode::OnBehalfOf, "alice"));
}

/// RFC 9701 §5: the good answer, signed for this server, with `change` made to its header and its claims.
fn signed(key: &Key, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let mut header = json!({"alg": "EdDSA", "typ": "token-introspection+jwt", "kid": key.id});
    let mut claims = json!({"iss": STS, "aud": CLIENT, "iat": NOW, "token_introspection": active()});
    change(&mut header, &mut claims);
    key.sign(&header.to_string(), claims.to_string())
}

fn asking_for_signed(court: &Court, endpoint: &Endpoint, keys: &KeyCabinet) -> AgentAuth {
    let introspection = Introspection::new(endpoint.clone()).require_signed_for(CLIENT).keep_for(Duration::ZERO);
    let issuer = TrustedIssuer::rfc8693(STS, keys).introspection(introspection);
    court.bare_engine().issuer(issuer).build().unwrap()
}

#[test]
fn each_fault_of_a_signed_answer_has_its_code() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let auth = asking_for_signed(&court, &endpoint, &KeyCabinet::fixed(Some(court.key.key_set())));
    let key = &court.key;
    let claim = |name: &str, value: Value| signed(key, |_, claims| claims[name] = value);
    let no_claim = |name: &str| {
        signed(key, |_, claims| {
            claims.as_object_mut().unwrap().remove(name).unwrap();
        })
    };
    let header = |name: &str, value: Value| signed(key, |header, _| header[name] = value);
    let inner = |answer: Value| claim("token_introspection", answer);
    let (good, other) = (signed(key, |_, _| {}), signed(key, |_, claims| claims["x"] = json!(1)));
    let spliced = format!("{}.{}", good.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    for (answer, expected) in [
        (good.clone(), ACCEPTED),
        (claim("aud", json!([CLIENT])), ACCEPTED),
        (header("typ", json!("application/Token-Introspection+JWT")), ACCEPTED),
        // For this server, from this issuer, about now.
        (claim("aud", json!("another-client")), "introspection_not_for_us"),
        (claim("aud", json!(RESOURCE)), "introspection_not_for_us"),
        (claim("aud", json!([CLIENT, "another-client"])), "introspection_not_for_us"),
        (claim("aud", json!([])), "introspection_not_for_us"),
        (no_claim("aud"), "introspection_not_for_us"),
        (claim("iss", json!(OTHER)), "introspection_not_for_us"),
        (no_claim("iss"), "introspection_not_for_us"),
        (claim("iat", json!(NOW - 90)), ACCEPTED),
        (claim("iat", json!(NOW - 91)), "introspection_not_for_us"),
        (claim("iat", json!(NOW + 30)), ACCEPTED),
        (claim("iat", json!(NOW + 31)), "introspection_not_for_us"),
        (no_claim("iat"), "claim_missing"),
        // Signed as an answer, by the issuer.
        (spliced, "signature_invalid"),
        (signed(&Key::new(), |header, _| header["kid"] = json!(key.id)), "signature_invalid"),
        (signed(&Key::new(), |_, _| {}), "key_unknown"),
        (header("typ", json!("at+jwt")), "typ_wrong"),
        (header("typ", json!("JWT")), "typ_wrong"),
        (key.mint(&active()), "typ_wrong"),
        (header("alg", json!("none")), "alg_none"),
        (header("alg", json!("HS256")), "alg_symmetric"),
        (header("crit", json!(["exp"])), "crit_unsupported"),
        // And then an answer like any other.
        (no_claim("token_introspection"), "claim_missing"),
        (inner(json!({"active": false})), "token_inactive"),
        (inner(active_with("aud", OTHER)), "audience_wrong"),
        (inner(active_with("iss", OTHER)), "issuer_untrusted"),
        (inner(active_with("token_type", "refresh_token")), "token_of_other_kind"),
        (inner(active_without("exp")), "claim_missing"),
        (inner(json!("active")), "json_wrong_type"),
        (claim("iat", json!("now")), "json_wrong_type"),
        // The answer is the member, not what stands around it.
        (
            key.sign(&json!({"alg": "EdDSA", "typ": "token-introspection+jwt"}).to_string(), active().to_string()),
            "introspection_not_for_us",
        ),
        ("not a jwt".into(), "token_not_compact"),
        (format!("{good}.{good}"), "token_not_compact"),
    ] {
        endpoint.signs(answer.clone());
        assert_eq!(code(&auth, TOKEN), expected, "{answer}");
        assert_eq!(court.records.take().len(), 1);
    }
    let text = signed(key, |_, _| {});
    let payload = String::from_utf8(crate::support::court::decode(text.split('.').nth(1).unwrap())).unwrap();
    for twice in [r#"{"aud":"another-client","#, r#"{"token_introspection":{"active":false},"#] {
        let header = json!({"alg": "EdDSA", "typ": "token-introspection+jwt", "kid": key.id}).to_string();
        endpoint.signs(key.sign(&header, payload.replacen('{', twice, 1)));
        assert_eq!(code(&auth, TOKEN), "json_duplicate_member");
    }
}

#[test]
fn an_answer_is_signed_where_it_must_be_and_nowhere_else() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let signing = asking_for_signed(&court, &endpoint, &KeyCabinet::fixed(Some(court.key.key_set())));
    let plain = asking(&court, &endpoint).build().unwrap();
    endpoint.says(&active());
    assert_eq!((code(&signing, TOKEN), code(&plain, TOKEN)), ("introspection_unsigned", ACCEPTED));
    endpoint.signs(signed(&court.key, |_, _| {}));
    assert_eq!((code(&signing, TOKEN), code(&plain, TOKEN)), (ACCEPTED, "introspection_unsigned"));
    let rejection = authenticate(&plain, Evidence::bearer(TOKEN)).unwrap_err();
    assert_eq!((rejection.status().as_u16(), rejection.public_error()), (401, "invalid_token"));
}

#[test]
fn the_key_of_a_signed_answer_is_looked_for_once() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    endpoint.signs(signed(&court.key, |_, _| {}));
    let old = Key::new();
    let good = || court.key.key_set();
    for (keys, tried, expected) in [
        (KeyCabinet::fresh(Some(good())), vec![], ACCEPTED),
        (KeyCabinet::fresh(Some(old.key_set())).bringing(good()), vec![Some(1)], ACCEPTED),
        (KeyCabinet::fresh(None).bringing(good()), vec![None], ACCEPTED),
        (
            KeyCabinet::fresh(Some(old.key_set())).bringing(Key::new().key_set()).bringing(good()),
            vec![Some(1)],
            "key_unknown",
        ),
        (KeyCabinet::fresh(None), vec![None], "keys_unavailable"),
        (KeyCabinet::fixed(Some(old.key_set())).bringing(good()), vec![Some(1)], "key_unknown"),
    ] {
        let auth = asking_for_signed(&court, &endpoint, &keys);
        assert_eq!(code(&auth, TOKEN), expected);
        assert_eq!((keys.tried(), endpoint.asked().len()), (tried, 1), "{expected}");
        assert_eq!(court.records.take().len(), 1);
    }
    // Other issuers' keys sign nothing here.
    let (ours, theirs) = (KeyCabinet::fixed(Some(old.key_set())), KeyCabinet::fixed(Some(good())));
    let introspection = Introspection::new(endpoint.clone()).require_signed_for(CLIENT);
    let issuers =
        [TrustedIssuer::rfc8693(OTHER, &theirs), TrustedIssuer::rfc8693(STS, &ours).introspection(introspection)];
    let auth = issuers.into_iter().fold(court.bare_engine(), AgentAuthBuilder::issuer).build().unwrap();
    assert_eq!((code(&auth, TOKEN), theirs.looked()), ("key_unknown", 0));
}

/// An answer is believed for `keep_for`, which is 60 s at most, and never beyond the token's own end.
#[test]
fn an_answer_is_believed_for_a_minute_at_most() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let asked_at = |ttl: Option<u64>, exp: u64, times: &[u64]| {
        court.at(NOW);
        let introspection = Introspection::new(endpoint.clone());
        let introspection = match ttl {
            Some(secs) => introspection.keep_for(Duration::from_secs(secs)),
            None => introspection,
        };
        let auth = asking_as(&court, introspection).build().unwrap();
        endpoint.says(&active_with("exp", exp));
        let asked = |time: &u64| {
            court.at(*time);
            (code(&auth, TOKEN), endpoint.asked().len())
        };
        times.iter().map(asked).collect::<Vec<_>>()
    };
    let (known, asked) = ((ACCEPTED, 0), (ACCEPTED, 1));
    let end = NOW + 300;
    assert_eq!(
        asked_at(None, end, &[NOW, NOW + 29, NOW + 30, NOW + 59, NOW + 60]),
        [asked, known, asked, known, asked]
    );
    assert_eq!(asked_at(Some(60), end, &[NOW, NOW + 59, NOW + 60, NOW + 119]), [asked, known, asked, known]);
    assert_eq!(asked_at(Some(86_400), end, &[NOW, NOW + 59, NOW + 60]), [asked, known, asked], "a minute at most");
    assert_eq!(asked_at(Some(1), end, &[NOW, NOW, NOW + 1]), [asked, known, asked]);
    assert_eq!(asked_at(Some(0), end, &[NOW, NOW, NOW]), [asked; 3]);
    // The leeway is 30 s.
    let expired = ("token_expired", 1);
    assert_eq!(asked_at(Some(60), NOW + 10, &[NOW, NOW + 39, NOW + 40, NOW + 40]), [asked, known, expired, expired]);
    // A clock that is put back makes no answer younger.
    assert_eq!(asked_at(Some(60), end, &[NOW, NOW - 1, NOW - 20, NOW - 20, NOW]), [asked, asked, asked, known, known]);
}

#[test]
fn a_revocation_that_is_told_counts_at_once() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let auth = asking_as(&court, Introspection::new(endpoint.clone())).build().unwrap();
    endpoint.says(&active());
    assert_eq!([(); 2].map(|()| code(&auth, TOKEN)), [ACCEPTED; 2]);
    endpoint.says(&json!({"active": false}));
    assert_eq!(code(&auth, TOKEN), ACCEPTED, "for as long as the answer is believed");
    auth.forget_tokens();
    assert_eq!([(); 2].map(|()| code(&auth, TOKEN)), ["token_inactive"; 2]);
}

/// An answer that was given before the engine was told to forget is not remembered after it.
#[test]
fn an_answer_from_before_is_not_remembered_after() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let auth = asking_as(&court, Introspection::new(endpoint.clone())).build().unwrap();
    endpoint.says(&active());
    let asking = auth.authenticate(Evidence::bearer(TOKEN));
    assert_eq!(endpoint.asked().len(), 1);
    endpoint.says(&json!({"active": false}));
    auth.forget_tokens();
    assert_eq!(code_of(&crate::support::court::wait(asking)), ACCEPTED, "it was good when it was asked about");
    assert_eq!(code(&auth, TOKEN), "token_inactive");
}

#[test]
fn the_answer_and_its_record_wait_for_the_issuer() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let auth = asking(&court, &endpoint).build().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    for (over, expected) in [(NOW + 329, ACCEPTED), (NOW + 330, "token_expired")] {
        court.at(NOW);
        endpoint.says(&active());
        let release = endpoint.hold();
        let mut answer = pin!(auth.authenticate(Evidence::bearer(TOKEN)));
        assert!(answer.as_mut().poll(&mut context).is_pending());
        assert_eq!(court.records.take().len(), 0);
        court.at(over);
        drop(release);
        let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still waiting") };
        assert_eq!((code_of(&answer), court.records.only().time.secs()), (expected, over));
    }
}

#[test]
fn an_answer_binds_a_token_like_a_claim_does() {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let auth = asking(&court, &endpoint).dpop(Dpop::new(RESOURCE)).build().unwrap();
    let (lawyer, renewed) = (court.peer(LAWYER), court.peer(LAWYER));
    endpoint.says(&active_with("cnf", bound_to(&lawyer)["cnf"].clone()));
    assert_eq!(code(&auth, TOKEN), "binding_certificate_missing");
    assert_eq!(code_over(&auth, TOKEN, &renewed), "binding_certificate_mismatch");
    assert_eq!(code_over(&auth, TOKEN, &lawyer), ACCEPTED);

    let (holder, thief) = (DpopClient::new(Algorithm::EdDsa), DpopClient::new(Algorithm::EdDsa));
    endpoint.says(&active_with("cnf", holder.cnf()));
    assert_eq!(code(&auth, TOKEN), "dpop_bound_token_as_bearer");
    let with_proof_of = |prover: &DpopClient| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("DPoP {TOKEN}").parse().unwrap());
        let proof = prover.proof("GET", &format!("{RESOURCE}/x"), TOKEN, NOW);
        headers.insert("dpop", proof.parse().unwrap());
        authenticate(&auth, Evidence::from_http(&Method::GET, &Uri::from_static("/x"), &headers))
    };
    assert_eq!(code_of(&with_proof_of(&thief)), "dpop_key_mismatch");
    assert_eq!(with_proof_of(&holder).unwrap().delegation().binding(), Binding::Dpop);
    endpoint.says(&active());
    assert_eq!(code_of(&with_proof_of(&holder)), "dpop_token_not_bound");
}

/// An opaque token does not say whose it is, and is shown to no one else.
#[test]
fn one_issuer_can_be_asked() {
    let court = Court::new();
    let ask = || Introspection::new(Endpoint::new());
    let second = TrustedIssuer::introspected(OTHER, ask(), Rfc9068::default());
    let error = court.engine().issuer(second.clone()).issuer(TrustedIssuer::introspected(
        "https://third.example",
        ask(),
        Rfc9068::default(),
    ));
    let Err(ConfigError::Issuer(IssuerConfigError::SecondIntrospection(issuer))) = error.build() else {
        panic!("accepted")
    };
    assert_eq!(issuer.as_str(), "https://third.example");
    assert!(court.engine().issuer(second).build().is_ok());
}

/// Nothing of a token or an answer is shown by what holds it.
#[test]
fn answers_are_not_shown() {
    let answer = IntrospectionAnswer::Json(active().to_string().into_bytes());
    assert_eq!(format!("{answer:?}"), "IntrospectionAnswer::Json");
    assert_eq!(format!("{:?}", IntrospectionAnswer::Jwt("eyJ.x.y".into())), "IntrospectionAnswer::Jwt");
}
