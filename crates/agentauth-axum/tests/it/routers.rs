//! Resource metadata (RFC 9728), and the token service on the wire (RFC 8693, RFC 8414, RFC 7517).

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use agentauth_axum::{AgentAuthLayer, resource_metadata, token_service};
use agentauth_core::audit::RecordKind;
use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::{AssertionIssuer, ExchangeRequest, KnownSubjects, MAX_FORM_BYTES};
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::policy::Effect;
use agentauth_core::{AgentAuth, Evidence, ResourceId, SpiffeId, Timestamp, TokenService, TrustedIssuer};
use agentauth_tower::ConnectionPeer;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http::Request;
use http_body::Frame;
use serde_json::{Value, json};

use crate::support::{Answer, Court, Failing, LAWYER, NOW, STS, TOOLS, fetch, send};

const FORM: &str = "application/x-www-form-urlencoded";

fn pretty(answer: &Answer) -> String {
    assert_eq!(answer.status(), 200, "{answer:?}");
    // Sorted, whatever order this build keeps members in.
    let sorted: BTreeMap<String, Value> = serde_json::from_value(answer.json()).unwrap();
    serde_json::to_string_pretty(&sorted).unwrap()
}

/// An application that needs a caller, and the metadata of `auth` beside it.
fn guarded(auth: &AgentAuth) -> Router {
    let app = Router::new().route("/", get(async || "secret")).layer(AgentAuthLayer::new(auth.clone()));
    app.merge(resource_metadata(auth))
}

