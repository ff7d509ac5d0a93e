//! The profile `https_web` (SPIFFE_Federation.md §5.2.1).

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::BundleSource as _;
use agentauth_spiffe::federation::{FederatedBundles, FederationEndpoint, FederationError};
use agentauth_spiffe::tls::TlsConfigError;

use super::support::{Ca, Net, builder, code, loaded};

fn domain() -> TrustDomain {
    "court.example".parse().unwrap()
}

fn endpoint(url: &str) -> FederationEndpoint {
    FederationEndpoint::https_web(domain(), url)
}

#[tokio::test]
async fn an_endpoint_of_the_web_is_asked_anew_each_time() {
    let (net, web, court) = (Net::default(), Ca::new("web"), Ca::new("court"));
    let server = net.host("a.example", web.host("a.example")).await;
    server.publish("/bundle", &court.bundle());
    let bundles = builder(net.client(&[&web])).endpoint(endpoint("https://a.example/bundle")).start().unwrap();
    bundles.loaded().await.unwrap();
    assert!(bundles.bundles().trusts("court.example"));
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    let head = seen[0].to_ascii_lowercase();
    assert!(head.starts_with("get /bundle http/1.1\r\n") && head.contains("\r\nhost: a.example\r\n"), "{head}");
    assert!(!head.contains("authorization") && !head.contains("cookie"), "{head}");

    // A server that was the right one before must be so again.
    server.show(Ca::new("other").host("a.example"));
    bundles.refresh().await;
    assert_eq!((code(&bundles), server.seen().len()), (Some("fetch_failed"), 0));
    assert!(bundles.bundles().trusts("court.example"));
}

#[tokio::test]
async fn the_certificate_is_the_hosts_under_a_root_of_the_web() {
    let (net, web, court) = (Net::default(), Ca::new("web"), Ca::new("court"));
    for (name, shown, expected) in [
        ("good.example", web.host("good.example"), None),
        ("other-name.example", web.host("good.example"), Some("fetch_failed")),
        ("other-root.example", court.host("other-root.example"), Some("fetch_failed")),
        ("svid.example", court.svid("spiffe://court.example/bundle"), Some("fetch_failed")),
    ] {
        let server = net.host(name, shown).await;
        server.publish("/", &court.bundle());
        let outcome = loaded(builder(net.client(&[&web])).endpoint(endpoint(&format!("https://{name}/")))).await;
        assert_eq!((outcome, server.seen().len()), (expected, usize::from(expected.is_none())), "{name}");
    }
}

#[tokio::test]
async fn an_answer_is_a_bundle_of_at_most_256_kib() {
    let (net, web, court) = (Net::default(), Ca::new("web"), Ca::new("court"));
    let server = net.host("a.example", web.host("a.example")).await;
    let padded = |length: usize| format!("{}{}", court.bundle(), " ".repeat(length - court.bundle().len()));
    server.publish("/full", &padded(256 * 1024));
    server.publish("/over", &padded(256 * 1024 + 1));
    server.publish("/pem", "-----BEGIN CERTIFICATE-----");
    server.answer("/error", "500 Oops", "", &court.bundle());
    server.answer("/untyped", "200 OK", "", &court.bundle());
    for (path, expected) in [
        ("/full", None),
        ("/over", Some("fetch_oversize")),
        ("/pem", Some("json_malformed")),
        ("/error", Some("fetch_status_unexpected")),
        ("/absent", Some("fetch_status_unexpected")),
        // Object stores do not know what they serve.
        ("/untyped", None),
    ] {
        let outcome =
            loaded(builder(net.client(&[&web])).endpoint(endpoint(&format!("https://a.example{path}")))).await;
        assert_eq!(outcome, expected, "{path}");
    }
}

