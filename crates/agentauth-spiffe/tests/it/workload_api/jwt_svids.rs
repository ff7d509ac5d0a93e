//! JWT-SVIDs of the workload's own.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::delegation::outbound::ClientAuth;
use agentauth_core::{IssuerId, ManualClock, SpiffeId, Timestamp};
use agentauth_spiffe::WorkloadApi;
use agentauth_spiffe::workload_api::{JwtSvidAssertions, OwnJwtSvid};
use http::HeaderMap;
use tonic::Code;

use super::{DOMAIN, becomes, builder, code, ready, state};
use crate::mock::authority::{Authority, now};
use crate::mock::jwt::JwtKey;
use crate::mock::wire::JwtSvid;
use crate::mock::{JWT_SVID, WorkloadApiMock, X509State};

const TOOLS: &str = "https://tools.example.com";
const LAWYER: &str = "spiffe://court.example/agent/lawyer";
const JUDGE: &str = "spiffe://court.example/agent/judge";

/// A mock that gives out tokens of 300 s for two identities, and a source whose clock a test moves.
fn office() -> (WorkloadApiMock, WorkloadApi, Arc<ManualClock>, JwtKey) {
    let (mock, key) = (WorkloadApiMock::unix(), JwtKey::new("1", "ES256"));
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(now().unix_timestamp().unsigned_abs())));
    let api = builder(&mock).clock(clock.clone()).start().unwrap();
    mock.set_jwt_svids(&[key.svid(LAWYER, &[TOOLS], "external"), key.svid(JUDGE, &[TOOLS], "internal")]);
    (mock, api, clock, key)
}

fn fetches(mock: &WorkloadApiMock) -> usize {
    mock.calls_of(JWT_SVID).len()
}

#[tokio::test]
async fn a_jwt_svid_is_kept_for_half_of_its_life() {
    let (mock, api, clock, _) = office();
    let first = api.jwt_svid(&[TOOLS]).await.unwrap();
    assert_eq!(first.id().as_str(), LAWYER, "the first");
    assert_eq!(first.hint(), Some("external"));
    assert!((299..=301).contains(&(first.expires_at().since(agentauth_core::Clock::now(&*clock)).as_secs())));

    clock.advance(Duration::from_secs(145));
    assert!(Arc::ptr_eq(&first, &api.jwt_svid(&[TOOLS]).await.unwrap()));
    assert_eq!(fetches(&mock), 1);
    clock.advance(Duration::from_secs(10));
    assert!(!Arc::ptr_eq(&first, &api.jwt_svid(&[TOOLS]).await.unwrap()));
    assert_eq!(fetches(&mock), 2);
}

#[tokio::test]
async fn a_jwt_svid_is_kept_for_its_audiences_in_any_order_and_for_its_id() {
    let (mock, api, _, _) = office();
    let judge: SpiffeId = JUDGE.parse().unwrap();
    for (id, audiences, expected) in [
        (None, &["b", "a"][..], 1),
        (None, &["a", "b"], 1),
        (None, &["a"], 2),
        (Some(&judge), &["a"], 3),
        (Some(&judge), &["a"], 3),
        (None, &["a"], 3),
    ] {
        let svid = match id {
            Some(id) => api.jwt_svid_of(id, audiences).await,
            None => api.jwt_svid(audiences).await,
        };
        assert_eq!(svid.unwrap().id().as_str(), id.map_or(LAWYER, SpiffeId::as_str));
        assert_eq!(fetches(&mock), expected, "{audiences:?}");
    }
    let calls = mock.calls_of(JWT_SVID);
    assert_eq!(calls[0].audience, ["b", "a"], "as they were given");
    assert_eq!([&calls[1].spiffe_id, &calls[2].spiffe_id], ["", JUDGE]);
}

#[tokio::test]
async fn a_hint_selects_among_jwt_svids_too() {
    let (mock, _, _, key) = office();
    let api = builder(&mock).hint("internal").start().unwrap();
    assert_eq!(api.jwt_svid(&[TOOLS]).await.unwrap().id().as_str(), JUDGE);
    mock.set_jwt_svids(&[key.svid(LAWYER, &[TOOLS], "external")]);
    assert_eq!(code(api.jwt_svid(&["other"]).await), "workload_api_hint_unknown");
}

