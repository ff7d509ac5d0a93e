//! The four servers: the token service, the court, the records office, and the archive.

use std::sync::Arc;

use agentauth_audit::AuditLog;
use agentauth_axum::{
    AgentAuthLayer, Caller, MtlsListener, Rejection, RequireScopesLayer, resource_metadata, serve, token_service,
};
use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::chain::ChainSettings;
use agentauth_core::state::{MemoryApprovalStore, MemoryRevocations};
use agentauth_core::{Action, AgentAuth, AgentAuthBuilder, Approvals, ResourceId, TokenService, TrustedIssuer};
use agentauth_examples::ca::Ca;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::Error;
use crate::register::Register;

/// What the servers permit: Cedar policies, their schema, and their tests.
const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/courtroom");

/// What the servers keep together.
pub(crate) struct Books {
    /// What was decided.
    pub(crate) record: AuditLog,
    /// What does not count any more.
    pub(crate) revocations: Arc<MemoryRevocations>,
}

/// What a lawyer files. Each field is an argument that the court's policies look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Motion {
    pub(crate) title: String,
    pub(crate) fee: u32,
}

/// What is fetched from the archive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pages {
    pub(crate) pages: u32,
}

pub(crate) fn open_token_service(socket: TcpListener, ca: &Ca, service: TokenService) -> Result<(), Error> {
    open(socket, ca, "/server/sts", token_service(service))
}

/// The court: only delegated agents, and only as its policies permit. Answers with where humans approve.
pub(crate) fn open_court(
    socket: TcpListener,
    ca: &Ca,
    resource: &ResourceId,
    sts: &TokenService,
    books: &Books,
) -> Result<Approvals, Error> {
    let auth = engine(ca, resource, sts, books)?.approvals(MemoryApprovalStore::new()).build()?;
    let approvals = auth.approvals().ok_or("the court keeps approvals")?;
    let app = Router::new()
        .route("/cases/{case}/motions", post(file_motion))
        .layer(AgentAuthLayer::new(auth.clone()))
        .merge(resource_metadata(&auth));
    open(socket, ca, "/server/court", app)?;
    Ok(approvals)
}

async fn file_motion(
    caller: Caller,
    Path(case): Path<String>,
    Json(motion): Json<Motion>,
) -> Result<(StatusCode, String), Rejection> {
    let action = Action::new("motions:file")?.on("case", &case).with(motion)?;
    let permit = caller.authorize(action).await?;
    permit.run(|motion| async move { Ok((StatusCode::CREATED, format!("filed: {}", motion.title))) }).await?
}

/// The records office: a route that requires its scope before anything is read.
pub(crate) fn open_records(
    socket: TcpListener,
    ca: &Ca,
    resource: &ResourceId,
    sts: &TokenService,
    books: &Books,
) -> Result<(), Error> {
    let auth = following_chains(engine(ca, resource, sts, books)?, resource).build()?;
    let app = Router::new()
        .route("/records/{case}", get(read_record).layer(RequireScopesLayer::new("records:read")?))
        .layer(AgentAuthLayer::new(auth.clone()))
        .merge(resource_metadata(&auth));
    open(socket, ca, "/server/records", app)
}

async fn read_record(caller: Caller, Path(case): Path<String>) -> Result<String, Rejection> {
    let permit = caller.authorize(Action::new("records:read")?.on("record", &case)).await?;
    permit.run(|()| async move { Ok(format!("the record of case {case}")) }).await?
}

/// The archive, whose policy is wide: what an agent may read is for those to say who have sent it.
pub(crate) fn open_archive(
    socket: TcpListener,
    ca: &Ca,
    resource: &ResourceId,
    sts: &TokenService,
    books: &Books,
) -> Result<(), Error> {
    let auth = following_chains(engine(ca, resource, sts, books)?, resource).build()?;
    let app = Router::new()
        .route("/cases/{case}/pages", post(read_pages))
        .layer(AgentAuthLayer::new(auth.clone()))
        .merge(resource_metadata(&auth));
    open(socket, ca, "/server/archive", app)
}

async fn read_pages(caller: Caller, Path(case): Path<String>, Json(wanted): Json<Pages>) -> Result<String, Rejection> {
    let depth = caller.delegation().depth();
    let permit = caller.authorize(Action::new("archive:read")?.on("case", &case).with(wanted)?).await?;
    permit
        .run(|wanted| async move { Ok(format!("{} pages of {case}, for an agent at depth {depth}", wanted.pages)) })
        .await?
}

/// Takes tokens that their holders have narrowed, with a proof by the last one's key.
fn following_chains(engine: AgentAuthBuilder, resource: &ResourceId) -> AgentAuthBuilder {
    engine.dpop(Dpop::new(resource.as_str())).chains(ChainSettings::new())
}

fn engine(ca: &Ca, resource: &ResourceId, sts: &TokenService, books: &Books) -> Result<AgentAuthBuilder, Error> {
    let (record, revocations) = (books.record.clone(), Arc::clone(&books.revocations));
    let issuer = TrustedIssuer::rfc8693(sts.issuer().id().as_str(), sts.issuer().keys());
    // Its `entities.json` is for its cases, with names that last. This issuer is at a port of today.
    let mut sources = Sources::read(POLICIES)?;
    sources.entities.clear();
    let policies = CedarPolicies::new(&sources)?.entities(Register::of(sts.issuer().id()));
    Ok(AgentAuth::builder(resource.as_str())
        .issuer(issuer)
        .policy(policies)
        .agents(ca.trust()?)
        .audit(record)
        .revocations(revocations)
        .require_delegation())
}

fn open(socket: TcpListener, ca: &Ca, path: &str, app: Router) -> Result<(), Error> {
    let listener = MtlsListener::new(socket, ca.mint(path)?, ca.trust()?)?;
    tokio::spawn(serve(listener, app));
    Ok(())
}
