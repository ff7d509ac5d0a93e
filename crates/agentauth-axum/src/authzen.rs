//! A policy decision point, as a router to merge into an application.

use agentauth_core::policy::authzen::{MAX_EVALUATION_BYTES, MAX_EVALUATIONS_BYTES};
use agentauth_core::{AgentAuth, DecisionPoint, EvaluationError};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use serde_json::json;

use crate::metadata::document_at;
use crate::{AgentAuthLayer, Caller, Rejection};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The routes of `pdp` (OpenID AuthZEN Authorization API 1.0): `POST /access/v1/evaluation` and `POST /access/v1/evaluations`, for
/// callers that `auth` verifies and that hold the scope of the decision point, and its metadata, which is public (§9).
///
/// The identifier of the decision point is that of `auth`, so it must be the URL that this router is served under. A denial is
/// answered with 200; a request that is none with 400 and a sentence; and who may not ask as by
/// [`AgentAuthLayer`] and [`RequireScopesLayer`](crate::RequireScopesLayer).
pub fn authzen_pdp<S: Clone + Send + Sync + 'static>(auth: &AgentAuth, pdp: DecisionPoint) -> Router<S> {
    authzen_pdp_behind(auth, AgentAuthLayer::new(auth.clone()), pdp)
}

/// As [`authzen_pdp`], behind a layer that is set up otherwise: for a proxy, for instance. It must be of the same `auth`; without a
/// caller, nothing is answered.
pub fn authzen_pdp_behind<S: Clone + Send + Sync + 'static>(
    auth: &AgentAuth,
    layer: AgentAuthLayer,
    pdp: DecisionPoint,
) -> Router<S> {
    let identifier = auth.resource().as_str();
    let base = identifier.strip_suffix('/').unwrap_or(identifier);
    let path = path_of(base);
    let path = path.strip_suffix('/').unwrap_or(&path);
    let document = json!({
        "policy_decision_point": identifier,
        "access_evaluation_endpoint": format!("{base}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{base}/access/v1/evaluations"),
        "supported_obligations": ["custom"],
    });
    let endpoints = Router::new()
        .route(&format!("{path}/access/v1/evaluation"), post(evaluation))
        .route(&format!("{path}/access/v1/evaluations"), post(evaluations))
        .with_state(pdp)
        .layer(layer)
        .layer(from_fn(identified));
    endpoints.merge(document_at(&well_known(identifier), document.to_string()))
}

fn path_of(url: &str) -> String {
    url.parse::<Uri>().map(|uri| uri.path().to_owned()).unwrap_or_default()
}

/// Where the metadata of `identifier` is: before its path (§9.2).
fn well_known(identifier: &str) -> String {
    let path = path_of(identifier);
    format!("/.well-known/authzen-configuration{}", path.strip_suffix('/').unwrap_or(&path))
}

/// Answers under the identifier of the request, if it has one, whatever the answer is (§10.1.3).
async fn identified(request: Request, next: Next) -> Response {
    let id = request.headers().get(X_REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if let Some(id) = id {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    response
}

async fn evaluation(State(pdp): State<DecisionPoint>, caller: Caller, request: Request) -> Result<Response, Rejection> {
    let admitted = pdp.admit(&caller).await?;
    let Some(body) = json_body(request, MAX_EVALUATION_BYTES).await else { return Ok(malformed(NO_JSON)) };
    answer(admitted.evaluate(&body).await)
}

async fn evaluations(
    State(pdp): State<DecisionPoint>,
    caller: Caller,
    request: Request,
) -> Result<Response, Rejection> {
    let admitted = pdp.admit(&caller).await?;
    let Some(body) = json_body(request, MAX_EVALUATIONS_BYTES).await else { return Ok(malformed(NO_JSON)) };
    answer(admitted.evaluate_all(&body).await)
}

const NO_JSON: &str =
    "the request is refused: it needs a body of type application/json that arrives whole and is not too long";

/// The body, if it is said to be JSON, and has at most so many bytes.
async fn json_body(request: Request, most: usize) -> Option<Vec<u8>> {
    let mut types = request.headers().get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return None };
    let essence = only.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
    if essence != "application/json" {
        return None;
    }
    to_bytes(request.into_body(), most).await.ok().map(Vec::from)
}

fn answer(answer: Result<String, EvaluationError>) -> Result<Response, Rejection> {
    match answer {
        Ok(body) => Ok(plain(StatusCode::OK, "application/json", body)),
        Err(EvaluationError::Rejected(rejection)) => Err(rejection.into()),
        Err(error) => Ok(malformed(&error.to_string())),
    }
}

fn malformed(text: &str) -> Response {
    plain(StatusCode::BAD_REQUEST, "text/plain; charset=utf-8", text.to_owned())
}

fn plain(status: StatusCode, kind: &'static str, body: String) -> Response {
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static(kind)), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, Body::from(body)).into_response()
}
