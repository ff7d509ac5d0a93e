//! Records as events of the Open Cybersecurity Schema Framework, for security information systems.
//!
//! The version is 1.8.0, the latest that is released. What it has no place for stands under `unmapped`: above all the chain of
//! delegation, which no version has yet. (`ai_agent` and `record_integrity` are drafts of 1.9.)

use agentauth_audit::read::{LogRecord, View};
use agentauth_core::Timestamp;
use agentauth_core::policy::Effect;
use serde_json::{Map, Value, json};

/// The version of the schema.
const VERSION: &str = "1.8.0";

/// A class of events.
#[derive(Debug, Clone, Copy)]
struct Class {
    category: u32,
    uid: u32,
    name: &'static str,
    activity: u32,
    activity_name: &'static str,
}

const AUTHENTICATION: Class =
    Class { category: 3, uid: 3002, name: "Authentication", activity: 3, activity_name: "Authentication Ticket" };
const AUTHORIZE_SESSION: Class =
    Class { category: 3, uid: 3003, name: "Authorize Session", activity: 1, activity_name: "Assign Privileges" };
const USER_ACCESS: Class =
    Class { category: 3, uid: 3005, name: "User Access Management", activity: 2, activity_name: "Revoke Privileges" };
const API_ACTIVITY: Class =
    Class { category: 6, uid: 6003, name: "API Activity", activity: 99, activity_name: "Other" };

const INFORMATIONAL: (u32, &str) = (1, "Informational");

/// Somebody was refused. What is serious is for those to say who see more than one event.
const LOW: (u32, &str) = (2, "Low");

/// Members of a record that have a place of their own in an event, or are in none on purpose.
const MAPPED: [&str; 9] =
    ["version", "kind", "evaluation_id", "time", "server", "effect", "code", "personal", "authentication_id"];

/// The event of `record`. None if it is no record that can be read.
pub(super) fn event(record: &LogRecord) -> Option<Value> {
    let (view, value) = (record.view()?, record.value()?);
    let time = Timestamp::from_rfc3339(view.time()).unwrap_or_else(|| record.time());
    let class = class(view.kind());
    let is_refused = view.effect() == Effect::Deny || record.is_refused_late();
    let is_failure = is_refused || (view.kind() == "outcome" && view.code() != "succeeded");
    let (severity, severity_name) = if is_refused { LOW } else { INFORMATIONAL };
    let mut event = json!({
        "activity_id": class.activity,
        "activity_name": class.activity_name,
        "category_uid": class.category,
        "category_name": if class.category == 3 { "Identity & Access Management" } else { "Application Activity" },
        "class_uid": class.uid,
        "class_name": class.name,
        "type_uid": class.uid * 100 + class.activity,
        "type_name": format!("{}: {}", class.name, class.activity_name),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": if is_failure { 2 } else { 1 },
        "status": if is_failure { "Failure" } else { "Success" },
        "status_code": view.code(),
        "time": time.micros() / 1000,
        "metadata": metadata(record, &view),
        "unmapped": unmapped(record, &view, &value),
    });
    let own = match class.uid {
        3002 => json!({"user": user(&view), "service": {"name": view.server(), "uid": view.server()}}),
        3003 => json!({"user": user(&view), "privileges": scopes(&value)}),
        3005 => json!({"user": user(&view), "privileges": [text(&value, "/revocation/what").unwrap_or("unknown")]}),
        _ => api(&view, &value),
    };
    let detail = view.reasons().first().map(|reason| json!({"status_detail": reason.text}));
    let duration = view.took_micros().map(|micros| json!({"duration": micros / 1000}));
    let actor = json!({"actor": actor(&view), "src_endpoint": endpoint(&view)});
    for more in [Some(own), Some(actor), detail, duration].into_iter().flatten() {
        join(&mut event, more);
    }
    Some(event)
}