#[tokio::test]
async fn many_callers_cause_one_fetch_and_one_that_leaves_takes_nothing_away() {
    let (mock, api, _, _) = office();
    let open = mock.gate_jwt_svids();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let api = api.clone();
            tokio::spawn(async move { api.jwt_svid(&[TOOLS]).await })
        })
        .collect();
    mock.called(JWT_SVID, 1).await;
    callers[0].abort();
    open.send_replace(true);
    for caller in callers.into_iter().skip(1) {
        assert_eq!(caller.await.unwrap().unwrap().id().as_str(), LAWYER);
    }
    assert_eq!(fetches(&mock), 1);
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_good_until_it_expires_and_one_that_is_denied_is_not() {
    let (mock, api, clock, _) = office();
    let first = api.jwt_svid(&[TOOLS]).await.unwrap();
    clock.advance(Duration::from_secs(200));
    mock.fail(JWT_SVID, Code::Unavailable, usize::MAX);
    assert!(Arc::ptr_eq(&first, &api.jwt_svid(&[TOOLS]).await.unwrap()));
    assert!(Arc::ptr_eq(&first, &api.jwt_svid(&[TOOLS]).await.unwrap()));
    assert_eq!(fetches(&mock), 2, "not asked again for a while");
    clock.advance(Duration::from_secs(6));
    assert!(Arc::ptr_eq(&first, &api.jwt_svid(&[TOOLS]).await.unwrap()));
    assert_eq!(fetches(&mock), 3);

    mock.fail(JWT_SVID, Code::PermissionDenied, usize::MAX);
    clock.advance(Duration::from_secs(6));
    assert_eq!(code(api.jwt_svid(&[TOOLS]).await), "workload_api_denied");
    mock.fail(JWT_SVID, Code::Unavailable, usize::MAX);
    assert_eq!(code(api.jwt_svid(&[TOOLS]).await), "workload_api_unavailable", "it is forgotten");
}

#[tokio::test]
async fn an_expired_token_is_never_given_out() {
    let (mock, api, clock, _) = office();
    api.jwt_svid(&[TOOLS]).await.unwrap();
    mock.fail(JWT_SVID, Code::Unavailable, usize::MAX);
    clock.advance(Duration::from_secs(301));
    assert_eq!(code(api.jwt_svid(&[TOOLS]).await), "workload_api_unavailable");
}

#[tokio::test]
async fn tokens_go_with_the_identity() {
    let ca = Authority::new(DOMAIN);
    let (mock, api) = ready(&ca, "/agent/lawyer").await;
    mock.set_jwt_svids(&[JwtKey::new("1", "ES256").svid(LAWYER, &[TOOLS], "")]);
    api.jwt_svid(&[TOOLS]).await.unwrap();
    mock.push(&state(&ca, &ca.issue("/agent/lawyer")));
    mock.push(&state(&ca, &ca.issue("/agent/judge")));
    becomes(&api, JUDGE).await;
    mock.set_jwt_svids(&[JwtKey::new("1", "ES256").svid(JUDGE, &[TOOLS], "")]);
    assert_eq!(api.jwt_svid(&[TOOLS]).await.unwrap().id().as_str(), JUDGE);

    // One that is on its way meanwhile is not kept either.
    let open = mock.gate_jwt_svids();
    let (late, audiences) = (api.clone(), &["late"]);
    let late = tokio::spawn(async move { late.jwt_svid(audiences).await });
    mock.called(JWT_SVID, 3).await;
    mock.withdraw();
    super::snapshot(&mut api.changes(), |snapshot| snapshot.identity.is_err()).await;
    open.send_replace(true);
    late.await.unwrap().unwrap();
    mock.fail(JWT_SVID, Code::PermissionDenied, usize::MAX);
    for audience in [TOOLS, "late"] {
        assert_eq!(code(api.jwt_svid(&[audience]).await), "workload_api_denied", "{audience}");
    }
}

#[tokio::test]
async fn a_fetch_keeps_nothing_and_gives_all() {
    let (mock, api, _, _) = office();
    for expected in [1, 2] {
        let svids = api.fetch_jwt_svids(None, &[TOOLS]).await.unwrap();
        assert_eq!(svids.iter().map(|svid| svid.id().as_str()).collect::<Vec<_>>(), [LAWYER, JUDGE]);
        assert_eq!(fetches(&mock), expected);
    }
}

#[tokio::test]
async fn each_fault_of_an_answer_or_a_question_has_its_code() {
    let (mock, api, _, key) = office();
    let good = key.svid(LAWYER, &[TOOLS], "");
    let with_claims = |claims: serde_json::Value| JwtSvid { svid: key.sign(&key.header(), &claims), ..good.clone() };
    for (svid, expected) in [
        (JwtSvid { spiffe_id: String::new(), ..good.clone() }, "workload_api_field_empty"),
        (JwtSvid { svid: String::new(), ..good.clone() }, "workload_api_field_empty"),
        (JwtSvid { spiffe_id: "lawyer".into(), ..good.clone() }, "workload_api_field_malformed"),
        (JwtSvid { svid: "a.b".into(), ..good.clone() }, "workload_api_field_malformed"),
        (with_claims(serde_json::json!({ "sub": LAWYER })), "workload_api_field_malformed"),
        (with_claims(serde_json::json!({ "sub": LAWYER, "exp": "soon" })), "workload_api_field_malformed"),
        (with_claims(serde_json::json!({ "sub": LAWYER, "exp": 1_700_000_000 })), "svid_expired"),
    ] {
        mock.set_jwt_svids(std::slice::from_ref(&svid));
        assert_eq!(code(api.jwt_svid(&[TOOLS]).await), expected, "{svid:?}");
    }
    let before = fetches(&mock);
    let (many, long) = (["x"; 17], "x".repeat(2049));
    for audiences in [&[][..], &[""], &many, &[&long]] {
        assert_eq!(code(api.jwt_svid(audiences).await), "workload_api_audience");
        assert_eq!(code(api.fetch_jwt_svids(None, audiences).await), "workload_api_audience");
    }
    assert_eq!(fetches(&mock), before, "nobody was asked");
}

