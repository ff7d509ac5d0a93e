//! Bundles of certificates: PEM files, and the concatenated DER of the Workload API.

use rcgen::{DistinguishedName, DnType};
use rustls_pki_types::CertificateDer;

use super::*;

fn accepts(bundle: &TrustBundle, ca: &Ca) -> bool {
    let bundles = TrustBundles::new().with_bundle(bundle.clone()).unwrap();
    verify_x509_svid(&[ca.sign(&ca.leaf("/agent/lawyer"))], &bundles, Timestamp::from_secs(NOW)).is_ok()
}

fn pem_of(der: &CertificateDer<'_>) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64_STANDARD.encode(der))
}

#[test]
fn concatenated_der_is_certificates_and_nothing_else() {
    let (one, two) = (Ca::new(DOMAIN), Ca::new(DOMAIN));
    let leaf = one.sign(&one.leaf("/agent/lawyer"));
    let join = |parts: &[&[u8]]| TrustBundle::from_concatenated_der(domain(), &parts.concat());
    let (first, second) = (one.der(), two.der());
    for (what, bundle, expected) in [
        ("one", join(&[&first]), Ok((1, 0))),
        ("two", join(&[&first, &second]), Ok((2, 0))),
        ("a leaf beside a root", join(&[&leaf, &first]), Ok((1, 0))),
        ("a leaf", join(&[&leaf]), Err("bundle_no_root")),
        ("an empty sequence", join(&[&[0x30, 0]]), Err("bundle_no_root")),
        ("nothing", join(&[]), Err("bundle_not_der")),
        ("a byte after", join(&[&first, &[0]]), Err("bundle_not_der")),
        ("a byte before", join(&[&[0], &first]), Err("bundle_not_der")),
        ("a byte between", join(&[&first, &[0], &second]), Err("bundle_not_der")),
        ("half a certificate after", join(&[&first, &second[..second.len() / 2]]), Err("bundle_not_der")),
        ("PEM", join(&[one.certificate.pem().as_bytes()]), Err("bundle_not_der")),
        ("more than 512", join(&vec![&*first; 513]), Err("bundle_too_many_roots")),
        ("more than 1 MiB", join(&[&vec![0x30; 1024 * 1024 + 1]]), Err("bundle_oversize")),
    ] {
        assert_eq!(outcome(bundle), expected, "{what}");
    }
    let both = join(&[&first, &second]).unwrap();
    assert!(accepts(&both, &one) && accepts(&both, &two) && !accepts(&both, &Ca::new(DOMAIN)));
}

#[test]
fn a_pem_file_holds_roots_or_nothing_at_all() {
    let court = Ca::new(DOMAIN);
    let (pem, key) = (court.certificate.pem(), rcgen::KeyPair::generate().unwrap().serialize_pem());
    let leaf = pem_of(&court.sign(&court.leaf("/agent/lawyer")));
    let load = |text: &str| TrustBundle::from_pem(domain(), text.as_bytes());
    for (what, text, expected) in [
        ("a root", pem.clone(), Ok((1, 0))),
        ("a root and a leaf", format!("{leaf}{pem}"), Ok((1, 0))),
        ("a root and a key", format!("{key}{pem}"), Ok((1, 0))),
        ("nothing", String::new(), Ok((0, 0))),
        ("white space", " \r\n\t\n".into(), Ok((0, 0))),
        ("a leaf", leaf, Err("bundle_no_root")),
        ("a key", key, Err("bundle_not_pem")),
        ("a note", "# roots go here".into(), Err("bundle_not_pem")),
        ("half of it", pem[..pem.len() / 2].into(), Err("bundle_not_pem")),
        ("one and a half", format!("{pem}{}", &pem[..pem.len() / 2]), Err("bundle_not_pem")),
        ("more than 1 MiB", format!("{pem}{}", "\n".repeat(1024 * 1024)), Err("bundle_oversize")),
        ("more than 512", pem.repeat(513), Err("bundle_too_many_roots")),
    ] {
        assert_eq!(outcome(load(&text)), expected, "{what}");
    }
}

#[test]
fn public_roots_and_too_many_of_them_are_a_concern() {
    let of = |organisation: &str| {
        Ca::root(DOMAIN, |ca| {
            ca.distinguished_name = DistinguishedName::new();
            ca.distinguished_name.push(DnType::OrganizationName, organisation);
        })
    };
    let ders = |cas: &[Ca]| cas.iter().map(Ca::der).collect::<Vec<CertificateDer<'_>>>();
    let concerns = |ders: &[CertificateDer<'_>]| TrustBundle::from_der(domain(), ders).unwrap().concerns();
    let own = of("Court of Example");
    assert_eq!(concerns(&[own.der()]), []);
    assert_eq!(concerns(&[of("Not Amazon").der()]), []);

    let mixed = ders(&[own, of("Internet Security Research Group"), of("Amazon")]);
    let public = BundleConcern::PublicRoots { count: 2, organisation: "Internet Security Research Group" };
    assert_eq!(concerns(&mixed), std::slice::from_ref(&public));
    let text = "2 of the bundle's roots belong to public web authorities (Internet Security Research Group); give the \
                trust domain's own roots, in a file of their own";
    assert_eq!(public.to_string(), text);

    let root = Ca::new(DOMAIN);
    assert_eq!(concerns(&vec![root.der(); 20]), []);
    assert_eq!(concerns(&vec![root.der(); 21]), [BundleConcern::ManyRoots { count: 21 }]);
    let leaf = root.sign(&root.leaf("/agent/lawyer"));
    assert_eq!(concerns(&[root.der(), leaf]), [BundleConcern::LeftOut { count: 1 }]);
}
