//! What is in a message, and when one is discarded.

use agentauth_core::identity::svid::BundleSource as _;

use super::{DOMAIN, becomes, builder, id_of, problem, ready, snapshot, state, trusts};
use crate::mock::authority::Authority;
use crate::mock::jwt::{JwtKey, jwks};
use crate::mock::wire::X509SvidResponse;
use crate::mock::{WorkloadApiMock, X509State};

type Change = fn(&mut X509SvidResponse);

#[tokio::test]
async fn a_message_with_a_field_that_is_empty_or_cannot_be_read_is_discarded_whole() {
    let ca = Authority::new(DOMAIN);
    let other = Authority::new("other.example");
    let (mock, api) = ready(&ca, "/agent/lawyer").await;
    let judge = ca.issue("/agent/judge");
    let changes: [(&str, Change); 8] = [
        ("workload_api_field_empty", |message| message.svids.clear()),
        ("workload_api_field_empty", |message| message.svids[0].spiffe_id.clear()),
        ("workload_api_field_empty", |message| message.svids[0].x509_svid.clear()),
        ("workload_api_field_empty", |message| message.svids[0].x509_svid_key.clear()),
        ("workload_api_field_empty", |message| message.svids[1].bundle.clear()),
        ("workload_api_field_malformed", |message| message.svids[0].spiffe_id = "judge".into()),
        ("workload_api_field_malformed", |message| message.svids[1].spiffe_id = "spiffe://Court.example/x".into()),
        ("workload_api_field_malformed", |message| message.svids[0].bundle.push(0)),
    ];
    for (expected, change) in changes {
        let federated = vec![("spiffe://other.example", vec![other.root()])];
        let svids = vec![(&judge, ""), (&judge, "")];
        let mut message = X509State { svids, federated, ..state(&ca, &judge) }.message();
        change(&mut message);
        mock.push_message(message);
        assert_eq!(problem(&api).await, expected);
        assert_eq!(id_of(&api), ca.id("/agent/lawyer"));
        assert!(!trusts(&api, "other.example"));

        let next = ca.issue("/agent/lawyer");
        mock.push(&state(&ca, &next));
        snapshot(&mut api.changes(), |snapshot| {
            snapshot.identity.as_ref().is_ok_and(|identity| identity.chain()[0].as_ref() == next.leaf())
        })
        .await;
        while api.problem().is_some() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn each_bundle_is_for_its_own_trust_domain_and_what_is_not_there_is_gone() {
    let ca = Authority::new(DOMAIN);
    let (other, third) = (Authority::new("other.example"), Authority::new("third.example"));
    let (mock, api) = ready(&ca, "/agent/lawyer").await;
    let judge = ca.issue("/agent/judge");
    let federated = vec![
        ("spiffe://other.example", vec![other.root()]),
        // The bundle of one's own domain comes with one's SVID, and from nowhere else.
        ("spiffe://court.example", vec![third.root()]),
        ("spiffe://empty.example", vec![]),
        ("spiffe://broken.example", vec![vec![0x30, 5, 1]]),
        ("spiffe://leaf.example", vec![other.issue("/x").leaf().to_vec()]),
        ("spiffe://path.example/x", vec![third.root()]),
        ("third.example", vec![third.root()]),
    ];
    mock.push(&X509State { federated, ..state(&ca, &judge) });
    becomes(&api, &judge.id).await;
    let bundles = api.bundles();
    let trusted: Vec<_> =
        bundles.trust_domains().map(ToString::to_string).filter(|name| bundles.trusts(name)).collect();
    assert_eq!(trusted, [DOMAIN, "other.example"]);
    assert_eq!(bundles.bundle(DOMAIN).unwrap().x509_root_count(), 1);

    mock.push(&state(&ca, &ca.issue("/agent/lawyer")));
    becomes(&api, &ca.id("/agent/lawyer")).await;
    assert!(!trusts(&api, "other.example"));
}

#[tokio::test]
async fn keys_of_jwt_svids_join_the_roots_of_their_domain_and_none_spoils_others() {
    let ca = Authority::new(DOMAIN);
    let (mock, api) = ready(&ca, "/agent/lawyer").await;
    let keys: Vec<_> = ["1", "2"].into_iter().map(|kid| JwtKey::new(kid, "ES256").jwk()).collect();
    let mut nameless = JwtKey::new("3", "ES256").jwk();
    nameless.as_object_mut().unwrap().remove("kid");
    let unknown = serde_json::json!({ "kty": "NEW", "kid": "4" });
    mock.push_jwt_bundles(&[
        ("spiffe://court.example", jwks(&[keys[0].clone(), nameless, unknown, keys[1].clone()])),
        ("spiffe://keys.example", jwks(&[keys[0].clone()])),
        ("spiffe://empty.example", jwks(&[])),
        ("spiffe://broken.example", b"{".to_vec()),
        ("no-id.example", jwks(&[keys[0].clone()])),
    ]);
    let counts = |bundles: &agentauth_core::identity::svid::TrustBundles| -> Vec<(String, usize, usize)> {
        let count = |domain: &str| {
            let bundle = bundles.bundle(domain).unwrap();
            (domain.to_owned(), bundle.x509_root_count(), bundle.jwt_key_count())
        };
        bundles.trust_domains().map(|domain| count(domain.as_str())).collect()
    };
    let mut changes = api.changes();
    snapshot(&mut changes, |snapshot| snapshot.bundles.bundle("keys.example").is_some()).await;
    let expected = [("court.example", 1, 2), ("empty.example", 0, 0), ("keys.example", 0, 1)];
    assert_eq!(counts(&api.bundles()), expected.map(|(name, roots, keys)| (name.into(), roots, keys)));

    // One without any bundle is discarded: its one field is empty.
    mock.push_jwt_bundles(&[]);
    mock.push_jwt_bundles(&[("spiffe://court.example", jwks(&[keys[0].clone()]))]);
    let mut seen = Vec::new();
    snapshot(&mut changes, |snapshot| {
        seen.push(counts(&snapshot.bundles));
        snapshot.bundles.bundle("keys.example").is_none()
    })
    .await;
    assert_eq!(counts(&api.bundles()), [("court.example".to_owned(), 1, 1)]);
    assert!(seen.iter().all(|counts| counts.iter().any(|(_, _, keys)| *keys > 0)), "{seen:?}");
}

#[tokio::test]
async fn a_tcp_endpoint_says_the_same() {
    let ca = Authority::new(DOMAIN);
    let mock = WorkloadApiMock::tcp().await;
    mock.push(&state(&ca, &ca.issue("/agent/lawyer")));
    let api = builder(&mock).connect().await.unwrap();
    assert_eq!(id_of(&api), ca.id("/agent/lawyer"));
}
