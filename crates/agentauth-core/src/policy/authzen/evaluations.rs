use std::sync::Arc;

use serde_json::{Value, json};

use super::members::{self, Members, wrong_type};
use super::request::Parts;
use super::{
    AuthzenError, EvaluationRequest, EvaluationResponse, MAX_DECISIONS_BYTES, MAX_EVALUATIONS, MAX_EVALUATIONS_BYTES,
};
use crate::text::Excerpt;

/// Several questions in one request (§7.1).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EvaluationsRequest {
    /// There is no list of them, or an empty one: this is one question, and is answered like one.
    One(EvaluationRequest),
    /// As many as there are answers.
    Several {
        /// In their order. One that lacks what it needs is denied by itself.
        evaluations: Vec<Result<EvaluationRequest, AuthzenError>>,
        /// After which answers no more is asked.
        semantic: Semantic,
    },
}

/// After which answer of several the rest is not asked (§7.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Semantic {
    /// After the last.
    #[default]
    ExecuteAll,
    /// After the first denial.
    DenyOnFirstDeny,
    /// After the first permission.
    PermitOnFirstPermit,
}

impl Semantic {
    /// Whether nothing is asked after `decision`.
    #[must_use]
    pub const fn ends_with(self, decision: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !decision,
            Self::PermitOnFirstPermit => decision,
        }
    }

    fn read(name: &str) -> Result<Self, AuthzenError> {
        match name {
            "execute_all" => Ok(Self::ExecuteAll),
            "deny_on_first_deny" => Ok(Self::DenyOnFirstDeny),
            "permit_on_first_permit" => Ok(Self::PermitOnFirstPermit),
            other => Err(AuthzenError::Semantic(Excerpt::of(other))),
        }
    }
}

impl EvaluationsRequest {
    /// Reads the body of an Access Evaluations request.
    ///
    /// # Errors
    /// [`AuthzenError`]: longer than [`MAX_EVALUATIONS_BYTES`], not strict JSON, a member of another type, more than
    /// [`MAX_EVALUATIONS`] questions, an unknown semantic.
    pub fn read(body: &[u8]) -> Result<Self, AuthzenError> {
        let mut request = members::read(body, MAX_EVALUATIONS_BYTES)?;
        let items = members::array(&mut request, "evaluations")?.unwrap_or_default();
        let options = members::object(&mut request, "options")?;
        let semantic = options.map(|mut options| members::text(&mut options, "evaluations_semantic")).transpose()?;
        let semantic = semantic.flatten().map(|name| Semantic::read(&name)).transpose()?.unwrap_or_default();
        let defaults = Parts::take(&mut request)?;
        if items.is_empty() {
            return Ok(Self::One(defaults.complete(&Parts::default())?));
        }
        if items.len() > MAX_EVALUATIONS {
            return Err(AuthzenError::TooManyEvaluations);
        }
        let read = |item| match item {
            Value::Object(mut item) => Ok(Parts::take(&mut item)?.complete(&defaults)),
            _ => Err(wrong_type("evaluations")),
        };
        Ok(Self::Several { evaluations: items.into_iter().map(read).collect::<Result<_, _>>()?, semantic })
    }

    /// The body of a request that asks all of `evaluations`. What is the same in all of them is said once.
    ///
    /// # Errors
    /// [`AuthzenError::Oversize`], [`AuthzenError::TooManyEvaluations`].
    pub fn write(evaluations: &[EvaluationRequest]) -> Result<String, AuthzenError> {
        if evaluations.len() > MAX_EVALUATIONS {
            return Err(AuthzenError::TooManyEvaluations);
        }
        let mut request = Members::new();
        let mut items: Vec<Value> = evaluations.iter().map(EvaluationRequest::to_json).collect();
        if let Some((first, rest)) = evaluations.split_first() {
            if rest.iter().all(|other| other.subject == first.subject) {
                say_once("subject", &mut items, &mut request);
            }
            if rest.iter().all(|other| other.context == first.context) {
                say_once("context", &mut items, &mut request);
            }
        }
        request.insert("evaluations".into(), Value::Array(items));
        let text = Value::Object(request).to_string();
        if text.len() > MAX_EVALUATIONS_BYTES { Err(AuthzenError::Oversize(MAX_EVALUATIONS_BYTES)) } else { Ok(text) }
    }
}

fn say_once(name: &str, items: &mut [Value], request: &mut Members) {
    let parts = items.iter_mut().filter_map(|item| item.as_object_mut()?.remove(name));
    if let Some(last) = parts.last() {
        request.insert(name.into(), last);
    }
}

/// The answer to several questions, in their order (§7.2).
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationsResponse(Arc<[EvaluationResponse]>);

impl EvaluationsResponse {
    /// Of these answers.
    #[must_use]
    pub fn new(answers: Vec<EvaluationResponse>) -> Self {
        Self(answers.into())
    }

    /// Reads the answer to `asked` questions of which all were to be executed.
    ///
    /// # Errors
    /// [`AuthzenError`], also for another number of decisions.
    pub fn read(body: &[u8], asked: usize) -> Result<Self, AuthzenError> {
        let mut answer = members::read(body, MAX_DECISIONS_BYTES)?;
        let items = members::array(&mut answer, "evaluations")?.ok_or(AuthzenError::Missing("evaluations"))?;
        if items.len() != asked {
            return Err(AuthzenError::Count { asked, found: items.len() });
        }
        let read = |item| match item {
            Value::Object(item) => EvaluationResponse::take(item),
            _ => Err(wrong_type("evaluations")),
        };
        items.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The answers.
    pub fn iter(&self) -> impl Iterator<Item = &EvaluationResponse> {
        self.0.iter()
    }

    /// As the body of an answer.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"evaluations": self.iter().map(EvaluationResponse::to_json).collect::<Vec<_>>()})
    }
}
