use std::fmt::Write as _;

use agentauth_core::Timestamp;
use agentauth_core::identity::svid::{IdentityUnavailable, TrustBundles, X509Identity};
use serde::Serialize;

use crate::Look;
use crate::look::Mark;
use crate::text::{counted, relative, shown};

/// What a platform says at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    identity: Option<Identity>,
    /// Why there is no identity: a code.
    no_identity: Option<&'static str>,
    bundles: Vec<Bundle>,
    problems: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Identity {
    id: String,
    not_before: Timestamp,
    not_after: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Bundle {
    trust_domain: String,
    x509_roots: usize,
    jwt_keys: usize,
}

/// What is wrong at present.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Problem {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// Something that goes wrong again and again is not news each time, though it may be worded otherwise.
impl PartialEq for Problem {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for Problem {}

/// A report, and when it was made: one line of JSON.
#[derive(Serialize)]
pub(super) struct Dated<'r> {
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) report: &'r Report,
}

impl Report {
    /// What is known before anything has come.
    pub(super) fn nothing() -> Self {
        Self::new(Err(IdentityUnavailable::NotYet), &TrustBundles::new(), Vec::new())
    }

    pub(super) fn new(
        identity: Result<&X509Identity, IdentityUnavailable>,
        bundles: &TrustBundles,
        problems: Vec<Problem>,
    ) -> Self {
        let bundle = |domain: &str| {
            bundles.bundle(domain).map(|bundle| Bundle {
                trust_domain: domain.to_owned(),
                x509_roots: bundle.x509_root_count(),
                jwt_keys: bundle.jwt_key_count(),
            })
        };
        Self {
            identity: identity.ok().map(|identity| Identity {
                id: identity.id().to_string(),
                not_before: identity.not_before(),
                not_after: identity.not_after(),
            }),
            no_identity: identity.err().map(IdentityUnavailable::code),
            bundles: bundles.trust_domains().filter_map(|domain| bundle(domain.as_str())).collect(),
            problems,
        }
    }

    /// One line for the identity, one for the bundles, and one for each thing that is wrong.
    pub(super) fn text(&self, at: Timestamp, look: Look) -> String {
        let mut text = match (&self.identity, self.no_identity) {
            (Some(identity), _) => {
                let left = relative(identity.not_after.secs(), at.secs());
                let id = look.title(&identity.id).into_owned();
                format!("{} {at}  {id}, until {} ({left})\n", look.mark(Mark::Passed), identity.not_after)
            }
            (None, code) => {
                format!("{} {at}  no identity ({})\n", look.mark(Mark::Failed), code.unwrap_or_default())
            }
        };
        let bundles: Vec<_> = self.bundles.iter().map(Bundle::text).collect();
        let believed = if bundles.is_empty() { "nobody".to_owned() } else { bundles.join(", ") };
        // Writing to a string does not fail.
        let _ = writeln!(text, "    believes {believed}");
        for Problem { code, message } in &self.problems {
            let _ = writeln!(text, "    {}: {} ({code})", look.warning("problem"), shown(message));
        }
        text
    }
}

impl Bundle {
    fn text(&self) -> String {
        let keys = [(self.x509_roots, "root", "roots"), (self.jwt_keys, "JWT key", "JWT keys")];
        let keys: Vec<_> = keys
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| counted(count, one, many))
            .collect();
        let keys = if keys.is_empty() { "nothing, so nobody".to_owned() } else { keys.join(", ") };
        format!("{} ({keys})", self.trust_domain)
    }
}
