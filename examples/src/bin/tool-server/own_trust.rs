//! Whether agents of this server's own trust domain can prove themselves, as nearly always is meant.

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::{BundleSource, IdentitySource, TrustBundles};
use agentauth_spiffe::files::FileSource;
use agentauth_spiffe::{BundleSources, Changes, WorkloadApi};

use crate::options::Options;

/// So many bundles are named: enough to see which name is misspelt.
const MAX_NAMED: usize = 8;

/// Warns of it now, and whenever it changes, if this server has an SVID.
pub(crate) fn follow(options: &Options, files: Option<&FileSource>) {
    let api = options.workload_api.source();
    if options.spiffe.svid_dir.is_none() && api.is_none() {
        return;
    }
    let bundles = files.cloned().into_iter().fold(BundleSources::new(), BundleSources::or);
    let bundles = api.iter().cloned().fold(bundles, BundleSources::or);
    let sources = Sources { files: files.cloned(), api, bundles };
    // From here on no change is missed.
    let mut of_files = sources.files.as_ref().map(FileSource::changes);
    let mut of_api = sources.api.as_ref().map(WorkloadApi::changes);
    let mut said = sources.warn(None);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = next(&mut of_files) => {}
                () = next(&mut of_api) => {}
            }
            said = sources.warn(said.as_deref());
        }
    });
}

/// What says who this server is, and whom it believes.
struct Sources {
    files: Option<FileSource>,
    api: Option<WorkloadApi>,
    bundles: BundleSources,
}

impl Sources {
    /// Says what is wrong, if it is not what was `said` last.
    fn warn(&self, said: Option<&str>) -> Option<String> {
        let identity = match (&self.api, &self.files) {
            (Some(api), _) => api.identity().ok(),
            (None, files) => files.as_ref().and_then(|files| files.identity().ok()),
        };
        let problem = problem(identity.map(|identity| identity.id().trust_domain()).as_ref(), &self.bundles.bundles());
        if let Some(problem) = problem.as_ref().filter(|problem| Some(problem.as_str()) != said) {
            tracing::warn!("{problem}");
        }
        problem
    }
}

/// The next change; never, where there is no source.
async fn next(changes: &mut Option<Changes>) {
    let news = match changes {
        Some(changes) => changes.next().await,
        None => None,
    };
    if news.is_none() {
        std::future::pending::<()>().await;
    }
}

/// What is wrong with `bundles` for a server of the trust domain `own`.
fn problem(own: Option<&TrustDomain>, bundles: &TrustBundles) -> Option<String> {
    let mut domains = bundles.trust_domains().map(TrustDomain::as_str);
    let named: Vec<_> = domains.by_ref().take(MAX_NAMED).collect();
    if named.is_empty() {
        return Some("no bundle at all: no agent is believed".into());
    }
    let own = own.filter(|own| !bundles.trusts(own.as_str()))?;
    if bundles.bundle(own.as_str()).is_some() {
        return Some(format!(
            "the bundle of this server's own trust domain {own} has no roots; its agents are refused"
        ));
    }
    let named = named.join(", ") + if domains.next().is_some() { ", ..." } else { "" };
    Some(format!("no bundle for this server's own trust domain {own} (bundles: {named}); its agents are refused"))
}

#[cfg(test)]
mod tests {
    use agentauth_core::identity::svid::TrustBundle;
    use agentauth_examples::ca::Ca;

    use super::*;

    #[test]
    fn a_server_that_believes_nobody_of_its_own_domain_is_told_apart() {
        let domain = |name: &str| name.parse::<TrustDomain>().unwrap();
        let own = domain("court.example");
        let root = |name: &str| Ca::new(name).unwrap().bundles().unwrap();
        let empty = |name: &str| TrustBundles::new().with_bundle(TrustBundle::new(domain(name))).unwrap();
        let many = (0..9).fold(TrustBundles::new(), |all, n| {
            all.with_bundle(TrustBundle::new(domain(&format!("d{n}.example")))).unwrap()
        });
        let nobody = Some("no bundle at all: no agent is believed");
        for (own, bundles, expected) in [
            (Some(&own), root("court.example"), None),
            (Some(&own), TrustBundles::new(), nobody),
            (None, TrustBundles::new(), nobody),
            (None, root("court.exmaple"), None),
            (
                Some(&own),
                root("court.exmaple"),
                Some(
                    "no bundle for this server's own trust domain court.example (bundles: court.exmaple); its agents are \
                     refused",
                ),
            ),
            (
                Some(&own),
                empty("court.example"),
                Some("the bundle of this server's own trust domain court.example has no roots; its agents are refused"),
            ),
            (
                Some(&own),
                many,
                Some(
                    "no bundle for this server's own trust domain court.example (bundles: d0.example, d1.example, \
                     d2.example, d3.example, d4.example, d5.example, d6.example, d7.example, ...); its agents are refused",
                ),
            ),
        ] {
            assert_eq!(problem(own, &bundles).as_deref(), expected);
        }
    }
}
