//! The issuer's duties (standards 1.7 a to i; j and k are proven on the wire): each exchange is one that is granted,
//! with one thing changed.

use std::collections::BTreeSet;
use std::time::Duration;

use agentauth_core::delegation::{ExchangeError, IssuerBuilder};
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::{
    AgentId, Authority, Binding, Evidence, Mode, ScopeImplications, SpiffePattern, Timestamp, TokenService,
};
use serde_json::{Value, json};

use crate::support::certs::{self, NOW};
use crate::support::court::{
    ACCEPTED, CLERK, JUDGE, Key, LAWYER, RESOURCE, STS, authenticate, chain, claims_of, code_over, encode,
};
use crate::support::office::{Office, RECORDS, SCOPES, code, request, request_for, resource, set, spiffe};
use crate::support::reception::answer;

#[test]
fn authority_passes_from_the_principal_to_the_lawyer_to_the_clerk() {
    let office = Office::new();
    let delegable = office.delegable();
    let clerks_own = office.own_token(&office.clerk);
    let scopes = "records:read".parse().unwrap();
    let request = request_for(&delegable, &clerks_own, RESOURCE).scopes(scopes);
    let issued = office.exchange(&office.lawyer, &request).unwrap();

    let evidence = Evidence::bearer(issued.token()).with_peer(Some(office.clerk.clone()));
    let caller = authenticate(&office.server(RESOURCE), evidence).unwrap();
    assert_eq!((caller.agent().name(), caller.principal().subject()), (CLERK, "alice"));
    assert_eq!((caller.mode(), caller.delegation().depth()), (Mode::OnBehalfOf, 2));
    assert_eq!((caller.delegation().binding(), &*caller.scopes().to_string()), (Binding::MutualTls, "records:read"));
    let record = office.court.records.only();
    let delegation = record.delegation.as_ref().unwrap();
    let earlier: Vec<_> = delegation.earlier_actors().map(AgentId::name).collect();
    assert_eq!((delegation.agent.name(), earlier), (CLERK, vec![LAWYER]));
}

/// Every token that is shown is verified, and is for this issuer: not any token it ever signed.
#[test]
fn duty_a_both_tokens_are_verified() {
    let office = Office::new();
    let stranger = Key::new();
    let delegable = office.delegable();
    for (name, value, expected) in [
        ("jti", json!("j"), ACCEPTED),
        ("iss", json!("https://evil.example"), "issuer_untrusted"),
        ("iss", json!("https://sts.court.example/"), "issuer_untrusted"),
        ("aud", json!(RECORDS), "audience_wrong"),
        ("aud", json!(RESOURCE), "audience_wrong"),
        ("aud", json!("https://sts.court.example/"), "audience_wrong"),
        ("aud", json!([STS, RESOURCE]), "audience_shared"),
        ("exp", json!(NOW), "token_expired"),
        ("nbf", json!(NOW + 1), "token_not_yet_valid"),
        ("iat", json!(NOW + 1), "token_issued_in_future"),
        ("sub", json!(null), "claim_missing"),
        ("jti", json!(null), "claim_missing"),
        ("act", chain(&[LAWYER; 5]), "act_too_deep"),
    ] {
        let subject = office.mint(&set(office.subject(), name, value.clone()));
        assert_eq!(office.code(&office.lawyer, &request(&subject, RECORDS)), expected, "subject {name} {value}");
        let actor = office.mint(&set(office.actor(), name, value.clone()));
        let answer = office.exchange(&office.lawyer, &request_for(&delegable, &actor, RECORDS));
        assert_eq!(code(&answer), expected, "actor {name} {value}");
        if expected != ACCEPTED {
            assert!(matches!(answer, Err(ExchangeError::ActorToken(_))));
        }
    }
    let header = office.court.key.header();
    for (subject, actor) in [
        (stranger.mint(&office.subject()), stranger.mint(&office.actor())),
        (
            stranger.sign(&header.to_string(), office.subject().to_string()),
            stranger.sign(&header.to_string(), office.actor().to_string()),
        ),
        ("x".into(), "x".into()),
    ] {
        let one = office.exchange(&office.lawyer, &request(&subject, RECORDS));
        let two = office.exchange(&office.lawyer, &request_for(&delegable, &actor, RECORDS));
        assert!(matches!(one, Err(ExchangeError::SubjectToken(_))), "{one:?}");
        assert!(matches!(two, Err(ExchangeError::ActorToken(_))), "{two:?}");
        assert!(["key_unknown", "signature_invalid", "token_not_compact"].contains(&code(&one)));
        assert_eq!(code(&one), code(&two));
    }
}

