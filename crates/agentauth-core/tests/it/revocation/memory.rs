//! The store in memory: bounded, and never forgetful of what still counts.

use agentauth_core::state::revocation::{RevocationAnswer, RevokeError, Subjects};
use agentauth_core::state::{MemoryRevocations, Revocation, RevocationStore};
use agentauth_core::{IssuerId, PrincipalId, Timestamp};

use super::{agent, at, sts};
use crate::support::court::{LAWYER, wait};

fn token(id: &str) -> Subjects {
    Subjects::of_token(&sts(), id, Some(at(100)))
}

fn answer(store: &dyn RevocationStore, subjects: &Subjects, now: u64) -> RevocationAnswer {
    wait(store.check(subjects, at(now)))
}

fn revoke(store: &dyn RevocationStore, revocation: &Revocation, now: u64) -> Result<(), RevokeError> {
    wait(store.revoke(revocation, at(now)))
}

fn is_revoked(store: &dyn RevocationStore, subjects: &Subjects, now: u64) -> bool {
    match answer(store, subjects, now) {
        RevocationAnswer::Clear => false,
        RevocationAnswer::Revoked(_) => true,
        RevocationAnswer::Unavailable => panic!("unavailable at {now}"),
    }
}

#[test]
fn a_full_store_says_so_and_forgets_nothing() {
    let store = MemoryRevocations::with_capacity(3);
    for id in ["a", "b", "c"] {
        revoke(&store, &Revocation::token(sts(), id, at(1000)), 1).unwrap();
    }
    assert_eq!(revoke(&store, &Revocation::token(sts(), "d", at(1000)), 1), Err(RevokeError::Full));
    assert_eq!(RevokeError::Full.code(), "revocations_full");
    // What has ended makes room an hour later; until then, a clock may be put back.
    assert_eq!(revoke(&store, &Revocation::token(sts(), "d", at(9000)), 4599), Err(RevokeError::Full));
    assert!(["a", "b", "c"].iter().all(|id| is_revoked(&store, &token(id), 999)));
    assert!(!is_revoked(&store, &token("a"), 1000));
    revoke(&store, &Revocation::token(sts(), "d", at(9000)), 4600).unwrap();
    assert!(is_revoked(&store, &token("d"), 4600));
    // The clock is put back behind what was dropped.
    assert_eq!(answer(&store, &token("a"), 999), RevocationAnswer::Unavailable);
    assert_eq!(answer(&store, &token("z"), 999), RevocationAnswer::Unavailable);
}

#[test]
fn the_wider_of_two_revocations_takes_the_place_of_the_narrower() {
    let store = MemoryRevocations::with_capacity(2);
    let lawyer = || Revocation::agent(agent(LAWYER));
    let subjects = |issued: u64| Subjects::of_token(&sts(), "t", Some(at(issued))).by_agent(&agent(LAWYER));
    for _ in 0..5 {
        revoke(&store, &lawyer().until(at(50)).of_tokens_issued_before(at(10)), 1).unwrap();
        revoke(&store, &lawyer().until(at(40)).of_tokens_issued_before(at(10)), 1).unwrap();
    }
    // Neither covers the other.
    revoke(&store, &lawyer().until(at(20)), 1).unwrap();
    for (issued, now, expected) in [(10, 49, true), (10, 50, false), (11, 19, true), (11, 20, false)] {
        assert_eq!(is_revoked(&store, &subjects(issued), now), expected, "{issued} {now}");
    }
    assert_eq!(revoke(&store, &Revocation::issuer(sts()), 1), Err(RevokeError::Full));
    let store = MemoryRevocations::with_capacity(3);
    for revocation in [lawyer().until(at(20)), lawyer().of_tokens_issued_before(at(10)), lawyer()] {
        revoke(&store, &revocation, 1).unwrap();
    }
    // The last one covers both, so there is room for two.
    revoke(&store, &Revocation::issuer(IssuerId::new("https://a").unwrap()), 1).unwrap();
    revoke(&store, &Revocation::issuer(IssuerId::new("https://b").unwrap()), 1).unwrap();
    assert!(is_revoked(&store, &subjects(1 << 30), 1 << 40));
}

/// RFC 7662 answers need not say when the token was issued.
#[test]
fn what_does_not_say_when_it_was_issued_counts_as_old() {
    let store = MemoryRevocations::new();
    revoke(&store, &Revocation::issuer(sts()).of_tokens_issued_before(at(5)), 1).unwrap();
    assert!(is_revoked(&store, &Subjects::of_token(&sts(), "t", None), 9));
    assert!(!is_revoked(&store, &Subjects::of_token(&sts(), "t", Some(at(6))), 9));
}

#[test]
fn a_principal_of_a_tenant_is_one_of_its_issuer() {
    let alice = PrincipalId::new(sts(), "alice");
    let of = |principal: &PrincipalId| Subjects::of_token(&sts(), "t", None).for_principal(principal);
    let in_t = alice.clone().in_tenant("t");
    for (revoked, found, expected) in [
        (&alice, &alice, true),
        (&alice, &in_t, true),
        (&in_t, &in_t, true),
        (&in_t, &alice, false),
        (&in_t, &alice.clone().in_tenant("u"), false),
    ] {
        let store = MemoryRevocations::new();
        revoke(&store, &Revocation::principal(revoked.clone()), 1).unwrap();
        assert_eq!(is_revoked(&store, &of(found), 1), expected, "{revoked} {found}");
    }
}

#[test]
fn an_end_within_a_second_is_the_end_of_that_second() {
    let store = MemoryRevocations::new();
    let end = at(10).plus(std::time::Duration::from_millis(1));
    revoke(&store, &Revocation::token(sts(), "a", end), 1).unwrap();
    assert!(is_revoked(&store, &token("a"), 10) && !is_revoked(&store, &token("a"), 11));
}

#[test]
fn each_revocation_begins_an_epoch_and_the_first_one_is_empty() {
    let store = MemoryRevocations::new();
    let epoch = |store: &MemoryRevocations| store.epoch(Timestamp::from_secs(1)).unwrap();
    assert_eq!(epoch(&store), 0);
    for expected in 1..4 {
        revoke(&store, &Revocation::token(sts(), &expected.to_string(), at(9)), 1).unwrap();
        assert_eq!(epoch(&store), expected);
        // What is revoked already changes nothing.
        revoke(&store, &Revocation::token(sts(), &expected.to_string(), at(8)), 1).unwrap();
        assert_eq!(epoch(&store), expected);
    }
}
