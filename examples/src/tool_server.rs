//! The tool server as an axum application: what a newcomer copies.

use agentauth_axum::{AgentAuthLayer, Caller, Rejection, RequireBindingLayer, RequireScopesLayer, resource_metadata};
use agentauth_core::policy::{
    Arguments, AuthzRequest, Decision, PolicyEngine, PolicyError, Prospect, Reason, ReasonKind,
};
use agentauth_core::{Action, AgentAuth, Mode, ScopeError};
use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{MethodRouter, get, post};
use serde_json::{Value, json};

/// The routes that [`router`] has.
pub const ROUTES: [&str; 3] = ["/whoami", "/tools", "/tools/{name}"];

/// What a whole route requires, beside what its handler asks for.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// One of [`ROUTES`].
    pub route: String,
    /// What its callers need.
    pub need: Need,
}

/// What a route can require of its callers.
#[derive(Debug, Clone)]
pub enum Need {
    /// A scope.
    Scope(String),
    /// A token that is bound to its holder's key.
    BoundToken,
}

/// `GET /whoami`, `GET /tools`, `POST /tools/{name}` and the metadata document, guarded by `auth`.
///
/// # Errors
/// [`ScopeError`] if a required scope is malformed.
pub fn router(auth: &AgentAuth, required: &[Requirement]) -> Result<Router, ScopeError> {
    router_behind(AgentAuthLayer::new(auth.clone()), auth, required)
}

/// [`router`], where `layer` finds out who is calling: by what a proxy says, for instance.
///
/// # Errors
/// [`ScopeError`] if a required scope is malformed.
pub fn router_behind(layer: AgentAuthLayer, auth: &AgentAuth, required: &[Requirement]) -> Result<Router, ScopeError> {
    let mut guarded = Router::new();
    for (route, method) in ROUTES.into_iter().zip([get(whoami), get(list_tools), post(call_tool)]) {
        guarded = guarded.route(route, require(method, route, required)?);
    }
    Ok(guarded.layer(layer).merge(resource_metadata(auth)))
}

fn require(mut method: MethodRouter, route: &str, required: &[Requirement]) -> Result<MethodRouter, ScopeError> {
    for requirement in required.iter().filter(|requirement| requirement.route == route) {
        method = match &requirement.need {
            Need::Scope(scope) => method.layer(RequireScopesLayer::new(scope)?),
            Need::BoundToken => method.layer(RequireBindingLayer::new()),
        };
    }
    Ok(method)
}

async fn whoami(caller: Caller) -> Json<Value> {
    let delegation = caller.delegation();
    Json(json!({
        "agent": caller.agent(),
        "principal": caller.principal(),
        "mode": caller.mode(),
        "scopes": caller.scopes().iter().collect::<Vec<_>>(),
        "chain_depth": delegation.depth(),
        "binding": delegation.binding(),
        "peer": caller.peer().map(|peer| json!({"id": peer.id(), "proof": peer.proof()})),
        "issuer": delegation.issuer(),
        "expires": delegation.expires(),
    }))
}

/// The tools that this caller may possibly call; whether it may with its arguments is decided when it does.
async fn list_tools(caller: Caller) -> Result<Json<Value>, Rejection> {
    let mut tools = Vec::new();
    for name in TOOLS {
        let prospect = Prospect::new(&format!("tools:{name}"))?.on("tool", name);
        if !caller.preview(&prospect).is_never() {
            tools.push(json!({ "name": name }));
        }
    }
    Ok(Json(json!({ "tools": tools })))
}

/// Calling the tool `add` is the action `tools:add`, which needs the scope of that name.
async fn call_tool(caller: Caller, Path(name): Path<String>, body: Bytes) -> Result<Response, Rejection> {
    let arguments = if body.is_empty() { Arguments::of(&())? } else { Arguments::from_json(&body)? };
    // A name that no scope could have names no tool.
    let Ok(action) = Action::new(&format!("tools:{name}")) else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    let permit = caller.authorize(action.on("tool", &name).with_arguments(arguments)).await?;
    let answer = permit.run(|arguments| async move { run(&name, &arguments) }).await?;
    Ok(match answer {
        Ok(result) => Json(json!({"result": result, "for": caller.principal()})).into_response(),
        Err(problem) => (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"error": problem}))).into_response(),
    })
}

const TOOLS: [&str; 2] = ["add", "echo"];

/// The tools themselves.
fn run(name: &str, arguments: &Arguments) -> Result<Value, &'static str> {
    let integer = |name| arguments.get(name).and_then(Value::as_i64);
    match name {
        "echo" => Ok(arguments.to_json()),
        "add" => match (integer("a"), integer("b")) {
            (Some(a), Some(b)) => a.checked_add(b).map(Value::from).ok_or("the sum is too large"),
            _ => Err("add needs two integers, a and b"),
        },
        _ => Err("there is no such tool; try echo or add"),
    }
}

/// A policy for servers where the delegated scopes say all there is to say: what was delegated is permitted.
#[derive(Debug, Clone, Copy)]
pub struct ScopesSuffice;

#[async_trait]
impl PolicyEngine for ScopesSuffice {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        let text = match request.mode() {
            Mode::OnBehalfOf => "the delegation includes the scope of the action",
            _ => "the token includes the scope of the action",
        };
        Ok(Decision::allow(Reason::new(ReasonKind::Permitted, text).of_policy("scopes-suffice")))
    }

    fn version(&self) -> std::sync::Arc<str> {
        "scopes-suffice-1".into()
    }
}
