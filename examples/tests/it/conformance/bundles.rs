//! JB and JF: the keys of JWT-SVIDs as the Workload API streams them, and JWT-SVIDs that the harness fetches from it.

use serde_json::{Value, json};
use tonic::Code;

use super::harness::Answer;
use super::{AUDIENCE, Must, OTHER, Optional, Outcome, Report, Should, Suite, ensure};
use crate::mock::JWT_SVID;
use crate::mock::jwt::{JwtKey, jwks};

const SUBJECT: &str = "spiffe://test.example.org/subject";
const FOREIGN: &str = "spiffe://other.example.org/subject";

pub(super) async fn run(suite: &Suite, report: &mut Report) {
    report.case(Must, "JB-1", jb_01(suite)).await;
    report.case(Must, "JB-2", jb_02(suite)).await;
    report.case(Should, "JB-3", jb_03(suite)).await;
    report.case(Must, "JB-4", jb_04(suite)).await;
    report.case(Must, "JB-5/x509-svid-use", jb_05(suite, |key| key.jwk_for("x509-svid"))).await;
    report.case(Optional, "JB-5/missing-use", jb_05(suite, JwtKey::jwk)).await;
    report.case(Must, "JB-6", jb_06(suite)).await;
    report.case(Must, "JB-7", jb_07(suite)).await;
    report.case(Must, "JB-8", jb_08(suite)).await;
    suite.serve_jwt_bundles(&[]);
    report.case(Must, "JF-1", jf_01_02(suite, &[AUDIENCE])).await;
    let several = [AUDIENCE, "spiffe://test.example.org/backend", "another"];
    report.case(Must, "JF-2", jf_01_02(suite, &several)).await;
    report.case(Optional, "JF-3", jf_03(suite)).await;
    report.case(Optional, "JF-4", jf_04(suite)).await;
}

fn key(kid: &str) -> JwtKey {
    JwtKey::new(kid, "ES256")
}

fn usual(keys: &[&JwtKey]) -> Vec<Value> {
    keys.iter().map(|key| key.jwk_for("jwt-svid")).collect()
}

/// Begins with the default key alone, which is accepted.
async fn begin(suite: &Suite) -> Outcome {
    suite.serve_jwt_bundles(&[]);
    accepts(suite, &suite.key).await
}

async fn accepts(suite: &Suite, key: &JwtKey) -> Outcome {
    suite.harness.accepts(&key.token(SUBJECT, &[AUDIENCE]), SUBJECT).await
}

async fn refuses(suite: &Suite, key: &JwtKey) -> Outcome {
    suite.harness.refuses(&key.token(SUBJECT, &[AUDIENCE])).await
}

async fn jb_01(suite: &Suite) -> Outcome {
    begin(suite).await?;
    let added = key("added");
    suite.serve_own_keys(&usual(&[&suite.key, &added]), &[]);
    accepts(suite, &added).await
}

async fn jb_02(suite: &Suite) -> Outcome {
    let (removed, barrier) = (key("removed"), key("barrier"));
    suite.serve_own_keys(&usual(&[&suite.key, &removed]), &[]);
    accepts(suite, &removed).await?;
    suite.serve_own_keys(&usual(&[&suite.key, &barrier]), &[]);
    accepts(suite, &barrier).await?;
    refuses(suite, &removed).await
}

async fn jb_03(suite: &Suite) -> Outcome {
    let (foreign, barrier) = (key("foreign"), key("barrier"));
    let token = foreign.token(FOREIGN, &[AUDIENCE]);
    suite.serve_jwt_bundles(&[(OTHER, jwks(&usual(&[&foreign])))]);
    suite.harness.accepts(&token, FOREIGN).await?;
    suite.serve_own_keys(&usual(&[&suite.key, &barrier]), &[]);
    accepts(suite, &barrier).await?;
    suite.harness.refuses(&token).await
}

async fn jb_04(suite: &Suite) -> Outcome {
    let keys = ["first", "second", "third"].map(key);
    suite.serve_own_keys(&usual(&keys.each_ref()), &[]);
    accepts(suite, &keys[2]).await?;
    accepts(suite, &keys[1]).await
}

