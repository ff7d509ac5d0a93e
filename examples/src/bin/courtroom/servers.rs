//! The three servers: the token service, the court, and the records office.

use std::sync::Arc;

use agentauth_axum::{
    AgentAuthLayer, Caller, MtlsListener, Rejection, RequireScopesLayer, resource_metadata, serve, token_service,
};
use agentauth_core::audit::JsonLinesFile;
use agentauth_core::policy::{Agents, Limit, Principals, Resources, Rule, Rules};
use agentauth_core::{Action, AgentAuth, ResourceId, TokenService, TrustedIssuer};
use agentauth_examples::ca::Ca;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::Error;
use crate::world::ALICES_CASE;

/// What a lawyer files. Each field is an argument that the court's rules look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Motion {
    pub(crate) title: String,
    pub(crate) fee: u32,
}

pub(crate) fn open_token_service(socket: TcpListener, ca: &Ca, service: TokenService) -> Result<(), Error> {
    open(socket, ca, "/server/sts", token_service(service))
}

/// The court: only delegated agents, and only within its rules.
pub(crate) fn open_court(
    socket: TcpListener,
    ca: &Ca,
    resource: &ResourceId,
    sts: &TokenService,
    record: Arc<JsonLinesFile>,
) -> Result<(), Error> {
    let rules = Rules::new([Rule::allow("lawyers-file-for-their-clients")
        .agents(Agents::below("spiffe://court.example/agent/lawyer")?)
        .principals(Principals::exactly(sts.issuer().id().as_str(), "alice")?)
        .action("motions:file")
        .resources(Resources::exactly("case", ALICES_CASE))
        .argument("title", Limit::max_length(200))
        .argument("fee", Limit::between(0, 500))])?;
    let auth = engine(ca, resource, sts, record)?.require_delegation().policy(rules).build()?;
    let app = Router::new()
        .route("/cases/{case}/motions", post(file_motion))
        .layer(AgentAuthLayer::new(auth.clone()))
        .merge(resource_metadata(&auth));
    open(socket, ca, "/server/court", app)
}

async fn file_motion(
    caller: Caller,
    Path(case): Path<String>,
    Json(motion): Json<Motion>,
) -> Result<(StatusCode, String), Rejection> {
    let action = Action::new("motions:file")?.on("case", &case).with(motion)?;
    let permit = caller.authorize(action).await?;
    permit.run(|motion| async move { Ok((StatusCode::CREATED, format!("filed: {}", motion.title))) }).await
}

/// The records office: a route that requires its scope before anything is read.
pub(crate) fn open_records(
    socket: TcpListener,
    ca: &Ca,
    resource: &ResourceId,
    sts: &TokenService,
    record: Arc<JsonLinesFile>,
) -> Result<(), Error> {
    let rules = Rules::new([Rule::allow("agents-read-their-principals-records")
        .agents(Agents::below("spiffe://court.example/agent")?)
        .principals(Principals::exactly(sts.issuer().id().as_str(), "alice")?)
        .action("records:read")
        .resources(Resources::exactly("record", ALICES_CASE))])?;
    let auth = engine(ca, resource, sts, record)?.require_delegation().policy(rules).build()?;
    let app = Router::new()
        .route("/records/{case}", get(read_record).layer(RequireScopesLayer::new("records:read")?))
        .layer(AgentAuthLayer::new(auth.clone()))
        .merge(resource_metadata(&auth));
    open(socket, ca, "/server/records", app)
}

async fn read_record(caller: Caller, Path(case): Path<String>) -> Result<String, Rejection> {
    let permit = caller.authorize(Action::new("records:read")?.on("record", &case)).await?;
    permit.run(|()| async move { Ok(format!("the record of case {case}")) }).await
}

fn engine(
    ca: &Ca,
    resource: &ResourceId,
    sts: &TokenService,
    record: Arc<JsonLinesFile>,
) -> Result<agentauth_core::AgentAuthBuilder, Error> {
    let issuer = TrustedIssuer::rfc8693(sts.issuer().id().as_str(), sts.issuer().keys());
    Ok(AgentAuth::builder(resource.as_str()).issuer(issuer).agents(ca.trust()?).audit(record))
}

fn open(socket: TcpListener, ca: &Ca, path: &str, app: Router) -> Result<(), Error> {
    let listener = MtlsListener::new(socket, ca.mint(path)?, ca.trust()?)?;
    tokio::spawn(serve(listener, app));
    Ok(())
}
