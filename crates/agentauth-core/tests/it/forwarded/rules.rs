//! Each rule for `x-forwarded-client-cert`, by the code of its refusal.

use std::time::Duration;

use agentauth_core::Timestamp;
use agentauth_core::identity::forwarded::{Forwarded, XFCC, Xfcc, XfccHeader, XfccKey, XfccPair, XfccTopology};
use agentauth_core::identity::svid::TrustBundles;
use http::HeaderMap;

use super::{ADMIN, Details, EVERYTHING, LAWYER, NAMES, OWN, encoded, envoys, hash, id, leaf, outcome, pem};
use crate::support::certs::{Ca, NOW};

const GATEWAY: &str = "spiffe://court.example/ns/edge/sa/gateway";

const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

fn read(xfcc: &Xfcc, value: &str) -> String {
    outcome(xfcc.read_value(value.as_bytes(), &TrustBundles::new(), now()))
}

fn parse(value: &str) -> &'static str {
    XfccHeader::parse(value.as_bytes()).map_or_else(|error| error.code(), |_| "accepted")
}

#[test]
fn the_grammar_is_envoys_and_no_other() {
    for (value, expected) in [
        ("URI=a", "accepted"),
        ("URI=", "accepted"),
        ("uri=a;dNs=b;BY=;hash=x", "accepted"),
        ("URI=a=b==", "accepted"),
        ("By=a;URI=b,By=c;URI=d", "accepted"),
        ("DNS=a;DNS=b;URI=c;URI=d", "accepted"),
        (r"URI=a\b", "accepted"),
        (r#"Subject="";Cert="";Chain="""#, "accepted"),
        (r#"Subject="CN=a,O=b;c=\"d\\";URI=e"#, "accepted"),
        (r#"Subject="\,\;\"""#, "accepted"),
        ("", "xfcc_malformed"),
        ("URI", "xfcc_malformed"),
        ("=a", "xfcc_malformed"),
        (";", "xfcc_malformed"),
        (",", "xfcc_malformed"),
        ("URI=a;", "xfcc_malformed"),
        ("URI=a,", "xfcc_malformed"),
        (";URI=a", "xfcc_malformed"),
        (",URI=a", "xfcc_malformed"),
        ("URI=a;;DNS=b", "xfcc_malformed"),
        ("URI=a,,URI=b", "xfcc_malformed"),
        ("URI=a, URI=b", "xfcc_malformed"),
        ("URI=a; DNS=b", "xfcc_malformed"),
        (" URI=a", "xfcc_malformed"),
        ("URI=a ", "xfcc_malformed"),
        ("URI =a", "xfcc_malformed"),
        ("URI=a b", "xfcc_malformed"),
        ("URI=a\tb", "xfcc_malformed"),
        ("URI=\u{e9}", "xfcc_malformed"),
        ("URI=a\u{7f}", "xfcc_malformed"),
        ("URI=a\"b", "xfcc_malformed"),
        ("URI=\"a\"", "xfcc_malformed"),
        ("Hash=\"a\"", "xfcc_malformed"),
        ("Subject=CN", "xfcc_malformed"),
        ("Cert=abc", "xfcc_malformed"),
        ("Subject=", "xfcc_malformed"),
        ("Subject=\"", "xfcc_malformed"),
        ("Subject=\"a", "xfcc_malformed"),
        (r#"Subject="a\""#, "xfcc_malformed"),
        (r#"Subject="a"b"#, "xfcc_malformed"),
        (r#"Subject="a""b""#, "xfcc_malformed"),
        (r#"Subject="a" ;URI=b"#, "xfcc_malformed"),
        (r#"Subject="abc;URI=spiffe://forged,By=x;Subject="";URI=y"#, "xfcc_malformed"),
        ("Subject=\"\u{1}\"", "xfcc_malformed"),
        ("URIs=a", "xfcc_key_unknown"),
        ("URI=a;Email=b", "xfcc_key_unknown"),
        ("X=a", "xfcc_key_unknown"),
        ("By=a;By=b", "xfcc_key_repeated"),
        ("By=a;by=a", "xfcc_key_repeated"),
        ("Hash=a;URI=b;Hash=a", "xfcc_key_repeated"),
        (r#"Subject="";Subject="""#, "xfcc_key_repeated"),
        (r#"Cert="";Cert="""#, "xfcc_key_repeated"),
        (r#"Chain="";CHAIN="""#, "xfcc_key_repeated"),
    ] {
        assert_eq!(parse(value), expected, "{value}");
        if let Ok(header) = XfccHeader::parse(value.as_bytes()) {
            assert_eq!(header.to_string(), value);
        }
    }
    assert_eq!(XfccHeader::parse(b"URI=\xff").unwrap_err().code(), "xfcc_malformed");
}

#[test]
fn a_header_says_where_it_is_broken() {
    for (value, at) in [
        ("", 0),
        ("URI=a;", 6),
        ("URI=a, URI=b", 6),
        ("DNS=ab\tc", 6),
        ("URI=a;Subject=\"b", 14),
        ("Subject=\"a\"b", 11),
    ] {
        let error = XfccHeader::parse(value.as_bytes()).unwrap_err();
        assert!(error.to_string().ends_with(&format!("at byte {at}")), "{value}: {error}");
    }
}

#[test]
fn a_header_is_bounded() {
    let elements = |count: usize| vec!["URI=a"; count].join(",");
    let pairs = |count: usize| vec!["DNS=a"; count].join(";");
    let bytes = |count: usize| format!("URI={}", "a".repeat(count - 4));
    for (value, expected) in [
        (elements(16), "accepted"),
        (elements(17), "xfcc_too_many_elements"),
        (pairs(128), "accepted"),
        (pairs(129), "xfcc_too_many_pairs"),
        (bytes(64 * 1024), "accepted"),
        (bytes(64 * 1024 + 1), "xfcc_oversize"),
    ] {
        assert_eq!(parse(&value), expected, "{} bytes", value.len());
    }
}

#[test]
fn a_request_has_one_header_or_none() {
    let xfcc = Forwarded::from(Xfcc::sanitize_set());
    let mut headers = HeaderMap::new();
    let read = |headers: &HeaderMap| outcome(xfcc.read(headers, &TrustBundles::new(), now()));
    assert_eq!((read(&headers), xfcc.is_in(&headers)), ("none".into(), false));
    let value = format!("URI={LAWYER}");
    headers.append(XFCC, value.parse().unwrap());
    assert_eq!((read(&headers), xfcc.is_in(&headers)), (LAWYER.into(), true));
    headers.append(XFCC, value.parse().unwrap());
    assert_eq!(read(&headers), "xfcc_repeated");
}

#[test]
fn a_proxy_that_replaces_the_header_writes_one_element() {
    let (any, own) = (Xfcc::sanitize_set(), Xfcc::sanitize_set().expect_by(id(OWN)));
    for (xfcc, value, expected) in [
        (&any, format!("By={OWN};Hash={HASH};Subject=\"\";URI={LAWYER}"), LAWYER),
        (&any, format!("By=x;URI={LAWYER};DNS=a"), LAWYER),
        (&any, format!("URI={LAWYER}"), LAWYER),
        (&any, format!("Hash={HASH};URI="), "none"),
        (&any, format!("URI={LAWYER},URI={LAWYER}"), "xfcc_not_one_element"),
        (&any, format!("URI={LAWYER};URI={LAWYER}"), "xfcc_many_uris"),
        (&any, format!("URI=;URI={LAWYER}"), "xfcc_many_uris"),
        (&any, format!("URI={LAWYER};URI="), "xfcc_many_uris"),
        (&any, "DNS=a".into(), "xfcc_uri_missing"),
        (&any, format!("Hash={HASH};Subject=\"URI={LAWYER}\""), "xfcc_uri_missing"),
        (&any, "URI=https://court.example/".into(), "xfcc_not_spiffe_id"),
        (&any, "URI=spiffe://Court.example/a".into(), "xfcc_not_spiffe_id"),
        (&any, "URI=spiffe://court.example/a/".into(), "xfcc_not_spiffe_id"),
        (&any, "URI=spiffe://court.example".into(), "xfcc_no_path"),
        (&any, format!("Hash=;URI={LAWYER}"), "xfcc_hash_malformed"),
        (&any, format!("Hash={};URI={LAWYER}", &HASH[..63]), "xfcc_hash_malformed"),
        (&any, format!("Hash={HASH}0;URI={LAWYER}"), "xfcc_hash_malformed"),
        (&any, format!("Hash={};URI={LAWYER}", HASH.to_uppercase()), "xfcc_hash_malformed"),
        (&any, format!("Hash=+{};URI={LAWYER}", &HASH[1..]), "xfcc_hash_malformed"),
        (&own, format!("By={OWN};URI={LAWYER}"), LAWYER),
        (&own, format!("URI={LAWYER}"), "xfcc_by_missing"),
        (&own, format!("By=;URI={LAWYER}"), "xfcc_by_mismatch"),
        (&own, "By=;URI=".into(), "xfcc_by_mismatch"),
        (&own, format!("By={OWN}2;URI={LAWYER}"), "xfcc_by_mismatch"),
        (&own, format!("By={GATEWAY};URI={LAWYER}"), "xfcc_by_mismatch"),
    ] {
        assert_eq!(read(xfcc, &value), expected, "{value}");
    }
}

#[test]
fn of_a_proxy_that_adds_the_last_element_counts() {
    let xfcc = Xfcc::append_forward(id(OWN));
    let own = format!("By={OWN};Hash={HASH};Subject=\"\";URI={LAWYER}");
    for (value, expected) in [
        (own.clone(), LAWYER),
        // What the client wrote itself stands before it.
        (format!("URI={ADMIN},{own}"), LAWYER),
        (format!("By=x;Hash=00;URI={ADMIN},URI=,{own}"), LAWYER),
        (format!("By={OWN}/x;Hash={HASH};URI={ADMIN},By={OWN}-2;URI={ADMIN},{own}"), LAWYER),
        (own.replace(LAWYER, ""), "none"),
        (format!("{own},By=x;Hash={HASH};URI={ADMIN}"), "xfcc_by_mismatch"),
        (format!("{own},Hash={HASH};URI={ADMIN}"), "xfcc_by_missing"),
        (format!("By={OWN};URI={LAWYER}"), "xfcc_hash_missing"),
        (format!("By={OWN};Hash=00;URI={LAWYER}"), "xfcc_hash_malformed"),
        (format!("{own};URI={ADMIN}"), "xfcc_many_uris"),
        (format!("{own},{own}"), "xfcc_by_repeated"),
        (format!("By={OWN};URI={ADMIN},{own}"), "xfcc_by_repeated"),
        (format!("URI={ADMIN};By={OWN},{own}"), "xfcc_by_repeated"),
        (format!("bY={OWN};URI={ADMIN},{own}"), "xfcc_by_repeated"),
        (format!("Subject=\"By={OWN}\",{own}"), "xfcc_by_repeated"),
        (format!("Subject=\"{},By={OWN};\",{own}", "a".repeat(9)), "xfcc_by_repeated"),
    ] {
        assert_eq!(read(&xfcc, &value), expected, "{value}");
    }
}

/// A sidecar behind a gateway: what the gateway says counts only from the gateway.
#[test]
fn a_proxy_behind_others_knows_each_of_them() {
    let xfcc = Xfcc::append_forward_behind(id(OWN), [id(GATEWAY)]);
    assert_eq!(xfcc.topology(), XfccTopology::AppendForward { hops: 2 });
    let own = |client: &str| format!("By={OWN};Hash={HASH};Subject=\"\";URI={client}");
    let gateways = format!("By={GATEWAY};Hash={HASH};URI={LAWYER}");
    for (value, expected) in [
        (format!("{gateways},{}", own(GATEWAY)), LAWYER),
        (format!("URI={ADMIN},{gateways},{}", own(GATEWAY)), LAWYER),
        (own(GATEWAY), "xfcc_hops_missing"),
        (own(ADMIN), "xfcc_hops_missing"),
        // Someone past the gateway, who writes what it would have written.
        (format!("{gateways},{}", own(ADMIN)), "xfcc_hop_unexpected"),
        (format!("{gateways},{}", own("")), "xfcc_hop_unexpected"),
        (format!("{gateways},{},{}", own(GATEWAY), own(ADMIN)), "xfcc_by_repeated"),
        (format!("By=x;Hash={HASH};URI={LAWYER},{}", own(GATEWAY)), "xfcc_by_mismatch"),
        (format!("URI={LAWYER},{}", own(GATEWAY)), "xfcc_by_missing"),
        (format!("By={GATEWAY};URI={LAWYER},{}", own(GATEWAY)), "xfcc_hash_missing"),
        (format!("{gateways},{gateways},{}", own(GATEWAY)), "xfcc_by_repeated"),
        (format!("{gateways},{}", gateways.replace(LAWYER, GATEWAY)), "xfcc_by_mismatch"),
    ] {
        assert_eq!(read(&xfcc, &value), expected, "{value}");
    }
}

#[test]
fn a_waypoint_has_one_form() {
    let (any, own) = (Xfcc::istio_waypoint(), Xfcc::istio_waypoint().expect_by(id(OWN)));
    for (xfcc, value, expected) in [
        (&any, format!("By={OWN};URI={LAWYER}"), LAWYER),
        (&own, format!("By={OWN};URI={LAWYER}"), LAWYER),
        (&any, "By=;URI=".into(), "none"),
        (&own, "By=;URI=".into(), "none"),
        (&own, format!("By={OWN};URI="), "none"),
        (&own, format!("By={GATEWAY};URI={LAWYER}"), "xfcc_by_mismatch"),
        (&own, format!("By={GATEWAY};URI="), "xfcc_by_mismatch"),
        (&own, format!("By=;URI={LAWYER}"), "xfcc_by_mismatch"),
        (&any, format!("URI={LAWYER}"), "xfcc_not_waypoint_form"),
        (&any, format!("By={OWN}"), "xfcc_not_waypoint_form"),
        (&any, format!("URI={LAWYER};By={OWN}"), "xfcc_not_waypoint_form"),
        (&any, format!("By={OWN};Hash={HASH};URI={LAWYER}"), "xfcc_not_waypoint_form"),
        (&any, format!("By={OWN};URI={LAWYER};URI={LAWYER}"), "xfcc_not_waypoint_form"),
        (&any, format!("By={OWN};URI={LAWYER},By={OWN};URI={LAWYER}"), "xfcc_not_one_element"),
        (&any, format!("By={OWN};URI=spiffe://court.example"), "xfcc_no_path"),
        (&any.clone().verify_certificates(), format!("By={OWN};URI={LAWYER}"), "xfcc_cert_missing"),
    ] {
        assert_eq!(read(xfcc, &value), expected, "{value}");
    }
}

#[test]
fn a_certificate_that_is_passed_on_is_verified() {
    let ca = Ca::new("court.example");
    let below = ca.below("intermediate", |_| {});
    let chain = [leaf(&below, &[LAWYER], &["a.example", "b.example"]), below.der(), ca.der()];
    let [cert, other] = [&chain[0], &leaf(&ca, &[LAWYER], &[])].map(|der| encoded(&pem(std::slice::from_ref(der))));
    let whole = encoded(&pem(&chain));
    let good = envoys(OWN, &chain, EVERYTHING);
    let only_chain = Details { cert: false, ..EVERYTHING };
    let without = |pair: &str| good.split(';').filter(|text| !text.starts_with(pair)).collect::<Vec<_>>().join(";");

    for (value, expected) in [
        (good.clone(), LAWYER),
        (envoys(OWN, &chain, only_chain), LAWYER),
        (without("Chain"), "svid_unknown_issuer"),
        (envoys(OWN, &chain, NAMES), "xfcc_cert_missing"),
        (without("Hash"), "xfcc_hash_missing"),
        (good.replace(&hash(&chain[0]), HASH), "xfcc_hash_mismatch"),
        (good.replace(&format!("Cert=\"{cert}"), &format!("Cert=\"{other}")), "xfcc_chain_mismatch"),
        (
            good.replace(&format!("Chain=\"{whole}"), &format!("Chain=\"{}", encoded(&pem(&[ca.der()])))),
            "xfcc_chain_mismatch",
        ),
        (good.replace(&format!("Cert=\"{cert}"), "Cert=\""), "xfcc_cert_malformed"),
        (good.replace(&format!("Cert=\"{cert}"), &format!("Cert=\"{whole}")), "xfcc_cert_malformed"),
        (good.replace("%0A", "\\n"), "xfcc_cert_malformed"),
        (good.replace("%2B", "+"), "xfcc_cert_malformed"),
        (good.replace("%0A", "%0a"), LAWYER),
        (good.replace("%0A", "%0D%0A"), "xfcc_cert_malformed"),
        (good.replace("-----BEGIN", "%20-----BEGIN"), "xfcc_cert_malformed"),
        (good.replace("%0A\"", "%0Arest\""), "xfcc_cert_malformed"),
        (good.replace("CERTIFICATE", "X"), "xfcc_cert_malformed"),
        (good.replace("%3D%0A--", "%0A--").replace("MII", "AAA"), "xfcc_cert_malformed"),
        (good.replace(&format!("URI={LAWYER}"), &format!("URI={ADMIN}")), "xfcc_names_mismatch"),
        (good.replace(&format!("URI={LAWYER}"), "URI="), "xfcc_names_mismatch"),
        (without("URI"), "xfcc_names_mismatch"),
        (without("DNS"), "xfcc_names_mismatch"),
        (good.replace("DNS=a.example", "DNS=A.example"), "xfcc_names_mismatch"),
        (good.replace("DNS=a.example;DNS=b.example", "DNS=b.example;DNS=a.example"), "xfcc_names_mismatch"),
        (format!("{good};DNS=c.example"), "xfcc_names_mismatch"),
    ] {
        for xfcc in [Xfcc::sanitize_set(), Xfcc::append_forward(id(OWN))] {
            let xfcc = xfcc.verify_certificates();
            // In AppendForward the missing hash shows earlier, by the same code.
            let found = outcome(xfcc.read_value(value.as_bytes(), &ca.bundles(), now()));
            assert_eq!(found, expected, "{xfcc:?} {value}");
        }
    }

    let verified = Xfcc::sanitize_set().verify_certificates();
    let peer = verified.read_value(good.as_bytes(), &ca.bundles(), now()).unwrap().unwrap();
    assert_eq!(peer.thumbprint(), Some(peer.svid().unwrap().thumbprint()));
    let unverified = Xfcc::sanitize_set().read_value(good.as_bytes(), &TrustBundles::new(), now()).unwrap().unwrap();
    assert_eq!((unverified.thumbprint(), unverified.svid()), (peer.thumbprint(), None));
    for (bundles, time, expected) in [
        (TrustBundles::new(), now(), "svid_unknown_trust_domain"),
        (Ca::new("court.example").bundles(), now(), "svid_invalid_path"),
        (ca.bundles(), now().plus(Duration::from_secs(3601)), "svid_expired"),
        (ca.bundles(), now().minus(Duration::from_secs(3601)), "svid_not_yet_valid"),
    ] {
        assert_eq!(outcome(verified.read_value(good.as_bytes(), &bundles, time)), expected);
    }
}

#[test]
fn a_certificate_without_a_uri_is_nobodys() {
    let ca = Ca::new("court.example");
    let value = envoys(OWN, &[leaf(&ca, &[], &["only.dns"])], EVERYTHING);
    assert!(value.contains(";URI=;DNS=only.dns"));
    for xfcc in [Xfcc::sanitize_set(), Xfcc::append_forward(id(OWN))] {
        for xfcc in [xfcc.clone(), xfcc.verify_certificates()] {
            assert_eq!(outcome(xfcc.read_value(value.as_bytes(), &ca.bundles(), now())), "none");
        }
    }
    let keys =
        [XfccKey::By, XfccKey::Hash, XfccKey::Cert, XfccKey::Chain, XfccKey::Subject, XfccKey::Uri, XfccKey::Dns];
    let header = XfccHeader::parse(value.as_bytes()).unwrap();
    assert!(header.elements()[0].pairs().iter().map(XfccPair::key).eq(keys));
}