/// Adds the members of `more` to `event`.
fn join(event: &mut Value, more: Value) {
    if let (Value::Object(event), Value::Object(more)) = (event, more) {
        event.extend(more);
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}

fn class(kind: &str) -> Class {
    match kind {
        "authentication" => AUTHENTICATION,
        "issuance" => AUTHORIZE_SESSION,
        "revocation" => USER_ACCESS,
        _ => API_ACTIVITY,
    }
}

fn metadata(record: &LogRecord, view: &View<'_>) -> Value {
    json!({
        "version": VERSION,
        "product": {"name": "agentauth", "vendor_name": "agentauth", "version": env!("CARGO_PKG_VERSION")},
        "uid": format!("{}/{}", record.log(), record.number()),
        "correlation_uid": view.evaluation_id(),
        "event_code": view.kind(),
        "log_name": record.log(),
        "logged_time": record.time().micros() / 1000,
        "original_time": view.time(),
        "sequence": record.number(),
    })
}

/// Who acts: the program is the agent, and the user is whom it acts for.
fn actor(view: &View<'_>) -> Value {
    let agent = view.agent();
    let name = agent.as_deref().unwrap_or("unknown");
    let mut actor = json!({"app_uid": name, "app_name": name, "user": user(view)});
    if let Some(version) = view.policy_version() {
        let decision = if view.effect() == Effect::Allow { "Allow" } else { "Deny" };
        let mut policies: Vec<&str> = view.reasons().iter().filter_map(|reason| reason.policy.as_deref()).collect();
        if policies.is_empty() {
            // Nothing permits, and no policy says so.
            policies.push("policies");
        }
        let policies = policies
            .into_iter()
            .map(|id| json!({"decision": decision, "policy": {"uid": id, "version": version, "is_applied": true}}));
        join(&mut actor, json!({"authorizations": policies.collect::<Vec<_>>()}));
    }
    actor
}

/// The principal; where there is none, the agent, which is a service.
fn user(view: &View<'_>) -> Value {
    let principal = view.principal();
    match principal.as_deref().or(view.principal_hash()) {
        Some(principal) => json!({"uid": principal, "type_id": 1, "type": "User"}),
        None => json!({"uid": view.agent().as_deref().unwrap_or("unknown"), "type_id": 4, "type": "Service"}),
    }
}

fn endpoint(view: &View<'_>) -> Value {
    let agent = view.agent();
    json!({"uid": view.peer().or(agent.as_deref()).unwrap_or("unknown")})
}

/// What was called, and at which server.
fn api(view: &View<'_>, value: &Value) -> Value {
    let mut request = json!({"uid": view.evaluation_id()});
    if let Some(arguments) = text(value, "/action/arguments") {
        join(&mut request, json!({"data": {"arguments_sha256": arguments}}));
    }
    let mut own = json!({
        "dst_endpoint": {"uid": view.server(), "svc_name": view.server()},
        "api": {
            "operation": view.action().unwrap_or_else(|| view.kind()),
            "service": {"name": view.server()},
            "request": request,
        },
    });
    if let Some((kind, id)) = view.resource() {
        join(&mut own, json!({"resources": [{"uid": id, "type": kind, "role_id": 1}]}));
    }
    own
}

/// At least one privilege: the schema wants them, and a token without any scope can be presented all the same.
fn scopes(value: &Value) -> Value {
    let scopes = text(value, "/issued/scopes").unwrap_or_default().split(' ');
    let scopes: Vec<&str> = scopes.filter(|scope| !scope.is_empty()).collect();
    if scopes.is_empty() { json!(["none"]) } else { json!(scopes) }
}

/// All of the record that is nowhere else; names are the record's.
fn unmapped(record: &LogRecord, view: &View<'_>, value: &Value) -> Value {
    let mut rest = Map::new();
    for (name, member) in value.as_object().into_iter().flatten() {
        if !MAPPED.contains(&name.as_str()) {
            rest.insert(name.clone(), member.clone());
        }
    }
    if let Some(approver) = value.pointer("/personal/approver") {
        rest.insert("approver".into(), approver.clone());
    }
    if let Some(id) = view.authentication_id() {
        rest.insert("authentication_id".into(), id.into());
    }
    if record.is_refused_late() {
        rest.insert("refused_late".into(), true.into());
    }
    rest.into()
}
