//! X.509-SVIDs: each rule of X509-SVID.md §5 and RFC 5280 §6 refuses a fixture that breaks it alone.

mod revocation;
mod roots;
mod vectors;

use std::collections::BTreeSet;
use std::time::Duration;

use agentauth_core::Timestamp;
use agentauth_core::identity::svid::{
    SvidError, SvidOutcome, SvidRule, TrustBundles, explain_x509_svid, verify_x509_svid,
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, SanType,
};
use rustls_pki_types::CertificateDer;

use crate::support::certs::{Ca, NOW, at, named, raw_names, uri_names};

const ACCEPTED: &str = "accepted";
const DOMAIN: &str = "court.example";
const LAWYER: &str = "/agent/lawyer";

type Der = CertificateDer<'static>;
type Change = fn(&mut CertificateParams);

fn code(chain: &[Der], bundles: &TrustBundles, now: Timestamp) -> &'static str {
    verify_x509_svid(chain, bundles, now).map_or_else(|error| error.code(), |_| ACCEPTED)
}

fn code_now(chain: &[Der], bundles: &TrustBundles) -> &'static str {
    code(chain, bundles, Timestamp::from_secs(NOW))
}

fn uris(uris: &[&str]) -> Vec<SanType> {
    uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect()
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn extension(oid: &[u64], critical: bool, content: &[u8]) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, content.to_vec());
    extension.set_criticality(critical);
    extension
}

const UNKNOWN: &[u64] = &[1, 3, 6, 1, 4, 1, 55738, 666, 1];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const NAME_CONSTRAINTS: &[u64] = &[2, 5, 29, 30];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];

