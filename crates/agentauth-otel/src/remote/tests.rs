use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn spans(work: impl FnOnce()) -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
    let provider = SdkTracerProvider::builder().with_sampler(sampler).with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::with_default(Registry::default().with(layer), work);
    exporter.get_finished_spans().unwrap()
}

fn headers(traceparent: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for one in traceparent {
        headers.append(TRACEPARENT, one.parse().unwrap());
    }
    headers.insert("tracestate", "vendor=secret".parse().unwrap());
    headers
}

#[test]
fn an_outer_trace_is_linked_and_chooses_neither_our_id_nor_whether_we_sample() {
    for flags in ["00", "01"] {
        let spans = spans(|| {
            let span = tracing::info_span!("request");
            assert!(link_remote(&span, &headers(&[&format!("00-{TRACE}-{PARENT}-{flags}")])));
            span.in_scope(|| {});
        });
        let [span] = &*spans else { panic!("flags {flags}: the caller has decided whether we sample") };
        assert_ne!(span.span_context.trace_id().to_string(), TRACE);
        assert_eq!(span.parent_span_id, SpanId::INVALID);
        let link = &span.links.iter().next().unwrap().span_context;
        assert_eq!((link.trace_id().to_string(), link.span_id().to_string()), (TRACE.into(), PARENT.into()));
        assert_eq!((link.trace_state(), link.is_remote()), (&TraceState::NONE, true));
    }
}

#[test]
fn the_trace_of_a_trusted_caller_is_continued() {
    let spans = spans(|| {
        let span = tracing::info_span!("request");
        assert!(continue_remote(&span, &headers(&[&format!("00-{TRACE}-{PARENT}-01")])));
        span.in_scope(|| {});
    });
    assert_eq!(spans[0].span_context.trace_id().to_string(), TRACE);
    assert_eq!(spans[0].parent_span_id.to_string(), PARENT);
}

#[test]
fn what_is_no_traceparent_is_not_read() {
    let good = format!("00-{TRACE}-{PARENT}-01");
    for bad in [&headers(&[]), &headers(&["00"]), &headers(&[&good, &good])] {
        let spans = spans(|| {
            let span = tracing::info_span!("request");
            assert!(!link_remote(&span, bad) && !continue_remote(&span, bad));
            span.in_scope(|| {});
        });
        assert_eq!((spans[0].links.len(), spans[0].parent_span_id), (0, SpanId::INVALID));
    }
}

#[test]
fn what_goes_out_is_our_own_trace_and_nothing_else() {
    let mut sent = headers(&["00-11111111111111111111111111111111-1111111111111111-01"]);
    let spans = spans(|| {
        let span = tracing::info_span!("request");
        assert!(link_remote(&span, &headers(&[&format!("00-{TRACE}-{PARENT}-01")])));
        span.in_scope(|| assert!(inject(&Span::current(), &mut sent)));
    });
    let context = &spans[0].span_context;
    let expected = format!("00-{}-{}-01", context.trace_id(), context.span_id());
    assert_eq!((sent.len(), sent[TRACEPARENT].to_str().unwrap()), (1, &*expected));

    let mut sent = headers(&[&expected]);
    assert!(!inject(&Span::none(), &mut sent));
    assert!(sent.is_empty(), "another's trace is not passed on");
}
