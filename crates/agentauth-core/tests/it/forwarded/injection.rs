//! Clients whose certificates have names that read as more than a name, as some authorities would sign them; and what
//! clients write into the header themselves. Only the true client is ever believed.

use agentauth_core::Timestamp;
use agentauth_core::identity::forwarded::Xfcc;

use super::{ADMIN, Details, EVERYTHING, EVIL, NAMES, OWN, encoded, envoys, hash, id, leaf, outcome, pem};
use crate::support::certs::{Ca, NOW};

const BARE: Details = Details { cert: false, chain: false, subject: false };

/// How the reader is set up.
#[derive(Debug, Clone, Copy)]
enum Reader {
    Replaced,
    ReplacedVerified,
    Added,
    AddedVerified,
}

use Reader::{Added, AddedVerified, Replaced, ReplacedVerified};

/// One client, seen by each reader.
struct Attack<'a> {
    what: &'a str,
    uri: &'a str,
    dns: &'a [&'a str],
    /// What it writes into the header itself.
    sent: &'a str,
    details: Details,
    expected: &'a [(Reader, &'a str)],
}

impl Attack<'_> {
    fn run(&self, ca: &Ca) {
        let own = envoys(OWN, &[leaf(ca, &[self.uri], self.dns), ca.der()], self.details);
        for (reader, expected) in self.expected {
            let added = if self.sent.is_empty() { own.clone() } else { format!("{},{own}", self.sent) };
            let (xfcc, value) = match reader {
                Replaced => (Xfcc::sanitize_set().expect_by(id(OWN)), &own),
                ReplacedVerified => (Xfcc::sanitize_set().expect_by(id(OWN)).verify_certificates(), &own),
                Added => (Xfcc::append_forward(id(OWN)), &added),
                AddedVerified => (Xfcc::append_forward(id(OWN)).verify_certificates(), &added),
            };
            let found = outcome(xfcc.read_value(value.as_bytes(), &ca.bundles(), Timestamp::from_secs(NOW)));
            assert_eq!(&found, expected, "{}, {reader:?}: {value}", self.what);
        }
    }
}

