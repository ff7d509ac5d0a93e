//! The source that follows a Workload API, against one whose every answer a test decides.

mod identity;
mod jwt_svids;
mod messages;
mod streams;

use std::time::Duration;

use agentauth_core::identity::svid::{BundleSource as _, IdentitySource as _};
use agentauth_spiffe::workload_api::{WorkloadApiBuilder, WorkloadApiError};
use agentauth_spiffe::{Changes, Snapshot, WorkloadApi};

use crate::mock::authority::{Authority, Issued};
use crate::mock::{WorkloadApiMock, X509State};

/// How long a test waits for what is to happen.
const PATIENCE: Duration = Duration::from_secs(15);

const DOMAIN: &str = "court.example";

fn builder(mock: &WorkloadApiMock) -> WorkloadApiBuilder {
    WorkloadApi::builder().endpoint(mock.endpoint()).ready_within(PATIENCE)
}

/// A mock whose workload is `path`, and a source that has learned it.
async fn ready(ca: &Authority, path: &str) -> (WorkloadApiMock, WorkloadApi) {
    let mock = WorkloadApiMock::unix();
    mock.push(&state(ca, &ca.issue(path)));
    let api = builder(&mock).connect().await.unwrap();
    (mock, api)
}

fn state<'a>(ca: &Authority, svid: &'a Issued) -> X509State<'a> {
    X509State { svids: vec![(svid, "")], bundle: vec![ca.root()], federated: vec![] }
}

fn id_of(api: &WorkloadApi) -> String {
    api.identity().unwrap().id().to_string()
}

/// Waits for a snapshot that satisfies `wanted`.
async fn snapshot(changes: &mut Changes, mut wanted: impl FnMut(&Snapshot) -> bool) {
    let found = async {
        while !wanted(&changes.current()) {
            changes.next().await.expect("a source");
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("the snapshot");
}

async fn becomes(api: &WorkloadApi, id: &str) {
    snapshot(&mut api.changes(), |snapshot| {
        snapshot.identity.as_ref().is_ok_and(|identity| identity.id().as_str() == id)
    })
    .await;
}

/// Waits until the source says that something is wrong, and returns its code.
async fn problem(api: &WorkloadApi) -> &'static str {
    let found = async {
        loop {
            match api.problem() {
                Some(problem) => return problem.code(),
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("a problem")
}

fn code<T: std::fmt::Debug>(result: Result<T, WorkloadApiError>) -> &'static str {
    result.unwrap_err().code()
}

fn trusts(api: &WorkloadApi, domain: &str) -> bool {
    api.bundles().trusts(domain)
}
