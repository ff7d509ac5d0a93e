//! Who may come to the issuer with what, and how it is set up.

use std::time::Duration;

use agentauth_core::delegation::{Client, Consent};
use agentauth_core::identity::svid::TrustBundles;
use agentauth_core::jose::KeySet;
use agentauth_core::{AgentAuth, AgentTrust, Evidence, Issuer, Mode, TrustedIssuer};
use serde_json::json;

use crate::support::certs::{Ca, NOW};
use crate::support::court::{
    ACCEPTED, CLERK, Counter, Court, JUDGE, LAWYER, RESOURCE, STS, authenticate, chain, code_over, wait,
};
use crate::support::office::{Office, RECORDS, SCOPES, TOOLS_AGENT, code, request, request_for, resource, set, spiffe};

#[test]
fn a_bound_subject_token_is_exchanged_by_its_holder_only() {
    let office = Office::new();
    let delegable = office.delegable();
    assert_eq!(office.code(&office.lawyer, &request(&delegable, RECORDS)), ACCEPTED);
    for thief in [&office.clerk, &office.court.peer(LAWYER), &office.tools] {
        assert_eq!(office.code(thief, &request(&delegable, RECORDS)), "exchange_subject_not_held");
    }
    for (cnf, expected) in
        [(json!({"jkt": "A".repeat(43)}), "exchange_subject_not_held"), (json!({}), "confirmation_unsupported")]
    {
        let subject = office.mint(&set(office.subject(), "cnf", cnf));
        assert_eq!(office.code(&office.lawyer, &request(&subject, RECORDS)), expected);
    }
}

#[test]
fn an_actor_token_is_an_agents_own_and_bound_to_its_key() {
    let office = Office::new();
    let delegable = office.delegable();
    let unsuitable = "exchange_actor_unsuitable";
    for (what, actor, expected) in [
        ("an agent's own token", office.mint(&office.actor()), ACCEPTED),
        ("unbound", office.mint(&set(office.actor(), "cnf", json!(null))), unsuitable),
        ("bound to a key", office.mint(&set(office.actor(), "cnf", json!({"jkt": "A".repeat(43)}))), ACCEPTED),
        ("a user's token", office.mint(&set(office.actor(), "sub", "alice")), unsuitable),
        ("another client's", office.mint(&set(office.actor(), "client_id", "web")), unsuitable),
        ("on someone's behalf", office.mint(&set(office.actor(), "act", chain(&[JUDGE]))), unsuitable),
        ("acting for itself", office.mint(&set(office.actor(), "act", chain(&[CLERK]))), unsuitable),
        ("a consent", office.consent(), unsuitable),
        ("the subject token itself", delegable.clone(), unsuitable),
    ] {
        assert_eq!(office.code(&office.lawyer, &request_for(&delegable, &actor, RECORDS)), expected, "{what}");
    }
}

#[test]
fn a_server_exchanges_the_tokens_that_were_sent_to_it() {
    let office = Office::new();
    let inbound = office.exchange(&office.lawyer, &request(&office.consent(), RESOURCE)).unwrap();
    let onward = request(inbound.token(), RECORDS);
    let issued = office.exchange(&office.tools, &onward).unwrap();
    let evidence = Evidence::bearer(issued.token()).with_peer(Some(office.tools.clone()));
    let caller = authenticate(&office.server(RECORDS), evidence).unwrap();
    assert_eq!((caller.agent().name(), caller.principal().subject()), (TOOLS_AGENT, "alice"));
    assert_eq!((caller.delegation().depth(), &*caller.scopes().to_string()), (2, "records:read"));

    let operated = |client| office.code(client, &onward);
    // Not by the one it was issued to, nor by the operator of another server, nor for someone else's use.
    assert_eq!(operated(&office.lawyer), "audience_wrong");
    assert_eq!(operated(&office.clerk), "audience_wrong");
    let elsewhere = office.exchange(&office.lawyer, &request(&office.consent(), RECORDS)).unwrap();
    assert_eq!(office.code(&office.tools, &request(elsewhere.token(), RESOURCE)), "audience_wrong");
    let spliced = request_for(inbound.token(), &office.own_token(&office.clerk), RECORDS);
    assert_eq!(office.code(&office.tools, &spliced), "exchange_actor_not_permitted");
    let widened = request(inbound.token(), RECORDS).scopes("records:seal".parse().unwrap());
    assert_eq!(office.code(&office.tools, &widened), "exchange_scope_widened");
    office.court.at(NOW + 300);
    assert_eq!(operated(&office.tools), "token_expired");
}

#[test]
fn a_client_is_an_agent_of_a_trusted_domain_with_a_good_certificate() {
    let office = Office::new();
    let stranger = Ca::new("evil.example").peer("/agent/lawyer");
    let subject = office.mint(&set(office.subject(), "may_act", json!({"sub": "spiffe://evil.example/agent/lawyer"})));
    assert_eq!(office.code(&stranger, &request(&subject, RECORDS)), "exchange_client_unauthenticated");
    assert_eq!(code(&office.agent_token(&stranger, &resource(STS))), "exchange_client_unauthenticated");
}

