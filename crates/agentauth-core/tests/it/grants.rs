//! Registered grants: who may act for whom where the token says nothing of it.

use std::sync::Arc;

use agentauth_core::delegation::{
    DelegationGrant, DelegationGrants, GrantsError, GrantsUnavailable, IssuerBuilder, MemoryGrants,
};
use agentauth_core::{AgentId, Authority, Evidence, IssuerId, Mode, PrincipalId, Timestamp};
use async_trait::async_trait;
use serde_json::json;

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, CLERK, JUDGE, LAWYER, RESOURCE, STS, authenticate, claims_of};
use crate::support::office::{
    Office, RECORDS, SCOPES, code, grant, grant_of, request, request_for, resource, set, spiffe,
};

const NOT_PERMITTED: &str = "exchange_actor_not_permitted";
const WITHDRAWN: &str = "exchange_grant_withdrawn";

/// An issuer with one grant.
fn office(grants: &MemoryGrants, only: DelegationGrant) -> Office {
    grants.add(only).unwrap();
    Office::with(|builder| builder.grants(grants.clone()))
}

#[test]
fn a_registered_grant_lets_its_agent_act_with_a_token_that_names_nobody() {
    let office = office(&MemoryGrants::new(), grant("grant:1"));
    let issued = office.exchange(&office.lawyer, &request(&office.users_token(), RESOURCE)).unwrap();
    let claims = claims_of(issued.token());
    assert_eq!((&claims["grant_id"], &claims["act"]["sub"]), (&json!("grant:1"), &json!(LAWYER)));
    let evidence = Evidence::bearer(issued.token()).with_peer(Some(office.lawyer.clone()));
    let caller = authenticate(&office.server(RESOURCE), evidence).unwrap();
    assert_eq!((caller.agent().name(), caller.principal().subject()), (LAWYER, "alice"));
    assert_eq!((caller.mode(), &*caller.scopes().to_string()), (Mode::OnBehalfOf, SCOPES));
}

/// The whole of the principal and the whole of the agent must be named (standards 1.6), and a grant lends nothing to a
/// token that says who may act.
#[test]
fn duty_c_a_registered_grant_is_between_one_principal_and_one_agent() {
    let office = office(&MemoryGrants::new(), grant("grant:1"));
    let lawyers = office.own_token(&office.lawyer);
    let clerks = office.own_token(&office.clerk);
    let with = |name: &str, value: serde_json::Value| office.mint(&set(office.users_claims(), name, value));
    for (what, client, subject, actor, expected) in [
        ("the agent of the grant", &office.lawyer, office.users_token(), None, ACCEPTED),
        ("the agent of the grant, by its token", &office.clerk, office.users_token(), Some(&lawyers), ACCEPTED),
        ("another agent", &office.clerk, office.users_token(), None, NOT_PERMITTED),
        ("another agent, by its token", &office.lawyer, office.users_token(), Some(&clerks), NOT_PERMITTED),
        ("another principal", &office.lawyer, with("sub", json!("bob")), None, NOT_PERMITTED),
        ("another principal of that name", &office.lawyer, with("sub", json!("Alice")), None, NOT_PERMITTED),
        (
            "a client that is called like the principal",
            &office.lawyer,
            with("client_id", json!("alice")),
            None,
            NOT_PERMITTED,
        ),
        ("a token that lets another act", &office.lawyer, with("may_act", json!({"sub": CLERK})), None, NOT_PERMITTED),
        ("a token that another acts with", &office.lawyer, with("act", json!({"sub": CLERK})), None, NOT_PERMITTED),
    ] {
        let request = actor.map_or_else(|| request(&subject, RECORDS), |actor| request_for(&subject, actor, RECORDS));
        assert_eq!(office.code(client, &request), expected, "{what}");
    }
    let without = Office::new();
    assert_eq!(without.code(&without.lawyer, &request(&without.users_token(), RECORDS)), NOT_PERMITTED);

    let elsewhere = PrincipalId::new(IssuerId::new("https://other.example").unwrap(), "alice");
    let authority = Authority::of_scopes(SCOPES.parse().unwrap());
    let named = |iss: &str| AgentId::Named { issuer: IssuerId::new(iss).unwrap(), name: "bot".into() };
    let here = PrincipalId::new(IssuerId::new(STS).unwrap(), "alice");
    for (principal, agent, subject) in [
        (elsewhere, AgentId::Spiffe(spiffe(LAWYER)), LAWYER),
        (here.clone().in_tenant("t"), AgentId::Spiffe(spiffe(LAWYER)), LAWYER),
        (here, named("https://other.example"), "bot"),
    ] {
        let only = DelegationGrant::new("grant:1", principal, agent, authority.clone()).unwrap();
        let office = self::office(&MemoryGrants::new(), only);
        let actor = office.mint(&set(set(office.actor(), "sub", subject), "client_id", subject));
        let request = request_for(&office.users_token(), &actor, RECORDS);
        assert_eq!(office.code(&office.lawyer, &request), NOT_PERMITTED);
    }
}

