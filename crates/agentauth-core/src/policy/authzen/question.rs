//! What policy is asked, as the standard has it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::members::Members;
use super::{AuthzenError, EvaluationRequest, MAX_EVALUATION_BYTES, StatedAction, StatedEntity};
use crate::delegation::Mode;
use crate::identity::{AgentId, PrincipalKind};
use crate::policy::AuthzRequest;

/// The `type` of a resource that is none: the server itself.
pub(super) const SERVER: &str = "server";

/// The `type` of an agent with a SPIFFE ID.
pub(super) const SPIFFE: &str = "spiffe";

/// The `type` of an agent whose name only means something at its issuer.
pub(super) const NAMED: &str = "named";

impl EvaluationRequest {
    /// What `request` asks: see the table of [this module](super).
    ///
    /// # Errors
    /// [`AuthzenError::ResourceIsServer`], and [`AuthzenError::Oversize`] for more than [`MAX_EVALUATION_BYTES`].
    pub fn of(request: &AuthzRequest<'_>) -> Result<Self, AuthzenError> {
        let server = request.caller().server().as_str();
        let (kind, id) = match request.resource() {
            None => (SERVER, server),
            Some(resource) if (resource.kind(), resource.id()) == (SERVER, server) => {
                return Err(AuthzenError::ResourceIsServer);
            }
            Some(resource) => (resource.kind(), resource.id()),
        };
        let question = Self {
            subject: Arc::new(subject(request)),
            action: Arc::new(StatedAction {
                name: request.action().into(),
                properties: request.arguments().as_json().as_object().cloned().unwrap_or_default(),
            }),
            resource: Arc::new(StatedEntity { kind: kind.into(), id: id.into(), properties: Map::new() }),
            context: Arc::new(context(request)),
        };
        if question.to_json().to_string().len() > MAX_EVALUATION_BYTES {
            return Err(AuthzenError::Oversize(MAX_EVALUATION_BYTES));
        }
        Ok(question)
    }
}

fn subject(request: &AuthzRequest<'_>) -> StatedEntity {
    let principal = request.principal();
    let mut properties = Map::new();
    properties.insert("issuer".into(), principal.issuer().as_str().into());
    if let Some(tenant) = principal.tenant() {
        properties.insert("tenant".into(), tenant.into());
    }
    StatedEntity { kind: subject_type(principal.kind()).into(), id: principal.subject().into(), properties }
}

fn context(request: &AuthzRequest<'_>) -> Members {
    let caller = request.caller();
    let mut delegation = Map::new();
    delegation.insert("mode".into(), mode_name(caller.mode()).into());
    delegation.insert("depth".into(), caller.depth().into());
    delegation.insert("issuer".into(), caller.issuer().as_str().into());
    if !caller.authority().scopes().is_empty() {
        delegation.insert("scope".into(), caller.authority().scopes().to_string().into());
    }
    let details = caller.authority().to_details();
    if details.as_array().is_some_and(|details| !details.is_empty()) {
        delegation.insert("authorization_details".into(), details);
    }
    let mut context = Map::new();
    context.insert("agent".into(), agent(caller.agent()));
    if !caller.holders().is_empty() {
        context.insert("holders".into(), caller.holders().iter().map(agent).collect());
    }
    context.insert("delegation".into(), Value::Object(delegation));
    context.insert("server".into(), caller.server().as_str().into());
    context.insert("time".into(), request.now().to_string().into());
    context
}

/// A name without its issuer could be taken for a SPIFFE ID that was proven.
fn agent(agent: &AgentId) -> Value {
    match agent {
        AgentId::Spiffe(id) => json!({"type": SPIFFE, "id": id.as_str()}),
        AgentId::Named { issuer, name } => {
            json!({"type": NAMED, "id": name, "properties": {"issuer": issuer.as_str()}})
        }
    }
}

const fn subject_type(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Subject => "user",
        PrincipalKind::Client => "client",
        PrincipalKind::AgentAccount => "account",
    }
}

pub(super) fn principal_kind(subject_type: &str) -> Option<PrincipalKind> {
    [PrincipalKind::Subject, PrincipalKind::Client, PrincipalKind::AgentAccount]
        .into_iter()
        .find(|kind| self::subject_type(*kind) == subject_type)
}

/// As policies and the record write it.
const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Autonomous => "autonomous",
        Mode::OnBehalfOf => "on_behalf_of",
        Mode::Impersonation => "impersonation",
        Mode::AgentAccount => "agent_account",
        Mode::ClientOnly => "client_only",
    }
}

pub(super) fn mode(name: &str) -> Option<Mode> {
    [Mode::Autonomous, Mode::OnBehalfOf, Mode::Impersonation, Mode::AgentAccount, Mode::ClientOnly]
        .into_iter()
        .find(|mode| mode_name(*mode) == name)
}
