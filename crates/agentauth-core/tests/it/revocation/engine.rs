//! The engine: fresh tokens, tokens that are kept, and callers that are kept.

use std::sync::Arc;

use agentauth_core::audit::{AuditError, AuditKey, RecordKind};
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::state::revocation::{RevocationKind, RevokeError};
use agentauth_core::state::{MemoryRevocations, Revocation, RevocationStore};
use agentauth_core::token::TokenVerifier;
use agentauth_core::{
    Action, ActorBinding, AgentAuth, AgentId, Caller, Evidence, PrincipalId, ResourceId, RevocationFailure,
    TrustedIssuer,
};
use serde_json::json;

use super::{agent, at, end, granted, kinds, others, sts};
use crate::support::certs::NOW;
use crate::support::court::{
    ACCEPTED, CLERK, Court, Failing, JUDGE, LAWYER, Oracle, RESOURCE, STS, authenticate, bound_to, caller, chain, code,
    code_of, code_over, decode, encode, wait, with, without,
};

fn engine(court: &Court) -> (AgentAuth, Arc<MemoryRevocations>) {
    let store = Arc::new(MemoryRevocations::new());
    (court.engine().policy(Oracle::permitting()).revocations(store.clone()).build().unwrap(), store)
}

/// What the engine says to each way in which a caller asks for something.
fn asked(caller: &Caller) -> [&'static str; 3] {
    [
        code_of(&wait(caller.authorize(Action::new("records:read").unwrap()))),
        code_of(&wait(caller.require_scopes(&"records:read".parse().unwrap()))),
        code_of(&wait(caller.require_binding())),
    ]
}

#[test]
fn what_is_revoked_is_refused_at_the_next_request() {
    for (revocation, expected) in kinds() {
        let court = Court::new();
        let (auth, _) = engine(&court);
        let lawyer = court.peer(LAWYER);
        let mut claims = granted();
        claims["cnf"] = bound_to(&lawyer)["cnf"].clone();
        let token = court.key.mint(&claims);
        let evidence = || Evidence::bearer(&token).with_peer(Some(lawyer.clone()));
        let kept = authenticate(&auth, evidence()).unwrap();
        assert_eq!(asked(&kept), [ACCEPTED; 3]);
        wait(auth.revoke(&revocation)).unwrap();
        // A token that is kept, a caller that is kept, and a token that was never seen.
        assert_eq!([(); 2].map(|()| code_of(&authenticate(&auth, evidence()))), [expected; 2]);
        assert_eq!(asked(&kept), [expected; 3]);
        assert_eq!(code(&auth, &court.key.mint(&granted())), expected);
        let rejection = authenticate(&auth, evidence()).unwrap_err();
        assert_eq!((rejection.status().as_u16(), rejection.public_error()), (401, "invalid_token"));
    }
}

#[test]
fn what_is_not_revoked_is_not_refused() {
    let court = Court::new();
    let (auth, _) = engine(&court);
    let token = court.key.mint(&granted());
    for revocation in others() {
        wait(auth.revoke(&revocation)).unwrap();
        let kept = caller(&auth, &token);
        assert_eq!(asked(&kept)[0], ACCEPTED, "{revocation:?}");
    }
    // Without a grant there is none to revoke.
    let (revocation, _) = kinds().swap_remove(1);
    wait(auth.revoke(&revocation)).unwrap();
    assert_eq!(code(&auth, &court.key.mint(&with("act", chain(&[LAWYER, CLERK])))), ACCEPTED);
}

#[test]
fn a_revocation_ends_and_a_later_grant_counts() {
    let court = Court::new();
    let (auth, _) = engine(&court);
    let alice = || Revocation::principal(PrincipalId::new(sts(), "alice"));
    wait(auth.revoke(&alice().of_tokens_issued_before(at(NOW)))).unwrap();
    let [old, same, fresh] = [NOW - 5, NOW, NOW + 1].map(|iat| court.key.mint(&with("iat", iat)));
    assert_eq!(
        [&old, &same, &fresh].map(|token| code(&auth, token)),
        ["principal_revoked", "principal_revoked", ACCEPTED]
    );
    // The wider one counts beside the narrower, while it lasts.
    wait(auth.revoke(&alice().until(at(NOW + 10)))).unwrap();
    assert_eq!(code(&auth, &fresh), "principal_revoked");
    court.at(NOW + 9);
    assert_eq!(code(&auth, &fresh), "principal_revoked");
    court.at(NOW + 10);
    assert_eq!(
        [&old, &same, &fresh].map(|token| code(&auth, token)),
        ["principal_revoked", "principal_revoked", ACCEPTED]
    );
}