#[test]
fn duty_d_a_grant_is_a_ceiling_that_the_subject_token_does_not_raise() {
    for (granted, held, asked, expected) in [
        (SCOPES, SCOPES, None, Ok(SCOPES)),
        ("records:read", SCOPES, None, Ok("records:read")),
        (SCOPES, "records:read", None, Ok("records:read")),
        ("records:read", SCOPES, Some("records:read"), Ok("records:read")),
        ("records:read", SCOPES, Some(SCOPES), Err("exchange_scope_widened")),
        ("records:read", "motions:file", None, Err("exchange_scope_empty")),
        ("records:read records:seal", SCOPES, Some("records:seal"), Err("exchange_scope_widened")),
        (SCOPES, "", None, Err("exchange_scope_empty")),
    ] {
        let office = office(&MemoryGrants::new(), grant_of("grant:1", "alice", LAWYER, granted));
        let subject = office.mint(&set(office.users_claims(), "scope", held));
        let mut request = request(&subject, RESOURCE);
        if let Some(asked) = asked {
            request = request.scopes(asked.parse().unwrap());
        }
        let answer = office.exchange(&office.lawyer, &request);
        let found = answer.map(|issued| issued.scopes().to_string()).map_err(|error| error.code());
        assert_eq!(found, expected.map(str::to_owned), "{granted} {held} {asked:?}");
    }
}

/// Of several grants, the first that covers what is asked for counts; their authority is not added up.
#[test]
fn of_several_grants_one_counts() {
    let grants = MemoryGrants::new();
    grants.add(grant_of("grant:over", "alice", LAWYER, "records:read").until(Timestamp::from_secs(NOW))).unwrap();
    grants.add(grant_of("grant:read", "alice", LAWYER, "records:read")).unwrap();
    grants.add(grant_of("grant:file", "alice", LAWYER, "motions:file").at([resource(RESOURCE)])).unwrap();
    let office = Office::with(|builder| builder.grants(grants));
    let under = |audience: &str, asked: Option<&str>| {
        let mut request = request(&office.users_token(), audience);
        if let Some(asked) = asked {
            request = request.scopes(asked.parse().unwrap());
        }
        let issued = office.exchange(&office.lawyer, &request).map_err(|error| error.code())?;
        Ok::<_, &str>(claims_of(issued.token())["grant_id"].as_str().unwrap().to_owned())
    };
    assert_eq!(under(RESOURCE, None), Ok("grant:read".into()));
    assert_eq!(under(RESOURCE, Some("motions:file")), Ok("grant:file".into()));
    assert_eq!(under(RECORDS, Some("records:read")), Ok("grant:read".into()));
    assert_eq!(under(RESOURCE, Some(SCOPES)), Err("exchange_scope_widened"));
}

#[test]
fn duty_e_a_grant_may_be_for_some_servers_only() {
    let office = office(&MemoryGrants::new(), grant("grant:1").at([resource(RECORDS)]).max_depth(2));
    let refused = "exchange_grant_audience";
    let user = office.users_token();
    assert_eq!(office.code(&office.lawyer, &request(&user, RECORDS)), ACCEPTED);
    assert_eq!(office.code(&office.lawyer, &request(&user, RESOURCE)), refused);
    // To be passed on, and then for its servers only.
    let delegable = office.exchange(&office.lawyer, &request(&user, STS)).unwrap();
    let clerks = office.own_token(&office.clerk);
    assert_eq!(office.code(&office.lawyer, &request_for(delegable.token(), &clerks, RECORDS)), ACCEPTED);
    assert_eq!(office.code(&office.lawyer, &request_for(delegable.token(), &clerks, RESOURCE)), refused);
    let error = office.exchange(&office.lawyer, &request(&user, RESOURCE)).unwrap_err();
    assert_eq!(error.oauth_error(), "invalid_target");
}

#[test]
fn duty_f_no_token_outlives_its_grant() {
    let office = office(&MemoryGrants::new(), grant("grant:1").until(Timestamp::from_secs(NOW + 40)).max_depth(2));
    let user = office.users_token();
    let issued = office.exchange(&office.lawyer, &request(&user, STS)).unwrap();
    assert_eq!(issued.expires_in(), 40);
    let clerks = office.own_token(&office.clerk);
    let onward = request_for(issued.token(), &clerks, RECORDS);
    office.court.at(NOW + 39);
    assert_eq!(office.exchange(&office.lawyer, &onward).unwrap().expires_in(), 1);
    office.court.at(NOW + 40);
    assert_eq!(office.code(&office.lawyer, &request(&user, STS)), WITHDRAWN);
}