#[test]
fn what_a_certificates_names_smuggle_in_is_refused() {
    let ca = Ca::new("court.example");
    let admins = [leaf(&ca, &[ADMIN], &[]), ca.der()];
    // The admin's certificate is public: all that the proxy would write about it can be copied.
    let copied = envoys(OWN, &admins, EVERYTHING);
    let without_subject = envoys(OWN, &admins, Details { subject: false, ..EVERYTHING });
    let admins_hash = hash(&admins[0]);
    let by_last = format!("Hash={admins_hash};Cert=\"{}\";URI={ADMIN};By={OWN}", encoded(&pem(&admins[..1])));

    let second_uri = format!("{EVIL};URI={ADMIN}");
    let plain = format!("{EVIL},By=x;URI={ADMIN}");
    let whole = format!("{EVIL},{copied}");
    let lower = format!("{EVIL},{}", copied.replace("By=", "by="));
    let last = format!("{EVIL},{by_last}");
    let in_dns = format!("a.example,{copied}");
    let uri_in_dns = format!("a.example;URI={ADMIN}");
    let cut = format!("{ADMIN};DNS=evil.example");
    let hidden = format!("{EVIL}\",{without_subject}");

    for attack in [
        Attack {
            what: "no attack",
            uri: EVIL,
            dns: &["a.example"],
            sent: "",
            details: EVERYTHING,
            expected: &[(Replaced, EVIL), (ReplacedVerified, EVIL), (Added, EVIL), (AddedVerified, EVIL)],
        },
        Attack {
            what: "the client's own words",
            uri: EVIL,
            dns: &[],
            sent: &copied.replace(OWN, "x"),
            details: EVERYTHING,
            expected: &[(Added, EVIL), (AddedVerified, EVIL)],
        },
        Attack {
            what: "the client's own words, as the proxy's",
            uri: EVIL,
            dns: &[],
            sent: &copied,
            details: EVERYTHING,
            expected: &[(Added, "xfcc_by_repeated"), (AddedVerified, "xfcc_by_repeated")],
        },
        Attack {
            what: "1a: a second URI",
            uri: &second_uri,
            dns: &[],
            sent: "",
            details: EVERYTHING,
            expected: &[
                (Replaced, "xfcc_many_uris"),
                (ReplacedVerified, "xfcc_names_mismatch"),
                (Added, "xfcc_many_uris"),
                (AddedVerified, "xfcc_names_mismatch"),
            ],
        },
        Attack {
            what: "1b: another element",
            uri: &plain,
            dns: &[],
            sent: "",
            details: EVERYTHING,
            expected: &[
                (Replaced, "xfcc_not_one_element"),
                (ReplacedVerified, "xfcc_not_one_element"),
                (Added, "xfcc_by_mismatch"),
                (AddedVerified, "xfcc_names_mismatch"),
            ],
        },
        Attack {
            what: "1c: a copied element in the URI",
            uri: &whole,
            dns: &[],
            sent: "",
            details: EVERYTHING,
            expected: &[
                (Replaced, "xfcc_not_one_element"),
                (ReplacedVerified, "xfcc_not_one_element"),
                (Added, "xfcc_by_repeated"),
                (AddedVerified, "xfcc_names_mismatch"),
            ],
        },
        Attack {
            what: "1c, where the proxy writes no certificate, so that only the copied one is there",
            uri: &whole,
            dns: &[],
            sent: "",
            details: NAMES,
            expected: &[(Added, "xfcc_by_repeated"), (AddedVerified, "xfcc_by_repeated")],
        },
        Attack {
            what: "1c with another spelling of By",
            uri: &lower,
            dns: &[],
            sent: "",
            details: NAMES,
            expected: &[(Added, "xfcc_by_repeated"), (AddedVerified, "xfcc_by_repeated")],
        },
        Attack {
            what: "1c with By at its end",
            uri: &last,
            dns: &[],
            sent: "",
            details: NAMES,
            expected: &[(Added, "xfcc_by_repeated"), (AddedVerified, "xfcc_by_repeated")],
        },
        Attack {
            what: "1d: a copied element in a DNS name",
            uri: EVIL,
            dns: &[&in_dns],
            sent: "",
            details: EVERYTHING,
            expected: &[
                (Replaced, "xfcc_not_one_element"),
                (ReplacedVerified, "xfcc_not_one_element"),
                (Added, "xfcc_by_repeated"),
                (AddedVerified, "xfcc_names_mismatch"),
            ],
        },
        Attack {
            what: "1d: a second URI in a DNS name",
            uri: EVIL,
            dns: &[&uri_in_dns],
            sent: "",
            details: EVERYTHING,
            expected: &[
                (Replaced, "xfcc_many_uris"),
                (ReplacedVerified, "xfcc_names_mismatch"),
                (Added, "xfcc_many_uris"),
                (AddedVerified, "xfcc_names_mismatch"),
            ],
        },
        Attack {
            what: "a quote that the client opens and the URI closes, around what the proxy wrote",
            uri: &hidden,
            dns: &[],
            sent: "Subject=\"",
            details: BARE,
            expected: &[(Added, "xfcc_by_repeated"), (AddedVerified, "xfcc_by_repeated")],
        },
        Attack {
            what: "the same, where the proxy writes quotes of its own",
            uri: &hidden,
            dns: &[],
            sent: "Subject=\"",
            details: NAMES,
            expected: &[(Added, "xfcc_malformed"), (AddedVerified, "xfcc_malformed")],
        },
        Attack {
            what: "a name that goes on after the admin's",
            uri: &cut,
            dns: &[],
            sent: "",
            details: EVERYTHING,
            expected: &[(ReplacedVerified, "xfcc_names_mismatch"), (AddedVerified, "xfcc_names_mismatch")],
        },
    ] {
        attack.run(&ca);
    }
}

/// By its text alone this header is the admin's: only the certificate tells. Hence the advice to verify it, or to have an
/// authority that signs no such names.
#[test]
fn a_name_that_is_cut_is_found_by_the_certificate_alone() {
    let ca = Ca::new("court.example");
    let cut = format!("{ADMIN};DNS=evil.example");
    Attack {
        what: "",
        uri: &cut,
        dns: &[],
        sent: "",
        details: EVERYTHING,
        expected: &[(Replaced, ADMIN), (Added, ADMIN)],
    }
    .run(&ca);
}
