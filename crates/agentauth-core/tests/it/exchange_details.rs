//! Exchanges of what scopes cannot say: `authorization_details` (RFC 9396) are narrowed, carried and passed on by the same
//! duties.

use std::sync::Arc;

use agentauth_core::delegation::{Consent, DelegationGrant, ExchangeRequest, FileGrants, MemoryGrants};
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::scope::{Constraint, Grant};
use agentauth_core::state::MemoryUseStore;
use agentauth_core::{Action, AgentAuth, Authority, Evidence, ScopeSet, Timestamp, TokenService, TrustedIssuer};
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, LAWYER, Oracle, RESOURCE, STS, authenticate, claims_of, code_of, wait};
use crate::support::office::{Office, RECORDS, grant, request, request_for, resource, set, spiffe};
use crate::support::reception;

const WIDENED: &str = "exchange_details_widened";

/// Motions may be filed in the case `case`, for at most so much.
fn motions(case: &str, fee: i64) -> Grant {
    let fees = Constraint::integers(0..=fee).unwrap();
    Grant::new("motions:file").unwrap().below("case", case).unwrap().argument("fee", fees).unwrap()
}

fn details(grants: impl IntoIterator<Item = Grant>) -> Authority {
    Authority::new(ScopeSet::none(), grants).unwrap()
}

/// Alice's consent to these details and scopes.
fn consent(office: &Office, scopes: &str, details: &Authority) -> String {
    let consent = Consent::new("alice", spiffe(LAWYER), scopes.parse().unwrap()).details(details.clone());
    wait(office.issuer.consent(&consent)).unwrap().token().to_owned()
}

#[test]
fn details_are_carried_with_every_limit_they_have() {
    let office = Office::new();
    let held = details([motions("2026-17", 500)]);
    let consent = consent(&office, "records:read", &held);
    assert_eq!(claims_of(&consent)["authorization_details"], held.to_details());
    let issued = office.exchange(&office.lawyer, &request(&consent, RESOURCE)).unwrap();
    assert_eq!(claims_of(issued.token())["authorization_details"], held.to_details());
    assert_eq!(
        (issued.authority().to_details(), issued.scopes().to_string()),
        (held.to_details(), "records:read".into())
    );
    let evidence = Evidence::bearer(issued.token()).with_peer(Some(office.lawyer.clone()));
    let caller = authenticate(&office.server(RESOURCE), evidence).unwrap();
    assert_eq!(caller.delegation().authority(), issued.authority());
    // Where nothing is said beyond scopes, nothing is written.
    let plain = office.exchange(&office.lawyer, &request(&office.consent(), RESOURCE)).unwrap();
    assert_eq!(claims_of(plain.token()).get("authorization_details"), None);
}