#[test]
fn duty_g_a_grant_says_how_many_agents_may_act_under_it() {
    for (depth, expected) in [(1, "exchange_too_deep"), (2, ACCEPTED), (99, ACCEPTED)] {
        let office = office(&MemoryGrants::new(), grant("grant:1").max_depth(depth));
        let delegable = office.exchange(&office.lawyer, &request(&office.users_token(), STS)).unwrap();
        let clerks = office.own_token(&office.clerk);
        assert_eq!(office.code(&office.lawyer, &request_for(delegable.token(), &clerks, RECORDS)), expected, "{depth}");
        assert_eq!(office.code(&office.lawyer, &request(delegable.token(), RECORDS)), ACCEPTED, "{depth}: itself");
    }
    let none = office(&MemoryGrants::new(), grant("grant:1").max_depth(0));
    assert_eq!(none.code(&none.lawyer, &request(&none.users_token(), RECORDS)), "exchange_too_deep");
}

/// A grant that was withdrawn gives nothing from the next exchange on: not to its agent, and not to those that its agent
/// or a server that was sent its token would pass it on to.
#[test]
fn a_grant_that_was_withdrawn_gives_nothing_at_any_hop() {
    let grants = MemoryGrants::new();
    let office = office(&grants, grant("grant:1").max_depth(3));
    let user = office.users_token();
    let delegable = office.exchange(&office.lawyer, &request(&user, STS)).unwrap();
    let sent = office.exchange(&office.lawyer, &request(&user, RESOURCE)).unwrap();
    let clerks = office.own_token(&office.clerk);
    let passed_on = office.exchange(&office.lawyer, &request_for(delegable.token(), &clerks, STS)).unwrap();
    let everywhere = || {
        [
            office.code(&office.lawyer, &request(&user, RECORDS)),
            office.code(&office.lawyer, &request(delegable.token(), RECORDS)),
            office.code(&office.lawyer, &request_for(delegable.token(), &clerks, RECORDS)),
            office.code(&office.clerk, &request(passed_on.token(), RECORDS)),
            office.code(&office.tools, &request(sent.token(), RECORDS)),
        ]
    };
    assert_eq!(everywhere(), [ACCEPTED; 5]);
    assert!(grants.remove("grant:1") && !grants.remove("grant:1"));
    assert_eq!(everywhere(), [NOT_PERMITTED, WITHDRAWN, WITHDRAWN, WITHDRAWN, WITHDRAWN]);

    // The grants are those of the issuer: one without any has withdrawn them all.
    let without = Office::new();
    let token = without.mint(&set(set(without.users_claims(), "act", json!({"sub": LAWYER})), "grant_id", "grant:1"));
    assert_eq!(without.code(&without.lawyer, &request(&token, RECORDS)), WITHDRAWN);
}

/// Two agents that claim one grant: the second has it neither by the first one's token, nor by a token under the grant
/// that names itself, nor once the grant was given to the second.
#[test]
fn two_agents_cannot_claim_one_grant() {
    let grants = MemoryGrants::new();
    let office = office(&grants, grant("grant:1").max_depth(2));
    let lawyers = office.exchange(&office.lawyer, &request(&office.users_token(), STS)).unwrap();
    let lawyers = lawyers.token();
    assert_eq!(office.code(&office.clerk, &request(lawyers, RECORDS)), "exchange_subject_not_held");
    let unbound = office.mint(&set(claims_of(lawyers), "cnf", json!(null)));
    assert_eq!(office.code(&office.clerk, &request(&unbound, RECORDS)), NOT_PERMITTED);
    let claimed = |name: &str, value: serde_json::Value| {
        office.mint(&set(set(claims_of(lawyers), "cnf", json!(null)), name, value))
    };
    let of_another = "exchange_grant_of_another";
    assert_eq!(office.code(&office.clerk, &request(&claimed("act", json!({"sub": CLERK})), RECORDS)), of_another);
    let below_another = json!({"sub": CLERK, "act": {"sub": JUDGE}});
    assert_eq!(office.code(&office.clerk, &request(&claimed("act", below_another), RECORDS)), of_another);
    assert_eq!(office.code(&office.lawyer, &request(&claimed("sub", json!("bob")), RECORDS)), of_another);

    let again = grants.add(grant_of("grant:1", "alice", CLERK, SCOPES)).unwrap_err();
    assert_eq!(
        (again.code(), again),
        ("grant_id_taken", GrantsError::Duplicate(agentauth_core::Excerpt::of("grant:1")))
    );
    grants.remove("grant:1");
    grants.add(grant_of("grant:1", "alice", CLERK, SCOPES)).unwrap();
    assert_eq!(office.code(&office.lawyer, &request(lawyers, RECORDS)), of_another);
    assert_eq!(office.code(&office.clerk, &request(lawyers, RECORDS)), "exchange_subject_not_held");
    assert_eq!(office.code(&office.clerk, &request(&office.users_token(), RECORDS)), ACCEPTED);
}

