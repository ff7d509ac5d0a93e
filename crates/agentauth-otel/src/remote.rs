//! Traces that cross the door: what came in is linked, what goes out is ours.

use agentauth_core::{TRACEPARENT, TRACESTATE, TraceContext};
use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Links `span` to the trace that the request came with (W3C Trace Context, `traceparent`), and says whether there was one. Call it in
/// the server's tracing layer, on the span of the request.
///
/// Whoever is outside does not become the parent: they would choose the id of our trace, and whether it is sampled. Neither their
/// flags nor their `tracestate` are kept. Where every caller is our own, continue their trace with [`continue_remote`].
pub fn link_remote(span: &Span, headers: &HeaderMap) -> bool {
    let Some(remote) = remote(headers, false) else { return false };
    span.add_link(remote);
    true
}

/// Makes `span` a part of the trace that the request came with, and says whether it is: only for callers that are trusted to
/// choose the trace's id, and whether it is sampled. It must not have been entered before.
pub fn continue_remote(span: &Span, headers: &HeaderMap) -> bool {
    let Some(parent) = remote(headers, true) else { return false };
    span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent)).is_ok()
}

/// Puts `span` into the `traceparent` of a request to another server, in place of whatever stood there, and says whether there was one to
/// put. `tracestate` is taken out: it would be another trace's. Nothing else is written, and no baggage.
pub fn inject(span: &Span, headers: &mut HeaderMap) -> bool {
    headers.remove(&TRACEPARENT);
    headers.remove(&TRACESTATE);
    let context = span.context();
    let context = context.span().span_context().clone();
    if !context.is_valid() {
        return false;
    }
    let flags = context.trace_flags() & TraceFlags::SAMPLED;
    let text = format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), flags.to_u8());
    HeaderValue::from_str(&text).is_ok_and(|value| {
        headers.insert(TRACEPARENT, value);
        true
    })
}

/// The span that the request names as its parent.
fn remote(headers: &HeaderMap, keeps_flags: bool) -> Option<SpanContext> {
    let trace = TraceContext::from_headers(headers)?;
    let flags = if keeps_flags { TraceFlags::new(trace.flags()) & TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (id, parent) = (TraceId::from_bytes(*trace.trace_id()), SpanId::from_bytes(*trace.parent_id()));
    Some(SpanContext::new(id, parent, flags, true, TraceState::NONE))
}

#[cfg(test)]
mod tests;
