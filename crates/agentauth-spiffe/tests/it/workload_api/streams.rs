//! When it asks again, and when it does not.

use std::time::Duration;

use agentauth_spiffe::WorkloadApi;
use tonic::Code;

use super::{DOMAIN, PATIENCE, becomes, builder, code, id_of, problem, ready, state};
use crate::mock::authority::Authority;
use crate::mock::{JWT_BUNDLES, WorkloadApiMock, X509_SVID};

#[tokio::test]
async fn what_cannot_help_is_not_tried_again() {
    let ca = Authority::new(DOMAIN);
    for (status, expected) in
        [(Code::InvalidArgument, "workload_api_invalid_argument"), (Code::Unimplemented, "workload_api_unimplemented")]
    {
        let mock = WorkloadApiMock::unix();
        mock.fail_all(status);
        assert_eq!(code(builder(&mock).connect().await), expected, "at once, whatever the limit");
        mock.called(JWT_BUNDLES, 1).await;
        mock.no_more_failures();
        mock.push(&state(&ca, &ca.issue("/agent/lawyer")));
        // A second source is asked for what the first never asks again.
        let api = builder(&mock).connect().await.unwrap();
        assert_eq!(id_of(&api), ca.id("/agent/lawyer"));
        assert_eq!(mock.calls_of(X509_SVID).len(), 2);
    }
}

#[tokio::test]
async fn what_may_help_is_tried_again_ever_more_slowly() {
    let ca = Authority::new(DOMAIN);
    for status in [Code::Unavailable, Code::PermissionDenied, Code::Internal] {
        let mock = WorkloadApiMock::unix();
        mock.push(&state(&ca, &ca.issue("/agent/lawyer")));
        mock.fail(X509_SVID, status, 3);
        let api = builder(&mock).connect().await.unwrap();
        assert_eq!(id_of(&api), ca.id("/agent/lawyer"));
        let calls = mock.calls_of(X509_SVID);
        assert_eq!(calls.len(), 4);
        let pauses: Vec<_> = calls.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        // Half of 200, 400 and 800 ms at least.
        for (pause, least) in pauses.iter().zip([100, 200, 400]) {
            assert!(*pause >= Duration::from_millis(least), "{status:?}: {pauses:?}");
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_yet_is_waited_for_and_one_that_goes_comes_back() {
    let ca = Authority::new(DOMAIN);
    let mut mock = WorkloadApiMock::not_listening();
    let api = builder(&mock).start().unwrap();
    assert_eq!(problem(&api).await, "workload_api_unavailable");
    let error = api.wait_ready(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(error.code(), "workload_api_unavailable");
    let said = format!(
        "no identity has come within 1ms: the Workload API at {} cannot be reached, or cannot answer now: No such file",
        mock.endpoint()
    );
    assert!(error.to_string().starts_with(&said), "{error}");

    mock.push(&state(&ca, &ca.issue("/agent/lawyer")));
    mock.listen();
    assert_eq!(api.wait_ready(PATIENCE).await.unwrap().id().as_str(), ca.id("/agent/lawyer"));

    mock.go_away();
    assert_eq!(problem(&api).await, "workload_api_unavailable");
    assert_eq!(id_of(&api), ca.id("/agent/lawyer"), "while it is away, what it said counts");
    mock.push(&state(&ca, &ca.issue("/agent/judge")));
    mock.listen();
    becomes(&api, &ca.id("/agent/judge")).await;
}

#[tokio::test]
async fn a_stream_that_is_closed_is_asked_for_again() {
    let ca = Authority::new(DOMAIN);
    let (mock, api) = ready(&ca, "/agent/lawyer").await;
    for (round, end) in [Code::Ok, Code::Unavailable, Code::Cancelled].into_iter().enumerate() {
        mock.called(JWT_BUNDLES, round + 1).await;
        mock.close_streams(end);
        mock.called(X509_SVID, round + 2).await;
        let id = format!("/agent/{round}");
        mock.push(&state(&ca, &ca.issue(&id)));
        becomes(&api, &ca.id(&id)).await;
    }
}

#[tokio::test]
async fn a_stream_that_says_nothing_is_given_up_at_the_limit() {
    let mock = WorkloadApiMock::unix();
    let api = builder(&mock).start().unwrap();
    mock.called(X509_SVID, 1).await;
    let error = api.wait_ready(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(error.code(), "workload_api_timed_out");
    assert!(error.to_string().contains(mock.endpoint()), "{error}");
}

#[tokio::test]
async fn any_other_status_is_named() {
    let mock = WorkloadApiMock::unix();
    mock.fail_all(Code::ResourceExhausted);
    let api = builder(&mock).start().unwrap();
    assert_eq!(problem(&api).await, "workload_api_failed");
}

#[tokio::test]
async fn every_request_has_the_security_header() {
    let ca = Authority::new(DOMAIN);
    let (mock, api) = ready(&ca, "/agent/lawyer").await;
    mock.called(JWT_BUNDLES, 1).await;
    let _ = api.jwt_svid(&["https://tools.example.com"]).await;
    let calls = mock.calls();
    assert!(calls.len() >= 3 && calls.iter().all(|call| call.has_header), "{calls:?}");
}

#[tokio::test]
async fn the_tasks_end_with_the_last_clone() {
    let ca = Authority::new(DOMAIN);
    let (mock, api) = ready(&ca, "/agent/lawyer").await;
    let (clone, mut changes) = (api.clone(), api.changes());
    drop(api);
    mock.push(&state(&ca, &ca.issue("/agent/judge")));
    becomes(&clone, &ca.id("/agent/judge")).await;
    drop(clone);
    while tokio::time::timeout(PATIENCE, changes.next()).await.expect("an end").is_some() {}
}

#[tokio::test]
async fn an_endpoint_is_named_by_the_caller_or_the_environment() {
    // What the environment says is tested with a process of its own, since it belongs to all tests of this one.
    let refused = WorkloadApi::builder().endpoint("http://127.0.0.1:1").start();
    assert_eq!(code(refused), "workload_api_endpoint_malformed");
    if std::env::var_os("SPIFFE_ENDPOINT_SOCKET").is_none() {
        assert_eq!(code(WorkloadApi::builder().start()), "workload_api_no_endpoint");
    }
}