#[test]
fn duty_b_nothing_is_exchanged_after_its_end() {
    let office = Office::new();
    let (consent, delegable, own) = (office.consent(), office.delegable(), office.own_token(&office.clerk));
    let fresh = |now| office.mint(&set(set(office.subject(), "iat", now), "exp", now + 300));
    // The issuer's clock is its own, so there is no leeway.
    for (now, expected) in [(NOW + 299, ACCEPTED), (NOW + 300, "token_expired")] {
        office.court.at(now);
        assert_eq!(office.code(&office.lawyer, &request(&consent, RECORDS)), expected, "{now}");
        assert_eq!(office.code(&office.lawyer, &request_for(&delegable, &own, RECORDS)), expected, "{now}");
        let for_clerk = set(claims_of(&fresh(now)), "may_act", json!({"sub": CLERK}));
        let request = request_for(&office.mint(&for_clerk), &own, RECORDS);
        assert_eq!(office.code(&office.lawyer, &request), expected, "actor at {now}");
    }
}

/// A good subject token and an actor that has nothing to do with it are not a delegation: that is actor splicing.
#[test]
fn duty_c_the_subject_names_its_actor() {
    let office = Office::new();
    let refused = "exchange_actor_not_permitted";
    let clerks = office.own_token(&office.clerk);
    let lawyers = office.own_token(&office.lawyer);
    let with = |name: &str, value: Value| office.mint(&set(office.subject(), name, value));
    let acted =
        |actors: &[&str]| office.mint(&set(set(office.subject(), "may_act", json!(null)), "act", chain(actors)));
    for (what, client, subject, actor, expected) in [
        ("the named agent", &office.lawyer, office.consent(), None, ACCEPTED),
        ("the named agent, by its token", &office.lawyer, office.consent(), Some(&lawyers), ACCEPTED),
        ("another agent", &office.clerk, office.consent(), None, refused),
        ("another agent, by its token", &office.lawyer, office.consent(), Some(&clerks), refused),
        (
            "may_act of an ancestor",
            &office.lawyer,
            with("may_act", json!({"sub": "spiffe://court.example/agent"})),
            None,
            refused,
        ),
        (
            "may_act of a descendant",
            &office.lawyer,
            with("may_act", json!({"sub": format!("{LAWYER}/7")})),
            None,
            refused,
        ),
        (
            "may_act of a strange domain",
            &office.lawyer,
            with("may_act", json!({"sub": "spiffe://evil.example/agent/lawyer"})),
            None,
            refused,
        ),
        ("no may_act and no act", &office.lawyer, with("may_act", json!(null)), None, refused),
        ("the current actor passes on", &office.lawyer, acted(&[LAWYER]), Some(&clerks), ACCEPTED),
        ("an earlier actor", &office.lawyer, acted(&[CLERK, LAWYER]), None, refused),
        ("not an actor at all", &office.clerk, acted(&[LAWYER]), None, refused),
        (
            "may_act counts before act",
            &office.lawyer,
            office.mint(&set(set(office.subject(), "act", chain(&[LAWYER])), "may_act", json!({"sub": CLERK}))),
            None,
            refused,
        ),
    ] {
        let request = match actor {
            Some(actor) => request_for(&subject, actor, RECORDS),
            None => request(&subject, RECORDS),
        };
        assert_eq!(office.code(client, &request), expected, "{what}");
    }
}

