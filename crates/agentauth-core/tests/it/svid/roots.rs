//! Whom we believe: what can be a root, and what becomes of what cannot.

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::BundleError;

use super::*;

fn domain() -> TrustDomain {
    DOMAIN.parse().unwrap()
}

/// What the one certificate `der` is worth as the bundle of [`DOMAIN`].
fn alone(der: Der) -> Result<(), BundleError> {
    TrustBundles::new().with_der(domain(), &[der]).map(|_| ())
}

#[test]
fn only_a_ca_that_may_certify_can_be_a_root() {
    let court = Ca::new(DOMAIN);
    let root = |change: Change| Ca::root(DOMAIN, change).der();
    let no_root = || Err(BundleError::NoRoot(domain()));
    for (what, der, expected) in [
        ("a root", root(|_| {}), Ok(())),
        ("no key usage", root(|ca| ca.key_usages.clear()), Ok(())),
        ("an intermediate", court.below("middle", |_| {}).der(), Ok(())),
        // Extensions of a root nobody asks about must not spoil it.
        (
            "an unknown critical extension",
            root(|ca| ca.custom_extensions = vec![extension(UNKNOWN, true, &[5, 0])]),
            Ok(()),
        ),
        ("a leaf", court.sign(&court.leaf(LAWYER)), no_root()),
        ("no keyCertSign", root(|ca| ca.key_usages = vec![KeyUsagePurpose::CrlSign]), no_root()),
        ("not a CA", root(|ca| ca.is_ca = IsCa::ExplicitNoCa), no_root()),
        ("no basic constraints", root(|ca| ca.is_ca = IsCa::NoCa), no_root()),
        ("a byte too many", Der::from([&*court.der(), &[0]].concat()), no_root()),
        ("garbage", Der::from(&b"garbage"[..]), no_root()),
    ] {
        assert_eq!(alone(der), expected, "{what}");
    }
    assert_eq!(TrustBundles::new().with_der(domain(), &[]).unwrap_err(), BundleError::NoRoot(domain()));
}

#[test]
fn a_bundle_is_pem_certificates() {
    let (one, two) = (Ca::new(DOMAIN), Ca::new(DOMAIN));
    let (pem, key) = (one.certificate.pem(), rcgen::KeyPair::generate().unwrap().serialize_pem());
    let cut = pem.replace("-----END", "-----");
    let load = |text: &str| TrustBundles::new().with_pem(domain(), text.as_bytes());
    for (what, text) in [
        ("nothing", ""),
        ("not PEM", "spiffe://court.example"),
        ("a key", key.as_str()),
        ("no end", cut.as_str()),
        ("the second has no end", &format!("{pem}{cut}")),
        ("not base64", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
    ] {
        assert_eq!(load(text).unwrap_err(), BundleError::NotPem(domain()), "{what}");
    }
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(load(no_certificate).unwrap_err(), BundleError::NoRoot(domain()));

    // What cannot be a root is left out; the others count, each.
    let bundles = load(&format!("{no_certificate}{pem}\nnotes\n{}", two.certificate.pem())).unwrap();
    for ca in [one, two] {
        assert_eq!(code_now(&[ca.sign(&ca.leaf(LAWYER))], &bundles), ACCEPTED);
    }
}

#[test]
fn a_trust_domain_has_one_bundle() {
    let court = Ca::new(DOMAIN);
    let bundles = court.bundles();
    assert_eq!(bundles.clone().with_der(domain(), &[court.der()]).unwrap_err(), BundleError::Duplicate(domain()));
    let pem = court.certificate.pem();
    assert_eq!(bundles.clone().with_pem(domain(), pem.as_bytes()).unwrap_err(), BundleError::Duplicate(domain()));

    let both = bundles.clone().with_der("bank.example".parse().unwrap(), &[court.der()]).unwrap();
    assert_eq!(both.trust_domains().map(TrustDomain::as_str).collect::<Vec<_>>(), ["bank.example", DOMAIN]);
    assert!(both.trusts("bank.example") && both.trusts(DOMAIN) && !both.trusts("example"));
    assert!(!bundles.trusts("bank.example"), "the bundles it was made from have not changed");
}

#[test]
fn a_root_out_of_its_time_does_not_count_beside_one_that_does() {
    let root = |name, from: u64, to: u64| {
        Ca::root(DOMAIN, |ca| {
            ca.distinguished_name = named(name);
            (ca.not_before, ca.not_after) = (at(from), at(to));
        })
    };
    let cas = [
        (root("good", NOW, NOW), ACCEPTED),
        (root("expired", NOW - 60, NOW - 1), "svid_unknown_issuer"),
        (root("early", NOW + 1, NOW + 60), "svid_unknown_issuer"),
    ];
    let ders: Vec<Der> = cas.iter().map(|(ca, _)| ca.der()).collect();
    let bundles = TrustBundles::new().with_der(domain(), &ders).unwrap();
    for (ca, expected) in cas {
        assert_eq!(code_now(&[ca.sign(&ca.leaf(LAWYER))], &bundles), expected);
    }
}
