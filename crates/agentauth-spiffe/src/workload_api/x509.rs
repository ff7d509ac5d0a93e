//! What a message of `FetchX509SVID` says (SPIFFE_Workload_API.md §5.2.1).

use std::collections::BTreeMap;

use agentauth_core::identity::svid::{BundleError, TrustBundle, TrustBundles, X509Identity, verify_x509_svid};
use agentauth_core::{Excerpt, SpiffeId, Timestamp, TrustDomain};

use super::WorkloadApiError;
use super::rpc::{X509SvidMessage, X509SvidResponse};

/// The roots of each trust domain, as they came: certificates one after the other.
pub(super) type Roots = BTreeMap<TrustDomain, Vec<u8>>;

/// What a message says: the whole state, so that what it does not mention is gone.
#[derive(Debug)]
pub(super) struct X509State {
    pub(super) identity: Selected,
    /// All identities of this workload: each SPIFFE ID, and its hint.
    pub(super) names: Vec<(String, String)>,
    pub(super) roots: Roots,
    /// Federated bundles that could not be read.
    pub(super) left_out: Vec<WorkloadApiError>,
}

/// The SVID that was asked for.
#[derive(Debug)]
pub(super) enum Selected {
    Good(X509Identity),
    /// It is no identity, and the last good one is better than it.
    Unusable(WorkloadApiError),
    /// There is none any more.
    Gone(WorkloadApiError),
}

/// Reads a message. The SVID is the first, or the first with the hint `wanted`.
///
/// A message with an empty mandatory field is discarded whole (§4.5), and so is one whose identities or bundles cannot be
/// read. If it is only the SVID that is no good, its bundles count nevertheless: they may say that a root is gone.
pub(super) fn read(
    message: X509SvidResponse,
    wanted: Option<&str>,
    now: Timestamp,
) -> Result<X509State, WorkloadApiError> {
    if message.svids.is_empty() {
        return Err(WorkloadApiError::FieldEmpty("svids"));
    }
    message.svids.iter().try_for_each(check_fields)?;
    let mut roots = Roots::new();
    for svid in &message.svids {
        let id: SpiffeId = svid.spiffe_id.parse().map_err(|_| WorkloadApiError::FieldMalformed("spiffe_id"))?;
        let domain = id.trust_domain();
        bundle(&domain, &svid.bundle).map_err(|_| WorkloadApiError::FieldMalformed("bundle"))?;
        // Bundles are never merged: the default identity's comes first.
        roots.entry(domain).or_insert_with(|| svid.bundle.clone());
    }
    let mut left_out = Vec::new();
    for (name, certificates) in message.federated_bundles {
        match trust_domain(&name) {
            Some(domain) if bundle(&domain, &certificates).is_ok() => {
                roots.entry(domain).or_insert(certificates);
            }
            _ => left_out.push(WorkloadApiError::Bundle(Excerpt::of(&name))),
        }
    }
    let names = message.svids.iter().map(|svid| (svid.spiffe_id.clone(), svid.hint.clone())).collect();
    let identity = match message.svids.into_iter().find(|svid| wanted.is_none_or(|hint| svid.hint == hint)) {
        None => Selected::Gone(WorkloadApiError::HintUnknown(Excerpt::of(wanted.unwrap_or_default()))),
        Some(svid) => match identity(svid, &roots, now) {
            Ok(identity) => Selected::Good(identity),
            Err(error) => Selected::Unusable(error),
        },
    };
    Ok(X509State { identity, names, roots, left_out })
}

fn check_fields(svid: &X509SvidMessage) -> Result<(), WorkloadApiError> {
    let fields = [
        ("spiffe_id", svid.spiffe_id.is_empty()),
        ("x509_svid", svid.x509_svid.is_empty()),
        ("x509_svid_key", svid.x509_svid_key.is_empty()),
        ("bundle", svid.bundle.is_empty()),
    ];
    match fields.into_iter().find(|(_, is_empty)| *is_empty) {
        Some((name, _)) => Err(WorkloadApiError::FieldEmpty(name)),
        None => Ok(()),
    }
}

/// The name of a bundle: the SPIFFE ID of its trust domain.
pub(super) fn trust_domain(name: &str) -> Option<TrustDomain> {
    let id: SpiffeId = name.parse().ok()?;
    id.path().is_empty().then(|| id.trust_domain())
}

/// The bundle of `domain`. What holds no certificate that can be a root trusts nothing, and says so.
pub(super) fn bundle(domain: &TrustDomain, certificates: &[u8]) -> Result<TrustBundle, BundleError> {
    if certificates.is_empty() {
        return Ok(TrustBundle::new(domain.clone()));
    }
    match TrustBundle::from_concatenated_der(domain.clone(), certificates) {
        Err(BundleError::NoRoot(domain)) => Ok(TrustBundle::new(domain)),
        bundle => bundle,
    }
}

/// The identity that an SVID is, if those who trust its bundle will believe it.
fn identity(svid: X509SvidMessage, roots: &Roots, now: Timestamp) -> Result<X509Identity, WorkloadApiError> {
    let identity = X509Identity::from_der(&svid.x509_svid, svid.x509_svid_key)?;
    if identity.id().as_str() != svid.spiffe_id {
        return Err(WorkloadApiError::IdMismatch);
    }
    let mut bundles = roots.iter().filter_map(|(domain, certificates)| bundle(domain, certificates).ok());
    let bundles = bundles.try_fold(TrustBundles::new(), TrustBundles::with_bundle).unwrap_or_default();
    // One that begins a moment from now is good then; if it were refused, none might come for a long time.
    verify_x509_svid(identity.chain(), &bundles, now.max(identity.not_before()))?;
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence, as certificates are; none can be a root.
    const NO_ROOT: [u8; 2] = [0x30, 0];

    #[test]
    fn a_bundle_that_cannot_be_read_is_reported() {
        let svid = X509SvidMessage {
            spiffe_id: "spiffe://court.example/agent/lawyer".into(),
            x509_svid: NO_ROOT.into(),
            x509_svid_key: NO_ROOT.into(),
            bundle: NO_ROOT.into(),
            hint: String::new(),
        };
        let federated = [
            ("spiffe://good.example", &NO_ROOT[..]),
            ("spiffe://empty.example", &[]),
            ("spiffe://broken.example", &[0x30, 1]),
            ("spiffe://path.example/x", &NO_ROOT),
        ];
        let federated_bundles =
            federated.into_iter().map(|(name, bundle)| (name.to_owned(), bundle.to_vec())).collect();
        let message = X509SvidResponse { svids: vec![svid], crl: vec![], federated_bundles };
        let state = read(message, None, Timestamp::from_secs(1_800_000_000)).unwrap();

        let mut left_out: Vec<_> = state.left_out.iter().map(|error| (error.code(), error.to_string())).collect();
        left_out.sort();
        assert!(left_out.iter().all(|(code, _)| *code == "workload_api_bundle_malformed"), "{left_out:?}");
        assert!(left_out[0].1.contains("broken.example") && left_out[1].1.contains("path.example"), "{left_out:?}");
        assert_eq!(left_out.len(), 2);
        let domains: Vec<_> = state.roots.keys().map(TrustDomain::as_str).collect();
        assert_eq!(domains, ["court.example", "empty.example", "good.example"]);
    }
}
