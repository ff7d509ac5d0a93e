//! Revocation lists (RFC 5280 §5, §6.3): once a trust domain has any, every certificate below its root needs one.

use agentauth_core::identity::svid::TrustBundle;
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};

use super::*;

/// A list of `ca` that names `serials`, made at `from` and in force until `until`.
fn list(ca: &Ca, serials: &[u64], from: u64, until: u64) -> Vec<u8> {
    let revoked = |serial: &u64| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: at(from),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: at(from),
        next_update: at(until),
        crl_number: SerialNumber::from(from),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    ca.crl(&params)
}

fn current(ca: &Ca, serials: &[u64]) -> Vec<u8> {
    list(ca, serials, NOW - 60, NOW + 60)
}

fn with_lists(root: &Ca, lists: &[Vec<u8>]) -> TrustBundles {
    let bundle = TrustBundle::from_der(DOMAIN.parse().unwrap(), &[root.der()]).unwrap();
    let bundle = lists.iter().fold(bundle, |bundle, list| bundle.with_crl(list).unwrap());
    TrustBundles::new().with_bundle(bundle).unwrap()
}

/// The serial numbers of the leaf and of the intermediate CA.
const LEAF: u64 = 1001;
const MIDDLE: u64 = 2002;

#[test]
fn a_list_speaks_for_every_certificate_below_the_root_or_the_chain_is_refused() {
    let court = Ca::new(DOMAIN);
    let middle = court.below("middle", |ca| ca.serial_number = Some(SerialNumber::from(MIDDLE)));
    let mut params = middle.leaf(LAWYER);
    params.serial_number = Some(SerialNumber::from(LEAF));
    let chain = [middle.sign(&params), middle.der()];
    let stranger = Ca::root(DOMAIN, |ca| ca.distinguished_name = named("stranger"));
    let namesake = Ca::new(DOMAIN);

    let (root_list, middle_list) = (current(&court, &[]), current(&middle, &[]));
    let (late, early) = (list(&middle, &[], NOW - 60, NOW), list(&middle, &[], NOW - 60, NOW + 1));
    let (old, new) = (list(&middle, &[], NOW - 120, NOW + 60), list(&middle, &[LEAF], NOW - 60, NOW + 60));
    for (what, lists, expected) in [
        ("no list", vec![], ACCEPTED),
        ("a list for each", vec![root_list.clone(), middle_list.clone()], ACCEPTED),
        ("in the other order", vec![middle_list.clone(), root_list.clone()], ACCEPTED),
        ("lists that name others", vec![current(&court, &[7]), current(&middle, &[8])], ACCEPTED),
        ("the leaf is revoked", vec![root_list.clone(), current(&middle, &[8, LEAF])], "svid_revoked"),
        ("the intermediate is revoked", vec![current(&court, &[MIDDLE]), middle_list.clone()], "svid_revoked"),
        // A serial number is one of its issuer.
        ("the leaf's number by the root", vec![current(&court, &[LEAF]), middle_list.clone()], ACCEPTED),
        ("none for the leaf", vec![root_list.clone()], "svid_revocation_unknown"),
        ("none for the intermediate", vec![middle_list.clone()], "svid_revocation_unknown"),
        ("only a stranger's", vec![current(&stranger, &[])], "svid_revocation_unknown"),
        ("a namesake's", vec![current(&namesake, &[]), middle_list], "svid_revocation_unknown"),
        ("out of date", vec![root_list.clone(), late], "svid_revocation_unknown"),
        ("a second before that", vec![root_list.clone(), early], ACCEPTED),
        ("an old list and a new one", vec![root_list.clone(), old.clone(), new.clone()], "svid_revoked"),
        ("a new list and an old one", vec![new, root_list, old], "svid_revoked"),
    ] {
        assert_eq!(code_now(&chain, &with_lists(&court, &lists)), expected, "{what}");
    }
}

#[test]
fn who_may_not_sign_lists_revokes_nothing_and_clears_nothing() {
    let court = Ca::new(DOMAIN);
    let middle = court.below("middle", |ca| ca.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    let chain = chain(std::slice::from_ref(&middle));
    let lists = [current(&court, &[]), current(&middle, &[])];
    assert_eq!(code_now(&chain, &with_lists(&court, &lists)), "svid_revocation_unknown");
}

#[test]
fn the_lists_of_one_trust_domain_say_nothing_about_another() {
    let (court, bank) = (Ca::new(DOMAIN), Ca::new("bank.example"));
    let bundles = with_lists(&court, &[current(&court, &[])]);
    let bundles = bundles.with_der("bank.example".parse().unwrap(), &[bank.der()]).unwrap();
    assert_eq!(code_now(&[bank.sign(&bank.leaf(LAWYER))], &bundles), ACCEPTED);
}

#[test]
fn what_is_no_list_is_refused_when_it_is_loaded() {
    let court = Ca::new(DOMAIN);
    let good = current(&court, &[]);
    let load = |der: &[u8]| {
        let bundle = TrustBundle::from_der(DOMAIN.parse().unwrap(), &[court.der()]).unwrap();
        bundle.with_crl(der).map_or_else(|error| error.code(), |_| ACCEPTED)
    };
    for (what, der, expected) in [
        ("a list", good.clone(), ACCEPTED),
        ("nothing", vec![], "bundle_crl_malformed"),
        ("a certificate", court.der().to_vec(), "bundle_crl_malformed"),
        ("half a list", good[..good.len() / 2].to_vec(), "bundle_crl_malformed"),
        ("a byte after the list", [good.as_slice(), &[0]].concat(), "bundle_crl_malformed"),
        ("more than 4 MiB", vec![0x30; 4 * 1024 * 1024 + 1], "bundle_crl_malformed"),
    ] {
        assert_eq!(load(&der), expected, "{what}");
    }
    let bundle = TrustBundle::from_der(DOMAIN.parse().unwrap(), &[court.der()]).unwrap();
    let full = (0..64).fold(bundle, |bundle, _| bundle.with_crl(&good).unwrap());
    assert_eq!(full.with_crl(&good).unwrap_err().code(), "bundle_too_many_crls");
}
