//! What the log says of a new snapshot: what is new in it, and nothing else.

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::{TrustBundles, X509RootSummary};

use crate::Snapshot;

/// So many trust domains are named; a workload believes fewer, nearly always.
const MAX_NAMED: usize = 16;

/// Who this workload is from now on, if that is new.
pub(crate) fn of_identity(old: &Snapshot, new: &Snapshot) -> Option<String> {
    let identity = new.identity.as_ref().ok()?;
    if old.identity.as_ref().is_ok_and(|old| old.chain() == identity.chain()) {
        return None;
    }
    Some(format!("this workload is {}, by a certificate that ends at {}", identity.id(), identity.not_after()))
}

/// Whom it believes from now on, if that is new.
pub(crate) fn of_bundles(old: &Snapshot, new: &Snapshot) -> Option<String> {
    let believed = believed(&new.bundles);
    if believed == self::believed(&old.bundles) {
        return None;
    }
    if believed.is_empty() {
        return Some("no trust domain is believed any more".to_owned());
    }
    let text = |(domain, roots, keys): &(&TrustDomain, Vec<X509RootSummary>, usize)| {
        let plural = |count| if count == 1 { "" } else { "s" };
        let keys = if *keys == 0 { String::new() } else { format!(", {keys} JWT key{}", plural(*keys)) };
        format!("{domain} ({} root{}{keys})", roots.len(), plural(roots.len()))
    };
    let named: Vec<_> = believed.iter().take(MAX_NAMED).map(text).collect();
    let more = match believed.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(format!("believed from now on: {}{more}", named.join(", ")))
}

/// What tells the bundles of two snapshots apart.
fn believed(bundles: &TrustBundles) -> Vec<(&TrustDomain, Vec<X509RootSummary>, usize)> {
    // Of some it is only known that they trust nothing.
    let of = |domain: &TrustDomain| bundles.bundle(domain.as_str()).filter(|bundle| !bundle.is_empty());
    let domains = bundles.trust_domains().filter_map(of);
    domains.map(|bundle| (bundle.trust_domain(), bundle.x509_roots().collect(), bundle.jwt_key_count())).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agentauth_core::identity::svid::{IdentityUnavailable, TrustBundle, X509Identity};
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, SanType, date_time_ymd};
    use rustls_pki_types::PrivatePkcs8KeyDer;

    use super::*;

    fn identity() -> Arc<X509Identity> {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        params.subject_alt_names = vec![SanType::URI("spiffe://court.example/x".try_into().unwrap())];
        params.not_after = date_time_ymd(2049, 1, 1);
        let chain = vec![params.self_signed(&key).unwrap().der().clone()];
        Arc::new(X509Identity::new(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into()).unwrap())
    }

    fn bundles(domain: &str, roots: &[&str]) -> TrustBundles {
        let root = |name: &&str| {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, *name);
            params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
        };
        TrustBundles::new().with_der(domain.parse().unwrap(), &roots.iter().map(root).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn an_identity_is_news_once() {
        let (one, other) = (identity(), identity());
        let none = Snapshot::empty();
        let with = |identity: &Arc<X509Identity>| Snapshot::new(Ok(identity.clone()), TrustBundles::new());
        let told = "this workload is spiffe://court.example/x, by a certificate that ends at 2049-01-01T00:00:00Z";
        for (old, new, expected) in [
            (&none, with(&one), Some(told)),
            (&with(&one), with(&other), Some(told)),
            (&with(&one), with(&one), None),
            (&with(&one), Snapshot::new(Ok(one.clone()), bundles("a.example", &["x"])), None),
            (&with(&one), Snapshot::new(Err(IdentityUnavailable::Withdrawn), TrustBundles::new()), None),
        ] {
            assert_eq!(of_identity(old, &new).as_deref(), expected);
        }
    }

    #[test]
    fn bundles_are_news_when_what_they_hold_is() {
        let with = |bundles: &TrustBundles| Snapshot::new(Ok(identity()), bundles.clone());
        let (none, one, two) = (TrustBundles::new(), bundles("a.example", &["x"]), bundles("a.example", &["x", "y"]));
        let other = bundles("a.example", &["z"]);
        let empty = TrustBundles::new().with_bundle(TrustBundle::new("a.example".parse().unwrap())).unwrap();
        for (old, new, expected) in [
            (&none, &none, None),
            (&none, &one, Some("believed from now on: a.example (1 root)")),
            (&one, &one, None),
            (&one, &two, Some("believed from now on: a.example (2 roots)")),
            (&one, &other, Some("believed from now on: a.example (1 root)")),
            (&one, &none, Some("no trust domain is believed any more")),
            (&one, &empty, Some("no trust domain is believed any more")),
            (&none, &empty, None),
        ] {
            assert_eq!(of_bundles(&with(old), &with(new)).as_deref(), expected);
        }
        let many = (0..18).fold(TrustBundles::new(), |all, n| {
            let bundle = bundles(&format!("d{n:02}.example"), &["x"]);
            all.with_bundle(bundle.bundle(&format!("d{n:02}.example")).unwrap().clone()).unwrap()
        });
        assert!(of_bundles(&with(&none), &with(&many)).unwrap().ends_with("d15.example (1 root), and 2 more"));
    }
}
