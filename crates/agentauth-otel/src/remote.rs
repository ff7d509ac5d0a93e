//! Traces that cross the door: what came in is linked, what goes out is ours.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Links `span` to the trace that the request came with (W3C Trace Context, `traceparent`), and says whether there was one. Call it in
/// the server's tracing layer, on the span of the request.
///
/// Whoever is outside does not become the parent: they would choose the id of our trace, and whether it is sampled. Neither their
/// flags nor their `tracestate` are kept. Where every caller is our own, continue their trace with [`continue_remote`].
pub fn link_remote(span: &Span, headers: &HeaderMap) -> bool {
    let Some(remote) = remote(headers) else { return false };
    let Remote { trace, span: parent, .. } = remote;
    span.add_link(SpanContext::new(trace, parent, TraceFlags::default(), true, TraceState::NONE));
    true
}

/// Makes `span` a part of the trace that the request came with, and says whether it is: only for callers that are trusted to
/// choose the trace's id, and whether it is sampled. It must not have been entered before.
pub fn continue_remote(span: &Span, headers: &HeaderMap) -> bool {
    let Some(Remote { trace, span: parent, flags }) = remote(headers) else { return false };
    let parent = SpanContext::new(trace, parent, flags, true, TraceState::NONE);
    span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent)).is_ok()
}

/// Puts `span` into the `traceparent` of a request to another server, in place of whatever stood there, and says whether there was one to
/// put. `tracestate` is taken out: it would be another trace's. Nothing else is written, and no baggage.
pub fn inject(span: &Span, headers: &mut HeaderMap) -> bool {
    headers.remove(&TRACEPARENT);
    headers.remove("tracestate");
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

struct Remote {
    trace: TraceId,
    span: SpanId,
    flags: TraceFlags,
}

/// Reads the one `traceparent` (W3C Trace Context §3.2.2). Of two, none counts.
fn remote(headers: &HeaderMap) -> Option<Remote> {
    let mut all = headers.get_all(&TRACEPARENT).iter();
    let (one, None) = (all.next()?, all.next()) else { return None };
    let text = one.to_str().ok()?;
    let mut parts = text.splitn(5, '-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_lower_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let sizes = [version.len(), trace.len(), span.len(), flags.len()];
    let is_whole = sizes == [2, 32, 16, 2] && [version, trace, span, flags].into_iter().all(is_lower_hex);
    // Version ff is none, and version 00 has nothing after the flags; later ones may.
    if !is_whole || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    (trace != TraceId::INVALID && span != SpanId::INVALID).then_some(Remote { trace, span, flags })
}

#[cfg(test)]
mod tests;
