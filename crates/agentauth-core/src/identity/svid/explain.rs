//! Every rule for an X.509-SVID, one by one: for a person who wants to know why a certificate is refused.

use rustls_pki_types::CertificateDer;

use super::leaf::{is_no_ca, may_authenticate, names_workload, parse, signs_no_certificates, spiffe_id};
use super::x509::{MAX_CHAIN, find_path};
use super::{SvidError, TrustBundles};
use crate::time::Timestamp;

/// A rule that every X.509-SVID must keep, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SvidRule {
    /// A chain of well-formed certificates that is not too long.
    Form,
    /// One URI name, which is a SPIFFE ID.
    Name,
    /// The SPIFFE ID has a path.
    Workload,
    /// The leaf is not a CA.
    NotCa,
    /// The leaf signs neither certificates nor CRLs.
    KeyUsage,
    /// The leaf may be used at both ends of a connection.
    ExtendedKeyUsage,
    /// There is a bundle for the trust domain that it names.
    TrustDomain,
    /// A path leads to a root of that trust domain, at this time.
    Path,
}

impl SvidRule {
    /// All rules, in the order in which they are checked.
    pub const ALL: [Self; 8] = [
        Self::Form,
        Self::Name,
        Self::Workload,
        Self::NotCa,
        Self::KeyUsage,
        Self::ExtendedKeyUsage,
        Self::TrustDomain,
        Self::Path,
    ];

    /// What the rule asks for.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Form => "a chain of 1 to 10 well-formed certificates",
            Self::Name => "exactly one URI name, which is a SPIFFE ID",
            Self::Workload => "the SPIFFE ID has a path: it names a workload",
            Self::NotCa => "the leaf is not a CA",
            Self::KeyUsage => "the leaf signs neither certificates nor CRLs",
            Self::ExtendedKeyUsage => "serverAuth and clientAuth, if any usage is named",
            Self::TrustDomain => "its trust domain has a bundle here",
            Self::Path => "a path to a root of its own trust domain, now",
        }
    }

    /// Where the rule comes from.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Form => "RFC 5280 §4.1",
            Self::Name => "X509-SVID §2",
            Self::Workload | Self::NotCa | Self::KeyUsage => "X509-SVID §5.2",
            Self::ExtendedKeyUsage => "X509-SVID §4.4",
            Self::TrustDomain => "SPIFFE Trust Domain and Bundle §3",
            Self::Path => "X509-SVID §5.1, RFC 5280 §6",
        }
    }
}

/// What came of one rule: kept, broken for this reason, or not reached because of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SvidOutcome {
    /// The chain keeps it.
    Passed,
    /// The chain breaks it.
    Failed(SvidError),
    /// It was not checked, because of an earlier one.
    NotReached,
}

/// What [`verify_x509_svid`](super::verify_x509_svid) makes of `chain`, rule by rule: every rule that can be checked, not
/// only those up to the first that is broken.
#[must_use]
pub fn explain_x509_svid(
    chain: &[CertificateDer<'_>],
    bundles: &TrustBundles,
    now: Timestamp,
) -> Vec<(SvidRule, SvidOutcome)> {
    let of = |result: Result<(), SvidError>| result.map_or_else(SvidOutcome::Failed, |()| SvidOutcome::Passed);
    let form = || {
        let (leaf, issuers) = chain.split_first().ok_or(SvidError::NoCertificate)?;
        if chain.len() > MAX_CHAIN { Err(SvidError::ChainTooLong) } else { Ok((leaf, parse(leaf)?, issuers)) }
    };
    let (leaf_der, leaf, issuers) = match form() {
        Ok(formed) => formed,
        Err(error) => return with_the_rest(vec![(SvidRule::Form, SvidOutcome::Failed(error))]),
    };
    let about_the_leaf = [
        (SvidRule::NotCa, of(is_no_ca(&leaf))),
        (SvidRule::KeyUsage, of(signs_no_certificates(&leaf))),
        (SvidRule::ExtendedKeyUsage, of(may_authenticate(&leaf))),
    ];
    let mut outcomes = vec![(SvidRule::Form, SvidOutcome::Passed)];
    match spiffe_id(&leaf) {
        Err(error) => {
            outcomes
                .extend([(SvidRule::Name, SvidOutcome::Failed(error)), (SvidRule::Workload, SvidOutcome::NotReached)]);
            outcomes.extend(about_the_leaf);
        }
        Ok(id) => {
            outcomes.extend([(SvidRule::Name, SvidOutcome::Passed), (SvidRule::Workload, of(names_workload(&id)))]);
            outcomes.extend(about_the_leaf);
            match bundles.x509_bundle_of(&id) {
                Err(error) => outcomes.push((SvidRule::TrustDomain, SvidOutcome::Failed(error))),
                Ok(bundle) => {
                    let path = find_path(leaf_der, &leaf, issuers, bundle, now).map(drop);
                    outcomes.extend([(SvidRule::TrustDomain, SvidOutcome::Passed), (SvidRule::Path, of(path))]);
                }
            }
        }
    }
    with_the_rest(outcomes)
}

fn with_the_rest(mut outcomes: Vec<(SvidRule, SvidOutcome)>) -> Vec<(SvidRule, SvidOutcome)> {
    let reached = outcomes.len();
    outcomes.extend(SvidRule::ALL.into_iter().skip(reached).map(|rule| (rule, SvidOutcome::NotReached)));
    outcomes
}
