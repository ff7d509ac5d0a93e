//! Tokens that are bound by DPoP, in the hands of a client that nobody here made.

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{HERE, Issuer, ToolServer, outcome, peers, statuses};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bound_token_is_taken_with_a_proof_whatever_signs_it() {
    let Some(folder) = peers() else { return };
    let issuer = Issuer::start(&folder, &["--resource", HERE, "--alg", "ES256"]);
    let server = ToolServer::start(&issuer, "dpop-algorithms", &["--dpop", "optional"]);
    for alg in ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"] {
        let report = issuer.dpop_call(&server, "/whoami", &["--alg", alg]);
        assert_eq!(statuses(&report), [200], "{alg}: {report}");
        assert_eq!((&report["body"]["binding"], &report["body"]["mode"]), (&json!("dpop"), &json!("autonomous")));
        println!("oauth4webapi {alg}: a bound token is taken with a proof");
    }
    let report = issuer.dpop_call(&server, "/tools/add?x=1", &["--method", "POST", "--body", r#"{"a":20,"b":22}"#]);
    assert_eq!((statuses(&report), &report["body"]["result"]), (vec![200], &json!(42)), "{report}");
    // And tokens that are not bound are taken as before.
    let answer = server.whoami(&issuer.token(HERE).await).await;
    assert_eq!((answer.status, &answer.body["binding"]), (StatusCode::OK, &json!("bearer")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_is_asked_for_and_given() {
    let Some(folder) = peers() else { return };
    let issuer = Issuer::start(&folder, &["--resource", HERE, "--alg", "ES256"]);
    let server = ToolServer::start(&issuer, "dpop-nonce", &["--dpop", "required", "--dpop-nonce"]);
    let report = issuer.dpop_call(&server, "/whoami", &[]);
    assert_eq!(statuses(&report), [401, 200], "{report}");
    let [first, second] = &report["attempts"].as_array().unwrap()[..] else { panic!("{report}") };
    assert!(first["www_authenticate"].as_str().unwrap().contains(r#"error="use_dpop_nonce""#), "{report}");
    assert_eq!((&first["proof"]["nonce"], &second["proof"]["nonce"]), (&json!(null), &first["dpop_nonce"]));
    assert!(first["dpop_nonce"].is_string(), "{report}");

    // The proof is used up, nonce or not.
    let report = issuer.dpop_call(&server, "/whoami", &["--misuse", "replay"]);
    assert_eq!((statuses(&report), server.code(&report["body"])), (vec![401, 200, 401], "dpop_replayed".into()));
    println!("oauth4webapi: it answers the challenge for a nonce");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_misuse_of_a_proof_is_refused_by_its_own_rule() {
    let Some(folder) = peers() else { return };
    let issuer = Issuer::start(&folder, &["--resource", HERE, "--alg", "ES256"]);
    let server = ToolServer::start(&issuer, "dpop-misuse", &["--dpop", "optional"]);
    for (misuse, answers, error, code) in [
        ("replay", &[200, 401][..], "invalid_dpop_proof", "dpop_replayed"),
        ("wrong-htm", &[401], "invalid_dpop_proof", "dpop_htm_mismatch"),
        ("wrong-htu", &[401], "invalid_dpop_proof", "dpop_htu_mismatch"),
        ("wrong-ath", &[401], "invalid_dpop_proof", "dpop_ath_mismatch"),
        ("bearer", &[401], "invalid_token", "dpop_bound_token_as_bearer"),
        ("no-proof", &[401], "invalid_dpop_proof", "dpop_proof_missing"),
        ("stolen", &[401], "invalid_token", "dpop_key_mismatch"),
    ] {
        let report = issuer.dpop_call(&server, "/whoami", &["--misuse", misuse]);
        assert_eq!((statuses(&report), server.code(&report["body"])), (answers.to_vec(), code.into()), "{report}");
        let last = report["attempts"].as_array().unwrap().last().unwrap();
        // As the library reads the challenge: one, for DPoP, with the word that RFC 9449 §7.1 has for it.
        let challenges = last["challenges"].as_array().unwrap();
        assert_eq!((challenges.len(), &challenges[0]["scheme"]), (1, &json!("dpop")), "{report}");
        assert_eq!(challenges[0]["parameters"]["error"], error, "{report}");
        println!("oauth4webapi {misuse}: refused, {code}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_binding_is_required_a_bearer_token_is_not_enough() {
    let Some(folder) = peers() else { return };
    let issuer = Issuer::start(&folder, &["--resource", HERE, "--alg", "ES256"]);
    let token = issuer.token(HERE).await;
    for (name, flags, tools) in [
        ("dpop-required", &["--dpop", "required"][..], StatusCode::UNAUTHORIZED),
        ("dpop-route", &["--dpop", "optional", "--require-binding", "/whoami"], StatusCode::OK),
    ] {
        let server = ToolServer::start(&issuer, name, flags);
        let answer = server.whoami(&token).await;
        assert_eq!((answer.status.as_u16(), server.code(&answer.body)), outcome(401, "binding_required"), "{name}");
        let [challenge] = &answer.challenges[..] else { panic!("{answer:?}") };
        assert!(challenge.starts_with(r#"DPoP algs="EdDSA Ed25519 ES256 "#), "{challenge}");
        assert_eq!(server.call(Method::POST, "/tools/echo", &token, "{}").await.status, tools, "{name}");
        assert_eq!(statuses(&issuer.dpop_call(&server, "/whoami", &[])), [200], "{name}");
    }
}

/// A server that is not told to take DPoP must not take the token for a bearer token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_dpop_a_bound_token_is_refused() {
    let Some(folder) = peers() else { return };
    let issuer = Issuer::start(&folder, &["--resource", HERE, "--alg", "ES256"]);
    let server = ToolServer::start(&issuer, "dpop-off", &[]);
    for (flags, code) in [(&[][..], "no_credentials"), (&["--misuse", "bearer"], "binding_method_unsupported")] {
        let report = issuer.dpop_call(&server, "/whoami", flags);
        assert_eq!((statuses(&report), server.code(&report["body"])), (vec![401], code.into()), "{report}");
    }
}