#[test]
fn an_agents_own_token_represents_no_one_and_has_no_scope() {
    let office = Office::new();
    let issued = office.agent_token(&office.clerk, &resource(RESOURCE)).unwrap();
    let evidence = Evidence::bearer(issued.token()).with_peer(Some(office.clerk.clone()));
    let caller = authenticate(&office.server(RESOURCE), evidence).unwrap();
    assert_eq!((caller.agent().name(), caller.principal().subject()), (CLERK, CLERK));
    assert_eq!((caller.mode(), caller.scopes().is_empty()), (Mode::Autonomous, true));
    assert_eq!(code_over(&office.server(RESOURCE), issued.token(), &office.lawyer), "binding_certificate_mismatch");
}

#[test]
fn without_randomness_nothing_is_issued() {
    let office = Office::with(|builder| builder.random(Counter::up_to(1)));
    let consent = office.consent();
    assert_eq!(office.code(&office.lawyer, &request(&consent, RECORDS)), "exchange_unavailable");
}

#[test]
fn the_published_keys_verify_what_was_issued() {
    let office = Office::new();
    let keys = KeySet::from_jwks(office.issuer.jwks().as_bytes()).unwrap();
    let server = AgentAuth::builder(RESOURCE)
        .clock(office.court.clock.clone())
        .audit(office.court.records.clone())
        .agents(office.court.ca.trust())
        .issuer(TrustedIssuer::rfc8693(STS, keys));
    let issued = office.exchange(&office.lawyer, &request(&office.consent(), RESOURCE)).unwrap();
    assert_eq!(code_over(&server.build().unwrap(), issued.token(), &office.lawyer), ACCEPTED);
    assert!(!office.issuer.jwks().contains("\"d\""), "no private key is published");
    assert!(!format!("{issued:?}").contains(issued.token()));
}

#[test]
fn settings_that_would_be_unsafe_make_no_issuer() {
    let court = Court::new();
    let issuer = || court.issuer().resource(RESOURCE, SCOPES);
    let named = |id: &str| Issuer::builder(id, court.key.signing_key()).agents(court.ca.trust());
    for good in [issuer(), issuer().max_actors(16), issuer().token_lifetime(Duration::from_secs(86_400))] {
        assert!(good.build().is_ok());
    }
    for (builder, message) in [
        (issuer().token_lifetime(Duration::ZERO), "a token lifetime of 0 s is outside 1 s to 86400 s"),
        (issuer().token_lifetime(Duration::from_secs(86_401)), "a token lifetime of 86401 s is outside 1 s to 86400 s"),
        (issuer().max_actors(0), "a limit of 0 actors is outside 1 to 16"),
        (issuer().max_actors(17), "a limit of 17 actors is outside 1 to 16"),
        (issuer().resource(RESOURCE, ""), "resource `https://tools.example` is configured twice"),
        (issuer().resource(STS, ""), "resource `https://sts.court.example` is configured twice"),
        (
            issuer().resource(RECORDS, "a  b"),
            "the scopes of resource `https://records.example` are malformed: scopes are separated by single spaces",
        ),
        (
            issuer().resource("records", ""),
            "`records` is not a resource identifier: an absolute http(s) URI without fragment, such as \
             https://tools.example.com",
        ),
        (
            named("https://sts.example?x=1"),
            "issuer `https://sts.example?x=1` has a query; an issuer is a URL without one",
        ),
        (named("sts court"), "`sts court` is not an issuer identifier: visible ASCII characters"),
        (
            named("sts"),
            "`sts` is not a resource identifier: an absolute http(s) URI without fragment, such as \
             https://tools.example.com",
        ),
        (
            Issuer::builder(STS, court.key.signing_key()),
            "no agent trust is configured and no client is registered, so no client could authenticate: call \
             .agents(...) or .client(...)",
        ),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), message);
    }
    let nobody = court.issuer().agents(AgentTrust::spiffe(TrustBundles::new()));
    let refused = wait(nobody.build().unwrap().agent_token(&Client::from(&*court.peer(LAWYER)), &resource(STS)));
    assert_eq!(code(&refused), "exchange_client_unauthenticated");
}

#[test]
fn a_consent_says_who_may_do_what_for_whom() {
    let office = Office::new();
    let consent = |principal: &str, scopes: &str| {
        code(&wait(office.issuer.consent(&Consent::new(principal, spiffe(LAWYER), scopes.parse().unwrap()))))
    };
    assert_eq!(consent("alice", "motions:file"), ACCEPTED);
    assert_eq!(consent("alice", ""), "exchange_scope_empty");
    for principal in ["", "a\nb", &"a".repeat(3000), LAWYER] {
        assert_eq!(consent(principal, "motions:file"), "exchange_malformed");
    }
}
