//! Federation without sockets: endpoints are a table, and the clock is the runtime's, which jumps to the next timer.

mod following;
mod keeping;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agentauth_core::identity::svid::BundleSource as _;
use agentauth_core::{Clock, Timestamp};
use bytes::Bytes;
use http::{StatusCode, Uri};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use super::builder::follow;
use super::fetch::Fetch;
use super::shared::Shared;
use super::store::Store;
use super::{FederatedBundles, FederationEndpoint, FederationError, FederationStatus, Running};

const NOW: u64 = 1_800_000_000;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The runtime's time, put forward or back.
#[derive(Debug)]
struct Hands {
    start: Instant,
    offset: AtomicI64,
}

impl Hands {
    fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), offset: AtomicI64::new(0) })
    }

    fn put(&self, seconds: i64) {
        self.offset.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        let now = NOW.saturating_add_signed(self.offset.load(Ordering::SeqCst));
        Timestamp::from_secs(now).plus(self.start.elapsed())
    }
}

/// What each trust domain publishes. Without an answer, its endpoint is down.
#[derive(Debug, Clone)]
struct Web(Arc<Site>);

#[derive(Debug)]
struct Site {
    start: Instant,
    answers: Mutex<BTreeMap<&'static str, String>>,
    /// Who was asked, and in which second.
    asked: Mutex<Vec<(&'static str, u64)>>,
    /// While it is held, nobody is answered.
    held: watch::Sender<bool>,
}

impl Web {
    fn new() -> Self {
        let held = watch::Sender::new(false);
        Self(Arc::new(Site { start: Instant::now(), answers: Mutex::default(), asked: Mutex::default(), held }))
    }

    fn put(&self, domain: &'static str, bundle: impl Into<String>) {
        self.0.answers.lock().unwrap().insert(domain, bundle.into());
    }

    fn take_down(&self, domain: &str) {
        self.0.answers.lock().unwrap().remove(domain);
    }

    fn hold(&self, is_held: bool) {
        self.0.held.send_replace(is_held);
    }

    /// The seconds in which `domain` was asked since the last time.
    fn asked(&self, domain: &str) -> Vec<u64> {
        let mut asked = self.0.asked.lock().unwrap();
        let (this, others) = asked.drain(..).partition(|(name, _)| *name == domain);
        *asked = others;
        Vec::into_iter(this).map(|(_, second)| second).collect()
    }

    fn follow(&self, domains: &[&'static str], clock: &Arc<Hands>) -> FederatedBundles {
        self.follow_by(domains, clock, super::schedule::KEEP, None)
    }

    fn follow_by(
        &self,
        domains: &[&'static str],
        clock: &Arc<Hands>,
        keep: Duration,
        store: Option<&Path>,
    ) -> FederatedBundles {
        let shared = Arc::new(Shared::new(clock.clone(), keep));
        let followed = domains.iter().map(|domain| {
            let endpoint = FederationEndpoint::https_web(domain.parse().unwrap(), "https://bundles.example/");
            let store = store.map(|store| Store::new(store, &endpoint.domain));
            follow(&endpoint, Endpoint { domain, web: self.clone() }, store, &shared, &Handle::current())
        });
        let followed = followed.collect();
        FederatedBundles(Arc::new(Running { shared, followed }))
    }
}

struct Endpoint {
    domain: &'static str,
    web: Web,
}

impl Fetch for Endpoint {
    async fn fetch(&self) -> Result<Bytes, FederationError> {
        let site = &*self.web.0;
        site.asked.lock().unwrap().push((self.domain, site.start.elapsed().as_secs()));
        _ = site.held.subscribe().wait_for(|is_held| !is_held).await;
        let uri = Uri::from_static("https://bundles.example/");
        let down = agentauth_tower::client::FetchError::Status { uri, status: StatusCode::BAD_GATEWAY };
        site.answers.lock().unwrap().get(self.domain).cloned().map(Bytes::from).ok_or_else(|| down.into())
    }
}

/// A bundle with so many roots of their own, and other members as they are given.
fn bundle(roots: usize, members: &str) -> String {
    let root = || {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        format!(r#"{{"kty":"EC","use":"x509-svid","x5c":["{base64}"]}}"#)
    };
    let roots: Vec<_> = std::iter::repeat_with(root).take(roots).collect();
    format!(r#"{{"keys":[{}]{members}}}"#, roots.join(","))
}

/// The trust domains that are believed, with their number of roots.
fn believed(bundles: &FederatedBundles) -> Vec<(String, usize)> {
    let bundles = bundles.bundles();
    let all = bundles
        .trust_domains()
        .map(|domain| (domain.to_string(), bundles.bundle(domain.as_str()).unwrap().x509_root_count()));
    all.collect()
}

fn of(domain: &str, roots: usize) -> Vec<(String, usize)> {
    vec![(domain.to_owned(), roots)]
}

fn code(status: &FederationStatus) -> Option<&'static str> {
    status.failure.as_ref().map(|failure| failure.error.code())
}

/// Lets `time` pass, and what is due at its end be done.
async fn pass(time: Duration) {
    tokio::time::sleep(time + Duration::from_millis(10)).await;
}