/// A leaf as it should be, but for one change.
const LEAVES: &[(&str, &str, Change)] = &[
    (ACCEPTED, "as X509-SVID.md §4 asks", |_| {}),
    // What §4 asks of issuers and §5.2 does not ask of validators.
    (ACCEPTED, "no key usage", |leaf| leaf.key_usages.clear()),
    (ACCEPTED, "no basic constraints", |leaf| leaf.is_ca = IsCa::NoCa),
    (ACCEPTED, "no extended key usage", |leaf| leaf.extended_key_usages.clear()),
    (ACCEPTED, "a subject", |leaf| leaf.distinguished_name = named("lawyer")),
    (ACCEPTED, "a DNS name too", |leaf| leaf.subject_alt_names.push(dns("lawyer.court.example"))),
    ("svid_wrong_usage", "client authentication only", |leaf| {
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }),
    (ACCEPTED, "an unknown extension", |leaf| leaf.custom_extensions.push(extension(UNKNOWN, false, &[5, 0]))),
    ("svid_malformed", "names that are no sequence", |leaf| raw_names(leaf, &[4, 0])),
    ("svid_malformed", "names with a byte after them", |leaf| {
        raw_names(leaf, &[uri_names(b"spiffe://court.example/agent"), vec![0]].concat());
    }),
    ("svid_malformed", "a URI that is not text", |leaf| raw_names(leaf, &uri_names(b"spiffe://court.example/\xff"))),
    ("svid_malformed", "two extensions of names", |leaf| {
        let names = uri_names(b"spiffe://court.example/agent/judge");
        leaf.custom_extensions.push(extension(SUBJECT_ALT_NAME, false, &names));
    }),
    ("svid_malformed", "key usage that is no bit string", |leaf| {
        leaf.key_usages.clear();
        leaf.custom_extensions.push(extension(KEY_USAGE, true, &[5, 0]));
    }),
    ("svid_malformed", "basic constraints that are no sequence", |leaf| {
        leaf.is_ca = IsCa::NoCa;
        leaf.custom_extensions.push(extension(BASIC_CONSTRAINTS, true, &[5, 0]));
    }),
    ("svid_no_uri", "no names", |leaf| leaf.subject_alt_names.clear()),
    ("svid_no_uri", "an empty list of names", |leaf| raw_names(leaf, &[0x30, 0])),
    ("svid_no_uri", "a DNS name only", |leaf| leaf.subject_alt_names = vec![dns("lawyer.court.example")]),
    ("svid_many_uris", "two SPIFFE IDs", |leaf| {
        leaf.subject_alt_names = uris(&["spiffe://court.example/agent/lawyer", "spiffe://court.example/agent/judge"]);
    }),
    ("svid_many_uris", "the same SPIFFE ID twice", |leaf| {
        leaf.subject_alt_names = uris(&["spiffe://court.example/agent/lawyer"; 2]);
    }),
    ("svid_many_uris", "a web address after the SPIFFE ID", |leaf| {
        leaf.subject_alt_names = uris(&["spiffe://court.example/agent/lawyer", "https://court.example"]);
    }),
    ("svid_many_uris", "a web address before the SPIFFE ID", |leaf| {
        leaf.subject_alt_names = uris(&["https://court.example", "spiffe://court.example/agent/lawyer"]);
    }),
    ("svid_not_spiffe_id", "a web address", |leaf| leaf.subject_alt_names = uris(&["https://court.example/agent"])),
    ("svid_not_spiffe_id", "upper case", |leaf| leaf.subject_alt_names = uris(&["spiffe://Court.example/agent"])),
    ("svid_not_spiffe_id", "beyond ASCII", |leaf| {
        raw_names(leaf, &uri_names("spiffe://court.example/avocat·e".as_bytes()));
    }),
    ("svid_no_path", "the trust domain's ID", |leaf| leaf.subject_alt_names = uris(&["spiffe://court.example"])),
    ("svid_is_ca", "a CA", |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
    ("svid_is_ca", "a CA that may certify leaves only", |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
    ("svid_signs_certificates", "keyCertSign", |leaf| leaf.key_usages.push(KeyUsagePurpose::KeyCertSign)),
    ("svid_signs_certificates", "cRLSign", |leaf| leaf.key_usages.push(KeyUsagePurpose::CrlSign)),
    ("svid_unknown_trust_domain", "a trust domain below ours", |leaf| {
        leaf.subject_alt_names = uris(&["spiffe://small.court.example/agent/lawyer"]);
    }),
    ("svid_wrong_usage", "server authentication only", |leaf| {
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    }),
    ("svid_wrong_usage", "client authentication only", |leaf| {
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }),
    ("svid_wrong_usage", "usage for nothing", |leaf| {
        leaf.extended_key_usages.clear();
        leaf.custom_extensions.push(extension(EXTENDED_KEY_USAGE, false, &[0x30, 0]));
    }),
    ("svid_invalid_path", "an unknown critical extension", |leaf| {
        leaf.custom_extensions.push(extension(UNKNOWN, true, &[5, 0]));
    }),
];

/// An intermediate CA as it should be, but for one change; below it a leaf as it should be.
const INTERMEDIATES: &[(&str, &str, Change)] = &[
    (ACCEPTED, "as it should be", |_| {}),
    (ACCEPTED, "no key usage", |ca| ca.key_usages.clear()),
    (ACCEPTED, "it may certify leaves only", |ca| ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
    (ACCEPTED, "confined to names the leaf has", |ca| ca.name_constraints = permitted("court.example")),
    ("svid_unknown_issuer", "no keyCertSign", |ca| ca.key_usages = vec![KeyUsagePurpose::CrlSign]),
    ("svid_unknown_issuer", "a workload", |ca| {
        ca.is_ca = IsCa::ExplicitNoCa;
        ca.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        ca.subject_alt_names = uris(&["spiffe://court.example/agent/judge"]);
    }),
    ("svid_invalid_path", "not a CA", |ca| ca.is_ca = IsCa::ExplicitNoCa),
    ("svid_invalid_path", "no basic constraints", |ca| ca.is_ca = IsCa::NoCa),
    ("svid_invalid_path", "an unknown critical extension", |ca| {
        ca.custom_extensions.push(extension(UNKNOWN, true, &[5, 0]));
    }),
    ("svid_invalid_path", "confined to other names", |ca| ca.name_constraints = permitted("bank.example")),
    // URI constraints are not evaluated: the leaf is refused even by one that permits it (RFC 5280 §4.2.1.10).
    ("svid_invalid_path", "confined to URIs", |ca| {
        let subtrees = [&[0x30, 0x13, 0xa0, 0x11, 0x30, 0x0f, 0x86, 0x0d], DOMAIN.as_bytes()].concat();
        ca.custom_extensions.push(extension(NAME_CONSTRAINTS, true, &subtrees));
    }),
    ("svid_wrong_usage", "for server authentication only", |ca| {
        ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    }),
];

fn permitted(name: &str) -> Option<NameConstraints> {
    let permitted_subtrees = vec![GeneralSubtree::DnsName(name.into())];
    Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() })
}

/// `length` intermediates below `root`, the lowest last.
fn ladder(root: &Ca, length: usize, change: Change) -> Vec<Ca> {
    let mut rungs: Vec<Ca> = Vec::new();
    for rung in 0..length {
        rungs.push(rungs.last().unwrap_or(root).below(&format!("intermediate {rung}"), change));
    }
    rungs
}

/// A leaf of the lowest of `cas`, which follow it from the lowest to the highest.
fn chain(cas: &[Ca]) -> Vec<Der> {
    let lowest = cas.last().unwrap();
    std::iter::once(lowest.sign(&lowest.leaf(LAWYER))).chain(cas.iter().rev().map(Ca::der)).collect()
}

struct Row {
    code: &'static str,
    what: String,
    chain: Vec<Der>,
    bundles: TrustBundles,
    now: u64,
}

fn rows() -> Vec<Row> {
    let court = Ca::new(DOMAIN);
    let (bundles, leaf) = (court.bundles(), court.sign(&court.leaf(LAWYER)));
    let mut rows = Vec::new();
    let mut row = |code, what: &str, chain: Vec<Der>| {
        rows.push(Row { code, what: what.into(), chain, bundles: bundles.clone(), now: NOW });
    };

    for (code, what, change) in LEAVES {
        let mut leaf = court.leaf(LAWYER);
        change(&mut leaf);
        row(code, &format!("leaf: {what}"), vec![court.sign(&leaf)]);
    }
    for (code, what, change) in INTERMEDIATES {
        let middle = court.below("middle", change);
        let mut leaf = middle.leaf(LAWYER);
        leaf.subject_alt_names.push(dns("lawyer.court.example"));
        row(code, &format!("intermediate: {what}"), vec![middle.sign(&leaf), middle.der()]);
    }

    let with = |others: usize| [vec![leaf.clone()], vec![court.der(); others]].concat();
    row("svid_no_certificate", "no certificate", vec![]);
    row(ACCEPTED, "10 certificates", with(9));
    row("svid_chain_too_long", "11 certificates", with(10));
    row("svid_malformed", "nothing in the leaf's place", vec![Der::from(vec![])]);
    row("svid_malformed", "garbage in the leaf's place", vec![Der::from(&b"garbage"[..])]);
    row("svid_malformed", "half a leaf", vec![Der::from(leaf[..leaf.len() / 2].to_vec())]);
    row("svid_malformed", "a byte after the leaf", vec![Der::from([&*leaf, &[0]].concat())]);
    row("svid_no_uri", "the issuer in the leaf's place", vec![court.der(), leaf.clone()]);

    let mut forged = leaf.to_vec();
    let at = forged.windows(6).position(|window| window == b"lawyer").unwrap();
    forged[at..at + 6].copy_from_slice(b"judger");
    row("svid_invalid_path", "a name changed after it was signed", vec![Der::from(forged)]);
    let mut forged = leaf.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    row("svid_invalid_path", "a signature changed", vec![Der::from(forged)]);

    // The path is built by names: a stranger who bears the root's name fails by the signature instead.
    let stranger = Ca::root(DOMAIN, |ca| ca.distinguished_name = named("stranger"));
    let namesake = Ca::new(DOMAIN);
    for (code, what, ca) in [
        ("svid_unknown_issuer", "another CA for the same trust domain", stranger),
        ("svid_invalid_path", "another CA for the same trust domain, of the same name", namesake),
    ] {
        row(code, what, chain(std::slice::from_ref(&ca)));
        let middle = ca.below("middle", |_| {});
        row(code, &format!("{what}, with an intermediate"), chain(&[ca, middle]));
    }

    let long = |length| chain(&ladder(&court, length, |_| {}));
    row(ACCEPTED, "6 intermediates", long(6));
    row("svid_invalid_path", "7 intermediates", long(7));
    row("svid_unknown_issuer", "an intermediate is missing", long(2).into_iter().take(2).collect());
    // Issuers are looked for by name: four of one name can be tried in 64 ways, which is where the search ends.
    let namesakes: Change = |ca| ca.distinguished_name = named(DOMAIN);
    row(ACCEPTED, "4 intermediates of the root's name", chain(&ladder(&court, 4, namesakes)));
    row("svid_invalid_path", "5 intermediates of the root's name", chain(&ladder(&court, 5, namesakes)));
    let knot = || Ca::root(DOMAIN, |ca| ca.distinguished_name = named("knot"));
    let tangle = |length| chain(&std::iter::repeat_with(knot).take(length).collect::<Vec<_>>());
    row("svid_unknown_issuer", "a tangle of 4", tangle(4));
    row("svid_invalid_path", "a tangle of 9", tangle(9));
    let only_leaves = |ca: &mut CertificateParams| ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    row("svid_invalid_path", "an intermediate below one for leaves only", chain(&ladder(&court, 2, only_leaves)));

    // A root of one trust domain proves nothing about another, even if both are trusted.
    let bank = Ca::new("bank.example");
    let both = court.bundles().with_der("bank.example".parse().unwrap(), &[bank.der()]).unwrap();
    let (foreign, own) = (court.sign(&bank.leaf(LAWYER)), bank.sign(&bank.leaf(LAWYER)));
    for (code, what, leaf, bundles) in [
        (ACCEPTED, "signed by its own domain's root", &own, &both),
        ("svid_unknown_issuer", "signed by another domain's root", &foreign, &both),
        ("svid_unknown_trust_domain", "its domain has no bundle", &own, &court.bundles()),
        ("svid_unknown_trust_domain", "no bundle at all", &own, &TrustBundles::new()),
    ] {
        let chain = vec![leaf.clone(), court.der()];
        rows.push(Row { code, what: what.into(), chain, bundles: bundles.clone(), now: NOW });
    }
    for (code, now) in [("svid_not_yet_valid", NOW - 7200), ("svid_expired", NOW + 7200)] {
        rows.push(Row { code, what: "by the clock".into(), chain: with(0), bundles: court.bundles(), now });
    }
    rows
}

#[test]
fn each_rule_refuses_what_breaks_it_alone() {
    let (mut codes, mut wrong) = (BTreeSet::new(), Vec::new());
    let rows = rows();
    for row in &rows {
        let found = verify_x509_svid(&row.chain, &row.bundles, Timestamp::from_secs(row.now));
        if found.as_ref().map_or_else(SvidError::code, |_| ACCEPTED) != row.code {
            wrong.push(format!("{}: {found:?} for {}", row.what, row.code));
        }
        codes.insert(row.code);
    }
    println!("X.509-SVID: {} fixtures, {} wrong", rows.len(), wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    let all = "accepted svid_chain_too_long svid_expired svid_invalid_path svid_is_ca svid_malformed svid_many_uris \
               svid_no_certificate svid_no_path svid_no_uri svid_not_spiffe_id svid_not_yet_valid \
               svid_signs_certificates svid_unknown_issuer svid_unknown_trust_domain svid_wrong_usage";
    assert_eq!(codes.into_iter().collect::<Vec<_>>().join(" "), all);
}

#[test]
fn issuers_may_come_in_any_order() {
    let court = Ca::new(DOMAIN);
    let (bundles, whole) = (court.bundles(), chain(&ladder(&court, 3, |_| {})));
    let [leaf, low, middle, high] = whole.try_into().unwrap();
    let root = court.der();
    for order in [
        [&low, &middle, &high],
        [&low, &high, &middle],
        [&middle, &low, &high],
        [&middle, &high, &low],
        [&high, &low, &middle],
        [&high, &middle, &low],
    ] {
        let mut chain: Vec<Der> = std::iter::once(&leaf).chain(order).cloned().collect();
        assert_eq!(code_now(&chain, &bundles), ACCEPTED);
        chain.insert(1, root.clone());
        assert_eq!(code_now(&chain, &bundles), ACCEPTED, "with the root");
        chain.retain(|certificate| *certificate != middle);
        assert_eq!(code_now(&chain, &bundles), "svid_unknown_issuer", "without the middle one");
    }
}

#[test]
fn validity_is_inclusive_to_the_second_at_every_step() {
    let (from, to) = (NOW - 60, NOW + 60);
    let window = |params: &mut CertificateParams| (params.not_before, params.not_after) = (at(from), at(to));
    let wide = Ca::new(DOMAIN);
    let middle = wide.below("middle", window);
    let narrow = Ca::root(DOMAIN, window);
    let mut leaf = wide.leaf(LAWYER);
    window(&mut leaf);
    for (whose, chain, bundles, [early, late]) in [
        ("leaf", vec![wide.sign(&leaf)], wide.bundles(), ["svid_not_yet_valid", "svid_expired"]),
        ("intermediate", chain(&[middle]), wide.bundles(), ["svid_not_yet_valid", "svid_expired"]),
        // A root out of its time does not count: it is as if it were not there.
        ("root", vec![narrow.sign(&narrow.leaf(LAWYER))], narrow.bundles(), ["svid_unknown_issuer"; 2]),
    ] {
        let outcome = |now| code(&chain, &bundles, now);
        let [first, last] = [from, to].map(Timestamp::from_secs);
        assert_eq!(outcome(first.minus(Duration::from_micros(1))), early, "{whose}");
        assert_eq!(outcome(first), ACCEPTED, "{whose}");
        assert_eq!(outcome(last), ACCEPTED, "{whose}");
        assert_eq!(outcome(last.plus(Duration::from_micros(999_999))), ACCEPTED, "{whose}");
        assert_eq!(outcome(last.plus(Duration::from_secs(1))), late, "{whose}");
    }
}

#[test]
fn a_verified_svid_says_what_the_leaf_says() {
    let court = Ca::new(DOMAIN);
    let leaf = court.sign(&court.leaf(LAWYER));
    let svid = verify_x509_svid(std::slice::from_ref(&leaf), &court.bundles(), Timestamp::from_secs(NOW)).unwrap();
    assert_eq!(svid.id().as_str(), "spiffe://court.example/agent/lawyer");
    assert_eq!(svid.not_after(), Timestamp::from_secs(NOW + 3600));
    assert_eq!(svid.thumbprint(), vectors::sha256(&leaf).as_ref());
}

/// What is explained to people is what servers do: the first rule that is shown as broken is the refusal.
#[test]
fn what_is_explained_is_what_is_decided() {
    for row in rows() {
        let now = Timestamp::from_secs(row.now);
        let outcomes = explain_x509_svid(&row.chain, &row.bundles, now);
        assert_eq!(outcomes.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), SvidRule::ALL, "{}", row.what);
        let first = outcomes.iter().find_map(|(_, outcome)| match outcome {
            SvidOutcome::Failed(error) => Some(error.code()),
            _ => None,
        });
        assert_eq!(first.unwrap_or(ACCEPTED), row.code, "{}", row.what);
        let all_passed = outcomes.iter().all(|(_, outcome)| *outcome == SvidOutcome::Passed);
        assert_eq!(all_passed, row.code == ACCEPTED, "{}", row.what);
    }
}
