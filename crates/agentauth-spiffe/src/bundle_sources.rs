//! Several sources of bundles as one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::{BundleSource, TrustBundles};
use arc_swap::ArcSwap;

/// The bundles of several sources, each trust domain's from one of them: the first that knows it, in the order in
/// which they were named. Bundles are never merged.
///
/// A source that has known a trust domain once speaks for it from then on: if it withdraws the bundle, a later source
/// does not bring it back. Name first what you have configured by hand.
#[derive(Clone)]
pub struct BundleSources(Arc<Inner>);

struct Inner {
    sources: Vec<Arc<dyn BundleSource>>,
    latest: ArcSwap<Joined>,
    /// The number of the source that speaks for each trust domain.
    speakers: Mutex<BTreeMap<TrustDomain, usize>>,
}

/// What the sources have said, and what it amounts to.
#[derive(Default)]
struct Joined {
    said: Vec<TrustBundles>,
    bundles: TrustBundles,
}

impl BundleSources {
    /// No source: nobody is trusted.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Vec::new())
    }

    /// One more source, for the trust domains that those before it do not know.
    #[must_use]
    pub fn or(self, source: impl BundleSource + 'static) -> Self {
        let mut sources = self.0.sources.clone();
        sources.push(Arc::new(source));
        Self::of(sources)
    }

    fn of(sources: Vec<Arc<dyn BundleSource>>) -> Self {
        Self(Arc::new(Inner { sources, latest: ArcSwap::default(), speakers: Mutex::default() }))
    }
}

impl Default for BundleSources {
    fn default() -> Self {
        Self::new()
    }
}

impl BundleSource for BundleSources {
    /// As long as no source says anything new, pointers are compared and one is copied.
    fn bundles(&self) -> TrustBundles {
        let latest = self.0.latest.load();
        let is_same = |(source, said): (&Arc<dyn BundleSource>, &TrustBundles)| source.bundles().is_clone_of(said);
        if latest.said.len() == self.0.sources.len() && self.0.sources.iter().zip(&latest.said).all(is_same) {
            return latest.bundles.clone();
        }
        self.0.join()
    }
}

impl Inner {
    fn join(&self) -> TrustBundles {
        // Nothing panics while it has the lock; if it did, what is known of the speakers would still hold.
        let mut speakers = self.speakers.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked under the lock, so that what is older never takes the place of what is newer.
        let said: Vec<TrustBundles> = self.sources.iter().map(BundleSource::bundles).collect();
        for (number, domain) in
            said.iter().enumerate().flat_map(|(number, said)| said.trust_domains().map(move |domain| (number, domain)))
        {
            let speaker = speakers.entry(domain.clone()).or_insert(number);
            *speaker = number.min(*speaker);
        }
        let spoken = speakers.iter().filter_map(|(domain, number)| said.get(*number)?.bundle(domain.as_str()));
        let bundles =
            spoken.fold(TrustBundles::new(), |all, bundle| all.clone().with_bundle(bundle.clone()).unwrap_or(all));
        self.latest.store(Arc::new(Joined { said, bundles: bundles.clone() }));
        bundles
    }
}

impl fmt::Debug for BundleSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BundleSources").field(&self.0.sources).finish()
    }
}

#[cfg(test)]
mod tests {
    use agentauth_core::identity::svid::TrustBundle;

    use super::*;

    /// A source that the test turns.
    #[derive(Debug, Clone, Default)]
    struct Turned(Arc<Mutex<TrustBundles>>);

    impl Turned {
        /// Says that it has a bundle of each of these trust domains, with this sequence number.
        fn say(&self, number: u64, domains: &[&str]) {
            let bundle = |domain: &&str| {
                let document = format!(r#"{{"keys":[],"spiffe_sequence":{number}}}"#);
                TrustBundle::from_spiffe(domain.parse().unwrap(), document.as_bytes()).unwrap()
            };
            let bundles = domains.iter().map(bundle);
            *self.0.lock().unwrap() = bundles.fold(TrustBundles::new(), |all, bundle| all.with_bundle(bundle).unwrap());
        }
    }

    impl BundleSource for Turned {
        fn bundles(&self) -> TrustBundles {
            self.0.lock().unwrap().clone()
        }
    }

    /// The trust domains, with the sequence numbers of their bundles.
    fn known(sources: &BundleSources) -> Vec<(String, u64)> {
        let bundles = sources.bundles();
        let number = |domain: &TrustDomain| bundles.bundle(domain.as_str()).unwrap().sequence().unwrap();
        bundles.trust_domains().map(|domain| (domain.to_string(), number(domain))).collect()
    }

    fn of(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(domain, number)| ((*domain).to_owned(), *number)).collect()
    }

    #[test]
    fn the_first_source_that_knows_a_trust_domain_speaks_for_it() {
        let (first, second) = (Turned::default(), Turned::default());
        let sources = BundleSources::new().or(first.clone()).or(second.clone());
        assert_eq!(known(&sources), []);
        second.say(2, &["a.example", "b.example"]);
        assert_eq!(known(&sources), of(&[("a.example", 2), ("b.example", 2)]));
        first.say(1, &["b.example", "c.example"]);
        assert_eq!(known(&sources), of(&[("a.example", 2), ("b.example", 1), ("c.example", 1)]));
        // What it withdraws, no other brings back; what it has never known, another may.
        first.say(3, &["c.example"]);
        assert_eq!(known(&sources), of(&[("a.example", 2), ("c.example", 3)]));
        second.say(4, &["a.example", "b.example", "c.example", "d.example"]);
        assert_eq!(known(&sources), of(&[("a.example", 4), ("c.example", 3), ("d.example", 4)]));
        first.say(5, &["b.example"]);
        assert_eq!(known(&sources), of(&[("a.example", 4), ("b.example", 5), ("d.example", 4)]));
        assert_eq!(known(&BundleSources::new()), []);
    }

    #[test]
    fn what_does_not_change_is_not_made_again() {
        let source = Turned::default();
        source.say(1, &["a.example"]);
        let sources = BundleSources::new().or(source.clone());
        let before = sources.bundles();
        assert!(before.is_clone_of(&sources.bundles()) && before.is_clone_of(&sources.clone().bundles()));
        source.say(1, &["a.example"]);
        assert!(!before.is_clone_of(&sources.bundles()));
    }
}
