//! The control port: JSON questions, each answered by one call of the library.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::identity::svid::{Audiences, BundleSource as _, verify_jwt_svid, verify_x509_svid};
use agentauth_core::{Clock as _, SpiffeId, SystemClock};
use agentauth_spiffe::WorkloadApi;
use agentauth_spiffe::tls::{ClientTls, Servers, TlsRefusal};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A server that has not answered by then does not want to.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Controlled {
    api: WorkloadApi,
    client: Arc<ClientConfig>,
}

pub(crate) fn router(api: &WorkloadApi) -> Result<Router, Box<dyn Error>> {
    let client = Arc::new(ClientTls::new(api.clone(), api.clone(), Servers::any()).config()?);
    Ok(Router::new()
        .route("/v1/jwt/validate", post(validate))
        .route("/v1/jwt/fetch", post(fetch))
        .route("/v1/x509/dial", post(dial))
        .route("/v1/info", get(info))
        .with_state(Controlled { api: api.clone(), client }))
}

/// What came of a question.
enum Answer {
    Done(Value),
    /// The library has refused what it was given.
    Rejected(String),
    /// The question could not be put to the library, or its answer says nothing of what it was given.
    Failed(String),
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::Done(mut body) => {
                if let Value::Object(members) = &mut body {
                    members.insert("status".into(), "ok".into());
                }
                (StatusCode::OK, body)
            }
            Self::Rejected(message) => {
                (StatusCode::UNPROCESSABLE_ENTITY, json!({ "status": "rejected", "message": message }))
            }
            Self::Failed(message) => {
                (StatusCode::INTERNAL_SERVER_ERROR, json!({ "status": "error", "message": message }))
            }
        };
        (status, Json(body)).into_response()
    }
}

fn question<'q, T: Deserialize<'q>>(body: &'q [u8]) -> Result<T, Answer> {
    serde_json::from_slice(body).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Answer {
    Answer::Failed(error.to_string())
}

async fn validate(State(Controlled { api, .. }): State<Controlled>, body: Bytes) -> Result<Answer, Answer> {
    #[derive(Deserialize)]
    struct Question {
        token: String,
        audience: String,
    }
    let Question { token, audience } = question(&body)?;
    let audiences = Audiences::new([audience]).map_err(failed)?;
    let svid = verify_jwt_svid(&token, &api.bundles(), &audiences, SystemClock.now())
        .map_err(|refusal| Answer::Rejected(format!("{}: {refusal}", refusal.code())))?;
    let claims: Value = serde_json::from_str(svid.claims_json()).map_err(failed)?;
    Ok(Answer::Done(json!({ "spiffe_id": svid.id().as_str(), "claims": claims })))
}

async fn fetch(State(Controlled { api, .. }): State<Controlled>, body: Bytes) -> Result<Answer, Answer> {
    #[derive(Deserialize)]
    struct Question {
        audience: Vec<String>,
        #[serde(default)]
        spiffe_id: String,
    }
    let Question { audience, spiffe_id } = question(&body)?;
    let id: Option<SpiffeId> = match spiffe_id.as_str() {
        "" => None,
        id => Some(id.parse().map_err(failed)?),
    };
    let audiences: Vec<&str> = audience.iter().map(String::as_str).collect();
    let svids = api.fetch_jwt_svids(id.as_ref(), &audiences).await.map_err(failed)?;
    let svids = svids.iter().map(|svid| {
        json!({ "spiffe_id": svid.id().as_str(), "token": svid.token(), "hint": svid.hint().unwrap_or_default() })
    });
    Ok(Answer::Done(json!({ "svids": svids.collect::<Vec<_>>() })))
}

async fn dial(State(Controlled { api, client }): State<Controlled>, body: Bytes) -> Result<Answer, Answer> {
    #[derive(Deserialize)]
    struct Question {
        address: String,
    }
    let Question { address } = question(&body)?;
    let name = ServerName::try_from(address.rsplit_once(':').ok_or_else(|| failed("no port"))?.0.to_owned());
    let connected = timeout(DIAL_LIMIT, TcpStream::connect(&address)).await.map_err(failed)?.map_err(failed)?;
    let handshake = TlsConnector::from(client).connect(name.map_err(failed)?, connected);
    let stream =
        timeout(DIAL_LIMIT, handshake).await.map_err(failed)?.map_err(|error| match TlsRefusal::find(&error) {
            Some(refusal @ (TlsRefusal::Identity(_) | TlsRefusal::KeyUnsuitable)) => failed(refusal),
            Some(refusal) => Answer::Rejected(format!("{}: {refusal}", refusal.code())),
            None => failed(error),
        })?;
    // The handshake has verified it; this only asks who it is.
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let svid = verify_x509_svid(chain, &api.bundles(), SystemClock.now()).map_err(failed)?;
    Ok(Answer::Done(json!({ "spiffe_id": svid.id().as_str() })))
}

async fn info() -> Answer {
    Answer::Done(json!({ "sdk": "agentauth-spiffe", "sdk_version": env!("CARGO_PKG_VERSION"), "language": "rust" }))
}