#[tokio::test]
async fn what_is_kept_is_bounded() {
    let (mock, api, clock, _) = office();
    for index in 0..300 {
        api.jwt_svid(&[&format!("https://{index}.example.com")]).await.unwrap();
        clock.advance(Duration::from_millis(1));
    }
    // The first have made room, the last are kept.
    api.jwt_svid(&["https://299.example.com"]).await.unwrap();
    assert_eq!(fetches(&mock), 300);
    api.jwt_svid(&["https://0.example.com"]).await.unwrap();
    assert_eq!(fetches(&mock), 301);

    let _open = mock.gate_jwt_svids();
    for index in 300..556 {
        let (api, audience) = (api.clone(), format!("https://{index}.example.com"));
        tokio::spawn(async move { api.jwt_svid(&[&audience]).await });
    }
    mock.called(JWT_SVID, 301 + 256).await;
    assert_eq!(code(api.jwt_svid(&["https://556.example.com"]).await), "workload_api_busy");
}

#[tokio::test]
async fn a_token_does_not_show_itself() {
    let (_mock, api, _, _) = office();
    let svid: Arc<OwnJwtSvid> = api.jwt_svid(&[TOOLS]).await.unwrap();
    let shown = format!("{svid:?} {api:?}");
    assert!(!shown.contains(svid.token()) && shown.contains(LAWYER), "{shown}");
}

/// A message is the whole state: what it does not mention has been taken back.
#[tokio::test]
async fn with_an_identity_its_jwt_svids_are_gone() {
    let (ca, key) = (Authority::new(DOMAIN), JwtKey::new("1", "ES256"));
    let [lawyer, judge] = ["/agent/lawyer", "/agent/judge"].map(|path| ca.issue(path));
    let (mock, api) = ready(&ca, "/agent/clerk").await;
    let push = |svids: &[(&crate::mock::authority::Issued, &'static str)]| {
        mock.push(&X509State { svids: svids.to_vec(), bundle: vec![ca.root()], federated: vec![] });
    };
    mock.set_jwt_svids(&[key.svid(LAWYER, &[TOOLS], ""), key.svid(JUDGE, &[TOOLS], "")]);
    let (of_lawyer, of_judge) = (LAWYER.parse().unwrap(), JUDGE.parse().unwrap());
    push(&[(&lawyer, ""), (&judge, "")]);
    becomes(&api, LAWYER).await;
    let first = api.jwt_svid_of(&of_lawyer, &[TOOLS]).await.unwrap();

    // A rotation takes nothing away.
    let renewed = ca.issue("/agent/lawyer");
    let mut changes = api.changes();
    changes.current();
    push(&[(&renewed, ""), (&judge, "")]);
    changes.next().await.unwrap();
    assert!(Arc::ptr_eq(&first, &api.jwt_svid_of(&of_lawyer, &[TOOLS]).await.unwrap()));
    let kept = api.jwt_svid_of(&of_judge, &[TOOLS]).await.unwrap();

    mock.fail(JWT_SVID, Code::Unavailable, usize::MAX);
    assert!(Arc::ptr_eq(&kept, &api.jwt_svid_of(&of_judge, &[TOOLS]).await.unwrap()));
    // The older certificate is there so that the test sees when the message has been taken in.
    push(&[(&lawyer, "")]);
    changes.next().await.unwrap();
    assert_eq!(code(api.jwt_svid_of(&of_judge, &[TOOLS]).await), "workload_api_unavailable", "it is forgotten");
}

#[tokio::test]
async fn a_jwt_svid_is_a_client_assertion_for_one_token_service() {
    const STS: &str = "https://sts.example";
    let (mock, api, _, _) = office();
    let sts = IssuerId::new(STS).unwrap();
    let svid = api.jwt_svid_of(&JUDGE.parse().unwrap(), &[STS]).await.unwrap();
    let auth = ClientAuth::assertions(JwtSvidAssertions::new(api, sts).of(JUDGE.parse().unwrap()));
    let (mut form, mut headers) = ("grant_type=x".to_owned(), HeaderMap::new());
    auth.authenticate(&mut form, &mut headers).await.unwrap();
    let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-spiffe";
    let expected = format!("grant_type=x&client_assertion_type={kind}&client_assertion={}", svid.token());
    assert_eq!((form, headers.len(), fetches(&mock)), (expected, 0, 1));
}
