//! Each rule for an assertion is its own refusal.

use std::time::Duration;

use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::{
    AssertedSubject, AssertionIssuer, Client, GRANT_PROFILE_ID_JAG, IdentityAssertion, IssuerError, JwtBearerRequest,
    SubjectMapping, SubjectsUnavailable,
};
use agentauth_core::scope::{Authority, Grant};
use agentauth_core::state::{Remember, ReplayAnswer, ReplayStore};
use agentauth_core::{Evidence, Mode, ScopeSet, Timestamp, TokenService};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Embassy, ID_JAG, IDP, assertion, for_records};
use crate::profiles::{but, typed};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, CLERK, Key, LAWYER, RESOURCE, STS, authenticate, claims_of, encode, wait};
use crate::support::office::{Office, RECORDS, code, resource};
use crate::support::reception::{APP, Letter, Reception, answer};

#[test]
fn an_assertion_gets_a_token_for_one_resource_and_no_more_than_it_says() {
    let embassy = Embassy::new();
    let request = for_records(&embassy.assertion(json!({})));
    let issued = embassy.ask(&embassy.office.lawyer, &request).unwrap();
    let claims = claims_of(issued.token());
    let holder = encode(embassy.office.lawyer.thumbprint());
    for (name, expected) in [
        ("iss", json!(STS)),
        ("sub", json!("alice")),
        ("aud", json!(RECORDS)),
        ("client_id", json!(LAWYER)),
        ("scope", json!("records:read")),
        ("exp", json!(NOW + 300)),
        ("act", json!({"iss": STS, "sub": LAWYER})),
        ("cnf", json!({"x5t#S256": holder})),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
    let evidence = Evidence::bearer(issued.token()).with_peer(Some(embassy.office.lawyer.clone()));
    let caller = authenticate(&embassy.office.server(RECORDS), evidence).unwrap();
    assert_eq!((caller.mode(), caller.principal().subject()), (Mode::OnBehalfOf, "alice"));
}

#[test]
fn each_rule_for_an_assertion_has_its_code() {
    let mut embassy = Embassy::new();
    let thumbprint = |client: &agentauth_core::identity::svid::X509Svid| encode(client.thumbprint());
    let (own, other) = (thumbprint(&embassy.office.lawyer), thumbprint(&embassy.office.clerk));
    let act = |actor: &str| json!({"act": {"sub": actor}});
    for (number, (changes, expected)) in [
        (json!({}), ACCEPTED),
        (json!({"aud": [STS]}), ACCEPTED),
        (json!({"resource": [RECORDS]}), ACCEPTED),
        (json!({"resource": [RESOURCE, RECORDS]}), ACCEPTED),
        (json!({"exp": NOW + 3600}), ACCEPTED),
        (json!({"aud_sub": "alice@court", "email": "alice@idp.example"}), ACCEPTED),
        (json!({"cnf": {"x5t#S256": own}}), ACCEPTED),
        (act(LAWYER), ACCEPTED),
        (json!({"iss": null}), "claim_missing"),
        (json!({"iss": "https://idp.example/"}), "issuer_untrusted"),
        (json!({"iss": STS}), "issuer_untrusted"),
        (json!({"aud": null}), "claim_missing"),
        (json!({"aud": []}), "claim_missing"),
        (json!({"aud": RECORDS}), "audience_wrong"),
        (json!({"aud": format!("{STS}/")}), "audience_wrong"),
        (json!({"aud": [STS, "https://other.example"]}), "audience_shared"),
        (json!({"aud": [STS, STS]}), "audience_shared"),
        (json!({"client_id": null}), "claim_missing"),
        (json!({"client_id": CLERK}), "assertion_client_mismatch"),
        (json!({"client_id": "lawyer"}), "assertion_client_mismatch"),
        (json!({"sub": null}), "claim_missing"),
        (json!({"sub": "a\nb"}), "claim_malformed"),
        (json!({"sub": "U2"}), "assertion_subject_unknown"),
        (json!({"sub": "alice"}), "assertion_subject_unknown"),
        (json!({"sub": "workload"}), "assertion_subject_unsuitable"),
        (json!({"sub": "client"}), "assertion_subject_unsuitable"),
        (json!({"sub": "nameless"}), "assertion_subject_unsuitable"),
        (json!({"jti": null}), "claim_missing"),
        (json!({"iat": null}), "claim_missing"),
        (json!({"exp": null}), "claim_missing"),
        (json!({"exp": NOW - 30}), "token_expired"),
        (json!({"exp": NOW}), "exchange_no_lifetime"),
        (json!({"exp": NOW + 3601}), "token_lifetime_too_long"),
        (json!({"iat": NOW + 31}), "token_issued_in_future"),
        (json!({"nbf": NOW + 31}), "token_not_yet_valid"),
        (json!({"tenant": "acme"}), "assertion_tenant_wrong"),
        (json!({"aud_tenant": "court"}), "assertion_audience_tenant_wrong"),
        (json!({"cnf": {"x5t#S256": other}}), "assertion_not_held"),
        (json!({"cnf": {"jkt": own}}), "assertion_not_held"),
        (json!({"cnf": {"jwk": {}}}), "confirmation_unsupported"),
        (json!({"cnf": {}}), "confirmation_unsupported"),
        (act(CLERK), "assertion_actor_unsuitable"),
        (json!({"act": {"sub": "lawyer"}}), "assertion_actor_unsuitable"),
        (json!({"act": {"sub": LAWYER, "act": {"sub": CLERK}}}), "assertion_actor_unsuitable"),
        (json!({"act": {}}), "claim_missing"),
        (json!({"resource": null}), "assertion_resource_missing"),
        (json!({"resource": []}), "assertion_resource_missing"),
        (json!({"resource": RESOURCE}), "assertion_resource_outside"),
        (json!({"resource": format!("{RECORDS}/")}), "assertion_resource_outside"),
        (json!({"scope": null}), "exchange_scope_empty"),
        (json!({"scope": ""}), "exchange_scope_empty"),
        (json!({"scope": "motions:file"}), "exchange_scope_empty"),
        (json!({"scope": ["records:read"]}), "json_wrong_type"),
        (json!({"scope": "a  b"}), "scope_malformed"),
        (json!({"authorization_details": {}}), ACCEPTED),
        (json!({"authorization_details": [{"type": "chat_read"}]}), ACCEPTED),
        (json!({"scope": null, "authorization_details": [{"type": "chat_read"}]}), "exchange_scope_empty"),
        (json!({"scope": null, "authorization_details": {}}), "exchange_scope_empty"),
        (json!({"resource": 1}), "json_wrong_type"),
        (json!({"aud_sub": 1}), "json_wrong_type"),
    ]
    .into_iter()
    .enumerate()
    {
        let jti = json!({ "jti": format!("jag-{number}") });
        let claims = but(&but(&assertion(), jti), changes.clone());
        assert_eq!(embassy.code(&typed(&embassy.idp, Some(ID_JAG), &claims)), expected, "{changes}");
    }
    // The same, under a key that is not the issuer's.
    embassy.idp = Key::new();
    assert_eq!(embassy.code(&embassy.assertion(json!({}))), "key_unknown");
}

#[test]
fn an_assertion_is_of_one_kind() {
    let embassy = Embassy::new();
    for typ in [Some("at+jwt"), Some("JWT"), Some("txntoken+jwt"), Some("oauth-id-jag"), None] {
        assert_eq!(embassy.code(&typed(&embassy.idp, typ, &assertion())), "typ_wrong", "{typ:?}");
    }
    for typ in ["OAuth-ID-JAG+jwt", "application/oauth-id-jag+jwt"] {
        let claims = but(&assertion(), json!({ "jti": typ }));
        assert_eq!(embassy.code(&typed(&embassy.idp, Some(typ), &claims)), ACCEPTED, "{typ}");
    }
    let error = embassy.ask(&embassy.office.lawyer, &for_records(&typed(&embassy.idp, None, &assertion())));
    assert_eq!(
        error.unwrap_err().to_string(),
        "the assertion is refused: a token of type `oauth-id-jag+jwt` is needed, this one says no typ"
    );
}

#[test]
fn an_assertion_counts_once_for_the_client_that_it_names() {
    let embassy = Embassy::new();
    let assertion = embassy.assertion(json!({}));
    // Whoever else presents it does not use it up.
    let by_clerk = embassy.ask(&embassy.office.clerk, &for_records(&assertion));
    assert_eq!(code(&by_clerk), "assertion_client_mismatch");
    assert_eq!(embassy.code(&assertion), ACCEPTED);
    assert_eq!(embassy.code(&assertion), "assertion_replayed");
    // Signed anew, it is the same still; until the moment at which it would be refused in any case.
    assert_eq!(embassy.code(&embassy.assertion(json!({"exp": NOW + 299}))), "assertion_replayed");
    embassy.office.court.at(NOW + 299);
    assert_eq!(embassy.code(&assertion), "assertion_replayed");
    embassy.office.court.at(NOW + 330);
    assert_eq!(embassy.code(&assertion), "token_expired");

    // Nor does its own client, where the token could be bound to no key.
    let reception = Reception::with(|builder| {
        builder.resource(RECORDS, "records:read").dpop(Dpop::new(STS)).identity_assertions_from(embassy.issuer())
    });
    let assertion = embassy.assertion(json!({"client_id": APP}));
    let present = |letter: Letter| {
        let letter = letter.without("grant_type").without("resource");
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        reception.code(&letter.field("grant_type", grant).field("assertion", &assertion))
    };
    assert_eq!(present(reception.asserted().unproven()), "exchange_binding_required");
    assert_eq!(present(reception.asserted()), ACCEPTED);

    let embassy = Embassy::with(AssertionIssuer::reusable);
    let assertion = embassy.assertion(json!({}));
    assert_eq!([embassy.code(&assertion), embassy.code(&assertion)], [ACCEPTED; 2]);
}

#[test]
fn where_it_cannot_be_told_whether_an_assertion_was_used_it_is_refused() {
    #[derive(Debug)]
    struct Away;
    impl ReplayStore for Away {
        fn remember(&self, _: &[u8; 32], _: Timestamp, _: Timestamp) -> Remember {
            Remember::ready(ReplayAnswer::Unavailable)
        }
    }
    let idp = Key::new();
    let trusted = AssertionIssuer::new(IDP, idp.key_set(), super::subjects());
    let office = Office::with(|builder| builder.identity_assertions_from(trusted).used_assertions(Away));
    let embassy = Embassy { office, idp };
    let error = embassy.ask(&embassy.office.lawyer, &for_records(&embassy.assertion(json!({})))).unwrap_err();
    assert_eq!((error.code(), error.oauth_error()), ("assertion_replay_unavailable", "temporarily_unavailable"));
}

#[test]
fn a_subject_is_known_by_its_issuer_and_its_tenant() {
    let embassy = Embassy::with(|idp| idp.tenant("acme").tenant("globex"));
    let subject = |tenant: Value| {
        let issued = embassy
            .ask(&embassy.office.lawyer, &for_records(&embassy.assertion(json!({"tenant": tenant, "jti": tenant}))));
        issued.map_or_else(|error| error.code().to_owned(), |issued| claims_of(issued.token())["sub"].to_string())
    };
    assert_eq!(subject(json!("acme")), r#""alice@acme""#);
    assert_eq!(subject(json!("globex")), "assertion_subject_unknown");
    assert_eq!(subject(json!("initech")), "assertion_tenant_wrong");
    assert_eq!(embassy.code(&embassy.assertion(json!({}))), "assertion_tenant_wrong");
}

#[test]
fn where_subjects_cannot_be_looked_up_nobody_is_made_up() {
    #[derive(Debug)]
    struct Directory;
    #[async_trait]
    impl SubjectMapping for Directory {
        async fn name_of(&self, subject: &AssertedSubject) -> Result<Option<Box<str>>, SubjectsUnavailable> {
            assert_eq!(subject.principal.issuer().as_str(), IDP);
            match (subject.principal.subject(), subject.name_here.as_deref()) {
                ("U1", Some("alice")) => Ok(Some("alice".into())),
                ("U1", _) => Ok(None),
                _ => Err(SubjectsUnavailable),
            }
        }
    }
    let idp = Key::new();
    let trusted = AssertionIssuer::new(IDP, idp.key_set(), Directory);
    let embassy = Embassy { office: Office::with(|builder| builder.identity_assertions_from(trusted)), idp };
    assert_eq!(embassy.code(&embassy.assertion(json!({"aud_sub": "alice"}))), ACCEPTED);
    assert_eq!(embassy.code(&embassy.assertion(json!({"aud_sub": "bob"}))), "assertion_subject_unknown");
    assert_eq!(embassy.code(&embassy.assertion(json!({"sub": "U2"}))), "assertion_subjects_unavailable");
}

#[test]
fn a_client_is_no_actor_unless_the_issuer_is_believed() {
    let embassy = Embassy::with(|idp| idp);
    let issued = embassy.ask(&embassy.office.lawyer, &for_records(&embassy.assertion(json!({})))).unwrap();
    assert_eq!(claims_of(issued.token()).get("act"), None);
    let evidence = Evidence::bearer(issued.token()).with_peer(Some(embassy.office.lawyer.clone()));
    let caller = authenticate(&embassy.office.server(RECORDS), evidence).unwrap();
    assert_eq!((caller.mode(), caller.principal().subject()), (Mode::ClientOnly, "alice"));
    // And what the assertion says of actors must not be dropped.
    assert_eq!(embassy.code(&embassy.assertion(json!({"act": {"sub": LAWYER}, "jti": "2"}))), "act_untrusted");
}

#[test]
fn what_is_asked_for_chooses_and_does_not_add() {
    let embassy = Embassy::with(AssertionIssuer::reusable);
    let ask = |changes: Value, target: Option<&str>, scopes: Option<&str>| {
        let assertion = IdentityAssertion::new(&embassy.assertion(changes));
        let form = JwtBearerRequest::new(assertion, resource(target.unwrap_or(RECORDS)));
        let form = scopes.map_or_else(|| form.clone(), |scopes| form.clone().scopes(scopes.parse().unwrap())).to_form();
        // Only the wire can leave out the resource.
        let form = if target.is_some() { form } else { form.replace("&resource=https%3A%2F%2Frecords.example", "") };
        let service = TokenService::new(embassy.office.issuer.clone(), embassy.office.court.records.clone()).unwrap();
        let answer = answer(&service, Some(&embassy.office.lawyer), &form);
        answer.map_or_else(
            |refusal| refusal.error.code().to_owned(),
            |body| {
                assert_eq!(claims_of(body["access_token"].as_str().unwrap())["aud"], body["resource"]);
                assert_eq!(body.get("refresh_token"), None);
                format!("{} at {}", body["scope"].as_str().unwrap(), body["resource"].as_str().unwrap())
            },
        )
    };
    let both = || json!({"resource": [RESOURCE, RECORDS]});
    for (changes, target, scopes, expected) in [
        (json!({}), None, None, "records:read at https://records.example"),
        (json!({"resource": RESOURCE}), None, None, "motions:file records:read at https://tools.example"),
        (both(), Some(RESOURCE), None, "motions:file records:read at https://tools.example"),
        (both(), Some(RESOURCE), Some("motions:file"), "motions:file at https://tools.example"),
        (both(), Some(RESOURCE), Some("motions:file verdicts:read"), "motions:file at https://tools.example"),
        (both(), Some(RESOURCE), Some("verdicts:read"), "exchange_scope_empty"),
        (json!({"resource": RESOURCE, "scope": "verdicts:read"}), None, None, "exchange_scope_empty"),
        (both(), None, None, "assertion_resource_missing"),
        (json!({"resource": null}), None, None, "assertion_resource_missing"),
        (json!({"resource": STS}), None, None, "exchange_target_unknown"),
        (json!({"resource": "urn:x"}), None, None, "exchange_target_unknown"),
        (json!({"resource": "https://elsewhere.example"}), None, None, "exchange_target_unknown"),
        (json!({"resource": RESOURCE}), Some(RECORDS), None, "assertion_resource_outside"),
        (json!({"resource": RESOURCE}), Some(STS), None, "assertion_resource_outside"),
    ] {
        assert_eq!(ask(changes.clone(), target, scopes), expected, "{changes} {target:?} {scopes:?}");
    }

    let embassy = Embassy::with(|idp| idp.default_resource(resource(RECORDS)));
    let unnamed = |jti: &str| embassy.assertion(json!({"resource": null, "jti": jti}));
    assert_eq!(embassy.code(&unnamed("1")), ACCEPTED);
    let other = JwtBearerRequest::new(IdentityAssertion::new(&unnamed("2")), resource(RESOURCE));
    assert_eq!(code(&embassy.ask(&embassy.office.lawyer, &other)), "assertion_resource_outside");
}

#[test]
fn each_rule_for_the_form_of_an_assertion_is_its_own_refusal() {
    let embassy = Embassy::with(AssertionIssuer::reusable);
    let service = TokenService::new(embassy.office.issuer.clone(), embassy.office.court.records.clone()).unwrap();
    let good = for_records(&embassy.assertion(json!({}))).to_form();
    let code = |form: &str| {
        let answer = answer(&service, Some(&embassy.office.lawyer), form);
        answer.map_or_else(|refusal| refusal.error.code(), |_| ACCEPTED)
    };
    for (form, expected) in [
        (good.clone(), ACCEPTED),
        (good.replace("&assertion=", "&asserted="), "exchange_malformed"),
        (format!("{good}&assertion=x"), "exchange_malformed"),
        (format!("{good}&resource=https%3A%2F%2Ftools.example"), "exchange_malformed"),
        (format!("{good}&scope=a++b"), "exchange_malformed"),
        (good.replace("resource=https%3A%2F%2Frecords.example", "resource=records"), "exchange_target_unknown"),
    ] {
        assert_eq!(code(&form), expected, "{:.400}", form.replace("eyJ", "..."));
    }
    let unproven = answer(&service, None, &good).unwrap_err();
    assert_eq!(unproven.error.code(), "exchange_client_unauthenticated");
}

#[test]
fn details_are_granted_within_those_of_the_assertion() {
    let trusted = |idp: &Key| AssertionIssuer::new(IDP, idp.key_set(), super::subjects()).reusable();
    let idp = Key::new();
    let office = Office::with(|builder| {
        let details = Authority::new(ScopeSet::none(), [Grant::new("motions:file").unwrap()]).unwrap();
        builder.resource_details(RECORDS, details).identity_assertions_from(trusted(&idp))
    });
    let embassy = Embassy { office, idp };
    let grant = |case: &&str| Grant::new("motions:file").unwrap().on("case", case).unwrap();
    let within = |cases: &[&str]| Authority::new(ScopeSet::none(), cases.iter().map(grant)).unwrap();
    let ask = |claims: Value, asked: Option<Authority>| {
        let request = for_records(&embassy.assertion(claims));
        let request = asked.into_iter().fold(request, JwtBearerRequest::details);
        let issued = embassy.ask(&embassy.office.lawyer, &request);
        issued.map_or_else(
            |error| error.code().to_owned(),
            |issued| claims_of(issued.token())["authorization_details"].to_string(),
        )
    };
    let both = || json!({"scope": null, "authorization_details": within(&["7", "8"]).to_details()});
    let seven = within(&["7"]).to_details().to_string();
    assert_eq!(ask(json!({"scope": null, "authorization_details": within(&["7"]).to_details()}), None), seven);
    assert_eq!(ask(both(), Some(within(&["7"]))), seven);
    assert_eq!(ask(both(), Some(within(&["9"]))), "exchange_scope_empty");
    assert_eq!(ask(json!({"scope": "records:read"}), Some(within(&["7"]))), "exchange_scope_empty");
    // A scope holds its action without limits, and so within any.
    assert_eq!(ask(json!({}), Some(within(&["7"]))), seven);
    // On the wire.
    let service = TokenService::new(embassy.office.issuer.clone(), embassy.office.court.records.clone()).unwrap();
    let form = for_records(&embassy.assertion(both())).details(within(&["7"])).to_form();
    let body = answer(&service, Some(&embassy.office.lawyer), &form).unwrap();
    assert_eq!(body["authorization_details"].to_string(), seven);
}

#[test]
fn an_agent_is_given_no_more_than_its_ceiling_on_an_assertion_either() {
    let idp = Key::new();
    let trusted = AssertionIssuer::new(IDP, idp.key_set(), super::subjects());
    let office = Office::with(|builder| {
        let nothing = Authority::of_scopes("motions:file".parse().unwrap());
        builder.ceiling_of(crate::support::office::spiffe(LAWYER), nothing).identity_assertions_from(trusted)
    });
    let embassy = Embassy { office, idp };
    assert_eq!(embassy.code(&embassy.assertion(json!({}))), "exchange_scope_empty");
    let tools = JwtBearerRequest::new(
        IdentityAssertion::new(&embassy.assertion(json!({"resource": RESOURCE}))),
        resource(RESOURCE),
    );
    let issued = embassy.ask(&embassy.office.lawyer, &tools).unwrap();
    assert_eq!(issued.scopes().to_string(), "motions:file");
}

#[test]
fn all_that_is_issued_on_one_assertion_has_one_descent() {
    let embassy = Embassy::with(AssertionIssuer::reusable);
    let descent = |jti: &str| {
        let request = for_records(&embassy.assertion(json!({"jti": jti, "txn": "t-1"})));
        let claims = claims_of(embassy.ask(&embassy.office.lawyer, &request).unwrap().token());
        assert_eq!(claims["txn"], "t-1");
        claims["grant_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(descent("1"), descent("1"));
    assert_ne!(descent("1"), descent("2"));
}

#[test]
fn a_token_ends_with_the_assertion_that_it_was_made_from() {
    let embassy = Embassy::new();
    let request = for_records(&embassy.assertion(json!({"exp": NOW + 60})));
    let issued = embassy.ask(&embassy.office.lawyer, &request).unwrap();
    assert_eq!((issued.expires().secs(), issued.expires_in()), (NOW + 60, 60));
}

#[test]
fn without_a_trusted_identity_provider_there_is_no_such_grant() {
    let office = Office::new();
    assert_eq!(office.issuer.grant_profiles(), [""; 0]);
    let embassy = Embassy { office, idp: Key::new() };
    let refused = embassy.ask(&embassy.office.lawyer, &for_records("x")).unwrap_err();
    assert_eq!((refused.code(), refused.oauth_error()), ("exchange_grant_unsupported", "unsupported_grant_type"));
    assert_eq!(Embassy::new().office.issuer.grant_profiles(), [GRANT_PROFILE_ID_JAG]);
}

#[test]
fn an_issuer_does_not_take_its_own_assertions() {
    let office = Office::new();
    let itself = AssertionIssuer::new(STS, office.issuer.keys(), super::subjects());
    let builder = office.court.issuer().identity_assertions_from(itself);
    assert!(matches!(builder.build().unwrap_err(), IssuerError::OwnAssertions(issuer) if issuer.as_str() == STS));
    let twice = || AssertionIssuer::new(IDP, office.court.key.key_set(), super::subjects());
    let builder = office.court.issuer().identity_assertions_from(twice()).identity_assertions_from(twice());
    assert!(matches!(builder.build().unwrap_err(), IssuerError::Verifier(_)));
    let vague = twice().leeway(Duration::from_secs(61));
    assert!(matches!(office.court.issuer().identity_assertions_from(vague).build(), Err(IssuerError::Verifier(_))));
}

#[test]
fn two_providers_do_not_share_subjects_or_keys() {
    let (idp, other) = (Key::new(), Key::new());
    let known = |name| {
        let issuer = agentauth_core::IssuerId::new("https://other.example").unwrap();
        super::KnownSubjects::new().with(agentauth_core::PrincipalId::new(issuer, "U1"), name)
    };
    let office = Office::with(|builder| {
        builder
            .identity_assertions_from(AssertionIssuer::new(IDP, idp.key_set(), super::subjects()))
            .identity_assertions_from(AssertionIssuer::new("https://other.example", other.key_set(), known("ally")))
    });
    let embassy = Embassy { office, idp };
    let of_other = but(&assertion(), json!({"iss": "https://other.example"}));
    // The same `jti` of another issuer is another assertion.
    assert_eq!(embassy.code(&embassy.assertion(json!({}))), ACCEPTED);
    let token = typed(&other, Some(ID_JAG), &of_other);
    let issued = embassy.ask(&embassy.office.lawyer, &for_records(&token)).unwrap();
    assert_eq!(claims_of(issued.token())["sub"], "ally");
    assert_eq!(embassy.code(&typed(&embassy.idp, Some(ID_JAG), &of_other)), "key_unknown");
}

#[test]
fn a_client_that_is_no_longer_good_gets_nothing() {
    let embassy = Embassy::new();
    let stranger = crate::support::certs::Ca::new("court.example").peer("/agent/lawyer");
    let refused = embassy.ask(&stranger, &for_records(&embassy.assertion(json!({}))));
    assert_eq!(code(&refused), "exchange_client_unauthenticated");
}

#[test]
fn the_client_is_told_one_oauth_error_and_the_record_the_rule() {
    let embassy = Embassy::new();
    let service = TokenService::new(embassy.office.issuer.clone(), embassy.office.court.records.clone()).unwrap();
    let client = Client::from(&*embassy.office.lawyer);
    for (changes, oauth) in [
        (json!({"client_id": CLERK}), "invalid_grant"),
        (json!({"sub": "U2"}), "invalid_grant"),
        (json!({"exp": NOW - 60}), "invalid_grant"),
        (json!({"aud": RECORDS}), "invalid_grant"),
        (json!({"cnf": {"jkt": encode([0; 32])}}), "invalid_grant"),
        (json!({"resource": RESOURCE}), "invalid_target"),
        (json!({"scope": "x"}), "invalid_scope"),
    ] {
        let refusal = wait(service.jwt_bearer(&client, &for_records(&embassy.assertion(changes.clone())))).unwrap_err();
        assert_eq!(refusal.error.oauth_error(), oauth, "{changes}");
        let record = embassy.office.court.records.only();
        assert_eq!((record.code, &record.evaluation_id), (refusal.error.code(), &refusal.evaluation_id));
    }
    let assertion = embassy.assertion(json!({}));
    wait(service.jwt_bearer(&client, &for_records(&assertion))).unwrap();
    let record = embassy.office.court.records.only();
    let issued = record.issued.as_ref().unwrap();
    assert_eq!((&*issued.subject, issued.audience.as_str()), ("alice", RECORDS));
    assert!(!serde_json::to_string(&*record).unwrap().contains(&assertion[..40]));
}

#[test]
fn keys_that_cannot_be_had_are_not_the_assertions_fault() {
    #[derive(Debug)]
    struct Gone;
    impl agentauth_core::token::KeySource for Gone {
        fn current(&self) -> Option<agentauth_core::token::KeySnapshot> {
            None
        }
    }
    let trusted = AssertionIssuer::new(IDP, agentauth_core::token::Keys::from_source(Gone), super::subjects());
    let embassy =
        Embassy { office: Office::with(|builder| builder.identity_assertions_from(trusted)), idp: Key::new() };
    let error = embassy.ask(&embassy.office.lawyer, &for_records(&embassy.assertion(json!({})))).unwrap_err();
    assert_eq!((error.code(), error.oauth_error()), ("keys_unavailable", "temporarily_unavailable"));
}