#[tokio::test]
async fn three_redirects_are_followed_under_the_same_profile() {
    let (net, web, court) = (Net::default(), Ca::new("web"), Ca::new("court"));
    let a = net.host("a.example", web.host("a.example")).await;
    let b = net.host("b.example", web.host("b.example")).await;
    let mallory = net.host("m.example", web.host("a.example")).await;
    a.redirect("/4", "301 Moved", "https://b.example/3");
    a.redirect("/3", "302 Found", "/2");
    b.redirect("/3", "303 See Other", "https://a.example/2");
    a.redirect("/2", "307 Temporary", "https://b.example/1");
    b.redirect("/1", "308 Permanent", "/0");
    for (path, to) in [
        ("/plain", "http://b.example/0"),
        ("/user", "https://user@b.example/0"),
        ("/mallory", "https://m.example/0"),
        ("/inside", "https://10.0.0.1/0"),
        ("/choice", ""),
    ] {
        a.redirect(path, "302 Found", to);
    }
    a.answer("/nowhere", "302 Found", "", "");
    a.redirect("/modified", "304 Not Modified", "https://b.example/0");
    for server in [&a, &b, &mallory] {
        server.publish("/0", &court.bundle());
    }
    for (path, expected) in [
        ("/2", None),
        ("/3", None),
        ("/4", Some("federation_redirect_refused")),
        ("/plain", Some("federation_redirect_refused")),
        ("/user", Some("federation_redirect_refused")),
        ("/choice", Some("federation_redirect_refused")),
        ("/nowhere", Some("federation_redirect_refused")),
        ("/modified", Some("fetch_status_unexpected")),
        ("/mallory", Some("fetch_failed")),
        ("/inside", Some("fetch_address_refused")),
    ] {
        let url = format!("https://a.example{path}");
        let outcome = loaded(builder(net.client(&[&web])).endpoint(endpoint(&url))).await;
        assert_eq!(outcome, expected, "{path}");
    }
    assert!(mallory.seen().is_empty());
    // Each time anew: a redirect is for this time only.
    let bundles = builder(net.client(&[&web])).endpoint(endpoint("https://a.example/2")).start().unwrap();
    bundles.loaded().await.unwrap();
    a.seen();
    bundles.refresh().await;
    assert_eq!((code(&bundles), a.seen().len()), (None, 1));

    let none = builder(net.client(&[&web])).no_redirects();
    b.seen();
    assert_eq!(loaded(none.endpoint(endpoint("https://a.example/2"))).await, Some("federation_redirect_refused"));
    assert!(b.seen().is_empty());
}

#[tokio::test]
async fn nothing_is_sent_into_a_network_that_was_not_allowed() {
    let (net, web, court) = (Net::default(), Ca::new("web"), Ca::new("court"));
    let server = net.host("a.example", web.host("a.example")).await;
    server.publish("/", &court.bundle());
    let outcome = loaded(builder(net.guarded(&[&web])).endpoint(endpoint("https://a.example/"))).await;
    assert_eq!((outcome, server.seen().len()), (Some("fetch_address_refused"), 0));
}

#[tokio::test]
async fn an_endpoint_is_named_once_by_an_https_url_without_user_information() {
    let start = |endpoints: &[&str]| {
        let net = Net::default();
        let builder = endpoints.iter().fold(builder(net.client(&[])), |builder, url| builder.endpoint(endpoint(url)));
        builder.start().map_err(|error| (error.code(), error.to_string()))
    };
    for url in ["http://a.example/", "https://user:secret@a.example/", "https:///x", "a.example", "/bundle", ""] {
        let (code, text) = start(&[url]).unwrap_err();
        assert_eq!(code, "federation_url_refused", "{url}");
        assert!(text.contains("court.example") && !text.contains("secret"), "{text}");
    }
    assert_eq!(start(&[]).unwrap_err().0, "federation_none_named");
    assert_eq!(start(&["https://a.example/", "https://b.example/"]).unwrap_err().0, "federation_domain_repeated");
    assert_eq!(FederationError::from(TlsConfigError::Chain).code(), "federation_tls_unusable");
}

#[test]
fn endpoints_need_a_runtime() {
    let client = Net::default().client(&[]);
    let started = FederatedBundles::builder(client).endpoint(endpoint("https://a.example/")).start();
    assert_eq!(started.unwrap_err().code(), "federation_no_runtime");
}