#[test]
fn duty_d_details_are_narrowed_and_never_widened() {
    let office = Office::new();
    let consent = consent(&office, "records:read", &details([motions("2026-17", 500)]));
    let ask = |audience: &str| request(&consent, audience);
    let read = || -> ScopeSet { "records:read".parse().unwrap() };
    type Answer = Result<(Value, &'static str), &'static str>;
    let given = |grants: Vec<Grant>, scopes: &'static str| -> Answer { Ok((details(grants).to_details(), scopes)) };
    let cases: Vec<(&str, ExchangeRequest, Answer)> = vec![
        ("all", ask(RESOURCE), given(vec![motions("2026-17", 500)], "records:read")),
        (
            "just these",
            ask(RESOURCE).details(details([motions("2026-17", 500)])),
            given(vec![motions("2026-17", 500)], ""),
        ),
        ("less", ask(RESOURCE).details(details([motions("2026-17/a", 9)])), given(vec![motions("2026-17/a", 9)], "")),
        ("a larger fee", ask(RESOURCE).details(details([motions("2026-17", 501)])), Err(WIDENED)),
        ("another case", ask(RESOURCE).details(details([motions("2026-18", 1)])), Err(WIDENED)),
        ("without a limit", ask(RESOURCE).details(details([Grant::new("motions:file").unwrap()])), Err(WIDENED)),
        ("another action", ask(RESOURCE).details(details([Grant::new("motions:seal").unwrap()])), Err(WIDENED)),
        (
            "one too many",
            ask(RESOURCE).details(details([motions("2026-17", 1), Grant::new("records:seal").unwrap()])),
            Err(WIDENED),
        ),
        ("scopes only", ask(RESOURCE).scopes(read()), given(vec![], "records:read")),
        (
            "both",
            ask(RESOURCE).scopes(read()).details(details([motions("2026-17", 5)])),
            given(vec![motions("2026-17", 5)], "records:read"),
        ),
        (
            "a limited one as a scope",
            ask(RESOURCE).scopes("motions:file".parse().unwrap()),
            Err("exchange_scope_widened"),
        ),
        (
            "what the target does not have",
            ask(RECORDS).details(details([motions("2026-17", 5)])),
            Err("exchange_scope_empty"),
        ),
        ("of all, what the target has", ask(RECORDS), given(vec![], "records:read")),
    ];
    for (what, request, expected) in cases {
        let answer = office.exchange(&office.lawyer, &request);
        let found = answer.map(|issued| (issued.authority().to_details(), issued.scopes().to_string()));
        let expected = expected.map(|(details, scopes)| (details, scopes.to_owned()));
        assert_eq!(found.map_err(|error| error.code()), expected, "{what}");
    }
}

/// The same on the wire, with the answer's `authorization_details` (RFC 9396 §7) and `scope`, and an error of its own.
#[test]
fn details_are_asked_for_and_answered_on_the_wire() {
    let office = Office::new();
    let service = TokenService::new(office.issuer.clone(), office.court.records.clone()).unwrap();
    let consent = consent(&office, "records:read", &details([motions("2026-17", 500)]));
    let answer = |asked: &Authority| {
        let form = request(&consent, RESOURCE).details(asked.clone()).to_form();
        reception::answer(&service, Some(&office.lawyer), &form)
    };
    let less = details([motions("2026-17", 5)]);
    let body = answer(&less).unwrap();
    assert_eq!((&body["authorization_details"], &body["scope"]), (&less.to_details(), &json!("")));
    assert_eq!(claims_of(body["access_token"].as_str().unwrap())["authorization_details"], less.to_details());
    let record = office.court.records.only();
    assert_eq!(record.issued.as_ref().unwrap().authorization_details, Some(less.to_details()));
    let refusal = answer(&details([motions("2026-17", 501)])).unwrap_err();
    assert_eq!((refusal.error.code(), refusal.error.oauth_error()), (WIDENED, "invalid_authorization_details"));
}

#[test]
fn duty_d_a_resource_may_have_less_than_its_scopes_say() {
    let at = |details: Authority| {
        let office = Office::with(|builder| builder.resource_details(RECORDS, details));
        let consent = consent(&office, "", &self::details([motions("2026-17", 500)]));
        let answer = office.exchange(&office.lawyer, &request(&consent, RECORDS));
        answer.map(|issued| issued.authority().clone()).map_err(|error| error.code())
    };
    assert_eq!(at(details([motions("2026-17", 20)])), Ok(details([motions("2026-17", 20)])));
    assert_eq!(at(details([motions("2026-18", 20)])), Err("exchange_scope_empty"));
    assert_eq!(at(Authority::default()), Err("exchange_scope_empty"));

    let court = crate::support::court::Court::new();
    let strange = court.issuer().resource_details(RECORDS, details([motions("2026-17", 1)])).build().unwrap_err();
    assert_eq!(
        strange.to_string(),
        "`https://records.example` is given authorization details, and is no resource of this issuer: call .resource(...) \
         for it"
    );
}

/// A grant that may be passed on once is the lawyer's and the clerk's, and nobody's after that.
#[test]
fn duty_g_the_depth_of_a_detail_shrinks_each_time_it_is_passed_on() {
    let office = Office::new();
    let consent = consent(&office, "", &details([motions("2026-17", 500).depth(1)]));
    let (clerks, judge) = (office.own_token(&office.clerk), office.court.peer(crate::support::court::JUDGE));
    let judges = office.own_token(&judge);
    let depth = |token: &str| claims_of(token)["authorization_details"][0]["max_depth"].clone();

    let lawyers = office.exchange(&office.lawyer, &request(&consent, STS)).unwrap();
    assert_eq!(depth(lawyers.token()), 1, "alice's consent is the lawyer's to use");
    let again = office.exchange(&office.lawyer, &request(lawyers.token(), STS)).unwrap();
    assert_eq!(depth(again.token()), 1, "the same agent again passes nothing on");
    let passed_on = office.exchange(&office.lawyer, &request_for(again.token(), &clerks, STS)).unwrap();
    assert_eq!(depth(passed_on.token()), 0);
    assert_eq!(office.code(&office.clerk, &request(passed_on.token(), RESOURCE)), ACCEPTED);
    let further = request_for(passed_on.token(), &judges, RESOURCE);
    assert_eq!(office.code(&office.clerk, &further), "exchange_not_to_be_passed_on");
    // Nor by a server that was sent it.
    let sent = office.exchange(&office.clerk, &request(passed_on.token(), RESOURCE)).unwrap();
    assert_eq!(office.code(&office.tools, &request(sent.token(), RESOURCE)), "exchange_not_to_be_passed_on");
    // Asking for more passes on than there are is asking for more.
    let unlimited = request_for(again.token(), &clerks, STS).details(details([motions("2026-17", 500).depth(1)]));
    assert_eq!(office.code(&office.lawyer, &unlimited), WIDENED);
}

#[test]
fn duty_f_no_token_outlives_the_last_of_what_it_allows() {
    let office = Office::new();
    let until = |secs: u64| motions("2026-17", 500).valid_until(Timestamp::from_secs(NOW + secs));
    let other = |secs: u64| Grant::new("records:read").unwrap().valid_until(Timestamp::from_secs(NOW + secs));
    for (scopes, held, expected) in [
        ("", details([until(30)]), 30),
        ("", details([until(30), other(50)]), 50),
        ("", details([until(30), motions("2026-18", 1)]), 300),
        ("records:read", details([until(30)]), 300),
    ] {
        let issued = office.exchange(&office.lawyer, &request(&consent(&office, scopes, &held), RESOURCE)).unwrap();
        assert_eq!(issued.expires_in(), expected, "{scopes} {held:?}");
    }
}

#[test]
fn duty_d_a_registered_grant_limits_by_details() {
    let held = details([motions("2026-17", 500)]);
    let grants = MemoryGrants::new();
    let registered = grant("grant:1");
    let principal = registered.principal().clone();
    let limited = DelegationGrant::new("grant:2", principal, spiffe(LAWYER), held.clone()).unwrap();
    grants.add(limited.at([resource(RESOURCE)])).unwrap();
    let office = Office::with(|builder| builder.grants(grants));
    // Alice's own token may do all that the scope says; the lawyer may do what she granted.
    let issued = office.exchange(&office.lawyer, &request(&office.users_token(), RESOURCE)).unwrap();
    assert_eq!((issued.authority(), claims_of(issued.token())["grant_id"].as_str()), (&held, Some("grant:2")));
    let more = request(&office.users_token(), RESOURCE).details(details([motions("2026-17", 501)]));
    assert_eq!(office.code(&office.lawyer, &more), WIDENED);
    let all = request(&office.users_token(), RESOURCE).scopes("motions:file".parse().unwrap());
    assert_eq!(office.code(&office.lawyer, &all), "exchange_scope_widened");
    let reads_only = office.mint(&set(office.users_claims(), "scope", "records:read"));
    assert_eq!(office.code(&office.lawyer, &request(&reads_only, RESOURCE)), "exchange_scope_empty");
}

#[test]
fn a_grant_in_a_file_may_have_details() {
    let held = details([motions("2026-17", 500)]);
    let document = json!({"grants": [{
        "id": "grant:1", "principal": {"iss": STS, "sub": "alice"}, "agent": LAWYER,
        "authorization_details": held.to_details(),
    }]});
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("details-{}.json", std::process::id()));
    std::fs::write(&path, document.to_string()).unwrap();
    let grants = FileGrants::open(&path);
    std::fs::remove_file(&path).unwrap();
    let office = Office::with(|builder| builder.grants(grants.unwrap()));
    let issued = office.exchange(&office.lawyer, &request(&office.users_token(), RESOURCE)).unwrap();
    assert_eq!(issued.authority(), &held);
}