#[tokio::test]
async fn the_metadata_of_a_resource_is_public() {
    let court = Court::new();
    let app = guarded(&court.engine(TOOLS).scopes_supported("motions:file records:read").build().unwrap());
    assert_eq!(fetch(&app, "/").await.status(), 401);
    assert_eq!(court.records.codes(), ["no_credentials"]);
    insta::assert_snapshot!(pretty(&fetch(&app, "/.well-known/oauth-protected-resource").await), @r#"
    {
      "authorization_servers": [
        "https://sts.court.example"
      ],
      "bearer_methods_supported": [
        "header"
      ],
      "resource": "https://tools.example",
      "scopes_supported": [
        "motions:file",
        "records:read"
      ],
      "tls_client_certificate_bound_access_tokens": true
    }
    "#);
    assert_eq!(court.records.codes(), [""; 0]);
}

#[tokio::test]
async fn the_metadata_of_a_resource_with_a_path_is_below_the_well_known_name() {
    let court = Court::new();
    let plain = AgentAuth::builder("https://tools.example/mcp/v1")
        .issuer(TrustedIssuer::rfc8693("https://b.example", court.issuer(STS).build().unwrap().keys()))
        .issuer(TrustedIssuer::rfc9068("https://a.example", court.issuer(STS).build().unwrap().keys()))
        .audit(court.records.clone())
        .build()
        .unwrap();
    let app = guarded(&plain);
    insta::assert_snapshot!(pretty(&fetch(&app, "/.well-known/oauth-protected-resource/mcp/v1").await), @r#"
    {
      "authorization_servers": [
        "https://b.example",
        "https://a.example"
      ],
      "bearer_methods_supported": [
        "header"
      ],
      "resource": "https://tools.example/mcp/v1",
      "tls_client_certificate_bound_access_tokens": false
    }
    "#);
    assert_eq!(fetch(&app, "/.well-known/oauth-protected-resource").await.status(), 404);
}

/// RFC 9728 §2: how tokens may, or must, be bound by DPoP.
#[tokio::test]
async fn the_metadata_says_how_tokens_are_bound() {
    let court = Court::new();
    let engine = || court.engine(TOOLS).dpop(Dpop::new(TOOLS).algorithms([Algorithm::EdDsa, Algorithm::Es256]));
    let only_dpop = AgentAuth::builder(TOOLS)
        .issuer(TrustedIssuer::rfc8693(STS, court.issuer(STS).build().unwrap().keys()))
        .audit(court.records.clone())
        .dpop(Dpop::new(TOOLS))
        .require_binding();
    for (auth, algorithms, required) in [
        (engine().build().unwrap(), json!(["EdDSA", "Ed25519", "ES256"]), false),
        (engine().require_binding().build().unwrap(), json!(["EdDSA", "Ed25519", "ES256"]), false),
        (only_dpop.build().unwrap(), json!(["EdDSA", "Ed25519", "ES256", "ES384", "RS256", "PS256"]), true),
    ] {
        let document = pretty(&fetch(&guarded(&auth), "/.well-known/oauth-protected-resource").await);
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["dpop_signing_alg_values_supported"], algorithms);
        assert_eq!(document["dpop_bound_access_tokens_required"], required);
    }
}

#[tokio::test]
async fn the_metadata_stands_where_the_challenge_says() {
    let court = Court::new();
    for path in ["/a%20b", "/a//b", "/x/", "/", "/a?b=c", "/~a!$&'()+,;=@x:y*z"] {
        let resource = format!("https://tools.example{path}");
        let auth = court.engine(&resource).build().unwrap();
        let url: http::Uri = auth.metadata_url().parse().unwrap();
        let app = guarded(&auth);
        let answer = fetch(&app, url.path_and_query().unwrap().as_str()).await;
        assert_eq!((answer.status(), &answer.json()["resource"]), (200, &json!(resource)), "{path}");
        assert_eq!(fetch(&app, "/.well-known/oauth-protected-resource/other").await.status(), 404, "{path}");
    }
}

struct Office {
    court: Court,
    service: TokenService,
    app: Router,
    lawyer: Arc<X509Svid>,
}

impl Office {
    fn new(id: &str) -> Self {
        let court = Court::new();
        let service = TokenService::new(court.issuer(id).build().unwrap(), court.records.clone()).unwrap();
        let lawyer = court.verified(&court.ca.mint(LAWYER));
        Self { app: token_service(service.clone()), court, service, lawyer }
    }

    /// Posts a form as the lawyer.
    async fn post(&self, form: impl Into<Body>) -> Answer {
        self.send(Some(&self.lawyer), Some(FORM), form).await
    }

    async fn send(&self, peer: Option<&Arc<X509Svid>>, kind: Option<&str>, form: impl Into<Body>) -> Answer {
        let mut request = Request::post("/token").body(form.into()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectionPeer(peer.clone()));
        }
        if let Some(kind) = kind {
            request.headers_mut().insert("content-type", kind.parse().unwrap());
        }
        send(&self.app, request).await
    }

    /// Asserts that `answer` is a refusal, that it says this and no more, and that the record has the reason.
    fn assert_refused(&self, answer: &Answer, status: u16, error: &str, code: &str, reason: &str) {
        let record = self.court.records.only();
        assert_eq!((record.kind, record.effect, record.code), (RecordKind::Issuance, Effect::Deny, code));
        assert_eq!(record.reasons[0].text(), reason);
        let description = "the request was refused; the operator finds the reason under the evaluation id";
        let expected = json!({"error": error, "error_description": description, "evaluation_id": record.evaluation_id});
        assert_eq!((answer.status(), answer.json()), (status, expected), "{reason}");
        let mut headers: Vec<_> = answer.headers.keys().map(http::HeaderName::as_str).collect();
        headers.sort_unstable();
        assert_eq!(headers, ["cache-control", "content-length", "content-type"]);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

/// A body that comes in pieces, the last one first, and does not say how long it is.
struct Pieces(Vec<String>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop().map(|piece| Ok(Frame::data(piece.into()))))
    }
}

fn resource(id: &str) -> ResourceId {
    ResourceId::new(id).unwrap()
}

/// The form of an exchange that is granted.
fn exchange(office: &Office) -> ExchangeRequest {
    ExchangeRequest::new(office.court.consent(), resource(TOOLS)).scopes("records:read".parse().unwrap())
}

#[tokio::test]
async fn the_metadata_says_that_identity_assertions_are_accepted_and_not_from_whom() {
    let court = Court::new();
    let keys = SigningKey::generate(Algorithm::EdDsa).unwrap().public_key_set().unwrap();
    let provider = AssertionIssuer::new("https://idp.example", keys, KnownSubjects::new());
    let issuer = court.issuer(STS).identity_assertions_from(provider).build().unwrap();
    let app: Router = token_service(TokenService::new(issuer, court.records.clone()).unwrap());
    let answer = fetch(&app, "/.well-known/oauth-authorization-server").await;
    let metadata = answer.json();
    let profiles = json!(["urn:ietf:params:oauth:grant-profile:id-jag"]);
    assert_eq!(metadata["authorization_grant_profiles_supported"], profiles);
    let grants = metadata["grant_types_supported"].as_array().unwrap();
    assert!(grants.contains(&json!("urn:ietf:params:oauth:grant-type:jwt-bearer")));
    assert!(!answer.body.contains("idp.example"));
}

