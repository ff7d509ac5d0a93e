//! The metadata of a resource server, as a router to merge into an application.

use agentauth_core::AgentAuth;
use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Uri};
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

/// A constant JSON document at the path of `url`.
pub(crate) fn document_at<S: Clone + Send + Sync + 'static>(url: &str, document: String) -> Router<S> {
    let path = url.parse::<Uri>().map(|uri| uri.path().to_owned()).unwrap_or_default();
    let body: std::sync::Arc<str> = document.into();
    Router::new().route(&path, get(async move || ([(CONTENT_TYPE, JSON)], body.to_string())))
}
