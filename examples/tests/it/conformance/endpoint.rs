//! EP: the Workload Endpoint.

use std::time::Duration;

use tonic::Code;

use super::harness::{Answer, Harness};
use super::{AUDIENCE, DOMAIN, Must, Optional, Outcome, Report, Should, Suite, ensure};
use crate::mock::authority::Authority;
use crate::mock::{JWT_BUNDLES, JWT_SVID, WorkloadApiMock, X509_SVID, X509State};

/// What is seen of a harness that has been used for all other cases.
pub(super) async fn run_shared(suite: &Suite, report: &mut Report) {
    report.case(Must, "EP-1", ep_01(suite)).await;
    report.case(Must, "EP-2", ep_02(suite)).await;
}

/// Each with a harness of its own.
pub(super) async fn run(report: &mut Report) {
    report.case(Should, "EP-3", ep_03()).await;
    report.case(Optional, "EP-4/unix-authority", ep_04_unix_authority()).await;
    report.case(Optional, "EP-4/tcp-path", ep_04_tcp_path()).await;
    report.case(Should, "EP-5", ep_05_06(Code::Unavailable)).await;
    report.case(Should, "EP-6", ep_05_06(Code::PermissionDenied)).await;
    report.case(Should, "EP-7", ep_07()).await;
    report.case(Optional, "EP-8", ep_08()).await;
}

/// It was given nothing but the environment variable.
async fn ep_01(suite: &Suite) -> Outcome {
    ensure(!suite.mock.calls().is_empty(), "it is ready, and has asked nobody")?;
    let svid = suite.ca.issue("/ep-1");
    suite.serve(&svid);
    suite.shows(&svid).await?;
    match suite.harness.info().await {
        Answer::Done(info) => ensure(info["language"] == "rust", info.to_string()),
        other => Err(format!("{other:?}")),
    }
}

async fn ep_02(suite: &Suite) -> Outcome {
    let _ = suite.harness.fetch(&[AUDIENCE], "").await;
    for method in [X509_SVID, JWT_BUNDLES, JWT_SVID] {
        let calls = suite.mock.calls_of(method);
        ensure(!calls.is_empty(), format!("{method} was not called"))?;
        ensure(calls.iter().all(|call| call.has_header), format!("{method} was called without the header"))?;
    }
    Ok(())
}

/// A workload of its own, at `mock`.
fn serve(mock: &WorkloadApiMock) {
    let ca = Authority::new(DOMAIN);
    let svid = ca.issue("/workload");
    mock.push(&X509State { svids: vec![(&svid, "")], bundle: vec![ca.root()], federated: vec![] });
}

async fn ep_03() -> Outcome {
    let mock = WorkloadApiMock::tcp().await;
    serve(&mock);
    Harness::spawn(mock.endpoint()).ready().await
}

async fn ep_04_unix_authority() -> Outcome {
    let mock = WorkloadApiMock::unix();
    serve(&mock);
    ep_04(&mock, &format!("unix://localhost{}", mock.socket_path())).await
}

async fn ep_04_tcp_path() -> Outcome {
    let mock = WorkloadApiMock::tcp().await;
    serve(&mock);
    ep_04(&mock, &format!("{}/foo", mock.endpoint())).await
}

async fn ep_04(mock: &WorkloadApiMock, malformed: &str) -> Outcome {
    Harness::spawn(mock.endpoint()).ready().await?;
    let before = mock.calls().len();
    Harness::spawn(malformed).never_ready().await?;
    ensure(mock.calls().len() == before, "it has called all the same")
}

async fn ep_05_06(code: Code) -> Outcome {
    let mock = WorkloadApiMock::unix();
    serve(&mock);
    mock.fail(X509_SVID, code, 3);
    Harness::spawn(mock.endpoint()).ready().await?;
    let calls = mock.calls_of(X509_SVID);
    ensure(calls.len() == 4, format!("{} calls", calls.len()))?;
    let mean = (calls[3].at - calls[0].at) / 3;
    ensure(mean >= Duration::from_millis(50), format!("it is asked every {mean:?}"))
}

async fn ep_07() -> Outcome {
    let mock = WorkloadApiMock::unix();
    serve(&mock);
    mock.fail_all(Code::InvalidArgument);
    Harness::spawn(mock.endpoint()).never_ready().await?;
    for method in [X509_SVID, JWT_BUNDLES, JWT_SVID] {
        let count = mock.calls_of(method).len();
        ensure(count <= 2, format!("{method} was called {count} times"))?;
    }
    ensure(!mock.calls_of(X509_SVID).is_empty(), "it has asked nobody")?;
    mock.no_more_failures();
    Harness::spawn(mock.endpoint()).ready().await
}

async fn ep_08() -> Outcome {
    let mut mock = WorkloadApiMock::not_listening();
    serve(&mock);
    let harness = Harness::spawn(mock.endpoint());
    harness.says("workload_api_unavailable").await?;
    mock.listen();
    harness.ready().await
}
