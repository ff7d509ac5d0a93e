use std::sync::Arc;

use serde_json::{Value, json};

use super::members::{self, Members};
use super::{AuthzenError, MAX_EVALUATION_BYTES};

/// One question: may this subject do this action to this resource (§6.1)? It says what its sender states, and nothing of it
/// has been verified.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationRequest {
    // Shared with the other questions of one request, which may have it as their default.
    pub(super) subject: Arc<StatedEntity>,
    pub(super) action: Arc<StatedAction>,
    pub(super) resource: Arc<StatedEntity>,
    pub(super) context: Arc<Members>,
}

/// A subject or a resource (§5.1, §5.2).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StatedEntity {
    /// Its `type`.
    pub kind: Box<str>,
    /// Its `id`.
    pub id: Box<str>,
    /// What else is said of it.
    pub properties: serde_json::Map<String, Value>,
}

/// An action (§5.3).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StatedAction {
    /// Its `name`.
    pub name: Box<str>,
    /// Its parameters.
    pub properties: serde_json::Map<String, Value>,
}

impl EvaluationRequest {
    /// Reads the body of an Access Evaluation request.
    ///
    /// # Errors
    /// [`AuthzenError`]: longer than [`MAX_EVALUATION_BYTES`], not strict JSON, a member that is missing or of another type.
    pub fn read(body: &[u8]) -> Result<Self, AuthzenError> {
        Parts::take(&mut members::read(body, MAX_EVALUATION_BYTES)?)?.complete(&Parts::default())
    }

    /// As the body of a request.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut members = Members::new();
        members.insert("subject".into(), self.subject.to_json());
        members.insert("action".into(), self.action.to_json());
        members.insert("resource".into(), self.resource.to_json());
        if !self.context.is_empty() {
            members.insert("context".into(), Value::Object((*self.context).clone()));
        }
        Value::Object(members)
    }

    /// Who wants to do it.
    #[must_use]
    pub fn subject(&self) -> &StatedEntity {
        &self.subject
    }

    /// What is to be done.
    #[must_use]
    pub fn action(&self) -> &StatedAction {
        &self.action
    }

    /// To what.
    #[must_use]
    pub fn resource(&self) -> &StatedEntity {
        &self.resource
    }
}

impl StatedEntity {
    pub(super) fn to_json(&self) -> Value {
        let mut entity = json!({"type": self.kind, "id": self.id});
        put_properties(&mut entity, &self.properties);
        entity
    }

    fn take(of: &mut Members, name: &str, [kind, id]: [&'static str; 2]) -> Result<Option<Given<Self>>, AuthzenError> {
        let Some(mut entity) = members::object(of, name)? else { return Ok(None) };
        let properties = members::object(&mut entity, "properties")?.unwrap_or_default();
        Ok(Some(match (members::text(&mut entity, "type")?, members::text(&mut entity, "id")?) {
            (None, _) => Err(AuthzenError::Missing(kind)),
            (_, None) => Err(AuthzenError::Missing(id)),
            (Some(kind), Some(id)) => Ok(Arc::new(Self { kind: kind.into(), id: id.into(), properties })),
        }))
    }
}

impl StatedAction {
    fn to_json(&self) -> Value {
        let mut action = json!({"name": self.name});
        put_properties(&mut action, &self.properties);
        action
    }

    fn take(of: &mut Members) -> Result<Option<Given<Self>>, AuthzenError> {
        let Some(mut action) = members::object(of, "action")? else { return Ok(None) };
        let properties = members::object(&mut action, "properties")?.unwrap_or_default();
        let name = members::text(&mut action, "name")?.ok_or(AuthzenError::Missing("action.name"));
        Ok(Some(name.map(|name| Arc::new(Self { name: name.into(), properties }))))
    }
}

fn put_properties(entity: &mut Value, properties: &Members) {
    if let (Value::Object(members), false) = (entity, properties.is_empty()) {
        members.insert("properties".into(), Value::Object(properties.clone()));
    }
}

/// A part that is there, and may lack what it needs: it is then no part, and no default stands in for it.
type Given<T> = Result<Arc<T>, AuthzenError>;

/// The parts of a question, some of which may be left to the defaults of the request (§7.1.1).
#[derive(Debug, Default)]
pub(super) struct Parts {
    subject: Option<Given<StatedEntity>>,
    action: Option<Given<StatedAction>>,
    resource: Option<Given<StatedEntity>>,
    context: Option<Arc<Members>>,
}

impl Parts {
    pub(super) fn take(of: &mut Members) -> Result<Self, AuthzenError> {
        Ok(Self {
            subject: StatedEntity::take(of, "subject", ["subject.type", "subject.id"])?,
            action: StatedAction::take(of)?,
            resource: StatedEntity::take(of, "resource", ["resource.type", "resource.id"])?,
            context: members::object(of, "context")?.map(Arc::new),
        })
    }

    /// The question, with the parts that it leaves out as they stand in `defaults`.
    pub(super) fn complete(self, defaults: &Self) -> Result<EvaluationRequest, AuthzenError> {
        fn given<T>(own: Option<Given<T>>, default: &Option<Given<T>>, name: &'static str) -> Given<T> {
            own.or_else(|| default.clone()).ok_or(AuthzenError::Missing(name))?
        }
        Ok(EvaluationRequest {
            subject: given(self.subject, &defaults.subject, "subject")?,
            action: given(self.action, &defaults.action, "action")?,
            resource: given(self.resource, &defaults.resource, "resource")?,
            context: self.context.or_else(|| defaults.context.clone()).unwrap_or_default(),
        })
    }
}
