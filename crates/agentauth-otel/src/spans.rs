//! What a decision was, on the span of its request.

use std::sync::Arc;

use agentauth_core::audit::{Append, AuditSink, Record, RecordKind};
use agentauth_core::policy::Effect;
use opentelemetry::{KeyValue, StringValue, Value};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan as _;

use crate::metrics::{effect, mode};
use crate::names::{DECISION_EVENT, EXECUTE_TOOL, Semconv, attribute};

/// A span is read by people; names may have 2048 bytes.
const MAX_VALUE_BYTES: usize = 256;

/// Sets what was decided on the span in which it was, as OpenTelemetry attributes: an [`AuditSink`], done at once, that keeps nothing.
///
/// The span is that of the server's own tracing layer, around the request: [`tracing::Span::current`] when the engine is asked. Where
/// there is none, or nobody exports it, nothing happens. It has the attributes of the first decision about an action; each further
/// one on the same span is an event with the same attributes, and so is the refusal of what could not be recorded. A refusal has `error.type`; the status of the span is never touched, since a
/// denial is an answer and no error.
///
/// The agent is named, as it was verified; the principal, the resource, the token and the arguments are not.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct SpanAttributes {
    semconv: Semconv,
}

impl SpanAttributes {
    /// With the names of this version.
    pub const fn new(semconv: Semconv) -> Self {
        Self { semconv }
    }

    fn authenticated(self, record: &Record, span: &Span) {
        if record.effect == Effect::Deny {
            let mut attributes = refused(record);
            attributes.push(KeyValue::new(attribute::EVALUATION_ID, Arc::clone(&record.evaluation_id)));
            return tell(span, attributes);
        }
        if !is_first(span, Told::Authentication) {
            return;
        }
        span.set_attribute(attribute::AUTHENTICATION_ID, Arc::clone(&record.evaluation_id));
        if let Some(delegation) = &record.delegation {
            span.set_attribute(attribute::MODE, mode(delegation.mode));
            span.set_attribute(attribute::DELEGATION_DEPTH, i64::try_from(delegation.depth).unwrap_or(i64::MAX));
            span.set_attribute(self.semconv.agent_id(), in_short(delegation.agent.to_string()));
        }
    }

    fn decided(self, record: &Record, span: &Span) {
        // What a route requires of every caller is no tool; met, it is nothing to speak of.
        let tool = record.action.as_ref().filter(|action| action.arguments.is_some());
        if tool.is_none() && record.effect == Effect::Allow {
            return;
        }
        let mut attributes = match record.effect {
            Effect::Allow => vec![
                KeyValue::new(attribute::DECISION, effect(Effect::Allow)),
                KeyValue::new(attribute::REASON, record.code),
            ],
            Effect::Deny => refused(record),
        };
        attributes.push(KeyValue::new(attribute::EVALUATION_ID, Arc::clone(&record.evaluation_id)));
        if let Some(version) = &record.policy_version {
            attributes.push(KeyValue::new(attribute::POLICY_VERSION, in_short(version.to_string())));
        }
        if let Some(action) = tool {
            attributes.push(KeyValue::new(self.semconv.operation_name(), EXECUTE_TOOL));
            attributes.push(KeyValue::new(self.semconv.tool_name(), in_short(action.name.to_string())));
        }
        tell(span, attributes);
    }
}

impl AuditSink for SpanAttributes {
    fn append(&self, record: Arc<Record>) -> Append {
        let span = Span::current();
        if !span.is_disabled() {
            match record.kind {
                RecordKind::Authentication => self.authenticated(&record, &span),
                RecordKind::Decision => self.decided(&record, &span),
                _ => {}
            }
        }
        Append::done(Ok(()))
    }
}

fn refused(record: &Record) -> Vec<KeyValue> {
    vec![
        KeyValue::new(attribute::DECISION, effect(Effect::Deny)),
        KeyValue::new(attribute::REASON, record.code),
        KeyValue::new(attribute::ERROR_TYPE, record.code),
    ]
}

/// Attributes for the first on this span, an event for each further one: a key may stand on a span once only.
fn tell(span: &Span, attributes: Vec<KeyValue>) {
    if is_first(span, Told::Decision) {
        for KeyValue { key, value, .. } in attributes {
            span.set_attribute(key, value);
        }
    } else {
        span.add_event(DECISION_EVENT, attributes);
    }
}

#[derive(Clone, Copy)]
enum Told {
    Authentication,
    Decision,
}

/// What a span has been told already.
#[derive(Default)]
struct Has {
    authentication: bool,
    decision: bool,
}

/// Whether `span` was not told this before.
fn is_first(span: &Span, what: Told) -> bool {
    let first = span.with_subscriber(|(id, subscriber)| {
        let span = subscriber.downcast_ref::<Registry>()?.span(id)?;
        let mut extensions = span.extensions_mut();
        if extensions.get_mut::<Has>().is_none() {
            extensions.insert(Has::default());
        }
        let has = extensions.get_mut::<Has>()?;
        let told = match what {
            Told::Authentication => &mut has.authentication,
            Told::Decision => &mut has.decision,
        };
        Some(!std::mem::replace(told, true))
    });
    // Whoever collects spans otherwise has no OpenTelemetry layer to tell.
    first.flatten().unwrap_or(false)
}

fn in_short(mut text: String) -> Value {
    let mut end = MAX_VALUE_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.truncate(end);
    Value::String(StringValue::from(text))
}

#[cfg(test)]
mod tests;
