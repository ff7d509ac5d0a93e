//! The issuer: nothing is issued from what has been revoked, nor to an agent that has been.

use std::sync::Arc;

use agentauth_core::audit::RecordKind;
use agentauth_core::delegation::{Client, Consent, ExchangeError, MemoryGrants};
use agentauth_core::state::revocation::{RevocationAnswer, RevocationKind, RevokeError, Revoked, Subjects, Wait};
use agentauth_core::state::{MemoryRevocations, Revocation, RevocationStore};
use agentauth_core::{AgentAuth, IssuerId, PrincipalId, Timestamp, TokenService, TrustedIssuer};
use serde_json::json;

use super::{agent, at, end, sts};
use crate::assertion::{Embassy, IDP, for_records};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, CLERK, JUDGE, LAWYER, STS, chain, claims_of, code_over, wait};
use crate::support::office::{Office, RECORDS, SCOPES, code, grant, request, request_for, resource, set, spiffe};

fn office() -> (Office, Arc<MemoryRevocations>) {
    let store = Arc::new(MemoryRevocations::new());
    (Office::with(|builder| builder.revocations(store.clone())), store)
}

#[test]
fn nothing_is_issued_from_what_was_revoked() {
    for (revocation, expected) in [
        (Revocation::token(sts(), "jti-s", end()), "token_revoked"),
        (Revocation::token(sts(), "jti-a", end()), "token_revoked"),
        (Revocation::grant(sts(), "g", end()), "grant_revoked"),
        // The client, the agent that is to act, and one that acted before.
        (Revocation::agent(agent(LAWYER)), "agent_revoked"),
        (Revocation::agent(agent(CLERK)), "agent_revoked"),
        (Revocation::agent(agent(JUDGE)), "agent_revoked"),
        (Revocation::principal(PrincipalId::new(sts(), "alice")), "principal_revoked"),
        (Revocation::issuer(sts()), "issuer_revoked"),
    ] {
        let (office, store) = office();
        let mut subject = set(office.subject(), "act", chain(&[LAWYER, JUDGE]));
        subject = set(subject, "grant_id", "g");
        subject = set(subject, "may_act", json!(null));
        let request = request_for(&office.mint(&subject), &office.mint(&office.actor()), RECORDS);
        assert_eq!(office.code(&office.lawyer, &request), ACCEPTED);
        wait(store.revoke(&revocation, office.issuer.now())).unwrap();
        let answer = office.exchange(&office.lawyer, &request);
        assert_eq!(code(&answer), expected);
        assert_eq!(answer.unwrap_err().oauth_error(), "invalid_request");
    }
}

/// Another organisation's word does not bring back what was revoked here, nor count once its provider is revoked.
/// The consent, or the principal's own token, is no token under the grant yet.
#[test]
fn nothing_is_issued_under_a_grant_that_was_revoked() {
    let grants = MemoryGrants::new();
    grants.add(grant("grant:1")).unwrap();
    let store = Arc::new(MemoryRevocations::new());
    let office = Office::with(|builder| builder.revocations(store.clone()).grants(grants));
    let consent = wait(office.issuer.consent(&Consent::new("alice", spiffe(LAWYER), SCOPES.parse().unwrap()))).unwrap();
    let consented = consent.grant_id().unwrap();
    for (subject, grant) in [(consent.token(), consented), (&office.users_token(), "grant:1")] {
        let request = request(subject, RECORDS);
        let issued = office.exchange(&office.lawyer, &request).unwrap();
        assert_eq!((issued.grant_id(), &claims_of(issued.token())["grant_id"]), (Some(grant), &json!(grant)));
        wait(store.revoke(&Revocation::grant(sts(), grant, end()), office.issuer.now())).unwrap();
        assert_eq!(office.code(&office.lawyer, &request), "grant_revoked");
    }
}

