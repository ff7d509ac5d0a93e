//! Opaque tokens: what their issuer says of them counts, and without it nothing does.

use http::StatusCode;
use serde_json::json;

use crate::support::{HERE, Issuer, ToolServer, outcome, peers, statuses};

const FLAGS: [&str; 4] = ["--opaque-resource", HERE, "--alg", "ES256"];

/// A tool server that asks `issuer` about each token anew.
fn server(issuer: &Issuer, name: &str, flags: &[&str]) -> ToolServer {
    let endpoint = issuer.text("introspection_endpoint");
    let client = issuer.text("resource_server_id");
    let asking = ["--introspection", endpoint, "--introspection-client", client, "--introspection-keep", "0"];
    ToolServer::start(issuer, name, &[&asking, flags].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opaque_token_is_good_for_as_long_as_its_issuer_says_so() {
    let Some(folder) = peers() else { return };
    for (name, signed) in [("plain", &[][..]), ("signed", &["--introspection-signed"])] {
        let mut issuer = Issuer::start(&folder, &FLAGS);
        let flags = [&["--introspection-clients-without-subject", "--dpop", "optional"], signed].concat();
        let server = server(&issuer, &format!("introspection-{name}"), &flags);
        let token = issuer.token(HERE).await;
        assert!(!token.contains('.'), "an opaque token");

        let answer = server.whoami(&token).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let agent = json!({"named": {"issuer": issuer.text("issuer"), "name": issuer.text("client_id")}});
        assert_eq!((&answer.body["agent"], &answer.body["mode"]), (&agent, &json!("autonomous")));
        assert_eq!(answer.body["scopes"], json!(["tools:add", "tools:echo"]));

        let report = issuer.dpop_call(&server, "/whoami", &[]);
        assert_eq!((statuses(&report), &report["body"]["binding"]), (vec![200], &json!("dpop")), "{report}");
        let report = issuer.dpop_call(&server, "/whoami", &["--misuse", "bearer"]);
        assert_eq!(server.code(&report["body"]), "dpop_bound_token_as_bearer");

        assert_eq!(server.outcome("no-token-of-anyone").await, outcome(401, "token_inactive"), "{name}");
        issuer.revoke(&token).await;
        assert_eq!(server.outcome(&token).await, outcome(401, "token_inactive"), "{name}");

        let token = issuer.token(HERE).await;
        issuer.stop();
        assert_eq!(server.outcome(&token).await, outcome(503, "introspection_unavailable"), "{name}");
        println!(
            "oidc-provider {name}: opaque tokens are taken, and refused once revoked, unknown or without an answer"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_leaves_something_open_is_no_yes() {
    let Some(folder) = peers() else { return };
    let issuer = Issuer::start(&folder, &[&FLAGS[..], &["--opaque-resource", "https://other.example.com"]].concat());
    let token = issuer.token(HERE).await;

    // oidc-provider's answers for client credentials have no `sub`.
    let strict = server(&issuer, "introspection-subject", &[]);
    assert_eq!(strict.outcome(&token).await, outcome(401, "claim_missing"));

    let lenient = server(&issuer, "introspection-audience", &["--introspection-clients-without-subject"]);
    let elsewhere = issuer.token("https://other.example.com").await;
    assert_eq!(lenient.outcome(&elsewhere).await, outcome(401, "audience_wrong"));

    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("secret-{}", std::process::id()));
    for (secret, expected) in [
        (format!("{}\n", issuer.text("resource_server_secret")), outcome(200, "accepted")),
        ("another secret".into(), outcome(503, "introspection_unavailable")),
    ] {
        std::fs::write(&file, &secret).unwrap();
        let flags = ["--introspection-secret-file", file.to_str().unwrap(), "--introspection-clients-without-subject"];
        let server = server(&issuer, "introspection-secret", &flags);
        assert_eq!(server.outcome(&token).await, expected, "{secret}");
    }
    std::fs::remove_file(&file).unwrap();
}
