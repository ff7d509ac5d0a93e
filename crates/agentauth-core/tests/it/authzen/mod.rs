//! The OpenID AuthZEN Authorization API: its wire form, what it means here, and a decision point that answers by it.

mod mapping;
mod point;
mod wire;

use serde_json::{Value, json};

/// A question in which everything is said: the lawyer files for alice.
fn question() -> Value {
    json!({
        "subject": {"type": "user", "id": "alice", "properties": {"issuer": "https://sts.court.example"}},
        "action": {"name": "motions:file", "properties": {"fee": 120}},
        "resource": {"type": "case", "id": "2026-17"},
        "context": {
            "agent": {"type": "spiffe", "id": "spiffe://court.example/agent/lawyer"},
            "delegation": {"mode": "on_behalf_of", "depth": 1, "issuer": "https://sts.court.example", "scope": "motions:file"},
            "server": "https://tools.example",
        },
    })
}

/// The question, with what is at `pointer` replaced; removed by `null`.
fn with(pointer: &str, value: impl Into<Value>) -> Value {
    let mut question = question();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = question.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value.into() {
        Value::Null => _ = parent.remove(name),
        value => _ = parent.insert(name.into(), value),
    }
    question
}
