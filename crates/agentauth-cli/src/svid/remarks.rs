//! What helps to find out why a certificate is refused: what the rule was compared with.

use agentauth_core::identity::svid::{TrustBundles, named_spiffe_id};
use agentauth_core::{Excerpt, SpiffeId, Timestamp};
use rustls_pki_types::CertificateDer;

use super::certificate::Certificate;
use crate::text::relative;

/// So many roots and trust domains are named; an operator has fewer, nearly always.
const MAX_NAMED: usize = 5;

/// Remarks on the refusal with `code` of `chain`, by `bundles`, at the time `at`.
pub(super) fn remarks(code: &str, chain: &[CertificateDer<'_>], bundles: &TrustBundles, at: Timestamp) -> Vec<String> {
    let id = chain.first().and_then(named_spiffe_id);
    match (code, id) {
        ("svid_expired" | "svid_not_yet_valid", _) => out_of_time(chain, at),
        ("svid_unknown_issuer", Some(id)) => unknown_issuer(chain, &id, bundles, at),
        ("svid_unknown_trust_domain", Some(id)) => {
            let given = some_of(bundles.trust_domains().map(ToString::to_string));
            vec![format!("the certificate names {}; bundles are given of {given}", id.trust_domain())]
        }
        _ => Vec::new(),
    }
}

/// Which certificates are not valid at the time.
fn out_of_time(chain: &[CertificateDer<'_>], at: Timestamp) -> Vec<String> {
    let told = |(index, der): (usize, &CertificateDer<'_>)| {
        let certificate = Certificate::of(der);
        let name = match (index, certificate.uris.first()) {
            (0, Some(uri)) => format!("the leaf, {},", Excerpt::of(uri)),
            (0, None) => "the leaf".to_owned(),
            (index, _) => {
                format!("certificate {} of the chain, {},", index.saturating_add(1), Excerpt::of(&certificate.subject))
            }
        };
        let span = |time: Timestamp| relative(time.secs(), at.secs());
        match (certificate.not_before, certificate.not_after) {
            (_, Some(end)) if end < at => Some(format!("{name} ended at {end} ({})", span(end))),
            (Some(begin), _) if begin > at => Some(format!("{name} begins at {begin} ({})", span(begin))),
            _ => None,
        }
    };
    chain.iter().enumerate().filter_map(told).collect()
}

/// Who is named above the chain, and who stands there.
fn unknown_issuer(chain: &[CertificateDer<'_>], id: &SpiffeId, bundles: &TrustBundles, at: Timestamp) -> Vec<String> {
    let certificates: Vec<_> = chain.iter().map(Certificate::of).collect();
    let issuer = match wanted(&certificates) {
        "" => "(empty)",
        issuer => issuer,
    };
    let Some(bundle) = bundles.bundle(id.trust_domain_name()) else { return Vec::new() };
    let roots = bundle.x509_roots().map(|root| match root {
        root if root.not_after < at => format!("{} (ended at {})", root.subject, root.not_after),
        root if root.not_before > at => format!("{} (begins at {})", root.subject, root.not_before),
        root => root.subject.to_string(),
    });
    vec![
        format!("its chain ends in a certificate whose issuer is {}", Excerpt::of(issuer)),
        format!("the bundle of {} has the roots {}", id.trust_domain(), some_of(roots)),
    ]
}

/// The issuer that is not in the chain, from the leaf upwards.
fn wanted(certificates: &[Certificate]) -> &str {
    let mut issuer = certificates.first().map(|leaf| leaf.issuer.as_str()).unwrap_or_default();
    // Once for each certificate: they could name each other in a circle.
    for _ in certificates {
        match certificates.iter().skip(1).find(|above| above.subject == issuer && above.issuer != issuer) {
            Some(above) => issuer = &above.issuer,
            None => break,
        }
    }
    issuer
}

/// The first of `names`, and how many more there are.
fn some_of(names: impl Iterator<Item = String>) -> String {
    let mut names = names.peekable();
    if names.peek().is_none() {
        return "nobody".to_owned();
    }
    let first: Vec<_> = names.by_ref().take(MAX_NAMED).collect();
    match names.count() {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}
