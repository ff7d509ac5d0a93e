//! The profile `https_spiffe` (SPIFFE_Federation.md §5.2.2).

use std::path::Path;

use agentauth_core::identity::svid::{BundleSource as _, TrustBundles};
use agentauth_spiffe::federation::FederationEndpoint;
use rcgen::{ExtendedKeyUsagePurpose, SanType, date_time_ymd};

use super::support::{Ca, Net, Turned, builder, bundle, code, id, loaded};

const COURT: &str = "spiffe://court.example/spire/server";
const URL: &str = "https://a.example/";

fn endpoint(server: &str, bundles: TrustBundles) -> FederationEndpoint {
    FederationEndpoint::https_spiffe("court.example".parse().unwrap(), URL, id(server), bundles)
}

#[tokio::test]
async fn the_server_is_exactly_the_workload_that_was_named() {
    let (net, court, other) = (Net::default(), Ca::new("court"), Ca::new("other"));
    let uri = |text: &str| SanType::URI(text.try_into().unwrap());
    let server = net.host("a.example", court.svid(COURT)).await;
    server.publish("/", &court.bundle());
    let cases = [
        ("as named", court.svid(COURT), None),
        ("another", court.svid("spiffe://court.example/spire/server2"), Some("server_not_expected")),
        ("below", court.svid("spiffe://court.example/spire/server/x"), Some("server_not_expected")),
        ("another root", other.svid(COURT), Some("svid_unknown_issuer")),
        ("another domain", other.svid("spiffe://other.example/spire/server"), Some("svid_unknown_trust_domain")),
        ("of the web", court.host("a.example"), Some("svid_no_uri")),
        (
            "expired",
            court.certify(uri(COURT), |params| params.not_after = date_time_ymd(2026, 1, 1)),
            Some("svid_expired"),
        ),
        (
            "no server",
            court.certify(uri(COURT), |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            Some("svid_wrong_usage"),
        ),
    ];
    for (name, shown, expected) in cases {
        server.show(shown);
        // Whatever the web believes, it is not asked.
        let client = net.client(&[&court, &other]);
        let outcome = loaded(builder(client).endpoint(endpoint(COURT, court.bundles("court.example")))).await;
        assert_eq!((outcome, server.seen().len()), (expected, usize::from(expected.is_none())), "{name}");
    }
    server.show(court.svid(COURT));
    let nothing = builder(net.client(&[])).endpoint(endpoint(COURT, TrustBundles::new()));
    assert_eq!(loaded(nothing).await, Some("svid_unknown_trust_domain"));
}

/// Whoever serves its own bundle is known by the one that was handed over first, and then only by the latest retrieved.
#[tokio::test]
async fn a_self_serving_endpoint_is_known_by_its_latest_bundle() {
    let (net, old, new) = (Net::default(), Ca::new("old"), Ca::new("new"));
    let server = net.host("a.example", old.svid(COURT)).await;
    server.publish("/", &bundle(&[&old, &new]));
    let bundles = builder(net.client(&[])).endpoint(endpoint(COURT, old.bundles("court.example"))).start().unwrap();
    bundles.loaded().await.unwrap();
    // The new root was published ahead, and is used now; the old one is withdrawn.
    server.show(new.svid(COURT));
    server.publish("/", &new.bundle());
    bundles.refresh().await;
    assert_eq!((code(&bundles), server.seen().len()), (None, 2));
    // Whoever has the old key is not believed any more, though the bundle that was handed over has it still.
    server.show(old.svid(COURT));
    server.publish("/", &old.bundle());
    bundles.refresh().await;
    assert_eq!((code(&bundles), server.seen().len()), (Some("svid_unknown_issuer"), 0));
    assert_eq!(bundles.bundles().bundle("court.example").unwrap().x509_root_count(), 1);
    server.show(new.svid(COURT));
    bundles.refresh().await;
    assert_eq!((code(&bundles), server.seen().len()), (None, 1));
}

#[tokio::test]
async fn the_latest_bundle_outlives_a_restart() {
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("federation-{}", std::process::id()));
    std::fs::create_dir(&store).unwrap();
    let (net, old, new) = (Net::default(), Ca::new("old"), Ca::new("new"));
    let server = net.host("a.example", old.svid(COURT)).await;
    server.publish("/", &new.bundle());
    let start = || {
        let builder = builder(net.client(&[])).store(&store);
        builder.endpoint(endpoint(COURT, old.bundles("court.example"))).start().unwrap()
    };
    start().loaded().await.unwrap();
    for (shown, expected) in [(&old, Some("svid_unknown_issuer")), (&new, None)] {
        server.show(shown.svid(COURT));
        let bundles = start();
        assert_eq!(bundles.loaded().await.err().map(|error| error.code()), expected);
        assert!(bundles.bundles().trusts("court.example"));
    }
    std::fs::remove_dir_all(store).unwrap();
}

/// A server of another trust domain is known by that one's bundle, as it is then.
#[tokio::test]
async fn a_server_of_another_trust_domain_is_known_by_that_ones_bundle() {
    const HOST: &str = "spiffe://host.example/bundles";
    let (net, court, host) = (Net::default(), Ca::new("court"), Ca::new("host"));
    let server = net.host("a.example", host.svid(HOST)).await;
    server.publish("/", &court.bundle());
    let source = Turned::new(host.bundles("host.example"));
    let endpoint = FederationEndpoint::https_spiffe("court.example".parse().unwrap(), URL, id(HOST), source.clone());
    let bundles = builder(net.client(&[])).endpoint(endpoint).start().unwrap();
    bundles.loaded().await.unwrap();
    assert_eq!(bundles.bundles().trust_domains().count(), 1);
    source.turn(Ca::new("renewed").bundles("host.example"));
    bundles.refresh().await;
    assert_eq!(code(&bundles), Some("svid_unknown_issuer"));
    source.turn(TrustBundles::new());
    bundles.refresh().await;
    assert_eq!(code(&bundles), Some("svid_unknown_trust_domain"));
    // The bundle that it serves proves nobody of its own domain.
    server.show(court.svid(HOST));
    bundles.refresh().await;
    assert_eq!(code(&bundles), Some("svid_unknown_trust_domain"));
    server.show(host.svid(HOST));
    source.turn(host.bundles("host.example"));
    bundles.refresh().await;
    assert_eq!(code(&bundles), None);
}

#[tokio::test]
async fn a_redirect_leads_to_the_same_workload() {
    let (net, court) = (Net::default(), Ca::new("court"));
    let a = net.host("a.example", court.svid(COURT)).await;
    let b = net.host("b.example", court.svid(COURT)).await;
    let other = net.host("c.example", court.svid("spiffe://court.example/web")).await;
    for server in [&b, &other] {
        server.publish("/", &court.bundle());
    }
    for (to, expected) in [("https://b.example/", None), ("https://c.example/", Some("server_not_expected"))] {
        a.redirect("/", "302 Found", to);
        let outcome = loaded(builder(net.client(&[])).endpoint(endpoint(COURT, court.bundles("court.example")))).await;
        assert_eq!(outcome, expected, "{to}");
    }
    assert!(other.seen().is_empty());
}
