//! The catalogue of <https://github.com/arndt-s/spiffe-conformance-test-suite>, against the harness that the suite itself
//! would start (`spiffe-harness`), by the suite's method: each case says what it is called there, shows first that the
//! counterpart of what is to be refused is accepted, waits for a later update to know that an earlier one was seen, and takes
//! the harness's word on the wire for it.
//!
//! One case is decided otherwise than the catalogue suggests: `JB-5/missing-use`, which is optional. SPIRE's agent sends
//! keys without `use`, so they count.

mod bundles;
mod endpoint;
mod harness;
mod peers;
mod source;
mod tls;
mod tokens;

use std::future::Future;
use std::time::Duration;

use crate::mock::authority::{Authority, Issued};
use crate::mock::jwt::{JwtKey, jwks};
use crate::mock::{WorkloadApiMock, X509State};
use harness::Harness;

/// No case takes longer.
const CASE_LIMIT: Duration = Duration::from_secs(40);

const DOMAIN: &str = "test.example.org";
const FEDERATED: &str = "fed.example.org";
const OTHER: &str = "other.example.org";

/// Whom the validator is, in every case.
const AUDIENCE: &str = "conformance";

/// What the catalogue asks for and we do not do, with a reason.
const DECIDED_OTHERWISE: [&str; 1] = ["JB-5/missing-use"];

type Outcome = Result<(), String>;

fn ensure(condition: bool, otherwise: impl Into<String>) -> Outcome {
    if condition { Ok(()) } else { Err(otherwise.into()) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Must,
    Should,
    Optional,
}

use Level::{Must, Optional, Should};

/// What came of the cases.
#[derive(Debug, Default)]
struct Report {
    passed: Vec<(Level, String)>,
    failed: Vec<String>,
    otherwise: Vec<String>,
}

impl Report {
    async fn case(&mut self, level: Level, id: &str, run: impl Future<Output = Outcome>) {
        let outcome = tokio::time::timeout(CASE_LIMIT, run).await.unwrap_or_else(|_| Err("it takes too long".into()));
        match outcome {
            Ok(()) => {
                println!("PASS {id}");
                self.passed.push((level, id.into()));
            }
            Err(_) if level == Optional && DECIDED_OTHERWISE.contains(&id) => {
                println!("DECIDED OTHERWISE {id}");
                self.otherwise.push(id.into());
            }
            Err(why) => {
                println!("FAIL {id}: {why}");
                self.failed.push(format!("{id} ({level:?}): {why}"));
            }
        }
    }

    fn count(&self, level: Level) -> usize {
        self.passed.iter().filter(|(passed, _)| *passed == level).count()
    }
}

/// A harness, the Workload API that it follows, and the authority behind both.
struct Suite {
    ca: Authority,
    /// The key of the JWT-SVIDs that are good throughout.
    key: JwtKey,
    mock: WorkloadApiMock,
    harness: Harness,
    /// Whom the suite is when it connects.
    probe: Issued,
}

impl Suite {
    async fn start() -> Self {
        let (ca, mock) = (Authority::new(DOMAIN), WorkloadApiMock::unix());
        let key = JwtKey::new("default", "ES256");
        mock.push(&X509State { svids: vec![(&ca.issue("/workload"), "")], bundle: vec![ca.root()], federated: vec![] });
        let harness = Harness::spawn(mock.endpoint());
        harness.ready().await.unwrap();
        let probe = ca.issue("/probe");
        let suite = Self { ca, key, mock, harness, probe };
        suite.serve_jwt_bundles(&[]);
        suite
    }

    /// Serves `svid` alone, with the bundle of its own trust domain.
    fn serve(&self, svid: &Issued) {
        self.mock.push(&X509State { svids: vec![(svid, "")], bundle: vec![self.ca.root()], federated: vec![] });
    }

    /// Serves `state` with a new identity, and waits until it is shown: then the bundles count too.
    async fn apply(&self, name: &str, bundle: &[Vec<u8>], federated: &[(&str, Vec<Vec<u8>>)]) -> Outcome {
        let barrier = self.ca.issue(&format!("/barrier/{name}"));
        let state = X509State { svids: vec![(&barrier, "")], bundle: bundle.to_vec(), federated: federated.to_vec() };
        self.mock.push(&state);
        self.shows(&barrier).await
    }

    /// Waits until the harness shows `svid`.
    async fn shows(&self, svid: &Issued) -> Outcome {
        self.harness.shows(&self.ca, &self.probe, svid).await
    }

    /// Serves the default key, and the keys of other trust domains.
    fn serve_jwt_bundles(&self, others: &[(&str, Vec<u8>)]) {
        self.serve_own_keys(&[self.key.jwk_for("jwt-svid")], others);
    }

    fn serve_own_keys(&self, keys: &[serde_json::Value], others: &[(&str, Vec<u8>)]) {
        let own = (format!("spiffe://{DOMAIN}"), jwks(keys));
        let others = others.iter().map(|(domain, keys)| (format!("spiffe://{domain}"), keys.clone()));
        let all: Vec<_> = std::iter::once(own).chain(others).collect();
        let all: Vec<_> = all.iter().map(|(name, keys)| (name.as_str(), keys.clone())).collect();
        self.mock.push_jwt_bundles(&all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spiffe_conformance() {
    let mut report = Report::default();
    let suite = Suite::start().await;
    source::run(&suite, &mut report).await;
    peers::run(&suite, &mut report).await;
    tokens::run(&suite, &mut report).await;
    bundles::run(&suite, &mut report).await;
    endpoint::run_shared(&suite, &mut report).await;
    endpoint::run(&mut report).await;
    assert!(suite.mock.calls_of("ValidateJWTSVID").is_empty(), "the library validates by itself");
    let ended = suite.harness.terminate().await;
    assert_eq!(ended, Ok(()), "the harness ends when it is told to");

    println!(
        "conformance: {} MUST passed, {} SHOULD passed, {} optional passed; failed: {}; decided otherwise: {}",
        report.count(Must),
        report.count(Should),
        report.count(Optional),
        report.failed.len(),
        report.otherwise.join(", ")
    );
    assert_eq!(report.failed, [""; 0]);
    assert_eq!(report.otherwise, DECIDED_OTHERWISE);
    // Every case of the catalogue was run.
    assert_eq!([Must, Should, Optional].map(|level| report.count(level)), CATALOGUE);
}

/// How many cases there are of each level, variants counted.
const CATALOGUE: [usize; 3] = [114, 12, 14];