/// RFC 8693 §4.4: the combination of `iss` and `sub` identifies an actor.
#[test]
fn duty_c_an_actor_is_named_by_issuer_and_subject() {
    let office = Office::new();
    let actor = office.mint(&set(set(office.actor(), "sub", "bot"), "client_id", "bot"));
    for (may_act, expected) in [
        (json!({"sub": "bot"}), ACCEPTED),
        (json!({"sub": "bot", "iss": STS}), ACCEPTED),
        (json!({"sub": "bot", "iss": "https://other.example"}), "exchange_actor_not_permitted"),
        (json!({"sub": "bot", "iss": "https://sts.court.example/"}), "exchange_actor_not_permitted"),
        (json!({"sub": "Bot", "iss": STS}), "exchange_actor_not_permitted"),
    ] {
        let subject = office.mint(&set(office.subject(), "may_act", may_act.clone()));
        assert_eq!(office.code(&office.lawyer, &request_for(&subject, &actor, RECORDS)), expected, "{may_act}");
    }
}

#[test]
fn duty_d_no_scope_is_widened_and_none_is_invented() {
    let implied = ScopeImplications::new().includes("records", "records:read").unwrap();
    let office = Office::with(|builder| builder.implications(implied));
    for (held, asked, audience, expected) in [
        (SCOPES, Some("records:read"), RESOURCE, Ok("records:read")),
        (SCOPES, None, RESOURCE, Ok(SCOPES)),
        (SCOPES, Some(SCOPES), RECORDS, Ok("records:read")),
        (SCOPES, None, RECORDS, Ok("records:read")),
        (SCOPES, None, STS, Ok(SCOPES)),
        ("records", Some("records:read"), RECORDS, Ok("records:read")),
        ("motions:file", Some("records:read"), RESOURCE, Err("exchange_scope_widened")),
        ("motions:file", Some(SCOPES), RESOURCE, Err("exchange_scope_widened")),
        ("motions:file", Some("motions:FILE"), RESOURCE, Err("exchange_scope_widened")),
        ("records:read", Some("records"), RESOURCE, Err("exchange_scope_widened")),
        ("records:read", Some("records:read records:seal"), STS, Err("exchange_scope_widened")),
        ("motions:file", None, RECORDS, Err("exchange_scope_empty")),
        ("motions:file", Some("motions:file"), RECORDS, Err("exchange_scope_empty")),
        (SCOPES, Some(""), RESOURCE, Err("exchange_scope_empty")),
        ("", None, RESOURCE, Err("exchange_scope_empty")),
        ("", None, STS, Err("exchange_scope_empty")),
        ("", Some("records:read"), RESOURCE, Err("exchange_scope_widened")),
    ] {
        let subject = office.mint(&set(office.subject(), "scope", held));
        let mut request = request(&subject, audience);
        if let Some(asked) = asked {
            request = request.scopes(asked.parse().unwrap());
        }
        let answer = office.exchange(&office.lawyer, &request);
        let found = answer.as_ref().map(|issued| issued.scopes().to_string()).map_err(ExchangeError::code);
        assert_eq!(found, expected.map(str::to_owned), "{held:?} asked {asked:?} for {audience}");
        if let Ok(issued) = answer {
            assert_eq!(claims_of(issued.token())["scope"], issued.scopes().to_string());
        }
    }
    let missing = office.mint(&set(office.subject(), "scope", json!(null)));
    assert_eq!(office.code(&office.lawyer, &request(&missing, RESOURCE)), "exchange_scope_empty");
}

/// An agent is given no more than the issuer's settings allow it, whatever the principal grants; and where there are
/// settings, an agent without one is given nothing.
#[test]
fn duty_d_no_agent_is_given_more_than_its_ceiling() {
    let authority = |scopes: &str| Authority::of_scopes(scopes.parse().unwrap());
    let pattern = |pattern: &str| pattern.parse::<SpiffePattern>().unwrap();
    let agents = move || pattern("spiffe://court.example/agent/*");
    let implied = || ScopeImplications::new().includes("records", "records:read").unwrap();
    type Settings = Box<dyn FnOnce(IssuerBuilder) -> IssuerBuilder>;
    let settings: Vec<(&str, Settings, Result<&str, &str>)> = vec![
        ("none", Box::new(|builder| builder), Ok(SCOPES)),
        (
            "wide",
            Box::new(move |builder| builder.ceiling(agents(), authority("motions:file records:read x"))),
            Ok(SCOPES),
        ),
        ("narrow", Box::new(move |builder| builder.ceiling(agents(), authority("records:read"))), Ok("records:read")),
        (
            "by what a scope includes",
            Box::new(move |builder| builder.implications(implied()).ceiling(agents(), authority("records"))),
            Ok("records:read"),
        ),
        (
            "each counts",
            Box::new(move |builder| {
                builder.ceiling(agents(), authority("records:read x")).ceiling_of(spiffe(LAWYER), authority(SCOPES))
            }),
            Ok("records:read"),
        ),
        (
            "for others only",
            Box::new(move |builder| builder.ceiling(pattern("spiffe://court.example/server/**"), authority(SCOPES))),
            Err("exchange_scope_empty"),
        ),
        ("empty", Box::new(move |builder| builder.ceiling(agents(), authority(""))), Err("exchange_scope_empty")),
    ];
    for (what, settings, expected) in settings {
        let office = Office::with(settings);
        let answer = office.exchange(&office.lawyer, &request(&office.consent(), RESOURCE));
        let found = answer.map(|issued| issued.scopes().to_string()).map_err(|error| error.code());
        assert_eq!(found, expected.map(str::to_owned), "{what}");
    }
}