/// A principal of a tenant is one of its issuer as well; of which kind it is does not count.
#[test]
fn a_principal_does_not_come_back_as_another_kind() {
    let court = Court::new();
    let keys = court.key.key_set();
    let auth = court
        .bare_engine()
        .issuer(TrustedIssuer::rfc9068(STS, keys))
        .revocations(MemoryRevocations::new())
        .build()
        .unwrap();
    let mut own = without("act");
    (own["sub"], own["client_id"]) = (json!("app"), json!("app"));
    let token = court.key.mint(&own);
    assert_eq!(code(&auth, &token), ACCEPTED);
    wait(auth.revoke(&Revocation::principal(PrincipalId::new(sts(), "app")))).unwrap();
    assert_eq!(code(&auth, &token), "principal_revoked");
}

/// A client that is only called like a workload can be revoked as the workload, and as the name that it is.
#[test]
fn an_agent_is_revoked_under_either_name() {
    for revoked in [agent(LAWYER), AgentId::Named { issuer: sts(), name: LAWYER.into() }] {
        let court = Court::new();
        let issuer = TrustedIssuer::rfc9068(STS, court.key.key_set());
        let auth = court.bare_engine().issuer(issuer).revocations(MemoryRevocations::new()).build().unwrap();
        let token = court.key.mint(&without("act"));
        assert_eq!(code(&auth, &token), ACCEPTED);
        wait(auth.revoke(&Revocation::agent(revoked))).unwrap();
        assert_eq!(code(&auth, &token), "agent_revoked");
    }
}

#[test]
fn an_agent_that_is_revoked_brings_nobodys_tokens() {
    let court = Court::new();
    let store = Arc::new(MemoryRevocations::new());
    let auth = court
        .engine()
        .actor_binding(ActorBinding::PeerOrGateway(vec![JUDGE.parse().unwrap()]))
        .revocations(store.clone())
        .build()
        .unwrap();
    let (token, judge) = (court.key.mint(&granted()), court.peer(JUDGE));
    assert_eq!(code_over(&auth, &token, &judge), ACCEPTED);
    wait(auth.revoke(&Revocation::agent(agent(JUDGE)))).unwrap();
    let lawyer = court.peer(LAWYER);
    assert_eq!((code_over(&auth, &token, &judge), code_over(&auth, &token, &lawyer)), ("agent_revoked", ACCEPTED));
}

