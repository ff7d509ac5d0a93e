//! Where documents are looked for, and what they must say.

use super::*;
use crate::client::HttpsClient;
use crate::keys::{LiveKeysError, MetadataError};

const OAUTH: &str = "https://sts.example/.well-known/oauth-authorization-server/tenant";
const OPENID: &str = "https://sts.example/tenant/.well-known/openid-configuration";

fn metadata(issuer: &str, jwks_uri: &str) -> String {
    format!(
        r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}","scopes_supported":["a"],"x":{{"y":[1,-2,0.5,null,true]}}}}"#
    )
}

#[test]
fn metadata_is_where_the_standards_say() {
    for (issuer, oauth, openid) in [
        (
            "https://a.example",
            "https://a.example/.well-known/oauth-authorization-server",
            "https://a.example/.well-known/openid-configuration",
        ),
        (
            "https://a.example/",
            "https://a.example/.well-known/oauth-authorization-server",
            "https://a.example/.well-known/openid-configuration",
        ),
        (
            "https://a.example:8443/x/y",
            "https://a.example:8443/.well-known/oauth-authorization-server/x/y",
            "https://a.example:8443/x/y/.well-known/openid-configuration",
        ),
        (
            "https://a.example/x/",
            "https://a.example/.well-known/oauth-authorization-server/x",
            "https://a.example/x/.well-known/openid-configuration",
        ),
    ] {
        let places = Discovery::of(issuer).unwrap();
        assert_eq!((places.oauth.to_string(), places.openid.to_string()), (oauth.to_owned(), openid.to_owned()));
    }
}

#[tokio::test]
async fn an_issuer_that_cannot_be_discovered_is_refused_at_once() {
    let client = HttpsClient::builder().build().unwrap();
    let long = format!("https://a.example/{}", "x".repeat(2048));
    for (issuer, code) in [
        ("sts", "keys_issuer_malformed"),
        ("", "keys_issuer_malformed"),
        ("https://a.example?x", "keys_issuer_malformed"),
        ("https://a.example/#x", "keys_issuer_malformed"),
        ("https://alice:secret@a.example", "keys_issuer_malformed"),
        (&long, "keys_issuer_malformed"),
        ("http://a.example", "fetch_url_refused"),
        ("https://127.0.0.1", "fetch_address_refused"),
        ("https://127.1", "fetch_host_refused"),
    ] {
        let error = LiveKeys::discover(client.clone(), issuer).unwrap_err();
        assert_eq!(error.code(), code, "{issuer}");
        assert!(!error.to_string().contains("secret") && error.to_string().len() < 300, "{error}");
    }
    let error = LiveKeys::from_url(client, "http://a.example/jwks").unwrap_err();
    assert_eq!(error.code(), "fetch_url_refused");
}

#[tokio::test]
async fn keys_are_found_by_metadata_and_by_openid_only_if_there_is_none() {
    let web = Web::with_keys(&key());
    web.put(OAUTH, Answer::json(metadata(ISSUER, JWKS)));
    assert!(web.issuer().fetch(None).await.unwrap().document.is_some());
    assert_eq!(web.requests(), [OAUTH, JWKS]);

    web.put(OPENID, Answer::json(metadata(ISSUER, JWKS)));
    web.put(OAUTH, Answer::status(404));
    assert!(web.issuer().fetch(None).await.unwrap().document.is_some());
    assert_eq!(web.requests(), [OAUTH, OPENID, JWKS]);

    for status in [301, 302, 400, 401, 403, 410, 500, 503] {
        web.put(OAUTH, Answer::status(status));
        let error = web.issuer().fetch(None).await.unwrap_err();
        assert_eq!((error.code(), web.requests()), ("fetch_status_unexpected", vec![OAUTH.to_owned()]), "{status}");
    }
}