/// RFC 9396 §5: what is not understood refuses the whole request, with an error of its own.
#[test]
fn duty_d_details_that_are_not_understood_refuse_the_request() {
    let office = Office::new();
    let service = TokenService::new(office.issuer.clone(), office.court.records.clone()).unwrap();
    let form = request(&office.consent(), RESOURCE).to_form();
    for (details, expected) in [
        ("[]", "exchange_scope_empty"),
        ("{}", "detail_malformed"),
        ("[", "json_malformed"),
        ("null", "detail_malformed"),
        (r#"[{"type":"a","type":"b"}]"#, "json_duplicate_member"),
        (r#"[{"type":"agent_action"}]"#, "detail_member_malformed"),
        (r#"[{"type":"payment_initiation"}]"#, "detail_type_unknown"),
    ] {
        let extra =
            form_urlencoded::Serializer::new(String::new()).append_pair("authorization_details", details).finish();
        let form = format!("{form}&{extra}");
        let refusal = answer(&service, Some(&office.lawyer), &form).unwrap_err();
        assert_eq!(refusal.error.code(), expected, "{details}");
        let told = if expected == "exchange_scope_empty" { "invalid_scope" } else { "invalid_authorization_details" };
        assert_eq!(refusal.error.oauth_error(), told, "{details}");
    }
}

#[test]
fn duty_e_the_audience_is_exactly_the_target() {
    let office = Office::new();
    let issued = office.exchange(&office.lawyer, &request(&office.consent(), RECORDS)).unwrap();
    assert_eq!(claims_of(issued.token())["aud"], RECORDS);
    assert_eq!(code_over(&office.server(RECORDS), issued.token(), &office.lawyer), ACCEPTED);
    assert_eq!(code_over(&office.server(RESOURCE), issued.token(), &office.lawyer), "audience_wrong");
    for target in
        ["https://records.example/", "http://records.example", "https://evil.example", "https://sts.court.example/"]
    {
        assert_eq!(
            office.code(&office.lawyer, &request(&office.consent(), target)),
            "exchange_target_unknown",
            "{target}"
        );
        assert_eq!(code(&office.agent_token(&office.lawyer, &resource(target))), "exchange_target_unknown");
    }
}

#[test]
fn duty_f_no_token_outlives_what_it_was_made_from() {
    let office = Office::with(|builder| builder.token_lifetime(Duration::from_secs(200)));
    let mut leaf = office.court.ca.leaf("/agent/lawyer");
    leaf.not_after = certs::at(NOW + 90);
    let moment = Timestamp::from_secs(NOW);
    let dying = office.court.ca.trust().verify(&[office.court.ca.sign(&leaf)], moment).unwrap();
    for (what, client, subject_ends, actor_ends, expected) in [
        ("the setting", &*office.lawyer, 1000, 1000, 200),
        ("the subject token", &*office.lawyer, 120, 1000, 120),
        ("the actor token", &*office.lawyer, 1000, 110, 110),
        ("the last second", &*office.lawyer, 1, 1000, 1),
        // The lawyer passes its authority on; it is the clerk's certificate that counts for the clerk.
        ("the client's certificate does not count", &dying, 1000, 1000, 200),
    ] {
        let subject = set(set(office.subject(), "may_act", json!({"sub": CLERK})), "exp", NOW + subject_ends);
        let actor = set(office.actor(), "exp", NOW + actor_ends);
        let request = request_for(&office.mint(&subject), &office.mint(&actor), RECORDS);
        let issued = office.exchange(client, &request).unwrap();
        assert_eq!((issued.expires_in(), issued.expires().secs()), (expected, NOW + expected), "{what}");
        assert_eq!(claims_of(issued.token())["exp"], NOW + expected, "{what}");
    }
    // The client that acts itself ends with its certificate, and so does its own token.
    let issued = office.exchange(&dying, &request(&office.consent(), RECORDS)).unwrap();
    assert_eq!(issued.expires_in(), 90);
    assert_eq!(office.agent_token(&dying, &resource(STS)).unwrap().expires_in(), 90);
    let consent = office.consent();
    office.court.at(NOW + 90);
    assert_eq!(office.code(&dying, &request(&consent, RECORDS)), "exchange_no_lifetime");
    assert_eq!(code(&office.agent_token(&dying, &resource(STS))), "exchange_no_lifetime");
    office.court.at(NOW + 91);
    assert_eq!(office.code(&dying, &request(&consent, RECORDS)), "exchange_client_unauthenticated");
    assert_eq!(code(&office.agent_token(&dying, &resource(STS))), "exchange_client_unauthenticated");
}

#[test]
fn duty_g_the_chain_grows_by_one_and_is_never_rewritten() {
    let office = Office::new();
    let clerks = office.own_token(&office.clerk);
    let by = |client: &X509Svid, inherited: Value, actor: Option<&str>| {
        let subject = office.mint(&set(set(office.subject(), "may_act", json!(null)), "act", inherited));
        let request = match actor {
            Some(actor) => request_for(&subject, actor, RECORDS),
            None => request(&subject, RECORDS),
        };
        let issued = office.exchange(client, &request)?;
        Ok::<_, ExchangeError>(claims_of(issued.token())["act"].clone())
    };
    let actors = |inherited, actor| by(&office.lawyer, inherited, actor);
    let named = |sub: &str, iss: &str| json!({"iss": iss, "sub": sub});
    let lawyer = set(named(LAWYER, STS), "act", set(named("bot", "https://b.example"), "act", named("bot", STS)));
    assert_eq!(actors(lawyer.clone(), Some(&clerks)), Ok(set(named(CLERK, STS), "act", lawyer.clone())));
    // The same agent again is no further agent.
    assert_eq!(actors(lawyer.clone(), None), Ok(lawyer));
    assert_eq!(claims_of(&office.delegable())["act"], named(LAWYER, STS));

    let deep = |n| chain(&[LAWYER, JUDGE, LAWYER, JUDGE][..n]);
    assert!(actors(deep(3), Some(&clerks)).is_ok());
    let error = actors(deep(4), Some(&clerks)).unwrap_err();
    assert_eq!((error.code(), error), ("exchange_too_deep", ExchangeError::TooDeep { found: 5, limit: 4 }));
    assert!(actors(deep(4), None).is_ok(), "at the limit, and no longer");
}

/// An agent that passed its authority on cannot be given it again by one that it passed it to.
#[test]
fn duty_g_no_actor_acts_twice_with_others_in_between() {
    let office = Office::new();
    let lawyers = office.own_token(&office.lawyer);
    for (what, client, chain, actor, expected) in [
        ("lawyer, clerk, lawyer", &office.clerk, chain(&[CLERK, LAWYER]), Some(&lawyers), "exchange_actor_loop"),
        ("with one more between", &office.clerk, chain(&[CLERK, JUDGE, LAWYER]), Some(&lawyers), "exchange_actor_loop"),
        ("the same again at once", &office.lawyer, chain(&[LAWYER, CLERK]), None, ACCEPTED),
        (
            "another one of that name",
            &office.clerk,
            json!({"sub": CLERK, "act": {"sub": "lawyer", "iss": STS}}),
            Some(&lawyers),
            ACCEPTED,
        ),
    ] {
        let subject = office.mint(&set(set(office.subject(), "may_act", json!(null)), "act", chain));
        let request = actor.map_or_else(|| request(&subject, RECORDS), |actor| request_for(&subject, actor, RECORDS));
        assert_eq!(office.code(client, &request), expected, "{what}");
    }
}

/// The new token is the new actor's to hold, and nobody else's: not even that of the one who asked for it.
#[test]
fn duty_h_the_new_token_is_bound_to_the_new_actor() {
    let office = Office::new();
    let server = office.server(RESOURCE);
    let (delegable, own) = (office.delegable(), office.own_token(&office.clerk));
    let issued = office.exchange(&office.lawyer, &request_for(&delegable, &own, RESOURCE)).unwrap();
    for (peer, expected) in [
        (&office.clerk, ACCEPTED),
        (&office.lawyer, "binding_certificate_mismatch"),
        (&office.court.peer(CLERK), "binding_certificate_mismatch"),
    ] {
        assert_eq!(code_over(&server, issued.token(), peer), expected);
    }
    let bare = authenticate(&server, Evidence::bearer(issued.token())).unwrap_err();
    assert_eq!(bare.code(), "binding_certificate_missing");
    assert_eq!(claims_of(issued.token())["cnf"], json!({"x5t#S256": encode(office.clerk.thumbprint())}));
    // With no actor token it is the client's, whatever the subject token was bound to.
    let own = office.exchange(&office.lawyer, &request(&office.delegable(), RESOURCE)).unwrap();
    assert_eq!(code_over(&server, own.token(), &office.lawyer), ACCEPTED);
    assert_eq!(code_over(&server, own.token(), &office.clerk), "binding_certificate_mismatch");
}

#[test]
fn duty_i_each_token_has_an_id_of_its_own_and_only_what_it_needs() {
    let office = Office::new();
    let issue = || office.exchange(&office.lawyer, &request(&office.consent(), RECORDS)).unwrap();
    let (one, two) = (claims_of(issue().token()), claims_of(issue().token()));
    assert_ne!(one["jti"], two["jti"]);
    let names: BTreeSet<_> = one.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["act", "aud", "client_id", "cnf", "exp", "grant_id", "iat", "iss", "jti", "scope", "sub"].into(),
        "no may_act"
    );
    assert_eq!((&one["client_id"], &one["sub"], &one["iat"]), (&json!(LAWYER), &json!("alice"), &json!(NOW)));
}

/// All that descends from a consent says so, and so can be revoked with it; and stays within its transaction.
#[test]
fn duty_i_grant_and_transaction_are_carried_through_every_exchange() {
    let office = Office::new();
    let consent = office.consent();
    let id = claims_of(&consent)["jti"].clone();
    assert_eq!(claims_of(&consent).get("grant_id"), None);
    let first = office.exchange(&office.lawyer, &request(&consent, STS)).unwrap();
    let clerks = office.own_token(&office.clerk);
    let second = office.exchange(&office.lawyer, &request_for(first.token(), &clerks, STS)).unwrap();
    let third = office.exchange(&office.clerk, &request(second.token(), RECORDS)).unwrap();
    for token in [&first, &second, &third] {
        assert_eq!(claims_of(token.token())["grant_id"], id);
    }
    assert_eq!(claims_of(&clerks).get("grant_id"), None, "an agent's own token descends from nothing");

    let of = |txn: Value| office.mint(&set(office.subject(), "txn", txn));
    let kept = office.exchange(&office.lawyer, &request(&of(json!("t-97053963")), STS)).unwrap();
    let kept = office.exchange(&office.lawyer, &request_for(kept.token(), &clerks, RECORDS)).unwrap();
    assert_eq!(claims_of(kept.token())["txn"], "t-97053963");
    let none = office.exchange(&office.lawyer, &request(&office.consent(), RECORDS)).unwrap();
    assert_eq!(claims_of(none.token()).get("txn"), None);
    for (txn, expected) in
        [(json!(7), "claim_malformed"), (json!(""), "claim_malformed"), (json!("a\nb"), "claim_malformed")]
    {
        assert_eq!(office.code(&office.lawyer, &request(&of(txn.clone()), RECORDS)), expected, "{txn}");
    }
}
