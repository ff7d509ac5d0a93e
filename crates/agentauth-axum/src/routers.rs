//! Routers to merge into an application: resource metadata, and a token service.

use agentauth_core::delegation::MAX_FORM_BYTES;
use agentauth_core::{AgentAuth, TokenRefusal, TokenService};
use agentauth_tower::ConnectionPeer;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde_json::{Value, json};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The route of the protected-resource metadata of `auth` (RFC 9728 §3): public, and outside of the layer.
///
/// The document names this resource and its issuers, says that tokens go into the `Authorization` header, and how they may
/// be bound to their holder's key.
pub fn resource_metadata<S: Clone + Send + Sync + 'static>(auth: &AgentAuth) -> Router<S> {
    let issuers: Vec<&str> = auth.issuers().iter().map(agentauth_core::IssuerId::as_str).collect();
    let scopes: Vec<&str> = auth.scopes_supported().iter().collect();
    let document = json!({
        "resource": auth.resource().as_str(),
        "authorization_servers": issuers,
        "bearer_methods_supported": ["header"],
        "tls_client_certificate_bound_access_tokens": auth.agents().is_some(),
    });
    let Value::Object(mut document) = document else { return Router::new() };
    if !scopes.is_empty() {
        document.insert("scopes_supported".into(), json!(scopes));
    }
    if let Some(dpop) = auth.dpop() {
        let algorithms: Vec<&str> = dpop.algorithms().split(' ').collect();
        document.insert("dpop_signing_alg_values_supported".into(), json!(algorithms));
        // With certificates trusted too, a token may be bound in the other way.
        let is_required = auth.requires_binding() && auth.agents().is_none();
        document.insert("dpop_bound_access_tokens_required".into(), json!(is_required));
    }
    document_at(auth.metadata_url(), Value::Object(document).to_string())
}

/// The routes of a token service: `POST /token` (RFC 8693, RFC 6749 §4.4, RFC 7523 §2.1), `GET /jwks.json` (RFC 7517) and the
/// authorization server metadata (RFC 8414).
///
/// Clients authenticate by the SVID of their TLS connection: serve this with an [`MtlsListener`](crate::MtlsListener),
/// and let clients connect to it themselves: behind a proxy that ends their TLS connections and shows an SVID of its
/// own, each of them would be the proxy.
/// The endpoints are those of the issuer's identifier, so it must be the URL that this router is served under.
pub fn token_service<S: Clone + Send + Sync + 'static>(service: TokenService) -> Router<S> {
    let issuer = service.issuer().id().as_str().trim_end_matches('/').to_owned();
    let mut metadata = json!({
        "issuer": service.issuer().id().as_str(),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks.json"),
        "response_types_supported": [],
        "grant_types_supported": service.issuer().grant_types(),
        "token_endpoint_auth_methods_supported": ["tls_client_auth"],
        "tls_client_certificate_bound_access_tokens": true,
    });
    let profiles = service.issuer().grant_profiles();
    if let (false, Some(members)) = (profiles.is_empty(), metadata.as_object_mut()) {
        members.insert("authorization_grant_profiles_supported".into(), json!(profiles));
    }
    let path = issuer.parse::<Uri>().map(|uri| uri.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    // RFC 8414 §3: the well-known name goes between host and path.
    let metadata_path = format!("/.well-known/oauth-authorization-server{path}");
    let jwks = service.issuer().jwks();
    Router::new()
        .route(&format!("{path}/token"), post(token).with_state(service))
        .merge(document_at(&format!("{path}/jwks.json"), jwks))
        .merge(document_at(&metadata_path, metadata.to_string()))
}

/// A constant JSON document at the path of `url`.
fn document_at<S: Clone + Send + Sync + 'static>(url: &str, document: String) -> Router<S> {
    let path = url.parse::<Uri>().map(|uri| uri.path().to_owned()).unwrap_or_default();
    let body: std::sync::Arc<str> = document.into();
    Router::new().route(&path, get(async move || ([(CONTENT_TYPE, JSON)], body.to_string())))
}

async fn token(
    State(service): State<TokenService>,
    peer: Option<Extension<ConnectionPeer>>,
    request: Request,
) -> Response {
    let client = peer.as_ref().map(|Extension(ConnectionPeer(svid))| &**svid);
    let form = read_form(request).await;
    match service.answer_form(client, &form).await {
        Ok(body) => (no_store(), body).into_response(),
        Err(refusal) => refuse(&refusal),
    }
}

/// The form, or nothing: a body that is no form or too long is refused as a request without a grant type.
async fn read_form(request: Request) -> Vec<u8> {
    let is_form = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
    });
    if !is_form {
        return Vec::new();
    }
    axum::body::to_bytes(request.into_body(), MAX_FORM_BYTES).await.map(Vec::from).unwrap_or_default()
}

/// RFC 6749 §5.2, with one fixed description: what was wrong stands in the record, under the evaluation id.
fn refuse(refusal: &TokenRefusal) -> Response {
    let status = match refusal.error.oauth_error() {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = json!({
        "error": refusal.error.oauth_error(),
        "error_description": "the request was refused; the operator finds the reason under the evaluation id",
        "evaluation_id": refusal.evaluation_id,
    });
    (status, no_store(), Body::from(body.to_string())).into_response()
}

/// RFC 6749 §5.1: answers with tokens are not stored.
fn no_store() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}