#[tokio::test]
async fn the_metadata_of_an_issuer_stands_where_its_identifier_says() {
    let office = Office::new(STS);
    let tenant = Office::new("https://sts.court.example/tenant/7");
    for (office, path) in [(&office, ""), (&tenant, "/tenant/7")] {
        let answer = fetch(&office.app, &format!("/.well-known/oauth-authorization-server{path}")).await;
        assert_eq!((answer.status(), &*answer.body), (200, &*office.service.issuer().metadata()));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
        assert_eq!(answer.json()["token_endpoint"], format!("https://sts.court.example{path}/token"));
    }
    assert_eq!(fetch(&tenant.app, "/.well-known/oauth-authorization-server").await.status(), 404);
    for (office, path) in [(&office, ""), (&tenant, "/tenant/7")] {
        let answer = fetch(&office.app, &format!("{path}/jwks.json")).await;
        assert_eq!((answer.status(), &*answer.body), (200, &*office.service.issuer().jwks()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(fetch(&office.app, &format!("{path}/introspect")).await.status(), 405);
        assert_eq!(fetch(&office.app, &format!("{path}/token")).await.status(), 405);
    }
    // RFC 8414 §3: a final slash goes; the identifier keeps it (§3.3).
    let slash = Office::new("https://sts.court.example/tenant/");
    let answer = fetch(&slash.app, "/.well-known/oauth-authorization-server/tenant").await.json();
    let endpoints = ["issuer", "token_endpoint", "jwks_uri", "introspection_endpoint"]
        .map(|name| answer[name].as_str().unwrap().to_owned());
    assert_eq!(
        endpoints,
        [
            "https://sts.court.example/tenant/",
            "https://sts.court.example/tenant/token",
            "https://sts.court.example/tenant/jwks.json",
            "https://sts.court.example/tenant/introspect"
        ]
    );
}

#[tokio::test]
async fn an_agent_exchanges_a_consent_for_a_token_of_its_own() {
    let office = Office::new(STS);
    let request = exchange(&office);
    let answer = office.post(request.to_form()).await;
    assert_eq!((answer.status(), answer.header("cache-control")), (200, Some("no-store")));
    let body = answer.json();
    let names: BTreeSet<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "expires_in", "issued_token_type", "scope", "token_type"].into());
    let issued = request.read_answer(answer.body.as_bytes(), Timestamp::from_secs(NOW)).unwrap();
    assert_eq!((issued.scopes().to_string(), issued.expires_in()), ("records:read".into(), 300));
    let record = office.court.records.only();
    assert_eq!((record.code, record.peer.as_ref().map(SpiffeId::as_str)), ("issued", Some(LAWYER)));

    let evidence = Evidence::bearer(issued.token()).with_peer(Some(office.lawyer.clone()));
    let caller = office.court.auth().authenticate(evidence).await.unwrap();
    assert_eq!((caller.agent().name(), caller.principal().subject()), (LAWYER, "alice"));
}

