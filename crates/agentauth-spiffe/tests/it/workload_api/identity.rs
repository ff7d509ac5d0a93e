//! Which identity it is, and when there is none.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::identity::svid::{BundleSource as _, IdentitySource as _, IdentityUnavailable};
use agentauth_core::{ManualClock, Timestamp};
use agentauth_spiffe::WorkloadApi;
use tonic::Code;

use super::{DOMAIN, PATIENCE, becomes, builder, code, id_of, ready, snapshot, state, trusts};
use crate::mock::authority::{Authority, Issued, now};
use crate::mock::jwt::{JwtKey, jwks};
use crate::mock::{WorkloadApiMock, X509_SVID, X509State};

#[tokio::test]
async fn the_first_svid_is_the_identity_unless_a_hint_is_asked_for() {
    let ca = Authority::new(DOMAIN);
    let (lawyer, judge, clerk) = (ca.issue("/agent/lawyer"), ca.issue("/agent/judge"), ca.issue("/agent/clerk"));
    let mock = WorkloadApiMock::unix();
    let svids = vec![(&lawyer, "external"), (&judge, "internal"), (&clerk, "internal")];
    mock.push(&X509State { svids, ..state(&ca, &lawyer) });

    assert_eq!(id_of(&builder(&mock).connect().await.unwrap()), lawyer.id);
    let internal = builder(&mock).hint("internal").connect().await.unwrap();
    assert_eq!(id_of(&internal), judge.id, "the first of two");

    mock.push(&X509State { svids: vec![(&lawyer, "external")], ..state(&ca, &lawyer) });
    snapshot(&mut internal.changes(), |snapshot| snapshot.identity.is_err()).await;
    assert_eq!(internal.identity().unwrap_err(), IdentityUnavailable::Withdrawn);
    assert_eq!(super::problem(&internal).await, "workload_api_hint_unknown");
    assert!(trusts(&internal, DOMAIN), "others are believed all the same");
}

#[tokio::test]
async fn a_hint_has_1_to_1024_bytes() {
    let ca = Authority::new(DOMAIN);
    let lawyer = ca.issue("/agent/lawyer");
    let mock = WorkloadApiMock::unix();
    let longest = "x".repeat(1024);
    mock.push(&X509State { svids: vec![(&lawyer, &longest)], ..state(&ca, &lawyer) });

    assert_eq!(id_of(&builder(&mock).hint(longest.clone()).connect().await.unwrap()), lawyer.id);
    for hint in [String::new(), longest + "x"] {
        assert_eq!(code(builder(&mock).hint(hint).start()), "workload_api_hint_malformed");
    }
}

#[test]
fn a_source_needs_a_runtime() {
    let refused = WorkloadApi::builder().endpoint("unix:///nowhere/agent.sock").start();
    assert_eq!(code(refused), "workload_api_no_runtime");
}

#[tokio::test]
async fn what_the_workload_api_takes_back_is_gone_and_may_come_again() {
    let ca = Authority::new(DOMAIN);
    let (mock, api) = ready(&ca, "/agent/lawyer").await;
    let key = JwtKey::new("1", "ES256");
    mock.push_jwt_bundles(&[("spiffe://court.example", jwks(&[key.jwk()]))]);
    let mut changes = api.changes();
    snapshot(&mut changes, |snapshot| {
        snapshot.bundles.bundle(DOMAIN).is_some_and(|bundle| bundle.jwt_key_count() == 1)
    })
    .await;

    mock.fail_all(Code::PermissionDenied);
    mock.close_streams(Code::PermissionDenied);
    snapshot(&mut changes, |snapshot| snapshot.bundles.trust_domains().next().is_none()).await;
    assert_eq!(api.identity().unwrap_err(), IdentityUnavailable::Withdrawn);
    assert_eq!(super::problem(&api).await, "workload_api_denied");
    let waited = api.wait_ready(Duration::ZERO).await;
    assert_eq!(code(waited), "workload_api_denied");

    mock.no_more_failures();
    assert_eq!(api.wait_ready(PATIENCE).await.unwrap().id().as_str(), ca.id("/agent/lawyer"));
    assert_eq!(api.problem(), None);
}