/// Answers what it was told to, whatever it is asked.
#[derive(Debug)]
struct Says(Result<Option<DelegationGrant>, &'static str>);

#[async_trait]
impl DelegationGrants for Says {
    async fn grants_for(&self, _: &PrincipalId, _: &AgentId) -> Result<Vec<Arc<DelegationGrant>>, GrantsUnavailable> {
        Ok(self.grant("").await?.into_iter().collect())
    }

    async fn grant(&self, _: &str) -> Result<Option<Arc<DelegationGrant>>, GrantsUnavailable> {
        self.0.clone().map(|grant| grant.map(Arc::new)).map_err(|reason| GrantsUnavailable(reason.into()))
    }
}

#[test]
fn grants_that_cannot_be_had_refuse_and_a_store_that_lies_is_not_believed() {
    let under = |office: &Office| {
        office.mint(&set(set(office.users_claims(), "act", json!({"sub": LAWYER})), "grant_id", "grant:1"))
    };
    let codes = |answer: Result<Option<DelegationGrant>, &'static str>| {
        let office = Office::with(|builder: IssuerBuilder| builder.grants(Says(answer)));
        [office.users_token(), under(&office)].map(|token| office.code(&office.lawyer, &request(&token, RECORDS)))
    };
    assert_eq!(codes(Err("the database is away")), ["exchange_grants_unavailable"; 2]);
    assert_eq!(codes(Ok(Some(grant("grant:1")))), [ACCEPTED; 2]);
    assert_eq!(
        codes(Ok(Some(grant_of("grant:1", "alice", CLERK, SCOPES)))),
        [NOT_PERMITTED, "exchange_grant_of_another"]
    );
    assert_eq!(
        codes(Ok(Some(grant_of("grant:1", "bob", LAWYER, SCOPES)))),
        [NOT_PERMITTED, "exchange_grant_of_another"]
    );
    assert_eq!(codes(Ok(Some(grant("grant:2")))), [ACCEPTED, WITHDRAWN]);
    assert_eq!(codes(Ok(None)), [NOT_PERMITTED, WITHDRAWN]);

    let office = Office::with(|builder| builder.grants(Says(Err("the database is away"))));
    let error = office.exchange(&office.lawyer, &request(&office.users_token(), RECORDS)).unwrap_err();
    assert_eq!(error.oauth_error(), "temporarily_unavailable");
    assert_eq!(error.to_string(), "the registered grants cannot be had: the database is away");
    assert_eq!(office.code(&office.lawyer, &request(&office.consent(), RECORDS)), ACCEPTED, "a consent needs none");
}

#[test]
fn a_grant_has_an_id_of_its_own_and_grants_something() {
    let make = |id: &str, scopes: &str| {
        let principal = PrincipalId::new(IssuerId::new(STS).unwrap(), "alice");
        let authority = Authority::of_scopes(scopes.parse().unwrap());
        DelegationGrant::new(id, principal, spiffe(LAWYER), authority).map_or_else(|error| error.code(), |_| ACCEPTED)
    };
    for id in ["grant:1", "grant:A.b_c:d-e", &format!("grant:{}", "x".repeat(128))] {
        assert_eq!(make(id, SCOPES), ACCEPTED, "{id}");
    }
    for id in
        ["", "1", "grant:", "Grant:1", "grant:a b", "grant:a\n", "grant:\u{e4}", &format!("grant:{}", "x".repeat(129))]
    {
        assert_eq!(make(id, SCOPES), "grant_id_malformed", "{id}");
    }
    assert_eq!(make("grant:1", ""), "grant_empty");

    let grants = MemoryGrants::new();
    for number in 0..65_536 {
        grants.add(grant(&format!("grant:{number}"))).unwrap();
    }
    assert_eq!(grants.add(grant("grant:more")).unwrap_err().code(), "grants_too_many");
    assert!(grants.remove("grant:7"));
    assert!(grants.add(grant("grant:more")).is_ok());
    let office = Office::with(|builder| builder.grants(grants));
    assert_eq!(code(&office.exchange(&office.lawyer, &request(&office.users_token(), RECORDS))), ACCEPTED);
}