/// Uses are the grant's: exchanging a consent twice, or passing it on, does not multiply them; nor does waiting.
#[test]
fn the_uses_of_a_consent_are_not_multiplied_by_exchanges() {
    let office = Office::new();
    let consent = consent(&office, "", &details([motions("2026-17", 500).uses(2)]));
    let lawyers = || office.exchange(&office.lawyer, &request(&consent, RESOURCE)).unwrap().token().to_owned();
    let clerks = || {
        let delegable = office.exchange(&office.lawyer, &request(&consent, STS)).unwrap();
        let onward = request_for(delegable.token(), &office.own_token(&office.clerk), RESOURCE);
        office.exchange(&office.lawyer, &onward).unwrap().token().to_owned()
    };
    let server = AgentAuth::builder(RESOURCE)
        .clock(office.court.clock.clone())
        .audit(office.court.records.clone())
        .agents(office.court.ca.trust())
        .issuer(TrustedIssuer::rfc8693(STS, office.issuer.keys()))
        .policy(Oracle::permitting())
        .uses(MemoryUseStore::new())
        .build()
        .unwrap();
    let file = |token: &str, peer: &Arc<X509Svid>| {
        let caller = authenticate(&server, Evidence::bearer(token).with_peer(Some(peer.clone()))).unwrap();
        let arguments = json!({"fee": 5});
        let action = Action::new("motions:file").unwrap().on("case", "2026-17").with(&arguments).unwrap();
        code_of(&wait(caller.authorize(action)))
    };
    let early = lawyers();
    assert_eq!(file(&early, &office.lawyer), ACCEPTED);
    assert_eq!(file(&clerks(), &office.clerk), ACCEPTED);
    for (token, peer) in [(early, &office.lawyer), (lawyers(), &office.lawyer), (clerks(), &office.clerk)] {
        assert_eq!(file(&token, peer), "uses_exhausted");
    }
    office.court.at(NOW + 299);
    assert_eq!(file(&lawyers(), &office.lawyer), "uses_exhausted");
}

/// What no server would read is not issued: neither a consent, nor what several limits together make of one.
#[test]
fn no_token_has_more_details_than_a_server_reads() {
    let cases = |count: usize, length: usize| {
        let case = |number: usize| motions(&format!("{number}-{}", "c".repeat(length)), 500);
        details((0..count).map(case))
    };
    let most = cases(64, 20).to_details().to_string();
    for (length, expected) in [(10, ACCEPTED), (most.len() / 64, "json_oversize")] {
        let office = Office::new();
        let consent = Consent::new("alice", spiffe(LAWYER), ScopeSet::none()).details(cases(40, length));
        let consent = wait(office.issuer.consent(&consent));
        assert_eq!(crate::support::office::code(&consent), expected, "{length}");
        let Ok(consent) = consent else { continue };
        let issued = office.exchange(&office.lawyer, &request(consent.token(), RESOURCE)).unwrap();
        let evidence = Evidence::bearer(issued.token()).with_peer(Some(office.lawyer.clone()));
        authenticate(&office.server(RESOURCE), evidence).unwrap();
    }
}
