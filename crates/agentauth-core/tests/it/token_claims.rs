//! Every rule for the claims of a token, and for the configuration of those who make them: each case is the good
//! claims, with one thing changed, under a good signature.

use std::time::Duration;

use agentauth_core::token::IssuerConfigError;
use agentauth_core::{AgentAuth, AgentAuthBuilder, ConfigError, Evidence, TrustedIssuer};
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{
    ACCEPTED, Counter, Court, LAWYER, Memory, RESOURCE, STS, authenticate, chain, claims, code, with, without,
};

/// The text of the good claims, with `from` replaced.
fn text_with(from: &str, to: &str) -> String {
    let text = claims().to_string();
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1)
}

#[test]
fn the_claims_are_one_strict_json_object() {
    let court = Court::new();
    let auth = court.auth();
    let nested = |levels: usize| with("x", serde_json::from_str::<Value>(&deep(levels)).unwrap()).to_string();
    let members = |count: usize| {
        let mut claims = claims();
        let given = claims.as_object().unwrap().len();
        (given..count).for_each(|n| claims[format!("x{n}")] = json!(1));
        claims.to_string()
    };
    let act = r#""act":{"#;
    for (payload, expected) in [
        (claims().to_string(), ACCEPTED),
        (text_with("{", r#"{"iss":"https://sts.court.example","#), "json_duplicate_member"),
        (text_with("{", r#"{"sub":"mallory","#), "json_duplicate_member"),
        (text_with("{", r#"{"\u0073ub":"mallory","#), "json_duplicate_member"),
        (text_with("{", r#"{"unknown":1,"unknown":1,"#), "json_duplicate_member"),
        (text_with("{", r#"{"unknown":[{"a":1,"a":1}],"#), "json_duplicate_member"),
        (text_with("{", r#"{"cnf":{"jkt":"a","jkt":"b"},"#), "json_duplicate_member"),
        (text_with(act, r#""act":{"sub":"spiffe://court.example/agent/judge","#), "json_duplicate_member"),
        (text_with(act, r#""act":{"act":{"sub":"a","sub":"b"},"#), "json_duplicate_member"),
        (text_with(act, r#""act":{"exp":1,"exp":2,"#), "json_duplicate_member"),
        (nested(31), ACCEPTED),
        (nested(32), "json_too_deep"),
        (members(256), ACCEPTED),
        (members(257), "json_too_many_members"),
        (format!("[{}]", claims()), "json_malformed"),
        (format!("{}{{}}", claims()), "json_malformed"),
        (text_with("alice", "ali\nce"), "json_malformed"),
        (text_with("alice", r"\ud800"), "json_malformed"),
        (text_with("{", "{,"), "json_malformed"),
        (text_with("1800000000", "NaN"), "json_malformed"),
        (text_with("1800000000", "01800000000"), "json_malformed"),
        ("null".into(), "json_malformed"),
        (String::new(), "json_malformed"),
    ] {
        assert_eq!(code(&auth, &court.key.sign(&court.key.header().to_string(), &payload)), expected, "{payload:.200}");
    }
    let not_utf8 = [b"{\"sub\":\"".as_slice(), &[0xff], b"\"}"].concat();
    assert_eq!(code(&auth, &court.key.sign(&court.key.header().to_string(), not_utf8)), "json_malformed");
}

/// Arrays in arrays, `levels` deep.
fn deep(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

#[test]
fn each_claim_has_its_type() {
    let court = Court::new();
    let auth = court.auth();
    let not_text = [json!(null), json!(1), json!(true), json!(["a"]), json!({"a": "b"})];
    for claim in ["iss", "sub", "jti", "client_id", "scope"] {
        for value in &not_text {
            assert_eq!(code(&auth, &court.key.mint(&with(claim, value.clone()))), "json_wrong_type", "{claim} {value}");
        }
    }
    for value in [json!(null), json!(1), json!({"a": RESOURCE}), json!([RESOURCE, 1]), json!([[RESOURCE]])] {
        assert_eq!(code(&auth, &court.key.mint(&with("aud", value.clone()))), "json_wrong_type", "aud {value}");
    }
    for claim in ["exp", "nbf", "iat"] {
        for value in [json!(null), json!("1800000000"), json!(-1), json!(-0.5), json!([NOW]), json!(253_402_300_800u64)]
        {
            assert_eq!(code(&auth, &court.key.mint(&with(claim, value.clone()))), "json_wrong_type", "{claim} {value}");
        }
    }
    for claim in ["act", "may_act", "cnf"] {
        for value in [json!(null), json!(LAWYER), json!(1), json!([]), json!([{"sub": LAWYER}])] {
            assert_eq!(code(&auth, &court.key.mint(&with(claim, value.clone()))), "json_wrong_type", "{claim} {value}");
        }
    }
    for act in [json!({"sub": 1}), json!({"sub": LAWYER, "iss": 1}), json!({"sub": LAWYER, "act": "x"})] {
        assert_eq!(code(&auth, &court.key.mint(&with("act", act.clone()))), "json_wrong_type", "{act}");
    }
    assert_eq!(code(&auth, &court.key.mint(&with("cnf", json!({"x5t#S256": [1]})))), "json_wrong_type");
}

#[test]
fn each_required_claim_is_required() {
    let court = Court::new();
    let auth = court.auth();
    for claim in ["iss", "aud", "exp", "iat", "sub", "client_id", "jti"] {
        assert_eq!(code(&auth, &court.key.mint(&without(claim))), "claim_missing", "{claim}");
    }
    for (claim, value) in [
        ("aud", json!([])),
        ("act", json!({})),
        ("act", json!({"iss": STS})),
        ("act", json!({"sub": LAWYER, "act": {"iss": STS}})),
        ("may_act", json!({"iss": STS})),
    ] {
        assert_eq!(code(&auth, &court.key.mint(&with(claim, value.clone()))), "claim_missing", "{claim} {value}");
    }
    assert_eq!(code(&auth, &court.key.mint(&without("scope"))), ACCEPTED, "no scope is no authority, not a fault");
}

#[test]
fn a_name_in_a_token_can_be_shown_and_stored() {
    let court = Court::new();
    let auth = court.auth();
    let longest = "x".repeat(2048);
    let too_long = "x".repeat(2049);
    for claim in ["sub", "client_id", "jti"] {
        assert_eq!(code(&auth, &court.key.mint(&with(claim, longest.clone()))), ACCEPTED, "{claim}");
        for value in ["", "a\nb", "a\u{0}", "a\u{7f}", "a\u{85}", &too_long] {
            assert_eq!(code(&auth, &court.key.mint(&with(claim, value))), "claim_malformed", "{claim} {value:.20?}");
        }
    }
    for (claim, value) in [
        ("act", json!({"sub": ""})),
        ("act", json!({"sub": "a\tb"})),
        ("act", json!({"sub": too_long})),
        ("act", json!({"sub": LAWYER, "iss": ""})),
        ("act", json!({"sub": LAWYER, "iss": "https://a b"})),
        ("act", json!({"sub": LAWYER, "iss": format!("https://{too_long}")})),
        ("act", json!({"sub": LAWYER, "act": {"sub": ""}})),
        ("may_act", json!({"sub": ""})),
        ("cnf", json!({"x5t#S256": ""})),
        ("cnf", json!({"x5t#S256": "AAAA"})),
        ("cnf", json!({"x5t#S256": format!("{}=", "A".repeat(43))})),
        ("cnf", json!({"x5t#S256": format!("{}B", "A".repeat(42))})),
    ] {
        assert_eq!(code(&auth, &court.key.mint(&with(claim, value.clone()))), "claim_malformed", "{claim} {value:.40}");
    }
}

#[test]
fn a_scope_claim_that_cannot_be_read_is_refused_whole() {
    let court = Court::new();
    let auth = court.auth();
    let scopes = |count: usize| (0..count).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
    for (scope, expected) in [
        (String::new(), ACCEPTED),
        ("records:read records:read".into(), ACCEPTED),
        (scopes(256), ACCEPTED),
        (scopes(257), "scope_too_many"),
        (" records:read".into(), "scope_malformed"),
        ("records:read ".into(), "scope_malformed"),
        ("records:read  motions:file".into(), "scope_malformed"),
        ("records:read\tmotions:file".into(), "scope_malformed"),
        ("records:\"read\"".into(), "scope_malformed"),
        ("records:\\read".into(), "scope_malformed"),
        ("records:réad".into(), "scope_malformed"),
    ] {
        assert_eq!(code(&auth, &court.key.mint(&with("scope", scope.clone()))), expected, "{scope:.60}");
    }
}

#[test]
fn an_issuer_is_trusted_byte_for_byte() {
    let court = Court::new();
    let auth = court.auth();
    for iss in [
        "https://sts.court.example/",
        "https://STS.court.example",
        "HTTPS://sts.court.example",
        "http://sts.court.example",
        "https://sts.court.example:443",
        "https://sts.court.example.evil",
        "https://sts.court.exampl",
        "https://sts.court.example#",
        " https://sts.court.example",
        "sts.court.example",
        "",
    ] {
        assert_eq!(code(&auth, &court.key.mint(&with("iss", iss))), "issuer_untrusted", "{iss}");
    }
}

#[test]
fn a_token_is_for_this_server_byte_for_byte_and_for_it_alone() {
    let court = Court::new();
    let strict = court.auth();
    let shared = TrustedIssuer::rfc8693(STS, court.key.key_set()).dangerous().allow_shared_audience();
    let shared = court.bare_engine().issuer(shared).build().unwrap();
    for (aud, at_strict, at_shared) in [
        (json!(RESOURCE), ACCEPTED, ACCEPTED),
        (json!([RESOURCE]), ACCEPTED, ACCEPTED),
        (json!([RESOURCE, "https://mail.example"]), "audience_shared", ACCEPTED),
        (json!(["https://mail.example", RESOURCE]), "audience_shared", ACCEPTED),
        (json!([RESOURCE, RESOURCE]), "audience_shared", ACCEPTED),
        (json!(["https://mail.example", "https://b.example"]), "audience_wrong", "audience_wrong"),
        (json!("https://tools.example.evil"), "audience_wrong", "audience_wrong"),
        (json!("https://tools.example/"), "audience_wrong", "audience_wrong"),
        (json!("https://tools.example:443"), "audience_wrong", "audience_wrong"),
        (json!("https://tools.example/mcp"), "audience_wrong", "audience_wrong"),
        (json!("https://tools.exampl"), "audience_wrong", "audience_wrong"),
        (json!("https://evil@tools.example"), "audience_wrong", "audience_wrong"),
        (json!("http://tools.example"), "audience_wrong", "audience_wrong"),
        (json!("https://TOOLS.example"), "audience_wrong", "audience_wrong"),
        (json!(format!("{RESOURCE} https://mail.example")), "audience_wrong", "audience_wrong"),
        (json!("tools.example"), "audience_wrong", "audience_wrong"),
        (json!("*"), "audience_wrong", "audience_wrong"),
        (json!(""), "audience_wrong", "audience_wrong"),
        (json!(STS), "audience_wrong", "audience_wrong"),
    ] {
        let token = court.key.mint(&with("aud", aud.clone()));
        assert_eq!((code(&strict, &token), code(&shared, &token)), (at_strict, at_shared), "{aud}");
    }
}

#[test]
fn times_are_exact_to_the_second_with_the_issuers_leeway() {
    let court = Court::new();
    let with_leeway = |secs| {
        let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set()).leeway(Duration::from_secs(secs));
        court.bare_engine().issuer(issuer).build().unwrap()
    };
    for (auth, leeway) in [(court.auth(), 30), (with_leeway(0), 0), (with_leeway(60), 60)] {
        for (claim, secs, expected) in [
            ("exp", NOW + 1 - leeway, ACCEPTED),
            ("exp", NOW - leeway, "token_expired"),
            ("exp", 0, "token_expired"),
            ("nbf", NOW + leeway, ACCEPTED),
            ("nbf", NOW + leeway + 1, "token_not_yet_valid"),
            ("nbf", 253_402_300_799, "token_not_yet_valid"),
            ("iat", NOW + leeway, ACCEPTED),
            ("iat", NOW + leeway + 1, "token_issued_in_future"),
        ] {
            let token = court.key.mint(&with(claim, secs));
            assert_eq!(code(&auth, &token), expected, "{claim} {secs} with leeway {leeway}");
        }
    }
    // A fraction of a second counts as the second it lies in.
    let strict = with_leeway(0);
    assert_eq!(code(&strict, &court.key.mint(&with("exp", NOW as f64 + 0.9))), "token_expired");
    assert_eq!(code(&strict, &court.key.mint(&with("exp", 1.8e9 + 1.0))), ACCEPTED);
}

#[test]
fn a_token_lasts_no_longer_than_tokens_of_its_issuer_may() {
    let court = Court::new();
    let hour = TrustedIssuer::rfc8693(STS, court.key.key_set()).max_lifetime(Duration::from_secs(3600));
    let hour = court.bare_engine().issuer(hour).build().unwrap();
    for (auth, limit) in [(court.auth(), 24 * 3600), (hour, 3600)] {
        assert_eq!(code(&auth, &court.key.mint(&with("exp", NOW + limit))), ACCEPTED);
        assert_eq!(code(&auth, &court.key.mint(&with("exp", NOW + limit + 1))), "token_lifetime_too_long");
        let mut early = with("exp", NOW + 1);
        early["iat"] = json!(NOW - limit);
        assert_eq!(code(&auth, &court.key.mint(&early)), "token_lifetime_too_long");
    }
}

#[test]
fn a_token_that_was_good_ends_when_the_clock_says_so() {
    let court = Court::new();
    let auth = court.auth();
    let token = court.key.mint(&claims());
    for (now, expected) in [
        (NOW - 31, "token_issued_in_future"),
        (NOW - 30, ACCEPTED),
        (NOW + 329, ACCEPTED),
        (NOW + 330, "token_expired"),
        (NOW + 329, ACCEPTED),
    ] {
        court.at(now);
        assert_eq!(code(&auth, &token), expected, "{now}");
    }
}

#[test]
fn only_an_issuer_that_is_trusted_to_delegate_may_name_an_actor() {
    let court = Court::new();
    let plain = court.bare_engine().issuer(TrustedIssuer::rfc9068(STS, court.key.key_set())).build().unwrap();
    assert_eq!(code(&plain, &court.key.mint(&without("act"))), ACCEPTED);
    assert_eq!(code(&plain, &court.key.mint(&claims())), "act_untrusted");
    assert_eq!(code(&plain, &court.key.mint(&with("act", json!({"sub": "alice"})))), "act_untrusted");
    assert_eq!(code(&court.auth(), &court.key.mint(&claims())), ACCEPTED);
}

#[test]
fn a_chain_over_the_limit_is_refused_and_never_cut() {
    let court = Court::new();
    let limited = |limit| {
        let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set()).max_actors(limit);
        court.bare_engine().issuer(issuer).build().unwrap()
    };
    for (auth, limit) in [(limited(1), 1), (court.auth(), 4), (limited(16), 16)] {
        let token = |actors| court.key.mint(&with("act", chain(&vec![LAWYER; actors])));
        assert_eq!(code(&auth, &token(limit)), ACCEPTED, "{limit}");
        let rejection = authenticate(&auth, Evidence::bearer(&token(limit + 1))).unwrap_err();
        assert_eq!(rejection.code(), "act_too_deep");
        let expected = format!("the token names {} actors in a chain, {limit} are allowed", limit + 1);
        assert_eq!(rejection.refusal().to_string(), expected);
    }
}

#[test]
fn settings_that_would_be_unsafe_do_not_build() {
    let court = Court::new();
    let issuer = || TrustedIssuer::rfc8693(STS, court.key.key_set());
    let only = |issuer| court.bare_engine().issuer(issuer);
    let no_audit = |resource: &str| AgentAuth::builder(resource).issuer(issuer());
    let error = |builder: AgentAuthBuilder| builder.build().map(|_| ()).unwrap_err();

    for issuer in [issuer().leeway(Duration::from_secs(60)), issuer().max_actors(1), issuer().max_actors(16)] {
        assert!(only(issuer).build().is_ok());
    }
    for (builder, message) in [
        (
            only(issuer().leeway(Duration::from_secs(61))),
            "issuer `https://sts.court.example`: a leeway of 61 s is more than the 60 s that clocks may differ",
        ),
        (only(issuer().max_actors(0)), "issuer `https://sts.court.example`: a limit of 0 actors is outside 1 to 16"),
        (only(issuer().max_actors(17)), "issuer `https://sts.court.example`: a limit of 17 actors is outside 1 to 16"),
        (only(issuer()).issuer(issuer()), "issuer `https://sts.court.example` is configured twice"),
        (
            only(TrustedIssuer::rfc8693("sts court", court.key.key_set())),
            "`sts court` is not an issuer identifier: visible ASCII characters",
        ),
        (
            no_audit("tools.example").audit(Memory::default()),
            "`tools.example` is not a resource identifier: an absolute http(s) URI without fragment, such as \
             https://tools.example.com",
        ),
        (
            AgentAuth::builder(STS).issuer(issuer()).audit(Memory::default()),
            "resource `https://sts.court.example` is a trusted issuer; give the resource server an identifier of its own",
        ),
        (court.bare_engine(), "no issuer is trusted, so no token could be accepted: call .issuer(...)"),
        (
            no_audit(RESOURCE),
            "no audit sink is configured, and a decision that is not recorded is refused: call .audit(...)",
        ),
        (
            court.engine().scopes_supported("a\"b"),
            "the supported scopes are malformed: `a\"b` is no scope: visible ASCII characters without quotes and \
             backslashes are needed",
        ),
        (
            court.engine().random(Counter::up_to(0)),
            "the random source is unavailable: no identifier can be made, so nothing is issued or decided",
        ),
    ] {
        assert_eq!(error(builder).to_string(), message);
    }
    assert!(matches!(
        error(only(issuer().max_actors(0))),
        ConfigError::Issuer(IssuerConfigError::MaxActors { limit: 0, .. })
    ));
}