#[test]
fn a_revocation_is_recorded_with_who_what_when_and_why() {
    let court = Court::new();
    let auth = court.engine().audit_key(AuditKey::new(&[7; 32])).revocations(MemoryRevocations::new()).build().unwrap();
    let token = court.key.mint(&granted());
    caller(&auth, &token);
    let seen = court.records.only().delegation.clone().unwrap();
    for (revocation, _) in kinds() {
        wait(auth.revoke(&revocation.by("ops:bob").because("a key\nwas found"))).unwrap();
        let record = court.records.only();
        assert_eq!((record.kind, record.code, record.time), (RecordKind::Revocation, "revoked", at(NOW)));
        let revoked = record.revocation.as_ref().unwrap();
        assert_eq!((revoked.by.as_deref(), revoked.reason.as_deref()), (Some("ops:bob"), Some("a key?was found")));
        match revoked.what {
            RevocationKind::Token => assert_eq!(revoked.id.as_ref(), Some(&seen.token)),
            RevocationKind::Grant => assert_eq!(revoked.id.as_ref(), seen.grant.as_ref()),
            RevocationKind::Agent => assert!([LAWYER, CLERK].contains(&revoked.agent.as_ref().unwrap().name())),
            RevocationKind::Principal => assert_eq!(revoked.principal.as_ref(), Some(&seen.principal)),
            RevocationKind::Issuer => assert_eq!(revoked.issuer.as_ref(), Some(&sts())),
            other => panic!("{other}"),
        }
        let line = serde_json::to_string(&*record).unwrap();
        assert!(
            line.contains(r#""kind":"revocation""#) && !line.contains("jti-1") && !line.contains("grant-1"),
            "{line}"
        );
    }
}

#[test]
fn it_is_revoked_even_if_that_cannot_be_recorded() {
    let court = Court::new();
    let store = Arc::new(MemoryRevocations::new());
    let failing = AgentAuth::builder(RESOURCE)
        .clock(court.clock.clone())
        .audit(Failing(AuditError::Closed))
        .issuer(TrustedIssuer::rfc8693(STS, court.key.key_set()))
        .revocations(store.clone())
        .build()
        .unwrap();
    let auth = court.engine().revocations(store).build().unwrap();
    let failure = wait(failing.revoke(&Revocation::agent(agent(LAWYER)))).unwrap_err();
    assert_eq!(
        (failure.code(), &failure),
        ("revocation_unrecorded", &RevocationFailure::Unrecorded(AuditError::Closed))
    );
    assert_eq!(code(&auth, &court.key.mint(&granted())), "agent_revoked");
}

#[test]
fn what_is_not_revoked_is_said_and_recorded() {
    let court = Court::new();
    let (token, full) = (Revocation::token(sts(), "x", end()), MemoryRevocations::with_capacity(1));
    wait(full.revoke(&Revocation::agent(agent(JUDGE)), at(NOW))).unwrap();
    let over = Revocation::token(sts(), "x", at(NOW));
    for (auth, revocation, expected) in [
        (court.auth(), &token, "revocations_none"),
        (court.engine().revocations(full).build().unwrap(), &token, "revocations_full"),
        (engine(&court).0, &over, "revocation_over"),
    ] {
        assert_eq!(wait(auth.revoke(revocation)).unwrap_err().code(), expected);
        let record = court.records.only();
        assert_eq!((record.kind, record.code), (RecordKind::Revocation, expected));
        assert!(record.revocation.is_some());
    }
    assert_eq!(RevocationFailure::from(RevokeError::Store("x".into())).code(), "revocation_not_kept");
}

/// Up to its `exp` and the longest leeway that a server may allow.
#[test]
fn a_token_says_what_revokes_it() {
    let court = Court::new();
    let (auth, store) = engine(&court);
    let token = court.key.mint(&granted());
    let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set());
    let verifier = TokenVerifier::new(ResourceId::new(RESOURCE).unwrap(), vec![issuer]).unwrap();
    let verified = verifier.verify(&token, at(NOW)).unwrap();
    assert_eq!((verified.grant_id(), verified.revocation().end()), (Some("grant-1"), Some(at(NOW + 360))));
    wait(store.revoke(&verified.revocation(), at(NOW))).unwrap();
    assert_eq!(code(&auth, &token), "token_revoked");
}

#[test]
fn a_grant_has_a_name_that_can_be_shown_and_stored() {
    let court = Court::new();
    let (auth, _) = engine(&court);
    for (value, expected) in [
        (json!("g"), ACCEPTED),
        (json!(""), "claim_malformed"),
        (json!("a\u{0}"), "claim_malformed"),
        (json!("g".repeat(2049)), "claim_malformed"),
        (json!(1), "json_wrong_type"),
    ] {
        assert_eq!(code(&auth, &court.key.mint(&with("grant_id", value.clone()))), expected, "{value}");
    }
    assert_eq!(caller(&auth, &court.key.mint(&granted())).delegation().depth(), 2);
}

/// Who holds a token can write an ECDSA signature in another way, without the key: that is the same token still.
#[test]
fn a_token_without_an_identifier_does_not_come_back_with_another_signature() {
    let court = Court::new();
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let issuer = || TrustedIssuer::auth0(STS, key.public_key_set().unwrap());
    let claims = json!({
        "iss": STS, "sub": "alice", "aud": RESOURCE, "azp": "app", "iat": NOW, "exp": NOW + 300, "scope": "records:read",
    });
    let token = key.sign(TokenType::Jwt, claims.to_string().as_bytes()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let again = format!("{signed}.{}", encode(mirrored(&decode(signature))));
    assert_ne!(token, again);
    let auth = court.bare_engine().issuer(issuer()).revocations(MemoryRevocations::new()).build().unwrap();
    assert_eq!([&token, &again].map(|token| code(&auth, token)), [ACCEPTED; 2]);
    let verifier = TokenVerifier::new(ResourceId::new(RESOURCE).unwrap(), vec![issuer()]).unwrap();
    wait(auth.revoke(&verifier.verify(&token, at(NOW)).unwrap().revocation())).unwrap();
    assert_eq!([&token, &again].map(|token| code(&auth, token)), ["token_revoked"; 2]);
}

/// `s` and `n - s` do alike (P-256).
fn mirrored(signature: &[u8]) -> Vec<u8> {
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&order[at..at + 2], 16).unwrap()).collect();
    let mut mirrored = signature.to_vec();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let digit = i16::from(order[at]) - i16::from(signature[32 + at]) - borrow;
        borrow = i16::from(digit < 0);
        mirrored[32 + at] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    mirrored
}
