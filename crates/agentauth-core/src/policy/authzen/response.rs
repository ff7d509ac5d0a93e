use serde_json::{Value, json};

use super::members::{self, Members};
use super::{AuthzenError, MAX_DECISION_BYTES};

/// The answer to one question (§5.5, §6.2).
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationResponse {
    pub(super) decision: bool,
    pub(super) context: Members,
}

impl EvaluationResponse {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// [`AuthzenError`]: longer than [`MAX_DECISION_BYTES`], not strict JSON, no decision.
    pub fn read(body: &[u8]) -> Result<Self, AuthzenError> {
        Self::take(members::read(body, MAX_DECISION_BYTES)?)
    }

    pub(super) fn take(mut answer: Members) -> Result<Self, AuthzenError> {
        let Some(Value::Bool(decision)) = answer.remove("decision") else { return Err(AuthzenError::NoDecision) };
        Ok(Self { decision, context: members::object(&mut answer, "context")?.unwrap_or_default() })
    }

    /// Whether it is permitted, before any condition is looked at.
    #[must_use]
    pub const fn decision(&self) -> bool {
        self.decision
    }

    /// As the body of an answer.
    #[must_use]
    pub fn to_json(&self) -> Value {
        if self.context.is_empty() {
            json!({"decision": self.decision})
        } else {
            json!({"decision": self.decision, "context": self.context})
        }
    }
}