#[tokio::test]
async fn an_agent_gets_its_own_token_by_its_certificate_alone() {
    let office = Office::new(STS);
    for kind in [FORM, "Application/X-WWW-Form-Urlencoded ; charset=UTF-8"] {
        let form = format!("grant_type=client_credentials&resource={TOOLS}");
        let answer = office.send(Some(&office.lawyer), Some(kind), form).await;
        assert_eq!((answer.status(), &answer.json()["token_type"]), (200, &json!("Bearer")));
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_401() {
    let office = Office::new(STS);
    let reason = "the client shows no proof of who it is, or an SVID that is not good now; connect with one, or send \
                  an assertion or a secret";
    for form in [exchange(&office).to_form(), String::new()] {
        let answer = office.send(None, Some(FORM), form).await;
        office.assert_refused(&answer, 401, "invalid_client", "exchange_client_unauthenticated", reason);
    }
}

#[tokio::test]
async fn every_request_that_is_malformed_is_told_the_same() {
    let office = Office::new(STS);
    let good = exchange(&office).to_form();
    let (long, whole) = (MAX_FORM_BYTES + 1 - good.len(), "x=".len() + 1);
    let too_long = format!("{good}&x={}", "x".repeat(long - whole));
    assert_eq!(too_long.len(), MAX_FORM_BYTES + 1);
    let none = "the request is malformed: no grant_type";
    let no_form = "the request is malformed: the body is not application/x-www-form-urlencoded";
    let long_form = "the request is malformed: the form is longer than 65536 bytes, or did not arrive whole";
    let twice = "the request is malformed: a parameter stands twice";
    for (kind, form, reason) in [
        (None, good.clone(), no_form),
        (Some("application/json"), json!({"grant_type": "client_credentials"}).to_string(), no_form),
        (Some("multipart/form-data"), good.clone(), no_form),
        (Some("text/plain; x=application/x-www-form-urlencoded"), good.clone(), no_form),
        (Some(FORM), too_long.clone(), long_form),
        (Some(FORM), String::new(), none),
        (Some(FORM), format!("{good}&scope=records:read"), twice),
        (Some(FORM), format!("{good}&subject_token=a.b.c"), twice),
        (Some(FORM), format!("{good}&audience={TOOLS}"), "the request is malformed: both resource and audience"),
        (Some(FORM), good.replace("records", "rec+++ords"), "the request is malformed: scope is malformed"),
    ] {
        let answer = office.send(Some(&office.lawyer), kind, form).await;
        office.assert_refused(&answer, 400, "invalid_request", "exchange_malformed", reason);
    }
    // One byte less is a form like any other; so is one that comes in pieces.
    assert_eq!(office.post(too_long[..MAX_FORM_BYTES].to_owned()).await.status(), 200);
    office.court.records.take();
    for (length, is_read) in [(9, true), (MAX_FORM_BYTES, false)] {
        let pieces = Pieces(vec!["x".repeat(length), "&x=".into(), good.clone()]);
        let answer = office.post(Body::new(pieces)).await;
        if is_read {
            assert_eq!((answer.status(), office.court.records.codes()), (200, vec!["issued"]));
        } else {
            office.assert_refused(&answer, 400, "invalid_request", "exchange_malformed", long_form);
        }
    }
}

#[tokio::test]
async fn what_is_refused_is_told_as_one_oauth_error() {
    let office = Office::new(STS);
    let request = || ExchangeRequest::new(office.court.consent(), resource(TOOLS));
    let bad = ExchangeRequest::new(agentauth_core::SubjectToken::new("a.b.c"), resource(TOOLS));
    let elsewhere = ExchangeRequest::new(office.court.consent(), resource("https://evil.example"));
    let widened = "scopes `records:seal` were asked for, the subject token holds `motions:file records:read`";
    let malformed = "the subject token is refused: the header is not canonical base64url without padding";
    for (form, error, code, reason) in [
        (
            request().scopes("records:seal".parse().unwrap()).to_form(),
            "invalid_scope",
            "exchange_scope_widened",
            widened,
        ),
        (elsewhere.to_form(), "invalid_target", "exchange_target_unknown", "no tokens are issued for this target"),
        (bad.to_form(), "invalid_request", "token_not_canonical", malformed),
        (
            "grant_type=password".into(),
            "unsupported_grant_type",
            "exchange_grant_unsupported",
            "the grant type is not supported",
        ),
    ] {
        office.assert_refused(&office.post(form).await, 400, error, code, reason);
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_503_and_not_issued() {
    let office = Office::new(STS);
    let service = TokenService::new(office.service.issuer().clone(), Failing).unwrap();
    let full = Office { app: token_service(service.clone()), service, ..office };
    for (peer, form) in
        [(Some(&full.lawyer), exchange(&full).to_form()), (Some(&full.lawyer), String::new()), (None, String::new())]
    {
        let answer = full.send(peer, Some(FORM), form).await;
        let Value::Object(body) = answer.json() else { panic!("no object") };
        assert_eq!((answer.status(), &body["error"], body.len()), (503, &json!("temporarily_unavailable"), 3));
    }
}