#[tokio::test]
async fn an_identity_that_is_not_renewed_counts_until_its_last_second() {
    let ca = Authority::new(DOMAIN);
    let (mut mock, lawyer) = (WorkloadApiMock::unix(), ca.issue("/agent/lawyer"));
    mock.push(&state(&ca, &lawyer));
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(now().unix_timestamp().unsigned_abs())));
    let api = builder(&mock).clock(clock.clone()).connect().await.unwrap();

    mock.go_away();
    assert_eq!(super::problem(&api).await, "workload_api_unavailable");
    let end = api.identity().unwrap().not_after();
    clock.set(end);
    assert_eq!(id_of(&api), lawyer.id);
    assert!(trusts(&api, DOMAIN));
    clock.set(end.plus(Duration::from_secs(1)));
    assert_eq!(api.identity().unwrap_err(), IdentityUnavailable::Expired);
}

#[tokio::test]
async fn an_identity_of_the_near_future_is_good_when_its_time_has_come() {
    let ca = Authority::new(DOMAIN);
    let lawyer = ca.issue_as(&ca.id("/agent/lawyer"), |leaf| leaf.not_before = now() + Duration::from_secs(60));
    let mock = WorkloadApiMock::unix();
    mock.push(&state(&ca, &lawyer));
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(now().unix_timestamp().unsigned_abs())));
    let api = builder(&mock).clock(clock.clone()).start().unwrap();

    snapshot(&mut api.changes(), |snapshot| snapshot.identity.is_ok()).await;
    assert_eq!(api.identity().unwrap_err(), IdentityUnavailable::NotYet);
    clock.advance(Duration::from_secs(120));
    assert_eq!(id_of(&api), lawyer.id);
}

/// Each is not taken: the last good identity stays, and the bundles that come with it count.
#[tokio::test]
async fn an_svid_that_nobody_would_believe_is_not_taken() {
    let ca = Authority::new(DOMAIN);
    let stranger = Authority::new(DOMAIN);
    let (mock, api) = ready(&ca, "/agent/lawyer").await;
    let good = ca.issue("/agent/judge");
    let expired = |leaf: &mut rcgen::CertificateParams| {
        leaf.not_before = now() - Duration::from_secs(7200);
        leaf.not_after = now() - Duration::from_secs(3600);
    };
    let mut cut = good.clone();
    cut.chain[0].pop();
    let mut flipped = good.clone();
    *flipped.chain[0].last_mut().unwrap() ^= 1;
    for (bad, expected) in [
        (Issued { id: ca.id("/agent/clerk"), ..good.clone() }, "workload_api_id_mismatch"),
        (Issued { key: ca.issue("/x").key, ..good.clone() }, "identity_key_mismatch"),
        (Issued { key: vec![0x30, 0], ..good.clone() }, "identity_key_unreadable"),
        (stranger.issue("/agent/judge"), "svid_invalid_path"),
        (ca.issue_as(&ca.id("/agent/judge"), expired), "svid_expired"),
        (cut, "svid_malformed"),
        (flipped, "svid_invalid_path"),
    ] {
        let other = Authority::new("other.example");
        let federated = vec![("spiffe://other.example", vec![other.root()])];
        mock.push(&X509State { federated, ..state(&ca, &bad) });
        snapshot(&mut api.changes(), |snapshot| snapshot.bundles.trusts("other.example")).await;
        assert_eq!(id_of(&api), ca.id("/agent/lawyer"), "{expected}");
        assert_eq!(super::problem(&api).await, expected);

        let next = ca.issue("/agent/lawyer");
        mock.push(&state(&ca, &next));
        snapshot(&mut api.changes(), |snapshot| !snapshot.bundles.trusts("other.example")).await;
        assert_eq!(api.identity().unwrap().chain()[0].as_ref(), next.leaf());
    }
}

#[tokio::test]
async fn the_same_state_again_changes_nothing() {
    let ca = Authority::new(DOMAIN);
    let (lawyer, judge) = (ca.issue("/agent/lawyer"), ca.issue("/agent/judge"));
    let mock = WorkloadApiMock::unix();
    mock.push(&state(&ca, &lawyer));
    let api = builder(&mock).connect().await.unwrap();
    let first = api.identity().unwrap();
    let mut changes = api.changes();
    changes.current();

    mock.push(&state(&ca, &lawyer));
    mock.close_streams(Code::Ok);
    mock.called(X509_SVID, 2).await;
    mock.push(&state(&ca, &judge));
    let next = changes.next().await.unwrap();
    assert_eq!(next.identity.as_ref().unwrap().id().as_str(), judge.id, "the very next change");
    assert_eq!(first.id().as_str(), lawyer.id);
    becomes(&api, &judge.id).await;
    assert!(api.bundles().trusts(DOMAIN));
}