async fn jb_05(suite: &Suite, jwk: fn(&JwtKey) -> Value) -> Outcome {
    begin(suite).await?;
    let (bad, barrier) = (key("bad"), key("barrier"));
    suite.serve_own_keys(&[suite.key.jwk_for("jwt-svid"), jwk(&bad), barrier.jwk_for("jwt-svid")], &[]);
    accepts(suite, &barrier).await?;
    refuses(suite, &bad).await
}

async fn jb_06(suite: &Suite) -> Outcome {
    begin(suite).await?;
    let after = key("after");
    let unknown = json!({ "kty": "UNKNOWN", "use": "jwt-svid", "kid": "unknown", "k": "AQAB" });
    suite.serve_own_keys(&[suite.key.jwk_for("jwt-svid"), unknown, after.jwk_for("jwt-svid")], &[]);
    accepts(suite, &after).await?;
    accepts(suite, &suite.key).await
}

async fn jb_07(suite: &Suite) -> Outcome {
    begin(suite).await?;
    let foreign = key("foreign");
    suite.serve_own_keys(&[], &[(OTHER, jwks(&usual(&[&foreign])))]);
    suite.harness.accepts(&foreign.token(FOREIGN, &[AUDIENCE]), FOREIGN).await?;
    refuses(suite, &suite.key).await
}

async fn jb_08(suite: &Suite) -> Outcome {
    let foreign = key("foreign");
    suite.serve_jwt_bundles(&[(OTHER, jwks(&usual(&[&foreign])))]);
    suite.harness.accepts(&foreign.token(FOREIGN, &[AUDIENCE]), FOREIGN).await
}

/// The tokens that the harness has fetched, and the audiences and IDs that it has asked for.
async fn fetched(
    suite: &Suite,
    audience: &[&str],
    id: &str,
) -> Result<(Vec<String>, Vec<(Vec<String>, String)>), String> {
    let before = suite.mock.calls_of(JWT_SVID).len();
    let Answer::Done(answer) = suite.harness.fetch(audience, id).await else {
        return Err("it has fetched none".into());
    };
    let svids = answer["svids"].as_array().ok_or("it has no list")?;
    let tokens = svids.iter().map(|svid| svid["token"].as_str().unwrap_or_default().to_owned()).collect();
    let asked = suite.mock.calls_of(JWT_SVID).split_off(before);
    ensure(!asked.is_empty(), "it has not asked")?;
    Ok((tokens, asked.into_iter().map(|call| (call.audience, call.spiffe_id)).collect()))
}

async fn jf_01_02(suite: &Suite, audience: &[&str]) -> Outcome {
    let svid = suite.key.svid(SUBJECT, audience, "");
    suite.mock.set_jwt_svids(std::slice::from_ref(&svid));
    let (tokens, asked) = fetched(suite, audience, "").await?;
    ensure(asked.iter().all(|(asked, _)| asked == audience), format!("it has asked for {asked:?}"))?;
    ensure(tokens == [svid.svid], "it has another token")
}

async fn jf_03(suite: &Suite) -> Outcome {
    let other = "spiffe://test.example.org/jf-3";
    let svids = [SUBJECT, other].map(|id| suite.key.svid(id, &[AUDIENCE], ""));
    suite.mock.set_jwt_svids(&svids);
    let (tokens, asked) = fetched(suite, &[AUDIENCE], other).await?;
    ensure(asked.iter().all(|(_, id)| id == other), format!("it has asked for {asked:?}"))?;
    ensure(tokens == [svids[1].svid.clone()], "it has another token")
}

async fn jf_04(suite: &Suite) -> Outcome {
    let svid = suite.key.svid(SUBJECT, &[AUDIENCE], "");
    suite.mock.set_jwt_svids(std::slice::from_ref(&svid));
    let (tokens, _) = fetched(suite, &[AUDIENCE], "").await?;
    ensure(tokens == [svid.svid], "it has another token")?;
    suite.mock.fail(JWT_SVID, Code::PermissionDenied, usize::MAX);
    let answer = suite.harness.fetch(&[AUDIENCE], "").await;
    suite.mock.no_more_failures();
    ensure(matches!(answer, Answer::Error(_) | Answer::Rejected(_)), format!("{answer:?}"))
}