#[test]
fn an_agent_that_is_revoked_is_given_nothing() {
    let (office, store) = office();
    let own = office.agent_token(&office.lawyer, &resource(STS));
    assert_eq!((code(&own), own.unwrap().grant_id()), (ACCEPTED, None));
    wait(store.revoke(&Revocation::agent(agent(LAWYER)), office.issuer.now())).unwrap();
    assert_eq!(code(&office.agent_token(&office.lawyer, &resource(STS))), "agent_revoked");
    assert_eq!(code(&office.agent_token(&office.clerk, &resource(STS))), ACCEPTED);
    let subject = office.mint(&office.subject());
    assert_eq!(office.code(&office.lawyer, &request(&subject, RECORDS)), "agent_revoked");
}

/// Nor on an assertion: of a principal by either name, to a client, or in place of what was issued on it before.
#[test]
fn nothing_is_issued_on_an_assertion_of_what_was_revoked() {
    let idp = || IssuerId::new(IDP).unwrap();
    let descent = |embassy: &Embassy, assertion: &str| {
        let issued = embassy.ask(&embassy.office.lawyer, &for_records(assertion)).unwrap();
        claims_of(issued.token())["grant_id"].as_str().unwrap().to_owned()
    };
    for (revocation, expected) in [
        (Some(Revocation::agent(agent(LAWYER))), "agent_revoked"),
        (Some(Revocation::principal(PrincipalId::new(sts(), "alice"))), "principal_revoked"),
        (
            Some(Revocation::principal(PrincipalId::new(sts(), "alice")).of_tokens_issued_before(at(NOW))),
            "principal_revoked",
        ),
        (Some(Revocation::principal(PrincipalId::new(idp(), "U1"))), "principal_revoked"),
        (Some(Revocation::token(idp(), "jag-1", end())), "token_revoked"),
        (Some(Revocation::issuer(idp())), "issuer_revoked"),
        (Some(Revocation::issuer(sts())), "issuer_revoked"),
        // All that was issued on it.
        (None, "grant_revoked"),
        (Some(Revocation::agent(agent(CLERK))), ACCEPTED),
        (Some(Revocation::principal(PrincipalId::new(sts(), "U1"))), ACCEPTED),
    ] {
        let store = Arc::new(MemoryRevocations::new());
        let embassy = Embassy::revoking(store.clone());
        let assertion = embassy.assertion(json!({}));
        let descent = descent(&embassy, &assertion);
        let revocation = revocation.unwrap_or_else(|| Revocation::grant(sts(), &descent, end()));
        wait(store.revoke(&revocation, embassy.office.issuer.now())).unwrap();
        embassy.office.court.at(NOW + 1);
        assert_eq!(embassy.code(&assertion), expected, "{revocation:?}");
    }
    let silent = Embassy::revoking(Silent);
    assert_eq!(silent.code(&silent.assertion(json!({}))), "revocation_unavailable");
}

#[derive(Debug)]
struct Silent;

impl RevocationStore for Silent {
    fn check(&self, _: &Subjects, _: Timestamp) -> Wait<RevocationAnswer> {
        Wait::ready(RevocationAnswer::Unavailable)
    }

    fn revoke(&self, _: &Revocation, _: Timestamp) -> Wait<Result<(), RevokeError>> {
        Wait::ready(Err(RevokeError::Store("silent".into())))
    }
}

#[test]
fn an_issuer_that_cannot_tell_issues_nothing() {
    let office = Office::with(|builder| builder.revocations(Silent));
    let answer = office.exchange(&office.lawyer, &request(&office.mint(&office.subject()), RECORDS));
    assert_eq!(answer.as_ref().map(|_| ()), Err(&ExchangeError::Revoked(Revoked::Unavailable)));
    let error = answer.unwrap_err();
    assert_eq!((error.code(), error.oauth_error()), ("revocation_unavailable", "temporarily_unavailable"));
}