#[tokio::test]
async fn each_rule_for_metadata_has_its_code() {
    let web = Web::with_keys(&key());
    let good = metadata(ISSUER, JWKS);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (document, code) in [
        (good.clone(), "accepted"),
        (metadata("https://sts.example/Tenant", JWKS), "metadata_issuer_mismatch"),
        (metadata("https://sts.example/tenant/", JWKS), "metadata_issuer_mismatch"),
        (metadata("https://sts.example:443/tenant", JWKS), "metadata_issuer_mismatch"),
        (format!(r#"{{"jwks_uri":"{JWKS}"}}"#), "metadata_issuer_mismatch"),
        (format!(r#"{{"issuer":"{ISSUER}"}}"#), "metadata_no_jwks_uri"),
        (metadata(ISSUER, ""), "metadata_no_jwks_uri"),
        (metadata(ISSUER, "https://a b"), "metadata_no_jwks_uri"),
        (good.replacen('{', &format!(r#"{{"issuer":"{ISSUER}","#), 1), "metadata_malformed"),
        (good.replacen('{', r#"{"jwks_uri":"https://evil.example","#, 1), "metadata_malformed"),
        (good.replacen('{', r#"{"x":1,"#, 1), "metadata_malformed"),
        (good.replacen("\"y\"", r#""y":1,"y""#, 1), "metadata_malformed"),
        (good.replacen("\"a\"", &deep, 1), "metadata_malformed"),
        (good.replacen(&format!("\"{JWKS}\""), "7", 1), "metadata_malformed"),
        (format!("{good}{good}"), "metadata_malformed"),
        (format!("[{good}]"), "metadata_malformed"),
        ("<html>".into(), "metadata_malformed"),
        (String::new(), "metadata_malformed"),
    ] {
        web.put(OAUTH, Answer::json(document.clone()));
        let result = web.issuer().fetch(None).await;
        assert_eq!(result.as_ref().map_or_else(LiveKeysError::code, |_| "accepted"), code, "{document:.300}");
        let requests = web.requests();
        assert_eq!(requests.len(), if code == "accepted" { 2 } else { 1 }, "{requests:?}");
    }
    web.put(OAUTH, Answer { headers: Vec::new(), ..Answer::json(good) });
    assert_eq!(web.issuer().fetch(None).await.unwrap_err().code(), "fetch_content_type_wrong");
    let shown = MetadataError::IssuerMismatch(agentauth_core::Excerpt::of("x\u{1b}[31m")).to_string();
    assert!(!shown.contains('\u{1b}'), "{shown}");
}

/// A tag means something at its own address only, and one that is too long is not kept.
#[tokio::test]
async fn a_tag_is_sent_where_it_came_from() {
    let web = Web::with_keys(&key());
    let document = web.0.answers.lock().unwrap()[JWKS].clone();
    web.put(JWKS, document.clone().with("etag", "\"one\""));
    let tag = web.origin().fetch(None).await.unwrap().document.unwrap().tag.unwrap();
    web.put(OAUTH, Answer::json(metadata(ISSUER, "https://elsewhere.example/")));
    web.put("https://elsewhere.example/", Answer::status(304));
    assert_eq!(web.issuer().fetch(Some(&tag)).await.unwrap_err().code(), "fetch_status_unexpected");
    web.put(OAUTH, Answer::json(metadata(ISSUER, JWKS)));
    web.put(JWKS, Answer::status(304));
    assert!(web.issuer().fetch(Some(&tag)).await.unwrap().document.is_none());
    let requests = web.requests();
    assert_eq!(requests[1..], [OAUTH, "https://elsewhere.example/", OAUTH, &format!("{JWKS} \"one\"")]);

    web.put(JWKS, document.with("etag", &format!("\"{}\"", "x".repeat(1023))));
    assert!(web.origin().fetch(None).await.unwrap().document.unwrap().tag.is_none());
}

#[tokio::test]
async fn a_file_that_is_not_one_is_no_document() {
    for path in ["no/such/file", env!("CARGO_MANIFEST_DIR"), "/dev/null"] {
        let error = Origin::File(path.into()).fetch(None).await.unwrap_err();
        assert_eq!(error.code(), "keys_file_unreadable", "{path}");
    }
}
