//! Standards T3: what a token service answers is compared with what was asked for, and with what the caller holds.

use super::*;
use crate::support::court::{encode, with};
use crate::support::office::set;
use agentauth_core::Binding;
use agentauth_core::ScopeImplications;
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::scope::{Grant, ScopeSet};

/// What becomes of this answer, for a caller with `held`, where the next server is to be told `asked`.
fn outcome(court: &Court, holder: &Holder, held: &str, asked: &str, answer: String) -> &'static str {
    let sts = Sts::new(court, move |_| answer.clone()).held_by(holder.clone());
    let caller = crate::support::court::caller(&court.auth(), &court.key.mint(&with("scope", held)));
    let delegator = sts.delegator().build();
    let (first, again) = (delegated(&caller, &delegator, &hop(asked)), delegated(&caller, &delegator, &hop(asked)));
    assert_eq!(code_of(&first), code_of(&again), "what is kept is as good as what is new");
    if code_of(&first) != ACCEPTED {
        assert_eq!(sts.count(), 2, "a refusal is not kept");
    }
    code_of(&first)
}

fn bearer(court: &Court, claims: &Value) -> String {
    answer(&court.key.mint(claims), 300).to_string()
}

#[test]
fn each_rule_for_a_new_token_has_its_code() {
    let court = Court::new();
    let jwt = |name: &str, value: Value| bearer(&court, &set(onward(), name, value));
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let of_kind = |kind| answer(&key.sign(kind, onward().to_string().as_bytes()).unwrap(), 300).to_string();
    for (body, expected) in [
        (bearer(&court, &onward()), ACCEPTED),
        (jwt("aud", json!([RECORDS])), ACCEPTED),
        (jwt("scope", Value::Null), ACCEPTED),
        (jwt("scp", json!(["records:read"])), ACCEPTED),
        (jwt("typ", json!("Bearer")), ACCEPTED),
        (answer("opaque", 300).to_string(), ACCEPTED),
        (answer("eyJ.not.json", 300).to_string(), ACCEPTED),
        (of_kind(TokenType::AccessToken), ACCEPTED),
        (of_kind(TokenType::Jwt), ACCEPTED),
        // For another server, or for others beside it.
        (jwt("aud", json!("https://records.example.evil")), "answer_wrong_audience"),
        (jwt("aud", json!("https://records.example/")), "answer_wrong_audience"),
        (jwt("aud", json!([RECORDS, "https://mail.example"])), "answer_wrong_audience"),
        (jwt("aud", json!([])), "answer_wrong_audience"),
        (jwt("aud", Value::Null), "answer_wrong_audience"),
        // Of another kind.
        (of_kind(TokenType::IdJag), "answer_wrong_kind"),
        (of_kind(TokenType::TransactionToken), "answer_wrong_kind"),
        (of_kind(TokenType::WorkloadIdentity), "answer_wrong_kind"),
        (of_kind(TokenType::Logout), "answer_wrong_kind"),
        (jwt("nonce", json!("n")), "answer_wrong_kind"),
        (jwt("at_hash", json!("h")), "answer_wrong_kind"),
        (jwt("typ", json!("ID")), "answer_wrong_kind"),
        (jwt("typ", json!("Refresh")), "answer_wrong_kind"),
        // Wider than asked, whatever the answer beside it says.
        (jwt("scope", json!("records:read records:seal")), "answer_widened"),
        (jwt("scp", json!(["records:read", "records:seal"])), "answer_widened"),
        (jwt("scp", json!("records:seal")), "answer_widened"),
        (jwt("authorization_details", json!([{"type": "payment"}])), "answer_widened"),
        // Of no use to this agent, or no longer.
        (jwt("exp", json!(NOW)), "answer_expired"),
        (jwt("cnf", json!({"jkt": encode([7; 32])})), "answer_wrong_binding"),
        (jwt("cnf", json!({"kid": "k"})), "answer_wrong_binding"),
        (jwt("cnf", json!({"x5t#S256": "short"})), "answer_wrong_binding"),
        // Which of two is meant would be a guess.
        (jwt("exp", json!("soon")), "json_wrong_type"),
        (jwt("scope", json!(7)), "json_wrong_type"),
        (jwt("scope", json!("a  b")), "json_wrong_type"),
        (
            answer(&court.key.sign(&court.key.header().to_string(), r#"{"aud":"a","aud":"b"}"#), 300).to_string(),
            "json_duplicate_member",
        ),
    ] {
        assert_eq!(outcome(&court, &Holder::Unknown, "records:read", "records:read", body.clone()), expected, "{body}");
    }
}

/// The next server may take tokens that this library verifies nowhere: they say as much of themselves as any other.
#[test]
fn a_token_says_whom_it_is_for_however_it_is_signed() {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let court = Court::new();
    let long = json!({"alg": "EdDSA", "typ": "at+jwt", "x5c": ["A".repeat(3000)]});
    let headers = [
        json!({"alg": "EdDSA", "typ": "at+jwt"}),
        json!({"alg": "HS256", "typ": "at+jwt"}),
        json!({"alg": "ES256K"}),
        json!({"alg": "none"}),
        json!({"alg": "EdDSA", "kid": "k".repeat(300)}),
        json!({"alg": "EdDSA", "crit": ["exp"]}),
        json!({"typ": "JWT"}),
        long,
    ];
    let token = |header: &Value, claims: &Value, end: &str| {
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        answer(&format!("{header}.{claims}.AAAA{end}"), 300).to_string()
    };
    let code = |body: String| outcome(&court, &Holder::Unknown, "records:read", "records:read", body);
    for header in &headers {
        for end in ["", "="] {
            assert_eq!(code(token(header, &onward(), end)), ACCEPTED, "{header:.80}");
            for (name, value, expected) in [
                ("aud", json!("https://mail.example"), "answer_wrong_audience"),
                ("scope", json!("records:read records:seal"), "answer_widened"),
                ("nonce", json!("n"), "answer_wrong_kind"),
                ("exp", json!(NOW), "answer_expired"),
                ("cnf", json!({"jkt": encode([7; 32])}), "answer_wrong_binding"),
            ] {
                let found = code(token(header, &set(onward(), name, value), end));
                assert_eq!(found, expected, "{header:.80} {name} {end}");
            }
        }
    }
    let id_jag = json!({"alg": "HS256", "typ": "oauth-id-jag+jwt"});
    assert_eq!(code(token(&id_jag, &onward(), "")), "answer_wrong_kind");
    assert_eq!(code(answer("e30.e31.AAAA", 300).to_string()), "json_malformed");
    // No server takes what is longer, and many of them would fill the memory.
    for (length, expected) in [(16 * 1024, ACCEPTED), (16 * 1024 + 1, "json_oversize")] {
        assert_eq!(code(answer(&"a".repeat(length), 300).to_string()), expected);
    }
    // Encrypted, or no JSON: opaque.
    for opaque in ["e30.e30.e30.e30.e30", "a.b", "W10.W10.AAAA", "e30"] {
        assert_eq!(code(answer(opaque, 300).to_string()), ACCEPTED, "{opaque}");
    }
}

/// Standards §1.8 row 3: Keycloak grants scopes that the subject token does not hold.
#[test]
fn a_token_service_cannot_give_more_than_the_caller_has() {
    let court = Court::new();
    for (held, asked, granted, expected) in [
        ("records:read records:seal", "records:read records:seal", Some("records:read records:seal"), ACCEPTED),
        ("records:read", "records:read records:seal", Some("records:read"), ACCEPTED),
        ("records:read", "records:read records:seal", Some("records:read records:seal"), "answer_beyond_caller"),
        ("records:read", "records:seal", Some("records:seal"), "answer_beyond_caller"),
        // Without a word about it, all that was asked for is granted (RFC 8693 §2.2.1).
        ("records:read", "records:seal", None, "answer_beyond_caller"),
        ("records:read", "records:read", None, ACCEPTED),
    ] {
        let mut body = answer("opaque", 300);
        granted.into_iter().for_each(|granted| body["scope"] = json!(granted));
        let found = outcome(&court, &Holder::Unknown, held, asked, body.to_string());
        assert_eq!(found, expected, "{held} asks for {asked} and is given {granted:?}");
        // What the token itself says counts as well.
        if let Some(granted) = granted {
            let claims = set(onward(), "scope", granted);
            let found = outcome(&court, &Holder::Unknown, held, asked, bearer(&court, &claims));
            // The answer beside it is silent, which means: all.
            let silent = if asked == granted { expected } else { "answer_beyond_caller" };
            assert_eq!(found, silent, "{held} asks for {asked} and is given {granted}");
        }
    }
}

#[test]
fn what_includes_what_at_the_next_server_is_said_and_not_guessed() {
    let court = Court::new();
    let caller = caller(&court, "1");
    let sts = Sts::new(&court, |_| answer("opaque", 300).to_string());
    let asked = hop("User.Read");
    let refused = delegated(&caller, &sts.delegator().build(), &asked).unwrap_err();
    assert_eq!(refused.code(), "answer_beyond_caller");
    assert_eq!(
        refused.to_string(),
        "the token service granted `User.Read`, and the caller holds `motions:file records:read`: if the one includes \
         the other, say so with .implications(..)"
    );
    let implied = ScopeImplications::new().includes("records:read", "User.Read").unwrap();
    let delegator = sts.delegator().implications(implied).build();
    assert_eq!(delegated(&caller, &delegator, &asked).unwrap().authority().scopes().to_string(), "User.Read");
}

/// An agent that delegates what it was given itself has no ceiling here but what it asks for.
#[test]
fn what_an_agent_was_given_is_bounded_by_what_it_asks_for() {
    let court = Court::new();
    let subject = SubjectToken::new("the consent");
    for (granted, expected) in [("records:read", ACCEPTED), ("records:read records:seal", "answer_widened")] {
        let mut body = answer("opaque", 300);
        body["scope"] = json!(granted);
        let sts = Sts::new(&court, move |_| body.to_string());
        let token = wait(sts.delegator().build().delegate(&subject, &hop("records:read")));
        assert_eq!(code_of(&token), expected);
    }
}

/// Standards T2: passthrough by way of a token service that does nothing.
#[test]
fn the_token_that_came_in_is_not_taken_for_a_new_one() {
    let court = Court::new();
    let inbound = court.key.mint(&with("aud", "https://tools.example"));
    let caller = crate::support::court::caller(&court.auth(), &inbound);
    let sts = Sts::new(&court, {
        let inbound = inbound.clone();
        move |_| answer(&inbound, 300).to_string()
    });
    let refused = delegated(&caller, &sts.delegator().build(), &hop("records:read")).unwrap_err();
    assert_eq!(refused.code(), "answer_not_exchanged");
    assert!(!format!("{refused} {refused:?}").contains(&inbound));
    let subject = SubjectToken::new("the consent");
    for same in ["consent", "consent="] {
        let sts = Sts::new(&court, move |_| answer(same, 300).to_string());
        let answer = wait(sts.delegator().build().delegate(&SubjectToken::new("consent"), &hop("a")));
        assert_eq!(code_of(&answer), "answer_not_exchanged", "{same}");
    }
    let sts = Sts::new(&court, |_| answer("consent", 300).to_string());
    assert_eq!(code_of(&wait(sts.delegator().build().delegate(&subject, &hop("a")))), ACCEPTED);
}

#[test]
fn a_token_is_bound_to_this_agents_key_or_to_none() {
    let court = Court::new();
    let (own, others) = (court.peer(LAWYER), court.peer(LAWYER));
    let holder = Holder::from(&*own);
    let bound = |thumbprint: &[u8; 32]| bearer(&court, &set(onward(), "cnf", json!({"x5t#S256": encode(thumbprint)})));
    let to_key = bearer(&court, &set(onward(), "cnf", json!({"jkt": encode(own.thumbprint())})));
    let unbound = bearer(&court, &onward());
    let both =
        bearer(&court, &set(onward(), "cnf", json!({"x5t#S256": encode(own.thumbprint()), "jkt": encode([7; 32])})));
    for (body, expected, strictly) in [
        (bound(own.thumbprint()), ACCEPTED, ACCEPTED),
        (bound(others.thumbprint()), "answer_wrong_binding", "answer_wrong_binding"),
        (to_key, "answer_wrong_binding", "answer_wrong_binding"),
        (both, "answer_wrong_binding", "answer_wrong_binding"),
        (unbound, ACCEPTED, "answer_wrong_binding"),
        (answer("opaque", 300).to_string(), ACCEPTED, "answer_wrong_binding"),
    ] {
        assert_eq!(outcome(&court, &holder, "records:read", "records:read", body.clone()), expected, "{body}");
        let sts = Sts::new(&court, move |_| body.clone()).held_by(holder.clone());
        let delegator = sts.delegator().require_binding().build();
        let token = delegated(&caller(&court, "1"), &delegator, &hop("records:read"));
        assert_eq!(code_of(&token), strictly);
        if let Ok(token) = token {
            assert_eq!(token.binding(), Binding::MutualTls);
        }
    }
}

#[test]
fn how_much_was_granted_and_for_how_long_is_the_least_of_what_is_said() {
    let court = Court::new();
    for (expires_in, exp, scope, expected) in [
        (300, NOW + 60, "records:read", (NOW + 60, "records:read")),
        (60, NOW + 300, "records:read motions:file", (NOW + 60, "motions:file records:read")),
        (0, NOW + 300, "", (NOW + 300, "")),
    ] {
        let claims = set(set(onward(), "exp", exp), "scope", scope);
        let body = answer(&court.key.mint(&claims), expires_in).to_string();
        let delegator = Sts::new(&court, move |_| body.clone()).delegator().build();
        let token = delegated(&caller(&court, "1"), &delegator, &hop("records:read motions:file")).unwrap();
        assert_eq!((token.expires().secs(), &*token.authority().scopes().to_string()), expected);
        assert_eq!(token.audience(), &resource(RECORDS));
    }
}

/// What scopes cannot say (RFC 9396) is compared like them: what is not understood is more than was asked for.
#[test]
fn details_are_compared_as_scopes_are() {
    let court = Court::new();
    let below = |path: &str| {
        Authority::new(ScopeSet::none(), [Grant::new("records:list").unwrap().below("case", path).unwrap()]).unwrap()
    };
    let (held, asked, other) = (below("2026"), below("2026/17"), below("2025"));
    let inbound = court.key.mint(&with("authorization_details", held.to_details()));
    let caller = crate::support::court::caller(&court.auth(), &inbound);
    assert!(held.is_within(caller.delegation().authority()));
    let jwt = |details: Value| {
        let claims = set(set(onward(), "scope", Value::Null), "authorization_details", details);
        let mut body = answer(&court.key.mint(&claims), 300);
        body["authorization_details"] = asked.to_details();
        body
    };
    let unknown = json!([{"type": "payment", "amount": 1}]);
    let answered = |details: Value| set(answer("opaque", 300), "authorization_details", details);
    for (asked, body, expected) in [
        (&asked, jwt(asked.to_details()), ACCEPTED),
        (&asked, answered(asked.to_details()), ACCEPTED),
        (&asked, answered(json!([])), ACCEPTED),
        (&asked, answer("opaque", 300), "answer_incomplete"),
        (&asked, jwt(held.to_details()), "answer_widened"),
        (&asked, answered(held.to_details()), "answer_widened"),
        (&asked, answered(unknown.clone()), "answer_widened"),
        (&asked, jwt(unknown), "answer_widened"),
        (&asked, set(answered(asked.to_details()), "scope", "records:read"), "answer_widened"),
        (&other, answered(other.to_details()), "answer_beyond_caller"),
    ] {
        let text = body.to_string();
        let sts = Sts::new(&court, move |_| body.to_string());
        let hop = NextHop::new(resource(RECORDS), asked.clone()).unwrap();
        let token = delegated(&caller, &sts.delegator().build(), &hop);
        assert_eq!(code_of(&token), expected, "{text}");
        let form = sts.asked.lock().unwrap().remove(0);
        let sent = form_urlencoded::parse(form.as_bytes()).find(|(name, _)| name == "authorization_details").unwrap();
        assert_eq!(serde_json::from_str::<Value>(&sent.1).unwrap(), asked.to_details());
        if let Ok(token) = token {
            assert!(token.authority().is_within(asked));
        }
    }
}

/// What may be passed on so many times is passed on once less, whatever the token service makes of it.
#[test]
fn what_is_not_to_be_passed_on_goes_no_further() {
    let court = Court::new();
    let depth =
        |times: u32| Authority::new(ScopeSet::none(), [Grant::new("records:list").unwrap().depth(times)]).unwrap();
    for (held, asked, expected) in
        [(0, 0, "answer_beyond_caller"), (1, 1, "answer_beyond_caller"), (1, 0, ACCEPTED), (2, 1, ACCEPTED)]
    {
        let inbound = court.key.mint(&with("authorization_details", depth(held).to_details()));
        let caller = crate::support::court::caller(&court.auth(), &inbound);
        let body = set(answer("opaque", 300), "authorization_details", depth(asked).to_details());
        let sts = Sts::new(&court, move |_| body.to_string());
        let hop = NextHop::new(resource(RECORDS), depth(asked)).unwrap();
        assert_eq!(code_of(&delegated(&caller, &sts.delegator().build(), &hop)), expected, "{held} {asked}");
    }
}

/// Who is told of fewer scopes has fewer, also where nothing is said of the details beside them.
#[test]
fn what_an_answer_is_silent_on_adds_nothing_to_what_it_says() {
    let court = Court::new();
    let grant = Grant::new("records:list").unwrap().below("case", "2026").unwrap();
    let asked = Authority::new("records:read records:seal".parse().unwrap(), [grant]).unwrap();
    let body = set(answer("opaque", 300), "scope", "records:read").to_string();
    let sts = Sts::new(&court, move |_| body.clone());
    let hop = NextHop::new(resource(RECORDS), asked.clone()).unwrap();
    let token = wait(sts.delegator().build().delegate(&SubjectToken::new("the consent"), &hop)).unwrap();
    assert_eq!(token.authority().scopes().to_string(), "records:read");
    assert_eq!(token.authority().to_details(), asked.to_details());
}