#[test]
fn the_token_service_revokes_and_records() {
    let (office, store) = office();
    let service = TokenService::new(office.issuer.clone(), office.court.records.clone()).unwrap();
    wait(service.revoke(&Revocation::agent(agent(LAWYER)).because("lost"))).unwrap();
    let record = office.court.records.only();
    assert_eq!((record.kind, record.code, &*record.server), (RecordKind::Revocation, "revoked", STS));
    assert_eq!(record.revocation.as_ref().unwrap().reason.as_deref(), Some("lost"));
    assert_eq!(store.epoch(office.issuer.now()), Some(1));
    let bare = TokenService::new(Office::new().issuer, office.court.records.clone()).unwrap();
    assert_eq!(wait(bare.revoke(&Revocation::issuer(sts()))).unwrap_err().code(), "revocations_none");
}

/// RFC 7009: the token, and of a consent all that descends from it; at the wish of whose it is.
#[test]
fn a_client_takes_back_what_is_its_own() {
    let (office, store) = office();
    let service = TokenService::new(office.issuer.clone(), office.court.records.clone()).unwrap();
    let [lawyer, clerk] = [&office.lawyer, &office.clerk].map(|agent| Client::from(&**agent));
    let consent = office.consent();
    let issued = office.exchange(&office.lawyer, &request(&consent, RECORDS)).unwrap();
    let servers = AgentAuth::builder(RECORDS)
        .clock(office.court.clock.clone())
        .audit(office.court.records.clone())
        .agents(office.court.ca.trust())
        .issuer(TrustedIssuer::rfc8693(STS, office.issuer.keys()))
        .revocations(store.clone())
        .build()
        .unwrap();
    let shown = || code_over(&servers, issued.token(), &office.lawyer);
    assert_eq!(shown(), ACCEPTED);
    let active = |token: &str| wait(office.issuer.introspect(&lawyer, token)).unwrap().is_active();
    assert!(active(issued.token()));
    office.court.records.take();

    let refused = wait(service.revoke_token(&clerk, &consent)).unwrap_err();
    assert_eq!((refused.code(), refused.oauth_error()), ("revocation_token_of_another", "unauthorized_client"));
    assert_eq!(wait(service.revoke_token(&lawyer, "no token")), Ok(()));
    assert_eq!((office.court.records.take().len(), shown()), (0, ACCEPTED));
    office.court.records.take();

    assert_eq!(wait(service.revoke_token(&lawyer, &consent)), Ok(()));
    let records = office.court.records.take();
    let kinds: Vec<_> = records.iter().map(|record| record.revocation.as_ref().unwrap().what).collect();
    assert_eq!(kinds, [RevocationKind::Token, RevocationKind::Grant]);
    assert_eq!(records[0].revocation.as_ref().unwrap().by.as_deref(), Some(LAWYER));
    assert_eq!(shown(), "grant_revoked");
    assert!(!active(issued.token()) && !active(&consent));
    assert_eq!(office.code(&office.lawyer, &request(&consent, RECORDS)), "token_revoked");

    let silent = Office::with(|builder| builder.revocations(Silent));
    let token = silent.consent();
    let lawyer = Client::from(&*silent.lawyer);
    assert_eq!(wait(silent.issuer.introspect(&lawyer, &token)), Err(ExchangeError::Unavailable));
    let service = TokenService::new(silent.issuer.clone(), silent.court.records.clone()).unwrap();
    assert_eq!(wait(service.revoke_token(&lawyer, &token)), Err(ExchangeError::Unavailable));
}

/// Who may take back its own tokens cannot fill the store so that nobody can revoke it.
#[test]
fn a_client_that_takes_back_much_can_still_be_revoked() {
    let store = Arc::new(MemoryRevocations::with_capacity(16));
    let office = Office::with(|builder| builder.revocations(store.clone()));
    let service = TokenService::new(office.issuer.clone(), office.court.records.clone()).unwrap();
    let rogue = Client::from(&*office.lawyer);
    let take_back = || {
        let own = office.agent_token(&office.lawyer, &resource(STS))?;
        wait(service.revoke_token(&rogue, own.token()))
    };
    let taken = (0..32).filter(|_| take_back() == Ok(())).count();
    assert_eq!(taken, 14);
    wait(service.revoke(&Revocation::agent(agent(LAWYER)))).unwrap();
    assert_eq!(code(&office.agent_token(&office.lawyer, &resource(STS))), "agent_revoked");
}
